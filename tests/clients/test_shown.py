"""Every client comes through with good replies and shows a veto as the README says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import pytest

from tests.clients import python
from tests.clients.conftest import NODE as NODE_FOLDER
from tests.clients.shown import SITUATIONS, Observation, documented, row
from tests.fakes.prompted import prompted
from tests.fakes.upstream import Upstream

# LangChain prints parsed replies through a model that does not know their type.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")

PYTHON: Mapping[str, Callable[[str], AbstractContextManager[python.Asking]]] = {
    "`openai` chat (Python)": python.openai_chat,
    "`openai` responses (Python)": python.openai_responses,
    "`anthropic` (Python)": python.anthropic,
    "LangChain `ChatOpenAI`": python.langchain_openai,
    "LangChain `ChatOpenAI`, responses": python.langchain_responses,
    "LangChain `ChatAnthropic`": python.langchain_anthropic,
}
NODE = {
    "`openai` chat (npm)": ("npm openai chat",),
    "`openai` responses (npm)": ("npm openai responses",),
    "`@anthropic-ai/sdk` (npm)": ("npm anthropic",),
    "AI SDK (`@ai-sdk/openai`, `openai-compatible`, `anthropic`)": (
        "npm ai openai chat",
        "npm ai openai responses",
        "npm ai openai-compatible",
        "npm ai anthropic",
    ),
}
LABELS = (*PYTHON, *NODE)

Shown = dict[str, Observation]


@pytest.fixture(scope="module")
def observe(
    proxy_url: str, upstream: Upstream, request: pytest.FixtureRequest
) -> Callable[[str], list[Shown]]:
    """What the clients of a row show; each is asked once."""
    found: dict[str, list[Shown]] = {}

    def of(label: str) -> list[Shown]:
        if label not in found:
            upstream.script = prompted
            if label in PYTHON:
                with PYTHON[label](proxy_url) as ask:
                    found[label] = [python.observe(ask)]
            else:
                shown = request.getfixturevalue("npm_shown")
                found[label] = [shown[name] for name in NODE[label]]
        return found[label]

    return of


@pytest.mark.parametrize("label", LABELS)
def test_good_replies_come_through(label: str, observe: Callable[[str], list[Shown]]) -> None:
    """Text, calls and structured replies arrive whole, plain and streamed."""
    expected = {
        "text": ("text", "Paris is fine. Go."),
        "tool": ("calls", [["weather", {"city": "Paris"}]]),
        "json": ("value", {"name": "Paris"}),
    }
    for shown in observe(label):
        for one in SITUATIONS:
            if one.name.startswith("good"):
                name, value = expected[one.kind]
                assert shown[one.name].get(name) == value, (one, shown[one.name])


@pytest.mark.parametrize("label", LABELS)
def test_a_veto_is_never_mistaken(label: str, observe: Callable[[str], list[Shown]]) -> None:
    """Nothing bad arrives, nothing is left to carry out, and a program can tell why it ended."""
    for shown in observe(label):
        for one in SITUATIONS:
            if not one.name.startswith("good"):
                got = shown[one.name]
                assert "scoundrel" not in json.dumps(got)
                assert "raises" in got or (not got["calls"] and not got.get("value")), (one, got)
                assert "raises" in got or got["told"], (one, got)


@pytest.mark.parametrize("label", LABELS)
def test_the_readme_tells_what_is_shown(label: str, observe: Callable[[str], list[Shown]]) -> None:
    """The client's row in the README's table is what was observed."""
    for shown in observe(label):
        assert documented().get(label) == row(label, shown)


def test_the_locked_packages_name_no_server() -> None:
    """Whoever installs the npm clients has them from the registry that is configured there."""
    lock = json.loads((NODE_FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    packages = [package for name, package in lock["packages"].items() if name]
    assert packages
    assert all("integrity" in package and "resolved" not in package for package in packages)


def test_the_readme_tells_of_no_other_clients() -> None:
    """Each row of the table is of a client that is tested here."""
    assert tuple(documented()) == LABELS
