"""The training configuration, read from `config.toml` beside this file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to train; `minutes` of wall clock set the decay of the rate."""

    minutes: float
    threads: int
    batch_tokens: int
    peak_rate: float
    head_rate: float
    warmup_share: float
    weight_decay: float
    frozen_layers: int
    checkpoint_every_steps: int


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
    train: Schedule
    toxicity: Mapping[str, int]
    faithfulness: Mapping[str, int]
    generated: Mapping[str, int]


def load_config(path: Path | None = None) -> Config:
    """Reads the configuration; the environment may move the data and work folders."""
    file = path or Path(__file__).with_name("config.toml")
    raw: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    paths, model, split = raw["paths"], raw["model"], raw["split"]
    return Config(
        data=Path(os.environ.get("FAIRLEAD_TRAINING_DATA", paths["data"])),
        work=Path(os.environ.get("FAIRLEAD_TRAINING_WORK", paths["work"])),
        model=Path(paths["model"]),
        name=model["name"],
        version=model["version"],
        max_tokens=model["max_tokens"],
        heads=tuple(model["heads"]),
        seed=split["seed"],
        held_percent=split["held_percent"],
        train=Schedule(**raw["train"]),
        toxicity=raw["toxicity"],
        faithfulness=raw["faithfulness"],
        generated=raw["generated"],
    )
