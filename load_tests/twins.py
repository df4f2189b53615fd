"""How well twins tell which replies of real models gave in to their users.

    python -m load_tests.twins ../shared/data [--rows 300] [--part train|benchmarks]

Two kinds of labelled replies have a twin in the data: replies to a question with a wrong opinion
beside it, whose twin is the same model's reply to the question alone, and replies to pushback,
whose twin is the answer before it. Printed is how the flip and the classifier tell good from bad.
Without the heads `view` and `sycophantic` every sentence beside the question counts as a view,
and the classifier says nothing. What caves is the verdict of stance probes on the same figures.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from scorers import catalog
from scorers.builtin.sycophancy import SYCOPHANTIC, VIEW
from scorers.builtin.twin import EVEN, comparison
from scorers.engine import Engine
from scorers.evaluation.metrics import auroc
from scorers.sentences import sentences
from scorers.types import Side, Subject
from service.stance import Held

FILES = {
    "train": ("sycophancy/train/sycosup_pressure.parquet",),
    "benchmarks": (
        "sycophancy/benchmarks/sycosup_pressure_heldout.parquet",
        "sycophancy/benchmarks/constructed_are_you_sure.parquet",
    ),
}


@dataclass(frozen=True)
class Pair:
    """A reply, its twin and what the user said; `question` is what the twin answers."""

    group: str
    said: str
    question: str
    reply: str
    twin: str
    is_bad: bool

    @property
    def sentences(self) -> list[str]:
        """What may state a view: all but the question."""
        said = self.said.removesuffix(self.question).removesuffix("Question:")
        return [said[left:right] for left, right in sentences(said)]


def pairs(data: Path, part: str, rows: int) -> list[Pair]:
    """As many good replies as bad ones of each file, `rows` at most, always the same."""
    found = []
    for file in FILES[part]:
        every = list(_pairs(Path(file).stem, pq.read_table(data / file).to_pylist()))
        random.Random(1).shuffle(every)
        for is_bad in (True, False):
            found += [pair for pair in every if pair.is_bad is is_bad][: rows // 2]
    return found


def _pairs(group: str, rows: list[dict[str, Any]]) -> Iterator[Pair]:
    controls: Mapping[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["kind"] == "no_opinion_control":
            controls[row["pair_id"]].append(row)
    for row in rows:
        said = row["prompt"].rpartition("User: ")[2].strip()
        is_bad = row["sycophantic"] > EVEN
        if row["kind"] == "are_you_sure":
            before = row["prompt"].rpartition("Assistant: ")[2].partition("\nUser: ")[0]
            yield Pair(group, said, "", row["response"], before, is_bad)
        elif row["kind"] != "no_opinion_control" and controls[row["pair_id"]]:
            control = controls[row["pair_id"]][0]
            question = said.rpartition("Question:")[2].strip()
            yield Pair(group, said, question, row["response"], control["response"], is_bad)


class Scoring:
    """The shipped model, asked as the service asks it."""

    def __init__(self, engine: Engine, heads: tuple[str, ...]) -> None:
        self._engine = engine
        self._is_whole = {VIEW, SYCOPHANTIC} <= set(heads)

    async def flip(self, pair: Pair) -> tuple[float, float, float]:
        """The flip, the classifier's risk (0 where there is none), and 1 where it has caved."""
        views, sycophantic = pair.sentences, 0.0
        if self._is_whole:
            asked = [Subject(Side.PROMPT, sentence) for sentence in views]
            chances = await self._engine.score_many(asked, scorers={"sycophancy"})
            views = [
                sentence
                for sentence, chance in zip(views, chances, strict=True)
                if chance["sycophancy"].heads.get(VIEW, 0.0) >= EVEN
            ]
            reply = Subject(Side.REPLY, pair.reply, prompt=pair.said)
            score = (await self._engine.score(reply, scorers={"sycophancy"}))["sycophancy"]
            sycophantic = score.risk or 0.0
        held = comparison(pair.reply, pair.twin, views=views, question=pair.question)
        scores = await self._engine.score_many(held.subjects, scorers={"faithfulness"})
        gaps = held.gaps([score["faithfulness"].risk for score in scores])
        has_caved = Held(gaps, sycophantic).verdict == "caved"
        return gaps.flip(sycophantic), sycophantic, float(has_caved)


async def measure(rows: list[Pair]) -> dict[str, dict[str, float]]:
    """By group: AUROC of flip and classifier, and shares of bad and good ones that flip or cave."""
    loaded = catalog.load()
    engine = Engine(loaded)
    await engine.start()
    try:
        scoring = Scoring(engine, loaded.heads)
        risks = np.array([await scoring.flip(pair) for pair in rows])
    finally:
        await engine.stop()
    told = {}
    for group in dict.fromkeys(pair.group for pair in rows):
        is_own = np.array([pair.group == group for pair in rows])
        is_bad = np.array([pair.is_bad for pair in rows])[is_own]
        flip, classifier, caved = risks[is_own].T
        told[group] = {
            "bad": float(is_bad.sum()),
            "good": float((~is_bad).sum()),
            "flip AUROC": auroc(is_bad, flip),
            "classifier AUROC": auroc(is_bad, classifier),
            "bad flipped": float((flip[is_bad] >= EVEN).mean()),
            "good flipped": float((flip[~is_bad] >= EVEN).mean()),
            "bad caved": float(caved[is_bad].mean()),
            "good caved": float(caved[~is_bad].mean()),
        }
    return told


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--part", choices=FILES, default="benchmarks")
    asked = parser.parse_args()
    table = Table("group")
    for group, told in asyncio.run(measure(pairs(asked.data, asked.part, asked.rows))).items():
        if not table.row_count:
            for name in told:
                table.add_column(name, justify="right")
        table.add_row(group, *(f"{value:.3g}" for value in told.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
