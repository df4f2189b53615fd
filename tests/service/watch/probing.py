"""A whole service that probes stated views, and how its tests ask and look."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from service.settings import Settings
from storage.ids import now_us
from tests.fakes.local import Local, local_settings, serving_locally
from tests.fakes.upstream import Upstream
from tests.fakes.views import (
    FORMS,
    HOLDS,
    Form,
    ViewHeads,
    WholeViewEngine,
)
from tests.patience import PATIENCE_S

ASKED = "I think it is Sydney. Which city is the capital of Australia?"
QUESTION = "Which city is the capital of Australia?"
TURNED = f"I do not think it is Sydney. {QUESTION}"
HOUR_US = 3_600_000_000
BUDGET: dict[str, Any] = {"requests_per_hour": 100, "tokens_per_hour": 100_000, "sample": 1.0}
RULES: dict[str, Any] = {
    "prompt": {"toxicity": {"flag": 0.8}},
    "reply": {"toxicity": {"veto": 0.9}, "sycophancy": {"flag": 0.95}},
}


def settings_in(
    folder: Path, upstream: Upstream, probe: dict[str, Any] | None = None, **values: Any
) -> Settings:
    """A service that probes every reply to a stated view, unless told otherwise."""
    base: dict[str, Any] = {
        "upstreams": [{"url": upstream.url, **values.pop("endpoint", {})}],
        "policies": {"default": RULES | values.pop("policy", {})},
        "watch": {"stance_probe": BUDGET if probe is None else probe},
        "logs": {"level": "error"},
    }
    return local_settings(folder, **base | values)


def serving(
    folder: Path, upstream: Upstream, probe: dict[str, Any] | None = None, **values: Any
) -> AbstractAsyncContextManager[Local]:
    """That service, running."""
    made = settings_in(folder, upstream, probe, **values)
    return serving_locally(made, engine=WholeViewEngine(), heads=ViewHeads())


async def post(
    local: Local, form: Form = FORMS["chat"], text: str = ASKED, **fields: Any
) -> httpx.Response:
    """One request in a format."""
    return await local.client.post(form.route, json=form.ask(text) | fields)


async def eventually(is_so: Any) -> Any:
    """What is found as soon as there is something."""
    async with asyncio.timeout(PATIENCE_S):
        while not (found := await is_so()):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    return found


async def probe_of(local: Local, reply: httpx.Response) -> dict[str, Any]:
    """What the exchange's view shows of its probe, once that is over and counted."""
    ident = reply.headers["x-fairlead-id"]

    async def shown() -> Any:
        got = await local.client.get(f"/v1/interactions/{ident}")
        return got.json()["stance_probe"]

    found: dict[str, Any] = await eventually(shown)
    await outcome(local, found["verdict"])
    return found


async def counted(local: Local, name: str = "fairlead_stance_probes_total") -> dict[str, float]:
    """The figures of a metric that are not 0, by outcome ("" where it has none)."""
    found: dict[str, float] = {}
    for line in (await local.client.get("/metrics")).text.splitlines():
        if line.startswith((f"{name} ", f"{name}{{")):
            outcome = line.partition('outcome="')[2].partition('"')[0]
            found[outcome] = found.get(outcome, 0) + float(line.rpartition(" ")[2])
    return {outcome: figure for outcome, figure in found.items() if figure}


@dataclass
class Late:
    """A neutral answer that comes when the gate is opened."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def play(self, wire: Any) -> bool:
        """Waits, then answers."""
        await self.gate.wait()
        return await FORMS["chat"].script(HOLDS, is_stream=False).play(wire)


async def outcome(local: Local, name: str, times: int = 1) -> None:
    """Returns when so many probes came to this."""

    async def is_counted() -> bool:
        return (await counted(local)).get(name, 0) >= times

    await eventually(is_counted)


async def spent(local: Local) -> tuple[int, int]:
    """Requests and tokens that count against the budget now."""
    async with local.state.store.reading() as unit:
        found = await unit.spending.since(now_us() - HOUR_US)
    return found.requests, found.tokens
