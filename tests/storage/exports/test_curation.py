from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from storage.errors import ExportError
from storage.exports import pairs
from storage.exports.base import ExportOptions, Label, Pair, Tally
from storage.exports.conversation import identity
from storage.exports.curation import Embed, check, curated
from storage.exports.judgement import PromptGroup
from storage.records import FeedbackRecord, InteractionRecord
from tests.storage.building import exchange, thumb

LONG = (
    "The harbour office opens at eight in the morning and closes when the last ferry has left, "
    "which in winter may be early and in summer late; ask the crew of the ferry if in doubt."
)
OTHER = (
    "Nobody knows, really, since the people there come and go as they please and keep no list "
    "of their hours anywhere that a visitor could read before he stands at the closed door."
)


def judged(
    prompt: str, *ratings: tuple[str, str], at_us: int = 1, **changes: Any
) -> tuple[PromptGroup, list[InteractionRecord]]:
    """A prompt whose replies were rated up or down."""
    records = [
        exchange(text, prompt=prompt, created_us=at_us, id=f"fl_{prompt}_{at}", **changes)
        for at, (text, _) in enumerate(ratings)
    ]
    said: list[FeedbackRecord] = [
        thumb(record, "up" if rating == "up" else "down")
        for record, (_, rating) in zip(records, ratings, strict=True)
    ]
    interactions = {record.id: record for record in records}
    group = PromptGroup(
        prompt_hash=f"hash of {prompt}", interactions=interactions, feedback=said, comparisons=[]
    )
    return group, records


def pair(prompt: str, up: str = LONG, down: str = OTHER, **changes: Any) -> PromptGroup:
    """A prompt with a liked and a disliked reply."""
    return judged(prompt, (up, "up"), (down, "down"), **changes)[0]


async def gathered(
    groups: Sequence[PromptGroup], options: ExportOptions, embed: Embed | None, *, labels: bool
) -> tuple[list[Pair | Label], Tally]:
    tally = Tally()

    async def each() -> AsyncIterator[PromptGroup]:
        for group in groups:
            yield group

    make = pairs.labels_of if labels else pairs.pairs_of
    found = [one async for one in curated(each(), make, options, tally, embed=embed)]
    return found, tally


def made(
    *groups: PromptGroup, embed: Embed | None = None, labels: bool = False, **options: Any
) -> tuple[list[Any], Tally]:
    """The examples, and the tally."""
    return asyncio.run(gathered(groups, ExportOptions(**options), embed, labels=labels))


def dropped(tally: Tally) -> dict[str, int]:
    """What was left out."""
    return dict(+tally.dropped)


def prompts(found: Sequence[Pair | Label]) -> list[str]:
    """The prompts, in order."""
    return [str(one.prompt[-1]["content"]) for one in found]


ASKED = "When does the harbour office open in the morning, and who could tell me if I call first?"
NEARLY = ASKED.replace("?", "!").replace("When", "when")


def test_a_near_duplicate_goes() -> None:
    """The same pair for nearly the same prompt is there once."""
    found, tally = made(pair(ASKED), pair(NEARLY, LONG + " Yes."))

    assert len(found) == 1
    assert dropped(tally) == {"near_repeated": 1}


def test_near_duplicates_can_stay() -> None:
    """Where likeness is off, or asked to be complete."""
    both = pair(ASKED), pair(NEARLY, LONG + " Yes, it does.")

    assert len(made(*both, near_duplicates=None)[0]) == 2
    assert len(made(*both, near_duplicates=1.0)[0]) == 2


def test_the_larger_margin_stays() -> None:
    """Of near-duplicates the one whose raters agree more is kept."""
    unsure, records = judged(ASKED, (LONG, "up"), (OTHER, "down"))
    unsure.feedback.extend([thumb(records[0], "up", "bob"), thumb(records[0], "down", "cid")])
    found, _ = made(unsure, pair(NEARLY))

    assert prompts(found) == [NEARLY]
    assert found[0].provenance.margin == 1.0


