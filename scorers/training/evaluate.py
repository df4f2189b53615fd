"""`python -m scorers.training.evaluate [--limit N] [--only NAME]...`: the benchmarks.

Scores whole texts with the int8 file as `fairlead evaluate` does, at a threshold of one half, and
writes `evaluation.json` and `evaluation.md` into the work folder.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import Iterator
from typing import Any

from tqdm import tqdm

from scorers import catalog
from scorers.builtin import HeadMap
from scorers.engine import Engine
from scorers.evaluation import labelled
from scorers.evaluation.judgements import JUDGEMENTS
from scorers.evaluation.markdown import markdown
from scorers.evaluation.report import Bar, Bars, Judged, judge, strict_bars
from scorers.evaluation.run import scores_of
from scorers.training.config import Config, load_config
from scorers.training.examples import Example, read_rows
from scorers.types import Side

BENCHMARKS = {
    "openai_moderation": "toxicity",
    "xstest_prompts": "toxicity",
    "simplesafetytests": "toxicity",
    "hatecheck": "toxicity",
    "notinject": "toxicity",
    "llm_warden_jailbreak_test": "toxicity",
    "injecagent_heldout": "toxicity",
    "gptfuzz_responses_eval": "toxicity",
    "diasafety_test": "toxicity",
    "ragtruth_test": "faithfulness",
    "summedits_heldout": "faithfulness",
    "snli_test": "faithfulness",
    "sycosup_pressure_heldout": "sycophancy",
    "sycobench_pickside": "sycophancy",
    "constructed_are_you_sure": "sycophancy",
    "lingconf_benchmark": "confidence",
}
"""The benchmarks, each with its scorer."""


def novel_share(example: Example) -> float:
    """Share of reply words (over three letters, or digits) that the context lacks."""
    return labelled.novel_share(example.subject)


def sampled(rows: list[dict[str, Any]], limit: int, seed: int) -> list[dict[str, Any]]:
    """At most `limit` rows, drawn by the seed; all with a limit of 0."""
    return random.Random(seed).sample(rows, limit) if 0 < limit < len(rows) else rows


def benchmark_rows(config: Config, name: str, limit: int) -> list[dict[str, Any]]:
    """A benchmark's rows, at most `limit` of each split where it judges faithfulness."""
    scorer = BENCHMARKS[name]
    rows = read_rows(config.data / f"{scorer}/benchmarks/{name}.parquet")
    if scorer != "faithfulness":
        return sampled(rows, limit, config.seed)
    splits: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        splits.setdefault(row["split"], []).append(row)
    return [row for own in splits.values() for row in sampled(own, limit, config.seed)]


async def measured(
    engine: Engine, heads: HeadMap, config: Config, *, name: str, limit: int
) -> list[Judged]:
    """Every judgement that a benchmark has labels for."""
    scorer, rows = BENCHMARKS[name], benchmark_rows(config, name, limit)
    found = [one for one in labelled.labelled(rows, scorer, where=name) if one]
    with tqdm(total=len(found), desc=name, unit="text", mininterval=10) as bar:
        scores = await scores_of(engine, found, scorer, progress=bar.update)
    half = dict.fromkeys(Side, Bar(0.5, "one half"))
    judged = [
        judge(
            judgement,
            found,
            scores,
            scorer=scorer,
            bars=Bars(half, strict_bars(heads, scorer, judgement.head)),
        )
        for judgement in JUDGEMENTS[scorer]
    ]
    return [one for one in judged if one is not None]


async def evaluate(config: Config, names: list[str], limit: int) -> None:
    """Measures the benchmarks one by one; both files are rewritten after each."""
    loaded = catalog.load(config.model, provider="cpu")
    engine, found = Engine(loaded), list[tuple[str, Judged]]()
    await engine.start()
    try:
        for name in known(names, loaded.headmap):
            new = await measured(engine, loaded.headmap, config, name=name, limit=limit)
            found += [(name, one) for one in new]
            print(markdown((name, one) for one in new), flush=True)
            (config.work / "evaluation.md").write_text(markdown(found) + "\n", encoding="utf-8")
            plain = [{"benchmark": at} | one.to_dict() for at, one in found]
            text = json.dumps({"model": loaded.model, "judgements": plain}, indent=1)
            (config.work / "evaluation.json").write_text(text + "\n", encoding="utf-8")
    finally:
        await engine.stop()


def known(names: list[str], heads: HeadMap) -> Iterator[str]:
    """The benchmarks whose scorer the model has; the others are told."""
    for name in names:
        if BENCHMARKS[name] in heads.scorers:
            yield name
        else:
            print(f"{name}: {heads.model} has no scorer {BENCHMARKS[name]}", flush=True)


def main() -> None:
    """Evaluates, prints the tables, writes both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=0, help="texts of a benchmark part; 0 for all")
    parser.add_argument(
        "--only", action="append", choices=BENCHMARKS, help="a benchmark's name; may be repeated"
    )
    options = parser.parse_args()
    names = [name for name in BENCHMARKS if name in (options.only or [name])]
    asyncio.run(evaluate(load_config(), names, options.limit))


if __name__ == "__main__":
    main()
