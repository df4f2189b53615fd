"""Exchanges as OpenTelemetry spans, each score as an event; see `telemetry` in the settings.

An exchange is a server span; each call to an upstream is a client span below it with the `gen_ai.*`
attributes of OpenTelemetry's conventions for generative AI (github.com/open-telemetry/
semantic-conventions-genai, in development: names may change with them). A score is an event
`gen_ai.evaluation.result` on the call that made the reply. Texts are in it only where asked for.
Needs the extra `otel`; this module is imported only where telemetry is on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from opentelemetry._logs import Logger, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from service.call import Call
from service.errors import FairleadError
from service.exchange import Ask
from service.recorder import Attempt, Run, reply_scores, score_records
from service.settings import TelemetrySettings
from service.telemetry_attributes import (
    Attributes,
    asked,
    contents,
    evaluation,
    operation,
    replied,
)
from service.tracing import BESIDE, Send
from service.upstream import Headers, Target, UpstreamReply
from storage.records import ScoreRecord

EVENT = "gen_ai.evaluation.result"
EXPORT_TIMEOUT_S = 5.0
MOST_CHARS = 32_768
"""A longer text is cut, so that what waits to be sent is bounded."""

_W3C = TraceContextTextMapPropagator()
_NS_PER_US = 1000


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Follows exchanges with a tracer and a logger, which have somewhere to send to."""

    tracer: Tracer
    logger: Logger
    targets: Mapping[str, Target]
    has_content: bool = False
    is_propagating: bool = False

    def begin(self, call: Call) -> ExchangeTrace:
        """An exchange begins; a client that sends a `traceparent` has it in its own trace."""
        route = call.run.ask.route
        span = self.tracer.start_span(
            f"{call.method} {route}",
            context=_W3C.extract({name.lower(): value for name, value in call.headers}),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": call.method, "http.route": route},
            start_time=call.run.created_us * _NS_PER_US,
        )
        # What the policy does not let the record have is told to nobody else either.
        has_content = self.has_content and call.run.policy.text == "keep"
        return ExchangeTrace(self, call.run.ask, span, has_content=has_content)


class ExchangeTrace:
    """The spans of one exchange. Those of its calls end with it, when all is known of them."""

    def __init__(self, telemetry: Telemetry, ask: Ask, span: Span, *, has_content: bool) -> None:
        self._telemetry = telemetry
        self._ask = ask
        self._has_content = has_content
        self._span = span
        self._context = set_span_in_context(span, Context())
        self._calls: dict[int, _CallSpan] = {}

    async def call(
        self, send: Send, target: Target, headers: Headers, *, number: int
    ) -> UpstreamReply:
        """See `Trace.call`."""
        call = _CallSpan(self._start_call(target))
        if number != BESIDE:
            self._calls[number] = call
        if self._telemetry.is_propagating:
            headers = _with_context(headers, call.span)
        try:
            reply = await send(headers)
        except BaseException as error:
            call.fail(_kind(error))
            call.end()
            raise
        call.note(self._answered_by(reply.upstream))
        if not 200 <= reply.status < 300:
            call.fail(str(reply.status))
        return _TracedReply(reply, call, is_whole=number == BESIDE)

    def end(self, run: Run) -> None:
        """See `Trace.end`."""
        attempts: list[Attempt | Run] = [*run.attempts, run]
        for attempt in attempts:
            call = self._calls.get(attempt.number)
            if call is not None:
                self._describe(call.span, attempt, run)
            scores = score_records(run) if attempt is run else reply_scores(attempt.windows)
            self._tell_scores(scores, call.span if call else self._span, attempt.reply_id)
        for call in self._calls.values():
            call.end()
        self._end_exchange(run)

    def _start_call(self, target: Target) -> Span:
        ask = self._ask
        attributes = asked(ask, with_text=self._has_content) | _address(target)
        name = f"{operation(ask)} {ask.model}".rstrip()
        return self._telemetry.tracer.start_span(
            name, context=self._context, kind=SpanKind.CLIENT, attributes=attributes
        )

    def _answered_by(self, name: str) -> Attributes:
        """Where the reply came from in the end: an upstream may have a fallback."""
        target = self._telemetry.targets.get(name)
        return {"fairlead.upstream": name} | (_address(target) if target else {})

    def _describe(self, span: Span, attempt: Attempt | Run, run: Run) -> None:
        if not span.is_recording():
            return
        span.set_attributes(replied(self._ask, attempt))
        first_s = run.timings.first_token_s
        if attempt is run and first_s is not None:
            span.set_attribute("gen_ai.response.time_to_first_chunk", first_s)
        if attempt.error_code is not None:
            _fail(span, attempt.error_code)
        if self._has_content:
            span.set_attributes(contents(self._ask, attempt))

    def _tell_scores(self, scores: Iterable[ScoreRecord], span: Span, reply_id: str | None) -> None:
        if not span.is_recording():
            return
        context = set_span_in_context(span, Context())
        for score in scores:
            attributes = evaluation(score, reply_id)
            if attributes is not None:
                self._telemetry.logger.emit(
                    timestamp=time.time_ns(),
                    context=context,
                    severity_number=SeverityNumber.INFO,
                    event_name=EVENT,
                    attributes=attributes,
                )

    def _end_exchange(self, run: Run) -> None:
        span = self._span
        span.set_attributes({
            "http.response.status_code": run.http_status,
            "fairlead.id": run.id,
            "fairlead.policy": run.policy.name,
            "fairlead.verdict": run.outcome.value,
            "fairlead.status": run.status.value,
            "fairlead.overhead": run.timings.overhead_s,
        })  # fmt: skip
        if run.http_status >= 500:
            _fail(span, run.error_code or str(run.http_status))
        span.end()


