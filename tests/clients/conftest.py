"""One proxy for all clients: a scripted upstream behind it, scores by word."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai import OpenAI

from service.app import create_app
from service.settings import Settings
from tests.fakes.server import ThreadedServer
from tests.fakes.upstream import ThreadedUpstream, Upstream
from tests.fakes.word_engine import WordEngine, WordHeads

RULES = {"toxicity": {"veto": 0.5}}


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    """A scripted upstream."""
    with ThreadedUpstream() as running:
        yield running


@pytest.fixture(scope="session")
def proxy_url(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The proxy's address; prompts and replies with a bad word are vetoed."""
    store = tmp_path_factory.mktemp("clients") / "fairlead.db"
    settings = Settings.model_validate(
        {
            "database_url": f"sqlite+aiosqlite:///{store}",
            "upstreams": [{"url": upstream.url}],
            "policies": {"default": {"prompt": RULES, "reply": RULES}},
        }
    )
    with ThreadedServer(create_app(settings, engine=WordEngine(), heads=WordHeads())) as url:
        yield url


@pytest.fixture(scope="session")
def base_url(proxy_url: str) -> str:
    """The address as OpenAI's clients are given it."""
    return f"{proxy_url}/v1"


@pytest.fixture
def client(base_url: str) -> Iterator[OpenAI]:
    """OpenAI's client."""
    with OpenAI(base_url=base_url, api_key="sk-test", max_retries=0) as running:
        yield running
