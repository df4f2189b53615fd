"""Streams in every format, well-formed and broken, cut anywhere, scored late, through the routes.

A longer run: `make test ARGS='tests/service/test_fuzz_streams.py --hypothesis-profile long'`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from tests.fakes.engine import BAD, SlowEngine
from tests.fakes.inside import CutReply, Got, Inside, cut
from tests.fakes.proxy import ENFORCE
from tests.wire.base import Json, NotWellFormed, Told, Wire, parsed
from tests.wire.mutate import line_ends, mutated
from tests.wire.table import wires
from tests.wire.texts import marks

PLACES = st.lists(st.integers(0, 4000), max_size=20)
TURNS = st.lists(st.integers(0, 12), max_size=20)
WIRES = {wire.name: wire for wire in wires()}
EVERY = pytest.mark.parametrize("name", WIRES)


@dataclass
class Watch:
    """Sees every piece as it leaves, and notes marked text that was not cleared by then."""

    engine: SlowEngine
    left: bytes = b""
    cleared: set[bytes] = field(default_factory=set)
    unscored: set[bytes] = field(default_factory=set)

    def __call__(self, data: bytes) -> None:
        """A piece leaves for the client."""
        self.left += data
        for text in self.engine.cleared:
            self.cleared |= marks(text.encode())
        self.unscored |= marks(self.left) - self.cleared


@dataclass
class Ran:
    """One stream that went through."""

    inside: Inside
    got: Got

    @property
    def status(self) -> str:
        """How it was recorded."""
        [record] = self.inside.writer.records
        return record.status

    @property
    def is_scored_bad(self) -> bool:
        """Whether a bad text was seen by the scorer."""
        return any(BAD in subject.text for subject in self.inside.engine.subjects)


def run(
    wire: Wire, asked: Json, body: bytes, at: list[int], turns: list[int], *, mode: str = "hold"
) -> Ran:
    """Asks for a stream; whatever comes is an answer and no crash, and no bad text under hold."""
    engine = SlowEngine(turns=list(turns))
    inside = Inside(policy=replace(ENFORCE, streaming=mode), engine=engine)
    watch = Watch(engine)
    request = wire.asked | {"stream": True} | asked
    got = asyncio.run(inside.post(wire.route, request, CutReply(cut(body, at)), on_sent=watch))
    note(f"sent {body!r}")
    note(f"told {got.body!r}")
    assert got.status in (200, 502)
    if mode == "hold":
        assert BAD.encode() not in got.body
        assert not watch.unscored, "unscored text has left"
    return Ran(inside, got)


def read(wire: Wire, body: bytes) -> Told | None:
    """What a strict client makes of a stream, None where it gives up."""
    try:
        return wire.read_stream(body)
    except (NotWellFormed, KeyError, TypeError, AttributeError, IndexError, ValueError):
        return None


@EVERY
@given(data=st.data(), at=PLACES, turns=TURNS, mode=st.sampled_from(["hold", "hold", "chase"]))
def test_a_well_formed_stream_stays_well_formed(
    name: str, data: st.DataObject, at: list[int], turns: list[int], mode: str
) -> None:
    """A good one leaves byte for byte; a bad one has one end for each choice, and says so."""
    wire = WIRES[name]
    asked, events = data.draw(wire.streams)
    body = data.draw(line_ends(b"".join(events)))
    ran = run(wire, asked, body, at, turns, mode=mode)

    sent, told = wire.read_stream(body), wire.read_stream(ran.got.body)
    if not ran.is_scored_bad:
        assert ran.got.body == body
        assert ran.status == "completed"
        return
    vetoed = {choice for choice, reason in told.ends.items() if reason == wire.refused}
    assert ran.status == "vetoed"
    assert vetoed
    for choice, text in sent.texts.items():
        assert choice in vetoed or told.texts[choice] == text
        assert mode != "hold" or BAD not in told.texts[choice]
        assert choice not in vetoed or told.texts[choice].endswith(ENFORCE.refusal)


@EVERY
@given(data=st.data(), at=PLACES, turns=TURNS)
def test_a_broken_stream_lets_nothing_unscored_out(
    name: str, data: st.DataObject, at: list[int], turns: list[int]
) -> None:
    """It ends, without a crash; what leaves can be parsed, and read where the upstream's could."""
    wire = WIRES[name]
    asked, body = data.draw(mutated(wire))
    ran = run(wire, asked, body, at, turns)

    if ran.got.status == 200:
        parsed(ran.got.body)
        assert read(wire, body) is None or read(wire, ran.got.body) is not None


@EVERY
@given(data=st.data(), at=PLACES, turns=TURNS, length=st.floats(0, 1))
def test_a_stream_that_breaks_off_never_looks_whole(
    name: str, data: st.DataObject, at: list[int], turns: list[int], length: float
) -> None:
    """An error is told, or a refusal, or every choice had ended before the break."""
    wire = WIRES[name]
    asked, events = data.draw(wire.streams)
    whole = b"".join(events)
    body = whole[: int(length * len(whole))]
    ran = run(wire, asked, body, at, turns)

    if ran.got.status == 502:
        assert ran.status == "upstream_cut"
        return
    told = read(wire, ran.got.body)
    if told is None or not (told.error or ran.status == "vetoed"):
        [record] = ran.inside.writer.records
        assert ran.status == "completed"
        assert ran.got.body == body
        assert all(choice["finish_reason"] for choice in record.choices)
