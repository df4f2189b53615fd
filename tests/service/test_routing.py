"""Tries, fallbacks and places: which upstream answers, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from service.errors import Overloaded, UpstreamTimeout
from service.metrics import Metrics
from service.routing import FIRST_BACKOFF_S, Router, retry_after_s
from service.settings import Settings
from service.upstream import AiohttpUpstream, Target, UpstreamTimeouts
from tests.fakes.engine import ATTACK
from tests.fakes.proxy import ENFORCE, OFF, Running, Setting, ask, running
from tests.fakes.scripts import Hang, Raw, Status, Stream, plain, streamed
from tests.fakes.upstream import Upstream, closed_port_url
from tests.patience import PATIENCE_S, until

BUSY = Status(503, b'{"error": "busy"}')
SLOW = Status(429, b'{"error": "slow down"}', {"Retry-After": "3"})


@dataclass
class Naps:
    """A sleep that takes no time and writes down how long it should have been."""

    waits: list[float] = field(default_factory=list)

    async def __call__(self, wait_s: float) -> None:
        """Notes one wait."""
        self.waits.append(wait_s)


class Coma:
    """A sleep that never ends, and tells when it began and when it was broken off."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.was_cancelled = asyncio.Event()

    async def __call__(self, wait_s: float) -> None:
        """Waits for ever."""
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled.set()
            raise


def setting(*targets: Target, **fields: Any) -> Setting:
    """A proxy before these targets; it scores nothing unless told."""
    return Setting(targets[0].url, targets=targets, **({"policy": OFF} | fields))


def counted(proxy: Running, name: str, **labels: str) -> float:
    """A counter's value; 0 where it was never counted."""
    return proxy.metrics.registry.get_sample_value(f"fairlead_{name}_total", labels) or 0.0


async def arrived(upstream: Upstream) -> None:
    """Waits for the first request."""
    await until(lambda: upstream.seen)


@contextlib.contextmanager
def full_port_url() -> Iterator[str]:
    """A base URL whose port listens, but whose queue is full: no connection is made."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"


async def test_a_busy_upstream_is_asked_again(upstream: Upstream) -> None:
    """After a 503 and a 429 the third try's reply is the answer, and each try was counted."""
    upstream.script = [BUSY, SLOW, plain("Here.")]
    naps = Naps()
    async with running(setting(Target("a", upstream.url, retries=2), sleep=naps)) as proxy:
        reply = await proxy.chat()

        assert counted(proxy, "upstream_retries", upstream="a", reason="503") == 1
        assert counted(proxy, "upstream_retries", upstream="a", reason="429") == 1

    assert reply.status_code == 200
    assert len(upstream.seen) == 3
    assert upstream.seen[0].body == upstream.seen[2].body
    assert proxy.record.upstream == "a"


async def test_waits_honour_what_the_upstream_asks(upstream: Upstream) -> None:
    """No try comes before `retry-after`; without one the wait is random below a growing bound."""
    upstream.script = [BUSY, SLOW, BUSY, plain("Here.")]
    naps = Naps()
    async with running(setting(Target("a", upstream.url, retries=3), sleep=naps)) as proxy:
        await proxy.chat()

    first, second, third = naps.waits
    assert 0 <= first <= FIRST_BACKOFF_S
    assert 3 <= second <= 3 + 2 * FIRST_BACKOFF_S
    assert 0 <= third <= 4 * FIRST_BACKOFF_S


async def test_what_is_asked_may_be_too_long(upstream: Upstream) -> None:
    """A `retry-after` above `max_backoff_s` ends the tries: the client gets the 429 as it is."""
    upstream.script = SLOW
    naps = Naps()
    target = Target("a", upstream.url, retries=5, max_backoff_s=2)
    async with running(setting(target, sleep=naps)) as proxy:
        reply = await proxy.chat()

    assert (reply.status_code, reply.content) == (429, SLOW.body)
    assert reply.headers["retry-after"] == "3"
    assert not naps.waits


async def test_the_last_answer_is_the_upstreams_own(upstream: Upstream) -> None:
    """When tries run out the upstream's error passes untouched."""
    upstream.script = BUSY
    async with running(setting(Target("a", upstream.url, retries=2), sleep=Naps())) as proxy:
        reply = await proxy.chat()

    assert (reply.status_code, reply.content) == (503, BUSY.body)
    assert len(upstream.seen) == 3
    assert proxy.record.status == "upstream_error"


