"""The stance probe: a sample of replies to a stated view is asked for again behind the traffic.

One probe at a time over all processes (a lease), within a budget that the store counts, in places
of the upstream that nobody needs. A user's answer waits for none of it: `offer` only notes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from service.beside import NoAnswer, states_view
from service.call import Call
from service.errors import FairleadError, Overloaded, UpstreamError
from service.exchange import Status
from service.recorder import LATER_S, Recorder, Run
from service.reverse import may_name_camp
from service.settings import StanceProbeSettings
from service.stance import StanceCase, StanceTools, UpstreamBusy
from service.watch.stance_budget import StanceBudget
from storage.errors import DuplicateRecord, StorageError
from storage.ids import now_us
from storage.repositories.watched import REPLAYED
from storage.store import Store
from storage.textlevel import is_readable

logger = logging.getLogger("fairlead.watch")

NAME = "stance_probe"
MOST_WAITING = 4
STALE_S = 300.0
"""What has waited for longer is not probed any more: its texts are not kept in memory for ever."""

FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 3600.0
_EMPTY_S = 60.0
"""How long is waited where the budget is spent, and by those who have no lease."""

_LEASE_SLACK_S = 300.0


class StanceMeter(Protocol):
    """Whoever counts probes; `stance_metrics.StanceMetrics` is one."""

    def probed(self, policy: str, model: str, outcome: str) -> None:
        """What came of a reply that was drawn."""
        ...

    def spent(self, *, requests: int, tokens: int) -> None:
        """A probe has cost so much."""
        ...


class StanceProbe:
    """Probes what it is offered. `draw` gives numbers in [0, 1), `clock` seconds."""

    def __init__(
        self,
        tools: StanceTools,
        store: Store,
        recorder: Recorder,
        wanted: StanceProbeSettings,
        *,
        meter: StanceMeter,
        on_failure: Callable[[str], None],
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tools = tools
        self._store = store
        self._recorder = recorder
        self._wanted = wanted
        self._meter = meter
        self._on_failure = on_failure
        self._draw = draw
        self._clock = clock
        self._budget = StanceBudget(
            store, wanted.requests_per_hour or 0, wanted.tokens_per_hour or 0
        )
        self._waiting = asyncio.Queue[tuple[float, Call]](MOST_WAITING)
        self._task: asyncio.Task[None] | None = None
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._is_leader = False
        self._no_lease_until = 0.0
        self._paused: tuple[float, str] = (0.0, "")
        self._failures = 0

    def start(self) -> None:
        """Begins."""
        self._task = asyncio.create_task(self._run(), name="fairlead-stance-probe")

    async def stop(self) -> None:
        """Ends at once, in the middle of a probe too, and leaves the lease to others."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._is_leader:
            with suppress(StorageError):
                async with self._store.writing() as unit:
                    await unit.leases.give_back(NAME, holder=self._holder)

    def offer(self, call: Call) -> None:
        """Notes an exchange that has ended, if it is one to be probed and is drawn."""
        if not self._is_wanted(call) or self._draw() >= self._wanted.sample:
            return
        if self._clock() < self._no_lease_until:
            return
        if why := self._why_paused():
            self._count(call, why)
            return
        try:
            self._waiting.put_nowait((self._clock(), call))
        except asyncio.QueueFull:
            self._count(call, "skipped")

    def _is_wanted(self, call: Call) -> bool:
        run, policies = call.run, self._wanted.policies
        return (
            run.status is Status.COMPLETED
            and (not policies or run.policy.name in policies)
            and is_readable(run.policy.text)
            and bool(run.ask.body)
            and run.upstream == call.target.name  # a fallback is another model
            and REPLAYED not in run.ask.extension.tags
            and (states_view(run) or _names_camp(run))
        )

    async def _run(self) -> None:
        while True:
            since, call = await self._waiting.get()
            try:
                await self._take(call, since)
            except Exception:  # the loop must outlive any surprise of a probe
                self._on_failure(NAME)
                logger.exception("stance probe failed", extra={"id": call.run.id})

    async def _take(self, call: Call, since: float) -> None:
        if self._clock() - since > STALE_S:
            self._count(call, "skipped")
        elif why := self._why_paused():
            self._count(call, why)
        elif await self._leads():
            is_there = await self._is_stored(call.run.id)
            outcome = await self._probe(StanceCase(self._tools, call)) if is_there else "gone"
            self._count(call, outcome)

    async def _is_stored(self, ident: str) -> bool:
        """Whether the exchange is there; one that was erased is not asked about again."""
        for wait_s in (0.0, LATER_S):
            await asyncio.sleep(wait_s)
            async with self._store.reading() as unit:
                if (await unit.interactions.targets([ident]))[ident]:
                    return True
        return False

    async def _probe(self, case: StanceCase) -> str:
        """What came of it."""
        try:
            requests, tokens = await case.plan()
        except NoAnswer as missing:
            return missing.outcome
        reserved = await self._budget.reserve(requests=requests, tokens=tokens)
        if reserved is None:
            if tokens <= self._budget.tokens:  # else it is this one that is too long
                self._paused = self._clock() + _EMPTY_S, "over_budget"
            return "over_budget"
        try:
            outcome = await self._asked(case)
        finally:
            await self._budget.settle(reserved, requests=case.requests, tokens=case.tokens)
            self._meter.spent(requests=case.requests, tokens=case.tokens)
        return outcome

    async def _asked(self, case: StanceCase) -> str:
        ident = case.call.run.id
        try:
            await case.ask()
        except NoAnswer as missing:
            logger.info("stance probe unanswered", extra={"id": ident, "error": missing.code})
            return missing.outcome
        except (Overloaded, UpstreamError) as error:
            logger.info("stance probe unanswered", extra={"id": ident, "error": error.code})
            self._heed(error)
            return "busy" if isinstance(error, Overloaded) else "failed"
        self._heed(case.failure)
        await self._recorder.add_stance_probe(case.call.run, case.told())
        return case.verdict

    def _heed(self, failure: FairleadError | None) -> None:
        """Leaves an upstream alone that fails, twice as long each time."""
        if failure is None:
            self._failures = 0
        if not isinstance(failure, UpstreamError):
            return
        pause_s = min(FIRST_PAUSE_S * 2.0**self._failures, LONGEST_PAUSE_S)
        self._failures = min(self._failures + 1, 16)
        if isinstance(failure, UpstreamBusy) and failure.retry_after_s is not None:
            pause_s = max(pause_s, failure.retry_after_s)
        self._paused = self._clock() + pause_s, "paused"

    def _why_paused(self) -> str:
        until, why = self._paused
        return why if self._clock() < until else ""

    def _count(self, call: Call, outcome: str) -> None:
        self._meter.probed(call.run.policy.name, call.run.ask.model, outcome)

    async def _leads(self) -> bool:
        """Whether this process holds the lease, for as long as the probe can take."""
        for_s = 2 * self._wanted.timeout_s + _LEASE_SLACK_S
        try:
            async with self._store.writing() as unit:
                self._is_leader = await unit.leases.take(
                    NAME, holder=self._holder, now_us=now_us(), for_us=round(for_s * 1e6)
                )
        except DuplicateRecord:
            self._is_leader = False
        if not self._is_leader:
            self._no_lease_until = self._clock() + _EMPTY_S
        return self._is_leader


def _names_camp(run: Run) -> bool:
    """Whether the prompt was read and its user may be of a camp, which the head does not hear."""
    if run.prompt is None or run.view is None:
        return False
    return any(may_name_camp(piece.text) for piece, _ in run.prompt.parts if piece.is_new)
