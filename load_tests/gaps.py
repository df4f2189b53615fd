"""`python -m load_tests.gaps [--data ../shared/data] [--runs 3] [--json FILE]`: see the README.

Prompts are real, and embedded once by the shipped model; when they are asked, by whom, and what
becomes of the replies is drawn. Prints after how many prompts of a planted theme it was found, and
how often something was found where there was nothing to find.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from service.commands.score import scoring
from service.settings import Settings
from service.watch.gaps import Gap, Limits, Prompts, hunt
from service.watch.series import HOUR_US
from service.watch.themes import Themes

CACHE = Path(__file__).parent / "gaps.npz"
WEEK = 168
PER_HOUR = 60
USERS = 400
LOOK_HOURS, QUIET_LOOK_HOURS = 12, 24
SHARE = 0.03
PLANTED = 1 / 3
"""The share of a find's prompts that has to be planted, as a gap is known again by."""

CHARS = 500
ORDINARY = "ordinary"
THEMES = ("malware reports", "trivia", "biomedicine", "finance")
CASES = ("nothing", "new, good replies", "new, bad replies", "growing, bad replies")
USUAL = {"unsupported": 0.15, "hedged": 0.1, "thumbs_down": 0.15, "corrected": 0.005}
BAD = {"unsupported": 0.5, "hedged": 0.3, "thumbs_down": 0.5, "corrected": 0.03}
KNOWN = {"unsupported": 0.5, "hedged": 1.0, "thumbs_down": 0.04, "corrected": 1.0}
"""Of how many replies a sign is known."""


@dataclass(frozen=True)
class Pool:
    """Embedded prompts and what each is about."""

    vectors: NDArray[np.float32]
    parts: NDArray[np.str_]

    @classmethod
    def of(cls, data: Path) -> Pool:
        """The pool; made on first use."""
        if not CACHE.exists():
            parts, texts = zip(*_texts(data / "toxicity/train"), strict=True)
            vectors = asyncio.run(_embedded(texts)).astype(np.float16)
            np.savez_compressed(CACHE, vectors=vectors, parts=np.array(parts))
        with np.load(CACHE) as file:
            return cls(file["vectors"].astype(np.float32), file["parts"])


def _texts(folder: Path) -> list[tuple[str, str]]:
    """Prompts of ordinary chat, and of four themes."""
    found = []
    for name in ("openassistant_sample", "alpaca_prompts_benign", "toxicchat_train"):
        found += [(ORDINARY, text) for text in _prompts(folder / f"{name}.parquet")[:700]]
    for theme, name, mark in zip(
        THEMES,
        ("benign_cyber_prompts", "halueval2_benign", "halueval2_benign", "halueval2_benign"),
        ("-mal-", "Open-Domain", "Bio-Medical", "Finance"),
        strict=True,
    ):
        found += [(theme, text) for text in _prompts(folder / f"{name}.parquet", mark)[:150]]
    return found


def _prompts(path: Path, mark: str = "") -> list[str]:
    rows = [row for row in pq.read_table(path).to_pylist() if mark in row["id"]]
    texts = {
        row["text"] if row["role"] == "prompt" else row["prompt"]
        for row in rows
        if not row["toxic"] or row["toxic"] < 0.5
    }
    ordered = sorted(text[:CHARS] for text in texts if text)
    random.Random(0).shuffle(ordered)
    return ordered


async def _embedded(texts: Sequence[str]) -> NDArray[np.float32]:
    settings = Settings.model_validate({"scoring": {"threads": 1}})
    async with scoring(settings, ()) as (engine, _):
        parts = [await engine.embed(texts[at : at + 16]) for at in range(0, len(texts), 16)]
    return np.concatenate(parts)


@dataclass(frozen=True)
class Traffic:
    """Two weeks of prompts; `is_planted` where they are of the planted theme."""

    prompts: Prompts
    is_planted: NDArray[np.bool_]
    from_hour: int

    def between(self, first: int, last: int) -> tuple[Prompts, NDArray[np.bool_]]:
        """The prompts of some hours."""
        at = self.prompts.at_us // HOUR_US
        kept = (at >= first) & (at < last)
        whole = self.prompts
        signs = {name: values[kept] for name, values in whole.signs.items()}
        part = Prompts(
            whole.at_us[kept], whole.who[kept], whole.ids[kept], whole.vectors[kept], signs
        )
        return part, self.is_planted[kept]


