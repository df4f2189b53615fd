"""`fairlead weak` and weak exports from the command line, with functions of the user's own."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from service.cli import main
from service.labelling import load_functions
from service.sources import ConfigError
from storage import migrate
from storage.store import Store
from tests.storage.building import exchange

Run = Callable[..., tuple[int, str, str]]

MINE = """
def short(moment):
    return "down" if len(moment.reply) < 10 else "up"

def never(moment):
    return None

LABELLING_FUNCTIONS = [short, never]
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on a store with two replies to one prompt: exit code, output, errors."""
    for name in [name for name in os.environ if name.startswith("FAIRLEAD_")]:
        monkeypatch.delenv(name)
    url = f"sqlite+aiosqlite:///{tmp_path / 'fairlead.db'}"
    monkeypatch.setenv("FAIRLEAD_DATABASE_URL", url)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    asyncio.run(_fill(url))

    def running(*argv: str) -> tuple[int, str, str]:
        code = main(argv)
        out, err = capsys.readouterr()
        return code, out, err

    return running


async def _fill(url: str) -> None:
    await migrate.upgrade(url)
    store = await Store.open(url)
    async with store.writing() as unit:
        await unit.interactions.add(exchange("Short."))
        await unit.interactions.add(exchange("A reply that is long enough."))
    await store.close()


def test_the_report_shows_how_functions_vote(run: Run) -> None:
    """A line for each function, ours and the user's, and what it all comes to."""
    code, out, _ = run("weak", "report", "--functions", "mine.py")

    assert code == 0
    [short] = [line.split() for line in out.splitlines() if line.startswith("short ")]
    assert short == ["short", "1", "1", "100.0%", "0.0%", "0.0%", "(0.70)"]
    assert "told_wrong" in out
    assert "2 replies, 0 rated by people, 2 with a vote, 2 of these rated by nobody" in out


def test_the_report_is_there_as_json(run: Run) -> None:
    """All figures, for programs."""
    code, out, _ = run(
        "weak", "report", "--json", "--functions", "mine.py:short", "--method", "majority"
    )

    found = json.loads(out)
    assert (code, found["method"], found["replies"], found["unrated_labelled"]) == (
        0,
        "majority",
        2,
        2,
    )
    [short] = [each for each in found["functions"] if each["name"] == "short"]
    assert (short["ups"], short["downs"], short["coverage"]) == (1, 1, 1.0)
    assert not [each for each in found["functions"] if each["name"] == "never"]


def test_weak_labels_are_exported_where_asked(run: Run, tmp_path: Path) -> None:
    """Functions without `--weak` are asked back, with it their votes are marked."""
    target = tmp_path / "weak.jsonl"
    flags = ("export", "kto", "-o", str(target), "--functions", "mine.py", "--weak-least", "0.6")

    assert run(*flags)[0] == 2
    code, out, _ = run(*flags, "--weak")

    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert (code, out.splitlines()[0].split()[0]) == (0, "2")
    assert {(row["pair_source"], row["label"]) for row in rows} == {("weak", True), ("weak", False)}
    assert all(row["probability"] == pytest.approx(0.7) for row in rows)


def test_settings_name_functions_too(run: Run, tmp_path: Path) -> None:
    """In `labelling.functions`."""
    config = tmp_path / "f.yaml"
    config.write_text("labelling: {functions: ['mine.py:short']}", encoding="utf-8")

    assert "\nshort " in run("weak", "report", "--config", str(config))[1]


def test_a_function_that_fails_ends_the_command(run: Run, tmp_path: Path) -> None:
    """With its name and what went wrong; nothing is written."""
    (tmp_path / "bad.py").write_text("def bad(moment):\n    return moment.nothing\n")

    code, _, err = run("export", "kto", "-o", "x.jsonl", "--weak", "--functions", "bad.py:bad")

    assert code == 2
    assert "labelling function bad on fl_" in err
    assert not (tmp_path / "x.jsonl").exists()


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("nowhere.py", "there is no file nowhere.py"),
        ("mine.py:other", "mine.py has no other"),
        ("mine.py:LABELLING_FUNCTIONS", "is no function"),
        ("syntax.py", "cannot be loaded: SyntaxError"),
        ("no_such_module", "cannot be loaded: ModuleNotFoundError"),
        ("json", "name one as json:NAME, or list them in LABELLING_FUNCTIONS"),
        ("mine.py:thanked", "two labelling functions are called thanked"),
    ],
)
def test_what_cannot_be_loaded_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, complaint: str
) -> None:
    """The error names the functions as they were given."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE + "thanked = short\n", encoding="utf-8")
    (tmp_path / "syntax.py").write_text("def (", encoding="utf-8")

    with pytest.raises(ConfigError, match=complaint):
        load_functions([spec])


def test_without_functions_there_is_nothing_to_do() -> None:
    """An empty list is an error and no empty report."""
    with pytest.raises(ConfigError, match="no labelling functions"):
        load_functions([], with_builtin=False)


def test_a_module_is_named() -> None:
    """With the function in it."""
    [named] = load_functions(["storage.weak.builtin:thanked"], with_builtin=False)

    assert named.name == "thanked"


def test_packages_announce_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point of an installed package, as `pip` leaves it behind."""
    info = tmp_path / "pack-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pack\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[fairlead.labelling]\nrisky = storage.weak.builtin:clear_risk\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    assert [each.name for each in load_functions([], with_builtin=False)] == ["risky"]