@pytest.mark.parametrize("script", [Status(500), Status(502), Status(400), Raw(b""), Raw(b"?")])
async def test_what_may_have_been_done_is_not_done_again(upstream: Upstream, script: Any) -> None:
    """An upstream that may have worked on the request is asked once."""
    upstream.script = script
    naps = Naps()
    async with running(setting(Target("a", upstream.url, retries=3), sleep=naps)) as proxy:
        reply = await proxy.chat()

    assert reply.status_code >= 400
    assert len(upstream.seen) == 1
    assert not naps.waits


async def test_a_reply_that_has_begun_is_never_tried_again(upstream: Upstream) -> None:
    """A stream that breaks off ends as it does without retries."""
    upstream.script = replace(streamed("Hello", " there"), cut_at=150)
    target = Target("a", upstream.url, retries=3, fallback="b")
    async with running(setting(target, Target("b", upstream.url), sleep=Naps())) as proxy:
        async with proxy.client.stream("POST", "/v1/chat/completions", json=ask(stream=True)) as r:
            body = await r.aread()

    assert b"upstream_cut" in body
    assert len(upstream.seen) == 1


async def test_tries_are_off_unless_set(upstream: Upstream) -> None:
    """Without `retries` the first answer is the answer."""
    upstream.script = [BUSY, plain("Here.")]
    async with running(setting(Target("a", upstream.url))) as proxy:
        assert (await proxy.chat()).status_code == 503


async def test_no_connection_is_tried_again_and_told(upstream: Upstream) -> None:
    """An upstream that is not there costs the tries and then a 502 with its code."""
    naps = Naps()
    target = Target("gone", closed_port_url(), retries=2)
    async with running(setting(target, sleep=naps)) as proxy:
        reply = await proxy.chat()

        assert counted(proxy, "upstream_retries", upstream="gone", reason="unreachable") == 2

    assert (reply.status_code, reply.json()["error"]["code"]) == (502, "upstream_refused")
    assert len(naps.waits) == 2


@pytest.mark.parametrize("first", [BUSY, SLOW, Status(500), Status(502)])
async def test_the_fallback_answers_for_one_that_fails(upstream: Upstream, first: Status) -> None:
    """A 429 or 5xx that stays sends the request on; the record names who answered."""
    upstream.script = first
    async with Upstream(plain("From the other.")) as other:
        a = Target("a", upstream.url, fallback="b", api_key="key-a")
        b = Target("b", other.url, api_key="key-b")
        async with running(setting(a, b)) as proxy:
            reply = await proxy.chat()

            assert counted(proxy, "upstream_fallbacks", upstream="a") == 1

    assert reply.json()["choices"][0]["message"]["content"] == "From the other."
    assert proxy.record.upstream == "b"
    assert other.seen[0].headers["authorization"] == "Bearer key-b"
    assert other.seen[0].body == upstream.seen[0].body


async def test_the_fallback_answers_for_one_that_is_not_there(upstream: Upstream) -> None:
    """No connection sends a streamed request on too, through a fallback of the fallback."""
    upstream.script = streamed("Hello", " there.")
    targets = (
        Target("a", closed_port_url(), fallback="b", retries=1),
        Target("b", closed_port_url(), fallback="c"),
        Target("c", upstream.url),
    )
    async with running(setting(*targets, sleep=Naps())) as proxy:
        reply = await proxy.chat(stream=True)

    assert b"there." in reply.content
    assert proxy.record.upstream == "c"


async def test_a_client_error_is_no_reason_for_the_fallback(upstream: Upstream) -> None:
    """A 400 is the client's to mend: nobody else is asked."""
    upstream.script = Status(400)
    async with Upstream() as other:
        targets = Target("a", upstream.url, fallback="b"), Target("b", other.url)
        async with running(setting(*targets)) as proxy:
            reply = await proxy.chat()

    assert reply.status_code == 400
    assert not other.seen


async def test_the_fallbacks_failure_is_the_answer(upstream: Upstream) -> None:
    """Where both fail the client gets the last answer."""
    upstream.script = BUSY
    targets = Target("a", closed_port_url(), fallback="b"), Target("b", upstream.url)
    async with running(setting(*targets)) as proxy:
        reply = await proxy.chat()

    assert (reply.status_code, reply.content) == (503, BUSY.body)
    assert proxy.record.upstream == "b"


