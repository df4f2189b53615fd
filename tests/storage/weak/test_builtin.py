from __future__ import annotations

from typing import Any

import pytest

from storage.weak import builtin
from storage.weak.base import Moment
from tests.storage.building import exchange, score


def moment(reply: str = "Past the mole.", scores: tuple[Any, ...] = (), **changes: Any) -> Moment:
    """A reply and what came after it."""
    fields: dict[str, Any] = {
        "exchange": exchange(reply, scores=scores),
        "choice": 0,
        "prompt": "Where is the harbour office?",
        "reply": reply,
    }
    return Moment(**fields | changes)


@pytest.mark.parametrize(
    ("said", "vote"),
    [
        ("Thanks!", "up"),
        ("ok great, thank you very much", "up"),
        ("Perfect, and the tides?", "up"),
        ("Thanks, but that is wrong", None),
        ("No thanks needed? Where is it?", None),
        ("Where do thanks go?", None),
        (None, None),
    ],
)
def test_thanks_are_for_good_replies(said: str | None, vote: str | None) -> None:
    """They stand at the beginning of what the user says next."""
    assert builtin.thanked(moment(next_turn=said)) == vote


@pytest.mark.parametrize(
    ("said", "vote"),
    [
        ("That's wrong.", "down"),
        ("no, that is not what I asked", "down"),
        ("Incorrect: it moved.", "down"),
        ("You’re mistaken", "down"),
        ("That didn't work", "down"),
        ("What is wrong with the ferry?", None),
        ("That is right", None),
        (None, None),
    ],
)
def test_users_say_what_is_wrong(said: str | None, vote: str | None) -> None:
    """So do they here."""
    assert builtin.told_wrong(moment(next_turn=said)) == vote


@pytest.mark.parametrize(
    ("after_s", "vote"), [(5.0, "down"), (60.0, "down"), (61.0, None), (None, None)]
)
def test_asking_again_at_once_is_a_complaint(after_s: float | None, vote: str | None) -> None:
    """The very same within a minute."""
    assert builtin.asked_again(moment(asked_again_s=after_s)) == vote


def test_a_repeated_question_is_a_complaint() -> None:
    """Nearly the same words soon after; a new question means the old one is answered."""
    again = moment(next_turn="So where is the harbour office?", next_after_s=20.0)
    later = moment(next_turn="So where is the harbour office?", next_after_s=4000.0)
    other = moment(next_turn="And when do the ferries to Kiel leave?", next_after_s=20.0)

    assert [builtin.repeated_question(each) for each in (again, later, other)] == [
        "down",
        None,
        None,
    ]
    assert [builtin.moved_on(each) for each in (again, later, other)] == [None, None, "up"]
    assert builtin.repeated_question(moment()) is None
    assert builtin.moved_on(moment()) is None


@pytest.mark.parametrize(
    ("reply", "vote"),
    [
        ("I'm sorry, but I can't help with that.", "down"),
        ("I cannot provide directions.", "down"),
        ("Unfortunately, I am unable to assist.", "down"),
        ("I can't stress enough how good it is.", None),
        ("Past the mole.", None),
    ],
)
def test_refusing_the_harmless_is_a_fault(reply: str, vote: str | None) -> None:
    """Where a scorer read the prompt and saw no risk."""
    safe = score(side="prompt", choice_index=None, risk=0.05)
    risky = score(side="prompt", choice_index=None, risk=0.6)

    assert builtin.refused_benign(moment(reply, (safe,))) == vote
    assert builtin.refused_benign(moment(reply, (safe, risky))) is None
    assert builtin.refused_benign(moment(reply)) is None


def test_a_clear_risk_is_a_fault() -> None:
    """A veto or a risk near 1 of this very choice."""
    assert builtin.clear_risk(moment(scores=(score(risk=0.7, verdict="veto"),))) == "down"
    assert builtin.clear_risk(moment(scores=(score(risk=0.96, verdict="flag"),))) == "down"
    assert builtin.clear_risk(moment(scores=(score(risk=0.9, verdict="flag"),))) is None
    assert builtin.clear_risk(moment(scores=(score(risk=1.0, choice_index=1),))) is None


def test_unlikely_tokens_are_a_doubt() -> None:
    """Their geometric mean stands beside the confidence."""
    unsure, sure = (score(scorer="confidence", heads={"tokens": mean}) for mean in (0.2, 0.8))

    assert builtin.unsure_tokens(moment(scores=(unsure,))) == "down"
    assert builtin.unsure_tokens(moment(scores=(sure,))) is None
    assert builtin.unsure_tokens(moment()) is None


def test_each_has_a_name_and_says_what_it_does() -> None:
    """Names are what reports and settings know them by."""
    names = [each.name for each in builtin.BUILTIN]

    assert len(set(names)) == len(names)
    assert all(each.function.__doc__ for each in builtin.BUILTIN)
