"""Anthropic's messages: `/v1/messages`, plain and streamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from service.dialects.base import ReadLimits, VetoNote
from service.dialects.body import encode, request_object, upstream_object
from service.dialects.conversation import newest, pieces, transcript
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
from service.dialects.instruction import added
from service.dialects.messages_form import (
    REFUSED,
    error_body,
    is_structured,
    message_of,
    refusal_end,
    text_block,
)
from service.dialects.messages_request import read_turns, recorded
from service.dialects.messages_stream import MessagesStream
from service.dialects.messages_text import message_texts
from service.dialects.twin import LastWords, last_words, once, with_words
from service.errors import FairleadError, UpstreamMalformed
from service.exchange import Ask, Choice, Reply

ROUTE = "/v1/messages"
# Beside the scalars, the structured settings that shape a reply; the rest is
# content or kept elsewhere in the record.
_STRUCTURED = frozenset(
    {"stop_sequences", "tool_choice", "thinking", "output_config", "output_format"}
)
_KEPT_ELSEWHERE = frozenset({"model", "stream", "system", "messages", "tools", KEY})
_SURVIVORS = ("id", "type", "role", "model", "usage")
"""What is kept of a vetoed message: nothing that the model may have written."""


class Messages:
    """The messages dialect. A reply has one choice."""

    name = "messages"
    routes: tuple[str, ...] = (ROUTE,)
    upstream_paths: Mapping[str, str] = {ROUTE: "/messages"}
    veto_finish = REFUSED

    def parse(self, body: bytes, route: str, *, limits: ReadLimits) -> Ask:
        """The request; anything that is not one raises `BadRequest` naming the field."""
        asked = request_object(body, limits.max_depth)
        extension, body = take_extension(asked, body, limits=limits)
        model, turns = read_model(asked), read_turns(asked)
        context, left_out = read_context(extension, turns, limits=limits)
        return Ask(
            route=route,
            dialect=self.name,
            body=body,
            model=model,
            messages=recorded(asked),
            prompt=newest(turns),
            pieces=pieces(turns),
            transcript=transcript(turns),
            context=context,
            context_left_out=left_out,
            is_stream=is_stream(asked),
            tools=read_tools(asked),
            params=read_params(asked, _STRUCTURED, elsewhere=_KEPT_ELSEWHERE),
            extension=replace(extension, user=extension.user or _user(asked)),
        )

    def instructed(self, ask: Ask, text: str) -> bytes:
        """The request's body with one more instruction to the model, in `system`."""
        if not text:
            return ask.body
        asked = request_object(ask.body)
        return encode(asked | {"system": added(asked.get("system"), text)})

    def last_words(self, ask: Ask) -> LastWords | None:
        """What the user said last."""
        return last_words(request_object(ask.body)["messages"])

    def restated(self, ask: Ask, texts: Sequence[str], *, instruction: str = "") -> bytes:
        """The request with these texts for the last words, for a reply without tools."""
        asked = once(request_object(ask.body))
        asked["messages"] = with_words(asked["messages"], texts)
        if asked.get("tools"):
            asked["tool_choice"] = {"type": "none"}
        if instruction:
            asked["system"] = added(asked.get("system"), instruction)
        return encode(asked)

    def reply(self, body: bytes) -> Reply:
        """A plain reply; bytes that are not one raise `UpstreamMalformed`."""
        said = upstream_object(body)
        if "content" not in said:
            raise UpstreamMalformed("The upstream sent a reply without `content`.")
        reason = said.get("stop_reason")
        if not isinstance(reason, str | None):
            raise UpstreamMalformed("The upstream sent a `stop_reason` that is not a string.")
        channels: dict[str, str] = {}
        for channel, text in message_texts(said):
            channels[channel] = channels.get(channel, "") + text
        message = {"role": "assistant", "content": said["content"]}
        usage = said.get("usage")
        return Reply(
            id=text_or_none(said.get("id")),
            model=text_or_none(said.get("model")),
            choices=(Choice(0, message, channels, reason),),
            usage=usage if isinstance(usage, dict) else None,
            body=said,
        )

    def stream(self, ask: Ask) -> MessagesStream:
        """A reader and writer for one streamed reply."""
        return MessagesStream(ask.model, is_structured=is_structured(ask.params))

    def vetoed(
        self, reply: Reply, notes: Mapping[int, VetoNote], fairlead: dict[str, Any]
    ) -> bytes:
        """The reply with its content replaced by one block with the refusal.

        Where JSON was asked for there is no block, since clients parse every text: the
        refusal stands in `stop_details`, where Anthropic's own refusals are explained.
        """
        if 0 not in notes:
            return self.annotated(reply, fairlead)
        kept = {name: reply.body[name] for name in _SURVIVORS if name in reply.body}
        refusal, is_silent = notes[0].refusal, is_structured(notes[0].params)
        content = [] if is_silent else [text_block(refusal)]
        end = refusal_end(refusal, is_silent=is_silent)
        return encode(kept | {"content": content} | end | {KEY: fairlead})

    def annotated(self, reply: Reply, fairlead: dict[str, Any]) -> bytes:
        """The reply unchanged but for the top-level `fairlead` object."""
        return encode(reply.body | {KEY: fairlead})

    def prompt_refused(self, ask: Ask, note: VetoNote) -> bytes:
        """A plain 200 reply that holds the refusal, for `veto.prompt_as: refusal`."""
        head = {"id": f"msg_{note.fairlead.get('id', KEY)}", "model": ask.model}
        is_silent = is_structured(ask.params)
        message = message_of(head, [] if is_silent else [text_block(note.refusal)], REFUSED)
        end = refusal_end(note.refusal, is_silent=is_silent)
        return encode(message | end | {KEY: note.fairlead})

    def prompt_refused_stream(self, ask: Ask, note: VetoNote) -> bytes:
        """The same as a whole stream."""
        stream = self.stream(ask)
        return stream.refusal(0, note, has_begun=False) + stream.done()

    def error(self, error: FairleadError) -> bytes:
        """An error in Anthropic's envelope."""
        return encode(error_body(error))


def _user(asked: dict[str, Any]) -> str | None:
    metadata = asked.get("metadata")
    return text_or_none(metadata.get("user_id")) if isinstance(metadata, dict) else None
