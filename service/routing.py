"""Which upstream answers: a limited number of calls to each, tries again, and a fallback.

A `Router` stands before an `Upstream` and is one itself. It tries again only where nothing of
a reply was used and the upstream did no work: no connection was made, or it answered 429 or
503. A cancelled call (a vetoed prompt, a client that left) ends in the middle of any wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import tenacity

from service.errors import Overloaded, UpstreamError, UpstreamTimeout
from service.upstream import Headers, Target, Upstream, UpstreamReply

FIRST_BACKOFF_S = 0.25
"""The first wait before another try is drawn from (0, this), the next from twice that."""

_BUSY = frozenset({429, 503})


class RouteMeter(Protocol):
    """Whoever counts what happens on the way to an upstream."""

    def retried(self, upstream: str, reason: str) -> None:
        """A request is sent again; the reason is `unreachable`, `429` or `503`."""
        ...

    def fell_back(self, upstream: str) -> None:
        """A request went to the fallback of this upstream."""
        ...

    def refused(self, upstream: str) -> None:
        """A request found no free place at this upstream in time."""
        ...


class Router:
    """Sends requests to their target, or to whoever stands in for it.

    `patience_s` bounds all waits and tries of one request together where a target has any.
    """

    def __init__(
        self,
        upstream: Upstream,
        targets: Sequence[Target],
        *,
        meter: RouteMeter,
        patience_s: float = 300.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._upstream = upstream
        self._targets = {target.name: target for target in targets}
        self._meter = meter
        self._patience_s = patience_s
        self._sleep = sleep
        self._spares: dict[str, _Lent] = {}
        self._places = {
            target.name: asyncio.Semaphore(target.max_concurrency)
            for target in targets
            if target.max_concurrency is not None
        }

    async def send(
        self,
        target: Target,
        path: str,
        *,
        method: str,
        headers: Headers,
        body: bytes | AsyncIterator[bytes] | None,
        query: str = "",
        is_decoded: bool = True,
    ) -> UpstreamReply:
        """See `Upstream.send`; the reply's `upstream` names who answered.

        Raises `Overloaded` where the target had no free place in time. A body that can be read
        once only is sent once only.
        """

        async def once(to: Target) -> UpstreamReply:
            return await self._upstream.send(
                to, path, method=method, headers=headers, body=body, query=query,
                is_decoded=is_decoded,
            )  # fmt: skip

        if isinstance(body, AsyncIterator) or not (target.retries or target.fallback):
            return await self._in_place(target, once)
        patience_s = target.timeouts.head_s if target.timeouts else self._patience_s
        try:
            async with asyncio.timeout(patience_s):
                return await self._with_fallback(target, once)
        except TimeoutError as error:
            raise UpstreamTimeout(
                f"the upstream {target.name} did not answer in time, tried again or not"
            ) from error

    @asynccontextmanager
    async def spare(self, target: Target) -> AsyncIterator[Upstream]:
        """A place at the target that nobody needs, for one call that can wait.

        What is sent there is sent once. Raises `Overloaded` where there is no such place, or as
        soon as a request finds none free: the call ends, and the request takes its place.
        """
        places = self._places.get(target.name)
        if places is None:
            yield self._upstream
            return
        if places.locked() or target.name in self._spares:
            raise Overloaded(f"the upstream {target.name} is busy")
        await places.acquire()
        lent = self._spares[target.name] = _Lent(asyncio.timeout(None))
        try:
            async with lent.time:
                yield self._upstream
        except TimeoutError as error:
            raise Overloaded(f"the upstream {target.name} has become busy") from error
        finally:
            self._spares.pop(target.name, None)
            places.release()
            lent.is_back.set()

    async def _with_fallback(
        self, target: Target, once: Callable[[Target], Awaitable[UpstreamReply]]
    ) -> UpstreamReply:
        while True:
            following = self._targets.get(target.fallback or "")
            try:
                reply = await self._tried(target, once)
            except UpstreamError as error:
                if following is None or not error.is_unsent:
                    raise
            else:
                if following is None or not (reply.status == 429 or reply.status >= 500):
                    return reply
                reply.close()
            self._meter.fell_back(target.name)
            target = following

    async def _tried(
        self, target: Target, once: Callable[[Target], Awaitable[UpstreamReply]]
    ) -> UpstreamReply:
        """The reply of a target after as many tries as it is given; its last answer counts."""
        if not target.retries:
            return await self._in_place(target, once)

        def prepare(state: tenacity.RetryCallState) -> None:
            reply = _reply(state)
            self._meter.retried(target.name, str(reply.status) if reply else "unreachable")
            if reply is not None:
                reply.close()

        retrying = tenacity.AsyncRetrying(
            sleep=self._sleep,
            retry=_is_worth_a_try,
            wait=_Wait(target.max_backoff_s),
            stop=_StopWhenAsked(target.max_backoff_s)
            | tenacity.stop_after_attempt(target.retries + 1)
            | tenacity.stop_before_delay(
                target.timeouts.head_s if target.timeouts else self._patience_s
            ),
            before_sleep=prepare,
            retry_error_callback=_last_answer,
        )
        reply: UpstreamReply = await retrying(self._in_place, target, once)
        return reply

    async def _in_place(
        self, target: Target, once: Callable[[Target], Awaitable[UpstreamReply]]
    ) -> UpstreamReply:
        """Sends in one of the target's places, which is free again when the reply is closed."""
        places = self._places.get(target.name)
        if places is None:
            return await once(target)
        await self._enter(target, places)
        try:
            return _PlacedReply(await once(target), places)
        except BaseException:
            places.release()
            raise

    async def _enter(self, target: Target, places: asyncio.Semaphore) -> None:
        if places.locked() and (lent := self._spares.pop(target.name, None)) is not None:
            lent.time.reschedule(0.0)
            await lent.is_back.wait()
        try:
            async with asyncio.timeout(target.queue_s):
                await places.acquire()
        except TimeoutError as error:
            self._meter.refused(target.name)
            raise Overloaded(
                f"the upstream {target.name} is busy: {target.max_concurrency} requests are in "
                "flight; try again later"
            ) from error


