"""Small factual damage to sentences that a context supports: pure, given a random source."""

from __future__ import annotations

import random
import re

_NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?![\w]|[.,]\d)")
_NAME = re.compile(r"\b[A-Z][a-z]+(?:\s+[A-Z][a-z]+)*\b")
_SENTENCE_START = {
    "The",
    "This",
    "That",
    "These",
    "Those",
    "It",
    "He",
    "She",
    "They",
    "We",
    "In",
    "On",
    "At",
    "A",
    "An",
    "However",
    "But",
    "And",
    "When",
    "While",
    "After",
    "Before",
    "If",
    "As",
    "For",
    "I",
    "You",
    "There",
    "Also",
    "His",
    "Her",
    "Its",
    "Their",
    "Yes",
    "No",
}
_OPPOSITES = [
    ("increased", "decreased"), ("increase", "decrease"), ("more", "fewer"), ("higher", "lower"),
    ("before", "after"), ("first", "last"), ("best", "worst"), ("largest", "smallest"),
    ("always", "never"), ("all", "none of the"), ("won", "lost"), ("north", "south"),
    ("east", "west"), ("old", "young"), ("new", "old"), ("early", "late"), ("success", "failure"),
    ("positive", "negative"), ("agreed", "refused"), ("approved", "rejected"), ("man", "woman"),
    ("male", "female"), ("day", "night"), ("hot", "cold"), ("open", "closed"), ("can", "cannot"),
    ("similar", "different"), ("major", "minor"), ("above", "below"), ("inside", "outside"),
    ("men", "women"), ("boy", "girl"), ("many", "few"), ("most", "hardly any"), ("with", "without"),
    ("including", "excluding"), ("free", "paid"), ("public", "private"), ("long", "short"),
]  # fmt: skip
_AUXILIARY = re.compile(
    r"\b(is|was|are|were|has|have|had|will|would|should|could|does|did)\b(?! not|n't)"
)


def swap_number(sentence: str, context: str, rng: random.Random) -> str | None:
    """Another number, from the context where it has one, in place of one of the sentence's."""
    found = list(_NUMBER.finditer(sentence))
    if not found:
        return None
    target = rng.choice(found)
    others = sorted(set(_NUMBER.findall(context)) - {m.group() for m in found})
    digits = target.group()
    new = rng.choice(others) if others and rng.random() < 0.5 else _near(digits, rng)
    return None if new == digits else sentence[: target.start()] + new + sentence[target.end() :]


def _near(number: str, rng: random.Random) -> str:
    at = rng.choice([i for i, char in enumerate(number) if char.isdigit()])
    digit = rng.choice([d for d in "123456789" if d != number[at]])
    return number[:at] + digit + number[at + 1 :]


def swap_name(sentence: str, context: str, rng: random.Random) -> str | None:
    """Another name out of the context in place of one of the sentence's."""
    found = [m for m in _NAME.finditer(sentence) if m.group() not in _SENTENCE_START]
    if not found:
        return None
    here = {m.group() for m in found}
    others = sorted({n for n in _NAME.findall(context) if n not in here | _SENTENCE_START})
    others = [n for n in others if not any(n in h or h in n for h in here)]
    if not others:
        return None
    target = rng.choice(found)
    return sentence[: target.start()] + rng.choice(others) + sentence[target.end() :]


def negate(sentence: str, _context: str, rng: random.Random) -> str | None:
    """The sentence with one auxiliary denied, or with its denial taken out."""
    if " not " in sentence:
        return sentence.replace(" not ", " ", 1)
    found = list(_AUXILIARY.finditer(sentence))
    if not found:
        return None
    target = rng.choice(found)
    return sentence[: target.end()] + " not" + sentence[target.end() :]


def oppose(sentence: str, _context: str, rng: random.Random) -> str | None:
    """One word replaced by its opposite."""
    options = [pair for a, b in _OPPOSITES for pair in ((a, b), (b, a))]
    options = [(a, b) for a, b in options if re.search(rf"\b{a}\b", sentence)]
    if not options:
        return None
    old, new = rng.choice(options)
    return re.sub(rf"\b{old}\b", new, sentence, count=1)


def corrupt(sentence: str, context: str, rng: random.Random) -> str | None:
    """The sentence with one fact changed, None where nothing in it can be."""
    kinds = [swap_number, swap_number, swap_name, swap_name, oppose, negate]
    rng.shuffle(kinds)
    for kind in kinds:
        changed = kind(sentence, context, rng)
        if changed is not None and changed != sentence:
            return changed
    return None
