"""Messages without the view that stands in them, and requests that are asked with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.dialects import by_route
from service.dialects.base import Dialect, ReadLimits
from service.dialects.twin import LastWords
from service.exchange import Ask
from service.restate import MOST_SENTENCES, Restated, restated, sentences_of

USER = {"role": "user", "content": "I think red. Which one?"}


def plan(*texts: str, before: str = "") -> Restated | None:
    """What is made of a message whose views say `I think`."""
    said = LastWords(texts, before)
    found = sentences_of(said)
    return restated(said, found, [0.9 if "I think" in s.said else 0.1 for s in found])


@pytest.mark.parametrize(
    ("text", "left", "views"),
    [
        ("I think red. Which one?", "Which one?", ("I think red.",)),
        ("Which one? I think red.", "Which one?", ("I think red.",)),
        ("Hi there. I think red.\nWhich one?", "Hi there. Which one?", ("I think red.",)),
        ("Which one?\n\n  x = 1\nI think red.", "Which one?\n\n  x = 1", ("I think red.",)),
        ("I think red. I think blue. Well?\nGo.", "Well?\nGo.", ("I think red.", "I think blue.")),
        ("Are you sure? I think red.", "Are you sure?", ("I think red.",)),
    ],
)  # fmt: skip
def test_a_view_is_taken_out_and_the_rest_is_asked(
    text: str, left: str, views: tuple[str, ...]
) -> None:
    """The other sentences stay as they were written."""
    assert plan(text) == Restated("asked", views, (left,))


def test_texts_without_a_view_are_untouched() -> None:
    """Also in their white space; a text that was nothing but a view is left empty."""
    assert plan("I think red.", "  Which one? ") == Restated(
        "asked", ("I think red.",), ("", "  Which one? ")
    )


def test_the_likeliest_view_comes_first() -> None:
    """What is compared is cut to the first few."""
    said = LastWords(("Maybe red. Surely blue. Which one?",))

    made = restated(said, sentences_of(said), [0.6, 0.9, 0.0])

    assert made is not None
    assert made.views == ("Surely blue.", "Maybe red.")


def test_no_view_no_other_message() -> None:
    """Nothing is to be asked in another form."""
    assert plan("Which one?") is None


@pytest.mark.parametrize(
    "text",
    [
        "I think red.",
        "I think red. Are you sure?",
        "No! Really? Are you absolutely sure about that? I think red.",
        "Hmm, is that right? I think red. Please check again.",
        "Wait, double-check that. I think red.",
    ],
)
def test_pushback_is_left_to_the_answer_before_it(text: str) -> None:
    """Doubt asks for nothing of its own once there is an answer to doubt."""
    made = plan(text, before="It is blue.")

    assert made == Restated("earlier", ("I think red.",), (text,))


def test_a_question_behind_an_answer_is_still_asked() -> None:
    """The doubt goes with the view, the question stays."""
    made = plan("Are you sure? I think red. Explain it to me.", before="It is blue.")

    assert made == Restated("asked", ("I think red.",), ("Explain it to me.",))


def test_a_view_alone_is_sent_with_an_instruction() -> None:
    """A message of one sentence cannot lose it."""
    assert plan("I think red, right?") == Restated(
        "instructed", ("I think red, right?",), ("I think red, right?",)
    )


def test_of_long_messages_both_ends_are_read() -> None:
    """Pasted material in the middle costs no scores and stays whole."""
    found = sentences_of(LastWords(("I think red. " + "Much text. " * 100 + "I think blue.",)))

    assert len(found) == MOST_SENTENCES
    assert (found[0].said, found[-1].said) == ("I think red.", "I think blue.")


def read(route: str, **body: Any) -> tuple[Dialect, Ask]:
    """A request and its dialect."""
    dialect = by_route()[route]
    asked = {"model": "m", **body}
    return dialect, dialect.parse(json.dumps(asked).encode(), route, limits=ReadLimits())


def again(route: str, texts: tuple[str, ...], *, instruction: str = "", **body: Any) -> Any:
    """The request that is made of one."""
    dialect, ask = read(route, **body)
    return json.loads(dialect.restated(ask, texts, instruction=instruction))


CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
ANTHROPIC, RESPONSES = "/v1/messages", "/v1/responses"
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Which one?"},
    {"role": "assistant", "content": "It is blue."},
    {"role": "user", "content": "I think red."},
]


@pytest.mark.parametrize(
    ("route", "body", "words"),
    [
        (CHAT, {"messages": TURNS}, LastWords(("I think red.",), "It is blue.")),
        (CHAT, {"messages": [USER, USER]}, LastWords(("I think red. Which one?",) * 2)),
        (ANTHROPIC, {"messages": TURNS[1:]}, LastWords(("I think red.",), "It is blue.")),
        (RESPONSES, {"input": "I think red."}, LastWords(("I think red.",))),
        (
            RESPONSES,
            {"input": [
                *TURNS[1:2], {"type": "reasoning", "summary": []},
                {"role": "assistant", "content": [{"type": "output_text", "text": "It is blue."}]},
                {"role": "user", "content": [{"type": "input_text", "text": "No."}]},
            ]},
            LastWords(("No.",), "It is blue."),
        ),
        (TEXT, {"prompt": "I think red. Which one?"}, LastWords(("I think red. Which one?",))),
    ],
)  # fmt: skip
def test_last_words(route: str, body: dict[str, Any], words: LastWords) -> None:
    """What the user said since the assistant spoke, and the answer before it."""
    dialect, ask = read(route, **body)

    assert dialect.last_words(ask) == words


@pytest.mark.parametrize(
    ("route", "body"),
    [
        (TEXT, {"prompt": ["A?", "B?"]}),
        (TEXT, {"prompt": [1, 2]}),
        (TEXT, {"prompt": "A?", "suffix": "B"}),
        (TEXT, {"prompt": "A?", "echo": True}),
        (RESPONSES, {"input": "A?", "conversation": "conv_1"}),
        (RESPONSES, {"prompt": {"id": "p", "variables": {"x": "I think red."}}}),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
        (CHAT, {"messages": [*TURNS, {"role": "assistant", "tool_calls": []},
                             {"role": "tool", "content": "I think red."}]}),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_in_other_words(route: str, body: dict[str, Any]) -> None:
    """Several prompts, no text of the user's, or a conversation that would remember it."""
    dialect, ask = read(route, **body)

    assert dialect.last_words(ask) is None


