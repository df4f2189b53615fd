"""Small faults put into a sentence, each marked: pure, given a random source.

Each takes a sentence and its surroundings and returns the sentence with the faulty part in
square brackets, or None where it does not apply.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from scorers.training.made.pools import MONTHS, WEEKDAYS, number_word

_NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?![\w]|[.,]\d)")
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_NUMBER_WORD = re.compile(r"\b(?:" + "|".join(number_word(at) for at in range(2, 13)) + r")\b")
_NAME = re.compile(r"\b[A-Z][a-z][\w'’-]*(?: (?:of |de |the )?[A-Z][a-z][\w’-]*)*")
_BEFORE = r"(?<![\w-])"
_WITHIN = re.compile(r"[a-z0-9,;] $|\($")
_STARTERS = frozenset((
    "the", "this", "that", "these", "those", "it", "he", "she", "they", "we", "in", "on", "at",
    "a", "an", "however", "but", "and", "when", "while", "after", "before", "if", "as", "for",
    "i", "you", "there", "also", "his", "her", "its", "their", "yes", "no", "our", "my", "your",
    "some", "many", "most", "all", "one", "two", "what", "where", "who", "how", "why", "then",
    "now", "so", "not", "by", "from", "with", "since", "during", "although", "though", "both",
    "each", "according", "such", "other", "another", "only", "even", "still", "here", "let",
    "can", "is", "are", "was", "were", "do", "does", "did", "to", "of", "or", "passage", "source",
    "text", "question", "answer", "first", "second", "last", "more", "new",
))  # fmt: skip
_CALENDAR = frozenset((*MONTHS, *WEEKDAYS))
_ADDABLE = re.compile(r"\b(is|was|are|were|has|have|had|will|would|should|could|can)\b(?! not|n't)")
_NOT = re.compile(r"\b(is|was|are|were|has|have|had|will|would|should|could|does|do|did) not\b")
_SHORT_NOT = re.compile(r"\b(is|was|are|were|has|have|had|would|should|could)n['’]t\b")
_OPPOSITES = (
    ("increased", "decreased"), ("increase", "decrease"), ("increases", "decreases"),
    ("rose", "fell"), ("gained", "lost"), ("grew", "shrank"), ("growth", "decline"),
    ("higher", "lower"), ("highest", "lowest"), ("more", "less"), ("more", "fewer"),
    ("before", "after"), ("first", "last"), ("best", "worst"), ("largest", "smallest"),
    ("larger", "smaller"), ("older", "younger"), ("oldest", "youngest"), ("won", "lost"),
    ("win", "lose"), ("beat", "lost to"), ("northern", "southern"), ("north", "south"),
    ("east", "west"), ("eastern", "western"), ("early", "late"), ("earlier", "later"),
    ("success", "failure"), ("successful", "unsuccessful"), ("positive", "negative"),
    ("accepted", "declined"), ("agreed", "refused"), ("approved", "rejected"),
    ("supported", "opposed"), ("support", "oppose"), ("allowed", "banned"), ("legal", "illegal"),
    ("joined", "left"), ("arrived", "departed"), ("began", "ended"), ("started", "finished"),
    ("bought", "sold"), ("borrowed", "lent"), ("opened", "closed"), ("open", "closed"),
    ("hot", "cold"), ("above", "below"), ("inside", "outside"), ("men", "women"), ("man", "woman"),
    ("father", "mother"), ("son", "daughter"), ("brother", "sister"), ("husband", "wife"),
    ("boy", "girl"), ("boys", "girls"), ("including", "excluding"),
    ("free", "paid"), ("public", "private"), ("long", "short"), ("strong", "weak"),
    ("cause", "prevent"), ("causes", "prevents"), ("caused", "prevented"), ("improve", "worsen"),
    ("improved", "worsened"), ("confirmed", "denied"), ("admitted", "denied"), ("praised",
    "criticised"), ("similar", "different"), ("major", "minor"), ("rich", "poor"),
    ("common", "rare"), ("easy", "difficult"), ("possible", "impossible"), ("likely", "unlikely"),
    ("over", "under"), ("upper", "lower"), ("guilty", "innocent"), ("alive", "dead"),
    ("maximum", "minimum"), ("dry", "wet"), ("teacher", "student"), ("employer", "employee"),
)  # fmt: skip
_QUANTIFIERS = (
    ("some", "all"), ("some", "no"), ("all of", "some of"), ("all of", "none of"),
    ("all the", "some of the"), ("all", "few"), ("all", "hardly any"), ("most", "all"),
    ("most", "few"), ("many", "all"), ("many", "few"), ("several", "all"), ("few", "many"),
    ("every", "hardly any"), ("each", "only one"), ("both of", "neither of"), ("usually", "always"),
    ("often", "always"), ("often", "rarely"), ("sometimes", "always"), ("always", "sometimes"),
    ("never", "sometimes"), ("about", "exactly"), ("nearly", "more than"), ("almost", "more than"),
    ("at least", "at most"), ("up to", "more than"), ("over", "less than"), ("partly", "entirely"),
    ("half", "all"), ("rarely", "often"), ("one of the", "the only one of the"),
)  # fmt: skip
_MODALITY = (
    ("may", "will"), ("might", "will"), ("could", "will"), ("can", "must"), ("should", "must"),
    ("may have", "certainly has"), ("plans to", "has decided not to"),
    ("plan to", "no longer want to"),
    ("hopes to", "has managed to"), ("wants to", "refuses to"), ("wanted to", "managed to"),
    ("want to", "refuse to"), ("tried to", "managed to"), ("trying to", "managing to"),
    ("is expected to", "is certain to"), ("are expected to", "are certain to"),
    ("is likely to", "is certain to"), ("are likely to", "are certain to"),
    ("probably", "certainly"), ("possibly", "certainly"), ("perhaps", "certainly"),
    ("suggests", "proves"), ("suggest", "prove"), ("suggested", "proved"), ("believe", "know"),
    ("believed to be", "proven to be"), ("alleged", "proven"), ("allegedly", "admittedly"),
    ("claimed", "proved"), ("seems to", "does"), ("appeared to", "did"), ("will", "will never"),
    ("considering", "rejecting"), ("intends to", "has already begun to"),
    ("asked to", "refused to"), ("agreed to", "refused to"), ("decided to", "was forced to"),
)  # fmt: skip
_TAIL = re.compile(
    r"(?:,? (?:which|who|where|because|after|before|while|when|during|with|without|despite|"
    r"as part of|in order to|by|for|from|following|including|until|since|in|at) [^,;:\"()]{12,75})"
    r"(?=\.$)"
)


@dataclass(frozen=True, slots=True)
class Around:
    """What faults are made of: the context, its names and numbers, and those of other texts."""

    context: str
    names: tuple[str, ...]
    numbers: tuple[str, ...]
    far_names: Sequence[str]
    own_tails: Sequence[str]
    far_tails: Sequence[str]


Fault = Callable[[str, Around, random.Random], str | None]


def names_of(text: str, known: Collection[str] = ()) -> list[re.Match[str]]:
    """Names as matches: runs of capitalised words, within a sentence or `known`."""
    return [
        found
        for found in _NAME.finditer(text)
        if found.group().split()[0].lower() not in _STARTERS
        and found.group() not in _CALENDAR
        and (
            found.group() in known
            or _WITHIN.search(text[max(0, found.start() - 3) : found.start()])
        )
    ]


def tail_of(sentence: str) -> str | None:
    """The adjunct that ends a sentence, without its full stop."""
    found = _TAIL.search(sentence)
    return found.group() if found else None


def _put(sentence: str, start: int, stop: int, new: str) -> str:
    return f"{sentence[:start]}[{new}]{sentence[stop:]}"


def number(sentence: str, around: Around, rng: random.Random) -> str | None:
    """Another number, mostly one of the context's."""
    found = list(_NUMBER.finditer(sentence))
    if not found:
        return None
    target = rng.choice(found)
    old, own = target.group(), {m.group() for m in found}
    is_year = _YEAR.fullmatch(old) is not None
    near = [n for n in around.numbers if n not in own and bool(_YEAR.fullmatch(n)) is is_year]
    alike = [n for n in near if len(n) == len(old)]
    near = alike if alike and rng.random() < 0.8 else near
    if near and rng.random() < 0.7:
        return _put(sentence, target.start(), target.end(), rng.choice(near))
    if is_year:
        new = str(int(old) + rng.choice((-12, -7, -4, -3, -2, -1, 1, 2, 3, 5)))
        return _put(sentence, target.start(), target.end(), new)
    at = rng.choice([i for i, char in enumerate(old) if char.isdigit()])
    digit = rng.choice([d for d in "123456789" if d != old[at]])
    return _put(sentence, target.start(), target.end(), old[:at] + digit + old[at + 1 :])


