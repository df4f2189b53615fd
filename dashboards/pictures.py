"""The boards as pictures, drawn from what a Prometheus answers: for places where no Grafana runs.

`python -m dashboards.pictures --prometheus URL --minutes 60 -o FOLDER`; needs the extra `plot`.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import httpx
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from dashboards.grafana import reading
from dashboards.grafana.reading import Asked

INK, SOFT, PAPER, CARD, GRID = "#22313f", "#6b7a88", "#f3f5f7", "#ffffff", "#e4e9ed"
CYCLE = ("#3d7ea6", "#e0a030", "#3f9d6b", "#8d6cab", "#d1495b", "#4bb0b0", "#b5793c", "#7f8c99")
POINTS = 160
WIDTH_IN, CELL_H_IN, DPI = 13.2, 0.29, 100
MARGIN_PX, GAP = 14, 6
MOST_ROWS = 3


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is drawn, in seconds."""

    start: float
    end: float

    @property
    def step(self) -> float:
        """The time between two points."""
        return max(1.0, (self.end - self.start) / POINTS)


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name, minutes since the start, and values (NaN where there is none)."""

    name: str
    labels: dict[str, str]
    minutes: np.ndarray
    values: np.ndarray


class Source:
    """A Prometheus that is asked for a span of time."""

    def __init__(self, url: str, span: Span) -> None:
        self._client = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self.span = span

    def __enter__(self) -> Self:
        """The source."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Closes its connections."""
        self._client.close()

    def series(self, panel: Asked) -> list[Series]:
        """All series of a panel, in the order in which it asks."""
        return [one for legend, expr in panel.queries for one in self._asked(legend, expr)]

    def values_of(self, expr: str, label: str) -> list[str]:
        """The values of a label, over all series that an expression has now."""
        told = self._get("query", {"query": expr, "time": self.span.end})
        return sorted({found["metric"].get(label, "") for found in told})

    def _asked(self, legend: str, expr: str) -> list[Series]:
        span = self.span
        asked = {"query": expr, "start": span.start, "end": span.end, "step": span.step}
        return [self._one(legend, found) for found in self._get("query_range", asked)]

    def _one(self, legend: str, found: dict[str, Any]) -> Series:
        at = np.arange(self.span.start, self.span.end + self.span.step / 2, self.span.step)
        values = np.full(len(at), np.nan)
        for when, value in found["values"]:
            values[min(len(at) - 1, round((when - self.span.start) / self.span.step))] = value
        name = legend
        for label, value in found["metric"].items():
            name = name.replace("{{" + label + "}}", value)
        return Series(name, found["metric"], (at - self.span.start) / 60, values)

    def _get(self, what: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        told = self._client.get(f"/api/v1/{what}", params=params).json()
        if told["status"] != "success":
            raise ValueError(f"{told['error']}: {params}")
        found: list[dict[str, Any]] = told["data"]["result"]
        return found


def shown(value: float, unit: str) -> str:
    """A figure as a reader wants it."""
    if math.isnan(value):
        return "–"
    match unit:
        case "percentunit":
            return f"{value * 100:.3g}%"
        case "s":
            return f"{value * 1000:.3g} ms" if abs(value) < 1 else f"{value:.3g} s"
        case "bytes":
            return f"{value / 2**20:.0f} MiB"
        case "reqps":
            return f"{value:.3g}/s"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def draw(title: str, text: str, panels: Sequence[Asked], source: Source) -> Figure:
    """A whole board."""
    mpl.rcParams.update({"font.family": "DejaVu Sans", "font.size": 8, "axes.linewidth": 0})
    rows = max(panel.y + panel.height for panel in panels)
    height = rows * CELL_H_IN + 0.75
    figure = Figure(figsize=(WIDTH_IN, height), dpi=DPI, facecolor=PAPER)
    figure.text(0.012, 1 - 0.24 / height, title, size=15, color=INK, weight="bold", va="center")
    figure.text(0.012, 1 - 0.53 / height, text, size=9, color=SOFT, va="center")
    for panel in panels:
        _panel(figure, panel, source, height)
    return figure


def _panel(figure: Figure, panel: Asked, source: Source, height: float) -> None:
    px, py = 1 / (WIDTH_IN * DPI), 1 / (height * DPI)
    left = MARGIN_PX * px + panel.x / 24 * (1 - 2 * MARGIN_PX * px) + GAP * px / 2
    width = panel.width / 24 * (1 - 2 * MARGIN_PX * px) - GAP * px
    top = 1 - (0.75 + panel.y * CELL_H_IN) / height - GAP * py / 2
    tall = panel.height * CELL_H_IN / height - GAP * py
    figure.add_artist(
        FancyBboxPatch(
            (left, top - tall), width, tall, boxstyle="round,pad=0,rounding_size=0.003",
            facecolor=CARD, edgecolor=GRID, linewidth=0.8, mutation_aspect=WIDTH_IN / height,
            zorder=-10,
        )
    )  # fmt: skip
    figure.text(left + 10 * px, top - 15 * py, panel.title, size=9.5, color=INK, weight="bold",
                va="center")  # fmt: skip
    found = source.series(panel)
    is_number = panel.kind == "stat"
    below = {"stat": 4, "timeseries": 56}.get(panel.kind, 26)
    beside = {"stat": 0, "state-timeline": 190}.get(panel.kind, 62)
    inner = (left + beside * px, top - tall + below * py)
    size = (
        width - (0 if is_number else beside + 16) * px,
        tall - (below + (56 if is_number else 30)) * py,
    )
    axes = figure.add_axes((*inner, *size), facecolor="none")
    axes.set_xlim(0, (source.span.end - source.span.start) / 60)
    match panel.kind:
        case "stat":
            _number(axes, panel, found, figure, (left + 10 * px, top - 40 * py))
        case "heatmap":
            _heat(axes, found)
        case "state-timeline":
            _states(axes, found)
        case _:
            _lines(axes, panel, found)
    if not is_number:
        axes.tick_params(colors=SOFT, length=0, labelsize=7.5)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} min")
        axes.locator_params(axis="x", nbins=7)


