"""The training configuration, read from `config.toml` beside this file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TASKS = ("toxicity", "faithfulness", "sycophancy")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How to train: what all stages share."""

    precision: str
    threads: int
    batch_tokens: int
    head_rate: float
    warmup_share: float
    weight_decay: float
    frozen_layers: int
    checkpoint_every_steps: int
    validate_every_steps: int


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training: `tokens` to read, its rate, and the rows to draw of each source.

    `sources` maps a task to its sources, each with the most rows to take after windows are cut
    (0 takes all); a source that is not named is not used. `generated` maps a generator to its
    number of rows. The rate falls in a straight line from `peak_rate` to `end_share` of it.
    """

    name: str
    tokens: int
    peak_rate: float
    end_share: float
    sources: Mapping[str, Mapping[str, int]]
    generated: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Variant:
    """A short training run with less: without the sources that begin so, with these heads only.

    `seed` orders the rows in another way than the configuration's; `tokens` are read instead of the
    ablation's.
    """

    name: str
    drop: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    seed: int | None = None
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Ablation:
    """Short runs that show what a source or a shared encoder brings, each of so many tokens.

    All begin with the weights at the end of the stage `start`, or with the bare encoder.
    """

    tokens: int = 0
    peak_rate: float = 0.0
    variants: tuple[Variant, ...] = ()
    start: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that the training commands need to know."""

    data: Path
    work: Path
    model: Path
    name: str
    version: str
    max_tokens: int
    heads: tuple[str, ...]
    seed: int
    held_percent: int
    licences: frozenset[str]
    train: Schedule
    stages: tuple[Stage, ...]
    ablation: Ablation = Ablation()
    average: Mapping[str, float] = field(default_factory=dict)
    """Shares of the weights at the ends of stages, by name, whose mean is the model."""
    calibration_only: Mapping[str, int] = field(default_factory=dict)
    """Faithfulness sources that only the maps and thresholds are fitted to, with their rows."""

    @property
    def weights_file(self) -> Path:
        """The trained network: the mean of stages where one is wanted, else the last checkpoint."""
        return self.work / ("mean.pt" if self.average else "last.pt")

    def sources(self, task: str) -> dict[str, int]:
        """The task's sources over all stages, each with its largest cap (0: all of it)."""
        caps: dict[str, int] = {}
        for stage in self.stages:
            for source, cap in stage.sources.get(task, {}).items():
                known = caps.get(source, cap)
                caps[source] = max(known, cap) if known and cap else 0
        return caps

    def rows_file(self, stage: Stage) -> Path:
        """Where the prepared rows of a stage lie."""
        return self.work / f"rows-{stage.name}.npz"


def load_config(path: Path | None = None) -> Config:
    """Reads the configuration; the environment may move the data and work folders."""
    file = path or Path(__file__).with_name("config.toml")
    raw: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    paths, model, split = raw["paths"], raw["model"], raw["split"]
    return Config(
        data=Path(os.environ.get("FAIRLEAD_TRAINING_DATA", paths["data"])),
        work=Path(os.environ.get("FAIRLEAD_TRAINING_WORK", paths["work"])),
        model=Path(os.environ.get("FAIRLEAD_TRAINING_MODEL", paths["model"])),
        name=model["name"],
        version=model["version"],
        max_tokens=model["max_tokens"],
        heads=tuple(model["heads"]),
        seed=split["seed"],
        held_percent=split["held_percent"],
        licences=frozenset(raw["licences"]["allowed"]),
        train=Schedule(**raw["train"]),
        stages=tuple(_stage(each) for each in raw["stage"]),
        ablation=_ablation(raw.get("ablation", {})),
        average=raw.get("average", {}),
        calibration_only=raw.get("calibration", {}),
    )


def _ablation(raw: Mapping[str, Any]) -> Ablation:
    variants = tuple(
        Variant(
            each["name"],
            tuple(each.get("drop", ())),
            tuple(each.get("heads", ())),
            each.get("seed"),
            each.get("tokens", 0),
        )
        for each in raw.get("variant", ())
    )
    return Ablation(raw.get("tokens", 0), raw.get("peak_rate", 0.0), variants, raw.get("start", ""))


def _stage(raw: Mapping[str, Any]) -> Stage:
    return Stage(
        name=raw["name"],
        tokens=raw["tokens"],
        peak_rate=raw["peak_rate"],
        end_share=raw["end_share"],
        sources={task: raw[task] for task in TASKS if task in raw},
        generated=raw.get("generated", {}),
    )