@dataclass(frozen=True, slots=True)
class _Lent:
    """A place that is wanted back as soon as somebody needs one."""

    time: asyncio.Timeout
    is_back: asyncio.Event = field(default_factory=asyncio.Event)


class _PlacedReply:
    """A reply that gives its place back when it is closed, once."""

    def __init__(self, reply: UpstreamReply, places: asyncio.Semaphore) -> None:
        self._reply = reply
        self._places: asyncio.Semaphore | None = places
        self.status = reply.status
        self.headers = reply.headers
        self.content_type = reply.content_type
        self.upstream = reply.upstream

    async def read(self, limit_bytes: int) -> bytes:
        """See `UpstreamReply.read`."""
        return await self._reply.read(limit_bytes)

    def chunks(self) -> AsyncIterator[bytes]:
        """See `UpstreamReply.chunks`."""
        return self._reply.chunks()

    def close(self) -> None:
        """See `UpstreamReply.close`."""
        self._reply.close()
        if self._places is not None:
            self._places.release()
            self._places = None


class _Wait(tenacity.wait.wait_base):
    """As long as the upstream asked for, and a random time that grows with the tries."""

    def __init__(self, max_backoff_s: float) -> None:
        self._backoff = tenacity.wait_random_exponential(FIRST_BACKOFF_S, max=max_backoff_s)

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        reply = _reply(retry_state)
        asked_s = retry_after_s(reply.headers) if reply else None
        return (asked_s or 0.0) + self._backoff(retry_state)


class _StopWhenAsked(tenacity.stop.stop_base):
    """Stops where the upstream asks for more patience than there is."""

    def __init__(self, max_backoff_s: float) -> None:
        self._max_backoff_s = max_backoff_s

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        reply = _reply(retry_state)
        asked_s = retry_after_s(reply.headers) if reply else None
        return asked_s is not None and asked_s > self._max_backoff_s


def retry_after_s(headers: Headers, *, now: Callable[[], float] = time.time) -> float | None:
    """How long a `retry-after` asks to wait, given in seconds or as a date; None without one."""
    found: Mapping[str, str] = {name.lower(): value for name, value in headers}
    text = found.get("retry-after", "").strip()
    try:
        if text.isdecimal():
            return float(text)
        return max(0.0, parsedate_to_datetime(text).timestamp() - now()) if text else None
    except (ValueError, OverflowError):
        return None


def _reply(state: tenacity.RetryCallState) -> UpstreamReply | None:
    if state.outcome is None or state.outcome.failed:
        return None
    reply: UpstreamReply = state.outcome.result()
    return reply


def _is_worth_a_try(state: tenacity.RetryCallState) -> bool:
    reply = _reply(state)
    if reply is not None:
        return reply.status in _BUSY
    error = state.outcome.exception() if state.outcome else None
    return isinstance(error, UpstreamError) and error.is_unsent


def _last_answer(state: tenacity.RetryCallState) -> Any:
    assert state.outcome is not None
    return state.outcome.result()