def test_a_contradiction_across_prompts_is_settled() -> None:
    """Two against one: the majority stays, with the margin that is left."""
    more = ASKED.replace("call first", "call first, please")
    found, tally = made(pair(ASKED), pair(NEARLY), pair(more, OTHER, LONG))

    assert [(one.chosen["content"], one.provenance.margin) for one in found] == [(LONG, 0.3333)]
    assert found[0].provenance.difficulty > pairs.difficulty(found[0].chosen, found[0].rejected, 1)
    assert dropped(tally) == {"near_repeated": 1, "near_contradicted": 1}


def test_a_contradiction_without_majority_leaves_nothing() -> None:
    """One against one, equally sure."""
    found, tally = made(pair(ASKED), pair(NEARLY, OTHER, LONG))

    assert found == []
    assert dropped(tally) == {"near_undecided": 2}


def test_other_numbers_are_another_matter() -> None:
    """Prompts that differ in a number are not one, nor are replies."""
    ten, eleven = (pair(f"{ASKED} I would come at {hour}.") for hour in (10, 11))
    reply = pair(NEARLY + " I would come at 10.", LONG + " From 10 on.")

    assert len(made(ten, eleven, reply)[0]) == 3


def test_other_system_prompts_are_another_matter() -> None:
    """What is better depends on what the system asks for."""

    def told(rules: str, *texts: str) -> PromptGroup:
        messages = [{"role": "system", "content": rules}, {"role": "user", "content": ASKED}]
        return pair(rules, *texts, request={"messages": messages, "params": {}})

    assert len(made(told("Be brief."), told("Be thorough.", OTHER, LONG))[0]) == 2
    assert made(told("It is day 1."), told("It is day 2.", OTHER, LONG))[0] == []


def test_labels_are_settled_too() -> None:
    """The same reply liked for one prompt and disliked for nearly the same one is no label."""
    liked, disliked = judged(ASKED, (LONG, "up"))[0], judged(NEARLY, (LONG, "down"))[0]
    found, tally = made(liked, disliked, judged("And?", (OTHER, "down"))[0], labels=True)

    assert [(one.completion["content"], one.is_good) for one in found] == [(OTHER, False)]
    assert dropped(tally) == {"near_undecided": 2}
    assert tally.statistics is not None
    assert tally.statistics.balance is not None
    assert (tally.statistics.balance.good, tally.statistics.balance.bad) == (0, 1)


def sides(*groups: PromptGroup, **options: Any) -> dict[str, str]:
    """The side that each prompt is on."""
    found, _ = made(*groups, test_share=0.5, **options)
    return {one.prompt[-1]["content"]: one.provenance.split for one in found}


def test_a_conversation_is_on_one_side() -> None:
    """Whatever the seed, prompts of one conversation stay together; those of others do not."""
    turns = [pair(f"Turn {name}?", conversation="c") for name in "abcdefgh"]
    others = [pair(f"Single {name}?") for name in "abcdefgh"]

    for seed in range(8):
        found = sides(*turns, *others, seed=seed)
        assert len({side for prompt, side in found.items() if prompt.startswith("Turn")}) == 1
        assert len({side for prompt, side in found.items() if prompt.startswith("Single")}) == 2


