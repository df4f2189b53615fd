"""`fairlead demo`: the proxy before a scripted upstream."""

from __future__ import annotations

import argparse

from service import demo


def run(args: argparse.Namespace) -> int:
    """Runs the demo."""
    return demo.run(is_once=args.once)
