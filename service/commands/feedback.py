"""`fairlead feedback`: judgements out of files, and how far raters agree."""

from __future__ import annotations

import argparse
import asyncio
from importlib import import_module


def run(args: argparse.Namespace) -> int:
    """Imports a file or measures agreement."""
    action = import_module(f"service.commands.feedback_{args.action}")
    return int(asyncio.run(action.run(args)))
