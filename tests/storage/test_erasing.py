"""One person's data is removed from every table, and nothing of anybody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from storage import tables
from storage.erasing import ERASED, EXCHANGES_AT_ONCE, NOBODY, Erased, Person, count, erase
from storage.ids import new_id, now_us
from storage.records import IdempotencyRecord, InteractionRecord
from storage.repositories.gaps import Asked
from storage.spool import Spool, to_line
from storage.spool_erasing import REJECTED, count_spooled, erase_spooled
from storage.store import Store
from tests.storage.building import exchange, preference, score, thumb

SECRET = "the zebra crossed at noon"


def asked(user: str | None, key_id: str | None = None, **changes: Any) -> InteractionRecord:
    """An exchange of a user, with a row in every table that belongs to exchanges."""
    ident = new_id("fl")
    base: dict[str, Any] = {
        "id": ident, "user": user, "key_id": key_id, "tags": ("a", "b"),
        "response_ids": (f"chatcmpl-{ident}",), "scores": (score(), score()),
        "attempts": [], "twin": {"reply": SECRET},
        "stance_probe": {"neutral": {"reply": SECRET}},
    }  # fmt: skip
    return exchange(SECRET, prompt=SECRET, **base | changes)


async def put(store: Store, *records: Any) -> None:
    """Stores exchanges, feedback and comparisons; of the latter two with an idempotency row."""
    async with store.writing() as unit:
        for record in records:
            if isinstance(record, InteractionRecord):
                await unit.interactions.add(record)
                asked_of = Asked(id=record.id, created_us=record.created_us, prompt=SECRET)
                await unit.gaps.place([(asked_of, b"vector")], "encoder")
                continue
            is_thumb = hasattr(record, "rating")
            await (unit.feedback if is_thumb else unit.comparisons).add(record)
            ranking = getattr(record, "ranking_id", None)
            answer = {"id": ranking or record.id, "comment": SECRET}
            kept = IdempotencyRecord(
                key=record.id, key_id="", endpoint="/v1/feedback", body_hash="h",
                response=answer, created_us=now_us(),
            )  # fmt: skip
            await unit.idempotency.add(kept)


async def rows(store: Store) -> dict[str, int]:
    """How many rows each table has."""
    async with store.reading() as unit:
        return {
            name: len((await unit.connection.execute(select(tables.metadata.tables[name]))).all())
            for name in ERASED
        }


def test_every_table_is_erased_or_said_to_hold_nobody() -> None:
    """Whoever adds a table decides: `ERASED` (and how, in `storage/erasing.py`) or `NOBODY`."""
    assert sorted([*ERASED, *NOBODY]) == sorted(tables.metadata.tables)
    assert set(ERASED).isdisjoint(NOBODY)


async def test_all_of_a_person_goes_and_nobody_elses(store: Store) -> None:
    """Exchanges and what belongs to them, what was said of them, and what the person said."""
    mine, other, nobody = asked("ann"), asked("bob"), asked(None)
    await put(store, mine, other, nobody)
    before = await rows(store)
    await put(
        store,
        thumb(mine, "up", rater="bob", comment=SECRET),
        thumb(other, "down", rater="ann", correction=SECRET),
        preference(mine, other, rater="bob"),
        preference(other, nobody, rater="ann", ranking_id="rnk_1"),
    )
    staying = [thumb(other, "up", rater="bob"), preference(other, nobody, rater="cleo")]
    await put(store, *staying)
    async with store.writing() as unit:
        await unit.abuse.pardon({(None, "ann"): 1, ("key_a", "bob"): 1}, now_us=now_us())
    erased = Erased()

    assert await count(store, Person("ann")) == {
        "interactions": 1, "scores": 2, "responses": 1, "tags": 2, "prompt_vectors": 1,
        "feedback": 2, "comparisons": 2, "idempotency": 4, "pardons": 1,
    }  # fmt: skip
    await erase(store, Person("ann"), erased)

    assert dict(erased.removed) == {
        "interactions": 1, "scores": 2, "responses": 1, "tags": 2, "prompt_vectors": 1,
        "feedback": 2, "comparisons": 2, "idempotency": 4, "pardons": 1,
    }  # fmt: skip
    assert set(erased.left) == set(ERASED)
    assert not +erased.left
    assert await count(store, Person("ann")) == dict.fromkeys(ERASED, 0)
    assert await rows(store) == {
        name: before[name] * 2 // 3
        for name in ("interactions", "scores", "responses", "tags", "prompt_vectors")
    } | {"feedback": 1, "comparisons": 1, "idempotency": 2, "pardons": 1}


async def test_of_a_tenant_only_its_own_go(store: Store) -> None:
    """Two tenants may each have a user 1; one of them cannot erase the other's."""
    first, second = asked("1", "key_a"), asked("1", "key_b")
    await put(store, first, second, thumb(second, "up", rater="1", key_id="key_b"))
    erased = Erased()

    await erase(store, Person("1", "key_a"), erased)

    assert erased.removed["interactions"] == 1
    assert erased.removed["feedback"] == 0
    assert (await rows(store))["interactions"] == 1
    assert (await count(store, Person("1")))["interactions"] == 1


