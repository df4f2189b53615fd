"""What a model's heads mean: `heads.json` as a frozen value."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scorers.types import Side


class UnknownThreshold(LookupError):
    """No threshold is tabulated for the heads, the side or the false-positive rate asked for."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A monotone map from logits to probabilities: piecewise linear, constant beyond its ends."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]

    def __call__(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Probabilities of the logits' shape."""
        return np.asarray(np.interp(np.asarray(logits, dtype=np.float64), self.x, self.y))


@dataclass(frozen=True, slots=True)
class Blend:
    """How a head's logit is joined with what can be counted: weights of two sums.

    A claim's sum has its logit, the shares of its words, numbers and names that the context
    lacks, and `offset`. A reply's sum has the `worst` and the `mean` of its claims, the mean
    share of new words (`novel`), and the logarithm of the number of `claims`: the more there
    are, the higher the worst of them lies by chance.
    """

    logit: float = 1.0
    words: float = 0.0
    numbers: float = 0.0
    names: float = 0.0
    offset: float = 0.0
    worst: float = 1.0
    mean: float = 0.0
    novel: float = 0.0
    claims: float = 0.0


@dataclass(frozen=True, slots=True)
class ScorerSpec:
    """The heads, default heads and sides of one scorer."""

    heads: tuple[str, ...]
    default_heads: tuple[str, ...]
    sides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Risks by false-positive rate, rates ascending."""

    fpr: tuple[float, ...]
    risk: tuple[float, ...]

    def at(self, fpr: float) -> float | None:
        """The risk for a rate, or for the next lower one; None below the lowest."""
        index = bisect_right(self.fpr, fpr + 1e-12) - 1
        return self.risk[index] if index >= 0 else None


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of the model: its name beside `heads.json`, its precision and its digest.

    `weights` is the file that it reads its weights from, empty where it holds them itself.
    """

    path: str
    precision: str
    sha256: str
    weights: str = ""
    weights_sha256: str = ""


@dataclass(frozen=True)
class HeadMap:
    """The description that ships with a model: columns, calibration maps, thresholds, files."""

    name: str
    version: str
    max_tokens: int
    hidden: int
    heads: tuple[str, ...]
    files: Mapping[str, ModelFile]
    scorers: Mapping[str, ScorerSpec]
    calibration: Mapping[tuple[str, str], Calibration]
    thresholds: Mapping[tuple[str, str], Thresholds]
    blends: Mapping[str, Blend]

    @property
    def model(self) -> str:
        """Name and version as scores carry them, such as `fairlead-mini@2026.11.0`."""
        return f"{self.name}@{self.version}"

    @classmethod
    def load(cls, path: Path) -> HeadMap:
        """Reads a `heads.json`; `path` is the file or the folder it lies in."""
        file = path / "heads.json" if path.is_dir() else path
        return cls.parse(json.loads(file.read_text(encoding="utf-8")))

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> HeadMap:
        """Builds the map from the parsed JSON; raises KeyError where a part is missing."""
        return cls(
            name=raw["name"],
            version=raw["version"],
            max_tokens=raw["max_tokens"],
            hidden=raw["hidden"],
            heads=tuple(raw["heads"]),
            files={key: ModelFile(**value) for key, value in raw["files"].items()},
            scorers={key: _spec(value) for key, value in raw["scorers"].items()},
            calibration={
                (head, side): Calibration(np.array(knots["x"]), np.array(knots["y"]))
                for head, sides in raw["calibration"].items()
                for side, knots in sides.items()
            },
            thresholds={
                (side, heads): Thresholds(tuple(table["fpr"]), tuple(table["risk"]))
                for side, tables in raw["thresholds"].items()
                for heads, table in tables.items()
            },
            blends={head: Blend(**weights) for head, weights in raw.get("blends", {}).items()},
        )

    def scorer(self, name: str) -> ScorerSpec:
        """The heads and sides of a scorer; raises KeyError for one the model does not serve."""
        return self.scorers[name]

    def column(self, head: str) -> int:
        """The column of a head in the model's logits."""
        return self.heads.index(head)

    def blend(self, head: str) -> Blend:
        """How the head is joined with counted features; the logit alone unless stated."""
        return self.blends.get(head, Blend())

    def has(self, head: str, side: Side | str) -> bool:
        """Whether the head has something to say on the side.

        A column of the model does where it is calibrated. Any other head is worked out by its
        scorer, on each of its sides.
        """
        if head in self.heads:
            return (head, str(side)) in self.calibration
        specs = self.scorers.values()
        return any(head in spec.heads and str(side) in spec.sides for spec in specs)

    def probability(self, head: str, side: Side | str, logits: ArrayLike) -> NDArray[np.float64]:
        """Calibrated probabilities of a head's logits, of the same shape."""
        return self.calibration[head, str(side)](logits)

    def threshold(self, heads: Iterable[str], side: Side | str, fpr: float) -> float:
        """The risk above which at most `fpr` of benign calibration texts lie.

        The risk meant is the highest of `heads`. A rate between two tabulated ones takes the
        lower; raises UnknownThreshold for untabulated heads or a rate below the lowest.
        """
        key = "+".join(sorted(heads))
        table = self.thresholds.get((str(side), key))
        if table is None:
            known = ", ".join(sorted(name for at, name in self.thresholds if at == str(side)))
            raise UnknownThreshold(
                f"{self.model} has no thresholds for {key!r} on the {side} side; known: {known}"
            )
        risk = table.at(fpr)
        if risk is None:
            raise UnknownThreshold(
                f"{self.model} has no threshold for {key!r} at a false-positive rate of {fpr:g}; "
                f"the lowest is {table.fpr[0]:g}"
            )
        return risk


def _spec(raw: Mapping[str, Any]) -> ScorerSpec:
    return ScorerSpec(
        heads=tuple(raw["heads"]),
        default_heads=tuple(raw["default_heads"]),
        sides=tuple(raw["sides"]),
    )
