"""A candidate is let in when the data says that it is no worse, and only then."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cli import main
from service.watch.compare import Sample, answer_to, compare
from service.watch.measures import Arm, are_paired, measures, sample
from service.watch.selector import SelectorError, selection
from storage import migrate
from storage.ids import new_id
from storage.records import InteractionRecord, ScoreRecord
from storage.repositories.watched import Selection, WatchedExchange
from storage.rows import InsertSql, encode
from storage.store import Store
from tests.fakes.local import exchange


def shares(rate: float, count: int, seed: int) -> np.ndarray:
    """Values of 0 and 1."""
    return (np.random.default_rng(seed).random(count) < rate).astype(np.float64)


def risks(mean: float, count: int, seed: int) -> np.ndarray:
    """Risks of a mean."""
    return np.random.default_rng(seed).beta(10 * mean, 10 * (1 - mean), count)


@pytest.mark.parametrize("draw", [shares, risks])
@pytest.mark.parametrize(
    ("candidate", "answer"), [(0.05, "not_worse"), (0.02, "not_worse"), (0.20, "worse")]
)
def test_enough_data_gives_the_right_answer(
    draw: Callable[..., np.ndarray], candidate: float, answer: str
) -> None:
    """The bounds lie around the true difference and on the right side of the margin."""
    found = compare(Sample(draw(0.05, 3000, 1), draw(candidate, 3000, 2)), 0.03)

    assert found is not None
    assert found.answer == answer
    assert found.low < candidate - 0.05 < found.high
    assert (found.high < 0.03) == (answer == "not_worse")
    assert (found.low > 0.03) == (answer == "worse")


def test_little_data_leaves_it_open() -> None:
    """Whatever the means are."""
    found = compare(Sample(shares(0.02, 60, 1), shares(0.02, 60, 2)), 0.02)

    assert found is not None
    assert found.answer == "open"
    assert found.low < -0.02
    assert found.high > 0.02
    assert compare(Sample(np.ones(0), np.ones(5)), 0.02) is None


def test_pairs_need_less_data() -> None:
    """What both arms have in common cancels out."""
    before = risks(0.3, 400, 1)
    after = np.clip(before + np.random.default_rng(2).normal(0, 0.02, 400), 0, 1)

    assert answer_to(Sample(before, after), 0.02, alpha=0.05, worse_alpha=0.05) == "open"
    paired = Sample(before, after, is_paired=True)
    assert answer_to(paired, 0.02, alpha=0.05, worse_alpha=0.05) == "not_worse"


@given(
    baseline=st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=1, max_size=40),
    candidate=st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=1, max_size=40),
    margin=st.floats(0.01, 0.5),
)
def test_an_answer_never_contradicts_the_means(
    baseline: list[float], candidate: list[float], margin: float
) -> None:
    """And it is the same for the same data in another order."""
    one = Sample(np.array(baseline), np.array(candidate))
    other = Sample(one.baseline[::-1], one.candidate[::-1])
    answer = answer_to(one, margin, alpha=0.05, worse_alpha=0.05)
    difference = one.candidate.mean() - one.baseline.mean()

    assert answer == answer_to(other, margin, alpha=0.05, worse_alpha=0.05)
    assert answer != "not_worse" or difference < margin
    assert answer != "worse" or difference > margin


@pytest.mark.parametrize("is_paired", [False, True])
def test_peeking_does_not_make_wrong_answers_likely(is_paired: bool) -> None:
    """A candidate exactly at the margin, looked at twenty times: either answer is wrong."""
    wrong = 0
    for seed in range(60):
        before, after = shares(0.1, 1000, 2 * seed), shares(0.2, 1000, 2 * seed + 1)
        answers = {
            answer_to(
                Sample(before[:count], after[:count], is_paired),
                0.1,
                alpha=0.1,
                worse_alpha=0.1,
            )
            for count in range(50, 1001, 50)
        }
        wrong += "not_worse" in answers

    assert wrong <= 60 * 0.1


def seen(prompt: str, risk: float, **fields: Any) -> WatchedExchange:
    """A watched exchange."""
    base: dict[str, Any] = {
        "id": new_id("fl"),
        "created_us": 0,
        "route": "r",
        "model": "m",
        "reply_model": None,
        "user": None,
        "conversation": None,
        "status": "completed",
        "verdict": "allow",
        "prompt_hash": prompt,
        "risks": {"reply.toxicity": risk, "prompt.injection": 0.5},
    }
    return WatchedExchange(**base | fields)


def test_pairs_are_the_prompts_that_both_saw() -> None:
    """Each is one observation: the mean of its exchanges in each arm."""
    baseline = Arm([seen("a", 0.1), seen("a", 0.3), seen("b", 0.5), seen("c", 0.9)], [])
    candidate = Arm([seen("b", 0.6), seen("a", 0.4)], [])

    assert are_paired(baseline, candidate)
    assert measures(baseline, candidate) == ["veto_rate", "risk.toxicity"]
    found = sample("risk.toxicity", baseline, candidate, is_paired=True)
    assert found.is_paired
    assert found.baseline.tolist() == [0.5, pytest.approx(0.2)]
    assert found.candidate.tolist() == [0.6, 0.4]


def test_without_pairs_each_user_counts_once_a_day() -> None:
    """Else each conversation, else each exchange."""
    ann, day = {"user": "ann"}, 24 * 3_600_000_000
    baseline = Arm([seen("a", 0.1, **ann), seen("b", 0.3, **ann), seen("c", 0.5)], [])
    candidate = Arm([seen("d", 0.2, **ann), seen("e", 0.4, created_us=day, **ann)], [])

    assert not are_paired(baseline, candidate)
    found = sample("risk.toxicity", baseline, candidate, is_paired=False)
    assert found.baseline.tolist() == [pytest.approx(0.2), 0.5]
    assert found.candidate.tolist() == [0.2, 0.4]


def test_the_first_prompts_decide_on_pairs() -> None:
    """Nineteen new prompts later change nothing."""
    baseline = Arm([seen(f"p{at}", 0.1) for at in range(40)], [])
    same = [seen(f"p{at}", 0.1) for at in range(20)]
    fresh = [seen(f"q{at}", 0.1) for at in range(100)]

    assert are_paired(baseline, Arm([*same, *fresh], []))
    assert not are_paired(baseline, Arm([*fresh, *same], []))
    assert not are_paired(baseline, Arm([], []))


def test_a_selector_names_exchanges() -> None:
    """A doubled comma belongs to the value."""
    assert selection("model=gpt,,4, tag = new ") == Selection(model="gpt,4", tag="new")
    assert selection("since=2026-11-21T08:00:00Z,until=2026-11-22").since_us == 1795248000000000
    assert selection("policy=strict,route=/v1/messages").policy == "strict"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty selector"),
        ("gpt-4", "keys are `model`"),
        ("modle=x", "did you mean `model`"),
        ("model=", "has no value"),
        ("model=a,model=b", "twice"),
        ("since=yesterday", "is no time"),
    ],
)
def test_a_bad_selector_is_explained(text: str, complaint: str) -> None:
    """By what it lacks."""
    with pytest.raises(SelectorError, match=complaint):
        selection(text)


@pytest.fixture
async def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store with a good, an equal and a bad model, and one of which little is known."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'fairlead.db'}"
    monkeypatch.setenv("FAIRLEAD_DATABASE_URL", url)
    await migrate.upgrade(url)
    store = await Store.open(url)
    rng = np.random.default_rng(1)
    try:
        for model, count, risk in (("old", 900, 0.1), ("same", 900, 0.1), ("bad", 900, 0.4)):
            await keep(store, [recorded(model, risk * rng.random()) for _ in range(count)])
        await keep(store, [recorded("rare", 0.1) for _ in range(5)])
    finally:
        await store.close()


def recorded(model: str, risk: float) -> InteractionRecord:
    """An exchange with a toxicity score."""
    score = ScoreRecord(
        side="reply", scorer="toxicity", model="m", status="scored", choice_index=0, risk=risk
    )
    ident = new_id("fl")
    return exchange(ident, model=model, scores=(score,), prompt_hash=ident)


async def keep(store: Store, records: list[InteractionRecord]) -> None:
    """Stores them in one go."""
    rows = [encode(record) for record in records]
    async with store.writing() as unit:
        sql = InsertSql.of(unit.connection.dialect)
        await unit.connection.exec_driver_sql(sql.interactions, [row.interaction for row in rows])
        scores = [one for row in rows for one in row.scores]
        await unit.connection.exec_driver_sql(sql.scores, scores)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("candidate", "code", "answer"),
    [("same", 0, "not worse"), ("bad", 1, "worse"), ("rare", 3, "not enough data yet")],
)
def test_the_exit_code_is_a_gate(
    candidate: str, code: int, answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 lets in, 1 refuses, 3 says to wait."""
    found = main(["compare", "--baseline", "model=old", "--candidate", f"model={candidate}"])

    assert found == code
    assert capsys.readouterr().out.strip().endswith(answer)


