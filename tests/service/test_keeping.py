"""Old exchanges go by themselves, and by `fairlead db prune`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from service.cli import main
from service.settings import Retention
from service.watch.keeping import Keeping
from storage import migrate
from storage.errors import StoreUnavailable
from storage.ids import new_id, now_us
from storage.store import Store
from tests.fakes.local import exchange, local_settings, serving_locally
from tests.storage.building import thumb

DAY_US = 86_400_000_000


async def _two(url: str) -> tuple[str, str]:
    """An old exchange and a new one, each with a thumb; their ids."""
    await migrate.upgrade(url)
    store = await Store.open(url)
    idents = []
    for days in (100, 0):
        at_us = now_us() - days * DAY_US
        record = exchange(new_id("fl", at_us), created_us=at_us)
        async with store.writing() as unit:
            await unit.interactions.add(record)
            await unit.feedback.add(thumb(record, "up"))
        idents.append(record.id)
    await store.close()
    return idents[0], idents[1]


async def _left(url: str) -> tuple[set[str], int]:
    store = await Store.open(url)
    async with store.reading() as unit:
        idents = {item.id for item in (await unit.interactions.page()).items}
        thumbs = len((await unit.feedback.page()).items)
    await store.close()
    return idents, thumbs


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The store of the commands."""
    found = f"sqlite+aiosqlite:///{tmp_path / 'fairlead.db'}"
    monkeypatch.setenv("FAIRLEAD_DATABASE_URL", found)
    return found


def test_prune_tells_what_went(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run names what is too old and keeps it; the run names the same and removes it."""
    _, young = asyncio.run(_two(url))

    assert main(["db", "prune", "--days", "30", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert asyncio.run(_left(url))[1] == 2
    assert main(["db", "prune", "--days", "30"]) == 0

    assert told.splitlines() == [
        f"would remove from {table}: 1" for table in ("feedback", "interactions", "responses")
    ]
    assert capsys.readouterr().out == told.replace("would remove", "removed")
    assert asyncio.run(_left(url)) == ({young}, 1)
    assert main(["db", "prune", "--days", "30"]) == 0
    assert capsys.readouterr().out == "nothing is older than 30 days\n"


@pytest.mark.parametrize("words", [[], ["--days", "0"]])
def test_prune_needs_to_know_how_many_days(
    url: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a number nothing is removed, and it is said where the number goes."""
    asyncio.run(_two(url))

    assert main(["db", "prune", *words]) == 2

    assert "retention: {days: N}" in capsys.readouterr().err
    assert asyncio.run(_left(url))[1] == 2


async def test_a_look_removes_what_is_too_old(url: str) -> None:
    """A look removes what is older than the setting says, and keeps the rest."""
    _, young = await _two(url)
    store = await Store.open(url)

    await Keeping(store, Retention(days=30)).look()

    await store.close()
    assert await _left(url) == ({young}, 1)


async def test_everything_is_kept_unless_told(url: str) -> None:
    """Without a setting nothing is too old."""
    await _two(url)
    store = await Store.open(url)

    await Keeping(store, Retention()).look()

    await store.close()
    assert (await _left(url))[1] == 2


class BusyStore(Store):
    """A store whose tables somebody else holds."""

    def reading(self) -> Any:
        """Never."""
        raise StoreUnavailable("canceling statement due to lock timeout")


async def test_a_look_that_is_in_the_way_gives_up(url: str) -> None:
    """Where the store cannot be changed now the look ends, and the next one tries again."""
    await migrate.upgrade(url)
    store = await Store.open(url)

    await Keeping(BusyStore(store.engines), Retention(days=30)).look()

    await store.close()


async def test_a_running_service_removes_what_is_too_old(tmp_path: Path) -> None:
    """The watcher is among those that a service runs."""
    settings = local_settings(tmp_path, retention={"days": 30})
    _, young = await _two(settings.database_url)

    async with serving_locally(settings):
        await asyncio.wait_for(_until_one_is_left(settings.database_url), 60)

    assert await _left(settings.database_url) == ({young}, 1)


async def _until_one_is_left(url: str) -> None:
    while (await _left(url))[1] != 1:  # noqa: ASYNC110 the watcher tells nobody
        await asyncio.sleep(0.5)
