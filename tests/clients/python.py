"""The Python clients, each asked in the ways of `shown.SITUATIONS`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from anthropic import Anthropic, AnthropicError
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models.base import OpenAIRefusalError
from openai import OpenAI, OpenAIError
from pydantic import BaseModel

from tests.clients.shown import SITUATIONS, Observation

RAISED = (OpenAIError, AnthropicError, OpenAIRefusalError, ValueError, RuntimeError)
"""What the clients raise of their own; pydantic's and LangChain's errors are `ValueError`."""

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION: Any = {"name": "weather", "description": "The weather.", "parameters": PARAMETERS}

Asking = Callable[[str, str, bool], Observation]


class City(BaseModel):
    """A city."""

    name: str


def observe(ask: Asking) -> dict[str, Observation]:
    """What a client shows in each situation."""
    return {one.name: _observe(ask, one.kind, one.prompt, one.isStream) for one in SITUATIONS}


def _observe(ask: Asking, kind: str, prompt: str, is_stream: bool) -> Observation:
    try:
        return ask(kind, prompt, is_stream)
    except RAISED as error:
        body = getattr(error, "body", None)
        told = {"code": getattr(error, "code", None)}
        if isinstance(body, dict) and "code" in body and not told["code"]:
            told = {'body["code"]': body["code"]}
        return {"raises": type(error).__name__, "told": {k: v for k, v in told.items() if v}}


def _shown(text: str, *, calls: Any = (), value: Any = None, **told: Any) -> Observation:
    value = value.model_dump() if isinstance(value, BaseModel) else value
    return {"text": text, "calls": [list(call) for call in calls], "value": value, "told": told}


@contextmanager
def openai_chat(url: str) -> Iterator[Asking]:
    """`openai`, chat completions; structured streams by `.stream()`, others chunk by chunk."""

    def ask(kind: str, prompt: str, is_stream: bool) -> Observation:
        request: Any = {"model": "m", "messages": [{"role": "user", "content": prompt}]}
        if kind == "tool":
            request["tools"] = [{"type": "function", "function": FUNCTION}]
        if is_stream and kind != "json":
            return _of_chunks(chat.create(**request, stream=True))
        if is_stream:
            with chat.stream(**request, response_format=City) as stream:
                reply: Any = stream.get_final_completion()
        elif kind == "json":
            reply = chat.parse(**request, response_format=City)
        else:
            reply = chat.create(**request)
        [choice] = reply.choices
        calls = [
            (call.function.name, json.loads(call.function.arguments))
            for call in choice.message.tool_calls or ()
        ]
        value = getattr(choice.message, "parsed", None)
        text, reason = choice.message.content or "", choice.finish_reason
        return _shown(text, calls=calls, value=value, finish_reason=reason)

    with OpenAI(base_url=f"{url}/v1", api_key="sk-test", max_retries=0) as client:
        chat = client.chat.completions
        yield ask


def _of_chunks(chunks: Any) -> Observation:
    text, reason = "", None
    calls: dict[int, list[str]] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reason = choice.finish_reason or reason
            for call in choice.delta.tool_calls or ():
                begun = calls.setdefault(call.index, [call.function.name, ""])
                begun[1] += call.function.arguments or ""
    found = [(name, json.loads(given)) for name, given in calls.values()]
    return _shown(text, calls=found, finish_reason=reason)


@contextmanager
def openai_responses(url: str) -> Iterator[Asking]:
    """`openai`, responses; a stream's last event has the response."""

    def ask(kind: str, prompt: str, is_stream: bool) -> Observation:
        request: Any = {"model": "m", "input": prompt}
        if kind == "tool":
            request["tools"] = [{"type": "function", "strict": False} | FUNCTION]
        if kind == "json" and is_stream:
            with responses.stream(**request, text_format=City) as stream:
                reply: Any = stream.get_final_response()
        elif kind == "json":
            reply = responses.parse(**request, text_format=City)
        elif is_stream:
            *_, last = responses.create(**request, stream=True)
            reply = last.response
        else:
            reply = responses.create(**request)
        calls = [
            (item.name, json.loads(item.arguments))
            for item in reply.output
            if item.type == "function_call"
        ]
        told: dict[str, Any] = {}
        if reply.incomplete_details is not None:
            told["incomplete_details.reason"] = reply.incomplete_details.reason
        value = None
        if kind == "json":
            value = reply.output_parsed
            told["output_parsed"] = value and value.model_dump()
        return _shown(reply.output_text, calls=calls, value=value, **told)

    with OpenAI(base_url=f"{url}/v1", api_key="sk-test", max_retries=0) as client:
        responses = client.responses
        yield ask


