"""A made-up past for a store: four days of exchanges, the last of them worse.

For drift, which compares days, and calibration, which needs many checked replies: there is no other
way to have them within minutes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from storage.ids import new_id, now_us
from storage.records import FeedbackRecord, InteractionRecord, ScoreRecord
from storage.store import Store
from storage.writer import Writer, WriterOptions

DAYS = 4
AN_HOUR = 14
WORSE_DAYS = 1
_HOUR_US = 3_600_000_000


async def put_past(database_url: str, spool: WriterOptions) -> int:
    """Stores the past; the number of exchanges."""
    store = await Store.open(database_url)
    writer = Writer(store, spool)
    await writer.start()
    records = list(past(now_us()))
    try:
        for record in records:
            await writer.put(record, is_durable=False)
        await writer.close()
        async with store.writing() as unit:
            await unit.feedback.add_new([thumb for record in records for thumb in thumbs(record)])
    finally:
        await store.close()
    return len(records)


def thumbs(record: InteractionRecord) -> Iterator[FeedbackRecord]:
    """A word on every fourth reply: right less often than it sounds."""
    draw = random.Random(record.id)
    if record.status != "completed" or draw.random() > 0.25:
        return
    sure = record.scores[-1].heads["expressed"]
    yield FeedbackRecord(
        id=f"fb_{record.id}",
        created_us=record.created_us + 60_000_000,
        interaction_id=record.id,
        rating="up" if draw.random() < 0.3 + 0.6 * sure else "down",
        rater="past",
    )


def past(now: int, *, seed: int = 5) -> Iterator[InteractionRecord]:
    """The exchanges, oldest first."""
    draw = random.Random(seed)
    for hour in range(DAYS * 24, 0, -1):
        is_worse = hour <= WORSE_DAYS * 24
        for at in sorted(draw.uniform(0, 1) for _ in range(AN_HOUR)):
            yield _exchange(now - int((hour - at) * _HOUR_US), draw, is_worse=is_worse)


def _exchange(at_us: int, draw: random.Random, *, is_worse: bool) -> InteractionRecord:
    toxic = draw.betavariate(4, 3) if draw.random() < (0.2 if is_worse else 0.03) else (
        draw.betavariate(1, 30))  # fmt: skip
    bends = draw.betavariate(2, 14)
    verdict = "veto" if toxic > 0.6 else "flag" if toxic > 0.5 else "allow"
    text = "word " * int(draw.lognormvariate(3.6, 0.5))
    scores = tuple(
        ScoreRecord(
            side="reply", scorer=name, model="fairlead-mini", status="scored", choice_index=0,
            risk=risk, verdict=verdict if name == "toxicity" else "allow",
            heads={head: risk},
        )
        for name, head, risk in (("toxicity", "toxic", toxic), ("sycophancy", "sycophantic", bends))
    )  # fmt: skip
    sure = ScoreRecord(
        side="reply", scorer="confidence", model="fairlead-mini", status="not_applicable",
        choice_index=0, heads={"expressed": draw.betavariate(6, 2)},
    )  # fmt: skip
    ident = new_id("fl", at_us)
    return InteractionRecord(
        id=ident,
        created_us=at_us,
        route="/v1/chat/completions",
        dialect="chat",
        upstream="main",
        model="atlas-large",
        status="vetoed" if verdict == "veto" else "completed",
        http_status=200,
        verdict=verdict,
        prompt_hash=ident[-32:],
        response_ids=(f"chatcmpl-{ident}",),
        request={"messages": [{"role": "user", "content": f"Question {draw.random():.6f}"}]},
        choices=[
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "delivered": text,
                "verdict": verdict,
                "finish_reason": "stop",
                "delivered_finish_reason": "stop",
            }
        ],
        timings={"total_ms": draw.lognormvariate(6.5, 0.4), "overhead_ms": 40.0},
        scores=(*scores, sure),
    )
