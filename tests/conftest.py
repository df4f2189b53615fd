"""Which tests run where, and the fixtures that several rooms share."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.databases import (  # noqa: F401 - fixtures
    blank_url,
    cluster,
    database_url,
    server,
    server_url,
    sqlite_file,
    store,
)
from tests.fakes.upstream import Upstream

SHARED = Path(__file__).resolve().parents[2] / "shared"
DATA = SHARED / "data"

_ABSENT: dict[str, str] = {}

# How long an example takes says nothing on a shared machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", settings.get_profile("untimed"), max_examples=5000)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Find out which optional parts are absent here."""
    if not DATA.is_dir():
        _ABSENT["shared_data"] = f"no labelled data in {DATA}"
    if find_spec("torch") is None:
        _ABSENT["train"] = "PyTorch is not installed: make train-deps"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests whose needs are absent; on a build server that is an error."""
    left_out = [item for item in items if any(map(item.get_closest_marker, _ABSENT))]
    if left_out and os.environ.get("CI"):
        raise pytest.UsageError(f"CI is set, but: {'; '.join(_ABSENT.values())}")
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
        config.stash[_LEFT_OUT] = left_out


_LEFT_OUT = pytest.StashKey[list[pytest.Item]]()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how many tests were left out, and why."""
    left_out = config.stash.get(_LEFT_OUT, [])
    for marker, reason in _ABSENT.items():
        count = sum(item.get_closest_marker(marker) is not None for item in left_out)
        if count or config.pluginmanager.hasplugin("dsession"):  # xdist's workers keep the count
            terminalreporter.write_line(
                f"left out {count or 'the'} tests marked {marker}: {reason}"
            )


@pytest.fixture
def shared_data() -> Path:
    """The folder of labelled data beside the checkout."""
    return DATA


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """A running scripted upstream."""
    async with Upstream() as running:
        yield running
