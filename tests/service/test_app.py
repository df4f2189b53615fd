"""What holds for every request: bounded bodies, bounded exchanges, envelopes, order of opening."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from scorers.errors import ModelError
from service import dialects
from service.access import Scope as KeyScope
from service.app import create_app
from service.errors import NotFound
from service.metrics import Metrics
from service.middleware import Outermost
from service.parts import spool_dir, targets
from service.policy import PolicyError
from service.settings import Settings
from service.sources import ConfigError
from service.upstream import UpstreamTimeouts
from storage.keys import new_key
from tests.fakes.local import Local, local_settings, serving_locally
from tests.fakes.upstream import Upstream
from tests.fakes.word_engine import WordEngine, WordHeads
from tests.patience import PATIENCE_S

ASK = {"model": "fake-model", "messages": [{"role": "user", "content": "Hello?"}]}


def client_of(app: Any) -> httpx.AsyncClient:
    """A client whose server closes a connection on an error, as a real one does."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app, raise_app_exceptions=False), base_url="http://local"
    )


def guarded(app: Any, *, max_exchanges: int = 10) -> tuple[Outermost, Metrics]:
    """An application inside the outermost handler, with its figures."""
    metrics = Metrics()
    outermost = Outermost(
        app, metrics=metrics, max_exchanges=max_exchanges, proxied=dialects.by_route()
    )
    return outermost, metrics


def counted(metrics: Metrics, **labels: str) -> float | None:
    """How many requests had these labels."""
    return metrics.registry.get_sample_value("fairlead_requests_total", {"model": ""} | labels)


async def test_what_nobody_foresaw_is_an_envelope_without_internals() -> None:
    """500 in OpenAI's envelope; the error is counted and its message kept in."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError("secret text")

    app, metrics = guarded(broken)
    async with client_of(app) as client:
        reply = await client.post("/v1/chat/completions")

    assert (reply.status_code, reply.json()["error"]["code"]) == (500, "internal_error")
    assert "secret" not in reply.text
    assert counted(metrics, route="/v1/chat/completions", status="500") == 1
    crashes = metrics.registry.get_sample_value(
        "fairlead_internal_errors_total", {"route": "/v1/chat/completions"}
    )
    assert crashes == 1


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), NotFound("x")])
async def test_an_answer_that_has_begun_is_cut(error: Exception) -> None:
    """A second head would be a lie; the server closes the connection."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    app, _ = guarded(broken)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {"type": "http", "path": "/x", "method": "GET", "headers": []}
    with pytest.raises(type(error)):
        await app(scope, receive, send)
    assert len(sent) == 1


async def test_too_many_exchanges_are_refused_at_the_door() -> None:
    """429 at once with a time to come back, and health is still answered."""
    release, both_inside = asyncio.Event(), asyncio.Event()

    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        if app.in_flight == 2:
            both_inside.set()
        if scope["path"].startswith("/v1/"):
            await release.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    app, metrics = guarded(waiting, max_exchanges=2)
    async with client_of(app) as client:
        inside = [asyncio.create_task(client.get("/v1/models")) for _ in range(2)]
        await asyncio.wait_for(both_inside.wait(), PATIENCE_S)
        refused = await client.get("/v1/models")
        healthy = await client.get("/healthz")
        release.set()
        done = await asyncio.gather(*inside)
        after = await client.get("/v1/models")

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert [reply.status_code for reply in (healthy, *done, after)] == [204] * 4
    assert counted(metrics, route="/v1/*", status="204") == 3


