"""OpenAI's text completions: `/v1/completions`, plain and streamed.

The choices of all prompts stand in one list, `n` for each prompt. A prompt of
token ids passes, but cannot be scored: there is no text to read.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from service.dialects.base import ReadLimits, VetoNote
from service.dialects.body import DONE, encode, encode_event, request_object, upstream_object
from service.dialects.chat_stream import choice_index, choices_of
from service.dialects.completions_stream import (
    KIND,
    CompletionsStream,
    finish_of,
    refused,
    text_of,
    texts_of,
)
from service.dialects.conversation import Turn, newest, read_turns, transcript
from service.dialects.extension import KEY
from service.dialects.fields import (
    is_stream,
    read_context,
    read_model,
    read_n,
    read_params,
    take_extension,
    text_or_none,
    wants_usage,
)
from service.dialects.instruction import in_prompt
from service.dialects.logprobs import completion_logprobs
from service.dialects.text import beside_texts, known_fields
from service.dialects.twin import LastWords, once
from service.errors import BadRequest, FairleadError, PromptVetoed, UpstreamMalformed
from service.exchange import Ask, Choice, Piece, Question, Reply

ROUTE = "/v1/completions"
_NO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
_KEPT_ELSEWHERE = frozenset({"model", "stream", "n", "user", "prompt", KEY})
_WRONG_PROMPT = "`prompt` must be a string, a list of strings, or token ids."


class Completions:
    """The dialect. `now` is a clock in seconds since 1970, for replies of our own."""

    name = "completions"
    routes = (ROUTE,)
    upstream_paths: Mapping[str, str] = {ROUTE: "/completions"}
    veto_finish = "content_filter"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now

    def parse(self, body: bytes, route: str, *, limits: ReadLimits) -> Ask:
        """The request; anything that is not one raises `BadRequest` naming the field."""
        asked = request_object(body, limits.max_depth)
        extension, body = take_extension(asked, body, limits=limits)
        extension = replace(extension, user=extension.user or text_or_none(asked.get("user")))
        prompts = _prompts(asked.get("prompt"))
        messages = _messages(prompts, _suffix(asked), is_echoed=asked.get("echo") is True)
        turns = read_turns(messages)
        asks = _asks(turns, len(prompts))
        context, left_out = read_context(extension, turns, limits=limits)
        return Ask(
            route=route,
            dialect=self.name,
            body=body,
            model=read_model(asked),
            messages=messages,
            prompt=newest(turns),
            pieces=_pieces(asks),
            transcript=transcript(turns),
            context=context,
            context_left_out=left_out,
            is_stream=is_stream(asked),
            wants_usage=wants_usage(asked),
            n=_choices(asked, len(prompts), max_choices=limits.max_choices),
            params=read_params(asked, {"stop"}, elsewhere=_KEPT_ELSEWHERE),
            extension=extension,
            questions=tuple(
                Question(_text(ask), read_context(extension, ask, limits=limits)[0]) for ask in asks
            )
            if len(asks) > 1
            else (),
        )

    def instructed(self, ask: Ask, text: str) -> bytes:
        """The request's body with one more instruction to the model."""
        return encode(in_prompt(request_object(ask.body), text)) if text else ask.body

    def last_words(self, ask: Ask) -> LastWords | None:
        """The prompt, where it is one text and the reply simply comes after it."""
        asked = request_object(ask.body)
        prompt = asked.get("prompt")
        if not isinstance(prompt, str) or asked.get("suffix") or asked.get("echo"):
            return None
        return LastWords((prompt,)) if prompt.strip() else None

    def restated(self, ask: Ask, texts: Sequence[str], *, instruction: str = "") -> bytes:
        """The request with this text for its prompt, for one choice."""
        asked = once(request_object(ask.body)) | {"prompt": "".join(texts)}
        return encode(in_prompt(asked, instruction) if instruction else asked)

    def reply(self, body: bytes) -> Reply:
        """A plain reply; bytes that are not one raise `UpstreamMalformed`."""
        said = upstream_object(body)
        if "choices" not in said:
            raise UpstreamMalformed("The upstream sent a reply without `choices`.")
        beside = list(beside_texts(said))
        choices = (_choice(choice, at, beside) for at, choice in enumerate(choices_of(said)))
        usage = said.get("usage")
        return Reply(
            id=text_or_none(said.get("id")),
            model=text_or_none(said.get("model")),
            choices=tuple(choices),
            usage=usage if isinstance(usage, dict) else None,
            body=said,
        )

    def stream(self, ask: Ask) -> CompletionsStream:
        """A reader and writer for one streamed reply."""
        return CompletionsStream(ask.model, self._now)

    def vetoed(
        self, reply: Reply, notes: Mapping[int, VetoNote], fairlead: dict[str, Any]
    ) -> bytes:
        """The reply with the vetoed choices replaced: no log-probabilities, no echoed prompt."""
        pairs = zip(reply.choices, choices_of(reply.body), strict=True)
        choices = [
            refused(read.index, notes[read.index].refusal, "content_filter")
            if read.index in notes
            else choice
            for read, choice in pairs
        ]
        body = known_fields(reply.body) if len(notes) == len(choices) else reply.body
        return encode(body | {"choices": choices, KEY: fairlead})

    def annotated(self, reply: Reply, fairlead: dict[str, Any]) -> bytes:
        """The reply unchanged but for the top-level `fairlead` object."""
        return encode(reply.body | {KEY: fairlead})

    def prompt_refused(self, ask: Ask, note: VetoNote) -> bytes:
        """A plain 200 reply that holds the refusal, for `veto.prompt_as: refusal`."""
        choices = [refused(index, note.refusal, "content_filter") for index in range(ask.n)]
        own = {"choices": choices, "usage": _NO_USAGE, KEY: note.fairlead}
        return encode(self.stream(ask).head(note, KIND) | own)

    def prompt_refused_stream(self, ask: Ask, note: VetoNote) -> bytes:
        """The same as a whole stream."""
        stream = self.stream(ask)
        events = [stream.refusal(index, note, has_begun=False) for index in range(ask.n)]
        if ask.wants_usage:
            usage = {"choices": [], "usage": _NO_USAGE}
            events.append(encode_event(stream.head(note, KIND) | usage))
        return b"".join([*events, DONE])

    def error(self, error: FairleadError) -> bytes:
        """An error in OpenAI's envelope; a vetoed prompt is named, as `prompt[1]`."""
        told = error.to_dict()
        if isinstance(error, PromptVetoed):
            told["error"]["param"] = error.at or "prompt"
        return encode(told)


