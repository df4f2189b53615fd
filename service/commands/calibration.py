"""`fairlead calibration`: how right the served models are, beside how sure they sound."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scorers import calibration_map
from scorers.calibration_map import OutcomeMap, TooFewOutcomes, fit_outcomes
from scorers.evaluation.metrics import Interval
from scorers.evaluation.plot import check_plotting
from service.commands.export import moment_us
from service.commands.failures import UsageError
from service.commands.terminal import say, settings_of, show
from service.watch.calibration import FEWEST, Reading, by_model, outcomes, readings_of
from service.watch.diagrams import reliability_diagrams
from storage import migrate
from storage.repositories.outcomes import CheckedReply, OutcomeFilter, checked_replies
from storage.store import Store

_COLUMNS = ("model", "reading", "replies", "right", "bias", "ECE", "Brier", "AUROC")


def run(args: argparse.Namespace) -> int:
    """Prints the table; writes the diagram and the maps where they are wanted."""
    _check_targets(args)
    found = by_model(asyncio.run(_replies(args)))
    readings = {model: readings_of(own) for model, own in found.items()}
    if args.json:
        say(json.dumps(_report(found, readings), indent=1))
    else:
        _print(found, readings)
    if args.plot is not None:
        reliability_diagrams(readings, args.plot)
    if args.fit is not None:
        _fit(found, args.fit)
    return 0


def _check_targets(args: argparse.Namespace) -> None:
    """Raises before anything is read where nothing could be written."""
    if args.plot is not None:
        check_plotting()
    for flag, path in (("--plot", args.plot), ("--fit", args.fit)):
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            raise UsageError(f"{flag}: {path} is no file that can be written")


async def _replies(args: argparse.Namespace) -> list[CheckedReply]:
    url = settings_of(args).database_url
    where = OutcomeFilter(
        model=args.model,
        since_us=moment_us("--since", args.since),
        until_us=moment_us("--until", args.until),
        judges=frozenset(args.judge or OutcomeFilter().judges),
    )
    await migrate.check(url)
    store = await Store.open(url)
    try:
        async with store.reading() as unit:
            return [reply async for reply in checked_replies(unit.connection, where)]
    finally:
        await store.close()


def _print(
    found: Mapping[str, Sequence[CheckedReply]], readings: Mapping[str, Sequence[Reading]]
) -> None:
    show(_COLUMNS, [_row(model, one) for model, own in readings.items() for one in own])
    for model, own in found.items():
        if not readings[model]:
            say(f"{model}: {len(own)} checked replies, it takes {FEWEST}")
    if not found:
        say(
            "no reply has both a confidence score and feedback; send thumbs, corrections or the "
            "tags `correct` and `incorrect` to /v1/feedback"
        )


def _row(model: str, one: Reading) -> tuple[str, ...]:
    return (
        model,
        one.name,
        str(one.replies),
        f"{one.right / one.replies:.3f}",
        f"{one.bias:+.3f}",
        _shown(one.ece),
        _shown(one.brier),
        _shown(one.auroc),
    )


def _shown(figure: Interval) -> str:
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def _report(
    found: Mapping[str, Sequence[CheckedReply]], readings: Mapping[str, Sequence[Reading]]
) -> dict[str, Any]:
    return {
        model: {
            "replies": len(own),
            "judged_by": {
                judge: sum(reply.judge == judge for reply in own)
                for judge in sorted({reply.judge for reply in own})
            },
            "readings": {one.name: _plain(one) for one in readings[model]},
        }
        for model, own in found.items()
    }


def _plain(one: Reading) -> dict[str, Any]:
    intervals = {"ece": one.ece, "brier": one.brier, "auroc": one.auroc}
    return {
        "replies": one.replies,
        "right": one.right,
        "bias": one.bias,
        **{
            name: {"value": figure.value, "low": figure.low, "high": figure.high}
            for name, figure in intervals.items()
        },
        "diagram": [
            {"stated": stated, "right": right, "replies": count}
            for stated, right, count in one.diagram
        ],
    }


def _fit(found: Mapping[str, Sequence[CheckedReply]], path: Path) -> None:
    """Writes a map for each model that has enough outcomes, and keeps the file's other maps."""
    maps: dict[str, OutcomeMap] = calibration_map.load(path) if path.exists() else {}
    fitted = 0
    for model, own in found.items():
        try:
            made = fit_outcomes(outcomes(own), made=datetime.now(UTC))
        except TooFewOutcomes as error:
            say(f"{model}: no map, {error}")
            continue
        maps[model], fitted = made, fitted + 1
        say(f"{model}: map {made.version} of {made.outcomes} outcomes")
    if fitted:
        calibration_map.dump(maps, path)
        say(f"{path} holds {len(maps)} maps; name it in `scoring.confidence_maps` and restart")
    else:
        raise UsageError("--fit: no model has outcomes enough, nothing was written")