async def test_a_vetoed_prompt_ends_the_wait(upstream: Upstream) -> None:
    """A veto in the middle of a backoff cancels it: the client has its 400 and no try follows."""
    upstream.script = BUSY
    coma = Coma()
    target = Target("a", upstream.url, retries=3)
    asked = setting(target, sleep=coma, policy=ENFORCE)
    asked.engine.gate = coma.began
    async with running(asked) as proxy:
        reply = await proxy.chat(ATTACK)

    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "content_filter")
    assert coma.was_cancelled.is_set()
    assert len(upstream.seen) == 1


async def test_a_client_that_leaves_ends_the_wait(upstream: Upstream) -> None:
    """A disconnect in the middle of a backoff cancels it, and the record says so."""
    upstream.script = BUSY
    coma = Coma()
    async with running(setting(Target("a", upstream.url, retries=3), sleep=coma)) as proxy:
        async with httpx.AsyncClient(base_url=proxy.url) as client:
            task = asyncio.create_task(client.post("/v1/chat/completions", json=ask()))
            await coma.began.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        [record] = await proxy.recorded()

    assert record.status == "client_gone"
    assert coma.was_cancelled.is_set()
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("script", [Hang(), BUSY])
async def test_patience_ends(upstream: Upstream, script: Any) -> None:
    """Tries, waits and fallback together take no longer than the exchange has patience."""
    upstream.script = script
    targets = Target("a", upstream.url, retries=1, fallback="b"), Target("b", upstream.url)
    calls = AiohttpUpstream()
    await calls.start()
    router = Router(calls, targets, meter=Metrics(), patience_s=1.0, sleep=Coma())
    with pytest.raises(UpstreamTimeout):
        await router.send(targets[0], "/x", method="POST", headers=(), body=b"{}")
    await calls.stop()

    assert len(upstream.seen) == 1


async def test_places_are_limited(upstream: Upstream) -> None:
    """With one place the second request waits until the first one's stream has ended."""
    gate = asyncio.Event()
    upstream.script = [replace(streamed("One", " two."), gates={1: gate}), plain("Three.")]
    target = Target("a", upstream.url, max_concurrency=1)
    async with running(setting(target)) as proxy:
        first = asyncio.create_task(proxy.chat(stream=True))
        await arrived(upstream)
        second = asyncio.create_task(proxy.chat())
        await asyncio.sleep(0.05)
        assert len(upstream.seen) == 1

        gate.set()
        replies = await asyncio.gather(first, second)

    assert [reply.status_code for reply in replies] == [200, 200]
    assert len(upstream.seen) == 2


async def test_a_wait_for_a_place_has_an_end(upstream: Upstream) -> None:
    """Who finds no place in time is told 429; a place is free again once its client has left."""
    upstream.script = [Hang(), plain("Here.")]
    target = Target("a", upstream.url, max_concurrency=1, queue_s=0.3)
    async with running(setting(target)) as proxy:
        first = asyncio.create_task(proxy.chat())
        await arrived(upstream)
        refused = await proxy.chat()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await upstream.seen[0].client_gone.wait()
        served = await proxy.chat()

        assert counted(proxy, "upstream_refused", upstream="a") == 1

    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "overloaded")
    assert refused.headers["retry-after"] == "1"
    assert served.status_code == 200


@pytest.mark.parametrize(
    "script", [plain("x"), BUSY, Raw(b""), streamed("x"), Stream(["x"], cut_at=3)]
)
async def test_a_place_is_given_back_whatever_comes(upstream: Upstream, script: Any) -> None:
    """After any kind of answer, scored or passed through, the one place is free again."""
    upstream.script = script
    target = Target("a", upstream.url, max_concurrency=1, queue_s=PATIENCE_S, retries=1)
    async with running(setting(target, sleep=Naps())) as proxy:
        for _ in range(2):
            await proxy.chat()
            try:
                await proxy.client.post("/v1/embeddings", json={"model": "m"})
            except httpx.RemoteProtocolError:  # a body that is passed through breaks off
                continue
        assert counted(proxy, "upstream_refused", upstream="a") == 0


