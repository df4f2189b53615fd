"""`fairlead db`: migrations."""

from __future__ import annotations

import argparse
import asyncio

from service.commands.terminal import say, settings_of
from storage import migrate


def run(args: argparse.Namespace) -> int:
    """Applies the migrations, or says whether some are missing."""
    url = settings_of(args).database_url
    asyncio.run(migrate.upgrade(url) if args.action == "upgrade" else migrate.check(url))
    say("the database is at the newest revision")
    return 0
