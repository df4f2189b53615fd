"""The scenarios: which contenders meet which load, and the rows that come of it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from load_tests import closed_loop, open_loop
from load_tests.closed_loop import Load
from load_tests.contender import Contender, Record, bare, body, fairlead, litellm, running, upstream
from load_tests.open_loop import StreamTimes, percentile
from load_tests.scoring import SHAPES, direct
from scorers.catalog import load as load_model

Policy = dict[str, Any]
OFF: Policy = {"mode": "off"}
_RULE = {"flag": 0.5, "veto": 1.0}
_RULES: Policy = {
    "prompt": {"injection": {"flag": 0.5}, "toxicity": {"flag": 0.8}},
    "reply": {"toxicity": _RULE, "faithfulness": _RULE},
}
HOLD: Policy = {"mode": "enforce", "streaming": "hold", **_RULES}
CHASE: Policy = {"mode": "enforce", "streaming": "chase", **_RULES}
SCORED = HOLD | {"deadline_ms": 60_000}
"""Everything is scored and held as under enforce, but no risk reaches the veto's threshold, so
that every contender delivers the same bytes. `SCORED` has a deadline that full load cannot miss."""


@dataclass(frozen=True)
class Options:
    """How long and how often."""

    rounds: int = 3
    seconds: float = 2.0
    rate_per_s: float = 3.0
    litellm: str | None = None


@dataclass
class Row:
    """One line of the table: a contender at a number of connections, or of streams a second."""

    contender: str
    load: str
    figures: dict[str, float] = field(default_factory=dict)


Make = Callable[[str, Path], list[Contender]]


def _recorders(upstream_url: str, folder: Path) -> list[Contender]:
    return [
        fairlead("fairlead strict", upstream_url, folder, record="strict", policy=OFF),
        fairlead("fairlead relaxed", upstream_url, folder, record="relaxed", policy=OFF),
    ]


def _scoring(upstream_url: str, folder: Path) -> list[Contender]:
    return [
        fairlead("fairlead off", upstream_url, folder, record="strict", policy=OFF),
        fairlead("fairlead scoring", upstream_url, folder, record="strict", policy=SCORED),
    ]


def _streaming(upstream_url: str, folder: Path) -> list[Contender]:
    policies = {"fairlead off": OFF, "fairlead hold": HOLD, "fairlead chase": CHASE}
    return [
        fairlead(name, upstream_url, folder, record="strict", policy=policy)
        for name, policy in policies.items()
    ]


@contextlib.contextmanager
def _field(make: Make, program: str | None, *, with_bare: bool) -> Iterator[list[Contender]]:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)

        def start(contender: Contender) -> Contender:
            log = folder / f"{contender.name.replace(' ', '-')}.log"
            return stack.enter_context(running(contender, log))

        source = start(upstream())
        others = make(source.url, folder)
        if with_bare:
            others += [bare(client, source.url) for client in ("httpx", "aiohttp")]
        if program is not None:
            others.append(litellm(program, source.url, folder))
        yield [source, *map(start, others)]


def _round(contender: Contender, payload: bytes, connections: int, seconds: float) -> Load:
    before, cpu_s, tokens = contender.record(), contender.cpu_s(), contender.scored_tokens()
    load = closed_loop.drive(contender.url, payload, connections=connections, duration_s=seconds)
    load = dataclasses.replace(load, cpu_s=contender.cpu_s() - cpu_s)
    if before is None:
        return load
    tokens = contender.scored_tokens() - tokens
    after = _settled(contender, before.rows + load.requests)
    return dataclasses.replace(load, unscored=after.unscored - before.unscored, tokens=tokens)


def _settled(contender: Contender, rows: int) -> Record:
    """The record with at least as many rows; a relaxed one gets a second to come."""
    until = time.monotonic() + 1
    while (found := contender.record()) is not None and found.rows < rows:
        if time.monotonic() > until:
            lost = rows - found.rows
            raise RuntimeError(f"{contender.name} did not record {lost} of its answers")
        time.sleep(0.1)
    assert found is not None
    return found


def closed(
    make: Make,
    options: Options,
    *,
    payload: bytes,
    loads: Mapping[int, float],
    with_peers: bool,
    beside: Callable[[], None] | None = None,
) -> list[Row]:
    """Closed-loop rounds, the contenders taking turns within each; medians over the rounds.

    `loads` maps a number of connections to the length of its rounds, in parts of the usual.
    `beside` is done once in each round, while the servers idle.
    """
    program = options.litellm if with_peers else None
    with _field(make, program, with_bare=with_peers) as everybody:
        contenders = everybody if with_peers else everybody[1:]
        for contender in contenders:
            _round(contender, payload, 4, 1)
        seen: dict[tuple[str, int], list[Load]] = {}
        for _ in range(options.rounds):
            if beside is not None:
                beside()
            for connections, part in loads.items():
                for contender in contenders:
                    load = _round(contender, payload, connections, part * options.seconds)
                    seen.setdefault((contender.name, connections), []).append(load)
    return _with_ratios([_row(name, n, found) for (name, n), found in seen.items()])


def _row(name: str, connections: int, loads: list[Load]) -> Row:
    median = statistics.median
    figures = {
        "req_per_s": median(load.per_s for load in loads),
        "lowest": min(load.per_s for load in loads),
        "highest": max(load.per_s for load in loads),
        "p50_ms": median(load.p50_ms for load in loads),
        "p99_ms": median(load.p99_ms for load in loads),
        "cpu_ms": median(load.cpu_ms for load in loads),
        "errors": float(sum(load.errors for load in loads)),
    }
    if any(load.tokens for load in loads):
        figures["tokens_per_s"] = median(load.tokens / load.duration_s for load in loads)
        figures["unscored"] = _share(loads)
    return Row(name, f"{connections} connection{'s' * (connections > 1)}", figures)


def _share(loads: list[Load]) -> float:
    """Percent of the answers for which a scorer failed, as by its deadline."""
    return 100 * sum(load.unscored for load in loads) / max(1, sum(load.requests for load in loads))


def _with_ratios(rows: list[Row]) -> list[Row]:
    for row in rows:
        for peer, figure in (("LiteLLM", "times_litellm"), ("bare httpx", "times_bare_httpx")):
            same = (r for r in rows if (r.contender, r.load) == (peer, row.load))
            found = next(same, None)
            if found is not None and found.figures["req_per_s"] > 0:
                row.figures[figure] = row.figures["req_per_s"] / found.figures["req_per_s"]
    return rows


def passthrough(options: Options) -> list[Row]:
    """Plain replies with scoring off and recording on, beside the bare proxies and LiteLLM."""
    payload = body("short")
    return closed(_recorders, options, payload=payload, loads={16: 1, 1: 0.5}, with_peers=True)


def passthrough_stream(options: Options) -> list[Row]:
    """Streamed replies that the upstream writes at once, scoring off and recording on."""
    payload = body("short", stream=True)
    return closed(_recorders, options, payload=payload, loads={16: 1}, with_peers=True)


def scored(options: Options) -> list[Row]:
    """Plain replies of twelve sentences with context: all scorers against none.

    In the same rounds the scoring model's session is called directly, at several batch sizes.
    """
    payload, model = body("long", context=True), load_model()
    speeds: dict[tuple[int, int], list[float]] = {}

    def alone() -> None:
        for shape in SHAPES:
            speed = direct(model, shape, options.seconds / 2)
            speeds.setdefault(shape, []).append(speed.per_second)

    rows = closed(
        _scoring, options, payload=payload, loads={16: 3, 1: 1}, with_peers=False, beside=alone
    )
    medians = {shape: statistics.median(found) for shape, found in speeds.items()}
    (count, length), best = max(medians.items(), key=lambda pair: pair[1])
    for row in rows:
        if "tokens_per_s" in row.figures:
            row.figures["share_of_session"] = row.figures["tokens_per_s"] / best
    return [Row("session alone", f"{count} × {length} tokens", {"tokens_per_s": best}), *rows]


def streams(options: Options) -> list[Row]:
    """Replies streamed at 100 tokens a second: what holding them back adds for a reader."""
    rows: list[Row] = []
    payload, seconds = body("paced", stream=True, context=True), 4 * options.seconds
    with _field(_streaming, None, with_bare=False) as contenders:
        for contender in contenders:
            asyncio.run(open_loop.drive(contender.url, payload, rate_per_s=2, duration_s=1))
        for contender in contenders:
            before = contender.record()
            drive = open_loop.drive(
                contender.url, payload, rate_per_s=options.rate_per_s, duration_s=seconds
            )
            found = asyncio.run(drive)
            row = _stream_row(contender.name, found, options.rate_per_s)
            if before is not None:
                missed = _settled(contender, before.rows + len(found)).unscored - before.unscored
                row.figures["unscored"] = 100 * missed / len(found)
            rows.append(row)
    return _with_added(rows)


def _stream_row(name: str, found: list[StreamTimes], rate_per_s: float) -> Row:
    figures = {"errors": float(sum(not times.is_whole for times in found))}
    for share, label in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99")):
        figures[f"first_{label}_ms"] = 1000 * percentile([t.first_s for t in found], share)
        figures[f"last_{label}_ms"] = 1000 * percentile([t.last_s for t in found], share)
    return Row(name, f"{rate_per_s:g} streams/s", figures)


def _with_added(rows: list[Row]) -> list[Row]:
    for row in rows:
        for label in ("p50", "p95", "p99"):
            for edge in ("first", "last"):
                key = f"{edge}_{label}_ms"
                row.figures[f"added_{key}"] = row.figures[key] - rows[0].figures[key]
    return rows


SCENARIOS: dict[str, Callable[[Options], list[Row]]] = {
    "passthrough": passthrough,
    "passthrough-stream": passthrough_stream,
    "scored": scored,
    "streams": streams,
}
