"""Replies that gave in to their user's view, and what the model says without it, as pairs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from storage.exports.base import ExportOptions
from storage.exports.pairs import pairs_of
from storage.exports.run import export_lines
from storage.records import InteractionRecord
from storage.store import Store
from tests.storage.building import choice, exchange, thumb
from tests.storage.exports.test_judgement import group
from tests.storage.exports.test_run import fill


def told(flip: float = 0.9, **changes: Any) -> Any:
    """A twin of which the reply departs."""
    return {
        "outcome": "flipped",
        "is_inline": True,
        "kind": "asked",
        "views": ["I think it is Sydney."],
        "prompt": "Which city?",
        "reply": "It is Canberra.",
        "is_whole": True,
        "has_passed": True,
        "error_code": None,
        "choices": [{"index": 0, "departs": 0.9, "gained": 0.9, "flip": flip}],
    } | changes


def flipped(twin: Any = None, **changes: Any) -> InteractionRecord:
    """An exchange whose reply gave in."""
    return exchange("You're right, Sydney.", **{"twin": twin or told()} | changes)


def found(
    record: InteractionRecord, *said: Any, **options: Any
) -> tuple[list[tuple[str, str, str, float]], dict[str, int]]:
    """(source, chosen, rejected, margin) of each pair, and what was dropped."""
    dropped: Counter[str] = Counter()
    pairs = pairs_of(group(*said, exchanges=(record,)), ExportOptions(**options), dropped)
    shown = [
        (p.provenance.source, p.chosen["content"], p.rejected["content"], p.provenance.margin)
        for p in pairs
    ]
    return shown, {reason: count for reason, count in dropped.items() if count}


def test_the_twin_is_preferred_to_the_reply_that_gave_in() -> None:
    """The margin is how surely it flipped."""
    expected = [("twins", "It is Canberra.", "You're right, Sydney.", 0.9)]

    assert (expected, {}) == found(flipped())


def test_a_vetoed_reply_that_gave_in_is_rejected_too() -> None:
    """What the client got instead does not matter: nobody judged it."""
    withheld = choice(
        "You're right, Sydney.",
        verdict="veto",
        delivered="Withheld.",
        delivered_finish_reason="content_filter",
    )

    pairs, dropped = found(flipped(status="vetoed", choices=[withheld]))

    assert [pair[2] for pair in pairs] == ["You're right, Sydney."]
    assert dropped == {}


def test_what_was_kept_is_no_pair() -> None:
    """A reply that says what its twin says."""
    assert found(flipped(told(0.4, outcome="kept"))) == ([], {})


@pytest.mark.parametrize(
    ("twin", "reason"),
    [
        ({"is_whole": False}, "twin_incomplete"),
        ({"has_passed": False}, "twin_not_passed"),
        ({"has_passed": None}, "twin_not_passed"),
        ({"reply": None}, "twin_incomplete"),
        ({"choices": [{"index": 4, "departs": 1, "gained": 1, "flip": 1.0}]}, "no_such_choice"),
    ],
)
def test_a_twin_has_to_be_whole_and_allowed(twin: Any, reason: str) -> None:
    """Otherwise it is no reply to learn from, and counted."""
    assert ([], {reason: 1}) == found(flipped(told(**twin)))


def test_records_of_older_twins_make_no_pair() -> None:
    """Before twins were judged nobody knew whether they pass."""
    old = {k: v for k, v in told().items() if k not in ("is_whole", "has_passed")}

    assert found(flipped(old)) == ([], {"twin_incomplete": 1})


def test_a_reply_that_was_cut_makes_no_pair() -> None:
    """A piece against a whole would teach length."""
    cut = choice("You're right", finish_reason=None)

    assert found(flipped(choices=[cut])) == ([], {"incomplete": 1})


def test_a_reply_that_is_liked_is_left_to_its_raters() -> None:
    """A person's word stands against the comparison; a dislike agrees with it."""
    record = flipped()

    assert found(record, thumb(record, "up")) == ([], {"thumbed_up": 1})
    assert found(record, thumb(record, "down"))[0][0][0] == "twins"


def probed(verdict: str = "caved", **neutral: Any) -> InteractionRecord:
    """An exchange of which a stance probe found this."""
    asked = {"prompt": "Which city?", "reply": "It is Canberra.", "is_whole": True}
    probe = {
        "verdict": verdict,
        "choice": 0,
        "kind": "asked",
        "views": ["I think it is Sydney."],
        "stated": {"verdict": verdict, "departs": 0.9, "gained": 0.9, "flip": 0.8},
        "neutral": asked | {"has_passed": True} | neutral,
        "reversed": None,
        "not_reversed": "no_sound_reversal",
        "requests": 1,
        "tokens": 12,
    }
    return exchange("You're right, Sydney.", stance_probe=probe)


def test_a_reply_that_a_probe_found_to_have_caved_is_rejected() -> None:
    """The neutral answer is preferred; the margin is how surely it caved."""
    expected = [("stance_probe", "It is Canberra.", "You're right, Sydney.", 0.8)]

    assert (expected, {}) == found(probed())


@pytest.mark.parametrize(
    ("neutral", "reason"),
    [
        ({"is_whole": False}, "twin_incomplete"),
        ({"has_passed": None}, "twin_not_passed"),
        ({"reply": ""}, "twin_incomplete"),
    ],
)
def test_a_neutral_answer_has_to_be_whole_and_allowed(neutral: Any, reason: str) -> None:
    """As a twin has."""
    assert ([], {reason: 1}) == found(probed(**neutral))


@pytest.mark.parametrize("verdict", ["held", "undecided"])
def test_other_verdicts_make_no_pair(verdict: str) -> None:
    """Though the figures may be high."""
    assert found(probed(verdict)) == ([], {})


def test_a_probe_of_a_reply_that_is_liked_is_left_to_its_raters() -> None:
    """A person's word stands against the comparison."""
    record = probed()

    assert found(record, thumb(record, "up")) == ([], {"thumbed_up": 1})


@pytest.mark.parametrize("form", ["dpo", "reward", "sft", "openai-dpo"])
async def test_a_probe_is_in_every_format_of_pairs(store: Store, form: str) -> None:
    """Nobody has to judge; the row says where it comes from."""
    await fill(store, probed())

    lines = [line async for line in export_lines(store, form, options=ExportOptions())]

    assert len(lines) == 1
    assert b"Canberra" in lines[0]
    assert b"stance_probe" in lines[0] or form == "openai-dpo"


async def test_nobody_has_to_judge(store: Store) -> None:
    """Twins are found though no person said anything; other sources do not look for them."""
    await fill(store, flipped(), exchange("Never judged."))

    async def rows(**options: Any) -> list[bytes]:
        lines = export_lines(store, "dpo", options=ExportOptions(**options))
        return [line async for line in lines]

    assert len(await rows()) == 1
    assert b'"pair_source":"twins"' in (await rows(sources=("twins",)))[0]
    assert await rows(sources=("thumbs",)) == []
