"""From a finished exchange to its record, and the promise that it is kept.

`Run` is the one mutable thing of an exchange: what is known of it so far.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol

from scorers.types import Score, Side
from service.attachments import by_reference, unread
from service.errors import StoreUnavailable
from service.exchange import (
    CONTENT,
    Ask,
    Outcome,
    Reply,
    ScoredRule,
    Status,
    Timings,
    Verdict,
    hardest,
)
from service.logs import log_exchange
from service.opening import Openings
from service.policy import SYCOPHANCY, Policy
from service.privacy.digests import prompt_hash
from service.privacy.keeper import TextKeeper
from service.privacy.redact import Names
from service.seen import choice_seen, request_seen
from service.tracing import Trace
from service.veto import Window
from storage.errors import StorageError
from storage.records import InteractionRecord, ScoreRecord

_log = logging.getLogger("fairlead.record")


VIEW = "view"
"""The head of the sycophancy scorer that is read on prompts."""


class RecordWriter(Protocol):
    """Whoever keeps records; `storage.writer.Writer` is one."""

    async def put(self, record: InteractionRecord, *, is_durable: bool) -> None:
        """Keeps a record, durable before this returns where `is_durable`."""
        ...

    async def add_twin(self, ident: str, twin: dict[str, Any]) -> bool:
        """Puts a twin beside a record; False where it is not stored so far."""
        ...

    async def add_stance_probe(self, ident: str, probe: dict[str, Any]) -> bool:
        """The same with what a stance probe found."""
        ...


class Twin(Protocol):
    """What is asked of the upstream beside a reply, to compare the two; see `twin.py`."""

    def listen(self) -> Openings:
        """What has to be told the events of a streamed reply."""
        ...

    async def joined(self, score: Score, window: Window) -> Score:
        """A window's sycophancy with what the twin tells."""
        ...

    def told(self) -> dict[str, Any] | None:
        """What the record has of it."""
        ...

    def end(self) -> None:
        """The exchange is over."""
        ...


Windows = list[tuple[Window, Verdict]]

LATER_S = 1.0
"""How long a record that is not durable at once may take to be stored."""

LONG_BYTES = 32 * 1024
"""From this size on an exchange is treated beside the event loop, which would stand still."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A reply that was asked for and that the client did not get, as far as it came.

    `number` counts the replies of an exchange from 1; `error_code` says why one did not come.
    """

    number: int
    upstream: str
    reply_id: str | None
    reply_model: str | None
    usage: dict[str, Any] | None
    messages: dict[int, dict[str, Any]]
    finishes: dict[int, str | None]
    windows: Windows
    error_code: str | None = None