def number_told(sentence: str, _around: Around, rng: random.Random) -> str | None:
    """Another number word."""
    found = list(_NUMBER_WORD.finditer(sentence))
    if not found:
        return None
    target = rng.choice(found)
    words = [number_word(at) for at in range(2, 13)]
    at = words.index(target.group())
    new = words[rng.choice([i for i in range(max(0, at - 3), min(11, at + 4)) if i != at])]
    return _put(sentence, target.start(), target.end(), new)


def unit(sentence: str, _around: Around, rng: random.Random) -> str | None:
    """Another unit behind a number."""
    return _paired(sentence, _UNITS, rng, before=r"(?<=[\d\w] )")


_UNITS = (
    ("million", "billion"), ("billion", "million"), ("thousand", "million"), ("hours", "days"),
    ("days", "weeks"), ("weeks", "months"), ("months", "years"), ("years", "months"),
    ("minutes", "hours"), ("miles", "kilometres"), ("metres", "miles"), ("meters", "miles"),
    ("km", "miles"), ("percent", "people"), ("seconds", "minutes"), ("pounds", "tonnes"),
    ("kg", "pounds"), ("dollars", "euros"), ("feet", "metres"), ("inches", "feet"),
    ("decades", "years"), ("centuries", "decades"),
)  # fmt: skip


