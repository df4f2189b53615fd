"""Alerts as Prometheus' Alertmanager takes them (API v2, `POST /api/v2/alerts`).

Alertmanager forgets an alert that is not sent again: one that is open is sent every minute, good
for five, so that it also ends there when Fairlead has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from service.watch.message import stamp

GOOD_FOR_US = 5 * 60 * 1_000_000


def rendered(message: Mapping[str, Any], *, at_us: int) -> dict[str, Any]:
    """One alert of the body: open until five minutes from now, or ended when it was resolved."""
    data = message["data"]
    found: dict[str, Any] = {
        "labels": labels(message["type"], data.get("labels", {})),
        "annotations": {
            "summary": str(data.get("summary", "")),
            "details": orjson.dumps(data.get("details", {})).decode(),
            "alert_id": str(data.get("alert_id", "")),
        },
        "startsAt": data.get("since", message["timestamp"]),
    }
    return found | {"endsAt": data.get("resolved_at") or stamp(at_us + GOOD_FOR_US)}


def labels(kind: str, own: Mapping[str, str]) -> dict[str, str]:
    """The labels by which Alertmanager knows an alert: the same when it is open and when it ends.

    Its name is that of what is watched: `FairleadVetoRate` for `veto_rate.high`.
    """
    subject = kind.partition(".")[0]
    words = "".join(word.capitalize() for word in subject.split("_"))
    return {**own, "alertname": f"Fairlead{words}", "service": "fairlead"}
