"""The models that were added to the shipped ones, and which of them a configuration needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scorers import catalog
from scorers.adapters.classifier import ADAPTER
from scorers.catalog import ModelInfo
from service.settings import Scoring, Settings


def folders(scoring: Scoring) -> tuple[Path, ...]:
    """Where added models are."""
    return (Path(scoring.models_dir),)


def classifiers(scoring: Scoring) -> list[ModelInfo]:
    """The added classifiers, by name."""
    return [info for info in catalog.available(folders(scoring)) if info.adapter == ADAPTER]


def needed(settings: Settings) -> tuple[str, ...]:
    """The added classifiers that a policy's rule or the reward names, or one of whose heads."""
    names = set(_names(settings))
    first = {name.partition(".")[0] for name in names}
    return tuple(
        info.name
        for info in classifiers(settings.scoring)
        if info.name in first or names.intersection(info.heads)
    )


def _names(settings: Settings) -> Iterator[str]:
    yield from settings.scoring.reward
    for policy in settings.policies.values():
        yield from policy.prompt
        yield from policy.reply
