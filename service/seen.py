"""Which part of an exchange the scorers have seen, for the record. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from service.exchange import Ask, Verdict
from service.veto import Window

Windows = Iterable[tuple[Window, Verdict]]


def request_seen(ask: Ask, prompt: Verdict | None, windows: Windows) -> dict[str, Any] | None:
    """What was seen of a request, None where nothing was to be scored.

    `prompt` has each text that was looked at: `at`, its place, and `scored`, as
    `choice_seen` has it. `earlier_left_out` is how many texts of the earlier conversation
    were not looked at. `context` says how many texts the reply was held against, how many
    more there were than `limits.context_items`, and how many windows of evidence the texts
    gave, of which each claim was held against the nearest.
    """
    seen: dict[str, Any] = {}
    if prompt is not None and prompt.parts:
        seen["prompt"] = [
            {"at": piece.at, "scored": _scored(0, len(piece.text), verdict)}
            for piece, verdict in prompt.parts
        ]
        seen["earlier_left_out"] = prompt.left_out
    evidence = [rule.score.evidence_windows for _, v in windows for rule in v.rules]
    if any(evidence) or ask.context_left_out:
        seen["context"] = {
            "texts": len(ask.context),
            "left_out": ask.context_left_out,
            "windows": max(evidence, default=0),
        }
    return seen or None


def choice_seen(windows: Windows, choice: int) -> dict[str, list[list[int]]] | None:
    """The scored ranges of each text of a choice, `[start, stop]` in characters.

    A third number says how many rows of the model were too long for it and lost their end.
    What stands in no range was not scored.
    """
    seen: dict[str, list[list[int]]] = {}
    for window, verdict in windows:
        if window.choice == choice:
            ranges = seen.setdefault(window.group, [])
            for added in _scored(window.start, window.stop, verdict):
                _join(ranges, added)
    return seen or None


def _scored(start: int, stop: int, verdict: Verdict) -> list[list[int]]:
    if verdict.failure or not verdict.rules:
        return []
    cut = max(rule.score.cut_rows for rule in verdict.rules)
    return [[start, stop, cut] if cut else [start, stop]]


def _join(ranges: list[list[int]], added: list[int]) -> None:
    """Adds a range, as a part of the last one where it goes on from there."""
    if ranges and len(ranges[-1]) == len(added) == 2 and ranges[-1][1] == added[0]:
        ranges[-1][1] = added[1]
    else:
        ranges.append(added)