@pytest.mark.usefixtures("filled")
def test_json_tells_each_measure(capsys: pytest.CaptureFixture[str]) -> None:
    """With bounds, counts, and what the answer depends on."""
    argv = ["compare", "--baseline", "model=old", "--candidate", "model=bad", "--json"]
    assert main([*argv, "--metric", "veto_rate"]) == 0

    told = json.loads(capsys.readouterr().out)
    by_name = {one["metric"]: one for one in told["metrics"]}
    assert told["answer"] == "not_worse"
    assert by_name["veto_rate"]["is_gate"]
    assert not by_name["risk.toxicity"]["is_gate"]
    assert by_name["risk.toxicity"]["answer"] == "worse"
    assert by_name["risk.toxicity"]["low"] > 0.02


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        (["--candidate", "modle=x"], "did you mean"),
        (["--candidate", "model=old"], "the same exchanges"),
        (["--candidate", "model=bad", "--metric", "risk.tox"], "no exchange has 'risk.tox'"),
        (["--candidate", "model=bad", "--alpha", "0.7"], "no error rate"),
        (["--candidate", "model=bad", "--margin", "0"], "no share"),
    ],
)
def test_bad_usage_is_told(
    extra: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and what is wrong."""
    assert main(["compare", "--baseline", "model=old", *extra]) == 2
    assert complaint in capsys.readouterr().err
