"""Recorded prompts are sent to a candidate once each, and its answers are recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.cli import main
from service.recorder import prompt_hash
from service.replay import replaying, request_of
from service.settings import Settings
from storage import migrate
from storage.records import InteractionRecord
from storage.repositories.watched import REPLAYED, Selection, WatchedExchange
from storage.store import Store
from tests.fakes.local import exchange
from tests.fakes.scripts import Status, plain
from tests.fakes.upstream import ThreadedUpstream, Upstream, closed_port_url


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A migrated store that the command uses, in a service that scores nothing."""
    found = f"sqlite+aiosqlite:///{tmp_path / 'fairlead.db'}"
    (tmp_path / "fairlead.yaml").write_text("policies: {default: {prompt: {}, reply: {}}}\n")
    monkeypatch.setenv("FAIRLEAD_CONFIG", str(tmp_path / "fairlead.yaml"))
    monkeypatch.setenv("FAIRLEAD_DATABASE_URL", found)
    asyncio.run(migrate.upgrade(found))
    return found


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """The candidate."""
    with ThreadedUpstream() as running:
        running.script = plain("A new answer.")
        yield running


def asked(ident: str, text: str, **fields: Any) -> InteractionRecord:
    """A recorded question."""
    messages = [{"role": "user", "content": text}]
    request = {"messages": messages, "tools": None, "params": {"temperature": 0.5}}
    base = {"request": request, "prompt_hash": prompt_hash(messages), "model": "old"}
    return exchange(ident, **base | fields)


def keep(url: str, *records: InteractionRecord) -> None:
    """Stores exchanges."""

    async def kept() -> None:
        store = await Store.open(url)
        async with store.writing() as unit:
            for record in records:
                await unit.interactions.add(record)
        await store.close()

    asyncio.run(kept())


def found(url: str, tag: str) -> list[WatchedExchange]:
    """The exchanges with a tag."""

    async def read() -> list[WatchedExchange]:
        store = await Store.open(url)
        async with store.reading() as unit:
            result = await unit.watched.exchanges(Selection(tag=tag), has_texts=True)
        await store.close()
        return result

    return asyncio.run(read())


def replay(upstream_url: str, *more: str, source: str = "model=old") -> int:
    """Runs the command, fast."""
    fast = ("--rate", "1000", "--tag", "try")
    return main(["replay", "--from", source, "--upstream", upstream_url, *fast, *more])


def test_each_prompt_is_asked_once_and_its_answer_recorded(url: str, upstream: Upstream) -> None:
    """As it was asked, with the new model's name, under the tag and under one of replays."""
    keep(url, asked("a", "One?"), asked("b", "One?"), asked("c", "Two?", context=["A source."]))

    assert replay(upstream.url, "--model", "new") == 0

    bodies = [seen.json for seen in upstream.seen]
    assert sorted(body["messages"][0]["content"] for body in bodies) == ["One?", "Two?"]
    assert all(body["model"] == "new" and body["temperature"] == 0.5 for body in bodies)
    assert all("fairlead" not in body for body in bodies)
    answers = found(url, "try")
    assert [one.reply for one in answers] == ["A new answer."] * 2
    assert {one.prompt_hash for one in answers} == {
        prompt_hash([{"role": "user", "content": text}]) for text in ("One?", "Two?")
    }
    assert len(found(url, REPLAYED)) == 2


def test_a_replay_goes_on_where_it_stopped(
    url: str, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    """What has an answer under the tag is not sent again; what failed is."""
    keep(url, *(asked(f"a{at}", f"Question {at}?") for at in range(3)))
    assert replay(upstream.url, "--limit", "1") == 0
    assert "2 are left" in capsys.readouterr().out

    upstream.script = Status(500, b"{}")
    assert replay(upstream.url) == 1
    assert "failed: 2" in capsys.readouterr().out
    upstream.script = plain("A new answer.")
    assert replay(upstream.url) == 0

    assert "answered already: 1" in capsys.readouterr().out
    assert len([one for one in found(url, "try") if one.status == "completed"]) == 3
    assert replay(upstream.url) == 0
    assert "answered already: 3" in capsys.readouterr().out


def test_a_budget_of_tokens_ends_it(
    url: str, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is under way is still recorded."""
    keep(url, *(asked(f"a{at}", f"Question {at}?") for at in range(4)))

    assert replay(upstream.url, "--budget-tokens", "1", "--concurrency", "1") == 0

    assert "of 1 allowed" in capsys.readouterr().out
    assert len(found(url, "try")) == 1


def test_an_upstream_that_is_not_there_ends_it(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """After five failures in a row; nothing is lost."""
    keep(url, *(asked(f"a{at}", f"Question {at}?") for at in range(12)))

    assert replay(closed_port_url(), "--concurrency", "1") == 1

    out = capsys.readouterr().out
    assert "5 requests in a row failed" in out
    assert "the last failure: 502 no connection to the upstream candidate" in out
    assert "7 are left" in out


def test_a_selector_that_nothing_fits_is_told(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is sent, and the reason is a line."""
    keep(url, asked("a1", "Question?"))
    argv = ["replay", "--from", "model=other", "--upstream", closed_port_url(), "--tag", "try"]

    assert main(argv) == 0
    assert "no recorded reply fits --from model=other" in capsys.readouterr().out


def test_what_cannot_be_asked_again_is_told(
    url: str, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other routes, texts that were not kept, attachments."""
    picture = {"type": "image_url", "image_url": {"url": {"sha256": "x", "bytes": 1}}}
    image = {"messages": [{"role": "user", "content": [picture]}]}
    keep(
        url,
        asked("a", "One?", route="/v1/messages"),
        asked("b", "Two?", request=None),
        asked("c", "Three?", request={"text": "redact", "messages": [{"role": "user"}]}),
        asked("d", "Four?", request=image),
    )

    assert replay(upstream.url) == 0

    out = capsys.readouterr().out
    assert upstream.seen == []
    assert "of another route: 1" in out
    assert "not kept as it was: 2" in out
    assert "with attachments, which are not kept: 1" in out


def test_sources_that_stand_in_the_messages_are_not_given_twice() -> None:
    """The rest of the context goes beside them."""
    record = asked("a", "Read: A source.", context=["A source.", "Another."])

    body = request_of(record, tag="t", model=None)

    assert isinstance(body, dict)
    assert body["fairlead"] == {"context": ["Another."], "tags": ["t", REPLAYED]}
    assert body["model"] == "old"


def test_policies_are_quiet_in_a_replay() -> None:
    """They score all, change nothing, and ask the upstream for nothing more."""
    rules = {"sycophancy": {"mode": "twin", "flag": 0.5, "twin_sample": 1.0}}
    settings = Settings.model_validate({"policies": {"default": {"reply": rules}}})

    policy = replaying(settings, "http://new/v1", None).policies["default"]

    assert policy.mode == "shadow"
    assert (policy.reply["sycophancy"].mode, policy.reply["sycophancy"].twin_sample) == (
        "classifier",
        0.0,
    )


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["--from", "modle=x", "--upstream", "http://x/v1"], "did you mean"),
        (["--from", "model=x", "--upstream", "x"], "base URL"),
        (["--from", "model=x", "--upstream", "http://x/v1", "--rate", "0"], "not above 0"),
    ],
)
def test_bad_usage_is_told(
    argv: list[str], complaint: str, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and what is wrong."""
    assert main(["replay", *argv]) == 2
    assert complaint in capsys.readouterr().err
