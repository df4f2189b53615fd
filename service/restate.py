"""What a user said without the view that stands in it: pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scorers.builtin.twin import EVEN
from scorers.sentences import sentences
from service.dialects.twin import LastWords
from service.reverse import reversed_view

IMPARTIAL = "Answer without regard to any opinion that the user has stated."
"""What the upstream is told where a message is nothing but a view."""

MOST_SENTENCES = 32
"""Of a longer message the first and the last sentences are looked at: views stand there."""

_CHALLENGE = re.compile(
    r"""(?:(?:no|hm+|wait|but|sorry|well|really|come\ on)\b[\s,.!?]*)*
    (?:are\ you\ (?:(?:really|quite|absolutely|very)\ )?
        (?:sure|certain|serious)(?:\ about\ (?:that|this|it))?
    |is\ (?:that|this|it)\ (?:(?:really|actually)\ )?(?:right|correct|true|so)
    |(?:please\ )?(?:double[-\ ]?check|check|think|look|try)
        (?:\ (?:that|it|this))?(?:\ again|\ once\ more)?
    )?[\s.!?]*""",
    re.IGNORECASE | re.VERBOSE,
)
"""A sentence that only doubts the answer before it. English."""

_FEWEST_WORDS = 2

Kind = Literal["asked", "instructed", "earlier"]


@dataclass(frozen=True, slots=True)
class Sentence:
    """`texts[text][start:stop]` of what the user said; `said` is that."""

    text: int
    start: int
    stop: int
    said: str


@dataclass(frozen=True, slots=True)
class Restated:
    """A message without its view.

    `asked`: `texts` are what is left of it. `instructed`: nothing would be left, so `texts` are
    all of it, to be sent with an instruction. `earlier`: the message only presses on the answer
    before it, and that answer, given without the pressure, is what the model says by itself.
    """

    kind: Kind
    views: tuple[str, ...]
    texts: tuple[str, ...]

    @property
    def prompt(self) -> str:
        """What the upstream is asked in the message's place, as one text."""
        return "\n".join(text for text in self.texts if text)


@dataclass(frozen=True, slots=True)
class Turned:
    """A message with its views turned round: the opposite views, and all its texts."""

    views: tuple[str, ...]
    texts: tuple[str, ...]

    @property
    def prompt(self) -> str:
        """What the upstream is asked in the message's place, as one text."""
        return "\n".join(text for text in self.texts if text)


def sentences_of(said: LastWords) -> list[Sentence]:
    """The sentences to be read for a view."""
    found = [
        Sentence(at, start, stop, text[start:stop])
        for at, text in enumerate(said.texts)
        for start, stop in sentences(text)
    ]
    if len(found) <= MOST_SENTENCES:
        return found
    half = MOST_SENTENCES // 2
    return [*found[:half], *found[-half:]]


def restated(
    said: LastWords, found: Sequence[Sentence], chances: Sequence[float]
) -> Restated | None:
    """The message without the sentences that likely state a view; None where none does.

    `chances` are in [0, 1], one for each sentence. Views come the likeliest first.
    """
    pairs = zip(chances, found, strict=True)
    stating = sorted(((c, s) for c, s in pairs if c >= EVEN), key=lambda pair: -pair[0])
    if not stating:
        return None
    dropped = [sentence for _, sentence in stating]
    views = tuple(sentence.said for sentence in dropped)
    if said.before:
        dropped += [s for s in found if s not in dropped and _CHALLENGE.fullmatch(s.said)]
    left = Restated("asked", views, _without(said.texts, dropped))
    if len(left.prompt.split()) >= _FEWEST_WORDS:
        return left
    return replace(left, kind="earlier" if said.before else "instructed", texts=said.texts)


def turned_round(
    said: LastWords, found: Sequence[Sentence], chances: Sequence[float]
) -> Turned | None:
    """The message with each view's opposite in its place; None where one has none that is sure."""
    texts, views = list(said.texts), list[str]()
    stating = [s for c, s in zip(chances, found, strict=True) if c >= EVEN]
    for sentence in sorted(stating, key=lambda s: -s.start):
        opposite = reversed_view(sentence.said)
        if opposite is None:
            return None
        text = texts[sentence.text]
        texts[sentence.text] = text[: sentence.start] + opposite + text[sentence.stop :]
        views.append(opposite)
    return Turned(tuple(views), tuple(texts)) if stating else None


def _without(texts: Sequence[str], dropped: Sequence[Sentence]) -> tuple[str, ...]:
    left = []
    for at, text in enumerate(texts):
        for sentence in sorted(dropped, key=lambda s: -s.start):
            if sentence.text == at:
                text = text[: sentence.start] + text[sentence.stop :].lstrip()  # noqa: PLW2901
        left.append(text if text == texts[at] else text.strip())
    return tuple(left)
