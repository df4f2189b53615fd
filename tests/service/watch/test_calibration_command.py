"""`fairlead calibration`: from stored feedback to figures, a picture and maps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scorers.calibration_map import load
from service.cli import main
from storage import migrate
from storage.store import Store
from tests.storage.building import exchange, score, thumb

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on a store of its own."""
    monkeypatch.setenv("FAIRLEAD_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'own.db'}")
    monkeypatch.delenv("FAIRLEAD_CONFIG", raising=False)
    asyncio.run(migrate.upgrade(f"sqlite+aiosqlite:///{tmp_path / 'own.db'}"))

    def running(*argv: str) -> tuple[int, str, str]:
        try:
            code = main(list(argv))
        except SystemExit as ending:
            code = int(str(ending.code))
        return (code, *capsys.readouterr())

    return running


def fill(folder: Path, count: int) -> None:
    """A model that sounds sure at .9 and is right as often as the thumbs say, six in ten."""

    async def write() -> None:
        store = await Store.open(f"sqlite+aiosqlite:///{folder / 'own.db'}")
        async with store.writing() as unit:
            for at in range(count):
                heads = {"expressed": 0.9 - 0.2 * (at % 2)}
                record = exchange(
                    model="boaster", scores=(score(scorer="confidence", heads=heads),)
                )
                await unit.interactions.add(record)
                await unit.feedback.add(thumb(record, "up" if at % 5 < 3 else "down"))
        await store.close()

    asyncio.run(write())


def test_figures_picture_and_maps(run: Run, tmp_path: Path) -> None:
    """The table names the gap, the PNG is one, the map brings the chance down to what came."""
    fill(tmp_path, 200)
    picture, maps = tmp_path / "diagram.png", tmp_path / "maps.json"

    code, out, err = run("calibration", "--plot", str(picture), "--fit", str(maps))

    assert (code, err) == (0, "")
    assert "boaster" in out
    assert "+0.200" in out
    assert picture.read_bytes().startswith(b"\x89PNG")
    made = load(maps)["boaster"]
    assert made.version in out
    assert made.made
    assert np.mean([made.likely(0.9), made.likely(0.7)]) == pytest.approx(0.6, abs=0.05)


def test_json_has_the_diagram(run: Run, tmp_path: Path) -> None:
    """The same figures for programs."""
    fill(tmp_path, 100)

    code, out, _ = run("calibration", "--json")

    found = json.loads(out)["boaster"]
    assert code == 0
    assert found["judged_by"] == {"thumb": 100}
    reading = found["readings"]["expressed"]
    assert reading["ece"]["low"] <= reading["ece"]["value"] <= reading["ece"]["high"]
    assert sum(part["replies"] for part in reading["diagram"]) == 100


def test_few_replies_are_told(run: Run, tmp_path: Path) -> None:
    """Neither figures nor a map are made of a handful; an old map stays as it is."""
    fill(tmp_path, 10)
    maps = tmp_path / "maps.json"

    code, out, err = run("calibration", "--fit", str(maps))

    assert code == 2
    assert "10 checked replies, it takes 50" in out
    assert "no model has outcomes enough, nothing was written" in err
    assert not maps.exists()


def test_an_empty_store_says_what_to_send(run: Run) -> None:
    """Who has no feedback yet learns which."""
    code, out, _ = run("calibration")

    assert code == 0
    assert "send thumbs, corrections or the tags" in out


@pytest.mark.parametrize("flag", ["--plot", "--fit"])
def test_a_path_that_cannot_be_written_is_told_first(run: Run, tmp_path: Path, flag: str) -> None:
    """One line, exit code 2."""
    code, out, err = run("calibration", flag, str(tmp_path / "no" / "such" / "file"))

    assert (code, out) == (2, "")
    assert "is no file that can be written" in err
