"""Records of made-up things, each with a description that is right or wrong here and there."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scorers.training.examples import Example
from scorers.training.made.kinds import KINDS, Kind
from scorers.training.made.layouts import Data, laid_out
from scorers.training.made.telling import Slot, example, marked, other_value, unmarked

_SOURCE = "made_records"
_NULL_SHARE = 0.4
_LISTED = 0.12


@dataclass(frozen=True, slots=True)
class Record:
    """A thing of a kind with the facts it has; None is a fact given as null."""

    kind: Kind
    name: str
    values: dict[str, Any]
    shown: Data


def draw_record(kind: Kind, rng: random.Random, *, most: int) -> Record:
    """A record with at most `most` facts."""
    slots = [slot for slot in kind.slots if rng.random() < slot.present]
    kept = {slot.key for slot in rng.sample(slots, min(most, len(slots)))}
    values: dict[str, Any] = {}
    shown: Data = {kind.name_key: (name := kind.name(rng))}
    for slot in kind.slots:
        if slot.key not in kept and rng.random() > _NULL_SHARE * 0.5:
            continue
        target = shown.setdefault(slot.section, {}) if slot.section else shown
        value = slot.draw(rng) if slot.key in kept else None
        target[slot.key] = None if value is None else slot.show(value, rng)
        if value is not None:
            values[slot.key] = value
    return Record(kind, name, values, shown)


def _near(record: Record, others: Sequence[Record], slot: Slot) -> list[Any]:
    own = [
        record.values[s.key]
        for s in record.kind.slots
        if slot.family and s.family == slot.family and s.key != slot.key and s.key in record.values
    ]
    return own + [o.values[slot.key] for o in others if o.values.get(slot.key) is not None]


_LISTS = (
    "offers {l}", "has {l}", "features {l}", "the list of what {s} offers includes {l}",
    "guests will find {l} at {s}", "provides {l}", "gives access to {l}",
)  # fmt: skip
_MISSING_LISTS = ("offers neither {l}", "has neither {l}", "provides neither {l}")


def _listing(record: Record, used: set[str], rng: random.Random, *, is_wrong: bool) -> str | None:
    """Two or three things that are offered, or two that are not, one of them wrong or none."""
    free = [slot for slot in record.kind.slots if slot.thing and slot.key not in used]
    truth = rng.random() < 0.7
    right = [slot for slot in free if record.values.get(slot.key) is truth]
    wrong = [slot for slot in free if record.values.get(slot.key) is not truth]
    if len(right) < 2 or not wrong:
        return None
    chosen = rng.sample(right, min(len(right), rng.choice((2, 3)) if truth else 2))
    words = [slot.thing for slot in chosen]
    if is_wrong:
        at = rng.randrange(len(words))
        chosen[at] = rng.choice(wrong)
        words[at] = f"[{chosen[at].thing}]"
    used |= {slot.key for slot in chosen}
    if truth:
        listed, templates = f"{', '.join(words[:-1])} and {words[-1]}", _LISTS
    else:
        listed, templates = " nor ".join(words), _MISSING_LISTS
    return marked(rng.choice(templates).replace("{l}", listed))


def _fact(
    record: Record, others: Sequence[Record], used: set[str], rng: random.Random, *, is_wrong: bool
) -> str | None:
    """One fact told, marked where it is wrong; None where none is left."""
    listed = _listing(record, used, rng, is_wrong=is_wrong) if rng.random() < _LISTED else None
    if listed is not None:
        return listed
    free = [s for s in record.kind.slots if s.key not in used]
    known = [s for s in free if s.key in record.values]
    # a null flag may be told as unknown, so it counts as something to tell
    if not is_wrong:
        nulls = [s for s in free if s.key not in record.values and s.is_flag]
        pool = nulls if nulls and rng.random() < 0.08 else known
        if not pool:
            return None
        slot = rng.choice(pool)
        used.add(slot.key)
        return unmarked(slot.say(record.values.get(slot.key), rng))
    near = [s for s in known if _near(record, others, s)]
    pool = rng.choice((known, known, near or known, free))
    if not pool:
        return None
    slot = rng.choice(pool)
    used.add(slot.key)
    value = record.values.get(slot.key)
    if slot.is_flag:
        choices = [v for v in (True, True, False, False, None) if v is not value]
        return marked(slot.say(rng.choice(choices), rng))
    other = other_value(slot, value, _near(record, others, slot), rng)
    return None if other is None else marked(slot.say(other, rng))


_FRAMES = (
    *(10 * ("{c}",)), "According to the {d}, {c}", "The {d} tells us that {c}",
    "Going by the {d}, {c}", "From the {d} we learn that {c}", "In short, {c}", "Also, {c}",
    "Moreover, {c}", "In addition, {c}", "Notably, {c}",
)  # fmt: skip
_JOINTS = (" and ", " and ", ", and it is worth adding that ", ", while ", "; ")


def _sentence(
    facts: Sequence[str], subject: str, short: str, document: str, rng: random.Random
) -> str:
    clauses = [_clause(fact, subject if at == 0 else short) for at, fact in enumerate(facts)]
    if len(facts) == 2 and all("{s}" not in f for f in facts) and rng.random() < 0.6:
        body = f"{clauses[0]} and {facts[1]}"
    else:
        body = clauses[0] if len(clauses) == 1 else rng.choice(_JOINTS).join(clauses)
    text = rng.choice(_FRAMES).replace("{d}", document).replace("{c}", body)
    first = next(at for at, char in enumerate(text) if char.isalnum())
    return text[:first] + text[first].upper() + text[first + 1 :] + "."


def _clause(fact: str, subject: str) -> str:
    return fact.replace("{s}", subject) if "{s}" in fact else f"{subject} {fact}"


def _subject(record: Record, rng: random.Random, *, is_alone: bool, is_first: bool) -> str:
    if is_first or not is_alone or rng.random() < 0.45:
        return record.name
    nouns = [f"the {noun}" for noun in record.kind.nouns]
    return rng.choice([*nouns, record.kind.pronoun, record.kind.pronoun])


def _described(records: Sequence[Record], rng: random.Random) -> list[str]:
    count = rng.choice((3, 3, 4, 4, 5, 5, 6, 7))
    wrong = set(rng.sample(range(count), rng.choice((0, 1, 2, 2, 3, 3, 3))))
    document = rng.choice(records[0].kind.documents)
    used: dict[str, set[str]] = {record.name: set() for record in records}
    made: list[str] = []
    for at in range(count):
        record = records[min(at * len(records) // count, len(records) - 1)]
        others = [one for one in records if one is not record]
        flaws = [at in wrong, False] if rng.random() < 0.35 else [at in wrong]
        rng.shuffle(flaws)
        facts = [_fact(record, others, used[record.name], rng, is_wrong=flaw) for flaw in flaws]
        told = [fact for fact in facts if fact is not None]
        if told:
            alone = len(records) == 1
            subject = _subject(record, rng, is_alone=alone, is_first=at == 0)
            short = record.kind.pronoun if rng.random() < 0.8 else record.name
            made.append(_sentence(told, subject, short, document, rng))
    return made


def _one(rng: random.Random) -> Example | None:
    kind = rng.choice(KINDS)
    size = rng.choice((1, 1, 1, 1, 2, 3))
    most = rng.choice((rng.randint(8, 22), rng.randint(16, 45))) if size == 1 else rng.randint(5, 9)
    records = [draw_record(kind, rng, most=most) for _ in range(size)]
    if len({record.name for record in records}) < size:
        return None
    context = laid_out([record.shown for record in records], rng)
    sentences = _described(records, rng)
    if len(sentences) < 2:
        return None
    return example(sentences, context, _SOURCE, joint=rng.choice((" ", " ", " ", "\n")))


def records(count: int, rng: random.Random) -> list[Example]:
    """`count` descriptions of structured data, with the wrong parts as spans.

    Each has a context of its own; two sentences in five or so are wrong in one fact.
    """
    made: dict[str, Example] = {}
    while len(made) < count:
        found = _one(rng)
        if found is not None:
            made.setdefault(found.group, found)
    return list(made.values())