async def test_a_client_that_left_is_counted_as_such() -> None:
    """499, as others count it: no status was ever sent."""

    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        return

    app, metrics = guarded(silent)

    async def nothing(*_: Any) -> Any:
        return {"type": "http.disconnect"}

    await app({"type": "http", "path": "/x", "headers": []}, nothing, nothing)
    await app({"type": "lifespan"}, nothing, nothing)

    assert counted(metrics, route="unmatched", status="499") == 1


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A service that takes bodies of at most 1000 bytes."""
    settings = local_settings(tmp_path, limits={"body_bytes": 1000})
    async with serving_locally(settings) as local:
        yield local.client


async def chunked(size: int) -> AsyncIterator[bytes]:
    """A body whose length nobody states."""
    for _ in range(size // 100):
        yield b"x" * 100


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/feedback", "/v1/files"])
@pytest.mark.parametrize("is_stated", [True, False])
async def test_a_body_over_the_limit_is_refused(
    small: httpx.AsyncClient, path: str, is_stated: bool
) -> None:
    """413 on every route, by the stated length or while reading."""
    content = b"x" * 2000 if is_stated else chunked(2000)
    reply = await small.post(path, content=content, headers={"content-type": "application/json"})

    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/healthz", 405, "invalid_request"),
        ("POST", "/v1/feedback", 400, "invalid_request"),
        ("GET", "/v1/interactions?limit=many", 400, "invalid_request"),
        ("DELETE", "/v1/feedback", 404, "not_found"),
        ("POST", "/v1/interactions", 404, "not_found"),
        ("GET", "/v1/preferences/exports?format=dpo", 404, "not_found"),
        ("GET", "/v1/score", 404, "not_found"),
    ],
)
async def test_every_error_is_in_the_envelope(
    small: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    """Wherever it comes from, message, type, param and code are there."""
    reply = await small.request(method, path)

    assert reply.status_code == status
    assert reply.json()["error"]["code"] == code
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}


async def test_a_store_that_goes_away_is_503(tmp_path: Path) -> None:
    """Not 500, and without a word of the database."""
    async with serving_locally(local_settings(tmp_path)) as local:
        async with local.state.store.writing() as unit:
            await unit.connection.exec_driver_sql("ALTER TABLE interactions RENAME TO gone")
        reply = await local.client.get("/v1/interactions")

    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "store_unavailable")
    assert "interactions" not in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"upstreams": []}, ConfigError),
        ({"upstreams": [{"url": "http://a/v1", "api_key_env": "NOT_THERE"}]}, ConfigError),
        ({"policies": {}, "scoring": {"model": "no-such-model"}}, ModelError),
    ],
)
async def test_a_service_that_cannot_start_says_why(
    tmp_path: Path, values: dict[str, Any], error: type[Exception]
) -> None:
    """The lifespan fails with the reason, before a port is open."""
    with pytest.raises(error):
        async with serving_locally(local_settings(tmp_path, **values)):
            pass


async def test_a_policy_that_cannot_hold_keeps_the_service_from_starting(tmp_path: Path) -> None:
    """A veto without its scorer is refused also where an engine is given."""
    rules = {"default": {"reply": {"sycophancy": {"veto": 0.5}}}}
    settings = local_settings(tmp_path, policies=rules)

    with pytest.raises(PolicyError):
        async with serving_locally(settings, engine=WordEngine(), heads=WordHeads()):
            pass


def test_making_an_app_opens_nothing(tmp_path: Path) -> None:
    """No file, no thread, no connection before the lifespan."""
    create_app(local_settings(tmp_path))

    assert list(tmp_path.iterdir()) == []


def test_upstreams_take_their_keys_from_the_environment() -> None:
    """By the variable's name; none is the client's own key passed on."""
    upstreams = [
        {"name": "a", "url": "http://a/v1", "api_key_env": "KEY_A"},
        {"name": "b", "url": "http://b/v1", "models": ["gpt-*"]},
    ]
    settings = Settings.model_validate({"upstreams": upstreams})

    found = targets(settings, {"KEY_A": "sk-1"})

    assert [(t.name, t.api_key, t.models) for t in found] == [
        ("a", "sk-1", ("*",)),
        ("b", None, ("gpt-*",)),
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "fairlead.db.spool"),
        ({"database_url": "sqlite+aiosqlite:////var/lib/f.db"}, "/var/lib/f.db.spool"),
        ({"database_url": "postgresql+asyncpg://db/f"}, "fairlead-spool"),
        ({"spool_dir": "/spool"}, "/spool"),
    ],
)
def test_the_spool_lies_beside_the_record(values: dict[str, Any], expected: str) -> None:
    """Where it is set, else beside SQLite's file, else in the working folder."""
    assert str(spool_dir(Settings.model_validate(values))) == expected


