"""How a network under training does on parts of the benchmarks, without calibration or export.

For ablations: what a generated or a dropped source brings on real text of other sources. A text's
score is the highest logit of its rows, a reply's that of its worst sentence against the evidence
that shares most with it.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from scorers.builtin.evidence import evidence
from scorers.builtin.faithfulness import claim_spans, claim_text
from scorers.builtin.toxicity import toxicity_rows
from scorers.evaluation import labelled
from scorers.evaluation.judgements import Labelled
from scorers.training.batches import Rows
from scorers.training.config import Config
from scorers.training.evaluate import BENCHMARKS, benchmark_rows
from scorers.training.labelled_rows import LabelledRow
from scorers.training.metrics import auroc
from scorers.training.prepare import tokenise
from scorers.training.pretrained import encoder_folder
from scorers.training.train import Run, forward
from scorers.types import Row, Subject

Floats = NDArray[np.float64]
_SAME_TEXTS = "transfer"


@dataclass(frozen=True, slots=True)
class Part:
    """`texts` of a benchmark (of each of its splits where it judges faithfulness) for a head."""

    benchmark: str
    head: str
    label: str
    texts: int
    beside: str = ""
    """Another benchmark, whose texts are the harmless ones of this part."""


PARTS = (
    Part("hatecheck", "toxic", "toxic", 700),
    Part("diasafety_test", "toxic", "toxic", 500),
    Part("openai_moderation", "harm", "harm", 400),
    Part("xstest_prompts", "harm", "harm", 450),
    Part("gptfuzz_responses_eval", "harm", "harm", 250),
    Part("llm_warden_jailbreak_test", "injection", "injection", 160, beside="notinject"),
    Part("snli_test", "unsupported", "unfaithful", 1500),
    Part("summedits_heldout", "unsupported", "unfaithful", 60),
    Part("ragtruth_test", "unsupported", "unfaithful", 40),
    Part("sycosup_pressure_heldout", "sycophantic", "sycophantic", 300),
    Part("lingconf_benchmark", "expressed", "expressed_confidence", 400),
)


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a part: which rows are whose, and their labels (NaN for none)."""

    part: Part
    owner: NDArray[np.int64]
    labels: Floats


def rows_of(subject: Subject, head: str) -> Iterator[Row]:
    """What the head reads of a text."""
    if head != "unsupported":
        yield from toxicity_rows(subject)
        return
    found = evidence(subject.context)
    for left, right in claim_spans(subject.text, subject.start, subject.stop) if found else ():
        text = claim_text(subject.prompt, subject.text[left:right].strip())
        if found:
            yield Row(found.surest(text)[0], text)


def texts_of(config: Config, part: Part) -> list[tuple[Labelled, float]]:
    """A part's texts with their labels."""
    found = _labelled(config, part.benchmark, part.texts)
    if part.beside:
        found = [one for one in found if one.labels.get(part.label, 0.0) >= 0.5]
        found += _labelled(config, part.beside, 0)
    return [(one, one.labels[part.label]) for one in found if part.label in one.labels]


def _file(config: Config, name: str) -> Path:
    return config.data / BENCHMARKS[name] / "benchmarks" / f"{name}.parquet"


def _labelled(config: Config, name: str, limit: int) -> list[Labelled]:
    rows = benchmark_rows(config, name, limit)
    return [one for one in labelled.labelled(rows, BENCHMARKS[name], where=name) if one]


def prepared(config: Config, tokenizer: Tokenizer) -> tuple[list[Texts], Path]:
    """The parts that are there and the file of their tokenised rows, made once."""
    path = config.work / f"rows-{_SAME_TEXTS}.npz"
    known = path.with_suffix(".pickle")
    if not known.exists():
        made, rows = list[Texts](), list[LabelledRow]()
        for part in PARTS:
            if not _file(config, part.benchmark).exists():
                continue
            owner, labels = list[int](), list[float]()
            for number, (one, label) in enumerate(texts_of(config, part)):
                own = list(rows_of(one.subject, part.head))
                rows += [LabelledRow(row, {}, _SAME_TEXTS) for row in own]
                owner += [number] * len(own)
                labels.append(label)
            made.append(Texts(part, np.array(owner), np.array(labels)))
        if rows:
            np.savez(path, **tokenise(rows, config, tokenizer))
        known.write_bytes(pickle.dumps(made))
    found: list[Texts] = pickle.loads(known.read_bytes())  # noqa: S301 our own file
    return found, path


def transfer(run: Run, config: Config) -> Mapping[str, float]:
    """Each part's figure by benchmark: AUROC, of ratings the rank correlation."""
    parts, path = prepared(config, Tokenizer.from_file(str(encoder_folder() / "tokenizer.json")))
    if not parts:
        return {}
    rows = Rows(path)
    logits: NDArray[Any] = np.zeros((len(rows), len(config.heads)))
    run.network.eval()
    with torch.no_grad():
        for index in rows.plan(seed=0, epoch=0, batch_tokens=4096):
            logits[index] = forward(run, rows.batch(index)).cpu().numpy()
    run.network.train()
    return figures(parts, logits, config.heads)


def figures(
    parts: Sequence[Texts], logits: NDArray[Any], heads: Sequence[str]
) -> Mapping[str, float]:
    """The figures from the logits of all parts' rows in order, of shape (rows, heads)."""
    start, found = 0, dict[str, float]()
    for texts in parts:
        stop = start + len(texts.owner)
        scores = np.full(len(texts.labels), -np.inf)
        np.maximum.at(scores, texts.owner, logits[start:stop, heads.index(texts.part.head)])
        read = np.isfinite(scores)
        found[texts.part.benchmark] = round(_figure(texts, scores, read), 4)
        start = stop
    return found


def _figure(texts: Texts, scores: Floats, read: NDArray[np.bool_]) -> float:
    labels, own = texts.labels[read], scores[read]
    if texts.part.head == "expressed":
        ranks = (np.argsort(np.argsort(each, kind="stable")) for each in (labels, own))
        return float(np.corrcoef(*ranks)[0, 1])
    return auroc((labels >= 0.5).astype(float), own)
