"""What the demo prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from service.demo_upstream import Scripted

_COLOURS = {"allow": "green", "flag": "yellow", "veto": "red", "unscored": "dim"}
_SAW_CHARS = 36
_SHORT = {
    "toxicity": "toxic",
    "injection": "inject",
    "faithfulness": "unfaith",
    "sycophancy": "sycoph",
    "confidence": "confid",
}


@dataclass(frozen=True, slots=True)
class Result:
    """One exchange of the demo as its client saw it, and as it was recorded."""

    scripted: Scripted
    id: str
    reply_id: str
    status: int
    verdict: str
    overhead_ms: str
    text: str
    finish_reason: str | None
    interaction: dict[str, Any]

    @property
    def is_withheld(self) -> bool:
        """Whether something of the exchange was kept from the client."""
        return self.finish_reason == "content_filter" or self.status != 200

    @property
    def risks(self) -> dict[tuple[str, str], float | None]:
        """The risk by side and scorer; None where the scorer did not apply."""
        scores = self.interaction.get("scores") or []
        return {(score["side"], score["scorer"]): score.get("risk") for score in scores}


def verdict_table(results: Sequence[Result]) -> Table:
    """One line for each exchange: its risks, the verdict, what the client got."""
    found = {key for one in results for key, risk in one.risks.items() if risk is not None}
    columns = sorted(found, key=lambda key: (key[0] != "prompt", key[1]))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    for heading in ("exchange", "written as", "form"):
        table.add_column(heading, no_wrap=True)
    for side, scorer in columns:
        heading = f"{side}\n{_SHORT.get(scorer, scorer)}"
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    # The one column that gives way where the terminal is narrow.
    table.add_column("what the client got", max_width=_SAW_CHARS)
    table.add_column("added\nms", justify="right", no_wrap=True)
    for result in results:
        cells = [_risk(result.risks.get(column)) for column in columns]
        table.add_row(*_start(result), *cells, *_end(result))
    return table


def _start(result: Result) -> tuple[str, str, str]:
    scripted = result.scripted
    return scripted.name, scripted.written, "stream" if scripted.is_stream else "plain"


def _end(result: Result) -> tuple[str, str, str]:
    colour = _COLOURS.get(result.verdict, "white")
    verdict = f"[{colour}]{result.verdict}[/{colour}]"
    return verdict, escape(_shown(result)), result.overhead_ms


def _shown(result: Result) -> str:
    """What the client got, its middle left out; the end is where a refusal stands."""
    text = " ".join(result.text.split())
    if len(text) <= _SAW_CHARS:
        return text
    tail = 20 if result.is_withheld else 12
    return f"{text[: _SAW_CHARS - tail - 1]}…{text[-tail:]}"


def _risk(risk: float | None) -> str:
    return "–" if risk is None else f"{risk:.2f}"


def summary(results: Sequence[Result]) -> str:
    """How the verdicts agree with what the exchanges were written to be; misses are named."""
    bad = [r for r in results if r.scripted.written in ("bad reply", "both bad")]
    good = [r for r in results if r.scripted.written == "good"]
    asked = [r for r in results if r.scripted.written in ("bad prompt", "both bad")]
    missed = [r.scripted.name for r in bad if r.verdict != "veto"]
    wrong = [r.scripted.name for r in good if r.verdict == "veto"]
    noticed = sum(r.verdict in ("flag", "veto") for r in asked)
    lines = [
        f"Bad replies vetoed: {len(bad) - len(missed)} of {len(bad)}{_named('missed', missed)}",
        f"Good replies vetoed: {len(wrong)} of {len(good)}{_named('wrongly', wrong)}",
        f"Bad prompts flagged or vetoed: {noticed} of {len(asked)}",
    ]
    return "\n".join(lines)


def _named(label: str, names: list[str]) -> str:
    return f" ({label}: {'; '.join(names)})" if names else ""
