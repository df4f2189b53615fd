"""`fairlead feedback agreement`: how far raters agree, and who does with nobody."""

from __future__ import annotations

import argparse
from typing import Any

import orjson

from service.agreement_report import agreement_report
from service.commands.export import moment_us
from service.commands.feedback_import import opened, tenant_named
from service.commands.terminal import say, show

_SHOWN = 30


async def run(args: argparse.Namespace) -> int:
    """Prints a table for each kind of judgement, or JSON."""
    since, until = moment_us("--since", args.since), moment_us("--until", args.until)
    async with opened(args) as store:
        key_id = await tenant_named(store, args.key)
        found = await agreement_report(store, key_id=key_id, since_us=since, until_us=until)
    if args.json:
        say(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
        return 0
    for kind, told in found.items():
        _print(kind, told)
    return 0


def _print(kind: str, told: dict[str, Any]) -> None:
    interval = _interval(told)
    value = "none" if told["alpha"] is None else f"{told['alpha']:.3f}"
    notes = [f"95% {interval}"] if interval else []
    notes += [told["reason"]] if told["reason"] else []
    say(f"{kind}: Krippendorff's alpha {value} ({'; '.join(notes)})")
    say(f"  {told['judgements']} judgements by two or more raters of {told['units']} units")
    if not told["raters"]:
        return
    columns = ("rater", "key", "judgements", "compared", "agreed", "share", "interval", "remark")
    show(columns, [_row(rater) for rater in told["raters"][:_SHOWN]])
    if told["raters"][0]["is_contrary"]:
        say("  contrary: the interval, which holds for all raters together, lies below one half")
    if told["raters_total"] > _SHOWN:
        say(f"  and {told['raters_total'] - _SHOWN} more: --json")


def _row(rater: dict[str, Any]) -> tuple[str, ...]:
    share = "" if rater["share"] is None else f"{rater['share']:.2f}"
    counts = (str(rater[name]) for name in ("judgements", "compared", "agreed"))
    remark = "contrary" if rater["is_contrary"] else ""
    return (rater["rater"] or "-", rater["key"] or "-", *counts, share, _interval(rater), remark)


def _interval(told: dict[str, Any]) -> str:
    return "" if told["low"] is None else f"{told['low']:.2f} to {told['high']:.2f}"
