"""`fairlead alerts`, and what a running service says of its webhooks."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from service.cli import main
from service.watch.alerts import Alert
from tests.fakes.local import local_settings, serving_locally
from tests.fakes.receiver import SECRET, Receiver
from tests.patience import PATIENCE_S, until


@contextmanager
def receiving(*answers: Any) -> Iterator[Receiver]:
    """A receiver in a thread of its own, for commands that block."""
    receiver, ready, over = Receiver(list(answers)), threading.Event(), threading.Event()

    async def receive() -> None:
        async with receiver:
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(receive()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE_S)
    try:
        yield receiver
    finally:
        over.set()
        thread.join()


def config(folder: Path, *hooks: dict[str, Any], **alerts: Any) -> str:
    """A file of settings with these webhooks; its path."""
    found = {
        "database_url": f"sqlite+aiosqlite:///{folder / 'fairlead.db'}",
        "alerts": {"allow_private_targets": True, "webhooks": list(hooks)} | alerts,
    }
    file = folder / "fairlead.yaml"
    file.write_text(json.dumps(found))
    return str(file)


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a variable that holds a secret."""
    monkeypatch.setenv("FAIRLEAD_WEBHOOK_SECRET", SECRET)
    return "FAIRLEAD_WEBHOOK_SECRET"


def test_a_test_alert_goes_to_each_webhook(
    tmp_path: Path, secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Signed where it has a secret; what came back is printed, and a failure is an exit code."""
    with receiving() as one, receiving(500) as two:
        file = config(
            tmp_path,
            {"name": "mine", "url": one.url, "secret_env": secret},
            {"name": "chat", "url": two.url, "format": "slack"},
        )

        assert main(["alerts", "test", "--config", file]) == 1

    assert one.got[0].verified()["type"] == "test"
    assert two.got[0].json["text"].startswith("test: ")
    printed = capsys.readouterr().out
    assert "mine" in printed
    assert "204, delivered" in printed
    assert "500, not taken" in printed
    assert SECRET not in printed
    assert one.url not in printed


def test_a_test_without_webhooks_is_bad_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what to do."""
    assert main(["alerts", "test", "--config", config(tmp_path)]) == 2
    assert "alerts.webhooks" in capsys.readouterr().err


def test_a_test_says_what_is_refused(
    tmp_path: Path, secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that leads to this machine is not called unless that is allowed."""
    with receiving() as receiver:
        url = receiver.url.replace("127.0.0.1", "localhost")
        hook = {"name": "mine", "url": url, "secret_env": secret}
        file = config(tmp_path, hook, allow_private_targets=False)

        assert main(["alerts", "test", "--config", file]) == 1

    assert receiver.got == []
    assert "allow_private_targets" in capsys.readouterr().out


async def test_a_service_tells_and_says_who_has_gone(
    tmp_path: Path, secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the alert to `/readyz`, `/metrics` and the command that lists; then it is enabled."""
    async with Receiver([410]) as receiver:
        hook = {"name": "mine", "url": receiver.url, "secret_env": secret}
        told = {"allow_private_targets": True, "webhooks": [hook]}
        async with serving_locally(local_settings(tmp_path, alerts=told)) as local:
            watching = local.state.watching
            await watching.alerts.raise_alert(Alert(type="drift.detected", summary="it moved"))
            await receiver.received(1)
            await until(lambda: watching.sender.disabled)
            ready = await local.client.get("/readyz")
            await watching.loop.tick()
            figures = (await local.client.get("/metrics")).text

    assert ready.status_code == 200
    assert ready.json()["parts"]["alerts"] == {"ready": True, "disabled_webhooks": ["mine"]}
    assert 'fairlead_alerts_sent_total{status="gone",webhook="mine"} 1.0' in figures
    assert 'fairlead_alert_webhook_disabled{webhook="mine"} 1.0' in figures
    assert 'fairlead_alerts_open{type="drift.detected"} 1.0' in figures
    file = config(tmp_path, hook)
    listed = await asyncio.to_thread(_printed, capsys, "list", "--json", "--config", file)
    found = json.loads(listed)
    assert [one["status"] for one in found["deliveries"]] == ["disabled"]
    assert [one["type"] for one in found["alerts"]] == ["drift.detected"]
    assert found["webhooks"] == [{"name": "mine", "format": "standard", "is_disabled": True}]
    shown = await asyncio.to_thread(_printed, capsys, "list", "--config", file)
    assert "it moved" in shown
    assert await asyncio.to_thread(main, ["alerts", "enable", "mine", "--config", file]) == 0
    assert await asyncio.to_thread(main, ["alerts", "enable", "mine", "--config", file]) == 2


def _printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(["alerts", *words]) == 0
    return capsys.readouterr().out
