"""A clock for what watches."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from storage.ids import now_us


@dataclass
class Clock:
    """A clock that the test moves, in microseconds; it starts now."""

    now_us: int

    def __call__(self) -> int:
        """The time."""
        return self.now_us

    def forward(self, seconds: float) -> None:
        """Lets time pass."""
        self.now_us += round(seconds * 1e6)


@pytest.fixture
def clock() -> Clock:
    """A clock that the test moves."""
    return Clock(now_us())
