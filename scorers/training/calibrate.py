"""`python -m scorers.training.calibrate`: maps to probabilities, and thresholds.

Everything is measured with the exported model file through the rows that serving makes. The maps
and thresholds are written into the model's `heads.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scorers.base import Logits
from scorers.builtin.faithfulness import (
    Claim,
    claim_logits,
    claims,
    reply_features,
    reply_logit,
    reply_map,
)
from scorers.builtin.headmap import Blend
from scorers.builtin.toxicity import toxicity_rows
from scorers.training.config import Config, load_config
from scorers.training.examples import Example, by_group
from scorers.training.fit import Fitted, fit, logistic
from scorers.training.held import (
    calibration_examples,
    held_examples,
    held_hedges,
    held_views,
    ordinary_chat,
)
from scorers.training.labelled_rows import claim_labels
from scorers.training.scoring import Runner
from scorers.types import Side

FPR = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
_FEWEST = 40
_TOGETHER = (("toxic", "harm", "injection"), ("sycophantic",), ("view",))
Floats = NDArray[np.float64]
Maps = dict[str, dict[str, Fitted]]


def text_logits(runner: Runner, examples: Sequence[Example], label: str) -> Floats:
    """The highest logits over each example's windows, of shape (examples, heads)."""
    parts = runner.split([toxicity_rows(e.subject) for e in examples], label=label)
    return np.array([part.max(axis=0) for part in parts], dtype=np.float64)


def text_maps(config: Config, examples: Sequence[Example], logits: Floats) -> Maps:
    """A map for each head and side that has labels enough."""
    maps: Maps = {}
    for column, head in enumerate(config.heads):
        for side in Side:
            rows = [
                i for i, e in enumerate(examples) if e.subject.side is side and head in e.labels
            ]
            labels = np.array([examples[i].labels[head] for i in rows])
            if min((labels >= 0.5).sum(), (labels < 0.5).sum()) < _FEWEST:
                continue
            maps.setdefault(head, {})[side.value] = fit(logits[rows, column], labels)
    return maps


def expressed_risks(
    runner: Runner, examples: Sequence[Example], column: int, fitted: Fitted
) -> Floats:
    """How sure each example sounds, as the confidence scorer reads it: a mean over its windows."""
    rows = [toxicity_rows(e.subject) for e in examples]
    parts = runner.split(rows, label="how sure chat sounds")
    return np.array(
        [
            np.average(
                np.interp(part[:, column], fitted.x, fitted.y),
                weights=[len(row.pair or row.text) for row in own],
            )
            for own, part in zip(rows, parts, strict=True)
        ]
    )


@dataclass(frozen=True, slots=True)
class Grounded:
    """An example with its claims and the `unsupported` logits of all their rows."""

    example: Example
    claims: tuple[Claim, ...]
    column: Logits


def grounded(runner: Runner, examples: Sequence[Example], column: int) -> list[Grounded]:
    """The examples with their claims and logits."""
    found = [claims(e.subject) for e in examples]
    parts = runner.split([[row for c in own for row in c.rows] for own in found], label="claims")
    return [
        Grounded(e, own, part[:, column])
        for e, own, part in zip(examples, found, parts, strict=True)
        if own
    ]


def sentence_labels(found: Sequence[Grounded]) -> list[list[float | None]]:
    """A label for each claim of each example, None where the source does not tell."""
    known = {
        (example.group, example.subject.prompt, sentence): label
        for group in by_group(item.example for item in found)
        for example, sentence, label in claim_labels(group)
    }
    return [
        [
            known.get((g.example.group, g.example.subject.prompt, _sentence(g.example, claim)))
            for claim in g.claims
        ]
        for g in found
    ]


def _sentence(example: Example, claim: Claim) -> str:
    return example.subject.text[claim.start : claim.end].strip()


def fit_blend(found: Sequence[Grounded], labels: Sequence[Sequence[float | None]]) -> Blend:
    """Weights that join the head's logit with the novelty of a claim, from labelled sentences."""
    design, targets = [], []
    for item, own in zip(found, labels, strict=True):
        plain = claim_logits(item.claims, item.column, Blend())
        for claim, logit, label in zip(item.claims, plain, own, strict=True):
            if label is not None:
                new = claim.novelty
                design.append([logit, new.words, new.numbers, new.names, 1.0])
                targets.append(label)
    start = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
    weights = logistic(np.array(design), np.array(targets), start)
    logit, *novel = (round(max(0.0, float(w)), 4) for w in weights[:4])
    return Blend(logit, *novel, offset=round(float(weights[4]), 4))


def with_replies(found: Sequence[Grounded], blend: Blend) -> Blend:
    """The blend with the weights of a reply's features, from labelled replies.

    Each source has an intercept of its own, which is then left out: the weights tell good from
    bad replies of one source, and not the sources with many bad ones from the others.
    """
    claimed = [claim_logits(item.claims, item.column, blend) for item in found]
    features = [reply_features(g.claims, part) for g, part in zip(found, claimed, strict=True)]
    names = sorted({item.example.source for item in found})
    own = np.array([[item.example.source == name for name in names] for item in found], float)
    labels = np.array([item.example.labels["unsupported"] for item in found])
    start = np.array([1.0, 0.0, 0.0, 0.0, *(0.0 for _ in names)])
    weights = logistic(np.column_stack([np.array(features), own]), labels, start)
    worst, mean, novel = (round(max(0.0, float(w)), 4) for w in weights[:3])
    return replace(blend, worst=worst, mean=mean, novel=novel, claims=round(float(weights[3]), 4))


