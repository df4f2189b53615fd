"""Users whose prompts are vetoed again and again, on both engines and over the wire."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from service.abuse import MAX_WAITING, Guard
from service.cli import main
from service.errors import Overloaded, UserStopped
from service.settings import AbuseSettings
from storage.errors import InvalidCursor
from storage.ids import new_id, now_us
from storage.keys import new_key
from storage.records import InteractionRecord
from storage.repositories.paging import encode_cursor
from storage.store import Store
from storage.writer import Writer
from tests.fakes.local import local_settings, serving_locally
from tests.fakes.upstream import Upstream
from tests.patience import until
from tests.service.watch.conftest import Clock
from tests.storage.building import exchange

BODIES = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hello?"}]},
    "/v1/completions": {"prompt": "Hello?"},
    "/v1/responses": {"input": "Hello?"},
    "/v1/messages": {"max_tokens": 9, "messages": [{"role": "user", "content": "Hello?"}]},
}


def vetoed(
    user: str | None = "eve", *, at_us: int, key_id: str | None = "key_1", **changes: Any
) -> InteractionRecord:
    """An exchange whose prompt was vetoed."""
    fields = {"status": "prompt_vetoed", "verdict": "veto", "user": user, "key_id": key_id}
    return exchange(id=new_id("fl", at_us), created_us=at_us, **fields | changes)


async def keep(store: Store, *records: InteractionRecord) -> None:
    """Stores exchanges."""
    writer = Writer(store)
    await writer.start()
    for record in records:
        await writer.put(record, is_durable=True)
    await writer.close()


@dataclass
class Meter:
    done: list[str] = field(default_factory=list)

    def abuse(self, action: str) -> None:
        self.done.append(action)

    def watch_failed(self, watcher: str) -> None:
        self.done.append(f"{watcher} failed")


@dataclass
class Desk:
    """A guard over a store, and a clock."""

    store: Store
    clock: Clock
    meter: Meter = field(default_factory=Meter)

    def guard(self, **wanted: Any) -> Guard:
        """A guard that acts from three vetoes in ten minutes on, for an hour."""
        settings = {"after": 3, "within_minutes": 10, "for_minutes": 60} | wanted
        return Guard(self.store, AbuseSettings(**settings), meter=self.meter, clock_us=self.clock)

    async def veto(self, *minutes_ago: float, user: str | None = "eve", **changes: Any) -> None:
        """Has a user's prompts vetoed so long ago."""
        at = [self.clock() - round(minutes * 60e6) for minutes in minutes_ago]
        await keep(self.store, *(vetoed(user, at_us=one, **changes) for one in at))


@pytest.fixture
def desk(store: Store, clock: Clock) -> Desk:
    """An empty record."""
    return Desk(store, clock)


async def test_so_many_vetoes_in_a_time_stop_a_user(desk: Desk) -> None:
    """From the third on, until an hour after it, and nobody else; a restart changes nothing."""
    await desk.veto(5, 4)
    guard = desk.guard()
    await guard.read()
    assert guard.standing("key_1", "eve") is None

    await desk.veto(3)
    for each in (guard, desk.guard()):
        await each.read()
        with pytest.raises(UserStopped) as told:
            each.expect_welcome("key_1", "eve")
        assert told.value.retry_after_s == 57 * 60
        for key_id, user in (("key_1", "ann"), ("key_2", "eve"), ("key_1", None), (None, None)):
            assert each.standing(key_id, user) is None
    assert desk.meter.done == ["stopped"] * 2

    desk.clock.forward(57 * 60)
    guard.expect_welcome("key_1", "eve")


async def test_vetoes_far_apart_stop_nobody(desk: Desk) -> None:
    """They have to fall within the time; those that did hold on after it has passed."""
    await desk.veto(31, 20, 9, 1)
    await desk.veto(40, 39, 38, user="earlier")
    await desk.veto(70, 69, 68, user="long ago")
    guard = desk.guard()
    await guard.read()

    assert guard.standing("key_1", "eve") is None
    found = guard.standing("key_1", "earlier")
    assert found is not None
    assert found.until_us == desk.clock() + 22 * 60_000_000
    assert guard.standing("key_1", "long ago") is None


async def test_only_vetoed_prompts_count(desk: Desk) -> None:
    """Neither vetoed replies nor prompts that were let through in the shadow."""
    for status in ("vetoed", "completed", "rejected"):
        await desk.veto(3, 2, 1, status=status)
    guard = desk.guard()
    await guard.read()

    assert guard.standing("key_1", "eve") is None


