"""Personal data and secrets in texts are found and replaced."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from service.privacy.found import KINDS
from service.privacy.redact import Names, Redactor
from tests.service.privacy.examples import HELD_BACK, SEEN, labelled
from tests.service.privacy.figures import BEGIN, END, counts, table

README = Path(__file__).parents[3] / "service/privacy/README.md"
REDACTOR = Redactor()
CARD = "4111 1111 1111 1111"


def redacted(text: str) -> str:
    """The text by itself."""
    return REDACTOR.text(text, Names())


@pytest.mark.parametrize("example", SEEN)
def test_what_is_marked_is_found_and_nothing_else(example: str) -> None:
    """On the examples that the patterns were made with, every finding is a mark and back."""
    wanted = labelled(example)

    found = [(each.start, each.stop, each.kind) for each in REDACTOR.find(wanted.text)]

    assert found == list(wanted.spans)


def test_examples_that_were_held_back_are_found_as_the_readme_says() -> None:
    """The README's table is the one that the examples give now."""
    _, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)

    assert rest.partition(END)[0] == table(), "run `python -m tests.service.privacy.figures`"
    held = counts(HELD_BACK)
    assert all(held[kind].labelled >= 4 for kind in KINDS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a@b.example, A@B.EXAMPLE, c@d.example", "<EMAIL_1>, <EMAIL_1>, <EMAIL_2>"),
        (f"{CARD} or 4111111111111111", "<CARD_1> or <CARD_1>"),
        ("call +49 30 901820 or +4930901820", "call <PHONE_1> or <PHONE_1>"),
        ("nothing here", "nothing here"),
        ("", ""),
    ],
)
def test_the_same_value_has_the_same_number(text: str, told: str) -> None:
    """However it is written; another value has another one."""
    assert redacted(text) == told


def test_tool_arguments_stay_json() -> None:
    """Values are replaced inside the parsed JSON: numbers, escapes and keys as well."""
    arguments = json.dumps(
        {
            "card": 4111111111111111,
            "note": "line\nanna@example.com",
            "who@example.com": [1, True, None, {"deep": "203.0.113.9"}],
        }
    ).replace("@", "\\u0040")

    told = json.loads(redacted(arguments))

    assert told == {
        "card": "<CARD_1>",
        "note": "line\n<EMAIL_1>",
        "<EMAIL_2>": [1, True, None, {"deep": "<IP_1>"}],
    }


def test_json_without_anything_to_hide_is_untouched() -> None:
    """Its spaces, escapes and order of keys stay as they were written."""
    text = '{ "b":1,  "a" : "\\u00e9" }'

    assert redacted(text) == text


def test_json_in_json_is_read() -> None:
    """A tool that hands on another call's arguments as text."""
    text = json.dumps({"call": json.dumps({"to": "anna@example.com"})})

    assert json.loads(json.loads(redacted(text))["call"]) == {"to": "<EMAIL_1>"}


def test_cut_json_is_redacted_as_text() -> None:
    """Arguments that a veto or a gone client cut are no JSON."""
    assert redacted('{"to": "anna@example.com", "te') == '{"to": "<EMAIL_1>", "te'


def test_nested_too_deep_is_still_redacted() -> None:
    """Deeper than it is walked."""
    text = "[" * 300 + '"anna@example.com"' + "]" * 300

    assert "anna" not in redacted(text)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (["my mail is anna@", "example.com", " ok"], ["my mail is <EMAIL_1>", "", " ok"]),
        (["a@b.example", "Next"], ["<EMAIL_1>", "Next"]),
        (["sk-proj-Ab12Cd34Ef56Gh78", "Ij90Kl12Mn34 end"], ["<KEY_1>", " end"]),
        (["x a@b.example y 4111 1111", " 1111 1111"], ["x <EMAIL_1> y <CARD_1>", ""]),
    ],
)
def test_a_value_may_span_content_parts(parts: list[str], told: list[str]) -> None:
    """What begins in one part and ends in the next is found; of a key nothing is left."""
    message = {"role": "user", "content": [{"type": "text", "text": part} for part in parts]}

    found = REDACTOR.value(message, Names())

    assert [part["text"] for part in found["content"]] == told
    assert all(part["type"] == "text" for part in found["content"])


def test_other_parts_between_texts_stay() -> None:
    """An image, a null and a bare text in a list are where they were."""
    image = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}
    content = [{"text": "a@b.example"}, image, None, "c@d.example", 7]

    assert REDACTOR.value(content, Names()) == [
        {"text": "<EMAIL_1>"}, image, None, "<EMAIL_2>", 7,
    ]  # fmt: skip


def test_only_the_kinds_asked_for_are_replaced() -> None:
    """Who needs addresses of machines in the record leaves them out."""
    only = Redactor(["EMAIL"])

    assert only.text("a@b.example 203.0.113.9", Names()) == "<EMAIL_1> 203.0.113.9"


@pytest.mark.parametrize(
    ("regions", "told"), [((), "030 901820 is it"), (("DE",), "<PHONE_1> is it")]
)
def test_a_region_makes_its_numbers_known(regions: tuple[str, ...], told: str) -> None:
    """Without one, and with no word of telephones near, ten digits may be anything."""
    assert Redactor(phone_regions=regions).text("030 901820 is it", Names()) == told


def test_placeholders_are_not_found_again() -> None:
    """What was redacted once stays as it is."""
    once = redacted("a@b.example, +49 30 901820, 203.0.113.9, " + CARD)

    assert redacted(once) == once
    assert re.findall(r"<[A-Z]+_\d>", once) == ["<EMAIL_1>", "<PHONE_1>", "<IP_1>", "<CARD_1>"]