async def key_of(local: Local, *scopes: KeyScope, policies: tuple[str, ...] | None = None) -> str:
    """A new key in the store."""
    key, record = new_key(f"{scopes} {policies}", scopes=scopes, policies=policies)
    async with local.state.store.writing() as unit:
        await unit.keys.add(record)
    return key


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings"])
@pytest.mark.parametrize(
    ("configured", "sent", "expected"),
    [
        (None, {"authorization": "Bearer OURS"}, None),
        (None, {"x-fairlead-key": "OURS", "authorization": "Bearer sk-1"}, "Bearer sk-1"),
        ("sk-2", {"authorization": "Bearer OURS"}, "Bearer sk-2"),
        ("sk-2", {"x-fairlead-key": "OURS", "authorization": "Bearer sk-1"}, "Bearer sk-2"),
    ],
)
async def test_the_proxys_own_key_stays_here(
    tmp_path: Path,
    upstream: Upstream,
    monkeypatch: pytest.MonkeyPatch,
    *,
    path: str,
    configured: str | None,
    sent: dict[str, str],
    expected: str | None,
) -> None:
    """The upstream sees its configured key, or the client's own for it, and never ours."""
    monkeypatch.setenv("UPSTREAM_KEY", configured or "")
    target = {"url": upstream.url, "api_key_env": "UPSTREAM_KEY" if configured else None}
    settings = local_settings(tmp_path, upstreams=[target], access={"required": True})
    async with serving_locally(settings) as local:
        key = await key_of(local, "proxy", "feedback")
        headers = {name: value.replace("OURS", key) for name, value in sent.items()}
        reply = await local.client.post(path, json=ASK, headers=headers)
        listed = await local.client.get("/v1/interactions", headers={"x-fairlead-key": key})

    assert reply.status_code == 200
    seen = upstream.seen[0].headers
    assert (seen.get("authorization"), seen.get("x-fairlead-key")) == (expected, None)
    assert key not in repr(seen) + listed.text


@pytest.mark.parametrize(
    ("policies", "asked", "status"),
    [(None, None, 200), (None, "lax", 403), (("lax",), "lax", 200), (("*",), "lax", 200)],
)
async def test_a_key_chooses_its_policies_only(
    tmp_path: Path,
    upstream: Upstream,
    policies: tuple[str, ...] | None,
    asked: str | None,
    status: int,
) -> None:
    """A refusal is in the envelope and in the record."""
    off = {"mode": "off"}
    settings = local_settings(
        tmp_path,
        upstreams=[{"url": upstream.url}],
        access={"required": True},
        policies={"default": off, "lax": off},
    )
    async with serving_locally(settings) as local:
        headers = {"x-fairlead-key": await key_of(local, "proxy", "feedback", policies=policies)}
        extension = {"fairlead": {"policy": asked}} if asked else {}
        reply = await local.client.post(
            "/v1/chat/completions", json=ASK | extension, headers=headers
        )
        listed = (await local.client.get("/v1/interactions", headers=headers)).json()["items"]

    assert reply.status_code == status
    assert [item["http_status"] for item in listed] == [status]


