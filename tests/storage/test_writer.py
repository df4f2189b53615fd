from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from storage.errors import (
    RecordRejected,
    SpoolFull,
    StorageError,
    StoreUnavailable,
    WriterClosed,
    WriterOverflow,
)
from storage.records import InteractionRecord
from storage.rows import InteractionRows
from storage.sink import AsyncSink
from storage.store import Store
from storage.writer import Writer, WriterOptions
from tests.fakes.store import CountingObserver, ScriptedSink
from tests.patience import until
from tests.schema import sqlite_url
from tests.storage.building import exchange, score

AWAY = StoreUnavailable("away")


@pytest.fixture
def sink() -> ScriptedSink:
    """A sink that only remembers."""
    return ScriptedSink()


@pytest.fixture
def observer() -> CountingObserver:
    """An observer that adds up."""
    return CountingObserver()


@pytest.fixture
async def plain_store(sqlite_file: Path) -> AsyncIterator[Store]:
    """An open SQLite store."""
    store = await Store.open(sqlite_url(sqlite_file))
    yield store
    await store.close()


async def _started(
    store: Store,
    sink: ScriptedSink | None,
    observer: CountingObserver,
    options: WriterOptions | None = None,
) -> Writer:
    writer = Writer(store, options, observer=observer, sink=sink)
    await writer.start()
    return writer


def _spooling(folder: Path, **changes: float) -> WriterOptions:
    return replace(WriterOptions(spool_dir=folder / "spool", retry_s=0.01), **changes)  # type: ignore[arg-type]


async def _replayed(writer: Writer) -> None:
    await until(lambda: not writer.spooled_bytes)


async def _stored(store: Store) -> set[str]:
    async with store.reading() as unit:
        return {item.id for item in (await unit.interactions.page(limit=1000)).items}


async def test_durable_put_returns_after_the_commit(store: Store) -> None:
    """When a durable put returns, the exchange is in the store, whole."""
    writer = Writer(store)
    await writer.start()
    record = exchange(scores=(score(), score(side="prompt")), response_ids=("r",), tags=("t",))

    await writer.put(record, is_durable=True)

    async with store.reading() as unit:
        assert record == await unit.interactions.get(record.id)
    assert writer.is_healthy
    await writer.close()


async def test_group_forms_while_the_one_before_commits(
    plain_store: Store, sink: ScriptedSink, observer: CountingObserver
) -> None:
    """What comes while a group commits makes up the next group, in order."""
    writer = await _started(plain_store, sink, observer)
    records = [exchange() for _ in range(5)]
    sink.gate.clear()
    puts = []
    for record in records:
        puts.append(asyncio.create_task(writer.put(record, is_durable=True)))
        await until(lambda: sink.attempts)
    await until(lambda: writer.pending_records == len(records))

    sink.gate.set()
    await asyncio.gather(*puts)
    await writer.close()

    assert [[records[0].id], [record.id for record in records[1:]]] == sink.groups
    assert observer.group_sizes == [1, 4]


async def test_group_is_capped(
    plain_store: Store, sink: ScriptedSink, observer: CountingObserver
) -> None:
    """No group is longer than the cap in records or in bytes."""
    options = WriterOptions(group_records=2, group_bytes=2_000)
    writer = await _started(plain_store, sink, observer, options)
    records = [exchange() for _ in range(4)] + [exchange("x" * 3_000) for _ in range(2)]

    await asyncio.gather(*(writer.put(record, is_durable=True) for record in records))
    await writer.close()

    assert [record.id for record in records] == sink.stored
    assert observer.group_sizes == [2, 2, 1, 1]


async def test_relaxed_put_returns_at_once(
    plain_store: Store, sink: ScriptedSink, observer: CountingObserver
) -> None:
    """A put that need not be durable returns before the commit; flush waits for it."""
    writer = await _started(plain_store, sink, observer)
    sink.gate.clear()

    await writer.put(exchange(), is_durable=False)

    assert (writer.pending_records, sink.groups) == (1, [])
    sink.gate.set()
    await writer.flush()
    assert (writer.pending_records, len(sink.stored)) == (0, 1)
    await writer.close()


async def test_full_writer_refuses_aloud(
    plain_store: Store, sink: ScriptedSink, observer: CountingObserver
) -> None:
    """A put that finds no room waits a while, then fails with WriterOverflow."""
    options = WriterOptions(pending_records=2, group_records=1, overflow_wait_s=0.02)
    writer = await _started(plain_store, sink, observer, options)
    sink.gate.clear()
    for _ in range(3):
        await writer.put(exchange(), is_durable=False)
        await until(lambda: sink.attempts)

    with pytest.raises(WriterOverflow):
        await writer.put(exchange(), is_durable=False)

    sink.gate.set()
    await writer.close()
    assert observer.errors == {"writer_overflow": 1}
    assert len(sink.stored) == 3


