"""What OpenTelemetry is told of exchanges: spans for the calls, an event for each score."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from service.telemetry import EVENT, Telemetry
from service.upstream import Target
from tests.fakes import messages
from tests.fakes.engine import BAD
from tests.fakes.local import local_settings, serving_locally
from tests.fakes.proxy import ENFORCE, Running, Setting, ask, running, serving
from tests.fakes.replies import REPLY_ID, completion, text_events
from tests.fakes.scripts import Status, Stream, plain
from tests.fakes.upstream import Upstream, closed_port_url

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECRET = "A word that only the two of us know."


@dataclass(frozen=True)
class Told:
    """A proxy, and what it told."""

    proxy: Running
    spans: InMemorySpanExporter
    logs: InMemoryLogRecordExporter

    def span(self, kind: SpanKind) -> ReadableSpan:
        """The only span of a kind."""
        [found] = [span for span in self.spans.get_finished_spans() if span.kind is kind]
        return found

    @property
    def events(self) -> list[ReadableLogRecord]:
        """The events."""
        return list(self.logs.get_finished_logs())


@asynccontextmanager
async def told(upstream: Upstream, **changes: Any) -> AsyncIterator[Told]:
    """A proxy whose telemetry stays in memory."""
    spans, logs = InMemorySpanExporter(), InMemoryLogRecordExporter()
    tracers, loggers = TracerProvider(), LoggerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    loggers.add_log_record_processor(SimpleLogRecordProcessor(logs))
    targets = changes.pop("targets", (Target("default", upstream.url),))
    policy = changes.pop("policy", ENFORCE)
    telemetry = Telemetry(
        tracers.get_tracer("t"), loggers.get_logger("t"), {t.name: t for t in targets}, **changes
    )
    setting = Setting(upstream.url, targets=targets, policy=policy, tracing=telemetry)
    async with running(setting) as proxy:
        yield Told(proxy, spans, logs)
    tracers.shutdown()
    loggers.shutdown()


def attributes(told_of: ReadableSpan | ReadableLogRecord) -> dict[str, Any]:
    """The attributes of a span or an event."""
    found = (
        told_of.attributes if isinstance(told_of, ReadableSpan) else told_of.log_record.attributes
    )
    return dict(found or {})


async def test_a_plain_exchange_is_a_server_span_and_a_call(upstream: Upstream) -> None:
    """The call has the names of the conventions, and is below the exchange."""
    async with told(upstream) as found:
        await found.proxy.chat(temperature=0.5, max_completion_tokens=9)
        call, exchange = found.span(SpanKind.CLIENT), found.span(SpanKind.SERVER)

    assert exchange.name == "POST /v1/chat/completions"
    assert call.name == "chat fake-model"
    assert call.parent == exchange.context
    assert attributes(call) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "fake-model",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.response.id": REPLY_ID,
        "gen_ai.response.model": "fake-model",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 5,
        "server.address": "127.0.0.1",
        "server.port": upstream.port,
        "fairlead.upstream": "default",
    }
    seen = attributes(exchange)
    assert seen["fairlead.id"] == found.proxy.record.id
    assert (seen["http.response.status_code"], seen["fairlead.verdict"]) == (200, "allow")
    assert exchange.start_time <= call.start_time <= call.end_time <= exchange.end_time  # type: ignore[operator]


async def test_each_score_is_an_event_on_its_call(upstream: Upstream) -> None:
    """The event says which score, how high, and what the policy made of it."""
    upstream.script = plain(f"You are {BAD}.")
    async with told(upstream) as found:
        await found.proxy.chat()
        call, events = found.span(SpanKind.CLIENT), found.events
        scores = [s for s in found.proxy.record.scores if s.risk is not None]

    assert {event.log_record.event_name for event in events} == {EVENT}
    assert {event.log_record.span_id for event in events} == {call.context.span_id}  # type: ignore[union-attr]
    assert len(events) == len(scores)
    [vetoed] = [e for e in map(attributes, events) if e["gen_ai.evaluation.score.label"] == "veto"]
    assert vetoed == {
        "gen_ai.evaluation.name": "toxicity",
        "gen_ai.evaluation.score.value": 0.99,
        "gen_ai.evaluation.score.label": "veto",
        "gen_ai.response.id": REPLY_ID,
        "fairlead.side": "reply",
        "fairlead.choice": 0,
        "fairlead.scorer.model": "words@1",
        "fairlead.threshold.flag": 0.5,
        "fairlead.threshold.veto": 0.9,
    }


async def test_a_stream_tells_its_first_chunk(upstream: Upstream) -> None:
    """It says that it is one, and ends before the exchange does."""
    upstream.script = Stream(text_events("Hello", " there."))
    async with told(upstream) as found:
        await found.proxy.chat(stream=True)
        await found.proxy.recorded()
        call = attributes(found.span(SpanKind.CLIENT))

    assert call["gen_ai.request.stream"] is True
    assert call["gen_ai.response.time_to_first_chunk"] > 0
    assert call["gen_ai.response.finish_reasons"] == ("stop",)


async def test_no_text_is_told_unless_asked_for(upstream: Upstream) -> None:
    """Neither prompt nor reply, nor what ends one, stands in any span or event."""
    upstream.script = plain(SECRET)
    async with told(upstream) as found:
        await found.proxy.chat(SECRET, stop=[SECRET])
        spans, events = found.spans.get_finished_spans(), found.events

    assert len(spans) == 2
    assert events
    for one in (*spans, *events):
        assert SECRET not in one.to_json()


async def test_texts_are_told_where_asked_for(upstream: Upstream) -> None:
    """Both sides are there in the convention's form, attachments by reference only."""
    upstream.script = plain(SECRET)
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    async with told(upstream, has_content=True) as found:
        await found.proxy.chat([{"type": "text", "text": "What is it?"}, image])
        call = attributes(found.span(SpanKind.CLIENT))

    [asked] = json.loads(call["gen_ai.input.messages"])
    assert asked["role"] == "user"
    assert asked["parts"][0] == {"type": "text", "content": "What is it?"}
    assert "QUJD" not in call["gen_ai.input.messages"]
    [written] = json.loads(call["gen_ai.output.messages"])
    assert written == {
        "role": "assistant",
        "parts": [{"type": "text", "content": SECRET}],
        "finish_reason": "stop",
    }


