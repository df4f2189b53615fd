"""Which waiting rows run next: pure, no clock, no threads.

The encoder pads every row of a batch to the longest, so a batch costs
`longest x rows` tokens whatever its rows hold. The planner keeps that product
within a budget and keeps rows of similar length together; the oldest row that
waits is always in the next batch, so nothing starves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WaitingRow(Generic[T]):
    """A tokenised row that waits: `tokens` is its length, `deadline` its caller's, in seconds."""

    item: T
    tokens: int
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Plan(Generic[T]):
    """The next batch, the rows that go on waiting (oldest first), and those without a caller."""

    batch: tuple[WaitingRow[T], ...]
    left: list[WaitingRow[T]]
    gone: int

    @property
    def padded_tokens(self) -> int:
        """What the batch costs: its longest row times its rows."""
        return len(self.batch) * max((row.tokens for row in self.batch), default=0)


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How large a batch may be.

    `budget_tokens` bounds the padded tokens and `max_rows` the rows. Padding
    may waste `run_cost_tokens` (what one more run costs beside its tokens) plus
    `max_waste` of the batch; rows that would waste more wait for their own kind.
    """

    budget_tokens: int = 512
    max_rows: int = 64
    run_cost_tokens: int = 8
    max_waste: float = 0.0625


def plan(
    waiting: Iterable[WaitingRow[T]], limits: BatchLimits, *, is_gone: Callable[[T], bool]
) -> Plan[T]:
    """The next batch from `waiting`, which is ordered oldest first.

    The oldest row is always in it, even where it alone exceeds the budget; so is
    the row with the earliest deadline where the budget holds both. The batch then
    grows from the longest of these to its nearest neighbours in length.
    """
    every = list(waiting)
    live = [row for row in every if not is_gone(row.item)]
    if not live:
        return Plan((), [], len(every))
    order = sorted(range(len(live)), key=lambda index: live[index].tokens)
    chosen = _grow(live, order, _anchors(live, limits), limits)
    batch = tuple(live[index] for index in sorted(chosen))
    left = [row for index, row in enumerate(live) if index not in chosen]
    return Plan(batch, left, len(every) - len(live))


def _anchors(live: Sequence[WaitingRow[T]], limits: BatchLimits) -> set[int]:
    """The oldest row and, where the budget holds both, the most urgent one."""
    deadlines = [(row.deadline, at) for at, row in enumerate(live) if row.deadline is not None]
    if not deadlines:
        return {0}
    _, urgent = min(deadlines)
    longest = max(live[0].tokens, live[urgent].tokens)
    if limits.max_rows < 2 or 2 * longest > limits.budget_tokens:
        return {0}
    return {0, urgent}


def _grow(
    live: Sequence[WaitingRow[T]], order: Sequence[int], anchors: set[int], limits: BatchLimits
) -> set[int]:
    """The anchors and their neighbours in length, as far as the limits go."""
    chosen = set(anchors)
    longest = max(live[at].tokens for at in chosen)
    used = sum(live[at].tokens for at in chosen)
    # What the anchors waste among themselves was not a choice and is not held against others.
    forced = len(chosen) * longest - used
    shorter = deque(at for at in order if live[at].tokens <= longest and at not in chosen)
    longer = deque(at for at in order if live[at].tokens > longest)
    while len(chosen) < limits.max_rows:
        rows = len(chosen) + 1
        options = []
        for side, end in ((shorter, -1), (longer, 0)):
            if not side:
                continue
            tokens = live[side[end]].tokens
            padded = rows * max(tokens, longest)
            waste = padded - used - tokens - forced
            allowed = limits.run_cost_tokens + limits.max_waste * padded
            if padded <= limits.budget_tokens and waste <= allowed:
                options.append((waste, end, side))
        if not options:
            break
        _, end, side = min(options, key=itemgetter(0, 1))
        at = side.pop() if end else side.popleft()
        chosen.add(at)
        used += live[at].tokens
        longest = max(longest, live[at].tokens)
    return chosen
