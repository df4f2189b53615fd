"""Made-up talks, calls, abstracts and news with summaries that are right or wrong in one point."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from scorers.training.examples import Example
from scorers.training.made.points import (
    ABSTRACT,
    CALL,
    DRAWS,
    FILLERS,
    NEWS,
    TALK,
    PointKind,
    Value,
)
from scorers.training.made.telling import example, marked

_SOURCE = "made_dialogues"
_SLOT = re.compile(r"\{(\w+)(?:\.(\w+))?\}")
_GENRES = ((TALK, True), (TALK, True), (TALK, True), (CALL, True), (ABSTRACT, False), (NEWS, False))
_TRIES = 20
_WRONG_SHARE = 0.52
_THEMES = {"topic", "thing", "plan", "measure", "task", "unit", "team", "firm", "full", "method",
    "limit", "field", "crime", "move", "state", "reason"}  # fmt: skip
_ALIKE = ({"will", "promises to"}, {"will not", "refuses to"}, {"rose", "grew"},
    {"fell", "dropped"},
    {"dislikes", "prefers to avoid"}, {"expects to", "has decided to"}, {"wants to", "promises to"},
    {"plan to", "hope to"}, {"beats", "is faster than"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """Something said, with its values by slot."""

    kind: PointKind
    values: dict[str, Value]
    speaker: str


def _text(value: Value) -> str:
    return value[""]


def _draw_point(
    kind: PointKind, speakers: Sequence[str], taken: set[str], rng: random.Random
) -> Point:
    """A point about things that no other point is about; `taken` grows by them."""
    values: dict[str, Value] = {}
    for slot, kind_of in kind.slots.items():
        for _ in range(_TRIES):
            is_speaker = kind_of == "speaker"
            value = {"": rng.choice(speakers)} if is_speaker else DRAWS[kind_of](rng)
            own = {_text(one) for one in values.values()}
            if _text(value) not in own | (taken if kind_of in _THEMES else set()):
                break
        values[slot] = value
    taken |= {_text(v) for slot, v in values.items() if kind.slots[slot] in _THEMES}
    return Point(kind, values, _text(values["who"]) if "who" in values else rng.choice(speakers))


def _filled(template: str, values: dict[str, Value], wrong: str = "") -> str:
    def put(match: re.Match[str]) -> str:
        value = values[match[1]]
        text = value.get(match[2] or "", _text(value))
        return f"[{text}]" if match[1] == wrong else text

    return _SLOT.sub(put, template)


def _raised(text: str) -> str:
    at = next(i for i, char in enumerate(text) if char.isalnum())
    return text[:at] + text[at].upper() + text[at + 1 :]


def _is_other(old: str, new: str) -> bool:
    return old.lower() != new.lower() and not any(old in pair and new in pair for pair in _ALIKE)


def _swapped(
    point: Point, slot: str, points: Sequence[Point], speakers: Sequence[str], rng: random.Random
) -> dict[str, Value] | None:
    """The point's values with another one in `slot`, mostly one said elsewhere in the source."""
    kind_of, old = point.kind.slots[slot], _text(point.values[slot])
    said = [
        one.values[name]
        for one in points
        for name, other in one.kind.slots.items()
        if other == kind_of and (one is not point or name != slot)
    ]
    said += [{"": name} for name in speakers] if kind_of in {"speaker", "person"} else []
    near = [value for value in said if _is_other(old, _text(value))]
    # a pair of the same kind changes places: "Ann beat Bob"
    partner = next((n for n, k in point.kind.slots.items() if k == kind_of and n != slot), None)
    if partner is not None and rng.random() < 0.5:
        return point.values | {slot: point.values[partner], partner: point.values[slot]}
    if kind_of == "speaker" and not near:
        return None
    if near and (kind_of == "speaker" or rng.random() < 0.85):
        return point.values | {slot: rng.choice(near)}
    for _ in range(_TRIES):
        new = DRAWS[kind_of](rng)
        if _is_other(old, _text(new)):
            return point.values | {slot: new}
    return None


_SYMMETRIC = re.compile(r"\{who\} and \{other\}")
_FRAMES = (
    *(8 * ("{c}",)), "The text says that {c}", "In the source, {c}", "We learn that {c}",
    "It is said that {c}",
)  # fmt: skip
_JOINTS = (" and ", ", and ", ", while ", "; ")


