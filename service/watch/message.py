"""What is told of an alert, in the form of Standard Webhooks; other forms are made of this."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from storage.records import AlertRecord


def message(kind: str, at_us: int, data: Mapping[str, Any]) -> dict[str, Any]:
    """A message in the form of Standard Webhooks."""
    return {"type": kind, "timestamp": stamp(at_us), "data": dict(data)}


def about(record: AlertRecord, kind: str, at_us: int) -> dict[str, Any]:
    """What is told of an alert."""
    told = {
        "alert_id": record.id,
        "summary": record.summary,
        "labels": record.labels or {},
        "details": record.details or {},
        "since": stamp(record.created_us),
    }
    return told | ({"resolved_at": stamp(at_us)} if kind.endswith(".resolved") else {})


def stamp(at_us: int) -> str:
    """Unix microseconds as ISO 8601 in UTC, to the millisecond."""
    at = datetime.fromtimestamp(at_us / 1e6, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
