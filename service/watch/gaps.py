"""Knowledge gaps: themes that are new or grow, and whose replies are worse than the rest's. Pure.

A theme (`themes.py`) is a gap when there is evidence for both: that its share of the prompts has
grown against the reference, and that some bad sign is more frequent among its replies than among
all others of the same time. Each is examined as drift is (`drift.py`), by bets against "no more
than does not matter", so that neither much traffic nor looking each hour makes a gap. Growth needs
evidence enough for as many themes as there can be, a sign for all signs of the themes that grew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.watch.bets import Array
from service.watch.drift import Effect, Finding, Options, alarmed, examine
from service.watch.series import Series
from service.watch.themes import Themes, Vectors

MOST_THEMES = 60
SIGNS = ("unsupported", "hedged", "thumbs_down", "corrected")
"""What may be bad about a reply: its sources do not support it, it sounds unsure, it was thumbed
down, it was corrected."""

_FEWEST_REST = 50
_MIN_EFFECT = 0.1
"""The rise of a bad sign that does not matter, in standard deviations of the rest's."""
_EXAMPLES = 3


@dataclass(frozen=True)
class Limits:
    """What counts as a gap.

    `min_prompts` is the fewest prompts in the watched time, of `min_people` different users or
    conversations; `min_growth` how many times as frequent they are as before; `min_worse` by how
    much more frequent a bad sign is than among the rest.
    """

    min_prompts: int = 20
    min_people: int = 5
    min_growth: float = 1.5
    min_worse: float = 0.1
    false_alarm_hours: float = 4 * 168.0


@dataclass(frozen=True)
class Prompts:
    """Prompts of a time: when, by whom, what they are about and what became of their replies.

    `signs` has for each of `SIGNS` 1 where the reply has it, 0 where it has not, NaN where nobody
    can say.
    """

    at_us: NDArray[np.int64]
    who: NDArray[np.int64]
    ids: NDArray[np.str_]
    vectors: Vectors
    signs: Mapping[str, Array]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.ids)


@dataclass(frozen=True)
class Sign:
    """How frequent a bad sign is among a theme's replies and among the rest's.

    `low` and `high` are the 95% interval of the difference; `known` says of how many of the
    theme's replies the sign is known.
    """

    name: str
    known: int
    share: float
    rest: float
    low: float
    high: float
    is_found: bool
    is_lasting: bool


@dataclass(frozen=True)
class Gap:
    """A theme with its figures.

    `members` are ids, the most typical first, `examples` three of them with bad replies.

    `is_found` says that there is evidence of a gap, `is_lasting` that one which was found before
    is there still: some sign is worse than the rest's, whether or not the theme still grows.
    """

    prompts: int
    people: int
    share: float
    share_before: float
    is_found: bool
    since_us: int
    signs: tuple[Sign, ...]
    members: tuple[str, ...]
    examples: tuple[str, ...]

    @property
    def is_lasting(self) -> bool:
        """Whether a gap that was found before is there still."""
        return any(sign.is_lasting for sign in self.signs)

    @property
    def worst(self) -> Sign | None:
        """The sign that is furthest above the rest's, of those found, else of all."""
        found = [sign for sign in self.signs if sign.is_found] or list(self.signs)
        return max(found, key=lambda sign: sign.share - sign.rest, default=None)


@dataclass(frozen=True)
class _Theme:
    """A theme in the watched time: its prompts, how near each prompt is to it, and its growth."""

    is_own: NDArray[np.bool_]
    likeness: Array
    share_before: float
    growth: Finding


def hunt(before: Prompts, now: Prompts, limits: Limits) -> list[Gap]:
    """Every theme with prompts enough, those with most first; `is_found` says which are gaps."""
    if not len(before) or not len(now):
        return []
    fitted = Themes.fit(np.concatenate([before.vectors, now.vectors]), most=MOST_THEMES)
    labels, current = fitted.labels(before.vectors), fitted.labels(now.vectors)
    likeness = fitted.likeness(now.vectors).astype(np.float64)
    themes = []
    for label in range(len(fitted.centres)):
        is_own = current == label
        people = len(np.unique(now.who[is_own]))
        if is_own.sum() >= limits.min_prompts and people >= limits.min_people:
            reference = _series(before, (labels == label).astype(np.float64))
            growth = _growth(reference, now, is_own, limits)
            share_before = float(reference.values.mean())
            themes.append(_Theme(is_own, likeness[:, label], share_before, growth))
    # Which themes have grown says nothing of their replies, so only those that have are counted.
    grown = sum(has_grown(theme.growth, limits) for theme in themes)
    found = [_gap(now, theme, limits, max(1, grown)) for theme in themes]
    return sorted(found, key=lambda gap: -gap.prompts)


