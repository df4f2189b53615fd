"""`fairlead models`: the scoring models, and policies held against one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from scorers import calibration_map, catalog
from scorers.adapters.install import add_classifier
from scorers.builtin.confidence import with_gap_thresholds
from scorers.builtin.headmap import HeadMap
from scorers.errors import ModelError
from service import added_models
from service.commands.terminal import say, settings_of, show
from service.policy import Policies, check_names, compile_policies
from service.settings import Scoring, Settings
from service.sources import ConfigError


def run(args: argparse.Namespace) -> int:
    """Lists the models, or adds one."""
    scoring = settings_of(args).scoring
    return _add(args, scoring) if args.action == "add" else _list(scoring)


def _list(scoring: Scoring) -> int:
    rows = [
        (
            info.name,
            info.version,
            ", ".join(info.scorers),
            ", ".join(info.heads),
            ", ".join(f"{key} {precision}" for key, precision in info.precisions.items()),
            "shipped" if info.is_shipped else str(info.path),
        )
        for info in catalog.available(added_models.folders(scoring))
    ]
    show(("name", "version", "scorers", "heads", "files", "where"), rows)
    return 0


def _add(args: argparse.Namespace, scoring: Scoring) -> int:
    known = catalog.available(added_models.folders(scoring))
    added = add_classifier(
        args.name,
        args.source,
        Path(scoring.models_dir),
        faults=args.fault,
        taken={head for info in known for head in (*info.heads, info.name)},
    )
    say(f"{added.name} in {added.path}; heads: {', '.join(added.heads)}")
    say(f"its risk is the highest of: {', '.join(added.faults)}")
    say("its probabilities are the model's own; `fairlead evaluate` says how far they hold")
    return 0


def compiled(settings: Settings) -> Policies:
    """The policies held against the model's description; the model itself is not loaded."""
    file = settings.scoring.confidence_maps
    if file and not Path(file).is_file():
        raise ConfigError(f"scoring.confidence_maps: there is no file {file}")
    maps = calibration_map.load(Path(file)) if file else {}
    heads = headmap(settings.scoring, added_models.needed(settings))
    heads = with_gap_thresholds(heads, maps)
    check_names("scoring.reward", settings.scoring.reward, heads)
    return compile_policies(settings.policies, heads)


def headmap(scoring: Scoring, beside: Sequence[str] = ()) -> HeadMap:
    """The description of the scoring model, with the added classifiers of these names."""
    try:
        folders = added_models.folders(scoring)
        return catalog.describe(scoring.model, added=folders, beside=beside)
    except ModelError as error:
        raise ModelError(f"scoring.model: {error}") from error
