"""What clients show, in one shape for all of them, and how the README tells it.

A client is asked the same things in every way that it has; what it shows is an
`Observation`, either a reply or what it raised:

    {"text": ..., "calls": [[name, arguments]], "value": ..., "told": {...}}
    {"raises": "BadRequestError", "told": {"code": "content_filter"}}

`value` is a structured reply as the client has parsed it; `told` is by what a program
can tell how the reply ended, under the names that the client has for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from service.settings import PolicySettings
from tests.fakes.prompted import GOOD

README = Path(__file__).resolve().parents[2] / "service/dialects/README.md"
REFUSAL = PolicySettings.model_fields["refusal"].default
BAD_PROMPT = "A scoundrel asks for a good text."

KINDS = ("text", "tool", "json")

Observation = Mapping[str, Any]


@dataclass(frozen=True)
class Situation:
    """One thing to ask a client for; `kind` is `text`, `tool` or `json`."""

    name: str
    kind: str
    prompt: str
    isStream: bool  # noqa: N815 - read in JavaScript too


def _situations() -> tuple[Situation, ...]:
    asked = [("prompt", "text", BAD_PROMPT)]
    for quality in ("good", "bad"):
        asked += [(f"{quality} {kind}", kind, f"a {quality} {kind}") for kind in KINDS]
    plain = [Situation(*one, isStream=False) for one in asked]
    asked.append(("cut json", "json", "a cut json"))
    streamed = [Situation(f"{name}, streamed", *rest, isStream=True) for name, *rest in asked]
    return (*plain, *streamed)


SITUATIONS = _situations()

COLUMNS = (
    ("plain reply", ("bad text",)),
    ("stream", ("bad text, streamed",)),
    ("tool call", ("bad tool", "bad tool, streamed")),
    ("structured reply", ("bad json", "bad json, streamed")),
    ("prompt", ("prompt", "prompt, streamed")),
)
"""The table's columns: what was vetoed, and the situations in which it is."""


def situations_json() -> str:
    """The situations for a client in another language."""
    return json.dumps([asdict(situation) for situation in SITUATIONS])


def row(label: str, found: Mapping[str, Observation]) -> str:
    """The README's row for a client that showed these things."""
    cells = [_cell([found[name] for name in names]) for _, names in COLUMNS]
    return f"| {label} | {' | '.join(cells)} |"


def documented() -> dict[str, str]:
    """The rows of the README's table by their labels."""
    text = README.read_text(encoding="utf-8")
    _, _, rest = text.partition("<!-- clients:begin -->\n")
    table, mark, _ = rest.partition("<!-- clients:end -->")
    assert mark, "the README lacks its marks"
    rows = table.strip().splitlines()
    assert rows[0] == f"| client | {' | '.join(name for name, _ in COLUMNS)} |"
    return {re.split(r"(?<!\\) \| ", line)[0].removeprefix("| "): line for line in rows[2:]}


def _cell(observations: list[Observation]) -> str:
    cells = [_told(one) for one in observations]
    return cells[0] if len(set(cells)) == 1 else f"{cells[0]}; streamed: {cells[-1]}"


def _told(shown: Observation) -> str:
    said = [f"raises `{shown['raises']}`"] if "raises" in shown else _TEXTS[shown["text"]]
    return ", ".join([*said, *(_end(name, value) for name, value in shown["told"].items())])


def _end(name: str, value: Any) -> str:
    if value is None:
        return f"empty `{name}`"
    return f"the refusal in `{name}`" if value == REFUSAL else f"`{name}: {json.dumps(value)}`"


_TEXTS = {
    REFUSAL: ["the refusal"],
    GOOD + REFUSAL: ["what had left", "the refusal"],
    "": [],
}
