"""The batch planner: what runs next, and what goes on waiting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorers.plan import BatchLimits, Plan, WaitingRow, plan

LIMITS = BatchLimits(budget_tokens=100, max_rows=8, run_cost_tokens=5, max_waste=0.0)


def rows(*tokens: int) -> list[WaitingRow[int]]:
    """Rows of these lengths, oldest first, each named by its place."""
    return [WaitingRow(at, length) for at, length in enumerate(tokens)]


def next_batch(
    waiting: list[WaitingRow[int]], limits: BatchLimits = LIMITS, gone: frozenset[int] = frozenset()
) -> Plan[int]:
    """The plan for these rows, some of whose callers have gone."""
    return plan(waiting, limits, is_gone=gone.__contains__)


def names(planned: Plan[int]) -> list[int]:
    """The places of the rows in the batch."""
    return [row.item for row in planned.batch]


def test_nothing_waits() -> None:
    """Without rows there is no batch, and it costs nothing."""
    planned = next_batch([])

    assert Plan((), [], 0) == planned
    assert planned.padded_tokens == 0


def test_everything_fits() -> None:
    """Rows that fit together run together, in the order in which they came."""
    planned = next_batch(rows(10, 10, 10))

    assert names(planned) == [0, 1, 2]
    assert planned.left == []
    assert planned.padded_tokens == 30


def test_budget_counts_padding() -> None:
    """The budget bounds the longest row times the rows, not the sum of their lengths."""
    loose = BatchLimits(budget_tokens=100, max_rows=8, run_cost_tokens=1000)

    planned = next_batch(rows(40, 10, 10, 10), loose)

    assert planned.padded_tokens == 80
    assert len(planned.batch) == 2


def test_row_over_budget_runs_alone() -> None:
    """A row that exceeds the budget by itself still runs."""
    assert names(next_batch(rows(500, 10))) == [0]


def test_row_limit() -> None:
    """A batch has at most `max_rows` rows, however short they are."""
    planned = next_batch(rows(*[1] * 20))

    assert len(planned.batch) == 8
    assert len(planned.left) == 12


def test_similar_lengths_go_together() -> None:
    """The oldest row takes its neighbours in length along and leaves distant ones waiting."""
    planned = next_batch(rows(10, 30, 11, 31, 9))

    assert names(planned) == [0, 2, 4]
    assert [row.item for row in planned.left] == [1, 3]


def test_waste_is_bounded_by_what_a_run_costs() -> None:
    """Shorter rows join as long as their padding costs less than a run of their own."""
    assert names(next_batch(rows(20, 17))) == [0, 1]
    assert names(next_batch(rows(20, 14))) == [0]


def test_waste_may_be_a_share_of_the_batch() -> None:
    """With a share of waste allowed, a larger batch may pad more."""
    generous = BatchLimits(budget_tokens=100, max_rows=8, run_cost_tokens=5, max_waste=0.25)

    assert names(next_batch(rows(20, 14), generous)) == [0, 1]


def test_growing_falls_back_on_shorter_rows() -> None:
    """Where a longer row would exceed the budget, a shorter one is still taken."""
    limits = BatchLimits(budget_tokens=40, max_rows=8, run_cost_tokens=10)

    assert names(next_batch(rows(20, 21, 12), limits)) == [0, 2]


def test_gone_callers_are_dropped() -> None:
    """Rows that nobody waits for are neither run nor kept, and are counted."""
    planned = next_batch(rows(10, 10, 10), gone=frozenset({0, 2}))

    assert names(planned) == [1]
    assert planned.left == []
    assert planned.gone == 2


def test_all_callers_gone() -> None:
    """Where every caller has gone there is no batch."""
    assert next_batch(rows(10, 10), gone=frozenset({0, 1})) == Plan((), [], 2)


def test_earliest_deadline_is_in_the_batch() -> None:
    """The most urgent row rides along whatever its length."""
    waiting = [WaitingRow(0, 10), WaitingRow(1, 10), WaitingRow(2, 40, 9.0), WaitingRow(3, 40, 5.0)]

    assert 3 in names(next_batch(waiting))
    assert 2 not in names(next_batch(waiting))


def test_padding_forced_by_a_deadline_keeps_no_one_out() -> None:
    """What the oldest and the most urgent row waste together is not held against others."""
    waiting = [WaitingRow(0, 4), WaitingRow(1, 30, 1.0), WaitingRow(2, 30)]

    assert names(next_batch(waiting)) == [0, 1, 2]


@pytest.mark.parametrize(
    "limits",
    [
        BatchLimits(budget_tokens=79, max_rows=8),
        BatchLimits(budget_tokens=1000, max_rows=1),
    ],
)
def test_oldest_goes_before_the_most_urgent(limits: BatchLimits) -> None:
    """Where only one of the two has a place, the oldest has it."""
    waiting = [WaitingRow(0, 10), WaitingRow(1, 40, 1.0)]

    assert 0 in names(next_batch(waiting, limits))
    assert 1 not in names(next_batch(waiting, limits))


LENGTHS = st.lists(st.tuples(st.integers(1, 64), st.none() | st.floats(0, 100)), max_size=40)


@given(LENGTHS, st.integers(16, 200), st.integers(1, 10))
def test_every_row_runs_once_and_none_starves(
    given_rows: list[tuple[int, float | None]], budget: int, most: int
) -> None:
    """Planned again and again, every row runs exactly once, the oldest always next."""
    waiting = [WaitingRow(at, *given_row) for at, given_row in enumerate(given_rows)]
    limits = BatchLimits(budget_tokens=budget, max_rows=most)
    ran: list[int] = []

    while waiting:
        planned = next_batch(waiting, limits)
        assert planned.batch[0] == waiting[0]
        assert len(planned.batch) <= most
        assert planned.padded_tokens <= budget or len(planned.batch) == 1
        ran += names(planned)
        waiting = planned.left

    assert sorted(ran) == list(range(len(given_rows)))
