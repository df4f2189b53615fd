"""The guides and the schema tell what the program does."""

from __future__ import annotations

import argparse
import re

import pytest

from service.app import create_app
from service.cli import parser
from service.settings import Settings, settings_table
from tests.rules.documents import SERVICE, guides

ROUTES = (
    ("post", "/v1/chat/completions"),
    ("post", "/v1/completions"),
    ("post", "/v1/responses"),
    ("post", "/v1/messages"),
    ("get", "/v1/{path}"),
    ("post", "/v1/score"),
    ("post", "/v1/moderations"),
    ("post", "/v1/feedback"),
    ("get", "/v1/feedback"),
    ("post", "/v1/feedback/comparisons"),
    ("get", "/v1/feedback/comparisons"),
    ("post", "/v1/feedback/rankings"),
    ("get", "/v1/feedback/rankings/{id}"),
    ("post", "/v1/feedback/batch"),
    ("get", "/v1/feedback/agreement"),
    ("get", "/v1/interactions"),
    ("get", "/v1/interactions/{id}"),
    ("get", "/v1/abuse"),
    ("post", "/v1/abuse/pardons"),
    ("get", "/v1/gaps"),
    ("get", "/v1/preferences/export"),
    ("post", "/v1/erasures"),
    ("get", "/v1/audit"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
)
"""The contract's routes that are there."""


def commands() -> dict[str, set[str]]:
    """Every command of the program with its actions."""
    return {name: set(_children(found)) for name, found in _children(parser()).items()}


def _children(found: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in found._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def documented() -> set[tuple[str, str]]:
    """Every `fairlead COMMAND WORD` that stands in a guide, `a|b` taken apart."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in guides()).replace("\\|", "|")
    found = re.findall(r"(?<![\w/-])fairlead ([a-z]+)(?: ([a-z|]+))?", text)
    return {(name, word) for name, words in found for word in words.split("|")}


def test_the_settings_table_is_the_generated_one() -> None:
    """What stands between the marks is what `settings_table` gives."""
    text = SERVICE.read_text(encoding="utf-8")
    _, _, rest = text.partition("<!-- settings:begin -->\n")
    table, mark, _ = rest.partition("<!-- settings:end -->")

    assert mark, "service/README.md lacks its marks"
    assert table.strip() == settings_table().strip(), (
        "put what `python -c 'from service.settings import settings_table as t; print(t())'` "
        "prints between the settings marks of service/README.md"
    )


def test_documented_commands_exist() -> None:
    """Each command in the guides is one of the program's, and so is its action."""
    known = commands()

    for name, word in documented():
        assert name in known, f"the guides name `fairlead {name}`"
        assert not known[name] or word in known[name], f"the guides name `fairlead {name} {word}`"


def test_every_command_is_documented() -> None:
    """The guides name every command, and every action of those that have some."""
    text = documented()

    for name, actions in commands().items():
        for action in actions or {""}:
            assert any(n == name and (not action or w == action) for n, w in text), (name, action)


def test_the_table_of_commands_is_whole() -> None:
    """Each command has its row, with all its actions, where the commands are listed."""
    text = SERVICE.read_text(encoding="utf-8").replace("\\|", "|")
    table = re.findall(r"^\| `fairlead ([a-z]+)(?: ([a-z|]+))?", text, flags=re.MULTILINE)
    listed = {(name, word) for name, words in table for word in words.split("|")}

    assert listed == {(name, one) for name, all_ in commands().items() for one in all_ or {""}}


def test_every_flag_has_a_help_text() -> None:
    """`fairlead COMMAND --help` explains whatever can be given."""
    found = [parser()]
    while found:
        one = found.pop()
        found += _children(one).values()
        for action in one._actions:
            is_group = isinstance(action, argparse._SubParsersAction)
            assert action.help or is_group, (one.prog, action.dest)


def test_the_table_of_routes_is_whole() -> None:
    """Each route of the contract has its row in `service/README.md`, and there are no others."""
    _, _, rest = SERVICE.read_text(encoding="utf-8").partition("## Routes\n")
    section = rest.partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    found = re.findall(r"`(GET|POST) (/[^`]*)`", "".join(rows))

    assert "any other `/v1/...`" in section
    named = {(method.lower(), route) for method, route in found}
    assert named == set(ROUTES) - {("get", "/v1/{path}")}


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_every_route_is_described(method: str, route: str) -> None:
    """`/openapi.json` has each route of the contract, with what it takes and answers."""
    described = create_app(Settings()).openapi()["paths"]

    assert described[route][method]["responses"]
    if method == "post":
        assert described[route][method]["requestBody"]


def test_the_schema_describes_feedback() -> None:
    """Fields, limits and meanings of the bodies are there for client makers."""
    schemas = create_app(Settings()).openapi()["components"]["schemas"]

    fields = schemas["FeedbackBody"]["properties"]
    assert set(fields) == {
        "id", "rating", "choice_index", "comment", "correction", "rater", "tags",
    }  # fmt: skip
    assert all(field["description"] for field in fields.values())
