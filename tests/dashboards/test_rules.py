"""Prometheus' rules do what they say, by its own `promtool`; the files around them fit together."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "dashboards" / "prometheus"
PROVISIONING = ROOT / "dashboards" / "grafana" / "provisioning"

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None and "CI" not in os.environ,
    reason="no `promtool` here: apt-get install prometheus",
)


def read(path: Path) -> dict[str, Any]:
    """A YAML file."""
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return found


def promtool(*arguments: str) -> None:
    """Runs it where the rules lie, and shows what it says where it fails."""
    done = subprocess.run(
        ["promtool", *arguments], cwd=RULES, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "rules.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "rules_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_agrees(arguments: tuple[str, ...]) -> None:
    """The rules can be read, and fire when they should and only then."""
    promtool(*arguments)


def test_every_alert_is_tested() -> None:
    """Each alert has a case in which it fires and one in which it does not."""
    groups = read(RULES / "rules.yml")["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    cases = [
        case for test in read(RULES / "rules_test.yml")["tests"] for case in test["alert_rule_test"]
    ]

    assert {case["alertname"] for case in cases if case["exp_alerts"]} == alerts
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == alerts


def test_compose_mounts_what_is_there() -> None:
    """Each service of the set finds the others by name, and its files where it looks."""
    services = read(ROOT / "compose.yaml")["services"]
    assert {"fairlead", "postgres", "prometheus", "grafana"} <= services.keys()

    mounts = [mount for service in services.values() for mount in service.get("volumes", ())]
    for source in (mount.split(":")[0] for mount in mounts if mount.startswith("./")):
        assert (ROOT / source).is_dir(), source
    [scraped] = read(RULES / "prometheus.yml")["scrape_configs"]
    assert scraped["static_configs"] == [{"targets": ["fairlead:8080"]}]
    [source] = read(PROVISIONING / "datasources" / "prometheus.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    [provider] = read(PROVISIONING / "dashboards" / "fairlead.yaml")["providers"]
    boards = "./dashboards/grafana/boards:" + provider["options"]["path"] + ":ro"
    assert boards in services["grafana"]["volumes"]
