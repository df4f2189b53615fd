"""Wherever a reply can say something bad it is vetoed, wherever it is good it passes as it came.

The cells of the table in `service/dialects/README.md`, one test each; see `tests/wire/base.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from service.dialects import by_route
from tests.fakes.engine import ATTACK, BAD
from tests.fakes.inside import JSON, CutReply, Got, Inside
from tests.fakes.proxy import ENFORCE
from tests.wire.rows import PROMPT_ROWS, ROWS
from tests.wire.table import (
    BEGIN,
    END,
    README,
    Cell,
    PromptCell,
    cells,
    prompt_cells,
    tables,
    wires,
)

GOOD_PIECES = ("All is ", "well. ")
BAD_PIECES = ("You VI", "LE thing. ")
REFUSAL = ENFORCE.refusal


def reply_of(cell: Cell, pieces: Sequence[str]) -> CutReply:
    """What the upstream answers in a cell."""
    said = [cell.place.lead, *pieces] if cell.place.lead else list(pieces)
    if cell.mode == "plain":
        return CutReply([cell.place.plain(cell.at, said)], content_type=JSON)
    return CutReply(cell.place.stream(cell.at, said))


async def ask(inside: Inside, cell: Cell, reply: CutReply) -> Got:
    """One request of a cell."""
    asked = cell.wire.asked | {"stream": cell.mode != "plain"} | cell.place.asked
    return await inside.post(cell.wire.route, asked, reply)


def policy_of(cell: Cell) -> Inside:
    """A proxy that streams as the cell says."""
    mode = "chase" if cell.mode == "chase" else "hold"
    return Inside(policy=replace(ENFORCE, streaming=mode))


@pytest.mark.parametrize("cell", cells(), ids=str)
async def test_a_good_reply_is_byte_identical(cell: Cell) -> None:
    """What is allowed leaves as it came."""
    reply = reply_of(cell, GOOD_PIECES)
    got = await ask(policy_of(cell), cell, reply)

    assert got.status == 200
    assert got.body == b"".join(reply.pieces)
    assert got.headers["content-type"] == reply.content_type


@pytest.mark.parametrize("cell", cells(), ids=str)
async def test_a_bad_reply_is_vetoed_in_the_route_own_convention(cell: Cell) -> None:
    """One end that says so, the refusal, no bad text; other choices are as the model wrote them."""
    wire, reply = cell.wire, reply_of(cell, BAD_PIECES)
    got = await ask(policy_of(cell), cell, reply)

    read = wire.read_plain if cell.mode == "plain" else wire.read_stream
    sent, told = read(b"".join(reply.pieces)), read(got.body)
    vetoed = cell.at if wire.has_choices else 0
    assert got.status == 200
    assert told.ends == sent.ends | {vetoed: wire.refused}
    assert told.texts[vetoed].endswith(REFUSAL)
    assert told.fairlead["verdict"] == "veto"
    assert told.ident == sent.ident
    for choice in set(sent.texts) - {vetoed}:
        assert told.texts[choice] == sent.texts[choice]
    if cell.mode != "chase":
        assert BAD.encode() not in got.body
        assert "VI" not in got.body.decode()
    if cell.mode == "plain":
        assert told.texts[vetoed] == REFUSAL
        assert (told.model, told.usage) == (sent.model, sent.usage)
    elif cell.place.lead:
        assert cell.place.lead in told.texts[vetoed]


@pytest.mark.parametrize("cell", prompt_cells(), ids=str)
async def test_a_bad_prompt_is_an_error_in_the_route_own_convention(cell: PromptCell) -> None:
    """HTTP 400 in the route's envelope, whatever the upstream says; a good prompt passes."""
    wire = cell.wire
    good = next(place for place in wire.places if not place.asked)
    body = CutReply([good.plain(0, GOOD_PIECES)], content_type=JSON)
    stream = CutReply(good.stream(0, GOOD_PIECES))
    reply = stream if cell.is_stream else body
    asked = wire.asked | {"stream": cell.is_stream, "n": 2}
    asked = asked if wire.has_choices else wire.asked | {"stream": cell.is_stream}
    inside = Inside()

    allowed = await inside.post(wire.route, asked | cell.place.asked("Hello there."), reply)
    vetoed = await inside.post(wire.route, asked | cell.place.asked(f"Now {ATTACK}."), reply)

    assert allowed.body == b"".join(reply.pieces)
    assert vetoed.status == 400
    assert vetoed.headers["content-type"] == JSON
    wire.check_prompt_error(vetoed.json)


def test_every_cell_of_the_table_is_a_test_or_has_a_reason() -> None:
    """Each route has a place for each row, or says why it has none; and never both."""
    routes = {wire.route for wire in wires()}

    assert routes == set(by_route())
    for wire in wires():
        rows, prompts = {place.row for place in wire.places}, {p.row for p in wire.prompts}
        assert rows | set(wire.absent) >= set(ROWS)
        assert prompts | set(wire.absent_prompts) >= set(PROMPT_ROWS)
        assert not rows & set(wire.absent)
        assert not prompts & set(wire.absent_prompts)


def test_the_table_in_the_readme_is_the_generated_one() -> None:
    """What stands between the README's marks is what the cells give."""
    _, _, rest = Path(README).read_text(encoding="utf-8").partition(BEGIN)
    table, mark, _ = rest.partition(END)

    assert mark, "the README lacks its marks"
    assert table == tables(), "run `python -m tests.wire.table`"
