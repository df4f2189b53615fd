"""What CONTRIBUTING.md tells a newcomer is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAMED = sorted({name for name in re.findall(r"`([\w./]+\.(?:py|md))`", TEXT) if "/" in name})


@pytest.mark.parametrize("name", [name for name in NAMED if "NAME" not in name])
def test_named_files_exist(name: str) -> None:
    """Each file that the guide names can be opened."""
    assert (ROOT / name).is_file()


@pytest.mark.parametrize("name", [name for name in NAMED if "NAME" in name])
def test_new_files_have_a_place(name: str) -> None:
    """A plug-in's file goes into a folder that exists."""
    assert (ROOT / name).parent.is_dir()


def test_named_make_targets_exist() -> None:
    """Each `make TARGET` of the guide is one of the Makefile's."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    for target in set(re.findall(r"\bmake ([a-z-]+)", TEXT)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("service/dialects/__init__.py", "BUILTIN"),
        ("scorers/builtin/__init__.py", "BUILTIN"),
        ("storage/exports/formats.py", "FORMATS"),
        ("tests/rules/test_docs.py", "ROUTES"),
    ],
)
def test_the_lists_are_where_the_guide_says(owner: str, name: str) -> None:
    """The one line that a plug-in adds goes into a list that is there."""
    assert f"`{name}`" in TEXT
    assert re.search(rf"^{name}\b", (ROOT / owner).read_text(encoding="utf-8"), re.MULTILINE)
