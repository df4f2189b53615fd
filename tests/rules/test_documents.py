"""Links lead somewhere, and what the documents tell to type can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from service.cli import parser
from service.sources import load_settings
from tests.rules.documents import ROOT, anchors, blocks, documents, guides, name_of, prose

FRONT_LINES = 300


def links(path: Path) -> list[str]:
    """The targets of a document's links that lead into the project."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(path))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def typed() -> Iterator[tuple[str, str]]:
    """Every command line of ours in the guides, with where it stands."""
    for path in guides():
        for block in blocks(path):
            for line in block.replace("\\\n", " ").splitlines():
                if re.match(r"(\.venv/bin/)?fairlead ", line):
                    yield name_of(path), line


def configurations() -> Iterator[tuple[str, str]]:
    """Every configuration of ours in the guides; a workflow of a build server is none."""
    for path in guides():
        for block in blocks(path, "yaml"):
            if "jobs" not in yaml.safe_load(block):
                yield name_of(path), block


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    """Each relative link of a document names a file of the project, and a heading that it has."""
    for target in links(path):
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.is_relative_to(ROOT), target
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_every_guide_is_found_from_the_front_page() -> None:
    """The front page links to the README of each room that has one."""
    front = ROOT / "README.md"

    found = {(ROOT / target.partition("#")[0]).resolve() for target in links(front)}

    assert set(guides()) - {front} <= found


def test_the_front_page_stays_short() -> None:
    """What a topic needs to say stands in its room's README."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= FRONT_LINES


@pytest.mark.parametrize(("where", "line"), [*typed()])
def test_commands_can_be_typed(where: str, line: str) -> None:
    """Each command line has a command, actions and flags that the program knows."""
    words = shlex.split(line, comments=True)[1:]

    assert parser().parse_args(words).module, (where, line)


@pytest.mark.parametrize(("where", "block"), [*configurations()])
def test_configurations_are_accepted(where: str, block: str, tmp_path: Path) -> None:
    """Each configuration is one that `fairlead config check` takes."""
    file = tmp_path / "fairlead.yaml"
    file.write_text(block, encoding="utf-8")

    assert load_settings(file).policies, where


@pytest.mark.parametrize("path", guides(), ids=name_of)
def test_python_examples_compile(path: Path) -> None:
    """Each Python example is Python."""
    for block in blocks(path, "python"):
        compile(block, name_of(path), "exec")
