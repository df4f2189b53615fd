"""What every command needs of the terminal: settings in, tables and lines out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from service.settings import Settings
from service.sources import load_settings


def settings_of(args: argparse.Namespace, flags: Mapping[str, Any] | None = None) -> Settings:
    """The settings of a command: its file, the environment, its flags."""
    return load_settings(args.config, environ=os.environ, flags=flags)


def say(text: str) -> None:
    """A line on standard output, as it is."""
    sys.stdout.write(text + "\n")


def show(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """A table on standard output; what is too long for its column goes on below.

    Not so in the first column, which has what is copied into other commands.
    """
    first, *others = columns
    titles = [Column(first, no_wrap=True), *(Column(one, overflow="fold") for one in others)]
    table = Table(*titles, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console(soft_wrap=True).print(table)


def day(at_us: int | None) -> str:
    """Unix microseconds as a readable time in UTC."""
    return "" if at_us is None else f"{datetime.fromtimestamp(at_us / 1e6, UTC):%Y-%m-%d %H:%M}"
