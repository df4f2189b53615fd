"""`python -m load_tests run [--scenario NAME ...]`: measure, print a table, hold it to budgets."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from rich.console import Console

from load_tests.contender import find_litellm
from load_tests.report import broken, show, show_machine
from load_tests.scenario import SCENARIOS, Options, Row


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m load_tests")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name the scenarios")
    run = commands.add_parser("run", help="measure and print one table for each scenario")
    run.add_argument("--scenario", action="append", choices=sorted(SCENARIOS))
    run.add_argument("--rounds", type=int, default=Options.rounds)
    run.add_argument("--seconds", type=float, default=Options.seconds, help="of one round")
    run.add_argument("--rate", type=float, default=Options.rate_per_s, help="streams a second")
    run.add_argument("--litellm", help="LiteLLM's program (or FAIRLEAD_LITELLM)")
    run.add_argument("--json", type=Path, help="write the figures here as well")
    return parser


def _run(options: argparse.Namespace) -> int:
    console, started = Console(width=None if sys.stdout.isatty() else 170), time.monotonic()
    chosen = options.scenario or list(SCENARIOS)
    measured: dict[str, list[Row]] = {}
    program = find_litellm(options.litellm)
    if program is None:
        console.print("LiteLLM is not installed here: its rows are left out")
    limits = Options(options.rounds, options.seconds, options.rate, program)
    for name in chosen:
        scenario = SCENARIOS[name]
        measured[name] = scenario(limits)
        show(console, name, (scenario.__doc__ or "").strip().partition("\n")[0], measured[name])
    show_machine(console, time.monotonic() - started)
    if options.json:
        options.json.write_text(json.dumps(_plain(measured), indent=2))
    failures = [line for name, rows in measured.items() for line in broken(name, rows)]
    for line in failures:
        console.print(f"over budget: {line}", style="red")
    return 1 if failures else 0


def _plain(measured: dict[str, list[Row]]) -> dict[str, list[dict[str, object]]]:
    return {name: [vars(row) for row in rows] for name, rows in measured.items()}


def main(arguments: list[str]) -> int:
    """Run the command; the exit code is 1 when a budget is not kept."""
    options = _parser().parse_args(arguments)
    if options.command == "list":
        print("\n".join(f"{name}: {run.__doc__}" for name, run in SCENARIOS.items()))
        return 0
    return _run(options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