async def test_waiting_put_gets_room(
    plain_store: Store, sink: ScriptedSink, observer: CountingObserver
) -> None:
    """A put that waits for room goes on as soon as there is some."""
    options = WriterOptions(pending_bytes=1, group_records=1)
    writer = await _started(plain_store, sink, observer, options)

    await asyncio.gather(*(writer.put(exchange(), is_durable=True) for _ in range(20)))
    await writer.close()

    assert len(sink.stored) == 20


async def test_same_id_is_stored_once(store: Store) -> None:
    """Putting an exchange again, in the same group or later, changes nothing."""
    writer = Writer(store)
    await writer.start()
    record = exchange(scores=(score(),), response_ids=("r",), tags=("t",))

    await asyncio.gather(*(writer.put(record, is_durable=True) for _ in range(3)))
    await writer.put(replace(record, model="other"), is_durable=True)
    await writer.close()

    async with store.reading() as unit:
        assert (record,) == (await unit.interactions.page()).items


async def test_bad_record_fails_alone(
    plain_store: Store, sink: ScriptedSink, observer: CountingObserver
) -> None:
    """Of a group with one record that cannot be stored, only that record's caller hears of it."""
    writer = await _started(plain_store, sink, observer)
    records = [exchange() for _ in range(7)]
    bad = records[3].id

    def refuses(rows: InteractionRows) -> StorageError | None:
        return RecordRejected("bad") if rows.interaction[0] == bad else None

    sink.refuses = refuses
    results = await asyncio.gather(
        *(writer.put(record, is_durable=True) for record in records), return_exceptions=True
    )
    await writer.close()

    assert [isinstance(result, RecordRejected) for result in results] == [
        record.id == bad for record in records
    ]
    assert {record.id for record in records} - {bad} == set(sink.stored)
    assert observer.errors == {"record_rejected": 1}


async def test_wrong_types_fail_alone(store: Store) -> None:
    """A record whose values no database takes is refused; others of its group are stored."""
    writer = Writer(store)
    await writer.start()
    good, wrong = exchange(), exchange(http_status={"not": "a number"})
    huge = exchange(created_us=1 << 70)

    results = await asyncio.gather(
        *(writer.put(record, is_durable=True) for record in (wrong, good, huge)),
        return_exceptions=True,
    )
    await writer.close()

    assert [RecordRejected, type(None), RecordRejected] == [type(result) for result in results]
    assert {good.id} == await _stored(store)


async def test_unstorable_json_never_joins_a_group(
    plain_store: Store, sink: ScriptedSink, observer: CountingObserver
) -> None:
    """A record that is no JSON is refused at the door."""
    writer = await _started(plain_store, sink, observer)

    with pytest.raises(RecordRejected):
        await writer.put(exchange(request={1, 2}), is_durable=False)

    await writer.close()
    assert sink.attempts == 0


async def test_without_spool_waiters_hear_of_the_failure(
    plain_store: Store, sink: ScriptedSink, observer: CountingObserver
) -> None:
    """With the store away and no spool every waiter gets the error; later puts work again."""
    writer = await _started(plain_store, sink, observer)
    sink.error = AWAY

    results = await asyncio.gather(
        *(writer.put(exchange(), is_durable=True) for _ in range(3)), return_exceptions=True
    )

    assert results == [AWAY] * 3
    assert not writer.is_healthy
    sink.error = None
    await writer.put(exchange(), is_durable=True)
    assert writer.is_healthy
    await writer.close()


async def test_surprise_does_not_end_the_writer(
    plain_store: Store, sink: ScriptedSink, observer: CountingObserver
) -> None:
    """An error nobody thought of is answered to the waiters, and the writer goes on."""
    writer = await _started(plain_store, sink, observer)
    sink.error = ZeroDivisionError()

    with pytest.raises(StorageError, match="ZeroDivisionError"):
        await writer.put(exchange(), is_durable=True)

    sink.error = None
    await writer.put(exchange(), is_durable=True)
    await writer.close()
    assert len(sink.stored) == 1


async def test_store_away_records_wait_in_the_spool(
    plain_store: Store, observer: CountingObserver, tmp_path: Path
) -> None:
    """While the store is away puts succeed; when it is back everything is there once, in order."""
    sink = ScriptedSink(AsyncSink(plain_store.engines))
    writer = await _started(plain_store, sink, observer, _spooling(tmp_path))
    records = [exchange() for _ in range(20)]
    await writer.put(records[0], is_durable=True)
    sink.error = AWAY
    for record in records[1:15]:
        await writer.put(record, is_durable=True)
    assert await _stored(plain_store) == {records[0].id}
    assert writer.spooled_bytes > 0

    sink.error = None
    await asyncio.gather(*(writer.put(record, is_durable=True) for record in records[15:]))
    await _replayed(writer)
    await writer.close()

    assert {record.id for record in records} == await _stored(plain_store)
    spooled = [ident for ident in sink.stored if ident in {record.id for record in records[1:15]}]
    assert [record.id for record in records[1:15]] == spooled
    assert observer.counts["spooled"] == observer.counts["replayed"] >= 14
    assert observer.counts["most_spool_bytes"] > observer.counts["spool_bytes"] == 0


