from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from storage.exports.judgement import (
    PromptGroup,
    flips,
    latest_corrections,
    preferences,
    rated_replies,
    usable_reply,
)
from storage.records import ComparisonRecord, FeedbackRecord, InteractionRecord
from tests.storage.building import choice, exchange, preference, thumb

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
BLOCKS = {"content": [{"type": "text", "text": "On"}, {"type": "text", "text": "e."}]}
ONE, TWO = exchange("One."), exchange("Two.")


def group(
    *said: FeedbackRecord | ComparisonRecord, exchanges: tuple[InteractionRecord, ...] = (ONE, TWO)
) -> PromptGroup:
    """A prompt with these judgements."""
    return PromptGroup(
        prompt_hash="h",
        interactions={each.id: each for each in exchanges},
        feedback=[each for each in said if isinstance(each, FeedbackRecord)],
        comparisons=[each for each in said if isinstance(each, ComparisonRecord)],
    )


def rated(*said: FeedbackRecord) -> tuple[list[tuple[str, bool, float]], dict[str, int]]:
    """(text, is good, agreement) of each rated reply, and what was dropped."""
    dropped: Counter[str] = Counter()
    found = rated_replies(group(*said), dropped)
    shown = [(each.reply.message["content"], each.is_good, each.agreement) for each in found]
    return shown, dict(dropped)


def test_thumb_rates_its_reply() -> None:
    """One thumb is a full agreement."""
    assert rated(thumb(ONE, "up")) == ([("One.", True, 1.0)], {})


def test_latest_thumb_of_a_rater_counts() -> None:
    """A rater who turns the thumb over is counted once, as at last."""
    assert rated(thumb(ONE, "up"), thumb(ONE, "down")) == ([("One.", False, 1.0)], {})


def test_comment_leaves_the_thumb() -> None:
    """Feedback without a rating changes no rating."""
    assert rated(thumb(ONE, "up"), thumb(ONE, None)) == ([("One.", True, 1.0)], {})


def test_a_withdrawn_thumb_rates_nothing() -> None:
    """What a rater takes back does not count, until the rater says something again."""
    said = [thumb(ONE, "up"), thumb(ONE, "withdrawn")]

    assert rated(*said) == ([], {})
    assert rated(*said, thumb(ONE, "down")) == ([("One.", False, 1.0)], {})
    assert rated(*said, thumb(ONE, "up", "bob")) == ([("One.", True, 1.0)], {})


def test_a_withdrawn_correction_corrects_nothing() -> None:
    """A withdrawal takes the same rater's correction with it, and none that comes after."""
    said = [thumb(ONE, "down", correction="1."), thumb(ONE, None, "bob", correction="2.")]
    back = thumb(ONE, "withdrawn")

    assert list(latest_corrections(group(*said, back))) == [((ONE.id, 0), "2.")]
    again = thumb(ONE, None, correction="3.")
    assert ((ONE.id, 0), "3.") in list(latest_corrections(group(*said, back, again)))


def test_majority_decides() -> None:
    """Two against one: the two have it, with less agreement."""
    said = [thumb(ONE, "up", "ann"), thumb(ONE, "down", "bob"), thumb(ONE, "down", "cid")]

    assert rated(*said) == ([("One.", False, 1 / 3)], {})


def test_tie_is_dropped_and_counted() -> None:
    """One against one says nothing, and is counted."""
    said = [thumb(ONE, "up", "ann"), thumb(ONE, "down", "bob")]

    assert rated(*said) == ([], {"tied_raters": 1})


def test_same_name_under_two_keys_is_two_raters() -> None:
    """Raters are told apart by their API key too."""
    said = [thumb(ONE, "up", key_id="k1"), thumb(ONE, "down", key_id="k2")]

    assert rated(*said) == ([], {"tied_raters": 1})


def with_choice(**changes: Any) -> InteractionRecord:
    """An exchange whose only choice is changed."""
    return exchange(choices=[choice("One.", **changes)])


REFUSED = {"delivered": "No.", "delivered_finish_reason": "content_filter", "verdict": "veto"}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (exchange(status="client_gone"), "incomplete"),
        (exchange(status="upstream_cut"), "incomplete"),
        (exchange(status="vetoed", choices=[choice("One.", **REFUSED)]), "withheld"),
        (with_choice(delivered="No.", verdict="veto"), "withheld"),
        (with_choice(delivered="One. Note: unsure."), "not_as_written"),
        (exchange(choices=[]), "no_such_choice"),
        (exchange(choices=None), "no_such_choice"),
        (exchange(choices=[{"index": 0, "message": None}]), "no_such_choice"),
        (exchange(choices=[choice("One.", 1)]), "no_such_choice"),
        (exchange(request=None), "not_text"),
        (exchange(request={"messages": [{"role": "user", "content": 5}]}), "not_text"),
        (with_choice(message={"content": [{"type": "audio"}]}, delivered=None), "not_text"),
        (exchange(choices=[choice(None)]), "empty_reply"),
    ],
)
def test_reply_that_was_not_seen_as_written_teaches_nothing(
    record: InteractionRecord, reason: str
) -> None:
    """A reply that its rater did not see whole and unchanged is dropped, with the reason."""
    dropped: Counter[str] = Counter()

    assert usable_reply(group(exchanges=(record,)), (record.id, 0), dropped) is None
    assert {reason: 1} == dropped