async def test_who_has_no_name_is_their_key(desk: Desk) -> None:
    """And who has no key either is nobody: that would be everyone."""
    await desk.veto(3, 2, 1, user=None)
    await desk.veto(3, 2, 1, user=None, key_id=None)
    guard = desk.guard()
    await guard.read()

    assert guard.standing("key_1", None) is not None
    assert guard.standing("key_1", "ann") is None
    assert guard.standing(None, None) is None


async def test_a_whole_key_can_be_one(desk: Desk) -> None:
    """Then another name helps nobody."""
    for number, user in enumerate(("a", "b", None)):
        await desk.veto(number + 1, user=user)
    await desk.veto(3, 2, 1, key_id=None)
    guard = desk.guard(by="key")
    await guard.read()

    assert guard.standing("key_1", "a new name") is not None
    assert guard.standing(None, "eve") is None


async def test_one_veto_may_be_enough(desk: Desk) -> None:
    """`after: 1`."""
    await desk.veto(1)
    guard = desk.guard(after=1)
    await guard.read()

    assert guard.standing("key_1", "eve") is not None


async def test_slowed_requests_wait_and_are_bounded(desk: Desk) -> None:
    """Past a hundred that wait, the next is refused; who leaves makes room."""
    await desk.veto(3, 2, 1)
    guard = desk.guard(action="slow", delay_ms=60_000)
    await guard.read()
    guard.expect_welcome("key_1", "eve")
    assert await guard.delay("key_1", "ann") == 0.0
    waiting = [asyncio.create_task(guard.delay("key_1", "eve")) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await guard.delay("key_1", "eve")
    waiting[0].cancel()
    await asyncio.sleep(0.01)
    another = asyncio.create_task(guard.delay("key_1", "eve"))
    await asyncio.sleep(0.01)

    assert not another.done()
    for task in (*waiting, another):
        task.cancel()
    await asyncio.gather(*waiting, another, return_exceptions=True)
    assert (desk.meter.done.count("slowed"), desk.meter.done.count("crowded")) == (101, 1)


async def test_it_is_off_unless_set(desk: Desk) -> None:
    """Nothing is read and nobody is known."""
    await desk.veto(3, 2, 1)
    guard = desk.guard(after=None)
    await guard.start()

    assert guard.standing("key_1", "eve") is None
    assert guard._task is None
    await guard.stop()


async def test_a_running_guard_reads_again_and_again(desk: Desk) -> None:
    """What another replica has recorded holds here a moment later."""
    guard = desk.guard(refresh_s=0.1)
    await guard.start()
    await desk.veto(3, 2, 1)

    await until(lambda: guard.standing("key_1", "eve") is not None)
    await guard.stop()


def stopping(folder: Path, **abuse: Any) -> Any:
    """Settings that act from three vetoes on."""
    return local_settings(folder, abuse={"after": 3, "refresh_s": 300} | abuse)


@pytest.mark.parametrize("route", BODIES)
async def test_a_stopped_user_is_told_in_the_routes_own_format(tmp_path: Path, route: str) -> None:
    """403 with `retry-after`, before any upstream is asked; others are served as ever."""
    async with serving_locally(stopping(tmp_path)) as local:
        now = now_us()
        await local.keep(*(vetoed(at_us=now, key_id=None) for _ in range(3)))
        await local.state.guard.read()
        body = {"model": "m"} | BODIES[route]
        got = await local.client.post(route, json=body | {"fairlead": {"user": "eve"}})
        other = await local.client.post(route, json=body | {"fairlead": {"user": "ann"}})
        listed = (await local.client.get("/v1/abuse")).json()
        recorded = (await local.client.get("/v1/interactions?status=rejected")).json()

    assert got.status_code == 403
    assert 3500 < int(got.headers["retry-after"]) <= 3600
    told = got.json()
    code = told["code"] if route == "/v1/messages" else told["error"]["code"]
    assert (code, told["error"]["type"]) == ("user_stopped", "permission_error")
    assert other.status_code == 502  # there is no upstream: it was asked
    (item,) = listed["items"]
    assert (item["user"], item["prompt_vetoes"], item["action"]) == ("eve", 3, "stop")
    assert [one["error_code"] for one in recorded["items"]] == ["user_stopped"]


async def test_a_slowed_user_holds_no_place_at_the_upstream(tmp_path: Path) -> None:
    """While one waits another takes the only place; then the slowed one is served too."""
    async with Upstream() as upstream:
        wanted = stopping(tmp_path, action="slow", delay_ms=3000).model_copy(
            update={"upstreams": _one_place(tmp_path, upstream.url)}
        )
        async with serving_locally(wanted) as local:
            now = now_us()
            await local.keep(*(vetoed(at_us=now, key_id=None) for _ in range(3)))
            await local.state.guard.read()
            body = {"model": "m"} | BODIES["/v1/chat/completions"]

            async def ask(user: str) -> Any:
                sent = body | {"fairlead": {"user": user}}
                return await local.client.post("/v1/chat/completions", json=sent)

            slowed = asyncio.create_task(ask("eve"))
            await asyncio.sleep(0.1)
            quick = await ask("ann")
            assert not slowed.done()
            slow = await slowed
            figures = (await local.client.get("/metrics")).text

    assert (quick.status_code, slow.status_code) == (200, 200)
    assert float(slow.headers["x-fairlead-overhead-ms"]) < 3000
    assert 'fairlead_abuse_total{action="slowed"} 1.0' in figures


def _one_place(folder: Path, url: str) -> Any:
    upstreams = [{"url": url, "max_concurrency": 1, "queue_s": 0}]
    return local_settings(folder, upstreams=upstreams).upstreams


async def test_a_key_sees_its_own_users(tmp_path: Path) -> None:
    """An admin sees all, with their keys."""
    settings = local_settings(tmp_path, access={"required": True})
    async with serving_locally(settings) as local:
        keys = [new_key(name, scopes) for name, scopes in (("a", ["feedback"]), ("b", ["admin"]))]
        async with local.state.store.writing() as unit:
            for _, record in keys:
                await unit.keys.add(record)
        now = now_us()
        await local.keep(
            vetoed("mine", at_us=now, key_id=keys[0][1].id),
            vetoed("other", at_us=now, key_id="key_2"),
            vetoed("other", at_us=now - 1, key_id="key_2"),
            vetoed("old", at_us=now - 25 * 3600 * 1_000_000, key_id="key_2"),
        )
        seen = [
            (await local.client.get("/v1/abuse", headers={"x-fairlead-key": key})).json()["items"]
            for key, _ in keys
        ]
        whole = await local.client.get(
            "/v1/abuse?since=2020-01-01&limit=1", headers={"x-fairlead-key": keys[1][0]}
        )

    assert [(one["user"], one["key_id"]) for one in seen[0]] == [("mine", None)]
    assert [(one["user"], one["prompt_vetoes"]) for one in seen[1]] == [("other", 2), ("mine", 1)]
    assert seen[1][0]["key_id"] == "key_2"
    assert len(whole.json()["items"]) == 1


async def test_a_pardoned_user_is_served_and_counts_anew(desk: Desk) -> None:
    """Until the moment of the pardon, under that key, and nobody else."""
    await desk.veto(3, 2, 1)
    await desk.veto(3, 2, 1, key_id="key_2")
    await desk.veto(3, 2, 1, user="ann")
    guard = desk.guard()
    async with desk.store.writing() as unit:
        struck = await unit.abuse.struck(user="eve", key_id="key_1", is_by_key=False)
        await unit.abuse.pardon(struck, now_us=desk.clock())
    await guard.read()
    pardoned = guard.standing("key_1", "eve")
    desk.clock.forward(600)
    await desk.veto(3, 2, user="eve")
    await guard.read()
    at_two = guard.standing("key_1", "eve")
    await desk.veto(1)
    await guard.read()

    assert struck == {("key_1", "eve"): 3}
    assert (pardoned, at_two) == (None, None)
    for key, user in (("key_2", "eve"), ("key_1", "ann"), ("key_1", "eve")):
        assert guard.standing(key, user) is not None


async def test_a_pardoned_key_counts_anew(desk: Desk) -> None:
    """Where whole keys are counted, whatever users their vetoes had; others stay."""
    for key in ("key_1", "key_2"):
        for number, user in enumerate(("a", "b", None)):
            await desk.veto(number + 1, user=user, key_id=key)
    guard = desk.guard(by="key")
    async with desk.store.writing() as unit:
        struck = await unit.abuse.struck(user=None, key_id="key_1", is_by_key=True)
        await unit.abuse.pardon(struck, now_us=desk.clock())
        listed = await unit.abuse.users(since_us=0, is_by_key=True)
    await guard.read()

    assert struck == {("key_1", None): 3}
    assert guard.standing("key_1", "a") is None
    assert guard.standing("key_2", "a") is not None
    assert {one.key_id for one in listed.items} == {"key_2"}


async def test_the_list_has_pages(desk: Desk) -> None:
    """Each user once, in order, although time goes on; a foreign cursor is refused."""
    for number, name in enumerate(("a", "b", "c", "d", "e")):
        await desk.veto(*range(1, 3 + number // 2), user=name)
    since_us = desk.clock() - 3600 * 1_000_000
    names, cursor, sizes = [], None, []
    async with desk.store.reading() as unit:
        while cursor is not None or not sizes:
            page = await unit.abuse.users(since_us=since_us, limit=2, cursor=cursor)
            names += [(one.user, one.prompts) for one in page.items]
            sizes.append(len(page.items))
            cursor, since_us = page.next_cursor, desk.clock()
        whole = await unit.abuse.users(since_us=0)
        first = await unit.abuse.users(since_us=0, limit=1)
        for foreign in (first.next_cursor, "nonsense", encode_cursor(1, "x", digest="y")):
            with pytest.raises(InvalidCursor):
                await unit.abuse.users(since_us=0, key_id="key_1", cursor=foreign)

    assert sizes == [2, 2, 1]
    assert names == [(one.user, one.prompts) for one in whole.items]
    assert [prompts for _, prompts in names] == [4, 3, 3, 2, 2]
    assert whole.next_cursor is None


async def test_an_admin_pardons_over_the_wire(tmp_path: Path) -> None:
    """The user is served again at once; the audit log says who did it and not for whom."""
    settings = stopping(tmp_path, refresh_s=300)
    settings = settings.model_copy(update={"access": settings.access.model_copy(
        update={"required": True})})  # fmt: skip
    async with serving_locally(settings) as local:
        keys = [new_key(name, scopes) for name, scopes in (("a", ["feedback"]), ("b", ["admin"]))]
        async with local.state.store.writing() as unit:
            for _, record in keys:
                await unit.keys.add(record)
        now = now_us()
        await local.keep(*(vetoed(at_us=now) for _ in range(3)))
        await local.state.guard.read()
        before = local.state.guard.standing("key_1", "eve")

        async def pardon(key: str, **body: Any) -> Any:
            headers = {"x-fairlead-key": key}
            return await local.client.post("/v1/abuse/pardons", json=body, headers=headers)

        (own, _), (admin, record) = keys
        refused = await pardon(own, user="eve")
        nobody = await pardon(admin)
        unknown = await pardon(admin, user="mallory")
        done = await pardon(admin, user="eve")
        again = await pardon(admin, user="eve")
        listed = await local.client.get("/v1/abuse", headers={"x-fairlead-key": admin})
        log = await local.client.get("/v1/audit?action=pardon", headers={"x-fairlead-key": admin})

    assert before is not None
    assert [one.status_code for one in (refused, nobody, unknown, again)] == [403, 400, 404, 404]
    assert done.status_code == 200
    assert done.json()["items"] == [{"user": "eve", "key_id": "key_1", "prompt_vetoes": 3}]
    assert local.state.guard.standing("key_1", "eve") is None
    assert listed.json() == {"items": [], "next_cursor": None}
    ended, begun = log.json()["items"]
    assert (begun["outcome"], ended["outcome"]) == ("started", "done")
    assert (ended["actor"], ended["run_id"]) == (f"key:{record.id}", done.json()["id"])
    assert (ended["filters"], ended["counts"]) == ({"user": True}, {"prompts": 3})


async def test_the_command_pardons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once; then nothing is left, which is told, as is that nobody was named."""
    settings = stopping(tmp_path)
    async with serving_locally(settings) as local:
        await local.keep(*(vetoed(at_us=now_us(), key_id=None) for _ in range(3)))
    file = tmp_path / "fairlead.yaml"
    file.write_text(json.dumps({"database_url": settings.database_url, "abuse": {"after": 3}}))
    words = ["abuse", "pardon", "--config", str(file)]

    assert await asyncio.to_thread(main, [*words, "--user", "eve"]) == 0
    assert "3 vetoed prompts count no more" in capsys.readouterr().out
    assert await asyncio.to_thread(main, [*words, "--user", "eve"]) == 2
    assert "no vetoed prompts of this name count" in capsys.readouterr().err
    assert await asyncio.to_thread(main, words) == 2
    assert "name a `user`" in capsys.readouterr().err


async def test_the_command_lists_users(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a table and as JSON, with what is done about them; a wrong time is told."""
    settings = stopping(tmp_path)
    async with serving_locally(settings) as local:
        await local.keep(*(vetoed(at_us=now_us(), key_id=None) for _ in range(3)))
    file = tmp_path / "fairlead.yaml"
    file.write_text(json.dumps({"database_url": settings.database_url, "abuse": {"after": 3}}))
    words = ["abuse", "list", "--config", str(file)]

    assert await asyncio.to_thread(main, [*words, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["user"], row["prompt_vetoes"], row["action"]) == ("eve", "3", "stop")
    assert await asyncio.to_thread(main, words) == 0
    assert "eve" in capsys.readouterr().out
    assert await asyncio.to_thread(main, [*words, "--since", "yesterday"]) == 2
    assert "--since takes a time" in capsys.readouterr().err