def test_a_prompt_stays_with_what_it_continues() -> None:
    """Without a name for the conversation, the earlier messages tell."""
    more = [
        {"role": "user", "content": "First?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "And then?"},
    ]
    for seed in range(8):
        found = sides(
            pair("First?"),
            pair("x", OTHER, LONG, request={"messages": more, "params": {}}),
            seed=seed,
        )
        assert len(found) == 2
        assert len(set(found.values())) == 1


def test_near_prompts_are_on_one_side() -> None:
    """Even where their replies differ."""
    for seed in range(8):
        assert len(set(sides(pair(ASKED), pair(NEARLY, "Soon.", "Late."), seed=seed).values())) == 1


def test_a_younger_prompt_moves_nobody() -> None:
    """What is added to a group takes the side of the oldest in it."""
    old = [pair(f"Old {name}?", at_us=10, conversation=name) for name in "abcdefgh"]
    new = [pair(f"New {name}?", at_us=20, conversation=name) for name in "abcdefgh"]

    before, after = sides(*old), sides(*new, *old)

    assert before == {prompt: after[prompt] for prompt in before}


def test_one_side_alone() -> None:
    """`split` leaves the other side out."""
    groups = [pair(f"Single {name}?") for name in "abcdefgh"]
    found, tally = made(*groups, test_share=0.5, split="test")

    assert {one.provenance.split for one in found} == {"test"}
    assert len(found) + tally.dropped["other_split"] == 8


def test_a_prompt_has_its_most() -> None:
    """Near-duplicates of a prompt count with it."""
    one = judged(ASKED, ("Good.", "up"), ("Bad.", "down"), ("Worse.", "down"))[0]
    found, tally = made(one, pair(NEARLY, "Fine.", "Poor."), pair("Other?"), max_per_prompt=2)

    assert len(found) == 3
    assert dropped(tally) == {"per_prompt": 1}


def test_lengths_are_evened_on_each_side() -> None:
    """The rule "take the longer" is right in half of the pairs, in train and in test."""
    groups = [pair(f"Q{at} {chr(97 + at)}?", LONG + " x" * at, "No.") for at in range(20)]
    groups += [pair(f"R{at} {chr(97 + at)}?", "No.", OTHER) for at in range(6)]
    found, tally = made(*groups, balance_length=True, test_share=0.3)

    for side in ("train", "test"):
        longer = [
            len(identity(one.chosen)) > len(identity(one.rejected))
            for one in found
            if one.provenance.split == side
        ]
        assert 2 * sum(longer) == len(longer)
    assert tally.statistics is not None
    assert tally.statistics.lengths is not None
    assert tally.statistics.lengths.longer_wins == 0.5
    assert tally.dropped["length_balance"] == 26 - len(found) > 0


def test_a_curriculum_goes_from_easy_to_hard() -> None:
    """Rows come by their difficulty."""
    groups = [
        pair(f"Q {name}?", LONG, LONG[:at]) for name, at in zip("abc", (150, 5, 60), strict=True)
    ]
    found, _ = made(*groups, order="curriculum")

    assert prompts(found) == ["Q b?", "Q c?", "Q a?"]


@pytest.mark.parametrize("by", ["diversity", "margin", "random"])
def test_a_selection_has_its_size(by: str) -> None:
    """So many and no more; what is not selected is counted."""
    groups = [pair(f"Q {name}?") for name in "abcdefgh"]
    found, tally = made(*groups, select=3, by=by)

    assert len(found) == 3
    assert tally.dropped["not_selected"] == 5
    assert len(made(*groups, select=9, by=by)[0]) == 8


def test_diversity_takes_one_of_each_kind() -> None:
    """By words where there is no encoder, which the figures say."""
    alike = [pair(f"{ASKED} Name {name}.") for name in "abcdef"]
    found, tally = made(*alike, pair("Bread?", "Rye.", "Wheat."), select=2, near_duplicates=None)

    assert "Bread?" in prompts(found)
    assert tally.statistics is not None
    assert "MinHash" in tally.statistics.notes[0]


def test_diversity_asks_the_encoder() -> None:
    """With an encoder its vectors decide."""
    asked: list[str] = []

    async def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        return np.array([[1.0, 0.0] if "far" not in t else [0.0, 1.0] for t in texts], np.float32)

    groups = [pair(f"Q {name}?") for name in ("a", "b", "c", "far")]
    found, tally = made(*groups, select=2, embed=embed)

    assert "Q far?" in prompts(found)
    assert {"Q a?", LONG} <= set(asked)
    assert tally.statistics is not None
    assert tally.statistics.notes == ()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"near_duplicates": 0.3}, "from 0.6 to 1"),
        ({"near_duplicates": float("nan")}, "from 0.6 to 1"),
        ({"select": 0}, "must be 1 or more"),
        ({"max_per_prompt": -1}, "must be 1 or more"),
        ({"by": "margin"}, "no number to `select`"),
    ],
)
def test_what_cannot_be_followed_is_refused(options: dict[str, Any], complaint: str) -> None:
    """The error says which option and what it may be."""
    with pytest.raises(ExportError, match=complaint) as caught:
        check(ExportOptions(**options), is_pairs=True)

    assert caught.value.option in options


