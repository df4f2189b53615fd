"""Replies worth imitating: corrections, replies that were preferred, replies that were liked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from storage.exports.base import ExportOptions, Label, Message, Pair
from storage.exports.conversation import identity
from storage.exports.judgement import PromptGroup, rated_replies
from storage.exports.pairs import LABEL_SOURCES, PAIR_SOURCES, WEAK, labels_of, pairs_of

# A liked reply is one by itself; what it was liked better than adds nothing here.
_PAIRED = tuple(source for source in PAIR_SOURCES if source not in LABEL_SOURCES)
_LIKED = tuple(source for source in LABEL_SOURCES if source != WEAK)
GOOD_SOURCES = (*_PAIRED, *_LIKED)


def good_replies_of(
    group: PromptGroup, options: ExportOptions, dropped: Counter[str]
) -> list[Label]:
    """The good replies to one prompt, each once, the most direct statement first.

    A reply that was preferred to one and is worse than another, or that its raters dislike, is
    no example to follow: it is left out and counted as `disliked`.
    """
    pairs = pairs_of(group, _with(options, _PAIRED), dropped)
    labels = _labels(group, options, dropped)
    disliked = _disliked(group, pairs)
    found: dict[str, Label] = {}
    for label in (*map(_chosen, pairs), *labels):
        name = identity(label.completion)
        if name in disliked:
            dropped["disliked"] += 1
        elif name in found:
            dropped["duplicate"] += 1
        else:
            found[name] = label
    return list(found.values())


def _with(options: ExportOptions, sources: Iterable[str]) -> ExportOptions:
    wanted = options.sources
    return replace(options, sources=tuple(s for s in sources if wanted is None or s in wanted))


def _labels(group: PromptGroup, options: ExportOptions, dropped: Counter[str]) -> list[Label]:
    if options.sources is not None and not set(options.sources) & set(_LIKED):
        return []
    labels = labels_of(group, _with(options, _LIKED), dropped)
    return [label for label in labels if label.is_good]


def _disliked(group: PromptGroup, pairs: list[Pair]) -> set[str]:
    rated = rated_replies(group, Counter())
    worse: list[Message] = [each.reply.message for each in rated if not each.is_good]
    return {identity(message) for message in (*worse, *(pair.rejected for pair in pairs))}


def _chosen(pair: Pair) -> Label:
    return Label(
        prompt=pair.prompt,
        tools=pair.tools,
        completion=pair.chosen,
        is_good=True,
        provenance=pair.provenance,
    )
