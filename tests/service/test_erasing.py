"""A person's data erased over HTTP and on the command line, and the log of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.auditing import audited
from service.cli import main
from service.settings import Settings
from storage.errors import StoreUnavailable
from storage.exports.journal import Journal, part_path, state_path
from storage.exports.judgement import PromptGroup
from storage.keys import new_key
from storage.spool import Spool
from tests.fakes.local import Local, exchange, local_settings, serving_locally

SECRET = "a secret of sixteen bytes or more"
NOTHING = {"interactions": 0, "feedback": 0, "idempotency": 0, "spool": 0}


def settings_in(folder: Path, **values: Any) -> Settings:
    """Settings of a service with a secret for its log."""
    return local_settings(folder, privacy={"key_env": "PRIVACY_TEST_KEY"}, **values)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVACY_TEST_KEY", SECRET)


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    """A service with two exchanges of ann, one of bob, and feedback on each."""
    async with serving_locally(settings_in(tmp_path)) as running:
        await fill(running)
        yield running


async def fill(local: Local) -> None:
    """The exchanges, and ann's and bob's feedback on both, with idempotency keys."""
    await local.keep(
        exchange("fl_1", user="ann"), exchange("fl_2", user="ann"), exchange("fl_3", user="bob")
    )
    for ident in ("fl_1", "fl_3"):
        for rater in ("ann", "bob"):
            body = {"id": ident, "rating": "up", "rater": rater, "comment": "as I said"}
            headers = {"idempotency-key": f"{ident}-{rater}"}
            await local.client.post("/v1/feedback", json=body, headers=headers)


async def log(local: Local, **query: Any) -> list[dict[str, Any]]:
    """The audit log's newest lines."""
    reply = await local.client.get("/v1/audit", params=query)
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def test_a_person_is_erased_and_counted_again(local: Local) -> None:
    """Exchanges, what was said of them, what the person said of others'; bob's own stays."""
    told = (await local.client.post("/v1/erasures", json={"user": "ann"})).json()

    assert told["is_complete"]
    assert {name: told["removed"][name] for name in NOTHING} == {
        "interactions": 2, "feedback": 3, "idempotency": 3, "spool": 0,
    }  # fmt: skip
    assert not any(told["left"].values())
    assert set(told["left"]) == set(told["removed"])
    listed = (await local.client.get("/v1/interactions")).json()["items"]
    said = (await local.client.get("/v1/feedback")).json()["items"]
    assert [item["user"] for item in listed] == ["bob"]
    assert [(item["rater"], item["interaction_id"]) for item in said] == [("bob", "fl_3")]


async def test_the_log_has_beginning_and_end_and_no_name(local: Local) -> None:
    """Who, what and how much; the person only as a keyed hash, the same each time."""
    first = (await local.client.post("/v1/erasures", json={"user": "ann"})).json()
    await local.client.post("/v1/erasures", json={"user": "ann"})

    lines = await log(local)

    assert [line["outcome"] for line in lines] == ["done", "started", "done", "started"]
    assert {line["run_id"] for line in lines[2:]} == {first["id"]}
    assert lines[2]["counts"]["removed"]["interactions"] == 2
    assert lines[0]["counts"]["removed"].get("interactions", 0) == 0
    assert {line["actor"] for line in lines} == {"anyone"}
    assert len({line["subject"] for line in lines}) == 1
    assert "ann" not in str([{**line, "id": "", "run_id": ""} for line in lines])
    assert [line["id"] for line in await log(local, run_id=first["id"])] == [
        line["id"] for line in lines[2:]
    ]


async def test_a_dry_run_removes_nothing(local: Local) -> None:
    """It counts, and the log has no line of it."""
    told = (await local.client.post("/v1/erasures", json={"user": "ann", "dry_run": True})).json()

    assert (told["id"], told["dry_run"], told["is_complete"]) == (None, True, False)
    assert told["removed"]["interactions"] == 2
    assert len((await local.client.get("/v1/interactions")).json()["items"]) == 3
    assert await log(local) == []


@pytest.mark.parametrize("body", [{}, {"user": ""}, {"user": 1}, {"user": "a", "all": True}])
async def test_a_wrong_body_erases_nothing(local: Local, body: Any) -> None:
    """400, naming the field."""
    reply = await local.client.post("/v1/erasures", json=body)

    assert (reply.status_code, bool(reply.json()["error"]["param"])) == (400, True)
    assert len((await local.client.get("/v1/interactions")).json()["items"]) == 3


