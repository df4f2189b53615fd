"""The data card: a page beside an export that says what is in it and how it came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, Protocol

from storage.agreement import Alpha
from storage.exports.base import ExportOptions
from storage.exports.seen import Seen
from storage.exports.statistics import Statistics

_REASONS = {
    "below_margin": "the raters' margin was under the minimum",
    "contradiction": "another source prefers the two replies the other way round",
    "disliked": "the reply is worse than another, or its raters dislike it",
    "duplicate": "the same two replies were already a pair, or the same reply a row",
    "empty_reply": "the reply had neither text nor tool calls",
    "incomplete": "the reply did not reach its end",
    "no_common_score": "no scorer gave both the vetoed reply and its replacement a risk",
    "no_difference": "both replies read the same",
    "length_balance": "the longer reply would have been chosen more often than the shorter",
    "near_contradicted": "a near-duplicate that says the opposite weighed more",
    "near_repeated": "a near-duplicate stands for it",
    "near_undecided": "near-duplicates say as much for as against",
    "no_such_choice": "the choice that was judged was not recorded",
    "not_as_written": "the client did not get the words the model wrote",
    "not_passed": "the reply in a vetoed one's place was flagged, vetoed or not wholly scored",
    "not_selected": "other examples were selected",
    "not_text": "prompt or reply were not stored, or hold more than text and calls of functions",
    "openai_last_turn": "the prompt does not end with a user's message or a tool's result",
    "openai_speaker": "a message has a role or a name that OpenAI's files do not have",
    "openai_tools": "a tool or a call of one is not as OpenAI's files need it",
    "other_split": "the prompt is on the other side of the split",
    "other_prompt_or_filtered": "the reply compared answers another prompt or is filtered out",
    "other_source": "the judgement is of a source that was not asked for",
    "per_prompt": "the prompt had as many examples as were asked for, with larger margins",
    "prompt_cap": "the prompt already had the most pairs one prompt may have",
    "qna_dialogue": "the question is not one message of a user without tools",
    "qna_full": "the topic already had as many corrections as are read",
    "qna_long": "question or answer have more words than InstructLab's guide allows",
    "qna_long_context": "the sources have more words than InstructLab's guide allows",
    "qna_topics": "there are more topics than are read",
    "qna_unused": "the file is full, or the context has too few questions",
    "replies_cap": "the prompt has more judged replies than are read",
    "text_drop": "the policy has no texts kept (`text: drop`)",
    "text_hash": "the policy has texts kept as hashes only (`text: hash`)",
    "twin_incomplete": "the answer without the user's view was not read to its end",
    "twin_not_passed": "the answer without the user's view was not allowed, or not scored",
    "thumbed_up": "a rater liked the reply that gave in to its user's view",
    "thumbed_down": "a rater disliked the reply in the place of a vetoed one",
    "tied_raters": "as many raters were for as against",
    "undecided": "sources say as much for as against",
    "weak_unsure": "labelling functions were not sure enough",
    "withheld": "the client saw a refusal in place of the reply",
}


Stage = Literal["reading", "writing"]


class Progress(Protocol):
    """Is told of every prompt read and of every row written."""

    def __call__(self, stage: Stage, done: int, *, share: float | None = None) -> None:
        """`share` in [0, 1] is how much of the stage is done, None where nobody knows."""


def _silent(stage: Stage, done: int, *, share: float | None = None) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """How a file is written.

    `command` and `licence` are printed on its card. `is_forced` replaces a file that is there,
    `is_anew` throws away what an interrupted export has read. What was read is made sure every
    `prompts_per_save`.
    """

    command: str | None = None
    licence: str | None = None
    is_forced: bool = False
    is_anew: bool = False
    progress: Progress = _silent
    prompts_per_save: int = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSummary:
    """What an export wrote. `dropped` counts judgements (or pairs) left out, by reason.

    `settings` names the options that the format knows, None all of them.
    """

    format: str
    path: Path
    card_path: Path
    prompts: int
    written: int
    by_source: Mapping[str, int]
    by_split: Mapping[str, int]
    dropped: Mapping[str, int]
    seen: Seen
    statistics: Statistics | None = None
    is_resumed: bool = False
    settings: tuple[str, ...] | None = None


def card(summary: ExportSummary, options: ExportOptions, *, how: FileOptions, sha256: str) -> str:
    """The card as Markdown."""
    named = summary.settings or tuple(asdict(options))
    given = {name: getattr(options, name) for name in named if getattr(options, name) is not None}
    as_of_us = given.pop("as_of_us", None)
    return "\n".join(
        [
            f"# {summary.path.name}",
            "",
            f"{summary.written} rows in the format `{summary.format}`,",
            f"from {summary.prompts} judged prompts, written by Fairlead {release()}.",
            "",
            f"    {how.command or f'fairlead export {summary.format} -o {summary.path.name}'}",
            "",
            *_table("File", {"SHA-256": sha256, "Data as of": _time(as_of_us)}),
            *_table("Source", summary.by_source),
            *_table("Split", summary.by_split),
            *_figures(summary.statistics),
            *_table("Krippendorff's alpha of", _agreement(summary.seen)),
            *_table("Filter or setting", given),
            *_table("Left out", _explained(summary.dropped)),
            *_origin(summary.seen),
            "## Licence",
            "",
            how.licence or "Not stated (`--license`).",
            "",
            "Prompts are their users', corrections their raters'. The replies were written by the",
            "models above, whose terms may restrict what is trained on them.",
            "",
            "## How it was made",
            "",
            "The latest word of each rater counts, the majority decides, ties are left out.",
            "Where sources are at odds the most direct decides, then the larger sum of margins.",
            "A prompt is on one side of the split, with its near-duplicates and its conversation.",
            "",
        ]
    )


def release() -> str:
    """Fairlead's version, "unknown" where it runs from a folder that was never installed."""
    try:
        return version("fairlead")
    except PackageNotFoundError:
        return "unknown"


