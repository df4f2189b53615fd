"""From judgements to pairs and labels. Pure: one prompt's judgements in, examples out.

A source of pairs is one function in `PAIR_SOURCES`, the most direct first. What several statements
about the same two replies come to is decided in `settling`, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product

from storage.exports.base import ExportOptions, Label, Message, Pair, Provenance, split_of
from storage.exports.conversation import identity
from storage.exports.judgement import (
    PromptGroup,
    RatedReply,
    Reply,
    ReplyKey,
    cavings,
    flips,
    latest_corrections,
    preferences,
    rated_replies,
    replacements,
    usable_reply,
    weakly_rated,
)
from storage.exports.settling import Fate, Statement, settle

PAIRS_PER_PROMPT = 64
REGENERATIONS = "regenerations"
TWINS = "twins"
STANCE_PROBE = "stance_probe"
UNJUDGED = {REGENERATIONS: "attempts", TWINS: "twin", STANCE_PROBE: "stance_probe"}
"""Sources that need no person, with the column of exchanges in which they stand."""
WEAK = "weak"
LABEL_SOURCES = ("thumbs", "unpaired", WEAK)


@dataclass(frozen=True, slots=True)
class _Draft:
    reply: Reply
    chosen: Message
    rejected: Message
    margin: float
    interaction_ids: tuple[str, ...]
    source: str = ""
    probability: float | None = None


def _from_comparisons(group: PromptGroup, dropped: Counter[str]) -> Iterator[_Draft]:
    for better, worse, agreement in preferences(group, dropped):
        chosen = usable_reply(group, better, dropped)
        rejected = usable_reply(group, worse, dropped) if chosen else None
        if chosen and rejected:
            yield _of_two(chosen, rejected, agreement)


def _from_corrections(group: PromptGroup, dropped: Counter[str]) -> Iterator[_Draft]:
    for key, correction in latest_corrections(group):
        reply = usable_reply(group, key, dropped)
        if reply:
            chosen = {"role": "assistant", "content": correction}
            yield _Draft(reply, chosen, reply.message, 1.0, (reply.key[0],))


def _from_thumbs(group: PromptGroup, dropped: Counter[str]) -> Iterator[_Draft]:
    rated = sorted(rated_replies(group, dropped), key=_clearest_first)
    ups = [each for each in rated if each.is_good]
    downs = [each for each in rated if not each.is_good]
    # Every up meets every down, each reply used once before any is used again.
    for shift in range(len(downs)):
        for at, up in enumerate(ups):
            down = downs[(at + shift) % len(downs)]
            yield _of_two(up.reply, down.reply, (up.agreement + down.agreement) / 2)


def _from_regenerations(group: PromptGroup, dropped: Counter[str]) -> Iterator[_Draft]:
    for accepted, rejected, margin in replacements(group, dropped):
        yield _Draft(accepted, accepted.message, rejected, margin, (accepted.key[0],))


def _from_twins(group: PromptGroup, dropped: Counter[str]) -> Iterator[_Draft]:
    for flipped, twin, margin in flips(group, dropped):
        yield _Draft(flipped, twin, flipped.message, margin, (flipped.key[0],))


def _from_stance_probes(group: PromptGroup, dropped: Counter[str]) -> Iterator[_Draft]:
    for caved, neutral, margin in cavings(group, dropped):
        yield _Draft(caved, neutral, caved.message, margin, (caved.key[0],))


def _from_weak(group: PromptGroup, dropped: Counter[str]) -> Iterator[_Draft]:
    """Pairs of which at least one side is judged by labelling functions alone."""
    weak = weakly_rated(group, dropped)
    sides = weak + [(each, 1.0) for each in rated_replies(group, Counter())] if weak else []
    ups = [(each, chance) for each, chance in sides if each.is_good]
    downs = [(each, chance) for each, chance in sides if not each.is_good]
    for (up, sure), (down, surer) in product(ups, downs):
        if up.reply.key in group.weak or down.reply.key in group.weak:
            draft = _of_two(up.reply, down.reply, (up.agreement + down.agreement) / 2)
            yield replace(draft, probability=round(sure * surer, 4))


PAIR_SOURCES: dict[str, Callable[[PromptGroup, Counter[str]], Iterator[_Draft]]] = {
    "comparisons": _from_comparisons,
    "corrections": _from_corrections,
    "thumbs": _from_thumbs,
    REGENERATIONS: _from_regenerations,
    TWINS: _from_twins,
    STANCE_PROBE: _from_stance_probes,
    WEAK: _from_weak,
}

_REASONS: dict[Fate, str | None] = {
    "kept": None,
    "repeated": "duplicate",
    "contradicted": "contradiction",
    "undecided": "undecided",
}


def rank_of(source: str) -> int:
    """How direct a source is, 0 the most; all that people said of one reply is equally so."""
    sources = tuple(PAIR_SOURCES)
    return sources.index(source if source in sources else "thumbs")


def pairs_of(group: PromptGroup, options: ExportOptions, dropped: Counter[str]) -> list[Pair]:
    """The pairs of one prompt, at most `PAIRS_PER_PROMPT`; what was left out is counted.

    Of statements about the same two texts one pair is made, by the rule of `settling`.
    """
    drafts = [each for each in _drafts(group, options, dropped) if _differ(each, dropped)]
    found: list[Pair] = []
    for draft, settled in zip(drafts, settle([_statement(each) for each in drafts]), strict=True):
        reason = _REASONS[settled.fate]
        if reason is None and settled.margin < options.min_margin:
            reason = "below_margin"
        if reason is None and len(found) >= PAIRS_PER_PROMPT:
            reason = "prompt_cap"
        if reason is None:
            found.append(_pair(replace(draft, margin=settled.margin), group, options))
        else:
            dropped[reason] += 1
    return found


def labels_of(group: PromptGroup, options: ExportOptions, dropped: Counter[str]) -> list[Label]:
    """The thumbs of one prompt as labels, with or without a partner for a pair; then weak ones."""
    rated = rated_replies(group, dropped)
    source = "thumbs" if len({each.is_good for each in rated}) == 2 else "unpaired"
    found = [_label(each, source, group, options) for each in rated]
    for each, chance in weakly_rated(group, dropped):
        label = _label(each, WEAK, group, options)
        origin = replace(label.provenance, probability=round(chance, 4))
        found.append(replace(label, provenance=origin))
    wanted = [
        label
        for label in found
        if options.sources is None or label.provenance.source in options.sources
    ]
    clear = [label for label in wanted if label.provenance.margin >= options.min_margin]
    dropped["other_source"] += len(found) - len(wanted)
    dropped["below_margin"] += len(wanted) - len(clear)
    return clear


def difficulty(chosen: Message, rejected: Message, margin: float) -> float:
    """How hard a pair is to learn, in [0, 1]: raters at odds and replies alike make it hard.

    The mean of `1 - margin` and the overlap of the two replies' sets of words (Jaccard index).
    """
    return round((1 - margin + _overlap(identity(chosen), identity(rejected))) / 2, 4)


def _drafts(group: PromptGroup, options: ExportOptions, dropped: Counter[str]) -> Iterator[_Draft]:
    for source, drafts in PAIR_SOURCES.items():
        if options.sources is None or source in options.sources:
            for draft in drafts(group, dropped):
                yield replace(draft, source=source)


def _differ(draft: _Draft, dropped: Counter[str]) -> bool:
    is_different = identity(draft.chosen) != identity(draft.rejected)
    dropped["no_difference"] += not is_different
    return is_different


def _statement(draft: _Draft) -> Statement:
    chosen, rejected = identity(draft.chosen), identity(draft.rejected)
    return Statement(
        about=frozenset((chosen, rejected)),
        is_forward=chosen < rejected,
        rank=rank_of(draft.source),
        margin=draft.margin,
        key=draft.interaction_ids,
    )


def _of_two(chosen: Reply, rejected: Reply, margin: float) -> _Draft:
    idents = tuple(dict.fromkeys((chosen.key[0], rejected.key[0])))
    return _Draft(chosen, chosen.message, rejected.message, margin, idents)


def _pair(draft: _Draft, group: PromptGroup, options: ExportOptions) -> Pair:
    return Pair(
        prompt=draft.reply.prompt,
        tools=draft.reply.tools,
        chosen=draft.chosen,
        rejected=draft.rejected,
        provenance=Provenance(
            source=draft.source,
            margin=round(draft.margin, 4),
            difficulty=difficulty(draft.chosen, draft.rejected, draft.margin),
            interaction_ids=draft.interaction_ids,
            split=split_of(group.prompt_hash, seed=options.seed, test_share=options.test_share),
            probability=draft.probability,
            with_weak=options.weak is not None,
        ),
    )


def _label(each: RatedReply, source: str, group: PromptGroup, options: ExportOptions) -> Label:
    return Label(
        prompt=each.reply.prompt,
        tools=each.reply.tools,
        completion=each.reply.message,
        is_good=each.is_good,
        provenance=Provenance(
            source=source,
            margin=round(each.agreement, 4),
            difficulty=round(1 - each.agreement, 4),
            interaction_ids=(each.reply.key[0],),
            split=split_of(group.prompt_hash, seed=options.seed, test_share=options.test_share),
            with_weak=options.weak is not None,
        ),
    )


def _clearest_first(each: RatedReply) -> tuple[float, int, ReplyKey]:
    return (-each.agreement, -each.reply.created_us, each.reply.key)


def _overlap(one: str, other: str) -> float:
    words, others = set(one.split()), set(other.split())
    return len(words & others) / max(1, len(words | others))