def is_there(target: Path) -> bool:
    """Whether the journal of an export to `target` is there, or its state."""
    part = part_path(target)
    return part.exists() or state_path(part).exists()


async def begun(local: Local, target: Path, *users: str) -> Journal:
    """The journal of an export to `target`, which is in the log, with exchanges of these users."""
    store = local.state.store
    async with audited(store, "export", actor="cli:me", filters={"file": str(target)}):
        journal = Journal.open(target, {})
    for user in users:
        asked = exchange(f"fl_{user}", user=user)
        group = PromptGroup(
            prompt_hash=user, interactions={asked.id: asked}, feedback=[], comparisons=[]
        )
        journal.add(group)
    journal.save("hash", {})
    return journal


async def test_journals_of_interrupted_exports_go(local: Local, tmp_path: Path) -> None:
    """Those in which the person is; another's stays, and one in use is told as left."""
    hers, his = tmp_path / "hers.jsonl", tmp_path / "his.jsonl"
    (await begun(local, his, "bob")).close()
    journal = await begun(local, hers, "bob", "ann")

    counted = (
        await local.client.post("/v1/erasures", json={"user": "ann", "dry_run": True})
    ).json()
    busy = (await local.client.post("/v1/erasures", json={"user": "ann"})).json()
    journal.close()
    done = (await local.client.post("/v1/erasures", json={"user": "ann"})).json()

    assert counted["removed"]["journals"] == busy["left"]["journals"] == 1
    assert (busy["is_complete"], done["is_complete"]) == (False, True)
    assert done["removed"]["journals"] == 1
    assert (is_there(his), is_there(hers)) == (True, False)


async def test_held_spool_files_are_refused(local: Local, tmp_path: Path) -> None:
    """Another process has a record of the person in its spool: 409, and nothing is removed."""
    folder = tmp_path / "fairlead.db.spool"
    spool = Spool(folder, limit_bytes=1 << 20)
    spool.open()
    spool.append([exchange("fl_9", user="ann")], is_durable=True)

    refused = await local.client.post("/v1/erasures", json={"user": "ann"})
    other = await local.client.post("/v1/erasures", json={"user": "bob"})
    kept = (await local.client.get("/v1/interactions")).json()["items"]
    spool.close()
    now = await local.client.post("/v1/erasures", json={"user": "ann"})

    assert refused.status_code == 409
    assert "running process" in refused.json()["error"]["message"]
    assert [item["user"] for item in kept] == ["ann", "ann"]
    assert other.json()["is_complete"]
    assert now.json()["removed"]["spool"] == 1
    assert not list(folder.glob("*.jsonl"))


async def test_each_key_erases_among_its_own(tmp_path: Path) -> None:
    """Only with the scope; an admin's reaches every tenant, and the log says whose it was."""
    settings = settings_in(tmp_path, access={"required": True})
    async with serving_locally(settings) as local:
        keys = {}
        async with local.state.store.writing() as unit:
            for name, scopes in (("a", ["erase"]), ("b", ["feedback"]), ("root", ["admin"])):
                plain, record = new_key(name, scopes)
                await unit.keys.add(record)
                keys[name] = ({"x-fairlead-key": plain}, record.id)
        for name in ("a", "b"):
            await local.keep(exchange(f"fl_{name}", user="1", key_id=keys[name][1]))

        async def erase(name: str) -> Any:
            body = {"user": "1"}
            return await local.client.post("/v1/erasures", json=body, headers=keys[name][0])

        refused, own = await erase("b"), await erase("a")
        hidden = await local.client.get("/v1/audit", headers=keys["a"][0])
        rest = await erase("root")
        lines = (await local.client.get("/v1/audit", headers=keys["root"][0])).json()["items"]

    assert (refused.status_code, hidden.status_code) == (403, 403)
    assert own.json()["removed"]["interactions"] == rest.json()["removed"]["interactions"] == 1
    assert [line["actor"] for line in lines[::2]] == [f"key:{keys[n][1]}" for n in ("root", "a")]
    assert lines[3]["filters"] == {"user": True, "key": keys["a"][1]}


