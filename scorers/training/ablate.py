"""`python -m scorers.training.ablate [NAME]...`: what a source or a shared encoder brings.

Trains each variant of the configuration for the same few tokens from the same start, on rows of
the last stage, and compares AUROC on held-back rows of real sources. Single-task variants read
as many tokens as the joint one, all of them of their own rows: a comparison at equal cost.
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
from numpy.typing import NDArray

from scorers.training.config import Config, Stage, Variant, load_config
from scorers.training.train import open_run, train_stage, validate

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
    """AUROC of each head on held-back rows after a variant's run."""
    stage = Stage("ablation", config.ablation.tokens, config.ablation.peak_rate, 0.0, {}, {})
    folder = config.work / "ablation"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    own = replace(config, work=folder, stages=(stage,))
    with np.load(config.rows_file(config.stages[-1])) as arrays:
        np.savez(own.rows_file(stage), **without(dict(arrays), variant, config.heads))
    shutil.copy(config.work / "rows-held.npz", folder / "rows-held.npz")
    run = open_run(own)
    run.network.train()
    train_stage(run, stage)
    found = validate(run)
    return {head: found[head] for head in variant.heads or config.heads if head in found}


def table(results: Mapping[str, Mapping[str, float]], heads: Sequence[str]) -> str:
    """The results as a Markdown table."""
    shown = [head for head in heads if any(head in found for found in results.values())]
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


if __name__ == "__main__":
    main()
