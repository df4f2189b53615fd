"""`fairlead alerts`: what was raised, who was told, and whether they can be told."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict

import orjson

from service.commands.failures import UsageError
from service.commands.stored import opened_store
from service.commands.terminal import day, say, settings_of, show
from service.settings import Settings
from service.watch.alerts import TEST, is_disabled
from service.watch.message import message, stamp
from service.watch.post import Answer
from service.watch.start import poster_of
from service.watch.webhooks import Webhook, unsigned, webhooks
from storage.ids import new_id, now_us
from storage.records import AlertRecord, DeliveryRecord, ReceiverRecord
from storage.store import Store


def run(args: argparse.Namespace) -> int:
    """Tests, lists or enables."""
    return asyncio.run(_run(args))


async def _run(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    if args.action == "test":
        return await _test(settings)
    async with opened_store(settings.database_url) as store:
        if args.action == "enable":
            await _enable(store, settings, args.name)
        else:
            await _list(store, settings, limit=args.limit, as_json=args.json)
    return 0


async def _test(settings: Settings) -> int:
    """Sends a test alert to each webhook at once, past the store; 1 where one did not take it."""
    found = webhooks(settings.alerts)
    if not found:
        raise UsageError("no webhook is configured: list one under `alerts.webhooks`")
    poster, now = poster_of(settings.alerts), now_us()
    data = {"summary": "a test of Fairlead's alerts; nothing is wrong", "since": stamp(now)}
    body = message(TEST, now, data)
    answers = []
    for webhook in found:
        headers, sent = webhook.request(body, event_id=new_id("msg", now), at_us=now)
        answers.append(await poster.post(webhook.url, headers, sent))
    rows = [
        (webhook.name, webhook.format, "yes" if webhook.secret else "no", _told(answer))
        for webhook, answer in zip(found, answers, strict=True)
    ]
    show(("webhook", "format", "signed", "what came back"), rows)
    return 0 if all(answer.is_delivered for answer in answers) else 1


_ERRORS = {
    "address_refused": "not sent: the address is not public (alerts.allow_private_targets)",
    "timeout": "no answer in time (alerts.timeout_s)",
    "tls": "no trusted certificate",
    "unreachable": "no connection",
    "broken": "the connection broke",
}


def _told(answer: Answer) -> str:
    if answer.error:
        return _ERRORS[answer.error]
    if answer.is_delivered:
        return f"{answer.status}, delivered"
    if answer.status == 410:
        return "410, wants no alerts: a running Fairlead would stop sending"
    return f"{answer.status}, not taken"


async def _enable(store: Store, settings: Settings, name: str) -> None:
    found = {webhook.name: webhook for webhook in unsigned(settings.alerts)}
    async with store.writing() as unit:
        known = (await unit.alerts.receivers()).get(name)
        if known is None or known.disabled_us is None:
            names = ", ".join(found) or "none"
            raise UsageError(f"no webhook {name!r} is disabled; configured: {names}")
        record = ReceiverRecord(name=name, address_hash=known.address_hash)
        await unit.alerts.note_receiver(record)
    say(f"enabled {name}; alerts that are raised from now on are sent to it")


async def _list(store: Store, settings: Settings, *, limit: int, as_json: bool) -> None:
    if limit < 1:
        raise UsageError("--limit is a number of rows, at least 1")
    async with store.reading() as unit:
        alerts = await unit.alerts.recent(limit=limit)
        deliveries = await unit.alerts.deliveries(limit=limit)
        known = await unit.alerts.receivers()
    found = unsigned(settings.alerts)
    if as_json:
        told = {
            "alerts": [asdict(one) for one in alerts],
            "deliveries": [asdict(one) for one in deliveries],
            "webhooks": [_state(one, known.get(one.name)) for one in found],
        }
        say(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return
    show(("alert", "type", "since", "resolved", "summary"), map(_alert_row, alerts))
    say("")
    columns = ("message", "type", "webhook", "status", "tries", "next or done", "answer")
    show(columns, map(_delivery_row, deliveries))
    say("")
    rows = [
        (one.name, one.format, day(known[one.name].disabled_us) if is_off else "")
        for one in found
        for is_off in (is_disabled(one, known.get(one.name)),)
    ]
    show(("webhook", "format", "disabled (410)"), rows)


def _state(webhook: Webhook, known: ReceiverRecord | None) -> dict[str, object]:
    is_off = is_disabled(webhook, known)
    return {"name": webhook.name, "format": webhook.format, "is_disabled": is_off}


def _alert_row(record: AlertRecord) -> tuple[str, ...]:
    since, resolved = day(record.created_us), day(record.resolved_us)
    return record.id, record.type, since, resolved or "open", record.summary


def _delivery_row(record: DeliveryRecord) -> tuple[str, ...]:
    at = day(record.done_us or record.next_us)
    answer = record.error or ("" if record.http_status is None else str(record.http_status))
    return (
        record.event_id, record.type, record.receiver, record.status, str(record.tries), at, answer,
    )  # fmt: skip
