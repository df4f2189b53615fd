"""InstructLab: corrected replies of one topic as a `qna.yaml`, with its data card."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from storage.errors import ExportError
from storage.exports import files
from storage.exports.base import ExportOptions, Tally
from storage.exports.card import ExportSummary, FileOptions, Progress, card
from storage.exports.formats import QNA as NAME
from storage.exports.qna import QnaOptions, Topics, check_qna, choose, used
from storage.exports.reading import prompt_groups
from storage.exports.seen import Seen, share_of
from storage.ids import now_us
from storage.records import Json
from storage.store import Store

ENDINGS = (".yaml", ".yml")
SOURCE = "corrections"


_SETTINGS = ("since_us", "until_us", "model", "key_id", "as_of_us")


async def export_qna(
    store: Store,
    path: Path,
    *,
    options: ExportOptions | None = None,
    qna: QnaOptions | None = None,
    how: FileOptions | None = None,
) -> ExportSummary:
    """Write the corrections of a topic to `path` (.yaml) and the data card beside it.

    Raises ExportError where there are too few, saying how many are missing, for options that the
    format does not have, and for a file that cannot, or must not, be written.
    """
    options, how = replace(options or ExportOptions(), as_of_us=now_us()), how or FileOptions()
    files.check_ending(path, ENDINGS)
    with files.told(path):
        files.check_target(path, is_forced=how.is_forced)
    made = await _made(store, options, qna or QnaOptions(), progress=how.progress)
    summary = _summary(path, made)

    def describe(sha256: str) -> str:
        return card(summary, options, how=how, sha256=sha256)

    with files.told(path), files.writing(path, files.card_path_of(path), describe) as target:
        target.write_text(made.text())
    return summary


async def qna_text(
    store: Store, *, options: ExportOptions | None = None, qna: QnaOptions | None = None
) -> str:
    """The same content as YAML; the same errors as `export_qna`."""
    made = await _made(store, options or ExportOptions(), qna or QnaOptions())
    return made.text()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    topic: str
    content: dict[str, Json]
    topics: Topics
    seen: Seen

    def text(self) -> str:
        found: str = yaml.dump(
            self.content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31
        )
        return found


async def _made(
    store: Store, options: ExportOptions, qna: QnaOptions, *, progress: Progress | None = None
) -> _Made:
    _check(options)
    check_qna(qna)
    topics = Topics(within=qna.within, topic=qna.topic or "")
    seen, tally = Seen(), Tally()
    async with store.reading() as unit:
        async for group in prompt_groups(unit.connection, options, tally):
            seen.add(group, tally)
            topics.add(group)
            if progress is not None:
                progress("reading", seen.prompts, share=share_of(group.prompt_hash))
    topic, found = choose(topics, qna)
    return _Made(topic=topic, content=found, topics=topics, seen=seen)


def _check(options: ExportOptions) -> None:
    """ExportError for options that only files of rows have."""
    usual = ExportOptions(sources=options.sources)
    if options.sources not in (None, (SOURCE,)):
        raise ExportError(f"{NAME} has {SOURCE} alone", option="source")
    odd = [
        each.name
        for each in fields(options)
        if each.name not in _SETTINGS and getattr(options, each.name) != getattr(usual, each.name)
    ]
    if odd:
        raise ExportError(f"{NAME} has no such thing: leave it out", option=odd[0])


def _summary(path: Path, made: _Made) -> ExportSummary:
    seeds = made.topics.seeds(made.topic)
    written = len(used(seeds, made.content))
    dropped = made.topics.dropped + Counter(
        {"replies_cap": made.seen.replies_cap, "qna_unused": len(seeds) - written}
    )
    return ExportSummary(
        format=NAME,
        path=path,
        card_path=files.card_path_of(path),
        prompts=made.seen.prompts,
        written=written,
        by_source={f"{SOURCE} of topic {made.topic!r}": written},
        by_split={},
        dropped=dict(sorted(dropped.items())),
        seen=made.seen,
        settings=_SETTINGS,
    )


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as they are; lists set in, as InstructLab's own files have them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 as in PyYAML
        super().increase_indent(flow, indentless=False)


def _represent_text(dumper: _Dumper, text: str) -> Any:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
