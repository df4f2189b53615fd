"""Runs an export: from the store through pairs or labels to lines or a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, replace
from pathlib import Path

from storage.errors import ExportError
from storage.exports import files, formats
from storage.exports.base import ExportFormat, ExportOptions, Label, Material, Pair, Row, Tally
from storage.exports.card import ExportSummary, FileOptions, card, release
from storage.exports.curation import Embed, ExamplesOf, check, curated
from storage.exports.good import GOOD_SOURCES, good_replies_of
from storage.exports.journal import Journal
from storage.exports.judgement import PromptGroup, ReplyKey
from storage.exports.pairs import (
    LABEL_SOURCES,
    PAIR_SOURCES,
    UNJUDGED,
    WEAK,
    labels_of,
    pairs_of,
)
from storage.exports.reading import prompt_groups, with_weak
from storage.exports.seen import Seen, share_of
from storage.records import Json
from storage.store import Store, UnitOfWork
from storage.weak.base import Named
from storage.weak.labelling import weak_labels

_MATERIALS: dict[Material, Callable[..., Sequence[Pair | Label]]] = {
    "pairs": pairs_of,
    "labels": labels_of,
    "replies": good_replies_of,
}
Weak = Mapping[ReplyKey, float] | None
"""Weak labels: replies and their chance of being good; None where none are asked for."""
_SOURCES: dict[Material, tuple[str, ...]] = {
    "pairs": tuple(PAIR_SOURCES),
    "labels": LABEL_SOURCES,
    "replies": GOOD_SOURCES,
}


def sources_of(form: ExportFormat) -> tuple[str, ...]:
    """The sources that a format can draw from."""
    return _SOURCES[form.material]


async def export_file(
    store: Store,
    format_name: str,
    path: Path,
    *,
    options: ExportOptions | None = None,
    how: FileOptions | None = None,
    embed: Embed | None = None,
    functions: Sequence[Named] = (),
) -> ExportSummary:
    """Write an export to `path` and its data card beside it.

    The file appears whole or not at all, memory stays bounded. What was read is kept in a journal
    beside the file: after an interruption the same call goes on there and makes the same file.
    Raises ExportError for an unknown format, source or ending and for a file that cannot, or must
    not, be written; StorageError when the store cannot be read.
    """
    options, how = options or ExportOptions(), how or FileOptions()
    form = _checked(format_name, options)
    files.check_ending(path, form.endings)
    with files.told(path):
        files.check_target(path, is_forced=how.is_forced)
        identity = _identity(store, form, path, options, functions)
        journal = Journal.open(path, identity, is_anew=how.is_anew)
    try:
        as_of = replace(options, as_of_us=journal.checkpoint.as_of_us)
        summary = await _write(
            store,
            form,
            path,
            journal=journal,
            options=as_of,
            how=how,
            embed=embed,
            functions=functions,
        )
        journal.remove()
    finally:
        journal.close()
    return summary


async def export_lines(
    store: Store,
    format_name: str,
    *,
    options: ExportOptions | None = None,
    embed: Embed | None = None,
    functions: Sequence[Named] = (),
) -> AsyncGenerator[bytes]:
    """The export as JSON Lines, a line at a time; the same errors as `export_file`."""
    options = options or ExportOptions()
    form = _checked(format_name, options)
    tally = Tally()
    async with store.reading() as unit:
        weak = await _weak(unit, options, tally, functions)
        groups = _groups(unit, form, options, tally, weak=weak)
        async for row in _rows(groups, form, options=options, tally=tally, embed=embed):
            yield files.to_line(row)


async def count_pairs(store: Store, *, options: ExportOptions | None = None) -> Tally:
    """What a DPO export would hold now, without writing it."""
    options = options or ExportOptions()
    tally = Tally()
    form = _checked("dpo", options)
    async with store.reading() as unit:
        groups = _groups(unit, form, options, tally)
        async for _ in _rows(groups, form, options=options, tally=tally):
            pass
    return tally


async def _write(
    store: Store,
    form: ExportFormat,
    path: Path,
    *,
    journal: Journal,
    options: ExportOptions,
    how: FileOptions,
    embed: Embed | None,
    functions: Sequence[Named],
) -> ExportSummary:
    tally, seen = Tally(), Seen.from_json(journal.checkpoint.seen)
    is_resumed = journal.is_resumed

    def summary() -> ExportSummary:
        return _summary(form, path, tally, seen=seen, is_resumed=is_resumed)

    def describe(sha256: str) -> str:
        return card(summary(), options, how=how, sha256=sha256)

    with files.told(path), files.writing(path, files.card_path_of(path), describe) as target:
        # Made anew where an export goes on: as of the same time the votes are the same.
        async with store.reading() as unit:
            weak = await _weak(unit, options, tally, functions)
        groups = _journaled(
            store, form, journal=journal, options=options, seen=seen, how=how, weak=weak
        )
        async with aclosing(groups):
            async for row in _rows(groups, form, options=options, tally=tally, embed=embed):
                target.write(row)
                rows = tally.statistics.rows if tally.statistics else tally.written
                how.progress("writing", tally.written, share=tally.written / rows)
    return summary()


async def _journaled(
    store: Store,
    form: ExportFormat,
    *,
    journal: Journal,
    options: ExportOptions,
    seen: Seen,
    how: FileOptions,
    weak: Weak,
) -> AsyncGenerator[PromptGroup]:
    """The prompts of an export: those that were read before, then the others from the store."""
    for group in journal.replay():
        yield group if weak is None else with_weak(group, weak)
    if journal.checkpoint.is_whole:
        return
    tally, cursor, unsaved = Tally(), journal.checkpoint.cursor, 0
    # A full disk is not the store's fault, and is told as what it is.
    async with store.reading() as unit:
        async for group in _groups(unit, form, options, tally, after=cursor, weak=weak):
            seen.add(group, tally)
            cursor, unsaved = group.prompt_hash, unsaved + 1
            with files.told(journal.path):
                journal.add(group)
                if unsaved >= how.prompts_per_save:
                    journal.save(cursor, seen.to_json())
                    unsaved = 0
            how.progress("reading", seen.prompts, share=share_of(cursor))
            yield group
    with files.told(journal.path):
        journal.save(cursor, seen.to_json(), is_whole=True)


def _groups(
    unit: UnitOfWork,
    form: ExportFormat,
    options: ExportOptions,
    tally: Tally,
    *,
    after: str = "",
    weak: Weak = None,
) -> AsyncIterator[PromptGroup]:
    wanted = options.sources or sources_of(form)
    beside = [UNJUDGED[source] for source in wanted if source in UNJUDGED]
    return prompt_groups(unit.connection, options, tally, beside=beside, after=after, weak=weak)


async def _rows(
    groups: AsyncIterator[PromptGroup],
    form: ExportFormat,
    *,
    options: ExportOptions,
    tally: Tally,
    embed: Embed | None = None,
) -> AsyncIterator[Row]:
    async for example in curated(groups, _fitting(form), options, tally, embed=embed):
        row = form.row(example)
        assert not isinstance(row, str)
        tally.written += 1
        tally.by_source[example.provenance.source] += 1
        tally.by_split[example.provenance.split] += 1
        yield row


async def _weak(
    unit: UnitOfWork, options: ExportOptions, tally: Tally, functions: Sequence[Named]
) -> dict[ReplyKey, float] | None:
    """The weak labels that are sure enough; None where none are asked for."""
    if options.weak is None:
        return None
    found = await weak_labels(unit.connection, functions, options, method=options.weak)
    sure = {key: up for key, up in found.up.items() if max(up, 1 - up) >= options.weak_least}
    tally.dropped["weak_unsure"] += len(found.up) - len(sure)
    names = ", ".join(each.name for each in found.functions)
    tally.notes.append(f"weak labels, {options.weak}, by {names}")
    return sure


def _fitting(form: ExportFormat) -> ExamplesOf:
    """The examples of a prompt that the format has a row for; the others are counted."""

    def examples(
        group: PromptGroup, options: ExportOptions, dropped: Counter[str]
    ) -> list[Pair | Label]:
        found = []
        for example in _MATERIALS[form.material](group, options, dropped):
            row = form.row(example)
            if isinstance(row, str):
                dropped[row] += 1
            else:
                found.append(example)
        return found

    return examples


def _checked(format_name: str, options: ExportOptions) -> ExportFormat:
    form = formats.find(format_name)
    known = sources_of(form)
    unknown = sorted(set(options.sources or ()) - set(known))
    if unknown:
        raise ExportError(
            f"{form.name} has none named {', '.join(unknown)}; there are {', '.join(known)}",
            option="source",
        )
    check(options, is_pairs=form.material == "pairs")
    if options.weak is not None and WEAK not in known:
        raise ExportError(f"{form.name} takes no weak labels; dpo and kto do", option="weak")
    if options.weak is None and WEAK in (options.sources or ()):
        raise ExportError("weak labels are there only where they are asked for", option="source")
    return form


def _identity(
    store: Store,
    form: ExportFormat,
    path: Path,
    options: ExportOptions,
    functions: Sequence[Named],
) -> dict[str, Json]:
    """What must not change while an export is interrupted."""
    given = asdict(options)
    given.pop("as_of_us")
    return {
        "format": form.name,
        "file": path.suffix,
        "store": store.engines.url.render_as_string(hide_password=True),
        "fairlead": release(),
        "functions": [each.name for each in functions] if options.weak else [],
        **given,
    }


def _summary(
    form: ExportFormat, path: Path, tally: Tally, *, seen: Seen, is_resumed: bool
) -> ExportSummary:
    dropped = tally.dropped + Counter({"replies_cap": seen.replies_cap})
    return ExportSummary(
        format=form.name,
        path=path,
        card_path=files.card_path_of(path),
        prompts=seen.prompts,
        written=tally.written,
        by_source=dict(tally.by_source),
        by_split=dict(tally.by_split),
        dropped={reason: count for reason, count in sorted(dropped.items()) if count},
        seen=seen,
        statistics=tally.statistics,
        is_resumed=is_resumed,
    )