async def test_many_exchanges_go_in_several_steps(store: Store) -> None:
    """More than one transaction takes, each whole."""
    size = EXCHANGES_AT_ONCE * 2 + 1
    await put(store, *(asked("ann") for _ in range(size)), asked("bob"))
    erased = Erased()

    await erase(store, Person("ann"), erased)

    assert (erased.removed["interactions"], erased.removed["scores"]) == (size, size * 2)
    assert (await rows(store))["interactions"] == 1


async def test_a_long_user_is_found_as_it_was_stored(store: Store) -> None:
    """The whole id erases, and nobody else whose id begins with the same 600 characters."""
    user, other = "u" * 700, "u" * 699 + "v"
    await put(store, asked(user), asked(other))
    erased = Erased()

    await erase(store, Person(user), erased)

    assert erased.removed["interactions"] == 1
    assert await count(store, Person("u" * 600)) == await count(store, Person("nobody"))
    assert (await count(store, Person(other)))["interactions"] == 1


async def test_an_unknown_person_is_nothing(store: Store) -> None:
    """No row, no error."""
    await put(store, asked("ann"))
    erased = Erased()

    await erase(store, Person("zoe"), erased)

    assert not +erased.removed
    assert (await rows(store))["interactions"] == 1


async def test_sqlite_files_have_no_trace(sqlite_file: Path) -> None:
    """Deleted pages are overwritten and the write-ahead log is emptied."""
    store = await Store.open(f"sqlite+aiosqlite:///{sqlite_file}")
    mine = [asked("ann", id=new_id("fl")) for _ in range(50)]
    await put(store, *mine, thumb(mine[0], "up", comment=SECRET))
    await put(store, *(exchange("Something else.", user="bob") for _ in range(50)))
    files = [sqlite_file, Path(f"{sqlite_file}-wal")]
    assert any(SECRET.encode() in path.read_bytes() for path in files)

    await erase(store, Person("ann"), Erased())

    assert not any(SECRET.encode() in path.read_bytes() for path in files if path.exists())
    assert (await rows(store))["interactions"] == 50
    await store.close()


def spooled(folder: Path) -> Spool:
    """A spool with two records of ann and one of bob."""
    spool = Spool(folder, limit_bytes=1 << 20)
    spool.open()
    spool.append([asked("ann"), asked("bob", "key_a"), asked("ann", "key_a")], is_durable=True)
    return spool


def test_spool_files_left_behind_are_rewritten(tmp_path: Path) -> None:
    """The others' records stay, in their order, for the next process to replay."""
    spooled(tmp_path).close()
    (tmp_path / REJECTED).write_bytes(to_line(asked("ann")) + to_line(asked("bob")) + b"ann?\n")

    assert count_spooled(tmp_path, Person("ann")).free == 4
    assert erase_spooled(tmp_path, Person("ann")) == 4

    again = Spool(tmp_path, limit_bytes=1 << 20)
    again.open()
    lines = again.peek(10)
    again.close()
    assert len(lines) == 1
    assert b'"user":"bob"' in lines[0]
    assert count_spooled(tmp_path, Person("ann")).free == 0
    assert (tmp_path / REJECTED).read_bytes().count(b"\n") == 1
    assert not list(tmp_path.glob("*.new"))


def test_a_file_with_a_torn_end_is_rewritten(tmp_path: Path) -> None:
    """A line that was never acknowledged goes with the old file."""
    spooled(tmp_path).close()
    path = next(tmp_path.glob("*.jsonl"))
    with path.open("ab") as file:
        file.write(to_line(asked("ann"))[:-40])

    assert erase_spooled(tmp_path, Person("ann")) == 2

    assert count_spooled(tmp_path, Person("ann")).free == 0
    assert not any(b'"ann"' in each.read_bytes() for each in tmp_path.glob("*.jsonl"))


def test_files_of_living_processes_are_left_alone(tmp_path: Path) -> None:
    """They are counted, so that the caller can say why nothing can be promised."""
    spool = spooled(tmp_path)

    found = count_spooled(tmp_path, Person("ann", "key_a"))
    removed = erase_spooled(tmp_path, Person("ann"))

    assert (found.free, found.held, removed) == (0, 1, 0)
    assert len(spool.peek(10)) == 3
    spool.close()


def test_a_file_without_the_person_is_untouched(tmp_path: Path) -> None:
    """Byte for byte."""
    spooled(tmp_path).close()
    path = next(tmp_path.glob("*.jsonl"))
    before = path.read_bytes()

    assert erase_spooled(tmp_path, Person("zoe")) == 0

    assert path.read_bytes() == before


@pytest.mark.parametrize("folder", ["missing", "."])
def test_without_a_spool_nothing_waits(tmp_path: Path, folder: str) -> None:
    """The folder may not be there."""
    assert count_spooled(tmp_path / folder, Person("ann")).free == 0
    assert erase_spooled(tmp_path / folder, Person("ann")) == 0