@pytest.mark.parametrize(
    ("path", "model", "asked", "expected"),
    [
        ("/v1/chat/completions", "m", None, "default"),
        ("/v1/chat/completions", "llama-3", None, "llamas"),
        ("/v1/completions", "m", None, "texts"),
        ("/v1/completions", "llama-3", None, "texts"),
        ("/v1/completions", "llama-3", "default", "default"),
    ],
)
async def test_route_model_and_request_choose_the_policy(
    tmp_path: Path,
    upstream: Upstream,
    *,
    path: str,
    model: str,
    asked: str | None,
    expected: str,
) -> None:
    """The request's own wish, else the first in the file that fits, else `default`."""
    off = {"mode": "off"}
    policies = {"default": off, "texts": off | {"routes": ["/v1/completions"]}}
    policies["llamas"] = off | {"models": ["llama-*"]}
    settings = local_settings(tmp_path, upstreams=[{"url": upstream.url}], policies=policies)
    body = {"model": model, "messages": ASK["messages"], "prompt": "Hello?"}
    async with serving_locally(settings) as local:
        extension = {"fairlead": {"policy": asked}} if asked else {}
        reply = await local.client.post(path, json=body | extension)
        listed = (await local.client.get("/v1/interactions")).json()["items"]

    assert reply.status_code in (200, 502)
    assert [item["policy"] for item in listed] == [expected]


async def test_a_keys_own_policy_holds(tmp_path: Path, upstream: Upstream) -> None:
    """The first policy that a key names is its own, before route and model."""
    off = {"mode": "off"}
    settings = local_settings(
        tmp_path,
        upstreams=[{"url": upstream.url}],
        access={"required": True},
        policies={"default": off, "chats": off | {"routes": ["/v1/chat/*"]}, "own": off},
    )
    async with serving_locally(settings) as local:
        key = await key_of(local, "proxy", "feedback", policies=("own",))
        headers = {"x-fairlead-key": key}
        await local.client.post("/v1/chat/completions", json=ASK, headers=headers)
        listed = (await local.client.get("/v1/interactions", headers=headers)).json()["items"]

    assert [item["policy"] for item in listed] == ["own"]


def test_an_upstream_s_own_times_hold() -> None:
    """What an upstream leaves out is what holds for all."""
    upstreams = [
        {"name": "a", "url": "http://a/v1", "head_s": 9},
        {"name": "b", "url": "http://b/v1"},
    ]
    settings = Settings.model_validate({"upstreams": upstreams, "timeouts": {"idle_s": 7}})

    own, common = (target.timeouts for target in targets(settings, {}))

    assert (own, common) == (UpstreamTimeouts(5, 9, 7), UpstreamTimeouts(5, 300, 7))


async def test_anthropic_s_clients_get_its_envelope(tmp_path: Path) -> None:
    """A missing key is told in the form that the client reads, also beside the scored route."""
    settings = local_settings(tmp_path, access={"required": True})
    async with serving_locally(settings) as local:
        count = await local.client.post("/v1/messages/count_tokens", json=ASK)
        models = await local.client.get("/v1/models", headers={"anthropic-version": "2023-06-01"})
        wrong = await local.client.options("/v1/messages/count_tokens")
        openai = await local.client.get("/v1/models")

    for got in (count, models):
        assert got.status_code == 401
        assert (got.json()["type"], got.json()["error"]["type"]) == (
            "error",
            "authentication_error",
        )
    assert (wrong.status_code, wrong.json()["type"]) == (405, "error")
    assert openai.json()["error"]["code"] == "invalid_api_key"


async def test_a_thumb_right_after_the_reply_finds_it(tmp_path: Path, upstream: Upstream) -> None:
    """Under a strict record the reply's own id is known before the client can use it."""
    settings = local_settings(tmp_path, upstreams=[{"url": upstream.url}])
    async with serving_locally(settings) as local:
        reply = await local.client.post("/v1/chat/completions", json=ASK)
        stored = await local.client.post(
            "/v1/feedback", json={"id": reply.json()["id"], "rating": "up"}
        )

    assert (reply.status_code, stored.status_code) == (200, 201)
    assert stored.json()["interaction_id"] == reply.headers["x-fairlead-id"]
