"""Sends recorded prompts to another model, through the whole proxy, so that it can be compared.

What was asked before is asked again once for each prompt; what has an answer under the tag already
is left out, so a replay that ended early goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from service.settings import PolicySettings, RuleSettings, Settings, UpstreamSettings
from storage.records import InteractionRecord, Json
from storage.repositories.watched import REPLAYED
from storage.textlevel import text_level

ROUTE = "/v1/chat/completions"
_SCORING_MS = 60_000
_REFERENCE = "sha256"
_FAILURES = 5
"""So many in a row end a replay: the upstream is not there, or does not take what is sent."""


@dataclass(frozen=True)
class ReplayLimits:
    """How fast, how many at a time, and when enough was sent; None is no limit."""

    rate_per_s: float = 2.0
    concurrency: int = 4
    requests: int | None = None
    tokens: int | None = None


@dataclass
class Tally:
    """What came of a replay; `skipped` counts prompts by why they were not sent."""

    sent: int = 0
    failed: int = 0
    tokens: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    """Why the replay ended before its end; "" where it did not."""

    in_a_row: int = 0
    failure: str = ""
    """What the last failed request was answered."""


def replaying(settings: Settings, url: str, api_key_env: str | None) -> Settings:
    """The settings of a replay: one upstream, and policies that score all and change nothing.

    Scoring may take its time, and nothing is asked of the upstream beside the replies.
    """
    upstream = UpstreamSettings(name="candidate", url=url, api_key_env=api_key_env)
    policies = {name: _quiet(policy) for name, policy in settings.policies.items()}
    logs = settings.logs.model_copy(update={"exchanges": False, "level": "error"})
    access = settings.access.model_copy(update={"required": False})
    changes = {"upstreams": [upstream], "policies": policies, "logs": logs, "access": access}
    return settings.model_copy(update=changes)


def _quiet(policy: PolicySettings) -> PolicySettings:
    def alone(rules: dict[str, RuleSettings]) -> dict[str, RuleSettings]:
        still = {"mode": "classifier", "twin_sample": 0.0}
        return {name: rule.model_copy(update=still) for name, rule in rules.items()}

    changes = {"mode": "shadow", "deadline_ms": _SCORING_MS, "reply": alone(policy.reply)}
    return policy.model_copy(update=changes)


def request_of(record: InteractionRecord, *, tag: str, model: str | None) -> dict[str, Any] | str:
    """The request that asks the same again, or why there is none."""
    if record.route != ROUTE:
        return "of another route"
    if text_level(record) != "keep":
        return "not kept as it was"
    request = record.request if isinstance(record.request, dict) else {}
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        return "not kept as it was"
    if _has_reference(messages):
        return "with attachments, which are not kept"
    texts = "\n".join(_texts(messages))
    context = [text for text in record.context or [] if text not in texts]
    own = {"context": context, "tags": [tag, REPLAYED]}
    body = {
        **(request.get("params") or {}),
        "model": model or record.model,
        "messages": messages,
        "fairlead": own,
    }
    if record.n > 1:
        body["n"] = record.n
    return body | ({"tools": request["tools"]} if request.get("tools") else {})


def _has_reference(value: Json) -> bool:
    if isinstance(value, dict):
        return _REFERENCE in value or any(map(_has_reference, value.values()))
    return isinstance(value, list) and any(map(_has_reference, value))


def _texts(value: Json) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    children = value.values() if isinstance(value, dict) else value
    for child in children if isinstance(value, dict | list) else ():
        yield from _texts(child)


class Replayer:
    """Sends requests at a steady rate until they are through or a limit is reached."""

    def __init__(self, client: httpx.AsyncClient, limits: ReplayLimits) -> None:
        self._client = client
        self._limits = limits
        self.tally = Tally()

    async def run(
        self, bodies: Sequence[dict[str, Any]], on_done: Callable[[], None] = lambda: None
    ) -> Tally:
        """Sends them in order, some at a time; calls `on_done` after each."""
        places = asyncio.Semaphore(self._limits.concurrency)
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, body in enumerate(bodies):
                await asyncio.sleep(began + number / self._limits.rate_per_s - time.monotonic())
                await places.acquire()
                self.tally.stopped = self._why_stop(number)
                if self.tally.stopped:
                    break
                group.create_task(self._send(body, places, on_done))
        return self.tally

    def _why_stop(self, number: int) -> str:
        limits, tally = self._limits, self.tally
        if limits.requests is not None and number >= limits.requests:
            return f"{number} requests were sent, as many as allowed"
        if limits.tokens is not None and tally.tokens >= limits.tokens:
            return f"{tally.tokens} tokens were used, of {limits.tokens} allowed"
        if tally.in_a_row >= _FAILURES:
            return f"{_FAILURES} requests in a row failed"
        return ""

    async def _send(
        self, body: dict[str, Any], places: asyncio.Semaphore, on_done: Callable[[], None]
    ) -> None:
        try:
            answer = await self._client.post(ROUTE, json=body)
        finally:
            places.release()
        tally = self.tally
        tally.sent += 1
        if answer.status_code < 300:
            usage = answer.json().get("usage") or {}
            tally.tokens += int(usage.get("total_tokens") or 0)
            tally.in_a_row = 0
        else:
            tally.failed += 1
            tally.in_a_row += 1
            tally.failure = _told(answer)
        on_done()


def _told(answer: httpx.Response) -> str:
    """Status and message of an error, ours or the candidate's own."""
    try:
        message = answer.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = answer.text
    return f"{answer.status_code} {str(message).strip()[:200]}"
