"""The reliability diagram: how often texts of a stated risk have the fault."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from scorers.evaluation.report import Judged, Part


class NoPlotting(RuntimeError):
    """The library that draws is not installed; the message says how to get it."""


def check_plotting() -> None:
    """Raises NoPlotting where a diagram could not be drawn."""
    try:
        import_module("matplotlib.backends.backend_agg")
    except ImportError:
        raise NoPlotting("--plot needs matplotlib: pip install 'fairlead[plot]'") from None


def reliability_diagram(found: Sequence[Judged], title: str, path: Path) -> None:
    """Writes a PNG: for each judgement's pooled texts the mean label by stated risk, and how many.

    A curve on the diagonal is calibrated; below it the risk is stated too high.
    """
    check_plotting()
    figure = import_module("matplotlib.figure").Figure(figsize=(6.4, 7.2), layout="constrained")
    import_module("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot((0, 1), (0, 1), color="0.6", linestyle="--", linewidth=1)
    for judged in found:
        pooled = judged.parts[0]
        if not pooled.texts:
            continue
        risks, labels, texts = zip(*pooled.reliability, strict=True)
        (line,) = above.plot(risks, labels, marker="o", markersize=4, label=_legend(judged, pooled))
        below.step(risks, texts, where="mid", color=line.get_color())
    above.set(title=title, ylabel="mean label", xlim=(0, 1), ylim=(0, 1))
    below.set(xlabel="stated risk", ylabel="texts", yscale="symlog")
    if above.get_legend_handles_labels()[0]:
        above.legend(loc="upper left", frameon=False, fontsize="small")
    figure.savefig(path, format="png", dpi=120)


def _legend(judged: Judged, pooled: Part) -> str:
    name = f"{judged.score} → {judged.judgement.label}"
    error = pooled.figures.get("ece")
    return f"{name} (ECE {error.value:.3f})" if error else name
