"""An engine whose scores can be read off the text, and a writer that keeps records in a list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from scorers.errors import ScorerError
from scorers.types import Score, Side, Span, Subject
from service.access import Caller
from storage.errors import StorageError
from storage.records import InteractionRecord

MODEL = "words@1"
BAD = "VILE"
UNSUPPORTED = "INVENTED"
ATTACK = "IGNORE ALL RULES"


def risk_of(word: str, subject: Subject) -> float:
    """0.99 where the judged part holds the word, else 0.01."""
    return 0.99 if word in subject.fresh else 0.01


@dataclass
class WordEngine:
    """Scores by words. `delay_s` may be a number or a function of the subject.

    `failure` is raised in place of an answer; `gate` is waited for before one.
    """

    delay_s: float | Callable[[Subject], float] = 0.0
    failure: ScorerError | None = None
    gate: asyncio.Event | None = None
    subjects: list[Subject] = field(default_factory=list)

    async def score(
        self,
        subject: Subject,
        *,
        scorers: Collection[str] | None = None,
        deadline: float | None = None,
    ) -> dict[str, Score]:
        """Scores for the named scorers."""
        self.subjects.append(subject)
        if self.gate is not None:
            await self.gate.wait()
        delay_s = self.delay_s(subject) if callable(self.delay_s) else self.delay_s
        if delay_s:
            await asyncio.sleep(delay_s)
        if self.failure is not None:
            raise self.failure
        return {name: self._score(name, subject) for name in scorers or ()}

    async def score_each(
        self,
        subjects: Iterable[Subject],
        *,
        scorers: Collection[str] | None = None,
        deadline: float | None = None,
    ) -> list[dict[str, Score] | ScorerError]:
        """The same for many subjects, a failure in its subject's place."""
        found: list[dict[str, Score] | ScorerError] = []
        for subject in subjects:
            try:
                found.append(await self.score(subject, scorers=scorers, deadline=deadline))
            except ScorerError as error:
                found.append(error)
        return found

    def _score(self, name: str, subject: Subject) -> Score:
        if name == "faithfulness":
            return self._faithfulness(subject)
        heads = {"toxic": risk_of(BAD, subject), "harm": 0.01}
        if subject.side is Side.PROMPT:
            heads["injection"] = risk_of(ATTACK, subject)
        risk = max(heads["toxic"], heads["harm"])
        return Score("toxicity", subject.side, MODEL, risk, heads)

    def _faithfulness(self, subject: Subject) -> Score:
        if not subject.context or subject.side is Side.PROMPT:
            return Score("faithfulness", subject.side, MODEL, None, reason="not_applicable")
        risk = risk_of(UNSUPPORTED, subject)
        at = subject.text.find(UNSUPPORTED)
        spans = (Span(at, at + len(UNSUPPORTED), risk),) if risk > 0.5 else ()
        heads, windows = {"unsupported": risk}, len(subject.context)
        return Score(
            "faithfulness", subject.side, MODEL, risk, heads, spans, evidence_windows=windows
        )


@dataclass
class SlowEngine(WordEngine):
    """Answers after a number of turns of the loop drawn by the test; notes what it has cleared.

    Reads the text before the window too, as real scorers do: a word may be cut by a window's end.
    """

    turns: list[int] = field(default_factory=list)
    cleared: set[str] = field(default_factory=set)

    async def score(
        self,
        subject: Subject,
        *,
        scorers: Collection[str] | None = None,
        deadline: float | None = None,
    ) -> dict[str, Score]:
        """Scores by words, late."""
        for _ in range(self.turns.pop() if self.turns else 0):
            await asyncio.sleep(0)
        whole = replace(subject, start=0)
        scores = await super().score(whole, scorers=scorers, deadline=deadline)
        if BAD not in whole.fresh:
            self.cleared.add(subject.text[: subject.stop])
        return scores


@dataclass
class ListWriter:
    """Keeps records in memory. `gate` holds a durable put back; `failure` refuses it."""

    records: list[InteractionRecord] = field(default_factory=list)
    gate: asyncio.Event | None = None
    failure: StorageError | None = None

    async def put(self, record: InteractionRecord, *, is_durable: bool) -> None:
        """Keeps a record, once by its id."""
        if self.failure is not None:
            raise self.failure
        if self.gate is not None and is_durable:
            await self.gate.wait()
        if all(record.id != kept.id for kept in self.records):
            self.records.append(record)

    async def add_twin(self, ident: str, twin: dict[str, Any]) -> bool:
        """Puts a twin beside a record, if it is there."""
        for at, record in enumerate(self.records):
            if record.id == ident:
                self.records[at] = replace(record, twin=twin)
                return True
        return False

    async def add_stance_probe(self, ident: str, probe: dict[str, Any]) -> bool:
        """Puts what a stance probe found beside a record, if it is there."""
        for at, record in enumerate(self.records):
            if record.id == ident:
                self.records[at] = replace(record, stance_probe=probe)
                return True
        return False

    async def recall(self, reply_id: str, caller: Caller) -> InteractionRecord | None:
        """The newest record of a reply."""
        found = (r for r in self.records[::-1] if reply_id in r.response_ids)
        return next(found, None)