@pytest.mark.parametrize("level", ["redact", "hash", "drop"])
async def test_texts_that_the_record_may_not_have_are_not_told(
    upstream: Upstream, level: Any
) -> None:
    """Whoever keeps texts out of the record does not find them at the collector."""
    upstream.script = plain(SECRET)
    policy = replace(ENFORCE, text=level)
    async with told(upstream, has_content=True, policy=policy) as found:
        await found.proxy.client.post("/v1/chat/completions", json=ask(SECRET, stop=[SECRET]))
        spans = found.spans.get_finished_spans()

    assert len(spans) == 2
    assert all(SECRET not in span.to_json() for span in spans)


async def test_anthropics_tokens_are_counted_with_its_cache(upstream: Upstream) -> None:
    """The provider is told by the format; its input tokens leave out what was cached."""
    usage = {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 40}
    upstream.script = Status(200, messages.plain(messages.text("Hello."), usage=usage))
    async with told(upstream) as found:
        body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
        await found.proxy.client.post("/v1/messages", json=body)
        call = attributes(found.span(SpanKind.CLIENT))

    assert call["gen_ai.provider.name"] == "anthropic"
    assert call["gen_ai.usage.input_tokens"] == 43
    assert call["gen_ai.usage.cache_read.input_tokens"] == 40


async def test_a_failed_upstream_is_an_error(upstream: Upstream) -> None:
    """Both spans say so, with the code that the client was told."""
    targets = (Target("default", closed_port_url()),)
    async with told(upstream, targets=targets) as found:
        reply = await found.proxy.chat()
        call, exchange = found.span(SpanKind.CLIENT), found.span(SpanKind.SERVER)

    code = reply.json()["error"]["code"]
    assert [s.status.status_code for s in (call, exchange)] == [StatusCode.ERROR] * 2
    assert [attributes(s)["error.type"] for s in (call, exchange)] == [code] * 2


