"""Runs labelling functions over what was recorded: votes, weak labels and a report on both."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import LabellingFailed
from storage.exports.base import ExportOptions, Method
from storage.exports.judgement import ReplyKey
from storage.weak.base import Moment, Named
from storage.weak.model import Fitted, Votes, fit
from storage.weak.moments import moments

_MEANING = {"up": 1, "down": -1, None: 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionReport:
    """How one function votes. Shares are of all replies.

    `overlap` is the share where it votes and another one does too, `conflict` where one says the
    opposite. `agreed` of `rated_votes` votes on rated replies are as their raters' majority.
    `accuracy` is what the model takes it for, `is_measured` whether ratings alone said so.
    """

    name: str
    ups: int
    downs: int
    coverage: float
    overlap: float
    conflict: float
    rated_votes: int
    agreed: int
    accuracy: float
    is_measured: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WeakLabels:
    """What the functions say. `up` maps replies that nobody rated to their chance of being good."""

    method: Method
    replies: int
    rated: int
    labelled: int
    share_up: float
    functions: tuple[FunctionReport, ...]
    up: Mapping[ReplyKey, float]


async def weak_labels(
    connection: AsyncConnection,
    functions: Sequence[Named],
    options: ExportOptions,
    *,
    method: Method,
) -> WeakLabels:
    """Let every function vote on every reply, and fit the model.

    Memory holds a byte for each reply and function and the id of each reply. Raises
    LabellingFailed where a function does.
    """
    keys: list[ReplyKey] = []
    cast, rated, has_ratings = array("b"), array("b"), array("b")
    async for judged in moments(connection, options):
        moment = judged.moment
        cast.extend(_vote(each, moment) for each in functions)
        keys.append((moment.exchange.id, moment.choice))
        rated.append(judged.rated)
        has_ratings.append(judged.has_ratings)
    votes = np.array(cast, dtype=np.int8).reshape(len(keys), len(functions))
    gold = np.array(rated, dtype=np.int8)
    fitted = fit(votes, gold, method=method)
    return WeakLabels(
        method=method,
        replies=len(keys),
        rated=int((gold != 0).sum()),
        labelled=int((~np.isnan(fitted.up)).sum()),
        share_up=fitted.share_up,
        functions=tuple(
            _report(at, each.name, votes, gold, fitted) for at, each in enumerate(functions)
        ),
        up={
            key: float(chance)
            for key, chance, is_judged in zip(keys, fitted.up, has_ratings, strict=True)
            if not np.isnan(chance) and not is_judged
        },
    )


def _vote(named: Named, moment: Moment) -> int:
    where = f"labelling function {named.name} on {moment.exchange.id}"
    try:
        said = named.function(moment)
    except Exception as error:  # the function is its user's own
        raise LabellingFailed(f"{where} failed: {error!r}") from error
    if said not in ("up", "down", None):
        raise LabellingFailed(f"{where} said {said!r}: it may say 'up', 'down' or None")
    return _MEANING[said]


def _report(
    at: int, name: str, votes: Votes, rated: NDArray[np.int8], found: Fitted
) -> FunctionReport:
    mine, others = votes[:, at], np.delete(votes, at, axis=1)
    has_voted = mine != 0
    is_opposed = has_voted & (others == -mine[:, None]).any(axis=1)
    is_rated = has_voted & (rated != 0)
    size = max(1, len(votes))
    return FunctionReport(
        name=name,
        ups=int((mine > 0).sum()),
        downs=int((mine < 0).sum()),
        coverage=int(has_voted.sum()) / size,
        overlap=int((has_voted & (others != 0).any(axis=1)).sum()) / size,
        conflict=int(is_opposed.sum()) / size,
        rated_votes=int(is_rated.sum()),
        agreed=int((mine[is_rated] == rated[is_rated]).sum()),
        accuracy=float(found.accuracy[at]),
        is_measured=bool(found.is_measured[at]),
    )
