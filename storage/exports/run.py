"""Runs an export: from the store through pairs or labels to lines or a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from storage.errors import ExportError
from storage.exports import files, formats
from storage.exports.base import ExportFormat, ExportOptions, Label, Material, Pair, Row, Tally
from storage.exports.card import ExportSummary, card
from storage.exports.curation import Embed, ExamplesOf, check, curated
from storage.exports.good import GOOD_SOURCES, good_replies_of
from storage.exports.judgement import PromptGroup
from storage.exports.pairs import (
    LABEL_SOURCES,
    PAIR_SOURCES,
    UNJUDGED,
    labels_of,
    pairs_of,
)
from storage.exports.reading import prompt_groups
from storage.store import Store, UnitOfWork

_MATERIALS: dict[Material, Callable[..., Sequence[Pair | Label]]] = {
    "pairs": pairs_of,
    "labels": labels_of,
    "replies": good_replies_of,
}
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
    command: str | None = None,
    embed: Embed | None = None,
) -> ExportSummary:
    """Write an export to `path` (.jsonl or .parquet) and its data card beside it.

    The file appears whole or not at all, memory stays bounded. `command` is printed on the card.
    Raises ExportError for an unknown format, source or ending and for a file that cannot be
    written; StorageError when the store cannot be read.
    """
    options = options or ExportOptions()
    form = _checked(format_name, options)
    tally = Tally()
    with files.writing(path) as target:
        async with store.reading() as unit:
            async for row in _rows(unit, form, options=options, tally=tally, embed=embed):
                target.write(row)
    summary = _summary(form, path, tally)
    printed = command or f"fairlead export {form.name} -o {path.name}"
    created = datetime.now(UTC).isoformat(timespec="seconds")
    files.write_text(summary.card_path, card(summary, options, command=printed, created=created))
    return summary


async def export_lines(
    store: Store,
    format_name: str,
    *,
    options: ExportOptions | None = None,
    embed: Embed | None = None,
) -> AsyncGenerator[bytes]:
    """The export as JSON Lines, a line at a time; the same errors as `export_file`."""
    options = options or ExportOptions()
    form = _checked(format_name, options)
    async with store.reading() as unit:
        async for row in _rows(unit, form, options=options, tally=Tally(), embed=embed):
            yield files.to_line(row)


async def count_pairs(store: Store, *, options: ExportOptions | None = None) -> Tally:
    """What a DPO export would hold now, without writing it."""
    options = options or ExportOptions()
    tally = Tally()
    async with store.reading() as unit:
        async for _ in _rows(unit, _checked("dpo", options), options=options, tally=tally):
            pass
    return tally


async def _rows(
    unit: UnitOfWork,
    form: ExportFormat,
    *,
    options: ExportOptions,
    tally: Tally,
    embed: Embed | None = None,
) -> AsyncIterator[Row]:
    wanted = options.sources or sources_of(form)
    beside = [UNJUDGED[source] for source in wanted if source in UNJUDGED]
    groups = prompt_groups(unit.connection, options, tally, beside=beside)
    async for example in curated(groups, _fitting(form), options, tally, embed=embed):
        row = form.row(example)
        assert not isinstance(row, str)
        tally.written += 1
        tally.by_source[example.provenance.source] += 1
        tally.by_split[example.provenance.split] += 1
        yield row


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
            f"{form.name} has no source {', '.join(unknown)}; there are {', '.join(known)}"
        )
    check(options, is_pairs=form.material == "pairs")
    return form


def _summary(form: ExportFormat, path: Path, tally: Tally) -> ExportSummary:
    return ExportSummary(
        format=form.name,
        path=path,
        card_path=path.with_name(f"{path.name}.card.md"),
        prompts=tally.prompts,
        written=tally.written,
        by_source=dict(tally.by_source),
        by_split=dict(tally.by_split),
        dropped={reason: count for reason, count in sorted(tally.dropped.items()) if count},
        statistics=tally.statistics,
    )