class _CallSpan:
    """The span of one call, which may be over before it is known what to say of it."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self._over_ns: int | None = None

    def note(self, attributes: Mapping[str, AttributeValue]) -> None:
        """What became known of it."""
        self.span.set_attributes(attributes)

    def fail(self, kind: str) -> None:
        """It went wrong."""
        _fail(self.span, kind)

    def over(self) -> None:
        """The reply has come whole, or will not."""
        self._over_ns = self._over_ns or time.time_ns()

    def end(self) -> None:
        """All is said of it."""
        self.over()
        self.span.end(end_time=self._over_ns)


class _TracedReply:
    """A reply whose call is over when its body has come, or when it is closed."""

    def __init__(self, reply: UpstreamReply, call: _CallSpan, *, is_whole: bool) -> None:
        self._reply = reply
        self._call = call
        self._is_whole = is_whole
        self.status = reply.status
        self.headers = reply.headers
        self.content_type = reply.content_type
        self.upstream = reply.upstream

    async def chunks(self) -> AsyncIterator[bytes]:
        """See `UpstreamReply.chunks`."""
        async for chunk in self._reply.chunks():
            yield chunk
        self._call.over()

    async def read(self, limit_bytes: int) -> bytes:
        """See `UpstreamReply.read`."""
        body = await self._reply.read(limit_bytes)
        self._call.over()
        return body

    def close(self) -> None:
        """See `UpstreamReply.close`."""
        self._reply.close()
        if self._is_whole:
            self._call.end()
        else:
            self._call.over()


def open_telemetry(
    settings: TelemetrySettings, targets: Iterable[Target], stack: AsyncExitStack
) -> Telemetry:
    """Telemetry that is sent to a collector over OTLP; the stack sends the rest and stops it."""
    resource = Resource.create({"service.name": settings.service_name, "service.version": _own()})
    spans = TracerProvider(
        sampler=ParentBasedTraceIdRatio(settings.sample),
        resource=resource,
        span_limits=SpanLimits(max_span_attribute_length=MOST_CHARS),
        shutdown_on_exit=False,
    )
    logs = LoggerProvider(resource=resource, shutdown_on_exit=False)
    base = settings.endpoint.rstrip("/") if settings.endpoint else None
    spans.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(base and f"{base}/v1/traces", timeout=EXPORT_TIMEOUT_S))
    )
    logs.add_log_record_processor(
        BatchLogRecordProcessor(
            OTLPLogExporter(base and f"{base}/v1/logs", timeout=EXPORT_TIMEOUT_S)
        )
    )
    for provider in (spans, logs):
        stack.push_async_callback(asyncio.to_thread, provider.shutdown)
    return Telemetry(
        spans.get_tracer("fairlead"),
        logs.get_logger("fairlead"),
        {target.name: target for target in targets},
        has_content=settings.content,
        is_propagating=settings.propagate,
    )


def _own() -> str:
    try:
        return version("fairlead")
    except PackageNotFoundError:
        return "0+source"


def _with_context(headers: Headers, span: Span) -> Headers:
    """The headers with our span as the upstream's parent in place of the client's."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, context=set_span_in_context(span, Context()))
    kept = [(k, v) for k, v in headers if k.lower() not in {"traceparent", "tracestate"}]
    return [*kept, *carrier.items()]


def _address(target: Target) -> Attributes:
    parts = urlsplit(target.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {"server.address": parts.hostname or "", "server.port": port}


def _kind(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    return error.code if isinstance(error, FairleadError) else type(error).__name__


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))