@dataclass(slots=True)
class Run:
    """What is known of one exchange so far.

    The upstream may have been asked for several replies (`asked`): `attempts` are those that are
    not at hand, and `windows`, `messages` and the like belong to the one that is (`number`).
    """

    id: str
    created_us: int
    ask: Ask
    policy: Policy
    upstream: str = ""
    key_id: str | None = None
    prompt: Verdict | None = None
    twin: Twin | None = None
    trace: Trace | None = None
    asked: int = 1
    number: int = 1
    attempts: list[Attempt] = field(default_factory=list)
    windows: Windows = field(default_factory=list)
    reply_id: str | None = None
    reply_model: str | None = None
    usage: dict[str, Any] | None = None
    messages: dict[int, dict[str, Any]] = field(default_factory=dict)
    finishes: dict[int, str | None] = field(default_factory=dict)
    delivered: dict[int, list[str]] = field(default_factory=dict)
    delivered_finishes: dict[int, str | None] = field(default_factory=dict)
    vetoed: set[int] = field(default_factory=set)
    names: Names = field(default_factory=Names)
    status: Status = Status.COMPLETED
    http_status: int = 200
    error_code: str | None = None
    timings: Timings = field(default_factory=Timings)

    @property
    def view(self) -> float | None:
        """How likely the prompt states a view of its user's, in [0, 1]; None where nobody read it.

        The highest of the pieces that are new.
        """
        score = None if self.prompt is None else _view_score(self.prompt)
        return None if score is None else score.heads[VIEW]

    @property
    def outcome(self) -> Outcome:
        """The hardest verdict so far; `unscored` where nothing was scored."""
        verdicts = [verdict.outcome for _, verdict in self.windows]
        if self.prompt is not None:
            verdicts.append(self.prompt.outcome)
        return hardest(verdicts)

    def choice_outcome(self, index: int) -> Outcome:
        """The hardest verdict on one choice."""
        return _choice_outcome(self.windows, index)

    def fairlead(self) -> dict[str, Any]:
        """The `fairlead` object that vetoes and annotations carry."""
        told = {"id": self.id, "verdict": self.outcome.value, "scores": self.scores()}
        return told | ({"attempts": self.asked} if self.asked > 1 else {})

    def scores(self) -> list[dict[str, Any]]:
        """The scores as plain JSON values, the riskiest window of each rule and choice."""
        return [_plain(record) for record in score_records(self)]

    def take_reply(self, reply: Reply) -> None:
        """Notes a plain reply as the model wrote it."""
        self.reply_id, self.reply_model, self.usage = reply.id, reply.model, reply.usage
        for choice in reply.choices:
            self.messages[choice.index] = choice.message
            self.finishes[choice.index] = choice.finish_reason

    def set_aside(self) -> None:
        """Puts the reply at hand among the attempts: another one is asked for."""
        self.attempts.append(self._attempt())
        self.asked += 1
        self.number = self.asked
        self._begin()

    def take_back(self, error_code: str) -> None:
        """The reply that was asked for last did not come: the one before it is at hand again."""
        failed, last = self._attempt(error_code), self.attempts.pop()
        self.attempts.append(failed)
        self._begin()
        for name in _OF_A_REPLY:
            setattr(self, name, getattr(last, name))

    def _attempt(self, error_code: str | None = None) -> Attempt:
        parts = {name: getattr(self, name) for name in _OF_A_REPLY}
        return Attempt(**parts, error_code=error_code)

    def _begin(self) -> None:
        """Forgets the reply at hand."""
        self.windows, self.messages, self.finishes = [], {}, {}
        self.reply_id = self.reply_model = self.usage = None
        self.delivered, self.delivered_finishes, self.vetoed = {}, {}, set()
        self.status, self.http_status, self.error_code = Status.COMPLETED, 200, None

    def deliver(self, choice: int, text: str) -> None:
        """Notes text that the client was sent."""
        self.delivered.setdefault(choice, []).append(text)


_OF_A_REPLY = tuple(part.name for part in fields(Attempt) if part.name != "error_code")


class Recorder:
    """Keeps what happened. Under `strict` a reply's end waits for it."""

    def __init__(
        self,
        writer: RecordWriter,
        *,
        is_strict: bool,
        is_logging: bool = True,
        keeper: TextKeeper | None = None,
    ) -> None:
        self._writer = writer
        self._is_strict = is_strict
        self._is_logging = is_logging
        self._keeper = keeper or TextKeeper()

    async def keep(self, run: Run) -> None:
        """Keeps the exchange's record.

        Raises `StoreUnavailable` where it cannot be kept and the record is strict;
        a relaxed one is logged as lost and counted by the writer. A stored reply that is
        fetched before it is there has no record.
        """
        if run.ask.is_stored and not any(any(texts) for texts in run.delivered.values()):
            return
        began = time.monotonic()
        run.timings.total_s = began - run.timings.started
        record = await self._treated(run)
        try:
            await self._writer.put(record, is_durable=self._is_strict)
        except StorageError as error:
            _log.error("record lost", extra={"id": run.id, "error": type(error).__name__})
            if self._is_strict:
                raise StoreUnavailable(
                    "the reply could not be recorded and the record is strict; try again later"
                ) from error
        run.timings.record_s += time.monotonic() - began
        if self._is_logging:
            log_exchange(record)

    async def _treated(self, run: Run) -> InteractionRecord:
        """The record with its texts as the policy has them kept."""
        record, level = interaction(run), run.policy.text
        if level == "keep":
            return record
        if len(run.ask.body) + _delivered_chars(run) < LONG_BYTES:
            return self._keeper.interaction(record, level, run.names)
        return await asyncio.to_thread(self._keeper.interaction, record, level, run.names)

    async def add_twin(self, run: Run, twin: dict[str, Any]) -> None:
        """Puts a twin beside a record that was kept; one that finds none is logged as lost."""
        twin = self._keeper.twin(twin, run.policy.text, run.names)
        await _beside(self._writer.add_twin, run.id, twin, name="twin")

    async def add_stance_probe(self, run: Run, probe: dict[str, Any]) -> None:
        """The same with what a stance probe found."""
        probe = self._keeper.stance_probe(probe, run.policy.text, run.names)
        await _beside(self._writer.add_stance_probe, run.id, probe, name="stance probe")


