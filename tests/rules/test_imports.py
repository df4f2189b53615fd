"""What serving may import, and what importing may cost."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = ("torch", "transformers", "sklearn", "pandas", "matplotlib", "pyarrow", "openai",
         "opentelemetry.sdk", "grafana_foundation_sdk")  # fmt: skip

_LOADED = f"""
import json, sys
import service.app, service.commands.serve
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""

_OWN = """
import importlib, json, sys, time
import service.app, service.commands.serve
ROOMS = ("service", "scorers", "storage", "dashboards")
is_own = lambda name: name.partition(".")[0] in ROOMS
theirs = [name for name in sys.modules if not is_own(name)]
for name in [name for name in sys.modules if is_own(name)]:
    del sys.modules[name]
began = time.process_time()
import service.app
print(json.dumps({"cpu_s": time.process_time() - began, "dependencies": len(theirs)}))
"""

_HELP = """
import json, sys
from service.cli import parser
parser()
rooms = [name for name in sys.modules if name.startswith(("service.", "scorers", "storage"))]
print(json.dumps([name for name in rooms if name != "service.cli"]))
"""


def said(program: str) -> object:
    """What a fresh interpreter prints, as JSON."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return json.loads(done.stdout)


def test_serving_imports_nothing_that_belongs_to_training() -> None:
    """Neither torch nor transformers, nor what only exports and tests need."""
    assert said(_LOADED) == []


def test_importing_the_service_is_cheap() -> None:
    """`import service.app` costs under a second of CPU beside its dependencies' own import.

    The dependencies are imported first and stay; then our modules are forgotten and imported
    again, so that what is measured is ours alone.
    """
    found = said(_OWN)

    assert isinstance(found, dict)
    assert found["cpu_s"] < 1.0


def test_help_imports_no_room() -> None:
    """The command line is parsed before anything heavy is imported."""
    assert said(_HELP) == []
