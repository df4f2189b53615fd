"""Records to test with: complete, unless told otherwise."""

from __future__ import annotations

from typing import Any

from storage.ids import new_id, now_us
from storage.records import (
    ComparisonRecord,
    FeedbackRecord,
    InteractionRecord,
    Rating,
    ScoreRecord,
)


def choice(text: str | None, index: int = 0, **changes: Any) -> dict[str, Any]:
    """A choice that reached the client as the model wrote it."""
    return {
        "index": index,
        "message": {"role": "assistant", "content": text},
        "delivered": text,
        "finish_reason": "stop",
        "delivered_finish_reason": "stop",
        "verdict": "allow",
        **changes,
    }


def score(**changes: Any) -> ScoreRecord:
    """A score of the reply's first choice."""
    fields: dict[str, Any] = {
        "side": "reply",
        "scorer": "toxicity",
        "model": "mini-1",
        "status": "scored",
        "choice_index": 0,
        "risk": 0.125,
        "flag_threshold": 0.5,
        "veto_threshold": 0.9,
        "verdict": "allow",
        "heads": {"toxic": 0.125},
        "windows": [[0, 5, 0.125]],
        "spans": [{"start": 0, "stop": 5, "risk": 0.125}],
    }
    return ScoreRecord(**fields | changes)


def exchange(*replies: str, prompt: str = "Which way?", **changes: Any) -> InteractionRecord:
    """An exchange whose reply has one choice per text of `replies`."""
    texts = replies or ("That way.",)
    fields: dict[str, Any] = {
        "id": new_id("fl"),
        "created_us": now_us(),
        "route": "/v1/chat/completions",
        "dialect": "chat",
        "upstream": "default",
        "model": "m-small",
        "reply_model": "m-small-2026",
        "status": "completed",
        "http_status": 200,
        "verdict": "allow",
        "prompt_hash": f"hash of {prompt}",
        "n": len(texts),
        "request": {"messages": [{"role": "user", "content": prompt}], "params": {}},
        "context": [],
        "choices": [choice(text, at) for at, text in enumerate(texts)],
        "usage": {"total_tokens": 12},
        "timings": {"total_ms": 1.5},
    }
    return InteractionRecord(**fields | changes)


def thumb(
    about: InteractionRecord, rating: Rating | None, rater: str = "ann", **changes: Any
) -> FeedbackRecord:
    """A thumb on the first choice of an exchange."""
    fields: dict[str, Any] = {
        "id": new_id("fb"),
        "created_us": now_us(),
        "interaction_id": about.id,
        "rating": rating,
        "rater": rater,
    }
    return FeedbackRecord(**fields | changes)


def preference(
    chosen: InteractionRecord, rejected: InteractionRecord, rater: str = "ann", **changes: Any
) -> ComparisonRecord:
    """One exchange's first choice preferred to another's."""
    fields: dict[str, Any] = {
        "id": new_id("cmp"),
        "created_us": now_us(),
        "chosen_interaction_id": chosen.id,
        "rejected_interaction_id": rejected.id,
        "rater": rater,
    }
    return ComparisonRecord(**fields | changes)