async def _beside(
    add: Callable[[str, dict[str, Any]], Awaitable[bool]],
    ident: str,
    told: dict[str, Any],
    *,
    name: str,
) -> None:
    try:
        if await add(ident, told):
            return
        await asyncio.sleep(LATER_S)
        error = "" if await add(ident, told) else "no_record"
    except StorageError as failure:
        error = type(failure).__name__
    if error:
        _log.error("not put beside its record", extra={"id": ident, "part": name, "error": error})


def _delivered_chars(run: Run) -> int:
    return sum(len(text) for texts in run.delivered.values() for text in texts)


def interaction(run: Run) -> InteractionRecord:
    """The record of an exchange; attachments are in it by reference."""
    ask = run.ask
    messages = by_reference(ask.messages)
    return InteractionRecord(
        id=run.id,
        created_us=run.created_us,
        # The reply's id stays with the exchange that made it.
        response_ids=(run.reply_id,) if run.reply_id and not ask.is_stored else (),
        route=ask.route,
        dialect=ask.dialect,
        upstream=run.upstream,
        model=ask.model,
        reply_model=run.reply_model,
        policy=run.policy.name,
        mode=run.policy.mode,
        key_id=run.key_id,
        user=ask.extension.user,
        conversation=ask.extension.conversation,
        tags=ask.extension.tags,
        is_stream=ask.is_stream,
        n=ask.n,
        status=run.status.value,
        http_status=run.http_status,
        error_code=run.error_code,
        verdict=run.outcome.value,
        prompt_hash=prompt_hash(messages),
        request=_request(run, messages),
        context=list(ask.context),
        choices=_choices(run),
        usage=run.usage,
        timings=run.timings.to_ms(),
        attempts=[_attempt(attempt) for attempt in run.attempts] or None,
        twin=run.twin.told() if run.twin is not None else None,
        scores=score_records(run),
    )


def _request(run: Run, messages: Any) -> dict[str, Any]:
    ask = run.ask
    asked = {"messages": messages, "tools": ask.tools, "params": ask.params}
    seen = request_seen(ask, run.prompt, run.windows)
    return asked | {"seen": seen} if seen else asked


def _attempt(attempt: Attempt) -> dict[str, Any]:
    """A reply that the client did not get, as the record has it."""
    choices = [
        {
            "index": index,
            "message": by_reference(attempt.messages[index]),
            "verdict": _choice_outcome(attempt.windows, index).value,
            "finish_reason": attempt.finishes.get(index),
        }
        for index in sorted(attempt.messages)
    ]
    return {
        "number": attempt.number,
        "upstream": attempt.upstream,
        "response_id": attempt.reply_id,
        "model": attempt.reply_model,
        "error_code": attempt.error_code,
        "choices": choices,
        "usage": attempt.usage,
        "scores": [asdict(score) for score in reply_scores(attempt.windows)],
    }


def _choice_outcome(windows: Windows, index: int) -> Outcome:
    return hardest(verdict.outcome for window, verdict in windows if window.choice == index)


def _choices(run: Run) -> list[dict[str, Any]]:
    indexes = sorted({*run.messages, *run.delivered})
    return [
        {
            "index": index,
            "message": by_reference(run.messages.get(index)),
            "delivered": "".join(run.delivered[index]) if index in run.delivered else None,
            "verdict": run.choice_outcome(index).value,
            "finish_reason": run.finishes.get(index),
            "delivered_finish_reason": run.delivered_finishes.get(index),
            "seen": _seen(run, index),
        }
        for index in indexes
    ]


def _seen(run: Run, index: int) -> dict[str, Any] | None:
    if not run.policy.scorers(Side.REPLY):
        return None
    silent: dict[str, Any] = {kind: [] for kind in unread(run.messages.get(index))}
    return {**(choice_seen(run.windows, index) or {}), **silent} or None


def score_records(run: Run) -> tuple[ScoreRecord, ...]:
    """One record for each side, choice and rule: its riskiest window, all windows beside it."""
    records = []
    if run.prompt is not None:
        records += _prompt_records(run.prompt)
        records += _view_records(run.prompt)
    return (*records, *reply_scores(run.windows))


def reply_scores(windows: Windows) -> list[ScoreRecord]:
    """The same for the windows of one reply."""
    records: list[ScoreRecord] = []
    groups: dict[tuple[int, str], list[tuple[Window | None, ScoredRule]]] = {}
    for window, verdict in windows:
        for rule in verdict.rules:
            groups.setdefault((window.choice, rule.rule), []).append((window, rule))
        records += _failed(Side.REPLY, window.choice, verdict)
    return records + [_score_record(choice, found) for (choice, _), found in groups.items()]


