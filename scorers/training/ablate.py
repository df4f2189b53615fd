"""`python -m scorers.training.ablate [NAME]...`: what a source or a shared encoder brings.

Trains each variant of the configuration for the same few tokens on rows of the last stage, from
the weights at the end of an earlier one, and compares AUROC on held-back rows of real sources and
on parts of the benchmarks (rank correlation on `lingconf_benchmark`). Single-task variants read as
many tokens as the joint one, all of them of their own rows: a comparison at equal cost; or as many
of their own rows as the joint one does: a comparison of what sharing does. A second seed of the
joint variant shows what is chance.

Results are added to `ablations.json` in the work folder; a variant that is there is not run again.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scorers.training.config import Config, Stage, Variant, load_config
from scorers.training.train import open_run, stage_file, train_stage, validate
from scorers.training.transfer import PARTS, transfer

Arrays = dict[str, NDArray[Any]]


def without(arrays: Mapping[str, NDArray[Any]], variant: Variant, heads: Sequence[str]) -> Arrays:
    """The rows that a variant keeps, with the labels of its heads only."""
    labels = arrays["labels"].copy()
    if variant.heads:
        labels[:, [head not in variant.heads for head in heads]] = np.nan
    sources = arrays["names"][arrays["source"]]
    dropped = np.array([str(name).startswith(variant.drop) for name in arrays["names"]])
    keep = ~np.isin(sources, arrays["names"][dropped]) & ~np.isnan(labels).all(axis=1)
    offsets = arrays["offsets"]
    parts = [np.arange(*offsets[row : row + 2]) for row in np.flatnonzero(keep)]
    tokens = np.concatenate(parts)
    return {
        "ids": arrays["ids"][tokens],
        "types": arrays["types"][tokens],
        "offsets": np.cumsum([0, *(len(part) for part in parts)]),
        "labels": labels[keep],
        "weights": arrays["weights"][keep],
    }


def measure(config: Config, variant: Variant) -> dict[str, float]:
    """Figures by head on held-back rows, and by benchmark, after a variant's run."""
    plan = config.ablation
    stage = Stage("ablation", variant.tokens or plan.tokens, plan.peak_rate, 0.0, {}, {})
    folder = config.work / "ablation"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    seed = config.seed if variant.seed is None else variant.seed
    own = replace(config, work=folder, stages=(stage,), seed=seed)
    with np.load(config.rows_file(config.stages[-1])) as arrays:
        np.savez(own.rows_file(stage), **without(dict(arrays), variant, config.heads))
    shutil.copy(config.work / "rows-held.npz", folder / "rows-held.npz")
    run = open_run(own)
    if plan.start:
        start = torch.load(stage_file(config, plan.start), map_location=run.device)
        run.network.load_state_dict(start["network"])
    run.network.train()
    train_stage(run, stage)
    heads, found = variant.heads or config.heads, validate(run)
    away = transfer(run, config)
    return {head: found[head] for head in heads if head in found} | {
        part.benchmark: away[part.benchmark]
        for part in PARTS
        if part.head in heads and part.benchmark in away
    }


def table(results: Mapping[str, Mapping[str, float]], columns: Sequence[str]) -> str:
    """The results as a Markdown table."""
    shown = [name for name in columns if any(name in found for found in results.values())]
    lines = [f"| {' | '.join(['variant', *shown])} |", "|" + " --- |" * (len(shown) + 1)]
    for name, found in results.items():
        cells = [f"{found[head]:.3f}" if head in found else "–" for head in shown]
        lines.append(f"| {' | '.join([name, *cells])} |")
    return "\n".join(lines)


def main() -> None:
    """Runs the variants that are not there yet, or those named; prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="*", help="names of variants; all unless told")
    names, config = parser.parse_args().name, load_config()
    path = config.work / "ablations.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for variant in config.ablation.variants:
        if variant.name in results or (names and variant.name not in names):
            continue
        results[variant.name] = measure(config, variant)
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(table(results, config.heads), flush=True)
        print(table(results, [part.benchmark for part in PARTS]), flush=True)


if __name__ == "__main__":
    main()