def _choice(choice: Any, at: int, beside: list[tuple[str, str]]) -> Choice:
    """A choice; what the reply says beside its choices counts as said by each of them."""
    index = choice_index(choice, at)
    channels: dict[str, str] = {}
    for channel, text in [*texts_of(choice, at), *beside]:
        channels[channel] = channels.get(channel, "") + text
    message = {"role": "assistant", "content": text_of(choice, at)}
    return Choice(index, message, channels, finish_of(choice, at), completion_logprobs(choice))


def _messages(prompts: list[Any], suffix: str, *, is_echoed: bool) -> list[dict[str, Any]]:
    """The prompts and the suffix as messages.

    Where prompt and reply are not simply one after the other, each has a part
    without text that says why: no export takes them for a conversation.
    """
    kinds = {"prompts": len(prompts) > 1, "suffix": bool(suffix), "echo": is_echoed}
    marks = [{"type": kind} for kind, is_so in kinds.items() if is_so]
    contents = [*prompts, *([suffix] if suffix else [])]
    return [{"role": "user", "content": _marked(content, marks)} for content in contents]


def _asks(turns: list[Turn], prompts: int) -> list[list[Turn]]:
    """The turns of each prompt: its own, and the suffix where there is one."""
    return [[turn, *turns[prompts:]] for turn in turns[:prompts]]


def _text(turns: list[Turn]) -> str:
    return "\n".join(turn.text for turn in turns if turn.text)


def _pieces(asks: list[list[Turn]]) -> tuple[Piece, ...]:
    """Each prompt by itself; token ids have no text to look at."""
    named = (
        (_text(ask), f"prompt[{at}]" if len(asks) > 1 else "prompt") for at, ask in enumerate(asks)
    )
    return tuple(Piece(text, at) for text, at in named if text)


def _marked(content: Any, marks: list[dict[str, Any]]) -> Any:
    if not marks:
        return content
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [*parts, *marks]


def _prompts(prompt: Any) -> list[Any]:
    """One message content for each prompt; null is what a server starts from: nothing."""
    if prompt is None:
        return [""]
    if isinstance(prompt, str):
        return [prompt]
    if not isinstance(prompt, list) or not prompt:
        raise BadRequest(_WRONG_PROMPT, param="prompt")
    if _are_tokens(prompt):
        return [_tokens(prompt)]
    return [_one(value, f"prompt[{at}]") for at, value in enumerate(prompt)]


def _one(value: Any, at: str) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and _are_tokens(value):
        return _tokens(value)
    raise BadRequest(f"`{at}` must be a string or a list of token ids.", param=at)


def _are_tokens(value: list[Any]) -> bool:
    return all(isinstance(token, int) and not isinstance(token, bool) for token in value)


def _tokens(ids: list[int]) -> list[dict[str, Any]]:
    """What the record says of token ids: a part without text, which no export takes for one."""
    digest = hashlib.sha256(encode(ids)).hexdigest()
    return [{"type": "token_ids", "count": len(ids), "sha256": digest}]


def _suffix(asked: dict[str, Any]) -> str:
    suffix = asked.get("suffix")
    if isinstance(suffix, str | None):
        return suffix or ""
    raise BadRequest("`suffix` must be a string.", param="suffix")


def _choices(asked: dict[str, Any], prompts: int, *, max_choices: int) -> int:
    """How many choices come: `n` for each prompt."""
    count = read_n(asked, max_choices) * prompts
    if count <= max_choices:
        return count
    raise BadRequest(
        f"`n` times the number of prompts is {count}; ask for at most {max_choices} choices.",
        param="prompt",
    )
