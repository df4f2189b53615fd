"""Where each format has its place for one more instruction."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from service.dialects import by_route
from service.dialects.base import ReadLimits

SAY = "Be kind."
CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
RESPONSES, MESSAGES = "/v1/responses", "/v1/messages"
USER = {"role": "user", "content": "Hi?"}
DEVELOPER = {"type": "message", "role": "developer", "content": SAY}
PART = {"type": "text", "text": SAY}


def instructed(route: str, text: str = SAY, **asked: Any) -> Any:
    """The request that goes out with the instruction, decoded; None where there is none."""
    dialect = by_route()[route]
    body = json.dumps({"model": "m"} | asked).encode()
    ask = dialect.parse(body, route, limits=ReadLimits())
    before = copy.deepcopy(ask)
    found = dialect.instructed(ask, text)
    assert ask == before
    return None if found is None else json.loads(found)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([USER], [{"role": "system", "content": SAY}, USER]),
        (
            [{"role": "system", "content": "Short."}, USER],
            [{"role": "system", "content": f"Short.\n\n{SAY}"}, USER],
        ),
        (
            [{"role": "developer", "content": [{"type": "text", "text": "Short."}]}, USER],
            [{"role": "developer", "content": [{"type": "text", "text": "Short."}, PART]}, USER],
        ),
        (
            [{"role": "system", "content": "One."}, {"role": "system", "content": None}, USER],
            [{"role": "system", "content": "One."}, {"role": "system", "content": SAY}, USER],
        ),
        (
            [USER, {"role": "system", "content": "Late."}],
            [{"role": "system", "content": SAY}, USER, {"role": "system", "content": "Late."}],
        ),
        (
            [{"role": "system", "content": "All there is."}],
            [{"role": "system", "content": f"All there is.\n\n{SAY}"}],
        ),
    ],
)
def test_a_chat_is_told_before_its_first_turn(before: Any, after: Any) -> None:
    """Templates that take a system message only at the start take this one."""
    got = instructed(CHAT, messages=before, x_new={"kept": 1.5}, n=2)

    assert got == {"model": "m", "messages": after, "x_new": {"kept": 1.5}, "n": 2}


@pytest.mark.parametrize(
    ("asked", "prompt"),
    [
        ({"prompt": "Hi?"}, f"{SAY}\n\nHi?"),
        ({"prompt": ["a", "b"]}, [f"{SAY}\n\na", f"{SAY}\n\nb"]),
        ({"prompt": ["a", [1, 2]]}, [f"{SAY}\n\na", [1, 2]]),
        ({"prompt": [1, 2]}, [1, 2]),
        ({"prompt": None}, None),
        ({"prompt": "a", "suffix": "b"}, "a"),
        ({"prompt": "a", "echo": True}, "a"),
    ],
)
def test_a_text_is_told_before_each_prompt(asked: Any, prompt: Any) -> None:
    """Not where there is no text, and not where the reply would show it."""
    assert instructed(TEXT, **asked) == {"model": "m"} | asked | {"prompt": prompt}


@pytest.mark.parametrize(
    ("asked", "changed"),
    [
        ({"input": "Hi?"}, {"instructions": SAY}),
        ({"input": "Hi?", "instructions": "Short."}, {"instructions": f"Short.\n\n{SAY}"}),
        (
            {"input": [USER], "instructions": [DEVELOPER | {"content": "Short."}]},
            {"instructions": [DEVELOPER | {"content": "Short."}, DEVELOPER]},
        ),
        ({"prompt": {"id": "p"}, "input": "Hi?"}, {"input": [DEVELOPER, USER]}),
        ({"prompt": {"id": "p"}, "input": [USER]}, {"input": [DEVELOPER, USER]}),
        ({"prompt": {"id": "p"}}, {"input": [DEVELOPER]}),
        ({"input": "Hi?", "previous_response_id": "resp_1"}, {"instructions": SAY}),
    ],
)
def test_a_response_is_told_in_its_instructions(asked: Any, changed: Any) -> None:
    """A stored prompt keeps its own; there it is a message before the input."""
    assert instructed(RESPONSES, **asked) == {"model": "m"} | asked | changed


@pytest.mark.parametrize("text", [SAY, ""])
def test_a_conversation_that_the_upstream_keeps_is_not_asked_again(text: str) -> None:
    """It would remember the input twice, and the reply that was vetoed."""
    assert instructed(RESPONSES, text, input="Hi?", conversation={"id": "c"}) is None


@pytest.mark.parametrize(
    ("system", "after"),
    [
        (None, SAY),
        ("Short.", f"Short.\n\n{SAY}"),
        (
            [{"type": "text", "text": "Short.", "cache_control": {"type": "ephemeral"}}],
            [{"type": "text", "text": "Short.", "cache_control": {"type": "ephemeral"}}, PART],
        ),
    ],
)
def test_a_message_is_told_in_its_system_prompt(system: Any, after: Any) -> None:
    """Behind what is cached, which stays as it is."""
    asked: dict[str, Any] = {"max_tokens": 8, "messages": [USER]}
    asked |= {} if system is None else {"system": system}

    assert instructed(MESSAGES, **asked) == {"model": "m"} | asked | {"system": after}


@pytest.mark.parametrize(
    ("route", "asked"),
    [
        (CHAT, {"messages": [USER]}),
        (TEXT, {"prompt": "Hi?"}),
        (RESPONSES, {"input": "Hi?"}),
        (MESSAGES, {"max_tokens": 8, "messages": [USER]}),
    ],
)
def test_an_empty_instruction_changes_nothing(route: str, asked: Any) -> None:
    """The request goes out again as it was, without the `fairlead` object."""
    assert instructed(route, "", **asked, fairlead={"user": "u"}) == {"model": "m"} | asked
