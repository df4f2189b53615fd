"""Whether the service lives, and whether it can work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from scorers.engine import Health
from service.state import KEY
from storage.errors import StoreUnavailable
from storage.keys import new_key
from storage.store import Store
from tests.fakes.local import local_settings, serving_locally
from tests.fakes.word_engine import WordEngine, WordHeads

READY = Health(is_ready=True, provider="cpu", model="words@1", reason="", deaths=0, queue_tokens=0)
SCORING = {"policies": {"default": {"prompt": {}, "reply": {"toxicity": {"veto": 0.5}}}}}


@dataclass
class ToldEngine(WordEngine):
    """An engine that is as healthy as it is told to be."""

    told: Health = READY

    def health(self) -> Health:
        """What was told."""
        return self.told


class AwayStore(Store):
    """A store that can be taken away."""

    is_away = False
    is_silent = False

    async def ping(self) -> None:
        """Raises, or says nothing, as long as it is away."""
        if self.is_away:
            raise StoreUnavailable("gone")
        if self.is_silent:
            await asyncio.sleep(3600)
        await super().ping()


async def ready(folder: Path, *, health: Health = READY, **values: Any) -> tuple[int, Any]:
    """The status and answer of `/readyz` with an engine of this health."""
    parts = {"engine": ToldEngine(told=health), "heads": WordHeads()}
    async with serving_locally(local_settings(folder, **(SCORING | values)), **parts) as local:
        reply = await local.client.get("/readyz")
        return reply.status_code, reply.json()


async def test_a_service_with_all_its_parts_is_ready(tmp_path: Path) -> None:
    """200, with the model and the provider that runs."""
    status, found = await ready(tmp_path)

    assert (status, found["status"], found["left_out"]) == (200, "ready", [])
    scorers = {
        "ready": True,
        "provider": "cpu",
        "model": "words@1",
        "scorers": ["toxicity"],
    }
    assert found["parts"] == {
        "scorers": scorers,
        "store": {"ready": True},
        "writer": {
            "ready": True,
            "pending_records": 0,
            "spooled_bytes": 0,
            "spool_limit_bytes": 1 << 30,
        },
        "alerts": {"ready": True},
    }


async def test_a_service_that_scores_nothing_needs_no_engine(tmp_path: Path) -> None:
    """With every policy off no model is loaded, and that is said."""
    async with serving_locally(local_settings(tmp_path)) as local:
        reply = await local.client.get("/readyz")

    assert reply.status_code == 200
    assert reply.json()["parts"]["scorers"]["reason"] == "no policy scores anything"


async def test_a_cold_engine_is_not_ready(tmp_path: Path) -> None:
    """503, and the reason that the engine gives."""
    cold = replace(READY, is_ready=False, reason="warming up")

    status, found = await ready(tmp_path, health=cold)

    assert (status, found["status"]) == (503, "not ready")
    assert found["parts"]["scorers"]["reason"] == "warming up"
    assert found["parts"]["store"]["ready"]


@pytest.mark.parametrize(("asked", "status"), [("cpu", 200), ("auto", 200), ("cuda", 503)])
async def test_another_provider_than_asked_for_is_not_ready(
    tmp_path: Path, asked: str, status: int
) -> None:
    """A silent fall back to the CPU shows."""
    found = await ready(tmp_path, scoring={"provider": asked})

    assert found[0] == status


async def test_rules_that_were_left_out_are_listed(tmp_path: Path) -> None:
    """A flag whose scorer the model lacks does not keep the service from being ready."""
    rules = {"default": {"prompt": {}, "reply": {"sycophancy": {"flag": 0.5}}}}

    status, found = await ready(tmp_path, policies=rules)

    assert status == 200
    assert found["left_out"] == [
        "policies.default.reply.sycophancy: words@1 has no such scorer or head"
    ]


@pytest.mark.parametrize("how", ["is_away", "is_silent"])
async def test_a_store_that_does_not_answer_is_not_ready(tmp_path: Path, how: str) -> None:
    """503, and the process itself still lives."""
    settings = local_settings(tmp_path)
    async with serving_locally(settings) as other:
        store = AwayStore(other.state.store.engines)
        async with serving_locally(settings, store=store) as local:
            setattr(store, how, True)
            reply = await local.client.get("/readyz")
            alive = await local.client.get("/healthz")

    assert (reply.status_code, alive.status_code) == (503, 200)
    assert not reply.json()["parts"]["store"]["ready"]


class LostWriter:
    """A writer whose records do not arrive."""

    is_healthy = False
    pending_records = 7
    spooled_bytes = 2000
    spool_limit_bytes = 3000


async def test_a_writer_that_does_not_write_is_not_ready(tmp_path: Path) -> None:
    """Records would be lost, so no traffic should come."""
    async with serving_locally(local_settings(tmp_path)) as local:
        lost: Any = LostWriter()
        local.lifespan[KEY] = replace(local.state, writer=lost)
        reply = await local.client.get("/readyz")

    assert reply.status_code == 503
    assert reply.json()["parts"]["writer"] == {
        "ready": False,
        "reason": "records do not reach the store and wait in the spool",
        "pending_records": 7,
        "spooled_bytes": 2000,
        "spool_limit_bytes": 3000,
    }


async def test_metrics_are_prometheus_text(tmp_path: Path) -> None:
    """Requests are counted by the program's own names of its routes."""
    async with serving_locally(local_settings(tmp_path)) as local:
        for path in ("/healthz", "/v1/interactions/one", "/v1/interactions/two", "/made/up"):
            await local.client.get(path)
        reply = await local.client.get("/metrics")

    assert reply.headers["content-type"].startswith("text/plain; version=")
    for route, status, count in (
        ("/healthz", 200, 1),
        ("/v1/interactions/{id}", 404, 2),
        ("unmatched", 404, 1),
    ):
        labels = f'model="",route="{route}",status="{status}"'
        assert f"fairlead_requests_total{{{labels}}} {count}.0" in reply.text


async def test_metrics_can_be_closed(tmp_path: Path) -> None:
    """Then they need an admin's key, as health never does."""
    settings = local_settings(tmp_path, access={"required": True, "open_metrics": False})
    async with serving_locally(settings) as local:
        key, record = new_key("prometheus", scopes=("admin",))
        async with local.state.store.writing() as unit:
            await unit.keys.add(record)
        headers = {"authorization": f"Bearer {key}"}
        with_key = await local.client.get("/metrics", headers=headers)
        found = [(await local.client.get(p)).status_code for p in ("/metrics", "/healthz")]

    assert (found, with_key.status_code) == ([401, 200], 200)
