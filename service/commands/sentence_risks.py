"""Which sentence of a text it was: each one scored as the new part of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from scorers.engine import Engine
from scorers.sentences import sentences
from scorers.types import Score, Subject

_WITH_SPANS = "faithfulness"
"""The scorer that tells its sentences itself, as spans."""

_SHOWN_CHARS = 70


@dataclass(frozen=True, slots=True)
class Explained:
    """A subject with its scores, and with those of each of its sentences.

    A sentence is read with up to two hundred characters before it, as a stream's windows are.
    """

    subject: Subject
    scores: dict[str, Score]
    sentences: tuple[dict[str, Score], ...]

    def to_json(self) -> list[dict[str, Any]]:
        """The scores as plain JSON values, each with its sentences where it has some."""
        out = []
        for name, score in self.scores.items():
            parts = [self._part(found[name]) for found in self.sentences if name in found]
            told = [part for part in parts if part.keys() - {"start", "end"}]
            out.append(score.to_dict() | ({"sentences": told} if told else {}))
        return out

    def _part(self, score: Score) -> dict[str, Any]:
        part: dict[str, Any] = {"start": score.start, "end": score.stop}
        if score.risk is not None:
            part["risk"] = round(score.risk, 6)
        if score.heads:
            part["heads"] = {head: round(risk, 6) for head, risk in score.heads.items()}
        return part

    def lines(self) -> list[str]:
        """Two lines for each sentence: its text, and what each scorer says of it."""
        out = []
        for at, found in zip(places(self.subject), self.sentences, strict=True):
            said = [
                f"{name} {word}" for name in self.scores if (word := self._said(name, found, at))
            ]
            out.append(f"{self.subject.side.value}: {_shortened(self.subject.text[slice(*at)])}")
            out.append(f"  {', '.join(said)}")
        return out

    def _said(self, name: str, found: dict[str, Score], at: tuple[int, int]) -> str:
        if name == _WITH_SPANS:
            spans = [s for s in self.scores[name].spans if s.start < at[1] and at[0] < s.end]
            return f"{max(span.risk for span in spans):.2f}" if spans else ""
        score = found[name]
        if score.risk is not None:
            return f"{score.risk:.2f}"
        return ", ".join(f"{head} {value:.2f}" for head, value in score.heads.items())


def places(subject: Subject) -> list[tuple[int, int]]:
    """Where the subject's sentences stand."""
    return sentences(subject.text, subject.start, subject.stop)


async def explain(engine: Engine, subjects: Sequence[Subject]) -> list[Explained]:
    """The subjects' scores, and those of their sentences by every scorer without spans."""
    scores = await engine.score_many(subjects)
    found = []
    for subject, own in zip(subjects, scores, strict=True):
        parts = [replace(subject, start=start, end=end) for start, end in places(subject)]
        names = [name for name in own if name != _WITH_SPANS]
        by_sentence = await engine.score_many(parts, scorers=names)
        found.append(Explained(subject, own, tuple(by_sentence)))
    return found


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARS else f"{line[: _SHOWN_CHARS - 1].rstrip()}…"
