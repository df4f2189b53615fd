"""Agreement among raters as it is told over HTTP and by the command."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from storage.agreement import Agreement, comparison_agreement, rating_agreement
from storage.repositories.comparisons import ComparisonFilter
from storage.repositories.feedback import FeedbackFilter
from storage.store import Store

MAX_RATERS = 1000


async def agreement_report(
    store: Store, *, key_id: str | None, since_us: int | None, until_us: int | None
) -> dict[str, Any]:
    """The fields of `AgreementView`, of feedback given under a key (None: all) in a time."""
    where: dict[str, Any] = {"key_id": key_id, "since_us": since_us, "until_us": until_us}
    async with store.reading() as unit:
        ratings = await rating_agreement(unit, FeedbackFilter(**where))
        comparisons = await comparison_agreement(unit, ComparisonFilter(**where))
    return {"ratings": _told(ratings), "comparisons": _told(comparisons)}


def _told(found: Agreement) -> dict[str, Any]:
    alpha = asdict(found.alpha)
    value = alpha.pop("value")
    raters = [asdict(rater) for rater in found.raters[:MAX_RATERS]]
    for rater in raters:
        rater["key"] = rater.pop("key_id")
    return {"alpha": value, **alpha, "raters_total": len(found.raters), "raters": raters}
