"""`fairlead compare`: is a candidate no worse than a baseline? Its exit code is a gate."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict

import orjson

from service.commands.failures import UsageError
from service.commands.terminal import say, settings_of, show
from service.watch.compare import Comparison, compare
from service.watch.measures import (
    FLIPS,
    THUMBS,
    Arm,
    are_paired,
    margin_of,
    measures,
    sample,
)
from service.watch.selector import SelectorError, selection
from storage import migrate
from storage.repositories.watched import Selection
from storage.store import Store, UnitOfWork

NOT_WORSE, WORSE, NOT_ENOUGH = 0, 1, 3
_BESIDE = (THUMBS, FLIPS)
"""Measures that are rare: shown, but no part of the answer unless asked for."""


def run(args: argparse.Namespace) -> int:
    """Prints each measure; 0 where none is worse, 1 where one is, 3 while it is open."""
    if not 0 < args.alpha < 0.5:
        raise UsageError(f"--alpha: {args.alpha} is no error rate between 0 and 0.5, such as 0.05")
    if args.margin is not None and not 0 < args.margin <= 1:
        raise UsageError(f"--margin: {args.margin} is no share between 0 and 1, such as 0.02")
    try:
        chosen = selection(args.baseline), selection(args.candidate)
    except SelectorError as error:
        raise UsageError(str(error)) from error
    if chosen[0] == chosen[1]:
        raise UsageError("--baseline and --candidate are the same exchanges")
    arms = asyncio.run(_arms(args, chosen))
    found, gate = _compared(args, *arms)
    code = _code([found[name] for name in gate])
    if args.json:
        say(orjson.dumps(_told(args, found, gate, code), option=orjson.OPT_INDENT_2).decode())
        return code
    _print(args, arms, found, gate)
    say({NOT_WORSE: "not worse", WORSE: "worse", NOT_ENOUGH: "not enough data yet"}[code])
    return code


async def _arms(args: argparse.Namespace, chosen: tuple[Selection, Selection]) -> tuple[Arm, Arm]:
    url = settings_of(args).database_url
    await migrate.check(url)
    store = await Store.open(url)
    try:
        async with store.reading() as unit:
            return await _arm(unit, chosen[0]), await _arm(unit, chosen[1])
    finally:
        await store.close()


async def _arm(unit: UnitOfWork, where: Selection) -> Arm:
    exchanges = await unit.watched.exchanges(where)
    answered = [one for one in exchanges if one.status in ("completed", "vetoed", "prompt_vetoed")]
    return Arm(answered, await unit.watched.thumbs(where))


def _compared(
    args: argparse.Namespace, baseline: Arm, candidate: Arm
) -> tuple[dict[str, Comparison | None], list[str]]:
    """Every measure that is there, and which of them make the answer."""
    there = measures(baseline, candidate)
    wanted = list(dict.fromkeys(args.metric or ()))
    if unknown := [name for name in wanted if name not in there and name not in _known(there)]:
        raise UsageError(f"--metric: no exchange has {unknown[0]!r}; there are {', '.join(there)}")
    gate = wanted or [name for name in there if name not in _BESIDE]
    is_paired = are_paired(baseline, candidate)
    found = {
        name: compare(
            sample(name, baseline, candidate, is_paired=is_paired),
            margin_of(name) if args.margin is None else args.margin,
            alpha=args.alpha,
            worse_alpha=args.alpha / max(1, len(gate)),
        )
        for name in dict.fromkeys([*gate, *there])
    }
    return found, gate


def _known(there: list[str]) -> tuple[str, ...]:
    """Measures that may still come, as soon as there is data at all."""
    return (*_BESIDE, *(there or ["veto_rate"]))


def _code(gate: list[Comparison | None]) -> int:
    answers = ["open" if one is None else one.answer for one in gate]
    if "worse" in answers:
        return WORSE
    return NOT_WORSE if answers and set(answers) == {"not_worse"} else NOT_ENOUGH


def _told(
    args: argparse.Namespace, found: dict[str, Comparison | None], gate: list[str], code: int
) -> dict[str, object]:
    return {
        "answer": {NOT_WORSE: "not_worse", WORSE: "worse", NOT_ENOUGH: "open"}[code],
        "alpha": args.alpha,
        "baseline": args.baseline,
        "candidate": args.candidate,
        "metrics": [
            {"metric": name, "is_gate": name in gate}
            | ({"answer": "open"} if one is None else asdict(one))
            for name, one in found.items()
        ],
    }


def _print(
    args: argparse.Namespace,
    arms: tuple[Arm, Arm],
    found: dict[str, Comparison | None],
    gate: list[str],
) -> None:
    sizes = " and ".join(f"{len(arm.exchanges)}" for arm in arms)
    pairs = any(one is not None and one.is_paired for one in found.values())
    how = "in pairs of the same prompt" if pairs else "without pairs"
    say(
        f"{sizes} exchanges, {how}; each bound holds at {1 - args.alpha:.0%}, at all looks together"
    )
    columns = ("metric", "baseline", "candidate", "difference", "margin", "observations", "answer")
    show(columns, [_row(name, one, is_gate=name in gate) for name, one in found.items()])


def _row(name: str, one: Comparison | None, *, is_gate: bool) -> tuple[str, ...]:
    if one is None:
        return (name, "", "", "", "", "none in common", "open")
    return (
        name,
        f"{one.baseline:.4f}",
        f"{one.candidate:.4f}",
        f"{one.candidate - one.baseline:+.4f} ({one.low:+.4f} to {one.high:+.4f})",
        f"{one.margin:g}",
        f"{one.baseline_count} / {one.candidate_count}",
        one.answer.replace("_", " ") + ("" if is_gate else " (not asked)"),
    )
