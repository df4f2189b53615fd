from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.exports.base import ExportOptions, Pair, split_of
from storage.exports.judgement import PromptGroup
from storage.exports.pairs import PAIRS_PER_PROMPT, difficulty, labels_of, pairs_of
from tests.storage.building import exchange, preference, thumb
from tests.storage.exports.test_judgement import group

GOOD, BAD, MORE = exchange("Good."), exchange("Bad."), exchange("More.")
ALL = (GOOD, BAD, MORE)
EVERYTHING = ExportOptions()


def texts(pairs: list[Pair]) -> list[tuple[str, str, str]]:
    """(source, chosen, rejected) of each pair."""
    return [
        (pair.provenance.source, pair.chosen["content"], pair.rejected["content"]) for pair in pairs
    ]


def made(
    judged: PromptGroup, options: ExportOptions = EVERYTHING
) -> tuple[list[tuple[str, str, str]], dict[str, int]]:
    """The pairs of a prompt and what was dropped."""
    dropped: Counter[str] = Counter()
    found = texts(pairs_of(judged, options, dropped))
    return found, {reason: count for reason, count in dropped.items() if count}


def test_thumb_up_and_thumb_down_make_a_pair() -> None:
    """A liked and a disliked reply to one prompt are a pair."""
    said = (thumb(GOOD, "up"), thumb(BAD, "down"))

    assert made(group(*said, exchanges=ALL)) == ([("thumbs", "Good.", "Bad.")], {})


def test_choices_of_one_exchange_make_a_pair() -> None:
    """Two choices of the same reply, one liked and one not, are a pair."""
    both = exchange("Good.", "Bad.")
    said = (thumb(both, "up"), thumb(both, "down", choice_index=1))

    pairs = pairs_of(group(*said, exchanges=(both,)), EVERYTHING, Counter())

    assert texts(pairs) == [("thumbs", "Good.", "Bad.")]
    assert (both.id,) == pairs[0].provenance.interaction_ids


def test_thumbs_on_one_side_make_no_pair() -> None:
    """Likes alone prefer nothing to anything."""
    assert made(group(thumb(GOOD, "up"), thumb(MORE, "up"), exchanges=ALL)) == ([], {})


def test_comparison_makes_a_pair() -> None:
    """A reply preferred to another is a pair."""
    judged = group(preference(GOOD, BAD), exchanges=ALL)

    assert made(judged) == ([("comparisons", "Good.", "Bad.")], {})


def test_comparison_with_an_unusable_reply_makes_none() -> None:
    """A comparison needs both replies."""
    cut = exchange("Cut", status="upstream_cut")
    said = (preference(GOOD, cut), preference(cut, BAD), preference(GOOD, exchange()))

    expected = {"incomplete": 2, "other_prompt_or_filtered": 1}
    assert ([], expected) == made(group(*said, exchanges=(*ALL, cut)))


def test_correction_is_preferred_to_its_reply() -> None:
    """What a rater wrote instead is chosen over what was replied."""
    judged = group(thumb(BAD, None, correction="Right."), exchanges=ALL)

    assert made(judged) == ([("corrections", "Right.", "Bad.")], {})


def test_correction_of_an_unusable_reply_makes_none() -> None:
    """A correction of what the model did not write teaches nothing."""
    cut = exchange("Cut", status="upstream_cut")
    judged = group(thumb(cut, None, correction="Right."), exchanges=(cut,))

    assert made(judged) == ([], {"incomplete": 1})


def test_correction_that_changes_nothing_is_dropped() -> None:
    """A correction that reads like the reply is no pair."""
    judged = group(thumb(BAD, None, correction=" Bad. "), exchanges=ALL)

    assert made(judged) == ([], {"no_difference": 1})


def test_said_twice_is_one_pair() -> None:
    """A pair that two sources agree on comes from the more direct one."""
    said = (thumb(GOOD, "up"), thumb(BAD, "down"), preference(GOOD, BAD))

    expected = [("comparisons", "Good.", "Bad.")], {"duplicate": 1}
    assert expected == made(group(*said, exchanges=ALL))


def test_contradicting_source_loses() -> None:
    """A direct comparison stands against thumbs that say the opposite, which are counted."""
    said = (thumb(GOOD, "down"), thumb(BAD, "up"), preference(GOOD, BAD))

    expected = [("comparisons", "Good.", "Bad.")], {"contradiction": 1}
    assert expected == made(group(*said, exchanges=ALL))


def test_only_named_sources_are_used() -> None:
    """Sources that were not asked for give nothing."""
    said = (thumb(GOOD, "up"), thumb(BAD, "down"), preference(GOOD, MORE))
    options = ExportOptions(sources=("thumbs",))

    assert made(group(*said, exchanges=ALL), options) == ([("thumbs", "Good.", "Bad.")], {})


