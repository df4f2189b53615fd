"""Webhooks as they are configured, and what each form of alert looks like."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from service import settings
from service.sources import ConfigError
from service.watch.alertmanager import GOOD_FOR_US
from service.watch.alerts import Alert, Alerts
from service.watch.message import message, stamp
from service.watch.post import HttpPoster
from service.watch.upkeep import Refreshing
from service.watch.webhooks import Webhook, webhooks
from storage.store import Store
from tests.fakes.receiver import SECRET, Receiver
from tests.service.watch.conftest import Clock

AT_US = 1_750_000_000_000_000
DATA = {
    "alert_id": "al_1",
    "summary": "vetoes <!channel> & more",
    "labels": {"policy": "default", "model": "`m`\n<@U1>"},
    "details": {"vetoes": 30, "share": 0.25, "examples": ["fl_1"]},
    "since": stamp(AT_US),
}
RAISED = message("veto_rate.high", AT_US, DATA)
RESOLVED = message("veto_rate.resolved", AT_US, DATA | {"resolved_at": stamp(AT_US + 60_000_000)})


def configured(*hooks: dict[str, Any], **values: Any) -> settings.Alerts:
    """Settings with these webhooks."""
    return settings.Alerts.model_validate({"webhooks": list(hooks)} | values)


def body(form: str, told: dict[str, Any]) -> Any:
    """What a receiver of this form gets."""
    hook = Webhook("hook", "https://example.com", form)
    _, sent = hook.request(told, event_id="msg_1", at_us=AT_US)
    return orjson.loads(sent)


def test_a_secret_comes_from_the_environment() -> None:
    """It is neither a setting nor shown."""
    wanted = configured({"url": "https://example.com/x", "secret_env": "HOOK"})

    (hook,) = webhooks(wanted, {"HOOK": SECRET})

    assert hook.secret == SECRET
    assert SECRET not in repr(hook)
    assert "example.com/x" not in repr(hook)


@pytest.mark.parametrize(
    ("hook", "says"),
    [
        ({}, "secret_env"),
        ({"secret_env": "NOT_THERE"}, "NOT_THERE is not set"),
        ({"secret_env": "PLAIN"}, "openssl"),
        ({"secret_env": "SHORT"}, "24 to 64 bytes"),
        ({"secret_env": "ODD"}, "whsec_"),
    ],
)
def test_a_secret_that_is_none_is_told(hook: dict[str, str], says: str) -> None:
    """Before the service starts, with what to do, and without the secret."""
    environ = {"PLAIN": "hunter2hunter2hunter2hunter2", "SHORT": "whsec_QUJD", "ODD": "whsec_@@@@"}

    with pytest.raises(ConfigError, match=says) as told:
        webhooks(configured({"url": "https://example.com"} | hook), environ)

    assert not any(secret in str(told.value) for secret in environ.values())


def test_only_the_standard_form_needs_a_secret() -> None:
    """Slack and Alertmanager read no signature; where there is a secret it is sent all the same."""
    wanted = configured(
        {"url": "https://a.example", "format": "slack"},
        {"url": "https://b.example", "format": "alertmanager", "secret_env": "HOOK"},
    )

    one, two = webhooks(wanted, {"HOOK": SECRET})

    assert "webhook-signature" not in one.headers(b"{}", event_id="m", at_us=AT_US)
    assert "webhook-signature" in two.headers(b"{}", event_id="m", at_us=AT_US)


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "[::1]", "10.0.0.1:9093"])
def test_an_address_inside_is_told_at_the_start(host: str) -> None:
    """Unless such addresses are allowed."""
    hook = {"url": f"http://{host}/x", "format": "slack"}

    with pytest.raises(ConfigError, match="allow_private_targets"):
        webhooks(configured(hook), {})
    assert webhooks(configured(hook, allow_private_targets=True), {})


def test_names_are_given_or_made() -> None:
    """A made one has the host and says nothing of the rest; two webhooks never share one."""
    first, second = (
        webhooks(configured({"url": f"https://hooks.example/{key}", "format": "slack"}), {})[0]
        for key in ("T1/SECRET", "T2/SECRET")
    )

    assert first.name.startswith("hooks.example-")
    assert first.name != second.name
    assert "SECRET" not in first.name
    for same in ({"name": "a"}, {}):
        urls = ["https://a.example", "https://b.example" if same else "https://a.example"]
        with pytest.raises(ValidationError, match="same name or the same address"):
            configured(*({"url": url, "format": "slack"} | same for url in urls))


def test_slack_gets_text_that_cannot_call_anybody() -> None:
    """Angle brackets and backticks of a label make no mention, link or markup."""
    told = body("slack", RAISED)

    shown = told["blocks"][0]["text"]["text"]
    assert told["text"] == "veto_rate.high: vetoes &lt;!channel&gt; &amp; more"
    assert ":warning: *veto_rate.high*" in shown
    assert "model: `'m' &lt;@U1&gt;`" in shown
    assert "vetoes: `30`" in shown
    assert shown.endswith("examples: `fl_1`")
    assert told["blocks"][1]["elements"][0]["text"] == f"{stamp(AT_US)} · al_1"
    assert ":white_check_mark:" in body("slack", RESOLVED)["blocks"][0]["text"]["text"]


def test_alertmanager_knows_an_end_by_its_labels() -> None:
    """The alert that ends has the labels and the start of the one that began."""
    (raised,), (resolved,) = body("alertmanager", RAISED), body("alertmanager", RESOLVED)

    assert raised["labels"] == resolved["labels"]
    assert raised["labels"]["alertname"] == "FairleadVetoRate"
    assert raised["startsAt"] == resolved["startsAt"] == stamp(AT_US)
    assert raised["endsAt"] == stamp(AT_US + GOOD_FOR_US)
    assert resolved["endsAt"] == stamp(AT_US + 60_000_000)
    assert orjson.loads(raised["annotations"]["details"])["examples"] == ["fl_1"]


async def test_alertmanager_is_told_again_of_what_is_open(store: Store, clock: Clock) -> None:
    """In one request for all, with an end that moves on; nobody else is, and not of what ended."""
    async with Receiver() as receiver, Receiver() as other:
        hooks = (
            Webhook("am", receiver.url, "alertmanager"),
            Webhook("slack", other.url, "slack"),
        )
        alerts = Alerts(store, hooks, hold_s=0, clock_us=clock)
        poster = HttpPoster(allow_private=True)
        sent: list[tuple[str, str]] = []

        class Meter:
            def alert_sent(self, webhook: str, status: str) -> None:
                sent.append((webhook, status))

            def alerts_open(self, kind: str, count: int) -> None:
                raise AssertionError

        watcher = Refreshing(alerts, hooks, poster, Meter(), frozenset, clock_us=clock)
        await watcher.look()
        assert receiver.got == []
        for number in ("1", "2"):
            labels = {"n": number}
            await alerts.raise_alert(Alert(type="drift.detected", summary="", labels=labels))
        clock.forward(240)
        await watcher.look()
        for number in ("1", "2"):
            await alerts.resolve("drift.detected", {"n": number})
        await alerts.settle()
        await watcher.look()

        (got,) = receiver.got
        assert {one["endsAt"] for one in got.json} == {stamp(clock() + GOOD_FOR_US)}
        assert {one["labels"]["n"] for one in got.json} == {"1", "2"}
        assert other.got == []
    assert sent == [("am", "delivered")]
