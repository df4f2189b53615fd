"""Texts from nested choices, and the spelling that people give them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from scorers.builtin.toxicity import toxicity_rows
from scorers.training.labelled_rows import LabelledRow
from scorers.types import Row, Side, Subject

_SLOT = re.compile(r"\{([^{}]*)\}")
_ARTICLE = re.compile(r"\b([Aa]) (?=(?!uni|use|usu|eu|one\b|once|ut)[aeiou])", re.IGNORECASE)
_START = re.compile(r"(^|[.!?]['\"”]? +|\n)([a-z])")
_LEET = str.maketrans("aeiost", "4310$7")
_TRIES = 60


class Maker(Protocol):
    """Makes one text with its labels, a bad one or a good one."""

    def __call__(self, rng: random.Random, /, *, bad: bool) -> tuple[str, dict[str, float]]:
        """A text and its labels."""
        ...


def lines(block: str) -> tuple[str, ...]:
    """The non-empty lines of a block, stripped."""
    return tuple(line.strip() for line in block.splitlines() if line.strip())


class Grammar:
    """Named lists of phrases in which `{name}` and `{this|that}` stand for a choice."""

    def __init__(self, rules: Mapping[str, Sequence[str]]) -> None:
        self._rules = rules

    def expand(self, text: str, rng: random.Random, **bound: str) -> str:
        """The text with all choices made, innermost first; `bound` names are the same all over."""
        while found := _SLOT.search(text):
            name = found.group(1)
            if "|" in name:
                chosen = rng.choice(name.split("|"))
            else:
                chosen = bound[name] if name in bound else rng.choice(self._rules[name])
            text = text[: found.start()] + chosen + text[found.end() :]
        return polished(text)


def polished(text: str) -> str:
    """Articles, spaces and capitals put right."""
    text = re.sub(r" {2,}", " ", text).strip()
    text = re.sub(r" ([,.!?;])", r"\1", text)
    text = re.sub(r"([!?])\.", r"\1", text)
    text = _ARTICLE.sub(r"\1n ", text)
    return _START.sub(lambda m: m.group(1) + m.group(2).upper(), text)


def _words(text: str) -> list[re.Match[str]]:
    return list(re.finditer(r"[A-Za-z]{4,}", text))


def _respell(text: str, rng: random.Random, change: Callable[[str], str], most: int) -> str:
    found = _words(text)
    chosen = rng.sample(found, k=min(len(found), rng.randint(1, most)))
    for match in sorted(chosen, key=lambda m: -m.start()):
        text = text[: match.start()] + change(match.group()) + text[match.end() :]
    return text


def _typo(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(3)
    if kind == 0:
        return word[:at] + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at] + word[at:]
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _starred(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    stars = min(rng.randint(1, 2), len(word) - 1 - at)
    return word[:at] + "*" * stars + word[at + stars :]


def _plain(text: str, _rng: random.Random) -> str:
    return text


def _lower(text: str, rng: random.Random) -> str:
    text = text.lower().rstrip(".!?")
    return text.replace(",", "").replace("'", "") if rng.random() < 0.4 else text


def _upper(text: str, _rng: random.Random) -> str:
    return text.upper()


def _typos(text: str, rng: random.Random) -> str:
    return _respell(text, rng, lambda word: _typo(word, rng), 2)


def _leet(text: str, rng: random.Random) -> str:
    return _respell(text, rng, lambda word: word.translate(_LEET), 3)


def _spaced(text: str, rng: random.Random) -> str:
    return _respell(text, rng, lambda word: rng.choice((" ", ".", "-")).join(word), 1)


def _stars(text: str, rng: random.Random) -> str:
    return _respell(text, rng, lambda word: _starred(word, rng), 2)


def _stretched(text: str, rng: random.Random) -> str:
    return _respell(text, rng, lambda word: word[:-1] + word[-1] * rng.randint(3, 5), 1)


def _glued(text: str, rng: random.Random) -> str:
    spaces = [m.start() for m in re.finditer(" ", text)]
    for at in sorted(rng.sample(spaces, k=min(len(spaces), rng.randint(1, 3))), reverse=True):
        text = text[:at] + text[at + 1 :]
    return text


_SPELLINGS = {
    _plain: 62, _lower: 16, _upper: 2, _typos: 6, _leet: 4, _spaced: 3, _stars: 3, _stretched: 2,
    _glued: 2,
}  # fmt: skip


def respelt(text: str, rng: random.Random) -> str:
    """The text as some hands would type it; most often unchanged."""
    (change,) = rng.choices(tuple(_SPELLINGS), tuple(_SPELLINGS.values()))
    return change(text, rng)


def drawn(
    count: int, rng: random.Random, makers: Mapping[Maker, int], source: str
) -> list[LabelledRow]:
    """Up to `count` rows with distinct texts, every second one bad, by the makers' weights.

    A maker is told whether a bad text is wanted. Fewer rows come back when texts repeat too often.
    """
    made: list[LabelledRow] = []
    seen: set[str] = set()
    names, weights = tuple(makers), tuple(makers.values())
    for at in range(count):
        for _ in range(_TRIES):
            (maker,) = rng.choices(names, weights)
            text, labels = maker(rng, bad=at % 2 == 0)
            key = re.sub(r"\W+", " ", text.lower())
            if key not in seen:
                seen.add(key)
                made.append(LabelledRow(prompt_row(text), labels, source))
                break
    return made


def prompt_row(text: str) -> Row:
    """The first row that serving makes of a prompt."""
    return toxicity_rows(Subject(Side.PROMPT, text))[0]
