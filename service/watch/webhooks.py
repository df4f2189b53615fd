"""The receivers of alerts, with their secrets, and what is sent to each in its own form."""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
import standardwebhooks

from service import settings
from service.sources import ConfigError, MissingSecret
from service.watch import alertmanager, slack
from service.watch.addresses import is_public

SECRET_PREFIX = "whsec_"  # noqa: S105 - the mark of a secret, not one
SECRET_BYTES = range(24, 65)

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Webhook:
    """One receiver. Neither its address nor its secret is shown: both may let others in."""

    name: str
    url: str = field(repr=False)
    format: str = "standard"
    secret: str | None = field(default=None, repr=False)

    @property
    def address_hash(self) -> str:
        """What the store knows of its address."""
        return _hash(self.url)

    def request(
        self, message: Mapping[str, Any], *, event_id: str, at_us: int
    ) -> tuple[Headers, bytes]:
        """The headers and the body that tell a message at this time, signed where it has a secret.

        `message` has the standard form: `type`, `timestamp` and `data`.
        """
        match self.format:
            case "slack":
                body = orjson.dumps(slack.rendered(message))
            case "alertmanager":
                body = orjson.dumps([alertmanager.rendered(message, at_us=at_us)])
            case _:
                body = orjson.dumps(message)
        return self.headers(body, event_id=event_id, at_us=at_us), body

    def headers(self, body: bytes, *, event_id: str, at_us: int) -> Headers:
        """The headers of a body: Standard Webhooks', as of now."""
        at = datetime.fromtimestamp(at_us // 1_000_000, UTC)
        found = {
            "content-type": "application/json",
            "user-agent": "fairlead",
            "webhook-id": event_id,
            "webhook-timestamp": str(at_us // 1_000_000),
        }
        if self.secret is not None:
            signer = standardwebhooks.Webhook(self.secret)
            found["webhook-signature"] = signer.sign(event_id, at, body.decode())
        return found


def webhooks(
    alerts: settings.Alerts, environ: Mapping[str, str] = os.environ
) -> tuple[Webhook, ...]:
    """The receivers of the settings, with their secrets from the environment.

    Raises ConfigError for a secret that is missing or is none, and for an address that may not
    be called as it stands.
    """
    found = tuple(
        replace(webhook, secret=_secret(one, environ))
        for webhook, one in zip(unsigned(alerts), alerts.webhooks, strict=True)
    )
    for webhook in found:
        if not alerts.allow_private_targets:
            _expect_public(webhook)
    return found


def unsigned(alerts: settings.Alerts) -> tuple[Webhook, ...]:
    """The receivers without their secrets: enough to tell of them."""
    return tuple(Webhook(_name(one), one.url, one.format) for one in alerts.webhooks)


def _name(webhook: settings.Webhook) -> str:
    host = urlsplit(webhook.url).hostname or ""
    return webhook.name or f"{host[:100]}-{_hash(webhook.url)[:6]}"


def _secret(webhook: settings.Webhook, environ: Mapping[str, str]) -> str | None:
    where, name = f"alerts.webhooks: {_name(webhook)}", webhook.secret_env
    if name is None:
        if webhook.format == "standard":
            raise ConfigError(
                f"{where}: the standard form is signed: name the environment variable that holds "
                "the secret in `secret_env`"
            )
        return None
    secret = environ.get(name)
    if not secret:
        raise MissingSecret(f"{where}: the environment variable {name} is not set")
    if not _is_secret(secret):
        raise ConfigError(
            f"{where}: the secret in {name} is not `whsec_` and 24 to 64 bytes in base64; "
            'make one with `echo "whsec_$(openssl rand -base64 32)"`'
        )
    return secret


def _is_secret(secret: str) -> bool:
    try:
        found = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return secret.startswith(SECRET_PREFIX) and len(found) in SECRET_BYTES


def _expect_public(webhook: Webhook) -> None:
    host = urlsplit(webhook.url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return  # a name; what it stands for is looked at whenever it is called
    if not is_public(address):
        raise ConfigError(
            f"alerts.webhooks: {webhook.name}: {host} is no public address; "
            "`alerts.allow_private_targets: true` allows it"
        )


def _hash(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:32]
