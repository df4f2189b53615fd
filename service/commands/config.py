"""`fairlead config`: whether a file can be used, and what is in force."""

from __future__ import annotations

import argparse
import os
from contextlib import suppress

import yaml

from service.commands.models import compiled
from service.commands.terminal import say, settings_of
from service.parts import targets, text_keeper
from service.settings import Settings
from service.sources import MissingSecret, env_names, load_settings, masked
from service.watch.webhooks import webhooks


def run(args: argparse.Namespace) -> int:
    """Checks a file by itself, or shows file, environment and defaults together."""
    if args.action == "show":
        say(yaml.safe_dump(masked(settings_of(args)), sort_keys=False, allow_unicode=True).rstrip())
        return 0
    settings = load_settings(args.config)
    policies = compiled(settings)
    _check_secrets(settings)
    for rule in policies.left_out:
        say(f"left out: {rule}")
    say(f"{args.config}: can be used; policies: {', '.join(policies.by_name)}")
    return 0


def _check_secrets(settings: Settings) -> None:
    """Raises ConfigError for a secret that is none; one that is not set here is told."""
    with suppress(MissingSecret):
        targets(settings)
    with suppress(MissingSecret):
        webhooks(settings.alerts)
    with suppress(MissingSecret):
        text_keeper(settings)
    for name in dict.fromkeys(env_names(settings.model_dump(mode="json"))):
        if not os.environ.get(name):
            say(f"not set here: {name}, which `fairlead serve` needs in its environment")
