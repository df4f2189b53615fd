"""Finding and loading models by name or path."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scorers import catalog
from scorers.calibration_map import OutcomeMap
from scorers.engine import Engine
from scorers.errors import ModelError
from scorers.types import Side, Subject
from tests.fakes.scorer import RowCounter
from tests.fakes.tiny_model import HEADS, SEVEN_HEADS, write_tiny_model


@pytest.fixture
def added(tmp_path: Path) -> Path:
    """A folder with one added model, `tiny`."""
    write_tiny_model(tmp_path / "tiny")
    return tmp_path


def edit(folder: Path, **changes: object) -> None:
    """Replaces parts of a model's description."""
    raw = json.loads((folder / "heads.json").read_text())
    (folder / "heads.json").write_text(json.dumps(raw | changes))


def test_shipped_model_is_listed() -> None:
    """The model that ships is in the catalogue, with the scorers it serves."""
    [info] = [info for info in catalog.available() if info.name == catalog.DEFAULT_MODEL]

    assert info.is_shipped
    assert {"toxicity", "faithfulness"} <= set(info.scorers)
    assert info.precisions["cpu"] == "int8"


def test_shipped_model_loads() -> None:
    """The model that ships loads on the CPU with its scorers."""
    model = catalog.load(provider="cpu")

    names = [scorer.name for scorer in model.scorers]
    assert names == ["toxicity", "faithfulness", "sycophancy", "confidence"]
    assert model.session.provider == "cpu"
    assert model.model.startswith("fairlead-mini@")


def test_added_models_are_listed(added: Path) -> None:
    """Models in added folders stand beside the shipped ones."""
    [info] = [info for info in catalog.available([added]) if info.name == "tiny"]

    assert not info.is_shipped
    assert (info.version, info.heads, info.path) == ("1", HEADS, added / "tiny")


def test_unreadable_models_are_not_listed(added: Path) -> None:
    """A folder whose description is broken is left out of the list."""
    (added / "tiny" / "heads.json").write_text("{")

    assert "tiny" not in [info.name for info in catalog.available([added])]


def test_load_by_name_and_by_path(added: Path) -> None:
    """A model loads by its name or by its folder, with the scorers whose heads it has."""
    by_name = catalog.load("tiny", added=[added])
    by_path = catalog.load(added / "tiny")

    assert by_name.model == by_path.model == "tiny@1"
    assert by_name.heads == HEADS
    assert [scorer.name for scorer in by_name.scorers] == ["toxicity", "faithfulness"]


def test_model_with_seven_heads_has_four_scorers(tmp_path: Path) -> None:
    """Sycophancy and confidence are there as soon as the model has their heads."""
    model = catalog.load(write_tiny_model(tmp_path / "seven", heads=SEVEN_HEADS))

    names = [scorer.name for scorer in model.scorers]
    assert names == ["toxicity", "faithfulness", "sycophancy", "confidence"]
    assert model.headmap.threshold(["overconfident"], Side.REPLY, 0.05) == 0.8


@pytest.mark.parametrize(("start", "end"), [(0, None), (800, 1300)])
async def test_scorers_share_their_rows(tmp_path: Path, start: int, end: int | None) -> None:
    """Without a context four scorers run the rows of one, on a whole reply and on a window."""
    model = catalog.load(write_tiny_model(tmp_path / "seven", heads=SEVEN_HEADS))
    subject = Subject(Side.REPLY, "the good warm one . " * 100, prompt="a ?", start=start, end=end)
    counted = {}
    for names in (["toxicity"], None):
        counter = RowCounter()
        engine = Engine(model, observer=counter)
        await engine.start()
        warm = counter.rows
        scores = await engine.score(subject, scorers=names)
        await engine.stop()
        counted[len(scores)] = counter.rows - warm

    assert counted[4] == counted[1] > 1


async def test_maps_reach_the_scorer(tmp_path: Path) -> None:
    """A model loaded with maps holds replies of the served model against them."""
    folder = write_tiny_model(tmp_path / "seven", heads=SEVEN_HEADS)
    maps = {"gpt-x": OutcomeMap(99, "logistic", (0.0,), (0.1,), fpr=(0.05,), risk=(0.25,))}
    model = catalog.load(folder, maps=maps)
    engine = Engine(model)
    await engine.start()
    subject = Subject(Side.REPLY, "surely surely surely", served="gpt-x")
    scores = await engine.score(subject, scorers=["confidence"])
    await engine.stop()

    risk, heads = scores["confidence"].risk, scores["confidence"].heads
    assert risk == pytest.approx(heads["expressed"] - 0.1)
    assert risk > 0.3
    assert model.headmap.threshold(["overconfident"], Side.REPLY, 0.05) == 0.25


def test_scorers_without_heads_are_left_out(added: Path) -> None:
    """A built-in scorer that the model does not serve is not offered."""
    raw = json.loads((added / "tiny" / "heads.json").read_text())
    edit(added / "tiny", scorers={"toxicity": raw["scorers"]["toxicity"]})

    assert [scorer.name for scorer in catalog.load(added / "tiny").scorers] == ["toxicity"]


def test_model_without_any_scorer(added: Path) -> None:
    """A model that serves no known scorer is refused."""
    edit(added / "tiny", scorers={})

    with pytest.raises(ModelError, match="heads of no known scorer"):
        catalog.load(added / "tiny")


def test_unknown_name(added: Path) -> None:
    """An unknown name is an error that names the nearest known one and what to do."""
    with pytest.raises(ModelError, match=r"the nearest is 'tiny'.*fairlead models list"):
        catalog.load("tinny", added=[added])


@pytest.mark.parametrize("changes", [{"calibration": None}, {"heads": None}, {"files": []}])
def test_broken_description(added: Path, changes: dict[str, object]) -> None:
    """A description that lacks a part is an error that names the file."""
    edit(added / "tiny", **changes)

    with pytest.raises(ModelError, match=r"heads\.json does not describe a model"):
        catalog.load(added / "tiny")


def test_serving_does_not_import_training_libraries() -> None:
    """Loading the catalogue and the engine imports neither torch nor transformers."""
    code = (
        "import scorers, sys; assert 'onnxruntime' not in sys.modules; "
        "import scorers.catalog, scorers.engine; "
        "assert not {'torch', 'transformers', 'onnx'} & set(sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