def date(sentence: str, around: Around, rng: random.Random) -> str | None:
    """Another month or weekday."""
    found = [m for m in _NAME.finditer(sentence) if m.group() in _CALENDAR and m.group() != "May"]
    if not found:
        return None
    target = rng.choice(found)
    pool = MONTHS if target.group() in MONTHS else WEEKDAYS
    near = [one for one in pool if one in around.context and one not in sentence]
    new = rng.choice(
        near if near and rng.random() < 0.6 else [p for p in pool if p not in sentence]
    )
    return _put(sentence, target.start(), target.end(), new)


def name(sentence: str, around: Around, rng: random.Random) -> str | None:
    """Another name, mostly one of the context's with as many words."""
    found = names_of(sentence, around.names)
    if not found:
        return None
    target = rng.choice(found)
    old = target.group()
    near = rng.random() < 0.85
    pool = around.names if near else around.far_names
    pool = [n for n in pool if n not in sentence and not set(n.split()) & set(sentence.split())]
    if not near:
        pool = [n for n in pool if n not in around.context]
    alike = [n for n in pool if len(n.split()) == len(old.split())]
    if not alike:
        return None
    return _put(sentence, target.start(), target.end(), rng.choice(alike))


def roles(sentence: str, around: Around, rng: random.Random) -> str | None:
    """Two of the sentence's names in each other's place."""
    found = names_of(sentence, around.names)
    pairs = [
        (a, b)
        for a, b in pairwise(found)
        if a.group() != b.group() and _is_directed(sentence[a.end() : b.start()])
    ]
    if not pairs:
        return None
    a, b = rng.choice(pairs)
    return (
        f"{sentence[: a.start()]}[{b.group()}]{sentence[a.end() : b.start()]}"
        f"[{a.group()}]{sentence[b.end() :]}"
    )


_DIRECTED = re.compile(r" (?:[a-z]+ed|won|beat|told|by|to|from|than|over|after|before|gave|led) ")


def _is_directed(between: str) -> bool:
    return bool(_DIRECTED.search(between)) and not re.search(r"\b(?:and|or|with)\b|[,(]", between)


def negation(sentence: str, _around: Around, rng: random.Random) -> str | None:
    """A denial put in or taken out."""
    for pattern in (_NOT, _SHORT_NOT):
        found = pattern.search(sentence)
        if found:
            rest = re.match(r" [\w-]+", sentence[found.end() :])
            stop = found.end() + (rest.end() if rest else 0)
            return _put(sentence, found.start(), stop, found[1] + (rest.group() if rest else ""))
    found_all = list(_ADDABLE.finditer(sentence))
    if not found_all:
        return None
    target = rng.choice(found_all)
    new = rng.choice((f"{target[1]} not", f"{target[1]} never", f"{target[1]} no longer"))
    return _put(sentence, target.start(), target.end(), new)


def _paired(
    sentence: str,
    pairs: Sequence[tuple[str, str]],
    rng: random.Random,
    *,
    before: str = _BEFORE,
) -> str | None:
    options = [(m, new) for old, new in pairs
               for m in re.finditer(rf"{before}{old}\b(?!-)", sentence)]  # fmt: skip
    if not options:
        return None
    found, new = rng.choice(options)
    return _put(sentence, found.start(), found.end(), new)


def opposite(sentence: str, _around: Around, rng: random.Random) -> str | None:
    """A word replaced by its opposite."""
    both = [pair for a, b in _OPPOSITES for pair in ((a, b), (b, a))]
    return _paired(sentence, both, rng)


def quantifier(sentence: str, _around: Around, rng: random.Random) -> str | None:
    """Another quantity or frequency."""
    return _paired(sentence, _QUANTIFIERS, rng)


def modality(sentence: str, _around: Around, rng: random.Random) -> str | None:
    """What may be made what is, plans made deeds."""
    return _paired(sentence, _MODALITY, rng)


def detail(sentence: str, around: Around, rng: random.Random) -> str | None:
    """A detail of another sentence, of this text or a foreign one, at the end of this one."""
    pool = around.own_tails if around.own_tails and rng.random() < 0.8 else around.far_tails
    tails = [tail for tail in pool if tail.strip(", ") not in sentence]
    if not tails or not sentence.endswith("."):
        return None
    own = tail_of(sentence)
    head = sentence[:-1]
    if own and len(head) - len(own) > 35 and rng.random() < 0.6:
        head = head[: -len(own)]
    tail = rng.choice(tails)
    words = tail.lstrip(", ")
    return f"{head}{tail[: len(tail) - len(words)]}[{words}]."


FAULTS: tuple[Fault, ...] = (
    number, number, number_told, unit, date, name, name, name, roles, roles, negation, opposite,
    opposite, quantifier, modality, modality, detail,
)  # fmt: skip


def faulty(sentence: str, around: Around, rng: random.Random) -> str | None:
    """The sentence with one fault, marked; None where none can be made."""
    for fault in rng.sample(FAULTS, len(FAULTS)):
        changed = fault(sentence, around, rng)
        if changed is not None:
            return changed
    return None
