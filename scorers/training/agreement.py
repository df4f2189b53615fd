"""`python -m scorers.training.agreement`: how far the shipped files are from fp32.

Compares them with an fp32 graph of the same checkpoint on benchmark texts (`--limit` of each), all
on the CPU, and the int8 file alone against batched. Probabilities are those of the shipped maps.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from scorers.base import Logits, Scorer
from scorers.builtin import Faithfulness, HeadMap, Sycophancy, Toxicity
from scorers.training.config import Config, load_config
from scorers.training.evaluate import sampled
from scorers.training.examples import (
    Example,
    faithfulness_example,
    read_rows,
    sycophancy_example,
    toxicity_example,
)
from scorers.training.export import export
from scorers.training.metrics import auroc
from scorers.training.scoring import Runner
from scorers.types import Row

_PARTS = {
    "toxic": "toxicity/benchmarks/hatecheck",
    "harm": "toxicity/benchmarks/openai_moderation",
    "injection": "toxicity/benchmarks/llm_warden_jailbreak_test",
    "unsupported": "faithfulness/benchmarks/snli_test",
    "sycophantic": "sycophancy/benchmarks/sycosup_pressure_heldout",
}
_COLUMNS = (
    "head", "texts", "AUROC fp32",
    "largest gap int8", "mean gap int8", "AUROC int8",
    "largest gap fp16", "mean gap fp16", "AUROC fp16", "int8 alone vs batched",
)  # fmt: skip
_READERS = {
    "unsupported": faithfulness_example,
    "sycophantic": sycophancy_example,
}


def scorer_of(heads: HeadMap, head: str) -> Scorer:
    """The scorer that a head belongs to."""
    if head == "unsupported":
        return Faithfulness(heads)
    return Sycophancy(heads) if head == "sycophantic" else Toxicity(heads)


def other_runner(config: Config, precision: str, folder: Path) -> Runner:
    """The same checkpoint at another precision, on the CPU and with the shipped maps."""
    folder.mkdir()
    shutil.copy(config.model / "heads.json", folder / "heads.json")
    export(replace(config, model=folder), config.weights_file, [precision])
    path = folder / "heads.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    (raw["files"]["cpu"],) = raw["files"].values()
    path.write_text(json.dumps(raw), encoding="utf-8")
    return Runner(folder)


def examples_of(config: Config, head: str, limit: int) -> list[Example]:
    """Benchmark texts that carry the head's label."""
    rows = sampled(read_rows(config.data / f"{_PARTS[head]}.parquet"), limit, config.seed)
    make = _READERS.get(head, toxicity_example)
    return [e for e in map(make, rows) if head in e.labels]


def risks(heads: HeadMap, head: str, found: list[Example], logits: Mapping[Row, Logits]) -> Logits:
    """The head's risk of each example, from the logits of its rows."""
    scorer, scores = scorer_of(heads, head), []
    for example in found:
        rows = scorer.rows(example.subject)
        own = np.array([logits[row] for row in rows])
        scores.append(scorer.score(example.subject, rows, own).heads[head])
    return np.array(scores, dtype=np.float32)


def compared(config: Config, runners: Mapping[str, Runner], head: str, limit: int) -> str:
    """A table line: gaps to fp32 and AUROC of each precision, and int8 alone against batched."""
    found, heads = examples_of(config, head, limit), runners["int8"].heads
    scorer = scorer_of(heads, head)
    rows = [row for e in found for row in scorer.rows(e.subject)]
    by_kind = {k: dict(zip(rows, r.logits(rows), strict=True)) for k, r in runners.items()}
    own = {kind: risks(heads, head, found, logits) for kind, logits in by_kind.items()}
    few = found[:40]
    lone = {row for e in few for row in scorer.rows(e.subject)}
    alone = {row: runners["int8"].logits([row])[0] for row in lone}
    apart = np.abs(risks(heads, head, few, alone) - own["int8"][: len(few)]).max()
    truth = np.array([e.labels[head] >= 0.5 for e in found], dtype=np.float64)
    cells = [head, str(len(found)), f"{auroc(truth, own['fp32']):.4f}"]
    for kind in ("int8", "fp16"):
        gap = np.abs(own[kind] - own["fp32"])
        cells += [f"{gap.max():.4f}", f"{gap.mean():.4f}", f"{auroc(truth, own[kind]):.4f}"]
    return f"| {' | '.join([*cells, f'{apart:.1e}'])} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=400)
    options = parser.parse_args()
    config = load_config()
    print(f"| {' | '.join(_COLUMNS)} |\n|{' --- |' * len(_COLUMNS)}")
    with tempfile.TemporaryDirectory() as folder:
        runners = {"int8": Runner(config.model)}
        for precision in ("fp32", "fp16"):
            runners[precision] = other_runner(config, precision, Path(folder) / precision)
        for head in _PARTS:
            print(compared(config, runners, head, options.limit), flush=True)


if __name__ == "__main__":
    main()
