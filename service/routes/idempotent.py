"""`Idempotency-Key`: the same request gets the same answer, and happens once.

Of the key its hash is kept, and of the body a hash that the key is the secret of: a short comment
could be guessed from a plain one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request

from service.access import Caller
from service.errors import BadRequest, Conflict
from service.routes.bodies import Body
from service.state import State
from storage.errors import DuplicateRecord
from storage.ids import now_us
from storage.records import IdempotencyRecord
from storage.store import UnitOfWork

HEADER = "idempotency-key"
MAX_KEY_CHARS = 255

Work = Callable[[UnitOfWork], Awaitable[None]]


async def once(
    state: State,
    request: Request,
    *,
    caller: Caller,
    body: Body,
    prepare: Callable[[], Awaitable[tuple[dict[str, Any], Work]]],
) -> tuple[dict[str, Any], bool]:
    """The answer to a request, and whether it is new.

    `prepare` makes the answer and the work that stores what it answers; answer and work are
    committed together. A key that was used with another body raises `Conflict`.
    """
    key = request.headers.get(HEADER)
    if key is None:
        answer, work = await prepare()
        async with state.store.writing() as unit:
            await work(unit)
        return answer, True
    if not 1 <= len(key) <= MAX_KEY_CHARS:
        raise BadRequest(f"`Idempotency-Key` has 1 to {MAX_KEY_CHARS} characters", param=HEADER)
    record = IdempotencyRecord(
        key=hashlib.sha256(key.encode()).hexdigest(),
        key_id=caller.key_id or "",
        endpoint=request.url.path,
        body_hash=hmac.new(key.encode(), body.model_dump_json().encode(), "sha256").hexdigest(),
        response=None,
        created_us=now_us(),
    )
    earlier = await _earlier(state, record)
    if earlier is not None:
        return earlier, False
    return await _store(state, record, prepare)


async def _store(
    state: State,
    record: IdempotencyRecord,
    prepare: Callable[[], Awaitable[tuple[dict[str, Any], Work]]],
) -> tuple[dict[str, Any], bool]:
    answer, work = await prepare()
    try:
        async with state.store.writing() as unit:
            await unit.idempotency.add(_with(record, answer))
            await work(unit)
    except DuplicateRecord:
        # The same request came twice at once and the other one was first.
        earlier = await _earlier(state, record)
        if earlier is None:
            raise
        return earlier, False
    return answer, True


async def _earlier(state: State, record: IdempotencyRecord) -> dict[str, Any] | None:
    async with state.store.reading() as unit:
        found = await unit.idempotency.get(
            record.key, key_id=record.key_id, endpoint=record.endpoint
        )
    if found is None:
        return None
    if found.body_hash != record.body_hash:
        raise Conflict("this `Idempotency-Key` was used with another body", param=HEADER)
    answer: dict[str, Any] = found.response
    return answer


def _with(record: IdempotencyRecord, answer: dict[str, Any]) -> IdempotencyRecord:
    return IdempotencyRecord(
        key=record.key,
        key_id=record.key_id,
        endpoint=record.endpoint,
        body_hash=record.body_hash,
        response=answer,
        created_us=record.created_us,
    )