def _number(
    axes: Axes, panel: Asked, found: list[Series], figure: Figure, at: tuple[float, float]
) -> None:
    axes.set_axis_off()
    if not found:
        figure.text(*at, "no data", size=15, color=SOFT, va="center")
        return
    values = found[0].values
    known = values[~np.isnan(values)]
    is_named = bool(panel.queries[0][0])
    text = found[0].name if is_named else shown(known[-1] if len(known) else math.nan, panel.unit)
    figure.text(*at, text, size=19, color=CYCLE[0], va="center", weight="bold")
    axes.fill_between(found[0].minutes, values, color=CYCLE[0], alpha=0.14, linewidth=0)
    axes.plot(found[0].minutes, values, color=CYCLE[0], linewidth=1, alpha=0.6)
    axes.set_ylim(0, max(float(np.nanmax(values)) * 1.15, 1e-9) if len(known) else 1)


def _lines(axes: Axes, panel: Asked, found: list[Series]) -> None:
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.yaxis.set_major_formatter(lambda value, _: shown(value, panel.unit))
    axes.locator_params(axis="y", nbins=5)
    if not found:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", color=SOFT)
        return
    found = sorted(found, key=lambda one: one.name)
    colors = [panel.colors.get(one.name, CYCLE[i % len(CYCLE)]) for i, one in enumerate(found)]
    if panel.is_stacked:
        stack = np.nan_to_num(np.array([one.values for one in found]))
        axes.stackplot(found[0].minutes, stack, colors=colors, alpha=0.85, linewidth=0)
    else:
        for one, color in zip(found, colors, strict=True):
            axes.plot(one.minutes, one.values, color=color, linewidth=1.6)
    top = panel.high or axes.get_ylim()[1]
    axes.set_ylim(min(0.0, axes.get_ylim()[0]), top if top > 0 else 1)
    _legend(axes, [one.name for one in found], colors)


