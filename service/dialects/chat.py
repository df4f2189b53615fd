"""OpenAI's chat completions: `/v1/chat/completions`, plain and streamed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from service.dialects.base import ReadLimits, VetoNote
from service.dialects.body import DONE, encode, encode_event, request_object, upstream_object
from service.dialects.chat_stream import ChatStream, choice_index, choices_of
from service.dialects.conversation import newest, pieces, read_turns, transcript
from service.dialects.extension import KEY
from service.dialects.fields import (
    is_stream,
    read_context,
    read_model,
    read_n,
    read_params,
    read_tools,
    take_extension,
    text_or_none,
    wants_usage,
)
from service.dialects.instruction import in_messages
from service.dialects.logprobs import chat_logprobs
from service.dialects.text import beside_texts, choice_texts, known_fields
from service.dialects.twin import LastWords, last_words, once, with_words
from service.errors import BadRequest, FairleadError, UpstreamMalformed
from service.exchange import Ask, Choice, Reply

ROUTE = "/v1/chat/completions"
_NO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
# Beside the scalars, the structured settings that shape a reply; the rest is
# content (messages, tools, prediction) or kept elsewhere in the record.
_STRUCTURED = frozenset({"response_format", "stop", "tool_choice", "reasoning", "modalities"})
_KEPT_ELSEWHERE = frozenset({"model", "stream", "n", "user", KEY})


class Chat:
    """The chat dialect. `now` is a clock in seconds since 1970, for replies of our own."""

    name = "chat"
    routes = (ROUTE,)
    stored_routes = (f"{ROUTE}/{{id}}",)
    upstream_paths: Mapping[str, str] = {ROUTE: "/chat/completions"}
    veto_finish = "content_filter"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now

    def parse(self, body: bytes, route: str, *, limits: ReadLimits) -> Ask:
        """The request; anything that is not one raises `BadRequest` naming the field."""
        asked = request_object(body, limits.max_depth)
        extension, body = take_extension(asked, body, limits=limits)
        extension = replace(extension, user=extension.user or text_or_none(asked.get("user")))
        model, messages = read_model(asked), _messages(asked)
        turns = read_turns(messages)
        context, left_out = read_context(extension, turns, limits=limits)
        return Ask(
            route=route,
            dialect=self.name,
            body=body,
            model=model,
            messages=messages,
            prompt=newest(turns),
            pieces=pieces(turns),
            transcript=transcript(turns),
            context=context,
            context_left_out=left_out,
            is_stream=is_stream(asked),
            wants_usage=wants_usage(asked),
            n=read_n(asked, limits.max_choices),
            tools=read_tools(asked),
            params=read_params(asked, _STRUCTURED, elsewhere=_KEPT_ELSEWHERE),
            extension=extension,
        )

    def instructed(self, ask: Ask, text: str) -> bytes:
        """The request's body with one more instruction to the model."""
        return encode(in_messages(request_object(ask.body), text)) if text else ask.body

    def last_words(self, ask: Ask) -> LastWords | None:
        """What the user said last."""
        return last_words(request_object(ask.body)["messages"])

    def restated(self, ask: Ask, texts: Sequence[str], *, instruction: str = "") -> bytes:
        """The request with these texts for the last words, for one reply without tools."""
        asked = once(request_object(ask.body))
        asked["messages"] = with_words(asked["messages"], texts)
        return encode(in_messages(asked, instruction) if instruction else asked)

    def reply(self, body: bytes) -> Reply:
        """A plain reply; bytes that are not one raise `UpstreamMalformed`."""
        said = upstream_object(body)
        if "choices" not in said:
            raise UpstreamMalformed("The upstream sent a reply without `choices`.")
        beside = list(beside_texts(said))
        choices = tuple(_choice(choice, at, beside) for at, choice in enumerate(choices_of(said)))
        usage = said.get("usage")
        return Reply(
            id=text_or_none(said.get("id")),
            model=text_or_none(said.get("model")),
            choices=choices,
            usage=usage if isinstance(usage, dict) else None,
            body=said,
        )

    def stream(self, ask: Ask) -> ChatStream:
        """A reader and writer for one streamed reply."""
        wanted = ask.params.get("response_format")
        kind = wanted.get("type", "text") if isinstance(wanted, dict) else "text"
        return ChatStream(ask.model, self._now, is_structured=kind != "text")

    def vetoed(
        self, reply: Reply, notes: Mapping[int, VetoNote], fairlead: dict[str, Any]
    ) -> bytes:
        """The reply with the vetoed choices replaced by their refusals.

        Of a vetoed choice nothing that the model wrote is left: no tool calls,
        reasoning, annotations or log-probabilities, and where no other choice is
        left no field that is not known either.
        """
        pairs = zip(reply.choices, choices_of(reply.body), strict=True)
        choices = [
            _refused(read.index, notes[read.index].refusal) if read.index in notes else choice
            for read, choice in pairs
        ]
        body = known_fields(reply.body) if len(notes) == len(choices) else reply.body
        return encode(body | {"choices": choices, KEY: fairlead})

    def annotated(self, reply: Reply, fairlead: dict[str, Any]) -> bytes:
        """The reply unchanged but for the top-level `fairlead` object."""
        return encode(reply.body | {KEY: fairlead})

    def prompt_refused(self, ask: Ask, note: VetoNote) -> bytes:
        """A plain 200 reply that holds the refusal, for `veto.prompt_as: refusal`."""
        head = self.stream(ask).head(note, "chat.completion")
        choices = [_refused(index, note.refusal) for index in range(ask.n)]
        return encode(head | {"choices": choices, "usage": _NO_USAGE, KEY: note.fairlead})

    def prompt_refused_stream(self, ask: Ask, note: VetoNote) -> bytes:
        """The same as a whole stream."""
        stream = self.stream(ask)
        events = [stream.refusal(index, note, has_begun=False) for index in range(ask.n)]
        if ask.wants_usage:
            usage = {"choices": [], "usage": _NO_USAGE}
            events.append(encode_event(stream.head(note, "chat.completion.chunk") | usage))
        return b"".join([*events, DONE])

    def error(self, error: FairleadError) -> bytes:
        """An error in OpenAI's envelope."""
        return encode(error.to_dict())


def _refused(index: int, refusal: str) -> dict[str, Any]:
    return {
        "index": index,
        "message": {"role": "assistant", "content": refusal},
        "logprobs": None,
        "finish_reason": "content_filter",
    }


def _choice(choice: Any, at: int, beside: list[tuple[str, str]]) -> Choice:
    """A choice; what the reply says beside its choices counts as said by each of them."""
    index = choice_index(choice, at)
    message, reason = choice.get("message"), choice.get("finish_reason")
    if not isinstance(message, dict):
        raise UpstreamMalformed(f"The upstream sent a choice without a message: choices[{at}].")
    if not isinstance(reason, str | None):
        raise UpstreamMalformed(f"The upstream sent a wrong choices[{at}].finish_reason.")
    channels: dict[str, str] = {}
    for channel, text in [*choice_texts(choice, message), *beside]:
        channels[channel] = channels.get(channel, "") + text
    return Choice(
        index=index,
        message=message,
        channels=channels,
        finish_reason=reason,
        logprobs=chat_logprobs(choice),
    )


def _messages(asked: dict[str, Any]) -> list[dict[str, Any]]:
    messages = asked.get("messages")
    if isinstance(messages, list) and messages:
        return messages
    raise BadRequest("`messages` must be a list of at least one message.", param="messages")