def _prompt_records(prompt: Verdict) -> list[ScoreRecord]:
    """One record for each rule on the prompt: its riskiest piece, all pieces beside it."""
    groups: dict[str, list[tuple[Window | None, ScoredRule]]] = {}
    for piece, verdict in prompt.parts:
        window = Window(0, piece.at, piece.text, 0, len(piece.text))
        for rule in verdict.rules:
            groups.setdefault(rule.rule, []).append((window, rule))
    for rule in prompt.rules if not prompt.parts else ():
        groups.setdefault(rule.rule, []).append((None, rule))
    records = [_score_record(None, found) for found in groups.values()]
    failed = [verdict for _, verdict in prompt.parts] or [prompt]
    return [*records, *(record for each in failed for record in _failed(Side.PROMPT, None, each))]


def _view_score(prompt: Verdict) -> Score | None:
    """The score of the new piece that most likely states a view; None where nobody read one."""
    verdicts = [verdict for piece, verdict in prompt.parts if piece.is_new] or [prompt]
    scores = [verdict.scores.get(SYCOPHANCY) for verdict in verdicts]
    read = [score for score in scores if score is not None and VIEW in score.heads]
    return max(read, key=lambda score: score.heads[VIEW], default=None)


def _view_records(prompt: Verdict) -> Iterable[ScoreRecord]:
    """What was read of the user's view, where no rule asked for it."""
    score = _view_score(prompt)
    if score is not None and all(rule.score.scorer != SYCOPHANCY for rule in prompt.rules):
        yield ScoreRecord(
            side=score.side.value,
            scorer=score.scorer,
            model=score.model,
            status="not_applicable",
            heads=score.heads,
        )


def _failed(side: Side, choice: int | None, verdict: Verdict) -> Iterable[ScoreRecord]:
    if verdict.failure is not None:
        yield ScoreRecord(
            side=side.value,
            choice_index=choice,
            scorer="all",
            model="",
            status="failed",
            heads={"failure": verdict.failure},
        )


def _score_record(choice: int | None, found: list[tuple[Window | None, ScoredRule]]) -> ScoreRecord:
    _, worst = max(found, key=lambda pair: -1 if pair[1].score.risk is None else pair[1].score.risk)
    score = worst.score
    spans = [span for _, rule in found for span in rule.score.spans]
    return ScoreRecord(
        side=score.side.value,
        choice_index=choice,
        scorer=worst.rule or score.scorer,
        model=score.model,
        status="not_applicable" if score.risk is None else "scored",
        risk=score.risk,
        flag_threshold=worst.flag,
        veto_threshold=worst.veto,
        verdict=hardest(rule.outcome for _, rule in found).value,
        heads=(_mean_heads(found) if score.risk is None else score.heads) or None,
        windows=[
            _window(w, rule) for w, rule in found if w is not None and rule.score.risk is not None
        ]
        or None,
        spans=[{"start": s.start, "end": s.end, "risk": round(s.risk, 6)} for s in spans] or None,
    )


def _mean_heads(found: list[tuple[Window | None, ScoredRule]]) -> dict[str, float]:
    """What was read without a risk: the mean over the windows, weighted by their length."""
    sums: dict[str, float] = {}
    lengths: dict[str, int] = {}
    for window, rule in found:
        length = 1 if window is None else window.stop - window.start
        for head, value in rule.score.heads.items():
            sums[head] = sums.get(head, 0.0) + value * length
            lengths[head] = lengths.get(head, 0) + length
    return {head: total / lengths[head] for head, total in sums.items() if lengths[head]}


def _window(window: Window, rule: ScoredRule) -> list[Any]:
    out = [window.start, window.stop, round(rule.score.risk or 0.0, 6)]
    return out if window.group == CONTENT else [*out, window.group]


def _plain(record: ScoreRecord) -> dict[str, Any]:
    out: dict[str, Any] = {
        "scorer": record.scorer,
        "side": record.side,
        "choice_index": record.choice_index,
        "model": record.model,
        "status": record.status,
        "verdict": record.verdict,
        "risk": None if record.risk is None else round(record.risk, 6),
        "threshold": record.veto_threshold,
        "flag_threshold": record.flag_threshold,
        "heads": {k: round(v, 6) for k, v in record.heads.items()}
        if record.heads and record.status != "failed"
        else None,
        "spans": record.spans,
    }
    return {key: value for key, value in out.items() if value is not None}
