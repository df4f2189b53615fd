"""Reliability diagrams of the served models, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from service.watch.calibration import Reading

_SIDE_IN = 3.6
_MOST_COLUMNS = 3
_NAMES = {
    "expressed": "how sure it sounds",
    "tokens": "its tokens' probability",
    "likely": "recalibrated",
}


def reliability_diagrams(readings: Mapping[str, Sequence[Reading]], path: Path) -> None:
    """Writes a PNG with a square for each model: the share right by stated chance.

    A dot's area grows with its replies; below the dashed line the model is surer than right.
    """
    shown = {model: own for model, own in readings.items() if own}
    columns = min(_MOST_COLUMNS, max(1, len(shown)))
    lines = max(1, -(-len(shown) // columns))
    size = (_SIDE_IN * columns, _SIDE_IN * lines)
    figure = import_module("matplotlib.figure").Figure(figsize=size, layout="constrained")
    import_module("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    squares = figure.subplots(lines, columns, squeeze=False).ravel()
    for square in squares[len(shown) :]:
        square.set_axis_off()
    for square, (model, own) in zip(squares, shown.items(), strict=False):
        square.plot((0, 1), (0, 1), color="0.6", linestyle="--", linewidth=1)
        for one in own:
            stated, right, counts = zip(*one.diagram, strict=True)
            (line,) = square.plot(stated, right, linewidth=1, alpha=0.6)
            square.scatter(
                stated,
                right,
                s=[8 + 120 * count / one.replies for count in counts],
                color=line.get_color(),
                label=f"{_NAMES[one.name]}, ECE {one.ece.value:.2f}",
            )
        square.set(title=model, xlim=(0, 1), ylim=(0, 1), xlabel="stated chance", ylabel="right")
        square.legend(loc="upper left", frameon=False, fontsize="x-small")
    figure.savefig(path, format="png", dpi=120)
