"""Drift is told when a signal has moved, and only then."""

from __future__ import annotations

import numpy as np
import pytest

from service.watch.drift import Finding, Options, alarmed, examine, spells
from service.watch.series import HOUR_US, Grouping, Kind, Series, View, views

START = 480_000
HOURS_OF_REFERENCE = 7 * 24
PER_HOUR = 60


def series(values: np.ndarray, kind: Kind, first_hour: int, **columns: np.ndarray) -> Series:
    """A value a minute from an hour on, each of another user."""
    count = len(values)
    at = first_hour * HOUR_US + np.arange(count) * (HOUR_US // PER_HOUR)
    names = np.char.add("fl_", np.char.add(f"{first_hour}_", np.arange(count).astype(str)))
    given = {"at_us": at, "who": names, "values": values.astype(float), "ids": names}
    return Series("signal", kind, **given | columns)


def draws(kind: Kind, count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Values of a kind; `shift` moves them."""
    rng = np.random.default_rng(seed)
    if kind == "share":
        return rng.random(count) < 0.05 + shift
    if kind == "risk":
        return rng.beta(1 + 4 * shift, 9, count)
    if kind == "label":
        return np.where(rng.random(count) < shift, 7, rng.integers(0, 4, count))
    return rng.lognormal(5 + shift, 1, count)


def watched(kind: Kind, before: np.ndarray, after: np.ndarray, **options: float) -> Finding:
    """A week of reference, then what is watched."""
    reference = series(before, kind, START)
    current = series(after, kind, START + HOURS_OF_REFERENCE)
    return examine(reference, current, Options(**options))


@pytest.mark.parametrize("kind", ["share", "risk", "amount", "label"])
def test_steady_traffic_raises_no_alarm(kind: Kind) -> None:
    """A month of the same traffic, on any kind of signal."""
    found = watched(
        kind, draws(kind, HOURS_OF_REFERENCE * PER_HOUR, 1), draws(kind, 28 * 24 * PER_HOUR, 2)
    )

    assert found.state == "steady"
    assert found.since_us is None
    assert found.examples == ()


@pytest.mark.parametrize(
    ("kind", "shift"), [("share", 0.05), ("risk", 0.15), ("amount", 0.3), ("label", 0.1)]
)
def test_a_change_is_told_with_its_size_and_its_start(kind: Kind, shift: float) -> None:
    """What changed, from what to what, since when, and three exchanges that show it."""
    steady = draws(kind, 24 * PER_HOUR, 2)
    moved = draws(kind, 48 * PER_HOUR, 3, shift)
    found = watched(
        kind,
        draws(kind, HOURS_OF_REFERENCE * PER_HOUR, 1),
        np.concatenate([steady, moved]),
    )

    assert found.state == "drifted"
    change_us = (START + HOURS_OF_REFERENCE + 24) * HOUR_US
    assert found.since_us is not None
    assert abs(found.since_us - change_us) <= 6 * HOUR_US
    assert found.alarmed_us is not None
    assert change_us < found.alarmed_us <= change_us + 24 * HOUR_US
    assert found.effect is not None
    assert found.effect.low < found.effect.change < found.effect.high
    assert found.effect.low * found.effect.high > 0
    assert len(set(found.examples)) == 3


def test_examples_are_exchanges_of_the_change_that_show_it() -> None:
    """Of a share that rose, such as have it."""
    before = draws("share", HOURS_OF_REFERENCE * PER_HOUR, 1)
    after = draws("share", 48 * PER_HOUR, 3, 0.2)
    found = watched("share", before, after)

    current = series(after, "share", START + HOURS_OF_REFERENCE)
    shown = dict(zip(current.ids, current.values, strict=True))
    assert [shown[ident] for ident in found.examples] == [1.0, 1.0, 1.0]


def test_more_data_alone_raises_no_alarm() -> None:
    """A change below the least that matters stays one, at twenty times the traffic too."""
    rng = np.random.default_rng(4)
    count = HOURS_OF_REFERENCE * PER_HOUR * 20
    before, after = rng.random(count) < 0.1, rng.random(count) < 0.106
    at = START * HOUR_US + np.arange(count) * (HOUR_US // (PER_HOUR * 20))
    who = np.arange(count)
    reference = series(before, "share", START, at_us=at, who=who)
    current = series(after, "share", START, at_us=at + HOURS_OF_REFERENCE * HOUR_US, who=who)

    assert examine(reference, current, Options(min_effect=0.03)).state == "steady"
    assert examine(reference, current, Options(min_effect=0.0)).state == "drifted"


def test_an_alarm_is_over_when_the_signal_has_come_back() -> None:
    """A day of trouble and then none: steady again."""
    parts = [draws("share", 24 * PER_HOUR, 2, 0.1), draws("share", 48 * PER_HOUR, 3)]
    before = draws("share", HOURS_OF_REFERENCE * PER_HOUR, 1)

    assert watched("share", before, parts[0]).state == "drifted"
    assert watched("share", before, np.concatenate(parts)).state == "steady"


def test_a_spell_is_told_as_it_was_known_at_the_time() -> None:
    """What comes later changes neither when an alarm was raised nor when it was over."""
    parts = [draws("share", 24 * PER_HOUR, 2, 0.1), draws("share", 48 * PER_HOUR, 3)]
    before = draws("share", HOURS_OF_REFERENCE * PER_HOUR, 1)
    reference = series(before, "share", START)
    seen = series(np.concatenate(parts), "share", START + HOURS_OF_REFERENCE)

    [(raised, over)] = spells(reference, seen, Options())
    assert over is not None
    assert raised < over
    for cut, known in ((over, [(raised, over)]), (over - HOUR_US, [(raised, None)]),
                       (raised - HOUR_US, [])):  # fmt: skip
        assert spells(reference, seen.between(0, cut), Options()) == known
    assert alarmed(reference, seen, Options()) == [raised]


def test_one_user_who_asks_a_lot_is_one_voice() -> None:
    """What a single user sends in a day is little evidence of a change in the traffic."""
    before = draws("share", HOURS_OF_REFERENCE * PER_HOUR, 1)
    after = draws("share", 24 * PER_HOUR, 2)
    who = np.array([f"u{at}" for at in range(len(after))])
    loud = np.arange(len(after)) % 5 == 0
    who[loud] = "loud"
    after = np.where(loud, True, after)
    reference = series(before, "share", START)
    current = series(after, "share", START + HOURS_OF_REFERENCE)

    assert examine(reference, current, Options()).state == "drifted"
    joined = series(after, "share", START + HOURS_OF_REFERENCE, who=who)
    assert examine(reference, joined, Options()).state == "steady"


def test_hours_that_differ_by_themselves_count_as_less() -> None:
    """Traffic that swings from hour to hour in the reference may go on swinging."""
    rng = np.random.default_rng(5)

    def swinging(hours: int) -> np.ndarray:
        return rng.random(hours * PER_HOUR) < np.repeat(rng.choice([0.0, 0.2], hours), PER_HOUR)

    calm = draws("share", HOURS_OF_REFERENCE * PER_HOUR, 1, 0.05)
    before, after = swinging(HOURS_OF_REFERENCE), swinging(28 * 24)
    assert watched("share", before, after).state == "steady"
    assert watched("share", calm, after).state == "drifted"


def test_what_never_happened_may_happen_once() -> None:
    """None in a reference says "rarely", not "never"."""
    before = np.zeros(HOURS_OF_REFERENCE * PER_HOUR)
    once, often = np.zeros(48 * PER_HOUR), np.zeros(48 * PER_HOUR)
    once[100] = 1
    often[::50] = 1

    assert watched("share", before, once).state == "steady"
    assert watched("share", before, often).state == "drifted"


def test_too_short_a_reference_says_so() -> None:
    """No reference, no verdict."""
    assert watched("share", np.zeros(50), np.ones(500)).state == "no_reference"
    assert watched("share", np.zeros(500), np.ones(0)).state == "no_traffic"


def test_more_signals_ask_for_more_evidence() -> None:
    """All signals together keep the rate of false alarms."""
    assert Options(signals=10).log_threshold == pytest.approx(Options().log_threshold + np.log(10))


def test_an_observation_is_the_mean_of_a_users_hour() -> None:
    """In order of time, whatever the order of the exchanges."""
    at = np.array([HOUR_US, 5, 6, 7])
    one = Series(
        "s",
        "share",
        at,
        np.array(["a", "b", "a", "a"]),
        np.array([1.0, 0.0, 1.0, 0.0]),
        np.array(["1", "2", "3", "4"]),
    )
    observed = Grouping.of(one).observed(one.values)

    assert observed.hours.tolist() == [0, 0, 1]
    assert observed.values.tolist() == [0.5, 0.0, 1.0]


def test_views_are_the_mean_and_tails_of_the_reference() -> None:
    """Labels have one for each, the most frequent first, and one for all others."""
    assert views(series(np.array([0, 1, 1]), "share", START)) == [View()]
    assert views(series(np.array([3, 1, 1]), "label", START)) == [
        View(is_label=1),
        View(is_label=3),
        View(but=(1, 3)),
    ]
    assert str(View(but=(1, 3))) == "share of other kinds"
    assert View(but=(1, 3)).of(np.array([1.0, 2.0, 3.0])).tolist() == [0, 1, 0]
    risks = views(series(np.linspace(0, 1, 101), "risk", START))
    assert [view.above for view in risks] == [None, 0.5, 0.9, 0.99]
    assert [str(view) for view in risks[:2]] == ["mean", "share above 0.5"]