def test_labels_have_no_lengths_to_balance() -> None:
    """A format of labels refuses it."""
    with pytest.raises(ExportError, match="pairs only"):
        check(ExportOptions(balance_length=True), is_pairs=False)


def test_nothing_makes_nothing() -> None:
    """An export without examples has figures too."""
    found, tally = made()

    assert found == []
    assert tally.statistics is not None
    assert tally.statistics.figures()["rows"] == "0"


texts = st.sampled_from([LONG, OTHER, LONG + " Yes.", "Yes.", "No.", OTHER.upper(), "Perhaps 7."])
asked = st.sampled_from([ASKED, NEARLY, "Open?", "Shut?", "Open 7?", ASKED + " Please."])
worlds = st.lists(
    st.tuples(
        asked,
        st.lists(st.tuples(texts, st.sampled_from(["up", "down"])), min_size=1, max_size=4),
        st.sampled_from(["c1", "c2", None]),
    ),
    max_size=6,
    unique_by=lambda one: one[0],
)


def world(described: Any) -> list[PromptGroup]:
    """Judged prompts."""
    return [
        judged(prompt, *ratings, conversation=conversation, at_us=at)[0]
        for at, (prompt, ratings, conversation) in enumerate(described)
    ]


@settings(max_examples=60, deadline=None)
@given(worlds, st.randoms(use_true_random=False), st.integers(0, 5))
def test_the_order_of_prompts_decides_nothing(described: Any, random: Any, seed: int) -> None:
    """However they come, the same rows come out, in the same order, and the same is dropped."""
    groups = world(described)
    shuffled = list(groups)
    random.shuffle(shuffled)
    options = {"seed": seed, "select": 3, "max_per_prompt": 2, "order": "curriculum"}

    one, tally = made(*groups, **options)
    other, again = made(*shuffled, **options)

    assert one == other
    assert (tally.dropped, tally.statistics) == (again.dropped, again.statistics)


@settings(max_examples=60, deadline=None)
@given(worlds, st.integers(0, 5))
def test_no_conversation_on_two_sides(described: Any, seed: int) -> None:
    """Nor any prompt, nor any near-duplicate of one."""
    found, _ = made(*world(described), seed=seed, test_share=0.5)

    of_prompt, of_conversation = {}, {}
    names = {prompt: conversation for prompt, _, conversation in described}
    for one in found:
        prompt = one.prompt[-1]["content"]
        for place, name in ((of_prompt, prompt.lower()[:60]), (of_conversation, names[prompt])):
            if name is not None:
                assert place.setdefault(name, one.provenance.split) == one.provenance.split


@settings(max_examples=60, deadline=None)
@given(worlds)
def test_no_pair_beside_its_reverse(described: Any) -> None:
    """Of one prompt; and no pair twice."""
    found, _ = made(*world(described))

    kept = Counter(
        (one.prompt[-1]["content"], identity(one.chosen), identity(one.rejected)) for one in found
    )
    assert all(count == 1 for count in kept.values())
    assert not any((prompt, rejected, chosen) in kept for prompt, chosen, rejected in kept)


@settings(max_examples=40, deadline=None)
@given(worlds)
def test_every_pair_is_kept_or_counted(described: Any) -> None:
    """Rows and what near-duplicates cost add up to what the prompts gave."""
    groups = world(described)
    before = sum(len(pairs.pairs_of(one, ExportOptions(), Counter())) for one in groups)
    found, tally = made(*groups)

    lost = sum(count for name, count in tally.dropped.items() if name.startswith("near_"))
    assert before == len(found) + lost
