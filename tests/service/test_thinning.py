"""Exports thinned, balanced, selected and ordered, over HTTP and on the command line."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from service.cli import main
from storage import migrate
from storage.records import FeedbackRecord, InteractionRecord
from storage.store import Store
from tests.fakes.local import local_settings, serving_locally
from tests.fakes.tiny_model import write_tiny_model
from tests.storage.building import exchange, thumb

TOPICS = ("tides", "ferries", "bread", "whales", "lamps", "rope")


def judged() -> list[tuple[InteractionRecord, FeedbackRecord]]:
    """A liked long and a disliked short reply to each of some prompts; two prompts are alike."""
    prompts = [f"Tell me about {topic}, please." for topic in (*TOPICS, "ROPE")]
    found = []
    for prompt in prompts:
        subject = prompt.split()[3].lower()
        good = exchange(f"There is a great deal to say about {subject}", prompt=prompt)
        bad = exchange("No.", prompt=prompt)
        found += [(good, thumb(good, "up")), (bad, thumb(bad, "down"))]
    return found


async def fill(store: Store) -> None:
    """Store the judged prompts."""
    async with store.writing() as unit:
        for record, said in judged():
            await unit.interactions.add(record)
            await unit.feedback.add(said)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("", 6),
        ("near_duplicates=off", 7),
        ("select=2", 2),
        ("select=2&by=margin", 2),
        ("near_duplicates=off&select=3&by=random&seed=7", 3),
        ("balance_length=true", 0),
        ("max_per_prompt=1&order=curriculum", 6),
    ],
)
async def test_the_route_takes_what_the_command_takes(
    tmp_path: Path, query: str, rows: int
) -> None:
    """Near-duplicates out, a selection, an even length, an order."""
    async with serving_locally(local_settings(tmp_path)) as local:
        await fill(local.state.store)
        reply = await local.client.get(f"/v1/preferences/export?format=dpo&{query}")

    assert (reply.status_code, len(reply.text.splitlines())) == (200, rows)


@pytest.mark.parametrize(
    "query",
    [
        "near_duplicates=0.3",
        "near_duplicates=maybe",
        "select=0",
        "max_per_prompt=-1",
        "by=taste",
        "by=margin",
        "order=backwards",
        "balance_length=true&format=kto",
        "weak=weighted",
        "until=2026-01-01&since=2026-02-01",
        "source=weak",
        "source=hearsay",
        "topic=tides",
        "domain=tides&format=instructlab",
        "min_margin=0.5&format=instructlab",
        "format=diary",
    ],
)
async def test_what_cannot_be_followed_is_refused(tmp_path: Path, query: str) -> None:
    """Before the answer has begun, with the parameter's name, and no flag of the command line."""
    wanted = query if "format=" in query else f"format=dpo&{query}"
    async with serving_locally(local_settings(tmp_path)) as local:
        reply = await local.client.get(f"/v1/preferences/export?{wanted}")

    error = reply.json()["error"]
    assert (reply.status_code, error["param"].split(".")[0]) == (400, query.partition("=")[0])
    assert error["message"].startswith(f"{error['param']}: ")
    assert "--" not in error["message"].replace("fairlead export --weak", "")


@pytest.fixture
def store_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with judged prompts, which the command finds."""
    for name in [name for name in os.environ if name.startswith("FAIRLEAD_")]:
        monkeypatch.delenv(name)
    url = f"sqlite+aiosqlite:///{tmp_path / 'fairlead.db'}"
    monkeypatch.setenv("FAIRLEAD_DATABASE_URL", url)

    async def prepare() -> None:
        await migrate.upgrade(url)
        store = await Store.open(url)
        await fill(store)
        await store.close()

    asyncio.run(prepare())
    return url


def exported(tmp_path: Path, *flags: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, rows and card of an export."""
    path = tmp_path / "pairs.jsonl"
    code = main(["export", "dpo", "-o", str(path), *flags])
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return code, rows, path.with_name("pairs.jsonl.card.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("store_url")
def test_diversity_is_that_of_the_scoring_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command asks the model's encoder, and the card does not speak of words."""
    model = write_tiny_model(tmp_path / "tiny")
    monkeypatch.setenv("FAIRLEAD_SCORING__MODEL", str(model))

    code, rows, card = exported(tmp_path, "--select", "3")

    assert (code, len(rows)) == (0, 3)
    assert "MinHash" not in card
    assert "| `not_selected`: other examples were selected | 3 |" in card


@pytest.mark.usefixtures("store_url")
def test_the_card_has_the_figures(tmp_path: Path) -> None:
    """Length, margins, groups, and what near-duplicates took."""
    _, rows, card = exported(tmp_path)

    assert len(rows) == 6
    assert "| chosen is longer | 100.0% |" in card
    assert "| what the rule “take the longer” gets right | 100.0% |" in card
    assert "| `near_repeated`: a near-duplicate stands for it | 1 |" in card


@pytest.mark.usefixtures("store_url")
@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (("--near-duplicates", "0.2"), "--near-duplicates: "),
        (("--select", "0"), "--select: must be 1 or more"),
        (("--min-margin", "7"), "--min-margin: goes from 0 to 1, not 7"),
        (("--min-margin", "nan"), "from 0 to 1, not nan"),
        (("--since", "2026-02-01", "--until", "2026-01-01"), "not after"),
        (("--weak", "--weak-least", "0.4"), "--weak-least: is above 0.5"),
        (("--source", "weak"), "--weak"),
        (("--source", "hearsay"), "--source: dpo has none named hearsay; there are "),
        (("--weak-least", "0.9"), "--weak-least: weak labels are there with --weak only"),
        (("--functions", "mine.py"), "--functions: labelling functions vote with --weak only"),
        (("--by", "margin"), "--by: says how rows are selected"),
        (("--topic", "tides"), "--topic: goes with instructlab only, not with dpo"),
        (("--document-repo", "https://x/y.git"), "--document-commit: is not given"),
    ],
)
def test_the_command_says_what_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], complaint: str
) -> None:
    """In a line, with exit code 2, and no file."""
    path = tmp_path / "pairs.jsonl"

    assert main(["export", "dpo", "-o", str(path), *flags]) == 2
    assert complaint in capsys.readouterr().err
    assert not path.exists()
