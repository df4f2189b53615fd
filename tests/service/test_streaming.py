"""The stream driver over every cut of the bytes and every order of the scores."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from scorers.types import Side
from service.call import Call, FlowLimits
from service.dialects.base import ReadLimits
from service.dialects.chat import Chat
from service.judge import Judge
from service.metrics import Metrics
from service.policy import Policy
from service.recorder import Recorder, Run
from service.sse import Splitter
from service.streaming import StreamDriver, StreamTools
from service.upstream import Headers, Target
from service.veto import WindowLimits
from tests.fakes.engine import BAD, ListWriter, SlowEngine
from tests.fakes.inside import CutReply, cut
from tests.fakes.proxy import ENFORCE, ask
from tests.fakes.replies import interleaved, text_events
from tests.patience import PATIENCE_S

REFUSAL = ENFORCE.refusal


@dataclass
class Reader:
    """A client that checks, with every byte it gets, that the text so far was cleared."""

    engine: SlowEngine
    has_started: bool = False
    texts: dict[int, str] = field(default_factory=dict)
    finishes: list[tuple[int, str]] = field(default_factory=list)
    has_done: bool = False
    body: bytes = b""
    splitter: Splitter = field(default_factory=lambda: Splitter(1_000_000))

    async def start(self, status: int, headers: Headers) -> None:
        """The head."""
        assert status == 200
        self.has_started = True

    async def send(self, data: bytes) -> None:
        """Some of the body."""
        self.body += data
        for raw in self.splitter.feed(data):
            self.has_done = self.has_done or raw.data == b"[DONE]"
            if raw.data and raw.data != b"[DONE]":
                self._take(orjson.loads(raw.data))

    def _take(self, body: Any) -> None:
        for choice in body.get("choices", ()):
            index, text = choice["index"], choice["delta"].get("content") or ""
            self.texts[index] = self.texts.get(index, "") + text
            if text not in ("", REFUSAL):
                self._check(self.texts[index])
            if choice.get("finish_reason"):
                self.finishes.append((index, choice["finish_reason"]))

    def _check(self, text: str) -> None:
        covered = any(clear.startswith(text) for clear in self.engine.cleared)
        assert covered or not text, f"{text!r} left unscored"

    async def finish(self) -> None:
        """The end."""

    async def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Not for streams."""
        raise AssertionError(status)


AGAIN = replace(
    ENFORCE,
    rules={
        Side.PROMPT: (),
        Side.REPLY: tuple(
            replace(rule, action="regenerate", attempts=1) for rule in ENFORCE.rules[Side.REPLY]
        ),
    },
)


async def drive(
    body: bytes, at: list[int], turns: list[int], *, n: int, policy: Policy = ENFORCE
) -> tuple[Reader, Run]:
    """Runs one stream through the driver; one that is set aside finds no other in its place."""
    engine = SlowEngine(turns=list(turns))
    metrics, writer = Metrics(), ListWriter()
    limits = FlowLimits(windows=WindowLimits(max_chars=40, max_wait_s=0.01))
    recorder = Recorder(writer, is_strict=True, is_logging=False)
    tools = StreamTools(Judge(engine, metrics), recorder, metrics, limits)
    dialect = Chat()
    asked = dialect.parse(
        orjson.dumps(ask("Hi", stream=True, n=n)), "/v1/chat/completions", limits=ReadLimits()
    )
    run = Run("fl_1", 0, asked, policy)
    call = Call(run, dialect, Target("t", ""), ())
    reader = Reader(engine)
    driver = StreamDriver(tools, call, reader, CutReply(cut(body, at)), began=0.0)
    async with asyncio.timeout(PATIENCE_S):
        if not await driver.drive(None):
            assert reader.body == b""
            await driver.give_up()
    assert len(writer.records) == 1
    return reader, run


PLACES = st.lists(st.integers(0, 3000), max_size=30)
TURNS = st.lists(st.integers(0, 12), max_size=30)
PIECES = st.lists(
    st.sampled_from(
        ["Fine. ", "Good", " and well", ".\n", "Zwölf Möwen. ", "VI", "LE", f"{BAD}! "]
    ),
    max_size=10,
)


@settings(max_examples=150)
@given(PLACES, TURNS, PIECES)
def test_no_unscored_text_leaves_wherever_the_bytes_are_cut(
    at: list[int], turns: list[int], pieces: list[str]
) -> None:
    """Under hold every delivered prefix was cleared first; a bad reply ends in one refusal."""
    body = b"".join(text_events(*pieces))
    reader, run = asyncio.run(drive(body, at, turns, n=1))

    if BAD in "".join(pieces):
        assert reader.finishes == [(0, "content_filter")]
        assert reader.texts[0].endswith(REFUSAL)
        assert BAD.encode() not in reader.body
        assert run.status == "vetoed"
    else:
        assert reader.body == body
        assert run.status == "completed"
    assert reader.has_done


@settings(max_examples=100)
@given(PLACES, TURNS, st.lists(PIECES, min_size=3, max_size=3))
def test_every_choice_is_held_for_itself(
    at: list[int], turns: list[int], choices: list[list[str]]
) -> None:
    """Of several choices each bad one is refused and each good one arrives whole."""
    body = b"".join(interleaved(choices))
    reader, run = asyncio.run(drive(body, at, turns, n=3))

    bad = {index for index, pieces in enumerate(choices) if BAD in "".join(pieces)}
    assert run.vetoed == bad
    assert sorted(reader.finishes) == [
        (index, "content_filter" if index in bad else "stop") for index in range(3)
    ]
    for index in set(range(3)) - bad:
        assert reader.texts.get(index, "") == "".join(choices[index])
    assert BAD.encode() not in reader.body


@settings(max_examples=100)
@given(PLACES, TURNS, st.lists(PIECES, min_size=2, max_size=2))
def test_what_is_set_aside_has_left_nothing(
    at: list[int], turns: list[int], choices: list[list[str]]
) -> None:
    """A stream that is asked for again was not seen; without another it ends in refusals alone."""
    body = b"".join(interleaved(choices))
    reader, run = asyncio.run(drive(body, at, turns, n=2, policy=AGAIN))

    bad = {index for index, pieces in enumerate(choices) if BAD in "".join(pieces)}
    assert BAD.encode() not in reader.body
    assert run.vetoed >= bad
    assert sorted(reader.finishes) == [
        (index, "content_filter" if index in run.vetoed else "stop") for index in range(2)
    ]
    assert reader.body.count(b"[DONE]") == 1
    for index in run.vetoed - bad:
        assert reader.texts[index] == REFUSAL
    if not bad:
        assert reader.body == body