async def test_each_attempt_has_a_call_and_scores_of_its_own(upstream: Upstream) -> None:
    """A reply that was asked for again is a second call; each has its events."""
    upstream.script = [Status(200, completion(f"{BAD}.")), plain("Kindly.")]
    rules = {
        side: tuple(replace(rule, action="regenerate", attempts=1) for rule in found)
        for side, found in ENFORCE.rules.items()
    }
    async with told(upstream, policy=replace(ENFORCE, rules=rules)) as found:
        await found.proxy.chat()
        spans = [s for s in found.spans.get_finished_spans() if s.kind is SpanKind.CLIENT]
        events = found.events

    assert len(spans) == 2
    vetoed = [e for e in events if attributes(e).get("gen_ai.evaluation.score.label") == "veto"]
    assert {e.log_record.span_id for e in vetoed} == {spans[0].context.span_id}  # type: ignore[union-attr]
    assert {e.log_record.span_id for e in events} == {s.context.span_id for s in spans}  # type: ignore[union-attr]


async def test_a_clients_trace_goes_on(upstream: Upstream) -> None:
    """The exchange is in the trace of whoever asks; the upstream gets the header as it came."""
    async with told(upstream) as found:
        headers = {"traceparent": PARENT}
        await found.proxy.client.post("/v1/chat/completions", json=ask(), headers=headers)
        exchange = found.span(SpanKind.SERVER)

    assert exchange.parent is not None
    assert f"{exchange.parent.trace_id:032x}" in PARENT
    assert upstream.seen[0].headers["traceparent"] == PARENT


@pytest.mark.parametrize("sent", [{}, {"traceparent": PARENT, "tracestate": "a=b"}])
async def test_the_upstream_goes_on_where_configured(
    upstream: Upstream, sent: Mapping[str, str]
) -> None:
    """It gets the call's span as its parent, once."""
    async with told(upstream, is_propagating=True) as found:
        await found.proxy.client.post("/v1/chat/completions", json=ask(), headers=dict(sent))
        call = found.span(SpanKind.CLIENT)

    assert call.context is not None
    passed = upstream.seen[0].headers["traceparent"]
    own = call.context
    assert passed == f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"
    assert passed.split("-")[1] == PARENT.split("-")[1] or not sent


async def test_without_telemetry_no_header_is_added(upstream: Upstream) -> None:
    """What goes upstream is what came."""
    async with running(Setting(upstream.url)) as proxy:
        await proxy.chat()

    assert "traceparent" not in upstream.seen[0].headers


async def test_a_collector_gets_it_over_http(tmp_path: Path, upstream: Upstream) -> None:
    """The whole service sends spans and events when it stops, to the paths of OTLP."""
    got: dict[str, list[bytes]] = {}

    async def collector(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        got.setdefault(scope["path"], []).append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with serving(collector) as url:
        settings = local_settings(
            tmp_path,
            upstreams=[{"url": upstream.url}],
            telemetry={"exporter": "otlp", "endpoint": url, "service_name": "mine"},
        )
        async with serving_locally(settings) as local:
            await local.client.post("/v1/chat/completions", json=ask())

    [traces] = [ExportTraceServiceRequest.FromString(body) for body in got["/v1/traces"]]
    [resource] = traces.resource_spans
    names = {a.key: a.value.string_value for a in resource.resource.attributes}
    assert names["service.name"] == "mine"
    spans = [span.name for scope in resource.scope_spans for span in scope.spans]
    assert sorted(spans) == ["POST /v1/chat/completions", "chat fake-model"]
    assert "/v1/logs" not in got  # nothing is scored here


async def test_a_collector_that_is_away_hinders_nobody(tmp_path: Path, upstream: Upstream) -> None:
    """Replies come as ever, and the service stops."""
    endpoint = closed_port_url().removesuffix("/v1")
    settings = local_settings(
        tmp_path,
        upstreams=[{"url": upstream.url}],
        telemetry={"exporter": "otlp", "endpoint": endpoint},
    )
    async with serving_locally(settings) as local:
        reply = await local.client.post("/v1/chat/completions", json=ask())

    assert reply.status_code == 200