def _told(
    point: Point,
    points: Sequence[Point],
    speakers: Sequence[str],
    rng: random.Random,
    *,
    wrong: bool,
) -> str | None:
    template = rng.choice(point.kind.told)
    if not wrong:
        return _filled(template, point.values)
    slots = list(dict.fromkeys(found[1] for found in _SLOT.finditer(template)))
    if _SYMMETRIC.search(template):
        slots = [slot for slot in slots if slot not in {"who", "other"}]
    slot = rng.choice(slots)
    values = _swapped(point, slot, points, speakers, rng)
    if values is None or _filled(template, values) == _filled(template, point.values):
        return None
    return marked(_filled(template, values, slot))


def _laid_out(
    points: Sequence[Point], speakers: Sequence[str], rng: random.Random, *, is_talk: bool
) -> str:
    style = rng.choice(("{}: ", "{}: ", "[{}] ", "{} - "))
    lines = []
    for point in points:
        by = style.format(point.speaker) if is_talk else ""
        line = _filled(rng.choice(point.kind.shown).replace("{by}", "\x00"), point.values)
        head, _, rest = line.rpartition("\x00")
        parts = _raised(head + rest).split("[n]")
        lines.append(by + parts[0].strip())
        for part in parts[1:]:
            name, _, words = part.partition(": ")
            lines.append(style.format(name) + words)
        if is_talk and rng.random() < 0.4:
            lines.append(style.format(rng.choice(speakers)) + rng.choice(FILLERS))
    return (rng.choice(("\n", "\n", "\n\n")) if is_talk else " ").join(lines)


def _one(rng: random.Random) -> Example | None:
    kinds, is_talk = rng.choice(_GENRES)
    names = {_text(DRAWS["person"](rng)) for _ in range(rng.randint(2, 4))}
    speakers = sorted(names)
    if len(speakers) < 2:
        return None
    chosen = [rng.choice(kinds) for _ in range(rng.randint(3, 8 if is_talk else 6))]
    taken: set[str] = set()
    points = [_draw_point(kind, speakers, taken, rng) for kind in chosen]
    picked = rng.sample(points, min(len(points), rng.choice((1, 2, 2, 3, 4))))
    sentences = []
    while picked:
        size = 2 if len(picked) > 1 and rng.random() < 0.35 else 1
        sentences.append(_sentence(picked[:size], points, speakers, rng))
        picked = picked[size:]
    context = _laid_out(points, speakers, rng, is_talk=is_talk)
    told = [sentence for sentence in sentences if sentence is not None]
    return example(told, context, _SOURCE) if len(told) == len(sentences) else None


def _sentence(
    told: Sequence[Point], points: Sequence[Point], speakers: Sequence[str], rng: random.Random
) -> str | None:
    """One sentence on one or two points, wrong in one of them or in none."""
    at_fault = rng.randrange(len(told)) if rng.random() < _WRONG_SHARE else -1
    facts = []
    for at, point in enumerate(told):
        fact = _told(point, points, speakers, rng, wrong=at == at_fault)
        if fact is None or (at == at_fault and _is_said(point, fact, points)):
            return None
        facts.append(fact if not facts else _lower(fact))
    text, frame = rng.choice(_JOINTS).join(facts), rng.choice(_FRAMES)
    return _raised(frame.replace("{c}", text if frame == "{c}" else _lower(text))) + "."


def _lower(clause: str) -> str:
    openers = ("By ", "It ", "When ", "Since ", "On ", "The ", "Because ", "In ", "A ", "Sales ",
        "According ", "Management ", "Accuracy ")  # fmt: skip
    return clause[0].lower() + clause[1:] if clause.startswith(openers) else clause


def _is_said(point: Point, fact: str, points: Sequence[Point]) -> bool:
    """Whether another point of the same kind makes the changed fact true after all."""
    plain = re.sub(r"[\x02\x03]", "", fact)
    others = [one for one in points if one is not point and one.kind is point.kind]
    return any(_filled(t, one.values) == plain for one in others for t in point.kind.told)


def dialogues(count: int, rng: random.Random) -> list[Example]:
    """`count` summaries of one to three points, each of a source of its own.

    About half of the sentences are wrong, in one value: who, what, when, how much, whether.
    """
    made: dict[str, Example] = {}
    while len(made) < count:
        found = _one(rng)
        if found is not None:
            made.setdefault(found.group, found)
    return list(made.values())
