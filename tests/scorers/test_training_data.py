"""The real training rows hold nothing of the benchmarks and nothing of a closed licence."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from scorers.training.config import TASKS, load_config
from scorers.training.examples import licence_classes
from scorers.training.guard import plain
from scorers.training.labelled_rows import LabelledRow
from scorers.training.prepare import stage_rows

pytestmark = pytest.mark.shared_data
CONFIG = load_config()
_SHORTEST = 40


@pytest.fixture(scope="module")
def rows() -> list[LabelledRow]:
    """The rows of every stage of the shipped configuration, each made by a process of its own."""
    fresh = get_context("spawn")
    with ProcessPoolExecutor(len(CONFIG.stages), mp_context=fresh) as pool:
        made = pool.map(partial(stage_rows, CONFIG), CONFIG.stages)
        return [row for rows in made for row in rows]


def benchmark(task: str) -> list[dict[str, str]]:
    """All rows of a task's benchmarks."""
    files = sorted(Path(CONFIG.data / task / "benchmarks").glob("*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_no_benchmark_text_is_trained_on(rows: list[LabelledRow]) -> None:
    """No row judges a text of a benchmark, beside the same prompt or context."""
    judged = {
        (plain(row["prompt"] or "")[-100:] if row["role"] == "response" else "", plain(row["text"]))
        for row in benchmark("toxicity")
    }
    for task in ("sycophancy", "confidence"):
        judged |= {
            (plain(row["prompt"].rsplit("User: ", 1)[-1])[-100:], plain(row["response"]))
            for row in benchmark(task)
        }
    grounded: dict[str, list[str]] = {}
    for row in benchmark("faithfulness"):
        grounded.setdefault(plain(row["response"]), []).append(plain(row["context"]))
    seen = 0
    for made in rows:
        text, beside = made.row.pair or made.row.text, made.row.text if made.row.pair else ""
        if len(text) < _SHORTEST:
            continue
        own = plain(text)
        seen += 1
        assert ("", own) not in judged, made
        assert (plain(beside)[-100:], own) not in judged, made
        contexts = grounded.get(own, ()) if beside else ()
        assert not any(plain(beside) in context for context in contexts), made
    assert seen > 100_000


def test_every_source_is_of_an_allowed_licence() -> None:
    """Each source that the configuration names has rows of a class that it allows."""
    classes: dict[str, set[str]] = {}
    for (source, _), found in licence_classes(CONFIG.data).items():
        classes.setdefault(source, set()).add(found)
    named = {source for task in TASKS for source in CONFIG.sources(task)}

    assert frozenset({"permissive", "share-alike"}) == CONFIG.licences
    assert all(classes[source] & CONFIG.licences for source in named)
