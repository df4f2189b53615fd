from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from storage.errors import DuplicateRecord
from storage.records import IdempotencyRecord
from storage.store import Store

ANSWER = IdempotencyRecord(
    key="k-1",
    key_id="",
    endpoint="feedback",
    body_hash="abc",
    response={"id": "fb_1"},
    created_us=10,
)


async def _keep(store: Store, record: IdempotencyRecord) -> None:
    async with store.writing() as unit:
        await unit.idempotency.add(record)


async def test_answer_is_kept_per_key_tenant_and_endpoint(store: Store) -> None:
    """An answer is found under exactly the key, tenant and endpoint it was given to."""
    await _keep(store, ANSWER)
    await _keep(store, replace(ANSWER, key_id="key_2"))
    await _keep(store, replace(ANSWER, endpoint="comparisons"))

    async with store.reading() as unit:
        found = await unit.idempotency.get("k-1", key_id="", endpoint="feedback")
        other = await unit.idempotency.get("k-1", key_id="key_3", endpoint="feedback")

    assert found == ANSWER
    assert other is None


async def test_one_of_two_at_once_wins(store: Store) -> None:
    """Of several requests at once with one key exactly one keeps its answer."""
    answers = [replace(ANSWER, response=number) for number in range(4)]

    results = await asyncio.gather(
        *(_keep(store, answer) for answer in answers), return_exceptions=True
    )

    refused = [result for result in results if isinstance(result, DuplicateRecord)]
    assert (results.count(None), len(refused)) == (1, 3)


async def test_old_answers_are_forgotten(store: Store) -> None:
    """Answers older than the given moment go, others stay."""
    await _keep(store, ANSWER)

    async with store.writing() as unit:
        assert await unit.idempotency.forget(before_us=10) == 0
        assert await unit.idempotency.forget(before_us=11) == 1


async def test_second_answer_is_refused(store: Store) -> None:
    """An answer kept once is not replaced."""
    await _keep(store, ANSWER)

    with pytest.raises(DuplicateRecord):
        await _keep(store, replace(ANSWER, body_hash="other"))
