"""Many judgements at once: each row checked, found its reply, and given an id of its own content.

The id makes an import idempotent by row: what was stored before is known by it, whichever file it
comes in. Rows that say the same count once, unless their rater said something else in between.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field, ValidationError

from service.privacy.keeper import TextKeeper
from service.routes.bodies import NOTHING_SAID, FeedbackBody, Time
from service.routes.plainness import nul_path
from service.routes.views import unix_us
from storage.ids import now_us
from storage.jsontext import dumps
from storage.records import FeedbackRecord
from storage.repositories.interactions import Target
from storage.store import UnitOfWork
from storage.textlevel import TextLevel

SOURCE = "import"
_EARLY_US = 300 * 1_000_000
"""How far clocks may differ before a time is taken to lie in the future."""


class FeedbackRow(FeedbackBody):
    """One judgement of many."""

    created_at: Time | None = Field(
        default=None, description="When it was said (ISO 8601); now if not given."
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the row in this place; `param` is the field at fault."""

    place: int
    param: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Given:
    """A row as it was given: its line or number, and its fields."""

    place: int
    fields: Any


@dataclass(slots=True)
class Sorted:
    """Rows made into records, and those that cannot be."""

    records: list[FeedbackRecord] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


_Said = tuple[str, int, str]


class RowReader:
    """Makes records of the rows of one file or request, chunk by chunk, in their order.

    `tenant` is whose exchanges may be judged, None all; `key_id` is who judges; `keeper` treats
    what is said of replies whose texts were treated, before an id is made of it. What each rater
    said last of each choice is remembered: about 200 bytes for each.
    """

    def __init__(
        self, keeper: TextKeeper, *, tenant: str | None = None, key_id: str | None = None
    ) -> None:
        self._keeper = keeper
        self._tenant = tenant
        self._key_id = key_id
        self._start_us = now_us()
        self._count = 0
        self._last: dict[_Said, str] = {}
        self._repeats: Counter[str] = Counter()

    async def read(self, unit: UnitOfWork, rows: Sequence[Given]) -> Sorted:
        """The records of these rows, and what is wrong with the others."""
        found = Sorted()
        parsed = [(row.place, _parsed(row, found.faults)) for row in rows]
        bodies = [(place, body) for place, body in parsed if body is not None]
        targets = await unit.interactions.targets(
            {body.id for _, body in bodies}, key_id=self._tenant
        )
        for place, body in bodies:
            target = _target(body, targets[body.id])
            if isinstance(target, Target):
                found.records.append(self._record(self._treated(body, target.level), target))
            else:
                found.faults.append(Fault(place, *target))
        found.faults.sort(key=lambda fault: fault.place)
        return found

    def _treated(self, body: FeedbackRow, level: TextLevel) -> FeedbackRow:
        told = {name: self._keeper.said(getattr(body, name), level) for name in _SAID}
        return body.model_copy(update=told)

    def _record(self, body: FeedbackRow, target: Target) -> FeedbackRecord:
        self._count += 1
        named = body.id if body.id in target.response_ids else None
        at_us = unix_us(body.created_at)
        return FeedbackRecord(
            id=self._ident(body, target, at_us),
            created_us=self._start_us + self._count if at_us is None else at_us,
            interaction_id=target.id,
            response_id=named or next(iter(target.response_ids), None),
            choice_index=body.choice_index,
            rating=body.rating,
            comment=body.comment,
            correction=body.correction,
            rater=body.rater,
            key_id=self._key_id,
            tags=tuple(body.tags),
            source=SOURCE,
        )

    def _ident(self, body: FeedbackRow, target: Target, at_us: int | None) -> str:
        content = [self._key_id, target.id, at_us, *body.model_dump(exclude=_NAMED).values()]
        digest = hashlib.sha256(dumps(content).encode()).hexdigest()[:32]
        if at_us is not None:
            return f"fb_{digest}"
        said = (target.id, body.choice_index, body.rater)
        if self._last.get(said) != digest:
            self._last[said] = digest
            self._repeats[digest] += 1
        again = self._repeats[digest] - 1
        return f"fb_{digest}_{again}" if again else f"fb_{digest}"


_NAMED = {"id", "created_at"}
_SAID = ("comment", "correction")


def _parsed(row: Given, faults: list[Fault]) -> FeedbackRow | None:
    path = nul_path(row.fields)
    if path is not None:
        faults.append(Fault(row.place, path or None, "has a NUL character, which is not stored"))
        return None
    try:
        body = FeedbackRow.model_validate(row.fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        param = ".".join(map(str, first["loc"])) or None
        unknown = first["type"] == "extra_forbidden"
        message = f"unknown field; known: {_KNOWN}" if unknown else str(first["msg"])
        faults.append(Fault(row.place, param, message))
        return None
    if body.is_empty:
        faults.append(Fault(row.place, "rating", NOTHING_SAID))
        return None
    if (unix_us(body.created_at) or 0) > now_us() + _EARLY_US:
        faults.append(Fault(row.place, "created_at", "lies in the future"))
        return None
    return body


_KNOWN = ", ".join(FeedbackRow.model_fields)


def _target(body: FeedbackRow, found: list[Target]) -> Target | tuple[str, str]:
    """The one target that a row means, else the field at fault and why."""
    if not found:
        return "id", f"no interaction or reply is known by the id {body.id[:80]!r}"
    if len(found) > 1:
        ids = ", ".join(sorted(target.id for target in found)[:5])
        return "id", f"{len(found)} interactions have a reply with this id; name one: {ids}"
    if body.choice_index not in found[0].choices:
        known = list(found[0].choices)
        return "choice_index", f"the reply has no choice {body.choice_index}; it has {known}"
    return found[0]
