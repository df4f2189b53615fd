"""OpenAI's Responses API: `/v1/responses`, plain and streamed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson

from service.dialects.base import ReadLimits, VetoNote
from service.dialects.body import encode, request_object, upstream_object
from service.dialects.conversation import newest, pieces, read_turns, transcript
from service.dialects.extension import KEY
from service.dialects.fields import (
    is_stream,
    read_context,
    read_model,
    read_params,
    read_tools,
    take_extension,
    text_or_none,
)
from service.dialects.instruction import in_response
from service.dialects.logprobs import response_logprobs
from service.dialects.responses_input import chat_tools, read_messages
from service.dialects.responses_refusal import (
    NO_USAGE,
    own_response,
    refused_message,
    refused_response,
)
from service.dialects.responses_stream import ResponsesStream, end_of, message_of, text_of
from service.dialects.responses_text import repeated_text, response_texts
from service.dialects.twin import LastWords, last_words, once, with_words
from service.errors import FairleadError, PromptVetoed, UpstreamMalformed
from service.exchange import CONTENT, Ask, Choice, Reply

ROUTE = "/v1/responses"
_STRUCTURED = frozenset({"text", "reasoning", "tool_choice", "conversation"})
_KEPT_ELSEWHERE = frozenset({"model", "stream", "user", "input", "instructions", KEY})


class Responses:
    """The dialect. `now` is a clock in seconds since 1970, for replies of our own.

    A response is one choice: of a vetoed one no item is left.
    """

    name = "responses"
    routes = (ROUTE,)
    stored_routes = (f"{ROUTE}/{{id}}", f"{ROUTE}/{{id}}/cancel")
    upstream_paths: Mapping[str, str] = {ROUTE: "/responses"}
    veto_finish = "content_filter"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now

    def parse(self, body: bytes, route: str, *, limits: ReadLimits) -> Ask:
        """The request; anything that is not one raises `BadRequest` naming the field."""
        asked = request_object(body, limits.max_depth)
        extension, body = take_extension(asked, body, limits=limits)
        user = text_or_none(asked.get("user")) or text_or_none(asked.get("safety_identifier"))
        extension = replace(extension, user=extension.user or user)
        messages = read_messages(asked)
        turns = read_turns(messages)
        context, left_out = read_context(extension, turns, limits=limits)
        return Ask(
            route=route,
            dialect=self.name,
            body=body,
            model=_model(asked),
            messages=messages,
            prompt=newest(turns),
            pieces=pieces(turns),
            transcript=transcript(turns),
            context=context,
            context_left_out=left_out,
            is_stream=is_stream(asked),
            tools=chat_tools(read_tools(asked)),
            params=read_params(asked, _STRUCTURED, elsewhere=_KEPT_ELSEWHERE),
            extension=extension,
        )

    def instructed(self, ask: Ask, text: str) -> bytes | None:
        """The request's body with one more instruction to the model.

        None in a `conversation`: it would then have the input twice.
        """
        asked = request_object(ask.body)
        if asked.get("conversation"):
            return None
        return encode(in_response(asked, text)) if text else ask.body

    def last_words(self, ask: Ask) -> LastWords | None:
        """What the input ends with; None in a `conversation`, which would remember it twice."""
        asked = request_object(ask.body)
        return None if asked.get("conversation") else last_words(_items(asked))

    def restated(self, ask: Ask, texts: Sequence[str], *, instruction: str = "") -> bytes:
        """The request with these texts for the last words, for a reply that is not stored."""
        asked = once(request_object(ask.body))
        items = with_words(_items(asked), texts)
        is_text = isinstance(asked.get("input"), str)
        asked |= {"input": items[0]["content"] if is_text else items, "store": False}
        return encode(in_response(asked, instruction) if instruction else asked)

    def reply(self, body: bytes) -> Reply:
        """A plain reply; bytes that are not one raise `UpstreamMalformed`."""
        said = upstream_object(body)
        output = said.get("output")
        if "output" not in said or not isinstance(output, list | None):
            raise UpstreamMalformed("The upstream sent a response without a list of `output`.")
        usage = said.get("usage")
        return Reply(
            id=text_or_none(said.get("id")),
            model=text_or_none(said.get("model")),
            choices=(_choice(said, output or []),),
            usage=usage if isinstance(usage, dict) else None,
            body=said,
        )

    def stream(self, ask: Ask) -> ResponsesStream:
        """A reader and writer for one streamed reply."""
        is_structured = _is_structured(ask.params.get("text"))
        return ResponsesStream(ask.model, self._now, is_structured=is_structured)

    def vetoed(
        self, reply: Reply, notes: Mapping[int, VetoNote], fairlead: dict[str, Any]
    ) -> bytes:
        """The response with its output replaced by one message that holds the refusal."""
        body = reply.body
        note = notes.get(0)
        if note is None:
            return self.annotated(reply, fairlead)
        is_structured = _is_structured(body.get("text")) or _is_json(text_of(body))
        message = refused_message(note, is_structured=is_structured)
        refused = refused_response(body, [message], note)
        repeated = {"output_text": note.refusal} if repeated_text(body) else {}
        return encode(refused | repeated | {KEY: fairlead})

    def annotated(self, reply: Reply, fairlead: dict[str, Any]) -> bytes:
        """The reply unchanged but for the top-level `fairlead` object."""
        return encode(reply.body | {KEY: fairlead})

    def prompt_refused(self, ask: Ask, note: VetoNote) -> bytes:
        """A plain 200 reply that holds the refusal, for `veto.prompt_as: refusal`."""
        is_structured = _is_structured(ask.params.get("text"))
        message = refused_message(note, is_structured=is_structured)
        own = own_response(note, model=ask.model, created=int(self._now()))
        return encode(refused_response(own | {"usage": NO_USAGE}, [message], note))

    def prompt_refused_stream(self, ask: Ask, note: VetoNote) -> bytes:
        """The same as a whole stream."""
        return self.stream(ask).refusal(0, note, has_begun=False)

    def error(self, error: FairleadError) -> bytes:
        """An error in OpenAI's envelope; a vetoed prompt is the field `input` here."""
        told = error.to_dict()
        if isinstance(error, PromptVetoed):
            told["error"]["param"] = "input"
        return encode(told)


def _items(asked: dict[str, Any]) -> list[Any]:
    """The input as items; a text is the user's message."""
    given = asked.get("input")
    return [{"role": "user", "content": given}] if isinstance(given, str) else given or []


def _model(asked: dict[str, Any]) -> str:
    """The model's name; a stored prompt may name it in the request's place."""
    if asked.get("prompt") and asked.get("model") is None:
        return ""
    return read_model(asked)


def _choice(response: dict[str, Any], output: list[Any]) -> Choice:
    if not all(isinstance(item, dict) for item in output):
        raise UpstreamMalformed("The upstream sent an output item that is not an object.")
    channels: dict[str, str] = {}
    for said in response_texts(response):
        channels[said.channel] = channels.get(said.channel, "") + said.text
    repeated = repeated_text(response)
    if repeated and repeated != channels.get(CONTENT):
        channels["other:output_text"] = repeated
    logprobs = response_logprobs(output)
    return Choice(0, message_of(output), channels, end_of(response), logprobs)


def _is_structured(text: Any) -> bool:
    wanted = text.get("format") if isinstance(text, dict) else None
    kind = wanted.get("type", "text") if isinstance(wanted, dict) else "text"
    return kind != "text"


def _is_json(text: str) -> bool:
    """Whether a text is a JSON object or list, as only a structured reply is."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    with suppress(orjson.JSONDecodeError):
        orjson.loads(text)
        return True
    return False