async def test_other_routes_are_routed_too(upstream: Upstream) -> None:
    """A passed route is tried again, unless its body can be read only once."""
    upstream.script = BUSY
    target = Target("a", upstream.url, retries=2)
    async with running(setting(target, sleep=Naps())) as proxy:
        await proxy.client.post("/v1/embeddings", json={"model": "m"})
        assert len(upstream.seen) == 3

        await proxy.client.post("/v1/files", content=b"data")

    assert len(upstream.seen) == 4


async def test_a_fallback_helps_against_a_connection_that_hangs(upstream: Upstream) -> None:
    """A connection that is not made in time counts as none."""
    with full_port_url() as url:
        deaf = Target("a", url, fallback="b", timeouts=UpstreamTimeouts(connect_s=0.1))
        async with running(setting(deaf, Target("b", upstream.url))) as proxy:
            reply = await proxy.chat()

    assert reply.status_code == 200
    assert proxy.record.upstream == "b"


@contextlib.asynccontextmanager
async def routed(target: Target) -> AsyncIterator[Router]:
    """A router to one target."""
    calls = AiohttpUpstream()
    await calls.start()
    try:
        yield Router(calls, [target], meter=Metrics())
    finally:
        await calls.stop()


async def sent(to: Any, target: Target) -> Any:
    """One request."""
    return await to.send(target, "/x", method="POST", headers=(), body=b"{}")


async def test_no_place_is_spare_while_all_are_taken(upstream: Upstream) -> None:
    """A call that can wait is refused at once; when a reply is closed there is a place."""
    target = Target("a", upstream.url, max_concurrency=1)
    async with routed(target) as router:
        reply = await sent(router, target)
        with pytest.raises(Overloaded):
            async with router.spare(target):
                pytest.fail("a place that is taken was lent")
        reply.close()
        async with router.spare(target) as lent:
            (await sent(lent, target)).close()

    assert len(upstream.seen) == 2


async def test_a_spare_place_goes_to_whoever_needs_it(upstream: Upstream) -> None:
    """The call in it ends in the middle; the request does not wait, though it may not queue."""
    target = Target("a", upstream.url, max_concurrency=1, queue_s=0.0)
    upstream.script = [Hang(), plain("Fine.")]
    async with routed(target) as router:
        async with asyncio.timeout(PATIENCE_S):
            lent = asyncio.create_task(_lent(router, target))
            await until(lambda: upstream.seen)
            reply = await sent(router, target)
            with pytest.raises(Overloaded, match="has become busy"):
                await lent
        assert b"Fine." in await reply.read(1000)
        reply.close()


async def _lent(router: Router, target: Target) -> None:
    async with router.spare(target) as lent:
        (await sent(lent, target)).close()


async def test_one_place_is_lent_at_a_time(upstream: Upstream) -> None:
    """However many are free; without a bound nobody counts."""
    target = Target("a", upstream.url, max_concurrency=3)
    async with routed(target) as router, router.spare(target):
        with pytest.raises(Overloaded):
            async with router.spare(target):
                pytest.fail("two places were lent")
    free = Target("a", upstream.url)
    async with routed(free) as router, router.spare(free), router.spare(free) as lent:
        (await sent(lent, free)).close()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([("Retry-After", "7")], 7.0),
        ([("retry-after", " 0 ")], 0.0),
        ([("retry-after", "Thu, 01 Jan 1970 00:01:40 GMT")], 90.0),
        ([("retry-after", "Thu, 01 Jan 1970 00:00:01 GMT")], 0.0),
        ([("retry-after", "soon")], None),
        ([("retry-after", "-3")], None),
    ],
)
def test_retry_after_is_read(headers: list[tuple[str, str]], expected: float | None) -> None:
    """Seconds or a date, never a negative time; what cannot be read counts as absent."""
    assert retry_after_s(headers, now=lambda: 10.0) == expected


@pytest.mark.parametrize(
    ("fallbacks", "complaint"),
    [
        ({"a": "nobody"}, "a.fallback: no upstream is named 'nobody'"),
        ({"a": "a"}, "a -> a"),
        ({"a": "b", "b": "c", "c": "b"}, "a -> b -> c -> b"),
    ],
)
def test_fallbacks_must_end(fallbacks: dict[str, str], complaint: str) -> None:
    """A fallback that does not exist or leads back is refused when the settings are read."""
    upstreams = [
        {"name": name, "url": "http://h/v1", "fallback": fallbacks.get(name)} for name in "abc"
    ]
    with pytest.raises(ValueError, match=complaint):
        Settings.model_validate({"upstreams": upstreams})
