"""`python -m scorers.training`: everything from the data to the shipped model and its figures.

Each step can also be run by itself (`python -m scorers.training.train`); training goes on where it
stopped.
"""

from __future__ import annotations

import subprocess
import sys

STEPS = (
    ("prepare",),
    ("train",),
    ("plot",),
    ("export",),
    ("calibrate",),
    ("agreement",),
    ("evaluate",),
    ("baselines",),
    ("probe",),
)


def main() -> None:
    """Runs the steps in order, each in a process of its own; stops at the first that fails."""
    for name, *options in STEPS:
        print(f"== {name}", flush=True)
        command = [sys.executable, "-m", f"scorers.training.{name}", *options]
        done = subprocess.run(command, check=False)  # noqa: S603 - our own modules
        if done.returncode:
            sys.exit(done.returncode)


if __name__ == "__main__":
    main()