def _legend(axes: Axes, names: Sequence[str], colors: Sequence[str]) -> None:
    """The names below the axes, as many as there is room for."""
    longest = max(map(len, names))
    columns = 5 if longest < 13 else 4 if longest < 18 else 3 if longest < 26 else 2
    most = columns * MOST_ROWS if len(names) <= columns * MOST_ROWS else columns * MOST_ROWS - 1
    told = list(zip(names, colors, strict=True))[:most]
    handles = [Line2D([], [], color=color, linewidth=3) for _, color in told]
    labels = [name if len(name) < 42 else name[:40] + "…" for name, _ in told]
    if len(names) > most:
        handles.append(Line2D([], [], color="none"))
        labels.append(f"and {len(names) - most} more")
    axes.legend(
        handles, labels, loc="upper left", bbox_to_anchor=(-0.02, -0.1), frameon=False,
        fontsize=7, ncols=columns, labelcolor=INK, handlelength=1.0, columnspacing=1.4,
        borderaxespad=0.3, labelspacing=0.2,
    )  # fmt: skip


def _heat(axes: Axes, found: list[Series]) -> None:
    """Cumulative buckets to cells: what fell between one bound and the next."""
    found = sorted(found, key=lambda one: float(one.labels["le"]))
    if not found:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", color=SOFT)
        return
    bounds = [one.labels["le"] for one in found]
    cells = np.diff(np.nan_to_num(np.array([one.values for one in found])), axis=0, prepend=0)
    cells[cells < 1e-6] = np.nan
    axes.pcolormesh(
        found[0].minutes, np.arange(len(bounds)), np.sqrt(cells), cmap="YlOrRd", shading="nearest"
    )
    axes.set_yticks(range(len(bounds))[::2], [f"≤ {bound}" for bound in bounds][::2])
    axes.set_ylim(-0.5, len(bounds) - 0.5)


def _states(axes: Axes, found: list[Series]) -> None:
    found = sorted(found, key=lambda one: one.name, reverse=True)
    for row, one in enumerate(found):
        step = one.minutes[1] - one.minutes[0]
        for when, value in zip(one.minutes, one.values, strict=True):
            if not math.isnan(value):
                axes.barh(row, step, left=when, color="#d1495b" if value else "#3f9d6b", height=0.7)
    axes.set_yticks(range(len(found)), [one.name for one in found])
    if not found:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", color=SOFT)


def save(figure: Figure, path: Path) -> None:
    """Write a small PNG: a board has few colours."""
    raw = BytesIO()
    figure.savefig(raw, format="png", facecolor=PAPER)
    with Image.open(raw) as image:
        small = image.convert("RGB").quantize(128, dither=Image.Dither.NONE)
        small.save(path, optimize=True)


def pictures(source: Source, folder: Path, *, window: str) -> list[Path]:
    """Every board as a PNG in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    risks = 'fairlead_risk_count{side="reply"}'
    values = {"scorer": source.values_of(risks, "scorer")}
    paths = []
    for name, board in reading.boards().items():
        panels = list(reading.panels(board, values, window=window))
        path = folder / f"{name}.png"
        save(draw(board["title"], board["description"], panels, source), path)
        paths.append(path)
    return paths


def main() -> None:
    """Draw the boards of the last minutes."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.pictures")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="URL")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--window", default="1m", help="of rates: at least four scrapes")
    parser.add_argument("-o", dest="folder", type=Path, default=Path("pictures"))
    options = parser.parse_args()
    now = time.time()
    with Source(options.prometheus, Span(now - options.minutes * 60, now)) as source:
        for path in pictures(source, options.folder, window=options.window):
            print(path)


if __name__ == "__main__":
    main()
