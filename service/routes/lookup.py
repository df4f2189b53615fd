"""Finding the one interaction that an id stands for, among those a caller may see."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from service.access import Caller
from service.errors import BadRequest, Conflict, NotFound
from service.state import State
from storage.records import InteractionRecord

_FLUSH_S = 5.0


async def find_one(
    state: State, ident: str, *, caller: Caller, param: str = "id"
) -> InteractionRecord:
    """The interaction with this id, or whose reply carries it.

    What waits to be written is awaited before the answer is no. Raises `NotFound`, and
    `Conflict` listing the interactions where the reply's id stands for several.
    """
    # Asked before looking: what is written meanwhile would be missed by both.
    is_writing = state.writer.pending_records > 0
    found = await _find(state, ident, caller)
    if not found and is_writing:
        with suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                await state.writer.flush()
        found = await _find(state, ident, caller)
    if not found:
        raise NotFound(f"no interaction or reply is known by the id {ident[:80]!r}", param=param)
    if len(found) > 1:
        ids = [record.id for record in found]
        raise Conflict(
            f"{len(ids)} interactions have a reply with this id; name one of them by its own id",
            param=param,
            extra={"interaction_ids": ids},
        )
    return found[0]


async def _find(state: State, ident: str, caller: Caller) -> list[InteractionRecord]:
    async with state.store.reading() as unit:
        return await unit.interactions.find(ident, key_id=caller.tenant)


def expect_choice(record: InteractionRecord, index: int, *, param: str) -> None:
    """Raises `BadRequest` where the reply has no such choice."""
    known = [choice["index"] for choice in record.choices or ()] or [0]
    if index not in known:
        raise BadRequest(f"the reply has no choice {index}; it has {known}", param=param)


def response_id(record: InteractionRecord, named: str) -> str | None:
    """The reply's own id: as the caller named it, else its first."""
    if named in record.response_ids:
        return named
    return record.response_ids[0] if record.response_ids else None
