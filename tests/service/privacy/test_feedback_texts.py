"""Comments and corrections are treated as the reply that they are about; settings say how."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from service.parts import text_keeper
from service.settings import Settings
from service.sources import ConfigError
from tests.fakes.local import Local, exchange, local_settings, serving_locally

MAIL = "anna@example.com"
SECRET = "a secret of sixteen bytes or more"


def about(level: str) -> Any:
    """An exchange whose texts were treated so."""
    asked = {"messages": [{"role": "user", "content": "x"}]}
    request = asked if level == "keep" else asked | {"text": level}
    ids = {"response_ids": (f"chatcmpl-{level}",), "prompt_hash": level}
    return exchange(f"fl_{level}", request=request, **ids)


@pytest.fixture
async def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Local]:
    """A service with a secret that has recorded an exchange of each level."""
    monkeypatch.setenv("PRIVACY_TEST_KEY", SECRET)
    settings = local_settings(tmp_path, privacy={"key_env": "PRIVACY_TEST_KEY"})
    async with serving_locally(settings) as running:
        await running.keep(*map(about, ("keep", "redact", "hash", "drop")))
        yield running


@pytest.mark.parametrize(
    ("level", "told"),
    [("keep", f"ask {MAIL}"), ("redact", "ask <EMAIL_1>"), ("hash", "hmac:"), ("drop", "")],
)
async def test_what_is_said_of_a_reply_is_treated_like_it(
    local: Local, level: str, told: str
) -> None:
    """Comment and correction, in the answer, in the list and in the answer given again."""
    body = {"id": f"fl_{level}", "rating": "down", "comment": f"ask {MAIL}"}
    body["correction"] = body["comment"]
    headers = {"idempotency-key": "one"}

    first = await local.client.post("/v1/feedback", json=body, headers=headers)
    again = await local.client.post("/v1/feedback", json=body, headers=headers)
    listed = (await local.client.get("/v1/feedback")).json()["items"]

    assert (first.status_code, again.json()) == (201, first.json())
    assert listed == [first.json()]
    for field in ("comment", "correction"):
        assert listed[0][field].startswith(told)
        assert bool(listed[0][field]) == bool(told)
        assert (MAIL in listed[0][field]) == (level == "keep")
    assert listed[0]["rating"] == "down"


@pytest.mark.parametrize(
    ("level", "told"),
    [("keep", f"ask {MAIL}"), ("redact", "ask <EMAIL_1>"), ("hash", "hmac:"), ("drop", "")],
)
async def test_imported_judgements_are_treated_too(local: Local, level: str, told: str) -> None:
    """Also the ids that are made of their content: a short comment could be guessed from them."""
    item = {"id": f"chatcmpl-{level}", "rating": "up", "comment": f"ask {MAIL}"}

    first = await local.client.post("/v1/feedback/batch", json={"items": [item]})
    again = await local.client.post("/v1/feedback/batch", json={"items": [item]})
    listed = (await local.client.get("/v1/feedback")).json()["items"]

    assert (first.json()["added"], again.json()["known"]) == (1, 1)
    assert len(listed) == 1
    assert listed[0]["comment"].startswith(told)
    assert (MAIL in listed[0]["comment"]) == (level == "keep")


@pytest.mark.parametrize(
    ("other", "told"), [("keep", "ask <EMAIL_1>"), ("hash", "hmac:"), ("drop", "")]
)
async def test_of_several_replies_the_hardest_level_holds(
    local: Local, other: str, told: str
) -> None:
    """A comment on a comparison or a ranking may quote each of them."""
    pair = {"chosen": "fl_redact", "rejected": f"fl_{other}", "comment": f"ask {MAIL}"}
    ranking = {"ranking": [[{"id": "fl_redact"}], [{"id": f"fl_{other}"}]]}

    await local.client.post("/v1/feedback/comparisons", json=pair)
    await local.client.post("/v1/feedback/rankings", json=ranking | {"comment": f"ask {MAIL}"})
    listed = (await local.client.get("/v1/feedback/comparisons")).json()["items"]

    assert len(listed) == 2
    assert all(item["comment"].startswith(told) for item in listed)
    assert all(bool(item["comment"]) == bool(told) for item in listed)


async def test_idempotency_keeps_neither_key_nor_a_guessable_hash(local: Local) -> None:
    """The stored row has the key's hash; a repeat with another body is still refused."""
    body = {"id": "fl_drop", "comment": "no"}
    headers = {"idempotency-key": "sent-once"}
    await local.client.post("/v1/feedback", json=body, headers=headers)

    other = await local.client.post("/v1/feedback", json=body | {"comment": "yes"}, headers=headers)
    async with local.state.store.reading() as unit:
        kept = await unit.idempotency.get("sent-once", key_id="", endpoint="/v1/feedback")

    assert (other.status_code, kept) == (409, None)


@pytest.mark.parametrize(
    ("key_env", "value", "message"),
    [
        (None, "", "needs a secret"),
        ("PRIVACY_TEST_KEY", "", "is not set"),
        ("PRIVACY_TEST_KEY", "short", "has less than 16 bytes"),
    ],
)
def test_hashing_without_a_secret_does_not_start(
    tmp_path: Path, key_env: str | None, value: str, message: str
) -> None:
    """The message says which policy and what to do."""
    policies = {"default": {"mode": "off", "text": "hash"}}
    settings = local_settings(tmp_path, policies=policies, privacy={"key_env": key_env})

    with pytest.raises(ConfigError, match=message):
        text_keeper(settings, {"PRIVACY_TEST_KEY": value} if value else {})


@pytest.mark.parametrize(
    "values",
    [
        {"policies": {"default": {"text": "hide"}}},
        {"privacy": {"redact": ["NAME"]}},
        {"privacy": {"phone_regions": ["Germany"]}},
    ],
)
def test_unknown_levels_kinds_and_regions_are_refused(values: dict[str, Any]) -> None:
    """At the start, not when the first text comes."""
    with pytest.raises(ValidationError):
        Settings.model_validate(values)
