"""`fairlead models`: the scoring models, and policies held against one."""

from __future__ import annotations

import argparse
from pathlib import Path

from scorers import calibration_map, catalog
from scorers.builtin.confidence import with_gap_thresholds
from scorers.builtin.headmap import HeadMap
from scorers.errors import ModelError
from service.commands.terminal import show
from service.policy import Policies, compile_policies
from service.settings import Settings


def run(args: argparse.Namespace) -> int:
    """Lists the models."""
    del args
    rows = [
        (
            info.name,
            info.version,
            ", ".join(info.scorers),
            ", ".join(info.heads),
            ", ".join(f"{key} {precision}" for key, precision in info.precisions.items()),
            "shipped" if info.is_shipped else str(info.path),
        )
        for info in catalog.available()
    ]
    show(("name", "version", "scorers", "heads", "files", "where"), rows)
    return 0


def compiled(settings: Settings) -> Policies:
    """The policies held against the model's description; the model itself is not loaded."""
    file = settings.scoring.confidence_maps
    maps = calibration_map.load(Path(file)) if file else {}
    heads = with_gap_thresholds(headmap(settings.scoring.model), maps)
    return compile_policies(settings.policies, heads)


def headmap(name: str) -> HeadMap:
    """The description of a model, by name or by folder."""
    found = {info.name: info.path for info in catalog.available()}
    folder = found.get(name, Path(name))
    try:
        return HeadMap.load(folder)
    except (OSError, ValueError, KeyError) as error:
        known = ", ".join(found) or "none"
        raise ModelError(f"scoring.model: there is no model {name!r}; known: {known}") from error