def traffic(pool: Pool, case: str, theme: str, seed: int) -> Traffic:
    """Users who ask at their own rates and by the time of day, and again what they asked before."""
    rng = np.random.default_rng([seed, CASES.index(case), THEMES.index(theme)])
    from_hour = WEEK + int(rng.integers(24, 48))
    hours = np.arange(2 * WEEK)
    daily = 1 + 0.6 * np.sin(2 * np.pi * hours / 24)
    hour = np.repeat(hours, rng.poisson(PER_HOUR * daily))
    count = len(hour)
    rates = rng.gamma(0.5, size=USERS)
    who = rng.choice(USERS, count, p=rates / rates.sum())
    ordinary, planted = (np.flatnonzero(pool.parts == part) for part in (ORDINARY, theme))
    favourites = rng.choice(ordinary, (USERS, 8))
    usual = np.where(
        rng.random(count) < 0.3,
        favourites[who, rng.integers(0, 8, count)],
        rng.choice(ordinary, count),
    )
    before = SHARE / 4 if case.startswith("growing") else 0.0
    share = 0.0 if case == "nothing" else np.where(hour >= from_hour, SHARE, before)
    is_planted = rng.random(count) < share
    is_bad = is_planted & case.endswith("bad replies")
    signs = {}
    for name, chance in USUAL.items():
        happens = rng.random(count) < np.where(is_bad, BAD[name], chance)
        is_known = rng.random(count) < KNOWN[name]
        signs[name] = np.where(is_known, happens, np.nan)
    rows = np.where(is_planted, rng.choice(planted, count), usual)
    at_us = np.sort(hour * HOUR_US + rng.integers(0, HOUR_US, count))
    ids = np.arange(count).astype(np.str_)
    prompts = Prompts(at_us, who.astype(np.int64), ids, pool.vectors[rows], signs)
    return Traffic(prompts, is_planted, from_hour)


@dataclass
class Run:
    """What came of a run: looks with a false find, and the first look with a true one."""

    case: str
    theme: str
    seed: int
    false_finds: int = 0
    hours: int | None = None
    prompts: int | None = None
    purity: float | None = None


def simulated(pool: Pool, case: str, theme: str, seed: int) -> Run:
    """Looks again and again in the second week, until the planted gap is found."""
    made = traffic(pool, case, theme, seed)
    before, _ = made.between(0, WEEK)
    run = Run(case, theme, seed)
    known: list[set[str]] = []
    step = LOOK_HOURS if case.endswith("bad replies") else QUIET_LOOK_HOURS
    for hour in range(WEEK + step, 2 * WEEK + 1, step):
        now, is_planted = made.between(WEEK, hour)
        places = {str(ident): at for at, ident in enumerate(now.ids)}
        for gap in hunt(before, now, Limits()):
            if not gap.is_found:
                continue
            purity = _purity(gap, places, is_planted)
            if purity >= PLANTED and case.endswith("bad replies"):
                run.hours, run.purity = hour - made.from_hour, purity
                run.prompts = int(is_planted[now.at_us // HOUR_US >= made.from_hour].sum())
                return run
            # What is found once stays open, as long as it is there.
            if not any(set(gap.members) & old for old in known):
                run.false_finds += 1
                known.append(set(gap.members))
    return run


def _purity(gap: Gap, places: dict[str, int], is_planted: NDArray[np.bool_]) -> float:
    return float(np.mean([is_planted[places[ident]] for ident in gap.members]))


def neighbours(pool: Pool) -> dict[str, list[float]]:
    """Of a theme's prompts, how many of the five nearest are of it: as they are, and whitened."""
    units = pool.vectors / np.linalg.norm(pool.vectors, axis=1, keepdims=True)
    fitted = Themes.fit(pool.vectors)
    white = (units - fitted.mean) @ fitted.directions
    white /= np.linalg.norm(white, axis=1, keepdims=True)
    found: dict[str, list[float]] = {theme: [] for theme in THEMES}
    for vectors in (units, white):
        likeness = vectors @ vectors.T
        np.fill_diagonal(likeness, -np.inf)
        nearest = pool.parts[np.argsort(-likeness, axis=1)[:, :5]]
        for theme in THEMES:
            share = (nearest[pool.parts == theme] == theme).mean()
            found[theme].append(round(float(share), 3))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Runs and prints."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.gaps", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=int, default=2, help="of each case and theme")
    parser.add_argument("--neighbours", action="store_true", help="what whitening does, no more")
    parser.add_argument("--case", choices=CASES, action="append", help="only these")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    pool, begin = Pool.of(args.data), time.process_time()
    if args.neighbours:
        print(json.dumps(neighbours(pool), indent=1))
        return 0
    runs = []
    cases = args.case or CASES
    for case in cases:
        for theme in THEMES:
            for seed in range(args.runs):
                runs.append(simulated(pool, case, theme, seed))
                print(runs[-1], file=sys.stderr, flush=True)
    table = Table("case", "theme", "found", "median prompts", "median hours", "purity", "false")
    for case in cases:
        for theme in THEMES:
            own = [run for run in runs if (run.case, run.theme) == (case, theme)]
            table.add_row(case, theme, *_row(own))
    Console().print(table)
    quiet = [run for run in runs if not run.case.endswith("bad replies")]
    told = {
        "weeks_without_a_gap": len(quiet),
        "false_finds_in_them": sum(run.false_finds for run in quiet),
        "looks_every_hours": [LOOK_HOURS, QUIET_LOOK_HOURS],
        "cpu_s": round(time.process_time() - begin),
    }
    print(json.dumps(told, indent=1))
    if args.json:
        args.json.write_text(json.dumps([told, *map(vars, runs)], indent=1), encoding="utf-8")
    return 0


def _row(runs: Sequence[Run]) -> tuple[str, ...]:
    found = [run for run in runs if run.hours is not None]
    middle = [
        f"{np.median([getattr(run, name) for run in found]):.{digits}f}" if found else ""
        for name, digits in (("prompts", 0), ("hours", 0), ("purity", 2))
    ]
    return f"{len(found)} of {len(runs)}", *middle, str(sum(run.false_finds for run in runs))


if __name__ == "__main__":
    sys.exit(main())