async def test_exports_are_logged(local: Local) -> None:
    """With their filters and rows; a wrong format is a run that failed."""
    good = await local.client.get("/v1/preferences/export", params={"format": "kto", "model": "m"})
    bad = await local.client.get("/v1/preferences/export", params={"format": "nope"})

    lines = await log(local, action="export")

    assert (good.status_code, bad.status_code) == (200, 400)
    assert [line["outcome"] for line in lines] == ["failed", "started", "done", "started"]
    assert lines[2]["filters"] == {"format": "kto", "model": "m"}
    assert lines[2]["counts"] == {"rows": len(good.content.splitlines())}


async def test_the_log_is_paged(local: Local) -> None:
    """As the other lists are; a cursor of another list is refused."""
    for _ in range(3):
        await local.client.post("/v1/erasures", json={"user": "zoe"})

    first = (await local.client.get("/v1/audit", params={"limit": 4})).json()
    query = {"limit": 4, "cursor": first["next_cursor"]}
    rest = (await local.client.get("/v1/audit", params=query)).json()
    wrong = await local.client.get("/v1/audit", params={**query, "action": "export"})

    assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (4, 2, None)
    assert wrong.status_code == 400


def config(folder: Path) -> str:
    """A settings file for the command line."""
    path = folder / "fairlead.yaml"
    path.write_text(
        f"database_url: sqlite+aiosqlite:///{folder / 'fairlead.db'}\n"
        "privacy: {key_env: PRIVACY_TEST_KEY}\n"
    )
    return str(path)


@pytest.fixture
async def filled(tmp_path: Path) -> str:
    """The settings file of a store with the exchanges; its service has ended."""
    async with serving_locally(settings_in(tmp_path)) as running:
        await fill(running)
    return config(tmp_path)


def test_the_command_counts_erases_and_lists(
    filled: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`--dry-run` removes nothing; `--yes` does not ask; the export before it is in the log."""
    export = ["export", "kto", "-o", str(tmp_path / "out.jsonl"), "--config", filled]
    assert main(export) == 0
    capsys.readouterr()

    assert main(["erase", "--user", "ann", "--dry-run", "--config", filled]) == 0
    counted = capsys.readouterr().out
    assert main(["erase", "--user", "ann", "--yes", "--config", filled]) == 0
    erased = capsys.readouterr().out
    assert main(["erase", "--user", "ann", "--dry-run", "--config", filled]) == 0
    again = capsys.readouterr().out
    assert main(["audit", "list", "--config", filled]) == 0
    listed = capsys.readouterr().out

    assert re.search(r"interactions +2\b", counted)
    assert "nothing is left" in erased
    assert "Out of reach" in erased
    assert re.search(r"interactions +0\b", again)
    assert listed.count("  erase  ") == listed.count("  export  ") == 2
    assert "out.jsonl" in listed
    assert "cli:" in listed


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--user", "ann"], "--yes"),
        (["--user", "", "--yes"], "--user"),
        (["--user", "ann", "--yes", "--key", "nobody"], "nobody"),
    ],
)
def test_a_command_that_is_unclear_erases_nothing(
    filled: str, capsys: pytest.CaptureFixture[str], given: list[str], message: str
) -> None:
    """Exit code 2, and the message says what to add."""
    assert main(["erase", *given, "--config", filled]) == 2
    assert message in capsys.readouterr().err

    assert main(["erase", "--user", "ann", "--dry-run", "--config", filled]) == 0
    assert re.search(r"interactions +2\b", capsys.readouterr().out)


def test_the_command_refuses_held_spool_files(
    filled: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Exit code 1; the message says why and what to do."""
    spool = Spool(tmp_path / "fairlead.db.spool", limit_bytes=1 << 20)
    spool.open()
    spool.append([exchange("fl_9", user="ann")], is_durable=True)

    assert main(["erase", "--user", "ann", "--yes", "--config", filled]) == 1
    spool.close()

    assert "nothing was erased" in capsys.readouterr().err
    assert main(["erase", "--user", "ann", "--dry-run", "--config", filled]) == 0
    assert re.search(r"interactions +2\b", capsys.readouterr().out)


async def test_a_run_that_breaks_is_logged_as_failed(local: Local) -> None:
    """What was removed until then is in its last line."""

    async def broken() -> None:
        async with audited(local.state.store, "erase", actor="cli:t") as run:
            run.counts = {"removed": {"interactions": 1}}
            raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        await broken()

    lines = await log(local)
    assert [line["outcome"] for line in lines] == ["failed", "started"]
    assert lines[0]["counts"] == {"removed": {"interactions": 1}}