@pytest.mark.parametrize(
    "record",
    [
        exchange("One.", status="vetoed"),
        with_choice(verdict="veto"),
        with_choice(finish_reason="content_filter", delivered_finish_reason="content_filter"),
        with_choice(delivered=None),
        exchange(choices=[{"message": {"content": "One."}}]),
        exchange(choices=[choice(None, message={"tool_calls": [CALL]}, delivered="")]),
        exchange(choices=[choice("One.", message=BLOCKS)]),
    ],
)
def test_reply_seen_as_written_teaches(record: InteractionRecord) -> None:
    """A reply that reached the client unchanged counts, vetoed in shadow or not."""
    dropped: Counter[str] = Counter()

    assert usable_reply(group(exchanges=(record,)), (record.id, 0), dropped) is not None
    assert dropped == {}


def test_reply_of_another_prompt_is_dropped() -> None:
    """A reply that is not among the prompt's is counted as such."""
    dropped: Counter[str] = Counter()

    assert usable_reply(group(), ("fl_other", 0), dropped) is None
    assert dropped == {"other_prompt_or_filtered": 1}


def test_tools_of_the_exchange_are_kept() -> None:
    """The reply knows the tools its model was offered; an empty list is none."""
    tools = [{"type": "function", "function": {"name": "f"}}]
    request = exchange().request
    offered = exchange(request=request | {"tools": tools})
    none = exchange(request=request | {"tools": []})
    judged = group(exchanges=(offered, none))

    found = [usable_reply(judged, (each.id, 0), Counter()) for each in (offered, none)]

    assert [tools, None] == [each.tools for each in found if each]


def test_last_correction_of_each_rater_stands() -> None:
    """A rater's later correction replaces the earlier; blank ones are none."""
    said = [
        thumb(ONE, None, "ann", correction="first"),
        thumb(ONE, None, "ann", correction="second"),
        thumb(ONE, "up", "ann", correction="  "),
        thumb(ONE, None, "bob", correction="third"),
    ]

    found = list(latest_corrections(group(*said)))

    assert [((ONE.id, 0), "second"), ((ONE.id, 0), "third")] == found


def test_preference_is_by_majority_of_latest() -> None:
    """Two of three raters, each by the last word, prefer the second."""
    said = [
        preference(ONE, TWO, "ann"),
        preference(TWO, ONE, "ann"),
        preference(TWO, ONE, "bob"),
        preference(ONE, TWO, "cid"),
    ]

    assert [((TWO.id, 0), (ONE.id, 0), 1 / 3)] == list(preferences(group(*said), Counter()))


def test_a_tie_takes_a_preference_back() -> None:
    """Whichever way round it is written; the other raters' words stay."""
    said = [preference(ONE, TWO, "ann"), preference(TWO, ONE, "ann", is_tie=True)]
    dropped: Counter[str] = Counter()

    assert list(preferences(group(*said), dropped)) == []
    assert dropped == {"tied_raters": 1}
    others = [*said, preference(TWO, ONE, "bob")]
    assert [((TWO.id, 0), (ONE.id, 0), 1.0)] == list(preferences(group(*others), Counter()))


def test_tied_preference_is_dropped_and_counted() -> None:
    """One against one prefers nothing."""
    dropped: Counter[str] = Counter()
    said = [preference(ONE, TWO, "ann"), preference(TWO, ONE, "bob")]

    assert list(preferences(group(*said), dropped)) == []
    assert dropped == {"tied_raters": 1}


@pytest.mark.parametrize(("level", "count"), [("hash", 0), ("drop", 0), ("redact", 1)])
def test_sealed_texts_are_left_out(level: str, count: int) -> None:
    """A hash is no training text; what was redacted is."""
    request = {**ONE.request, "text": level}
    sealed = replace(ONE, request=request)
    dropped: Counter[str] = Counter()

    found = rated_replies(group(thumb(ONE, "up"), exchanges=(sealed,)), dropped)

    assert len(found) == count
    assert dropped == ({} if count else {f"text_{level}": 1})


@pytest.mark.parametrize("level", ["hash", "drop"])
def test_a_flip_of_sealed_texts_is_left_out(level: str) -> None:
    """The twin's reply is a hash too, or not there at all."""
    told = {"reply": "hmac:0:4", "has_passed": True, "choices": [{"index": 0, "flip": 0.9}]}
    sealed = replace(ONE, request={**ONE.request, "text": level}, twin=told)
    dropped: Counter[str] = Counter()

    found = list(flips(group(exchanges=(sealed,)), dropped))

    assert (found, dropped) == ([], {f"text_{level}": 1})
