"""`python -m scorers.training.baselines [--limit N] [--only NAME]...`: what the words give away.

A head that reads a reply with its prompt or its context has learned something of both only where
it does better than one that reads the reply alone. So for each head a bag of word pieces and their
pairs (hashed; logistic regression) is fitted on the rows of the last stage, of which it sees only
the last text: the reply, the sentence (behind its question where it is a bare answer), or the
prompt that stands alone. It then scores the benchmarks' texts, of which it sees as much, and stands
beside the shipped scores of the same texts that `python -m scorers.training.evaluate` left in the
work folder.

Writes `baselines.md` and `baselines.json` into the work folder.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer
from tqdm import tqdm

from scorers.builtin.faithfulness import claim_spans, claim_text
from scorers.builtin.toxicity import toxicity_rows
from scorers.evaluation import labelled
from scorers.evaluation.judgements import JUDGEMENTS, Labelled
from scorers.evaluation.report import Bars, Judged, Part, judge
from scorers.training.config import Config, load_config
from scorers.training.evaluate import BENCHMARKS, benchmark_rows
from scorers.training.pretrained import encoder_folder
from scorers.types import Score

Pieces = NDArray[np.int32]
Floats = NDArray[np.float64]

_FEATURES = 2**18
_PARTS = {"faithfulness": ("pooled", "split"), "sycophancy": ("pooled", "kind")}


def pairs(pieces: Pieces) -> Iterator[str]:
    """The pieces and the pairs of neighbours."""
    names = [str(piece) for piece in pieces.tolist()]
    yield from names
    yield from (f"{left} {right}" for left, right in pairwise(names))


_COUNTS = HashingVectorizer(analyzer=pairs, n_features=_FEATURES, alternate_sign=False)


def last_texts(arrays: Mapping[str, NDArray[Any]]) -> list[Pieces]:
    """The word pieces of each prepared row's last text, without the tokens that mark its ends."""
    found = []
    for start, stop in pairwise(arrays["offsets"]):
        own, ids = arrays["types"][start:stop] == 1, arrays["ids"][start:stop]
        found.append(ids[own][:-1] if own.any() else ids[1:-1])
    return found


@dataclass(frozen=True, slots=True)
class Bag:
    """A fitted head: its log-odds from the words of a text alone."""

    model: LogisticRegression

    def __call__(self, texts: Sequence[Pieces]) -> Floats:
        """The log-odds of texts, of shape (texts,)."""
        odds: Floats = self.model.decision_function(_COUNTS.transform(texts))
        return odds


def fitted(config: Config) -> dict[str, Bag]:
    """A bag for each head that has good and bad rows in the last stage."""
    with np.load(config.rows_file(config.stages[-1])) as found:
        arrays = dict(found)
    counts = _COUNTS.transform(last_texts(arrays))
    bags = {}
    for column, head in enumerate(tqdm(config.heads, desc="bags of words", unit="head")):
        labels = arrays["labels"][:, column]
        known = ~np.isnan(labels)
        bad = labels[known] >= 0.5
        if bad.any() and not bad.all():
            model = LogisticRegression(max_iter=300)
            bags[head] = Bag(model.fit(counts[known], bad, arrays["weights"][known]))
    return bags


def texts_of(one: Labelled, head: str) -> list[str]:
    """What the bag of a head sees of a text: its windows, or its sentences."""
    subject = one.subject
    if head == "unsupported":
        spans = claim_spans(subject.text, subject.start, subject.stop)
        return [claim_text(subject.prompt, subject.text[a:b].strip()) for a, b in spans]
    rows = toxicity_rows(subject)
    return [row.text if row.pair is None else row.pair for row in rows]


