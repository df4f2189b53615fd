"""Facts that can be shown as data and told in words, rightly or wrongly.

A wrong sentence is told with the same words as a right one, about a value that the context
does not have: what makes it wrong never shows in the sentence alone.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scorers.training.examples import Example
from scorers.types import Side, Subject

_OPEN, _CLOSE = "\x02", "\x03"
_LEAST_SPAN = 6
_TRIES = 12

Draw = Callable[[random.Random], Any]
Say = Callable[[Any, random.Random], str]
Show = Callable[[Any, random.Random], Any]


def _same(value: Any, _rng: random.Random) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Slot:
    """A kind of fact: how it is drawn, shown in the data and told.

    `say` gives a predicate ("costs [$5]") or a clause with `{s}` for the subject; what would be
    wrong if the value were is in square brackets. A fact of a `family` may be taken for another.
    A flag with a `thing` may be told in a list with others.
    """

    key: str
    draw: Draw
    say: Say
    show: Show = _same
    differs: Callable[[Any, Any], bool] = operator.ne
    family: str = ""
    section: str = ""
    present: float = 0.8
    is_flag: bool = False
    thing: str = ""


def says(*templates: str, form: Callable[[Any, random.Random], str] | None = None) -> Say:
    """Tells a value by one of the templates, `{v}` being the value in words."""

    def say(value: Any, rng: random.Random) -> str:
        words = str(value) if form is None else form(value, rng)
        return rng.choice(templates).replace("{v}", f"[{words}]")

    return say


def of(values: Sequence[Any]) -> Draw:
    """Draws one of the values."""
    return lambda rng: rng.choice(values)


def marked(text: str) -> str:
    """Square brackets as marks."""
    return text.replace("[", _OPEN).replace("]", _CLOSE)


def unmarked(text: str) -> str:
    """The text without brackets and marks."""
    return "".join(char for char in text if char not in f"[]{_OPEN}{_CLOSE}")


def reply_of(sentences: Sequence[str], joint: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text of marked sentences, and the marked parts as offsets into it."""
    text, spans = "", []
    for sentence in sentences:
        text += joint if text else ""
        first, start = len(text), -1
        for char in sentence:
            if char == _OPEN:
                start = len(text)
            elif char == _CLOSE:
                spans.append((start, len(text)))
            else:
                text += char
        spans = [_wide(text, span, first) if span[0] >= first else span for span in spans]
    return text, tuple(spans)


def _wide(text: str, span: tuple[int, int], first: int) -> tuple[int, int]:
    """The span with words beside it, until it is long enough to count."""
    left, right = span
    while right - left < _LEAST_SPAN and left > first:
        left = max(first, text.rfind(" ", 0, left - 1) + 1)
    while right - left < _LEAST_SPAN and right < len(text):
        after = text.find(" ", right + 1)
        right = after if after >= 0 else len(text)
    return left, right


def other_value(
    slot: Slot, value: Any, near: Sequence[Any], rng: random.Random, *, near_share: float = 0.6
) -> Any | None:
    """A value that differs from the true one, one of the `near` ones where there are any."""
    wrong = [one for one in near if one is not None and (value is None or slot.differs(value, one))]
    if wrong and rng.random() < near_share:
        return rng.choice(wrong)
    for _ in range(_TRIES):
        drawn = slot.draw(rng)
        if value is None or slot.differs(value, drawn):
            return drawn
    return None


def example(
    sentences: Sequence[str], context: str, source: str, *, joint: str = " ", prompt: str = ""
) -> Example:
    """An example from marked sentences; any mark makes the reply unsupported."""
    text, spans = reply_of(sentences, joint)
    subject = Subject(Side.REPLY, text, prompt=prompt, context=(context,))
    return Example(subject, {"unsupported": float(bool(spans))}, source, context, spans)