def _origin(seen: Seen) -> list[str]:
    times = {"First": _time(seen.first_us), "Last": _time(seen.last_us)}
    return [
        *_table("Judged exchanges by model", seen.models),
        *(_table("Judged exchanges", times) if seen.models else []),
    ]


def _time(at_us: int | None) -> str:
    return (
        "" if at_us is None else datetime.fromtimestamp(at_us / 1e6, UTC).isoformat("T", "seconds")
    )


def _figures(statistics: Statistics | None) -> list[str]:
    if statistics is None:
        return []
    notes = [f"Note: {note}." for note in statistics.notes]
    return [
        *_table("Figure", statistics.figures(), is_sorted=False),
        *notes,
        *([""] if notes else []),
    ]


def _agreement(seen: Seen) -> dict[str, str]:
    """How far raters agree, of everything that was read: 1 is fully, 0 is by chance."""
    return {
        f"{kind}, {alpha.units} judged by two or more": _alpha(alpha)
        for kind, alpha in seen.agreement().items()
    }


def _alpha(alpha: Alpha) -> str:
    value = "none" if alpha.value is None else f"{alpha.value:.3f}"
    if alpha.low is None or alpha.high is None:
        return f"{value} ({alpha.reason})"
    return f"{value} ({alpha.low:.3f} to {alpha.high:.3f}, 95% bootstrap)"


def _explained(dropped: Mapping[str, int]) -> dict[str, int]:
    return {f"`{reason}`: {_REASONS.get(reason, '')}": dropped[reason] for reason in dropped}


def _table(title: str, values: Mapping[str, object], *, is_sorted: bool = True) -> list[str]:
    if not values:
        return []
    names = sorted(values) if is_sorted else list(values)
    rows = [f"| {_cell(name)} | {_cell(values[name])} |" for name in names]
    return [f"| {title} | |", "| --- | --- |", *rows, ""]


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
