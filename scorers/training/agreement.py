"""`python -m scorers.training.agreement`: how far the int8 file is from fp32, and from itself.

Compares the shipped file with an fp32 graph of the same checkpoint on benchmark texts (`--limit` of
each), and the shipped file alone against batched. Probabilities are those of the shipped maps.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from scorers.base import Logits, Scorer
from scorers.builtin import Faithfulness, HeadMap, Toxicity
from scorers.training.config import Config, load_config
from scorers.training.evaluate import sampled
from scorers.training.examples import Example, faithfulness_example, read_rows, toxicity_example
from scorers.training.export import export
from scorers.training.metrics import auroc
from scorers.training.scoring import Runner
from scorers.types import Row

_PARTS = {
    "toxic": "toxicity/benchmarks/hatecheck",
    "harm": "toxicity/benchmarks/openai_moderation",
    "injection": "toxicity/benchmarks/llm_warden_jailbreak_test",
    "unsupported": "faithfulness/benchmarks/snli_test",
}


def exact_runner(config: Config, folder: Path) -> Runner:
    """The same checkpoint in fp32, with the shipped maps."""
    shutil.copy(config.model / "heads.json", folder / "heads.json")
    export(replace(config, model=folder), config.work / "last.pt", "fp32")
    return Runner(folder)


def examples_of(config: Config, head: str, limit: int) -> list[Example]:
    """Benchmark texts that carry the head's label."""
    rows = sampled(read_rows(config.data / f"{_PARTS[head]}.parquet"), limit, config.seed)
    make = faithfulness_example if head == "unsupported" else toxicity_example
    return [e for e in map(make, rows) if head in e.labels]


def risks(heads: HeadMap, head: str, found: list[Example], logits: Mapping[Row, Logits]) -> Logits:
    """The head's risk of each example, from the logits of its rows."""
    scorer: Scorer = Faithfulness(heads) if head == "unsupported" else Toxicity(heads)
    scores = []
    for example in found:
        rows = scorer.rows(example.subject)
        own = np.array([logits[row] for row in rows])
        scores.append(scorer.score(example.subject, rows, own).heads[head])
    return np.array(scores, dtype=np.float32)


def compared(config: Config, runners: Mapping[str, Runner], head: str, limit: int) -> str:
    """A table line: differences of risks, alone against batched, and AUROC of both."""
    found, heads = examples_of(config, head, limit), runners["int8"].heads
    scorer: Scorer = Faithfulness(heads) if head == "unsupported" else Toxicity(heads)
    rows = [row for e in found for row in scorer.rows(e.subject)]
    by_kind = {k: dict(zip(rows, r.logits(rows), strict=True)) for k, r in runners.items()}
    near, exact = (risks(heads, head, found, by_kind[k]) for k in ("int8", "fp32"))
    few = found[:40]
    own = {row for e in few for row in scorer.rows(e.subject)}
    alone = {row: runners["int8"].logits([row])[0] for row in own}
    apart = np.abs(risks(heads, head, few, alone) - near[: len(few)]).max()
    truth = np.array([e.labels[head] >= 0.5 for e in found], dtype=np.float64)
    gap = np.abs(near - exact)
    return (
        f"| {head} | {len(found)} | {gap.max():.4f} | {gap.mean():.4f} | {apart:.1e} "
        f"| {auroc(truth, exact):.4f} | {auroc(truth, near):.4f} |"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=400)
    options = parser.parse_args()
    config = load_config()
    print("| head | texts | largest gap | mean gap | alone vs batch | AUROC fp32 | AUROC int8 |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        runners = {"int8": Runner(config.model), "fp32": exact_runner(config, Path(folder))}
        for head in config.heads:
            print(compared(config, runners, head, options.limit), flush=True)


if __name__ == "__main__":
    main()
