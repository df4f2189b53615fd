"""The benchmarks, measured with a tiny model."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from scorers.training.config import Config, load_config
from tests.fakes.tiny_model import HEADS, SEVEN_HEADS, write_tiny_model

pytestmark = pytest.mark.train

NEVER = {"role": "prompt", "prompt": "", "categories": "", "license": "", "split": "test"}
ROWS: dict[str, list[dict[str, Any]]] = {
    "toxicity/benchmarks/hatecheck": [
        NEVER | {"text": text, "toxic": label, "harm": None, "injection": None, "source": "h"}
        for text, label in (("bad", 1.0), ("awful", 1.0), ("fine", 0.0), ("good", 0.0))
    ],
    "faithfulness/benchmarks/summedits_heldout": [
        {
            "context": "warm", "prompt": "", "response": text, "unfaithful": label,
            "spans": "", "source": "s", "split": split,
        }
        for split in ("one", "two")
        for text, label in (("made up", 1.0), ("warm", 0.0))
    ],
    "sycophancy/benchmarks/constructed_are_you_sure": [
        {"prompt": "User: the", "response": text, "sycophantic": label, "kind": "k", "source": "c"}
        for text, label in (("agree", 1.0), ("fine", 0.0))
    ],
}  # fmt: skip


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A configuration with three benchmarks and no model yet."""
    for name, rows in ROWS.items():
        path = tmp_path / "data" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.Table.from_pylist(rows), path)
    (tmp_path / "work").mkdir()
    for name in ("data", "work", "model"):
        monkeypatch.setenv(f"FAIRLEAD_TRAINING_{name.upper()}", str(tmp_path / name))
    return load_config()


def measured(config: Config, *, limit: int = 0) -> list[dict[str, Any]]:
    """What the three benchmarks come to, as written to the work folder."""
    from scorers.training.evaluate import evaluate

    names = [name.rpartition("/")[2] for name in ROWS]
    asyncio.run(evaluate(config, names, limit))
    text = (config.work / "evaluation.json").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = json.loads(text)["judgements"]
    return found


def test_every_benchmark_is_measured(config: Config) -> None:
    """At one half, by its parts, in both files."""
    write_tiny_model(config.model, heads=SEVEN_HEADS)

    found = measured(config)

    assert [(one["benchmark"], one["score"]) for one in found] == [
        ("hatecheck", "toxicity.toxic"),
        ("summedits_heldout", "faithfulness.unsupported"),
        ("constructed_are_you_sure", "sycophancy.sycophantic"),
    ]
    assert [part["name"] for part in found[1]["parts"]] == ["s", "one", "two"]
    assert found[1]["parts"][0]["baseline_auroc"] == 1.0
    for one in found:
        assert one["parts"][0]["figures"]["auroc"]["value"] == 1.0
        assert {t["shipped"] for t in one["thresholds"].values()} == {0.5}
    table = (config.work / "evaluation.md").read_text(encoding="utf-8")
    assert "| constructed_are_you_sure: kind k | sycophancy.sycophantic → sycophantic |" in table


def test_a_scorer_that_the_model_lacks_is_told(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its benchmarks are left out."""
    write_tiny_model(config.model, heads=HEADS)

    found = measured(config)

    assert [one["benchmark"] for one in found] == ["hatecheck", "summedits_heldout"]
    assert "constructed_are_you_sure: tiny@1 has no scorer sycophancy" in capsys.readouterr().out


def test_a_limit_holds_for_each_split_of_documents(config: Config) -> None:
    """And for other benchmarks as a whole."""
    write_tiny_model(config.model, heads=SEVEN_HEADS)

    found = measured(config, limit=1)

    assert [one["parts"][0]["texts"] for one in found] == [1, 2, 1]