def faithfulness_maps(
    found: Sequence[Grounded], labels: Sequence[Sequence[float | None]], blend: Blend
) -> tuple[dict[str, Fitted], Floats]:
    """Maps for short and long replies and for sentences, and the faithful replies' risks."""
    blended = [claim_logits(item.claims, item.column, blend) for item in found]
    pairs = [
        (logit, label)
        for part, own in zip(blended, labels, strict=True)
        for logit, label in zip(part, own, strict=True)
        if label is not None
    ]
    sentences = np.array(pairs)
    maps = {"sentence": fit(sentences[:, 0], sentences[:, 1])}
    replies = np.array(
        [reply_logit(g.claims, part, blend) for g, part in zip(found, blended, strict=True)]
    )
    truth = np.array([item.example.labels["unsupported"] for item in found])
    kinds = np.array([reply_map(item.claims) for item in found])
    for kind in ("reply", "long"):
        own = kinds == kind
        if min((truth[own] >= 0.5).sum(), (truth[own] < 0.5).sum()) >= _FEWEST:
            maps[kind] = fit(replies[own], truth[own])
    maps.setdefault("reply", fit(replies, truth))
    risks = np.zeros(len(found))
    for kind in ("reply", "long"):
        fitted = maps.get(kind, maps["reply"])
        risks[kinds == kind] = np.interp(replies[kinds == kind], fitted.x, fitted.y)
    return maps, risks[truth < 0.5]


def quantiles(risks: Floats) -> dict[str, list[float]]:
    """For each false-positive rate the risk that at most this share of harmless texts reaches."""
    falling = np.sort(risks)[::-1]
    at = [min(int(rate * len(falling)), len(falling) - 1) for rate in FPR]
    bars = [min(float(np.nextafter(falling[i], 2.0)), 1.0) for i in at]
    return {"fpr": list(FPR), "risk": [round(bar + 5e-7, 6) for bar in bars]}


def tables(
    maps: Mapping[str, Mapping[str, Fitted]],
    heads: Sequence[str],
    side: str,
    logits: Mapping[str, Floats],
) -> dict[str, Any]:
    """Thresholds for every combination of the heads that are calibrated on the side."""
    risks = {
        h: np.interp(logits[h], maps[h][side].x, maps[h][side].y)
        for h in heads
        if side in maps.get(h, {})
    }
    return {
        "+".join(subset): quantiles(np.max([risks[h] for h in subset], axis=0))
        for size in range(1, len(risks) + 1)
        for subset in combinations(sorted(risks), size)
    }


def written(maps: Maps) -> dict[str, Any]:
    """The maps as `heads.json` holds them."""
    return {
        head: {
            side: {
                "kind": fitted.kind,
                "x": [round(float(x), 4) for x in fitted.x],
                "y": [round(float(y), 7) for y in fitted.y],
            }
            for side, fitted in sides.items()
        }
        for head, sides in maps.items()
    }


def calibrate(config: Config) -> None:
    """Fits, reports, and rewrites the model's `heads.json`."""
    runner = Runner(config.model)
    examples = [
        *held_examples(config, "toxicity"),
        *held_examples(config, "sycophancy"),
        *held_views(config),
        *held_hedges(config),
    ]
    maps = text_maps(config, examples, text_logits(runner, examples, "held back"))
    column = config.heads.index("unsupported")
    replies = [*held_examples(config, "faithfulness"), *calibration_examples(config)]
    found = grounded(runner, replies, column)
    labels = sentence_labels(found)
    blend = with_replies(found, fit_blend(found, labels))
    maps["unsupported"], faithful = faithfulness_maps(found, labels, blend)
    print(f"{blend}; {len(faithful)} faithful replies")
    chat = ordinary_chat(config)
    logits = text_logits(runner, chat, "ordinary chat")
    thresholds: dict[str, dict[str, Any]] = {}
    for side in Side:
        own = [i for i, e in enumerate(chat) if e.subject.side is side]
        print(f"{side.value}: {len(own)} texts of ordinary chat")
        by_head = {h: logits[own, i] for i, h in enumerate(config.heads)}
        thresholds[side.value] = {
            name: table
            for heads in _TOGETHER
            for name, table in tables(maps, heads, side.value, by_head).items()
        }
    thresholds["reply"]["unsupported"] = quantiles(faithful)
    if "reply" in maps.get("expressed", {}):
        own_replies = [e for e in chat if e.subject.side is Side.REPLY]
        sure = maps["expressed"]["reply"]
        found_risks = expressed_risks(runner, own_replies, config.heads.index("expressed"), sure)
        thresholds["reply"]["expressed"] = quantiles(found_risks)
    for head, sides in maps.items():
        for side_name, fitted in sides.items():
            print(
                f"{head} {side_name}: {fitted.kind}, Brier {fitted.brier:.4f}, ECE {fitted.ece:.4f}"
            )
    path = config.model / "heads.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw |= {
        "blends": {"unsupported": asdict(blend)},
        "calibration": written(maps),
        "thresholds": thresholds,
    }
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Calibrates the exported model."""
    calibrate(load_config())


if __name__ == "__main__":
    main()
