"""LangChain through the whole proxy, where it has more than one way to ask."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI

from tests.clients.python import FUNCTION, City
from tests.clients.shown import REFUSAL
from tests.fakes.prompted import prompted
from tests.fakes.replies import tool_events
from tests.fakes.upstream import Stream, Upstream

TOOLS = [{"type": "function", "function": FUNCTION}]


@pytest.fixture
def openai(base_url: str, upstream: Upstream) -> ChatOpenAI:
    """LangChain's client for OpenAI's format."""
    upstream.script = prompted
    return ChatOpenAI(base_url=base_url, api_key="sk-test", model="m", max_retries=0)


@pytest.fixture
def anthropic(proxy_url: str, upstream: Upstream) -> ChatAnthropic:
    """LangChain's client for Anthropic's format."""
    upstream.script = prompted
    return ChatAnthropic(base_url=proxy_url, api_key="sk-test", model="m", max_retries=0)


async def test_the_asynchronous_calls(openai: ChatOpenAI, anthropic: ChatAnthropic) -> None:
    """They show what the blocking ones show."""
    for model in (openai, anthropic):
        assert (await model.ainvoke("a good text")).text == "Paris is fine. Go."
        assert (await model.ainvoke("a bad text")).text == REFUSAL
        said = "".join([chunk.text async for chunk in model.astream("a bad text")])
        assert said == f"Paris is fine. {REFUSAL}"


def test_a_structured_reply_by_way_of_a_tool(openai: ChatOpenAI, anthropic: ChatAnthropic) -> None:
    """A veto is no call, so there is no reply; the raw message says why."""
    by_tool = openai.with_structured_output(City, method="function_calling")
    assert by_tool.invoke("a good json") == City(name="Paris")
    assert by_tool.invoke("a bad json") is None
    raw: Any = anthropic.with_structured_output(City, include_raw=True).invoke("a bad json")
    assert (raw["parsed"], raw["raw"].text) == (None, REFUSAL)
    assert raw["raw"].response_metadata["stop_reason"] == "refusal"


def test_a_chased_call_that_was_cut_looks_whole(chased_url: str, upstream: Upstream) -> None:
    """Only the finish reason tells; under hold there is no such call."""
    events = tool_events("weather", '{"city": "scoundrel ', '"}')
    upstream.script = Stream(events, stall_at=2)
    model = ChatOpenAI(base_url=chased_url, api_key="sk-test", model="m", max_retries=0)
    first, *rest = model.bind_tools(TOOLS).stream("Hi")
    reply: Any = sum(rest, start=first)
    assert [(call["name"], call["args"]) for call in reply.tool_calls] == [
        ("weather", {"city": "scoundrel "})
    ]
    assert reply.response_metadata["finish_reason"] == "content_filter"
