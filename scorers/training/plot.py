"""`python -m scorers.training.plot`: the training log as a picture, `training.png`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from scorers.training.config import load_config

_SMOOTH = 0.9


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of `log.jsonl`."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def series(lines: list[dict[str, Any]], kind: str) -> dict[str, tuple[list[int], list[float]]]:
    """Tokens and values of each head for `loss` or `auroc`."""
    found: dict[str, tuple[list[int], list[float]]] = {}
    for line in lines:
        for head, value in line.get(kind, {}).items():
            tokens, values = found.setdefault(head, ([], []))
            tokens.append(line["tokens"])
            values.append(value)
    return found


def smoothed(values: list[float]) -> list[float]:
    """A running mean with exponentially falling weights."""
    out: list[float] = []
    for value in values:
        out.append(value if not out else _SMOOTH * out[-1] + (1 - _SMOOTH) * value)
    return out


def _draw(axes: Axes, lines: list[dict[str, Any]], kind: str, title: str) -> None:
    for head, (tokens, values) in series(lines, kind).items():
        shown = smoothed(values) if kind == "loss" else values
        axes.plot(np.array(tokens) / 1e6, shown, label=head)
    axes.set_title(title)
    axes.set_xlabel("million tokens")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")


def plot(log: Path, picture: Path) -> None:
    """Draws losses and validation figures of each head over the tokens read."""
    lines = read_log(log)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    _draw(left, lines, "loss", "training loss (binary cross-entropy)")
    _draw(right, lines, "auroc", "AUROC on held-back rows")
    figure.savefig(picture, dpi=110)
    plt.close(figure)


def main() -> None:
    """Draws the configured run."""
    config = load_config()
    plot(config.work / "log.jsonl", config.work / "training.png")
    print(config.work / "training.png")


if __name__ == "__main__":
    main()
