"""`fairlead config`: whether a file can be used, and what is in force."""

from __future__ import annotations

import argparse

import yaml

from service.commands.models import compiled
from service.commands.terminal import say, settings_of
from service.sources import load_settings, masked


def run(args: argparse.Namespace) -> int:
    """Checks a file by itself, or shows file, environment and defaults together."""
    if args.action == "show":
        say(yaml.safe_dump(masked(settings_of(args)), sort_keys=False, allow_unicode=True).rstrip())
        return 0
    policies = compiled(load_settings(args.config))
    for rule in policies.left_out:
        say(f"left out: {rule}")
    say(f"{args.config}: can be used; policies: {', '.join(policies.by_name)}")
    return 0