def test_a_chat_is_changed_in_its_last_words_only() -> None:
    """Images, earlier turns and settings stay; one choice, no tool, not stored."""
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    parts = [
        {"type": "text", "text": "I think red."},
        image,
        {"type": "text", "text": "Which one?"},
    ]
    tools = [{"type": "function", "function": {"name": "f"}}]
    turns = [*TURNS, {"role": "user", "content": parts}, {"role": "assistant", "content": "Well"}]
    body = {"messages": turns, "n": 3, "tools": tools, "tool_choice": "auto", "store": True,
            "temperature": 0.2, "stream": True, "x_new": 1}  # fmt: skip

    made = again(CHAT, ("Go on.", "", "Which one?"), **body)

    assert made == {
        "model": "m", "n": 1, "tools": tools, "tool_choice": "none", "temperature": 0.2,
        "stream": True, "x_new": 1,
        "messages": [
            *TURNS[:3],
            {"role": "user", "content": "Go on."},
            {"role": "user", "content": [image, {"type": "text", "text": "Which one?"}]},
            turns[-1],
        ],
    }  # fmt: skip


def test_a_message_that_is_left_empty_goes() -> None:
    """No format takes an empty one."""
    made = again(CHAT, ("", "Which one?"), messages=[USER, USER])

    assert made["messages"] == [{"role": "user", "content": "Which one?"}]


def test_anthropic_keeps_results_and_calls_no_tool() -> None:
    """A conversation with calls needs its tools; that none is called is said in its own form."""
    result = {"type": "tool_result", "tool_use_id": "t", "content": "I think red."}
    content = [result, {"type": "text", "text": "I think red."}]
    tools = [{"name": "f", "input_schema": {"type": "object"}}]

    made = again(
        ANTHROPIC, ("Well?",), instruction="Be fair.", max_tokens=9, tools=tools, system="Hi.",
        messages=[{"role": "user", "content": content}],
    )  # fmt: skip

    assert made["messages"] == [
        {"role": "user", "content": [result, {"type": "text", "text": "Well?"}]}
    ]
    assert (made["tools"], made["tool_choice"]) == (tools, {"type": "none"})
    assert made["system"] == "Hi.\n\nBe fair."


def test_a_response_is_not_stored() -> None:
    """Neither a text nor a list of items; an instruction stands with the others."""
    made = again(RESPONSES, ("Well?",), instruction="Be fair.", input="Red.", background=True)
    items = again(RESPONSES, ("Well?",), input=[{"role": "user", "content": "Red."}])

    assert made == {"model": "m", "input": "Well?", "store": False, "instructions": "Be fair."}
    assert items["input"] == [{"role": "user", "content": "Well?"}]


def test_a_text_completion_has_one_choice() -> None:
    """The prompt is the text; an instruction comes before it."""
    made = again(TEXT, ("Well?",), instruction="Be fair.", prompt="Red.", n=2, best_of=4)

    assert made == {"model": "m", "prompt": "Be fair.\n\nWell?", "n": 1}