def test_unclear_pairs_are_dropped() -> None:
    """A pair whose raters agree less than asked is left out and counted."""
    said = [thumb(GOOD, "up", rater) for rater in ("ann", "bob")]
    said += [thumb(GOOD, "down", "cid"), thumb(BAD, "down")]
    judged = group(*said, exchanges=ALL)

    assert made(judged, ExportOptions(min_margin=0.66)) == ([("thumbs", "Good.", "Bad.")], {})
    assert made(judged, ExportOptions(min_margin=0.67)) == ([], {"below_margin": 1})


def test_one_prompt_does_not_flood_the_file() -> None:
    """Pairs of one prompt are capped, each reply used before any is used again."""
    ups = [exchange(f"Good {at}.") for at in range(12)]
    downs = [exchange(f"Bad {at}.") for at in range(12)]
    said = [thumb(each, "up") for each in ups] + [thumb(each, "down") for each in downs]

    found, dropped = made(group(*said, exchanges=(*ups, *downs)))

    assert len(found) == PAIRS_PER_PROMPT
    assert dropped == {"prompt_cap": 144 - PAIRS_PER_PROMPT}
    assert len({chosen for _, chosen, _ in found[:12]}) == 12
    assert len({rejected for _, _, rejected in found[:12]}) == 12


def test_replies_with_tool_calls_are_told_apart() -> None:
    """Two replies without text differ by their tool calls."""
    one, two = (
        exchange(
            choices=[{"message": {"content": None, "tool_calls": [{"function": {"name": name}}]}}]
        )
        for name in ("f", "g")
    )
    judged = group(preference(one, two), exchanges=(one, two))

    assert made(judged) == ([("comparisons", "", "")], {})


@given(st.floats(0, 1), st.text(), st.text())
def test_difficulty_is_a_share(margin: float, one: str, other: str) -> None:
    """Difficulty lies in [0, 1], and like replies with unsure raters are the hardest."""
    first, second = {"content": one}, {"content": other}

    assert 0 <= difficulty(first, second, margin) <= 1
    assert difficulty({"content": "a b"}, {"content": "a b"}, 0) == 1
    assert difficulty({"content": "a b"}, {"content": "c d"}, 1) == 0


def test_lone_thumbs_are_labels() -> None:
    """Thumbs without a partner are labels of their own source."""
    labels = labels_of(
        group(thumb(GOOD, "up"), thumb(MORE, "up"), exchanges=ALL), EVERYTHING, Counter()
    )

    assert [
        (label.completion["content"], label.is_good, label.provenance.source) for label in labels
    ] == [("Good.", True, "unpaired"), ("More.", True, "unpaired")]


def test_thumbs_with_a_partner_are_labels_too() -> None:
    """Thumbs that also make a pair are labels of the source "thumbs"."""
    judged = group(thumb(GOOD, "up"), thumb(BAD, "down"), exchanges=ALL)

    labels = labels_of(judged, EVERYTHING, Counter())

    assert [(label.is_good, label.provenance.source) for label in labels] == [
        (True, "thumbs"),
        (False, "thumbs"),
    ]


def test_labels_are_filtered_and_counted() -> None:
    """Labels of other sources or of unsure raters are left out and counted."""
    said = [thumb(GOOD, "up", "ann"), thumb(GOOD, "up", "bob"), thumb(GOOD, "down", "cid")]
    judged = group(*said, exchanges=ALL)
    dropped: Counter[str] = Counter()

    assert labels_of(judged, ExportOptions(sources=("thumbs",)), dropped) == []
    assert labels_of(judged, ExportOptions(min_margin=0.5), dropped) == []
    assert +dropped == {"other_source": 1, "below_margin": 1}


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.2, 200), (1.0, 1000)])
def test_split_takes_about_its_share(share: float, expected: int) -> None:
    """The test side holds about its share of prompts."""
    sides = [split_of(f"h{at}", seed=0, test_share=share) for at in range(1000)]

    assert sides.count("test") == pytest.approx(expected, abs=50 if 0 < share < 1 else 0)


def test_split_depends_on_prompt_and_seed_alone() -> None:
    """A prompt stays on its side; another seed deals anew; a bigger share only adds."""
    prompts = [f"h{at}" for at in range(200)]
    first = [split_of(prompt, seed=1, test_share=0.5) for prompt in prompts]
    other = [split_of(prompt, seed=2, test_share=0.5) for prompt in prompts]
    more = [split_of(prompt, seed=1, test_share=0.7) for prompt in prompts]

    assert first == [split_of(prompt, seed=1, test_share=0.5) for prompt in prompts]
    assert first != other
    assert all(m == "test" for f, m in zip(first, more, strict=True) if f == "test")