async def test_spool_of_an_earlier_process_is_replayed(
    plain_store: Store, sink: ScriptedSink, observer: CountingObserver, tmp_path: Path
) -> None:
    """What a process left in its spool is stored by the next, once, stored before or not."""
    sink.error = AWAY
    records = [exchange() for _ in range(3)]
    writer = await _started(plain_store, sink, observer, _spooling(tmp_path, retry_s=60))
    for record in records:
        await writer.put(record, is_durable=True)
    await writer.close()
    async with plain_store.writing() as unit:
        await unit.interactions.add(records[0])

    again = await _started(plain_store, None, observer, _spooling(tmp_path))
    await _replayed(again)
    await again.close()

    assert {record.id for record in records} == await _stored(plain_store)
    assert list((tmp_path / "spool").iterdir()) == []


async def test_slow_commit_counts_as_away(
    plain_store: Store, sink: ScriptedSink, observer: CountingObserver, tmp_path: Path
) -> None:
    """A commit that does not end in time is given up for the spool."""
    options = _spooling(tmp_path, commit_limit_s=0.01, retry_s=60)
    writer = await _started(plain_store, sink, observer, options)
    sink.gate.clear()

    await writer.put(exchange(), is_durable=True)

    assert (observer.counts["spooled"], writer.is_healthy) == (1, False)
    await writer.close()


async def test_full_spool_is_an_error(
    plain_store: Store, sink: ScriptedSink, observer: CountingObserver, tmp_path: Path
) -> None:
    """With the store away and the spool full the waiter is told."""
    sink.error = AWAY
    writer = await _started(plain_store, sink, observer, _spooling(tmp_path, spool_bytes=10))

    with pytest.raises(SpoolFull):
        await writer.put(exchange(), is_durable=True)

    await writer.close()
    assert observer.errors == {"spool_full": 1}


async def test_poisoned_spool_line_is_put_aside(
    plain_store: Store, sink: ScriptedSink, observer: CountingObserver, tmp_path: Path
) -> None:
    """A spooled record that the store never takes does not hold up the others."""
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "spool_1.jsonl").write_bytes(b"garbage\n")
    sink.error = AWAY
    writer = await _started(plain_store, sink, observer, _spooling(tmp_path))
    record = exchange()
    await writer.put(record, is_durable=True)

    sink.error = None
    await _replayed(writer)
    await writer.close()

    assert [record.id] == sink.stored
    assert (folder / "rejected.txt").read_bytes() == b"garbage\n"


async def test_closing_stores_what_waits(
    plain_store: Store, sink: ScriptedSink, observer: CountingObserver
) -> None:
    """Closing writes everything first, then takes no more."""
    writer = await _started(plain_store, sink, observer)
    for _ in range(50):
        await writer.put(exchange(), is_durable=False)

    await writer.close()

    assert len(sink.stored) == 50
    assert not writer.is_healthy
    with pytest.raises(WriterClosed):
        await writer.put(exchange(), is_durable=False)


async def test_closing_does_not_wait_for_ever(
    plain_store: Store, sink: ScriptedSink, observer: CountingObserver
) -> None:
    """When the store hangs, closing ends after its limit and answers every waiter."""
    writer = await _started(plain_store, sink, observer)
    sink.gate.clear()
    puts = [asyncio.create_task(writer.put(exchange(), is_durable=True)) for _ in range(3)]
    await until(lambda: sink.attempts)
    puts += [asyncio.create_task(writer.put(exchange(), is_durable=True)) for _ in range(3)]
    await until(lambda: writer.pending_records == len(puts))

    await writer.close(drain_s=0.01)

    results = await asyncio.gather(*puts, return_exceptions=True)
    assert [WriterClosed] * 6 == [type(result) for result in results]


async def test_gone_caller_loses_nothing(
    plain_store: Store, sink: ScriptedSink, observer: CountingObserver
) -> None:
    """A record whose caller was cancelled while waiting is stored all the same."""
    writer = await _started(plain_store, sink, observer)
    sink.gate.clear()
    put = asyncio.create_task(writer.put(exchange(), is_durable=True))
    await until(lambda: sink.attempts)

    put.cancel()
    await asyncio.wait([put])
    sink.gate.set()
    await writer.close()

    assert len(sink.stored) == 1


async def test_put_before_start_is_refused(plain_store: Store, sink: ScriptedSink) -> None:
    """A writer that was not started says so and never hangs."""
    writer = Writer(plain_store, sink=sink)

    with pytest.raises(WriterClosed):
        await writer.put(exchange(), is_durable=True)

    await writer.close()


async def test_feedback_gets_its_turn_under_load(plain_store: Store) -> None:
    """Units of work that write go on while the writer is busy."""
    writer = Writer(plain_store)
    await writer.start()

    async def traffic(record: InteractionRecord) -> None:
        await writer.put(record, is_durable=True)

    async def other() -> None:
        async with plain_store.writing() as unit:
            await unit.interactions.add(exchange())

    await asyncio.gather(*(traffic(exchange()) for _ in range(200)), *(other() for _ in range(20)))
    await writer.close()

    assert len(await _stored(plain_store)) == 220
