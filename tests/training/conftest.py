"""Tests that train need PyTorch: without it they are skipped, on a build server they fail."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what needs PyTorch as skipped where it is not installed, but never in CI."""
    if find_spec("torch") is not None or os.environ.get("CI"):
        return
    reason = "PyTorch is not installed: make train-deps"
    for item in items:
        if item.get_closest_marker("train") is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
