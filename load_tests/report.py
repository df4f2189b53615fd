"""Tables of what was measured, and the budgets they are held against."""

from __future__ import annotations

import os
import platform
import tomllib
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from load_tests.closed_loop import generator
from load_tests.scenario import Row

BUDGETS = Path(__file__).with_name("budgets.toml")
_COLUMNS = {
    "req_per_s": ("requests/s", 0),
    "lowest": ("lowest", 0),
    "highest": ("highest", 0),
    "p50_ms": ("p50 ms", 2),
    "p99_ms": ("p99 ms", 1),
    "cpu_ms": ("CPU ms/req", 3),
    "times_litellm": ("× LiteLLM", 1),
    "times_bare_httpx": ("× bare httpx", 2),
    "first_p50_ms": ("first text p50 ms", 1),
    "added_first_p50_ms": ("added p50", 1),
    "added_first_p95_ms": ("added p95", 1),
    "added_first_p99_ms": ("added p99", 1),
    "last_p50_ms": ("end p50 ms", 0),
    "added_last_p50_ms": ("added p50", 1),
    "added_last_p95_ms": ("added p95", 1),
    "added_last_p99_ms": ("added p99", 1),
    "tokens_per_s": ("padded tokens/s", 0),
    "share_of_session": ("of the session's", 2),
    "unscored": ("unscored %", 1),
    "errors": ("errors", 0),
}


def show(console: Console, name: str, title: str, rows: list[Row]) -> None:
    """Print one scenario's rows; columns that no row has are left out."""
    keys = [key for key in _COLUMNS if any(key in row.figures for row in rows)]
    table = Table(title=f"{name}: {title}", title_justify="left")
    table.add_column("contender")
    table.add_column("load")
    for key in keys:
        table.add_column(_COLUMNS[key][0], justify="right")
    for row in sorted(rows, key=lambda row: row.load, reverse=True):
        cells = [_cell(row.figures.get(key), _COLUMNS[key][1]) for key in keys]
        table.add_row(row.contender, row.load, *cells)
    console.print(table)


def _cell(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def show_machine(console: Console, seconds: float) -> None:
    """Print what the figures depend on: cores, load, generator, time taken."""
    load = os.getloadavg()[0]
    console.print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, load generator "
        f"{generator()}, load average {load:.1f}, {seconds:.0f} s in all"
    )


def broken(name: str, rows: list[Row], budgets: list[dict[str, Any]] | None = None) -> list[str]:
    """A sentence for each budget of the scenario that the rows do not keep.

    A budget against a peer that was not there is passed over.
    """
    if budgets is None:
        budgets = tomllib.loads(BUDGETS.read_text()).get(name, [])
    found = []
    for budget in budgets:
        for row in rows:
            if row.contender != budget["contender"] or row.load != budget.get("load", row.load):
                continue
            value = row.figures.get(budget["figure"])
            low, high = budget.get("at_least", float("-inf")), budget.get("at_most", float("inf"))
            if value is not None and not low <= value <= high:
                limit = f"at least {low:g}" if value < low else f"at most {high:g}"
                found.append(
                    f"{name}: {row.contender}, {row.load}: {budget['figure']} is {value:.2f}, "
                    f"not {limit}"
                )
    return found