def has_grown(growth: Finding, limits: Limits) -> bool:
    """Whether a theme's share has risen as far as matters, with evidence."""
    effect = growth.effect
    if growth.state != "drifted" or effect is None:
        return False
    return effect.change > 0 and effect.now >= limits.min_growth * effect.before


def _gap(now: Prompts, theme: _Theme, limits: Limits, grown: int) -> Gap:
    signs = tuple(_signs(now, theme.is_own, limits, grown))
    is_found = has_grown(theme.growth, limits) and any(sign.is_found for sign in signs)
    first_us = int(now.at_us[theme.is_own].min())
    members = _members(now, theme)
    return Gap(
        prompts=len(members),
        people=len(np.unique(now.who[members])),
        share=float(theme.is_own.mean()),
        share_before=theme.share_before,
        is_found=is_found,
        since_us=first_us if theme.growth.since_us is None else theme.growth.since_us,
        signs=signs,
        members=tuple(str(now.ids[at]) for at in members),
        examples=_examples(now, members, signs),
    )


def _growth(reference: Series, now: Prompts, is_own: NDArray[np.bool_], limits: Limits) -> Finding:
    """Whether the theme's share of the prompts is what it was."""
    options = Options(
        min_effect=0.0, false_alarm_hours=limits.false_alarm_hours, signals=MOST_THEMES
    )
    return examine(reference, _series(now, is_own.astype(np.float64)), options)


def _signs(now: Prompts, is_own: NDArray[np.bool_], limits: Limits, themes: int) -> Iterator[Sign]:
    """Each sign that is known of the theme's replies, and how it stands against the rest's."""
    options = Options(
        min_effect=_MIN_EFFECT,
        false_alarm_hours=limits.false_alarm_hours,
        signals=themes * len(SIGNS),
        min_reference=_FEWEST_REST,
    )
    for name, values in now.signs.items():
        is_known = np.isfinite(values)
        whole = _series(now, values)
        own, rest = whole.where(is_own & is_known), whole.where(~is_own & is_known)
        if not len(own.values):
            continue
        finding = examine(rest, own, options)
        if finding.effect is None:
            continue
        # What has come back is over, although the whole time's share is above the rest's still.
        has_come_back = finding.state == "steady" and bool(alarmed(rest, own, options))
        yield _sign(name, finding, finding.effect, limits, has_come_back=has_come_back)


def _sign(
    name: str, finding: Finding, effect: Effect, limits: Limits, *, has_come_back: bool
) -> Sign:
    is_up, has_drifted = effect.change > 0, finding.state == "drifted"
    return Sign(
        name=name,
        known=finding.count,
        share=effect.now,
        rest=effect.before,
        low=effect.low,
        high=effect.high,
        is_found=has_drifted and effect.change >= limits.min_worse,
        is_lasting=(has_drifted and is_up) or (effect.low > 0 and not has_come_back),
    )


def _members(now: Prompts, theme: _Theme) -> NDArray[np.intp]:
    """The places of the theme's prompts, the most typical first."""
    places = np.flatnonzero(theme.is_own)
    order = np.lexsort((-now.at_us[places], -theme.likeness[places]))
    return places[order]


def _examples(now: Prompts, members: NDArray[np.intp], signs: Sequence[Sign]) -> tuple[str, ...]:
    """Typical prompts of different people whose replies have the signs that were found."""
    names = [sign.name for sign in signs if sign.is_found]
    bad = sum((np.nan_to_num(now.signs[name][members]) for name in names), np.zeros(len(members)))
    chosen: dict[int, str] = {}
    for place in members[np.argsort(-bad, kind="stable")]:
        chosen.setdefault(int(now.who[place]), str(now.ids[place]))
        if len(chosen) == _EXAMPLES:
            break
    return tuple(chosen.values())


def _series(prompts: Prompts, values: Array) -> Series:
    return Series("share", "share", prompts.at_us, prompts.who, values, prompts.ids)


def same(gaps: Sequence[Gap], known: Mapping[str, Sequence[str]]) -> dict[int, str]:
    """Which of the gaps are parts of known ones, by place, from the ids of their members.

    A gap is the known one with which it shares most, if that is a third of the smaller of both.
    Those that share most come first.
    """
    shared = []
    for place, gap in enumerate(gaps):
        for ident, members in known.items():
            many = len(set(gap.members) & set(members))
            if many and 3 * many >= min(len(gap.members), len(members)):
                shared.append((many, place, ident))
    found: dict[int, str] = {}
    for _, place, ident in sorted(shared, key=lambda item: (-item[0], item[1:])):
        found.setdefault(place, ident)
    return found
