"""The coverage tables of the dialects' README, from the places that tests plant bad text in.

python -m tests.wire.table        # writes them between the README's marks
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from service.dialects import NAMES
from tests.wire.base import Place, Prompt, Wire
from tests.wire.rows import PROMPT_ROWS, ROWS

README = Path(__file__).resolve().parents[2] / "service/dialects/README.md"
BEGIN, END = "<!-- coverage:begin -->\n", "<!-- coverage:end -->"
MODES = ("plain", "hold", "chase")
"""How a reply comes: plain, or streamed under one of the two ways of streaming."""


@dataclass(frozen=True)
class Cell:
    """One test: bad text at a place of the first (0) or second (1) choice, item or block."""

    wire: Wire
    place: Place
    mode: str
    at: int

    def __str__(self) -> str:
        """The test's id."""
        names = [self.wire.name, self.place.row, self.place.variant, self.mode, str(self.at + 1)]
        return "-".join(name for name in names if name)


@dataclass(frozen=True)
class PromptCell:
    """One test: a bad prompt at a place of a request."""

    wire: Wire
    place: Prompt
    is_stream: bool

    def __str__(self) -> str:
        """The test's id."""
        mode = "stream" if self.is_stream else "plain"
        names = [self.wire.name, self.place.row, self.place.variant, mode]
        return "-".join(name for name in names if name)


def wires() -> list[Wire]:
    """What is known of each built-in dialect; `ModuleNotFoundError` for one without its module."""
    return [importlib.import_module(f"tests.wire.{name}").WIRE for name in NAMES]


def cells() -> list[Cell]:
    """Every cell that there is."""
    return [
        Cell(wire, place, mode, at)
        for wire in wires()
        for place in wire.places
        for mode in MODES
        for at in place.at
    ]


def prompt_cells() -> list[PromptCell]:
    """The same for prompts."""
    return [
        PromptCell(wire, place, is_stream)
        for wire in wires()
        for place in wire.prompts
        for is_stream in (False, True)
    ]


def tables() -> str:
    """Both tables as Markdown."""
    found = wires()
    head = ["bad text in", *(f"`{wire.route}`" for wire in found)]
    replies = [[row, *(_reply(wire, row) for wire in found)] for row in _rows(found)]
    head_of_prompts = ["bad prompt in", *head[1:]]
    prompts = [[row, *(_prompt(wire, row) for wire in found)] for row in _prompt_rows(found)]
    count = len(cells()) + len(prompt_cells())
    note = f"{len(cells())} cells of replies and {len(prompt_cells())} of prompts: {count} tests."
    return "\n".join([note, "", *_table(head, replies), "", *_table(head_of_prompts, prompts), ""])


def _rows(found: list[Wire]) -> list[str]:
    own = (place.row for wire in found for place in wire.places)
    return list(dict.fromkeys([*ROWS, *own]))


def _prompt_rows(found: list[Wire]) -> list[str]:
    own = (place.row for wire in found for place in wire.prompts)
    return list(dict.fromkeys([*PROMPT_ROWS, *own]))


def _reply(wire: Wire, row: str) -> str:
    places = [place for place in wire.places if place.row == row]
    if not places:
        return f"– ({wire.absent[row]})"
    ats = {at for place in places for at in place.at}
    names = _named(place.variant for place in places)
    return ("all" if ats == {0, 1} else "first") + names


def _prompt(wire: Wire, row: str) -> str:
    places = [place for place in wire.prompts if place.row == row]
    if not places:
        return f"– ({wire.absent_prompts[row]})"
    return "400" + _named(place.variant for place in places)


def _named(variants: Iterable[str]) -> str:
    known = [variant for variant in variants if variant]
    return f" ({', '.join(known)})" if known else ""


def _table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield _line(head)
    yield _line(["---"] * len(head))
    yield from map(_line, rows)


def _line(values: list[str]) -> str:
    return f"| {' | '.join(values)} |"


def main() -> None:
    """Writes the tables into the README."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(before + BEGIN + tables() + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
