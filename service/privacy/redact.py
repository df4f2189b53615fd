"""Personal data and secrets in texts, replaced by placeholders such as `<EMAIL_1>`."""

from __future__ import annotations

import json
from bisect import bisect
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from service.privacy.addresses import emails, ips
from service.privacy.found import KINDS, Found, Kind
from service.privacy.keys import keys
from service.privacy.numbers import cards, ibans
from service.privacy.phones import Phones

Json = Any

_DEPTH = 100
"""How deep a value is walked; what lies deeper is redacted as one text."""

_RANK = {kind: rank for rank, kind in enumerate(KINDS)}


class Names:
    """The placeholders of one exchange: the same value has the same one wherever it stands."""

    def __init__(self) -> None:
        self._given: dict[tuple[Kind, str], str] = {}
        self._counts: dict[Kind, int] = {}

    def of(self, found: Found) -> str:
        """The placeholder of a value."""
        key = (found.kind, found.value)
        if key not in self._given:
            self._counts[found.kind] = self._counts.get(found.kind, 0) + 1
            self._given[key] = f"<{found.kind}_{self._counts[found.kind]}>"
        return self._given[key]


class Redactor:
    """Finds and replaces what is of the given kinds. Keeps nothing."""

    def __init__(
        self, kinds: Collection[Kind] = KINDS, *, phone_regions: Iterable[str] = ()
    ) -> None:
        finders: dict[Kind, Callable[[str], Iterable[Found]]] = {
            "KEY": keys,
            "EMAIL": emails,
            "IBAN": ibans,
            "CARD": cards,
            "IP": ips,
            "PHONE": Phones(tuple(phone_regions)),
        }
        self._finders = [finders[kind] for kind in KINDS if kind in kinds]

    def find(self, text: str) -> list[Found]:
        """What was found, in order of place; of two that overlap the first of `KINDS` holds."""
        return _apart([each for finder in self._finders for each in finder(text)])

    def text(self, text: str, names: Names, *, depth: int = 0) -> str:
        """The text with placeholders; text that is JSON stays JSON."""
        if text[:1] in ("{", "[") and depth < _DEPTH and (inner := _parsed(text)) is not None:
            told = self.value(inner, names, depth=depth + 1)
            return text if told == inner else json.dumps(told, ensure_ascii=False)
        return _replaced(text, self.find(text), names)

    def value(self, value: Json, names: Names, *, depth: int = 0) -> Json:
        """A JSON value with placeholders in its texts, its keys, and its telling numbers."""
        if isinstance(value, str):
            return self.text(value, names, depth=depth)
        if depth >= _DEPTH:
            return self._as_text(value, names)
        if isinstance(value, dict):
            return {
                self._key(key, names): self.value(item, names, depth=depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return self._list(value, names, depth=depth + 1)
        return self._number(value, names) if _is_long(value) else value

    def texts(self, texts: Sequence[str], names: Names) -> list[str]:
        """Neighbouring texts; what begins in one and ends in another is found as well."""
        if len(texts) > 1:
            ends = list(accumulate(map(len, texts)))
            starts = [0, *ends]
            own = [
                Found(each.start + at, each.stop + at, each.kind, each.value)
                for text, at in zip(texts, starts, strict=False)
                for each in self.find(text)
            ]
            crossing = [
                each
                for each in self.find("".join(texts))
                if _is_cut(each, ends) and (each.kind == "KEY" or not _meets(each, own))
            ]
            if crossing:
                kept = [each for each in own if not _meets(each, crossing)]
                return _replaced_across(texts, sorted([*kept, *crossing], key=_place), names)
        return [self.text(text, names) for text in texts]

    def _list(self, items: list[Json], names: Names, *, depth: int) -> list[Json]:
        """A list; of neighbouring content parts with a text each, the texts are read together."""
        out: list[Json] = []
        run: list[dict[str, Json]] = []
        for item in [*items, None]:
            if isinstance(item, dict) and isinstance(item.get("text"), str):
                run.append(item)
                continue
            if run:
                told = self.texts([part["text"] for part in run], names)
                out += [
                    self.value(part | {"text": ""}, names, depth=depth) | {"text": text}
                    for part, text in zip(run, told, strict=True)
                ]
                run = []
            out.append(self.value(item, names, depth=depth))
        return out[:-1]

    def _key(self, key: str, names: Names) -> str:
        return _replaced(key, self.find(key), names) if len(key) > 5 else key

    def _number(self, value: int, names: Names) -> Json:
        found = self.find(str(value))
        return names.of(found[0]) if found else value

    def _as_text(self, value: Json, names: Names) -> Json:
        found = self.find(text := json.dumps(value))
        return _replaced(text, found, names) if found else value


def _parsed(text: str) -> Json:
    """The object or list that a text is, None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_long(value: Json) -> bool:
    """Whether a number has the digits of a card."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**11


def _place(found: Found) -> int:
    return found.start


def _is_cut(found: Found, ends: Sequence[int]) -> bool:
    return any(found.start < end < found.stop for end in ends)


def _meets(found: Found, others: Iterable[Found]) -> bool:
    return any(found.start < other.stop and other.start < found.stop for other in others)


def _apart(found: list[Found]) -> list[Found]:
    """Without those that overlap one of a kind that stands before theirs, or an earlier one."""
    kept: list[Found] = []
    for each in sorted(found, key=lambda each: (_RANK[each.kind], each.start, -each.stop)):
        at = bisect(kept, each.start, key=_place)
        if not _meets(each, kept[max(0, at - 1) : at + 1]):
            kept.insert(at, each)
    return kept


def _replaced(text: str, found: Iterable[Found], names: Names) -> str:
    parts, at = [], 0
    for each in found:
        parts += [text[at : each.start], names.of(each)]
        at = each.stop
    return "".join([*parts, text[at:]]) if parts else text


def _replaced_across(texts: Sequence[str], found: Sequence[Found], names: Names) -> list[str]:
    """The texts with placeholders; of a value in several the first one has the placeholder."""
    out = []
    for start, stop in pairwise([0, *accumulate(map(len, texts))]):
        text, at = "", start
        for each in found:
            if each.start < stop and each.stop > start:
                text += "".join(texts)[at : max(at, each.start)]
                text += names.of(each) if each.start >= start else ""
                at = min(each.stop, stop)
        out.append(text + "".join(texts)[at:stop])
    return out
