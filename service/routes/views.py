"""Records as the JSON that clients see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import Response

from storage.rankings import tiers_of
from storage.records import AuditRecord, ComparisonRecord, FeedbackRecord, InteractionRecord


def answer(value: Any, status: int = 200) -> Response:
    """The value as a JSON response."""
    return Response(orjson.dumps(value), status_code=status, media_type="application/json")


def iso(at_us: int) -> str:
    """Unix microseconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="microseconds")


def unix_us(at: datetime | None) -> int | None:
    """A time as unix microseconds."""
    return None if at is None else round(at.timestamp() * 1e6)


def feedback_view(record: FeedbackRecord) -> dict[str, Any]:
    """The fields of `FeedbackView`."""
    fields = asdict(record)
    del fields["key_id"]
    return _dated(fields)


def comparison_view(record: ComparisonRecord) -> dict[str, Any]:
    """The fields of `ComparisonView`."""
    return {
        "id": record.id,
        "created_at": iso(record.created_us),
        "chosen": record.chosen_interaction_id,
        "rejected": record.rejected_interaction_id,
        "chosen_choice_index": record.chosen_choice,
        "rejected_choice_index": record.rejected_choice,
        "is_tie": record.is_tie,
        "ranking_id": record.ranking_id,
        "rater": record.rater,
        "comment": record.comment,
    }


def ranking_view(records: Sequence[ComparisonRecord]) -> dict[str, Any]:
    """The fields of `RankingView`, of the comparisons of one ranking, the first first."""
    first = records[0]
    tiers = [
        [{"id": ident, "choice_index": choice} for ident, choice in tier]
        for tier in tiers_of(records)
    ]
    return {
        "id": first.ranking_id,
        "created_at": iso(first.created_us),
        "ranking": tiers,
        "comparisons": len(records),
        "rater": first.rater,
        "comment": first.comment,
    }


def interaction_view(
    record: InteractionRecord, feedback: Iterable[FeedbackRecord] | None = None
) -> dict[str, Any]:
    """The fields of `InteractionView`; which key was used is nobody else's business."""
    fields = asdict(record)
    for name in ("key_id", "prompt_hash"):
        del fields[name]
    if feedback is not None:
        fields["feedback"] = [feedback_view(one) for one in feedback]
    return _dated(fields)


def audit_view(record: AuditRecord) -> dict[str, Any]:
    """The fields of `AuditView`."""
    return _dated(asdict(record))


def _dated(fields: dict[str, Any]) -> dict[str, Any]:
    created = iso(fields.pop("created_us"))
    return {"id": fields.pop("id"), "created_at": created, **fields}
