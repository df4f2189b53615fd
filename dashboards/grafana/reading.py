"""What the boards' JSON asks Prometheus: panels with their expressions, variables filled in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "boards"

Values = Mapping[str, Sequence[str]]
"""The values of a board's variables by their names; a variable that is not named is any."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One panel as a viewer sees it. `queries` are expressions by legend; places are in a grid."""

    title: str
    text: str
    kind: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    x: int
    y: int
    width: int
    height: int
    is_stacked: bool
    colors: Mapping[str, str]
    high: float | None


def boards() -> dict[str, dict[str, Any]]:
    """The boards by name, as Grafana reads them."""
    return {
        path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))
    }


def panels(board: Mapping[str, Any], values: Values, *, window: str) -> Iterator[Asked]:
    """The panels of a board; one that is repeated comes once for each value, in rows of two."""
    pushed = 0
    for panel in board["panels"]:
        repeated = panel.get("repeat")
        if not repeated:
            yield _asked(panel, values, window, down=pushed)
            continue
        each = values.get(repeated, ())
        grid = panel["gridPos"]
        for at, value in enumerate(each):
            place = {"x": at % 2 * 12, "y": grid["y"] + at // 2 * grid["h"], "w": 12}
            one = {**panel, "gridPos": {**grid, **place}}
            yield _asked(one, {**values, repeated: [value]}, window, down=pushed)
        pushed += (len(each) - 1) // 2 * grid["h"]


def _asked(panel: Mapping[str, Any], values: Values, window: str, *, down: int) -> Asked:
    config = panel.get("fieldConfig", {})
    grid, defaults = panel["gridPos"], config.get("defaults", {})
    stacking = defaults.get("custom", {}).get("stacking", {})
    return Asked(
        title=filled(panel["title"], values, window=window),
        text=panel["description"],
        kind=panel["type"],
        unit=defaults.get("unit", "short"),
        queries=tuple(
            (target["legendFormat"], filled(target["expr"], values, window=window))
            for target in panel["targets"]
        ),
        x=grid["x"],
        y=grid["y"] + down,
        width=grid["w"],
        height=grid["h"],
        is_stacked=stacking.get("mode") == "normal",
        colors=dict(_colors(config.get("overrides", ()))),
        high=defaults.get("max"),
    )


def _colors(overrides: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for override in overrides:
        for found in override["properties"]:
            if found["id"] == "color":
                yield override["matcher"]["options"], found["value"]["fixedColor"]


def filled(text: str, values: Values, *, window: str) -> str:
    """An expression with Grafana's variables replaced: several values become a pattern."""
    text = text.replace("$__rate_interval", window)
    for name in ("model", "scorer"):
        chosen = values.get(name)
        pattern = ".*" if chosen is None else "|".join(chosen)
        text = text.replace(f"${name}", pattern)
    return text
