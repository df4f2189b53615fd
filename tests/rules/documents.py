"""The documents of the project, and what stands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("service", "scorers", "storage", "dashboards", "tests", "load_tests")
SERVICE = ROOT / "service" / "README.md"
"""Where routes, commands and settings are listed."""


def documents() -> list[Path]:
    """Every Markdown file of the project."""
    inside = [path for room in ROOMS for path in (ROOT / room).rglob("*.md")]
    return [*ROOT.glob("*.md"), *(path for path in inside if "node_modules" not in path.parts)]


def guides() -> list[Path]:
    """What users read: the front page and the READMEs of the rooms."""
    return [path for path in documents() if path.name == "README.md"]


def name_of(path: Path) -> str:
    """A document as a test's id shows it."""
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str = "") -> Iterator[str]:
    """The fenced blocks of a document in a language; without one, those that name none."""
    text = path.read_text(encoding="utf-8")
    for found, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if found == language:
            yield block


def prose(path: Path) -> str:
    """A document without its fenced blocks and without code between back-ticks."""
    text = re.sub(
        r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    text = re.sub(
        r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    heads = re.findall(r"^#{1,6} (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def _unfenced(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
