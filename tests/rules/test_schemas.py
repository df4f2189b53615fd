"""Files for other programs meet the schemas that those programs publish."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def complaints(schema: str, file: Path) -> str:
    """What the checker has against a file, by a schema that comes with it; empty for nothing."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    done = subprocess.run([*command, str(file)], check=False, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_compose_file_is_one() -> None:
    """By the Compose specification."""
    assert complaints("compose-spec", ROOT / "compose.yaml") == ""


def test_the_gate_for_github_actions_is_a_workflow(tmp_path: Path) -> None:
    """The example in the guide, with the event that its reader chooses."""
    guide = (ROOT / "service" / "watch" / "README.md").read_text(encoding="utf-8")
    [jobs] = re.findall(r"```yaml\n(jobs:\n.*?)```", guide, re.DOTALL)
    workflow = tmp_path / "gate.yaml"
    workflow.write_text(f"on: push\n{jobs}", encoding="utf-8")

    assert complaints("github-workflows", workflow) == ""


def test_the_checker_complains(tmp_path: Path) -> None:
    """Of a service that has a field which Compose does not know."""
    file = tmp_path / "compose.yaml"
    file.write_text("services: {one: {image: x, imagine: y}}", encoding="utf-8")

    assert "imagine" in complaints("compose-spec", file)
