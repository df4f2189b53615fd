"""The nouns of the scoring room.

A *subject* is a piece of text to judge, with what it has to be judged against.
A scorer turns a subject into *rows* (one row is one pass through the encoder),
the engine turns rows into *logits*, and the scorer turns logits into a *score*.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Side(StrEnum):
    """Which side of an exchange a text belongs to."""

    PROMPT = "prompt"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class Subject:
    """A text to judge.

    `text[start:end]` is the part that is new and has to be judged; what stands
    before `start` was judged earlier and only serves as lead-in. A whole text
    is judged with `start=0` and `end=None`.

    `is_speech` is false for what the model does not say to its reader: a tool's
    arguments, its reasoning. `served` names the model that wrote a reply, and
    `logprobs` are the natural logarithms of the probabilities that it gave the
    tokens of the judged part, where the upstream told them.
    """

    side: Side
    text: str
    prompt: str = ""
    context: tuple[str, ...] = ()
    start: int = 0
    end: int | None = None
    is_speech: bool = True
    served: str = ""
    logprobs: tuple[float, ...] = ()

    @property
    def stop(self) -> int:
        """The offset at which the judged part ends, in characters."""
        return len(self.text) if self.end is None else self.end

    @property
    def fresh(self) -> str:
        """The part that is to be judged."""
        return self.text[self.start : self.stop]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the encoder: a single text, or a pair of texts.

    Rows compare by value, so that two scorers asking for the same row of the
    same subject cost one pass. `model` names the added model that has to read
    it; "" is the main one.
    """

    text: str
    pair: str | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the judged text, in characters of the whole text, with its risk in [0, 1]."""

    start: int
    end: int
    risk: float


@dataclass(frozen=True, slots=True)
class Score:
    """What one scorer says of one subject.

    `risk` is the calibrated probability in [0, 1] that the text has the fault,
    None where the scorer did not apply (`reason` then says why). `heads` holds
    the same per head, and may hold what a scorer read without coming to a risk.
    `start` and `stop` are the judged part in characters, `cut_rows` how many of
    its rows were too long for the model and lost their end, `evidence_windows`
    how many windows of the context there were to choose evidence from.
    """

    scorer: str
    side: Side
    model: str
    risk: float | None
    heads: dict[str, float] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()
    reason: str = ""
    start: int = 0
    stop: int = 0
    cut_rows: int = 0
    evidence_windows: int = 0

    @classmethod
    def of(
        cls,
        scorer: str,
        subject: Subject,
        model: str,
        *,
        risk: float | None = None,
        heads: dict[str, float] | None = None,
        reason: str = "",
    ) -> Score:
        """What a scorer says of a subject's judged part."""
        return cls(
            scorer,
            subject.side,
            model,
            risk,
            heads=heads or {},
            reason=reason,
            start=subject.start,
            stop=subject.stop,
        )

    @property
    def is_applicable(self) -> bool:
        """Whether the scorer had something to say."""
        return self.risk is not None

    def to_dict(self) -> dict[str, Any]:
        """The score as plain JSON values; risks rounded to six decimals."""
        out: dict[str, Any] = {"scorer": self.scorer, "side": self.side.value, "model": self.model}
        if self.risk is None:
            out["status"] = self.reason or "not_applicable"
        else:
            out["risk"] = round(self.risk, 6)
        if self.heads or self.risk is not None:
            out["heads"] = {name: round(risk, 6) for name, risk in self.heads.items()}
        if self.spans:
            out["spans"] = [
                {"start": s.start, "end": s.end, "risk": round(s.risk, 6)} for s in self.spans
            ]
        return out
