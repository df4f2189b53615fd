"""How many cores there are to run on."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """The cores that this process may use; all of the machine's where the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
