"""`python -m scorers.training.evaluate [--limit N] [--only NAME]...`: the benchmarks.

Scores whole texts with the built-in scorers and the int8 file, as serving does, and writes
`evaluation.json` and `evaluation.md` into the work folder.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scorers.base import Scorer
from scorers.builtin import Faithfulness, Toxicity
from scorers.training.config import Config, load_config
from scorers.training.examples import Example, faithfulness_example, read_rows, toxicity_example
from scorers.training.metrics import (
    METRICS,
    Interval,
    auroc,
    bootstrap,
    false_positive_rate,
    recall,
)
from scorers.training.scoring import Runner
from scorers.types import Score

_TOXICITY = {
    "openai_moderation": (("harm", "risk"), ("toxic", "toxic")),
    "xstest_prompts": (("harm", "harm"),),
    "simplesafetytests": (("harm", "harm"),),
    "hatecheck": (("toxic", "toxic"),),
    "notinject": (("injection", "injection"), ("harm", "risk")),
    "llm_warden_jailbreak_test": (("injection", "injection"),),
    "injecagent_heldout": (("injection", "injection"),),
    "gptfuzz_responses_eval": (("harm", "harm"),),
    "diasafety_test": (("toxic", "toxic"), ("harm", "harm")),
}
_FAITHFULNESS = ("ragtruth_test", "summedits_heldout", "snli_test")
_WORD = re.compile(r"\w+")
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one benchmark part: `label` judged by `score`, over `texts` texts."""

    benchmark: str
    label: str
    score: str
    texts: int
    bad: int
    metrics: dict[str, Interval]
    recall: float
    false_positives: float
    baseline_auroc: float | None = None


def novel_share(example: Example) -> float:
    """Share of reply words (over three letters, or digits) that the context lacks."""
    known = set(_WORD.findall(" ".join(example.subject.context).lower()))
    own = [w for w in _WORD.findall(example.subject.text.lower()) if len(w) > 3 or w.isdigit()]
    return sum(word not in known for word in own) / len(own) if own else 0.0


def sampled(rows: list[dict[str, Any]], limit: int, seed: int) -> list[dict[str, Any]]:
    """At most `limit` rows, drawn by the seed; all with a limit of 0."""
    return random.Random(seed).sample(rows, limit) if 0 < limit < len(rows) else rows


def figures(
    name: str, labels: Sequence[float], risks: Sequence[float], judged: tuple[str, str]
) -> Figures:
    """Every figure of merit, of hard labels, at a threshold of one half."""
    truth = (np.array(labels) >= 0.5).astype(np.float64)
    found = np.array(risks, dtype=np.float64)
    return Figures(
        name,
        *judged,
        texts=len(truth),
        bad=int(truth.sum()),
        metrics={
            key: bootstrap(metric, truth, found, rounds=300) for key, metric in METRICS.items()
        },
        recall=recall(truth, found),
        false_positives=false_positive_rate(truth, found),
    )


def _risk(score: Score, name: str) -> float:
    found = score.risk if name == "risk" else score.heads.get(name)
    return 0.0 if found is None else found


def toxicity_figures(config: Config, runner: Runner, name: str, limit: int) -> Iterator[Figures]:
    """A toxicity benchmark, for each label that it has."""
    rows = sampled(
        read_rows(config.data / f"toxicity/benchmarks/{name}.parquet"), limit, config.seed
    )
    examples = [toxicity_example(row) for row in rows]
    scorer: Scorer = Toxicity(runner.heads)
    scores = runner.scores(scorer, [e.subject for e in examples], label=name)
    for label, column in _TOXICITY[name]:
        pairs = [
            (e.labels[label], _risk(score, column))
            for e, score in zip(examples, scores, strict=True)
            if label in e.labels
        ]
        yield figures(name, *zip(*pairs, strict=True), judged=(label, f"toxicity.{column}"))


def faithfulness_figures(
    config: Config, runner: Runner, name: str, limit: int
) -> Iterator[Figures]:
    """A faithfulness benchmark, whole and by its parts, beside the novel-word rule."""
    rows = read_rows(config.data / f"faithfulness/benchmarks/{name}.parquet")
    parts: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        parts.setdefault(row["split"] or name, []).append(row)
    labels, risks, novel = list[float](), list[float](), list[float]()
    for part, own in parts.items():
        examples = [faithfulness_example(row) for row in sampled(own, limit, config.seed)]
        scores = runner.scores(
            Faithfulness(runner.heads), [e.subject for e in examples], label=f"{name} {part}"
        )
        truth = [e.labels["unsupported"] for e in examples]
        found, rule = [_risk(s, "risk") for s in scores], [novel_share(e) for e in examples]
        labels, risks, novel = labels + truth, risks + found, novel + rule
        if len(parts) > 1:
            yield _grounded(f"{name}: {part}", truth, found, rule)
    yield _grounded(name, labels, risks, novel)


def _grounded(
    name: str, labels: Sequence[float], risks: Sequence[float], novel: Sequence[float]
) -> Figures:
    own = figures(name, labels, risks, judged=("unfaithful", "faithfulness.risk"))
    rule = auroc((np.array(labels) >= 0.5).astype(np.float64), np.array(novel))
    return Figures(**{f: getattr(own, f) for f in own.__slots__} | {"baseline_auroc": rule})


def table(found: Sequence[Figures]) -> str:
    """The figures as a Markdown table, intervals in brackets."""
    keys = [
        "auroc",
        "average_precision",
        "f1",
        "balanced_accuracy",
        "recall_at_1pct_fpr",
        "ece",
        "brier",
    ]
    head = [
        "benchmark",
        "score",
        "texts (bad)",
        *keys,
        "recall",
        "false positives",
        "novel-word AUROC",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for one in found:
        cells = [one.benchmark, f"{one.score} → {one.label}", f"{one.texts} ({one.bad})"]
        cells += [_cell(one.metrics[key]) for key in keys]
        cells += [
            f"{v:.3f}" if not math.isnan(v) else "–" for v in (one.recall, one.false_positives)
        ]
        cells += ["–" if one.baseline_auroc is None else f"{one.baseline_auroc:.3f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(found: Interval) -> str:
    if math.isnan(found.value):
        return "–"
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def main() -> None:
    """Evaluates, prints the table, writes both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=0, help="texts of a benchmark part; 0 for all")
    parser.add_argument("--only", action="append", help="a benchmark's name; may be repeated")
    options = parser.parse_args()
    config = load_config()
    runner, found = Runner(config.model), list[Figures]()
    for name in [n for n in (*_TOXICITY, *_FAITHFULNESS) if n in (options.only or [n])]:
        measure = toxicity_figures if name in _TOXICITY else faithfulness_figures
        new = list(measure(config, runner, name, options.limit))
        print("\n".join(table(new).splitlines()[2:]), flush=True)
        found += new
        (config.work / "evaluation.md").write_text(table(found) + "\n", encoding="utf-8")
        plain = json.dumps([asdict(one) for one in found], indent=1)
        (config.work / "evaluation.json").write_text(plain + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
