"""`fairlead export`: training data from what was recorded."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from service.auditing import audited, command_actor
from service.commands.failures import UsageError
from service.commands.score import scoring
from service.commands.terminal import say, settings_of
from service.labelling import load_functions
from service.settings import Settings
from service.watch.gap_names import named
from storage import migrate
from storage.errors import StorageError
from storage.exports import formats
from storage.exports.base import ExportOptions
from storage.exports.card import ExportSummary, FileOptions, Progress, Stage
from storage.exports.curation import Embed
from storage.exports.instructlab import export_qna
from storage.exports.journal import part_path
from storage.exports.qna import QnaOptions, check_unused, documents_of
from storage.exports.run import export_file
from storage.store import Store


def run(args: argparse.Namespace) -> int:
    """Writes the file and its card, and says what is in it."""
    _check_weak(args)
    options = ExportOptions(
        since_us=moment_us("--since", args.since),
        until_us=moment_us("--until", args.until),
        model=args.model,
        min_margin=args.min_margin,
        sources=tuple(args.source) if args.source else None,
        split=args.split,
        seed=args.seed,
        near_duplicates=args.near_duplicates,
        max_per_prompt=args.max_per_prompt,
        select=args.select,
        by=args.by,
        balance_length=args.balance_length,
        order=args.order,
        weak=args.weak,
        **({} if args.weak_least is None else {"weak_least": args.weak_least}),
    )
    try:
        with _progress() as progress:
            summary = asyncio.run(_export(args, options, progress))
    except (StorageError, KeyboardInterrupt):
        _tell_of_journal(args.output)
        raise
    if summary.is_resumed:
        say("went on where it was interrupted")
    say(f"{summary.written} rows from {summary.prompts} prompts in {summary.path}")
    for title, counts in (("source", summary.by_source), ("dropped", summary.dropped)):
        for name, count in counts.items():
            say(f"  {title} {name}: {count}")
    say(f"data card: {summary.card_path}")
    return 0


def _check_weak(args: argparse.Namespace) -> None:
    """UsageError for flags that do nothing without weak labels."""
    if args.weak is not None:
        return
    if "weak" in (args.source or ()):
        raise UsageError("--source weak: weak labels are there with --weak only; add it")
    if args.functions:
        raise UsageError("--functions: labelling functions vote with --weak only; add it")
    if args.weak_least is not None:
        raise UsageError("--weak-least: weak labels are there with --weak only; add it")


async def _export(
    args: argparse.Namespace, options: ExportOptions, progress: Progress
) -> ExportSummary:
    settings = settings_of(args)
    url = settings.database_url
    await migrate.check(url)
    how = FileOptions(
        command="fairlead " + shlex.join(sys.argv[1:]),
        licence=args.license,
        is_forced=args.force,
        is_anew=args.restart,
        progress=progress,
    )
    store = await Store.open(url)
    try:
        filters = {"format": args.format, "file": str(args.output.resolve())} | _given(options)
        filters |= {"gap": args.gap} if args.gap else {}
        async with audited(store, "export", actor=command_actor(), filters=filters) as run:
            summary = await _write(store, settings, args, options=options, how=how)
            run.counts = {"rows": summary.written, "prompts": summary.prompts}
            return summary
    finally:
        await store.close()


async def _write(
    store: Store,
    settings: Settings,
    args: argparse.Namespace,
    *,
    options: ExportOptions,
    how: FileOptions,
) -> ExportSummary:
    if args.format == formats.QNA:
        qna = await _of_gap(store, args.gap, qna_options(args))
        return await export_qna(store, args.output, options=options, qna=qna, how=how)
    formats.find(args.format)
    if args.gap is not None:
        raise UsageError(f"--gap goes with instructlab only, not with {args.format}")
    check_unused(qna_options(args), args.format)
    functions = load_functions([*settings.labelling.functions, *args.functions])
    async with _encoder(settings, options) as embed:
        return await export_file(
            store,
            args.format,
            args.output,
            options=options,
            how=how,
            embed=embed,
            functions=functions,
        )


async def _of_gap(store: Store, ident: str | None, qna: QnaOptions) -> QnaOptions:
    """The options for the corrections of a knowledge gap, which names the topic."""
    if ident is None:
        return qna
    async with store.reading() as unit:
        record = await unit.gaps.get(ident)
        if record is None:
            raise UsageError(
                f"--gap {ident}: there is no such gap; `fairlead gaps --all` lists them"
            )
        (gap,) = await named(unit, [record])
    topic = qna.topic or ", ".join(gap.terms) or ident
    return replace(qna, topic=topic, within=frozenset(record.members))


def qna_options(args: argparse.Namespace) -> QnaOptions:
    """What a qna.yaml is to say of itself."""
    return QnaOptions(
        topic=args.topic,
        created_by=args.created_by,
        task_description=args.task_description,
        domain=args.domain,
        documents=documents_of(
            repo=args.document_repo,
            commit=args.document_commit,
            patterns=args.document_pattern,
            outline=args.document_outline,
        ),
    )


def _given(options: ExportOptions) -> dict[str, Any]:
    """The options that are not as they are by themselves."""
    usual = asdict(ExportOptions())
    return {name: value for name, value in asdict(options).items() if value != usual[name]}


@asynccontextmanager
async def _encoder(settings: Settings, options: ExportOptions) -> AsyncIterator[Embed | None]:
    """The scoring model's encoder, where a selection by diversity needs it."""
    if options.select is None or options.by not in (None, "diversity"):
        yield None
        return
    async with scoring(settings, ()) as (engine, _):
        yield engine.embed


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on standard error; reading is measured by how far the prompts' hashes are."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    bar = Bar(*columns, console=Console(stderr=True))
    task = bar.add_task("reading", total=None)
    try:

        def tell(stage: Stage, done: int, *, share: float | None = None) -> None:
            bar.start()  # not before: what cannot be done is one line without a bar
            told = "prompts read" if stage == "reading" else "rows written"
            total = None if share is None else 1.0
            bar.update(task, description=f"{done} {told}", completed=share or 0, total=total)

        yield tell
    finally:
        if bar.live.is_started:
            bar.stop()


def _tell_of_journal(path: Path) -> None:
    part = part_path(path)
    if part.exists():
        sys.stderr.write(
            f"fairlead: what was read so far is kept in {part}; the same command goes on there\n"
        )


def moment_us(flag: str, text: str | None) -> int | None:
    """A time in ISO 8601 as unix microseconds; without a zone it is UTC."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{flag}: {text!r} is no time such as 2026-11-21T08:00:00Z") from None
    zoned = found if found.tzinfo else found.replace(tzinfo=UTC)
    return round(zoned.timestamp() * 1e6)