def scored(
    bag: Bag, found: Sequence[Labelled], head: str, scorer: str, tokenizer: Tokenizer
) -> list[Score]:
    """The bag's score of each text: that of its worst window, of sentences their mean."""
    texts = [texts_of(one, head) for one in found]
    flat = [text for own in texts for text in own]
    encoded = tokenizer.encode_batch(flat, add_special_tokens=False)
    odds = bag([np.array(one.ids, np.int32) for one in encoded]) if flat else np.zeros(0)
    pick = np.mean if head == "unsupported" else np.max
    scores, start = [], 0
    for one, own in zip(found, texts, strict=True):
        part = odds[start : start + len(own)]
        start += len(own)
        risk = float(1 / (1 + np.exp(-pick(part)))) if len(own) else None
        heads = {head: risk} if risk is not None else {}
        scores.append(Score(scorer, one.subject.side, "words", risk, heads))
    return scores


def measured(
    config: Config, bags: Mapping[str, Bag], tokenizer: Tokenizer, *, name: str, limit: int
) -> list[Judged]:
    """Every judgement that a benchmark has labels for and a head has a bag for."""
    scorer = BENCHMARKS[name]
    rows = benchmark_rows(config, name, limit)
    found = [one for one in labelled.labelled(rows, scorer, where=name) if one]
    made = []
    for judgement in JUDGEMENTS[scorer]:
        if judgement.head in bags:
            scores = scored(bags[judgement.head], found, judgement.head, scorer, tokenizer)
            judged = judge(judgement, found, scores, scorer=scorer, bars=Bars({}))
            made += [judged] if judged else []
    return made


def shipped(config: Config) -> dict[tuple[str, str, str, str, str], dict[str, Any]]:
    """The parts that `evaluate` has measured, by benchmark, label, score and part."""
    path = config.work / "evaluation.json"
    if not path.exists():
        return {}
    return {
        (one["benchmark"], one["label"], one["score"], part["by"], part["name"]): part
        for one in json.loads(path.read_text(encoding="utf-8"))["judgements"]
        for part in one["parts"]
    }


def table(config: Config, found: Sequence[tuple[str, Judged]]) -> str:
    """The baselines beside the shipped scores, as markdown."""
    known = shipped(config)
    lines = [
        "| benchmark | score → label | texts (bad) | figure | words alone | shipped |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, judged in found:
        for part in judged.parts:
            if part.by not in _PARTS.get(judged.scorer, ("pooled",)):
                continue
            key = (name, judged.judgement.label, judged.score, part.by, part.name)
            cells = _cells(judged, part, known.get(key))
            if cells:
                at = name if part.by == "pooled" else f"{name}: {part.by} {part.name}"
                score = f"{judged.score} → {judged.judgement.label}"
                lines.append(f"| {at} | {score} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cells(judged: Judged, part: Part, other: Mapping[str, Any] | None) -> list[str]:
    figure = "spearman" if judged.judgement.kind == "rating" else "auroc"
    own = part.figures.get(figure)
    if own is None or np.isnan(own.value):
        return []
    bad = "" if part.positives is None else f" ({part.positives})"
    theirs = "–"
    if other is not None and other["texts"] == part.texts:
        theirs = _interval(**other["figures"][figure])
    return [f"{part.texts}{bad}", figure, _interval(own.value, own.low, own.high), theirs]


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    """Fits the bags and measures the benchmarks, all or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=0, help="texts of a benchmark; 0 for all")
    parser.add_argument("--only", action="append", choices=sorted(BENCHMARKS))
    options = parser.parse_args()
    config = load_config()
    tokenizer = Tokenizer.from_file(str(encoder_folder() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    bags = fitted(config)
    found = [
        (name, judged)
        for name in tqdm(options.only or list(BENCHMARKS), desc="benchmarks", unit="set")
        for judged in measured(config, bags, tokenizer, name=name, limit=options.limit)
    ]
    text = table(config, found)
    print(text)
    (config.work / "baselines.md").write_text(text + "\n", encoding="utf-8")
    plain = [{"benchmark": name} | judged.to_dict() for name, judged in found]
    path = config.work / "baselines.json"
    path.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
