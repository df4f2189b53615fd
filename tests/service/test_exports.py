"""Exports by command and over HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.cli import main
from storage import migrate
from storage.exports.journal import part_path, state_path
from storage.records import FeedbackRecord
from storage.store import Store
from tests.fakes.local import exchange, local_settings, serving_locally

Run = Callable[..., tuple[int, str, str]]


async def correct(store: Store, count: int, **fields: Any) -> None:
    """So many wrong answers, each with its correction."""
    async with store.writing() as unit:
        for at in range(count):
            messages = [{"role": "user", "content": f"High tide on day {at}?"}]
            hashed = {"prompt_hash": f"{at:032x}", "request": {"messages": messages}}
            await unit.interactions.add(exchange(f"fl_{at}", tags=("tides",), **hashed, **fields))
            said = {"rating": "down", "correction": f"At {at}:15, says the table of {at}."}
            await unit.feedback.add(
                FeedbackRecord(
                    id=f"fb_{at}", created_us=2_000_000, interaction_id=f"fl_{at}", **said
                )
            )


@pytest.fixture
def fill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Fills the store that the commands use."""
    for name in [name for name in os.environ if name.startswith("FAIRLEAD_")]:
        monkeypatch.delenv(name)
    url = f"sqlite+aiosqlite:///{tmp_path / 'fairlead.db'}"
    monkeypatch.setenv("FAIRLEAD_DATABASE_URL", url)
    monkeypatch.chdir(tmp_path)

    async def filled(count: int) -> None:
        await migrate.upgrade(url)
        store = await Store.open(url)
        await correct(store, count)
        await store.close()

    return lambda count: asyncio.run(filled(count))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command: exit code, output, errors."""

    def running(*argv: str) -> tuple[int, str, str]:
        code = main(argv)
        out, err = capsys.readouterr()
        return code, out, err

    return running


def test_a_file_that_is_there_is_not_replaced(fill: Callable[[int], None], run: Run) -> None:
    """Exit code 2 and what to do; `--force` does it."""
    fill(1)
    Path("pairs.jsonl").write_text("old\n")

    code, _, err = run("export", "dpo", "-o", "pairs.jsonl")
    assert (code, Path("pairs.jsonl").read_text()) == (2, "old\n")
    assert "pairs.jsonl is there already: give another name, or --force" in err
    code, out, _ = run("export", "dpo", "-o", "pairs.jsonl", "--force", "--license", "CC0 1.0")

    assert code == 0
    assert out.startswith("1 rows from 1 prompts in pairs.jsonl")
    assert "CC0 1.0" in Path("pairs.jsonl.card.md").read_text()
    assert "fairlead" in Path("pairs.jsonl.card.md").read_text()


def test_a_qna_file_is_written(fill: Callable[[int], None], run: Run) -> None:
    """Corrections of a topic; too few are an error that says how many more it takes."""
    fill(6)

    code, out, _ = run("export", "instructlab", "-o", "qna.yaml", "--created-by", "ann")
    few = run("export", "instructlab", "-o", "moon.yaml", "--topic", "moon")
    half = run("export", "instructlab", "-o", "k.yaml", "--document-repo", "https://x/y.git")

    found = yaml.safe_load(Path("qna.yaml").read_text())
    assert (code, found["created_by"], len(found["seed_examples"])) == (0, "ann", 6)
    assert "data card: qna.yaml.card.md" in out
    assert few[0] == half[0] == 2
    assert "--topic: 'moon' has 0 corrected replies that fit, a skill needs 5: 5 more" in few[2]
    assert "--document-commit: is not given; knowledge also needs" in half[2]
    assert not Path("moon.yaml").exists()


def interrupted(command: list[str], path: Path) -> tuple[int, str]:
    """Exit code and errors of a command that gets Ctrl-C once something is sure.

    On a busy machine it may be done before: then it begins anew.
    """
    # A build server may run all of this with SIGINT ignored, which a command would inherit.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _interrupted(command, path)
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupted(command: list[str], path: Path) -> tuple[int, str]:
    for _ in range(10):
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None and not state_path(part_path(path)).exists():
                time.sleep(0.005)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate()
        if process.returncode == 130 and part_path(path).exists():
            break
        for left in path.parent.glob(f"{path.name}*"):
            left.unlink()
    return process.returncode, err


def test_an_interrupted_command_says_how_to_go_on(
    fill: Callable[[int], None], run: Run, tmp_path: Path
) -> None:
    """Ctrl-C ends with 130 and leaves what was read; other options are refused, the same go on."""
    fill(1500)
    argv = ("export", "sft", "-o", "good.jsonl")

    code, err = interrupted([sys.executable, "-m", "service.cli", *argv], tmp_path / "good.jsonl")
    other = run(*argv, "--seed", "1")
    again = run(*argv)

    assert (code, Path("good.jsonl").exists()) == (130, True)
    assert "what was read so far is kept in good.jsonl.part" in err
    assert other[0] == 2
    assert "seed was 0, is 1" in other[2]
    assert again[0] == 0
    assert again[1].startswith("went on where it was interrupted\n1500 rows")
    assert sorted(path.name for path in tmp_path.glob("good*")) == [
        "good.jsonl", "good.jsonl.card.md",
    ]  # fmt: skip


async def test_a_qna_file_is_had_over_http(tmp_path: Path) -> None:
    """The YAML where there is enough, else a 400 that says what is missing."""
    async with serving_locally(local_settings(tmp_path)) as local:
        query = {"format": "instructlab", "topic": "tides"}
        few = await local.client.get("/v1/preferences/export", params=query)
        await correct(local.state.store, 5)
        whole = await local.client.get("/v1/preferences/export", params=query)
        odd = await local.client.get(
            "/v1/preferences/export", params=query | {"order": "curriculum"}
        )
        half = await local.client.get(
            "/v1/preferences/export", params=query | {"document_repo": "https://x/y.git"}
        )

    assert (few.status_code, whole.status_code, odd.status_code) == (400, 200, 400)
    assert odd.json()["error"]["param"] == "order"
    assert half.json()["error"]["param"] == "document_commit"
    assert "5 more" in few.json()["error"]["message"]
    assert whole.headers["content-type"].startswith("application/yaml")
    assert len(yaml.safe_load(whole.text)["seed_examples"]) == 5


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("reward", {"chosen", "rejected"}),
        ("sft", {"messages"}),
        ("openai-dpo", {"input", "preferred_output", "non_preferred_output"}),
    ],
)
async def test_every_format_streams_over_http(tmp_path: Path, name: str, columns: set[str]) -> None:
    """One row a line, with the columns of the format."""
    async with serving_locally(local_settings(tmp_path)) as local:
        await correct(local.state.store, 3)
        found = await local.client.get("/v1/preferences/export", params={"format": name})

    rows = [yaml.safe_load(line) for line in found.text.splitlines()]
    assert len(rows) == 3
    assert all(columns <= row.keys() for row in rows)
