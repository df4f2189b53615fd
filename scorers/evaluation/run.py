"""Scores labelled texts through the engine, as serving does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scorers.engine import Engine
from scorers.evaluation.judgements import Labelled
from scorers.types import Score

_CHUNK = 256


async def scores_of(
    engine: Engine,
    found: Sequence[Labelled],
    scorer: str,
    *,
    progress: Callable[[int], object] = lambda _: None,
) -> list[Score]:
    """The scorer's score of each text; `progress` is called with the number of new ones."""
    done: list[Score] = []
    for first in range(0, len(found), _CHUNK):
        part = [one.subject for one in found[first : first + _CHUNK]]
        done += [by_name[scorer] for by_name in await engine.score_many(part, scorers=[scorer])]
        progress(len(part))
    return done