@contextmanager
def anthropic(url: str) -> Iterator[Asking]:
    """`anthropic`; streams by `.stream()`."""

    def ask(kind: str, prompt: str, is_stream: bool) -> Observation:
        turn = {"role": "user", "content": prompt}
        request: Any = {"model": "m", "max_tokens": 64, "messages": [turn]}
        if kind == "tool":
            request["tools"] = [{"name": "weather", "input_schema": PARAMETERS}]
        if kind == "json":
            request["output_format"] = City
        if is_stream:
            with messages.stream(**request) as stream:
                reply: Any = stream.get_final_message()
        else:
            reply = (messages.parse if kind == "json" else messages.create)(**request)
        text = "".join(block.text for block in reply.content if block.type == "text")
        calls = [(block.name, block.input) for block in reply.content if block.type == "tool_use"]
        told: dict[str, Any] = {"stop_reason": reply.stop_reason}
        if reply.stop_details is not None:
            told["stop_details.explanation"] = reply.stop_details.explanation
        value = getattr(reply, "parsed_output", None)
        if kind == "json":
            told["parsed_output"] = value and value.model_dump()
        return _shown(text, calls=calls, value=value, **told)

    with Anthropic(base_url=url, api_key="sk-test", max_retries=0) as client:
        messages = client.messages
        yield ask


@contextmanager
def langchain_openai(url: str) -> Iterator[Asking]:
    """LangChain's `ChatOpenAI`."""
    with _chat_openai(url) as model:
        yield _langchain(model, "finish_reason")


@contextmanager
def langchain_responses(url: str) -> Iterator[Asking]:
    """LangChain's `ChatOpenAI` on the responses API."""
    with _chat_openai(url, use_responses_api=True) as model:
        yield _langchain(model, "incomplete_details", "reason")


@contextmanager
def langchain_anthropic(url: str) -> Iterator[Asking]:
    """LangChain's `ChatAnthropic`."""
    model = ChatAnthropic(base_url=url, api_key="sk-test", model="m", max_retries=0)
    yield _langchain(model, "stop_reason")


@contextmanager
def _chat_openai(url: str, **fields: Any) -> Iterator[ChatOpenAI]:
    with httpx.Client() as client:
        fields |= {"http_client": client, "max_retries": 0}
        yield ChatOpenAI(base_url=f"{url}/v1", api_key="sk-test", model="m", **fields)


def _langchain(model: BaseChatModel, *end: str) -> Asking:
    def ask(kind: str, prompt: str, is_stream: bool) -> Observation:
        if kind == "json":
            chain = model.with_structured_output(City)
            value: Any = _last(chain.stream(prompt)) if is_stream else chain.invoke(prompt)
            return _shown("", value=value, result=value and value.model_dump())
        tools = [{"type": "function", "function": FUNCTION}]
        runnable: Any = model.bind_tools(tools) if kind == "tool" else model
        reply = _sum(runnable.stream(prompt)) if is_stream else runnable.invoke(prompt)
        calls = [(call["name"], call["args"]) for call in reply.tool_calls]
        told: Any = reply.response_metadata
        for name in end:
            told = (told or {}).get(name)
        return _shown(reply.text, calls=calls, **({".".join(end): told} if told else {}))

    return ask


def _last(pieces: Iterator[Any]) -> Any:
    found = list(pieces)
    return found[-1] if found else None


def _sum(chunks: Iterator[Any]) -> AIMessage:
    first = next(chunks)
    total: AIMessage = sum(chunks, start=first)
    return total
