"""`fairlead score`: one exchange, or a file of them, without a proxy."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from scorers.catalog import LoadedModel
from scorers.engine import Engine
from scorers.types import Score, Subject
from service import added_models
from service.commands import examples
from service.commands.failures import UsageError
from service.commands.sentence_risks import explain
from service.commands.terminal import say, settings_of, show
from service.parts import engine_limits, load_model
from service.settings import Settings


def run(args: argparse.Namespace) -> int:
    """Scores what is given; prints it, or writes the output file."""
    is_file = args.input is not None or args.output is not None
    if is_file == (args.response is not None) or (is_file and not (args.input and args.output)):
        raise UsageError("give either --response TEXT, or --input FILE and --output FILE")
    if is_file and args.output.resolve() == args.input.resolve():
        raise UsageError("--output: is the input file; name another, so that nothing is lost")
    flags = {name: getattr(args, name) for name in ("model", "provider") if getattr(args, name)}
    settings = settings_of(args, {"scoring": flags})
    if is_file:
        if not args.input.is_file():
            raise UsageError(f"{args.input}: there is no such file")
        return asyncio.run(_score_file(settings, args.input, args.output))
    return asyncio.run(_score_one(settings, args))


@asynccontextmanager
async def scoring(
    settings: Settings, beside: Sequence[str]
) -> AsyncIterator[tuple[Engine, LoadedModel]]:
    """The engine, warm, with the model that it runs and the added classifiers of these names."""
    wanted = settings.scoring
    loaded = load_model(wanted, beside)
    engine = Engine(loaded, engine_limits(wanted, loaded.session.provider))
    await engine.start()
    try:
        yield engine, loaded
    finally:
        await engine.stop()


def _every(settings: Settings) -> list[str]:
    return [info.name for info in added_models.classifiers(settings.scoring)]


async def _score_one(settings: Settings, args: argparse.Namespace) -> int:
    row = {"prompt": args.prompt, "response": args.response, "context": args.context}
    async with scoring(settings, _every(settings)) as (engine, _):
        explained = await explain(engine, examples.subjects(row))
    if args.json:
        found = [score for one in explained for score in one.to_json()]
        say(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
        return 0
    scores = [score for one in explained for score in one.scores.values()]
    show(("side", "scorer", "head", "risk", "remarks"), [r for s in scores for r in _rows(s)])
    say("\n".join(["", *(line for one in explained for line in one.lines())]))
    return 0


def _rows(score: Score) -> list[tuple[str, ...]]:
    spans = ", ".join(f"{span.start}-{span.end} {span.risk:.2f}" for span in score.spans)
    reason = "" if score.is_applicable else score.reason or "not_applicable"
    if not score.heads:
        return [(score.side.value, score.scorer, "", reason, "")]
    return [
        (score.side.value, score.scorer, head, f"{risk:.4f}", spans or reason)
        for head, risk in score.heads.items()
    ]


async def _score_file(settings: Settings, source: Path, target: Path) -> int:
    total = examples.count(source)
    columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with scoring(settings, _every(settings)) as (engine, loaded):
        heads = {scorer.name: tuple(scorer.heads) for scorer in loaded.scorers}
        with (
            examples.writing(target) as rows,
            Progress(*columns, console=Console(stderr=True)) as progress,
        ):
            task = progress.add_task("scoring", total=total)
            done = 0
            for chunk in examples.chunks(source):
                rows.write(await _score_chunk(engine, chunk, heads=heads, first=done + 1))
                done += len(chunk)
                progress.update(task, completed=done)
    say(f"{done} rows in {target}")
    return 0


async def _score_chunk(
    engine: Engine, chunk: list[examples.Row], *, heads: dict[str, tuple[str, ...]], first: int
) -> list[dict[str, Any]]:
    found = [examples.subjects(row, where=f"row {at}") for at, row in enumerate(chunk, first)]
    flat: list[Subject] = [subject for subjects in found for subject in subjects]
    scores = iter(await engine.score_many(flat))
    return [
        row | examples.risks([(subject, next(scores)) for subject in subjects], heads)
        for row, subjects in zip(chunk, found, strict=True)
    ]
