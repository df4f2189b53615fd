"""The tree of what can go wrong."""

from __future__ import annotations

from scorers import errors
from scorers.errors import ScorerError


def tree(kind: type[ScorerError] = ScorerError) -> list[type[ScorerError]]:
    """An error class and all below it."""
    return [kind, *(found for child in kind.__subclasses__() for found in tree(child))]


def test_kinds_are_distinct() -> None:
    """Every error of the room has a metric label of its own."""
    kinds = [error.kind for error in tree()]

    assert len(set(kinds)) == len(kinds)


def test_the_drawing_is_complete() -> None:
    """The tree at the top of the module names every error with its label."""
    drawing = (errors.__doc__ or "").splitlines()

    for error in tree():
        [line] = [line for line in drawing if error.__name__ in line.split()]
        assert error.kind in line.split()
