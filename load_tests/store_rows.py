"""Synthetic rows for a large store: tuples in column order, put in by the shortest way."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import asyncpg
import orjson
from sqlalchemy import URL

from storage import tables
from storage.ids import new_id, now_us
from storage.records import FeedbackRecord, InteractionRecord, ScoreRecord
from storage.rows import encode

DAY_US = 86_400_000_000
CHUNK = 20_000
MODELS = ("m-small", "m-large", "m-small-tuned")
Rows = dict[str, list[tuple[Any, ...]]]
_REPLY = "The tide runs out past the mole until noon, and the ferry waits for it. " * 4


def rows(count: int, *, days: int, seed: int = 7) -> Iterator[Rows]:
    """`count` exchanges of about 1 KB over the last so many days, oldest first, in chunks.

    Three replies to a prompt on average, ten thousand users, two scores each, one in fifty with a
    thumb, one in twenty tagged, one in a hundred vetoed.
    """
    draw = random.Random(seed)
    names = [column.name for column in tables.interactions.columns]
    base = dict(zip(names, encode(_example()).interaction, strict=True))
    start_us, step_us = now_us() - days * DAY_US, days * DAY_US // count
    found: Rows = {}
    for number in range(count):
        at_us = start_us + number * step_us
        ident = new_id("fl", at_us)
        rating = draw.choice(("up", "down")) if draw.random() < 0.02 else None
        own = _exchange(draw, number, count)
        line = base | own | {"id": ident, "created_us": at_us}
        _put(found, "interactions", tuple(line.values()))
        for position, scorer in enumerate(("toxicity", "faithfulness")):
            _put(found, "scores", _score(ident, position, scorer, draw.random() ** 4))
        _put(found, "responses", (f"chatcmpl-{number}", ident))
        if draw.random() < 0.05:
            _put(found, "tags", (draw.choice(("beta", "shop", "night")), ident))
        if rating is not None:
            _put(found, "feedback", _feedback(ident, at_us, rating, draw.randrange(500)))
        if number % CHUNK == CHUNK - 1:
            yield found
            found = {}
    if found:
        yield found


def _put(found: Rows, table: str, row: tuple[Any, ...]) -> None:
    found.setdefault(table, []).append(row)


def _example() -> InteractionRecord:
    message = {"role": "assistant", "content": _REPLY}
    choice = {
        "index": 0,
        "message": message,
        "delivered": _REPLY,
        "finish_reason": "stop",
        "delivered_finish_reason": "stop",
        "verdict": "allow",
    }
    return InteractionRecord(
        id="",
        created_us=0,
        route="/v1/chat/completions",
        dialect="chat",
        upstream="default",
        model="",
        status="completed",
        http_status=200,
        verdict="allow",
        prompt_hash="",
        choices=[choice],
        usage={"prompt_tokens": 90, "completion_tokens": 110},
        timings={"total_ms": 12.5},
    )


def _exchange(draw: random.Random, number: int, count: int) -> dict[str, Any]:
    prompt = draw.randrange(max(1, count // 3))
    asked = {"messages": [{"role": "user", "content": f"{prompt}: when is low water?"}]}
    is_vetoed = draw.random() < 0.01
    return {
        "model": draw.choices(MODELS, (90, 9, 1))[0],
        "key_id": f"key_{draw.randrange(5)}",
        "user": f"u-{draw.randrange(10_000)}" if draw.random() < 0.7 else None,
        "conversation": f"c-{number // 4}" if number % 2 else None,
        "status": "vetoed" if is_vetoed else "completed",
        "verdict": "veto" if is_vetoed else "allow",
        "prompt_hash": f"{prompt * 2654435761 % (1 << 32):08x}{prompt:024x}",
        "request": orjson.dumps(asked).decode(),
    }


def _values(table: str, record: Any, **fields: Any) -> tuple[Any, ...]:
    columns = tables.metadata.tables[table].columns
    return tuple(fields.get(c.name, getattr(record, c.name, None)) for c in columns)


def _score(ident: str, position: int, scorer: str, risk: float) -> tuple[Any, ...]:
    score = ScoreRecord(
        side="reply", scorer=scorer, model="mini-1", status="scored", choice_index=0, risk=risk,
        flag_threshold=0.5, veto_threshold=0.9, verdict="allow",
    )  # fmt: skip
    return _values("scores", score, interaction_id=ident, position=position)


def _feedback(ident: str, at_us: int, rating: Any, rater: int) -> tuple[Any, ...]:
    said = FeedbackRecord(
        id=new_id("fb", at_us), created_us=at_us, interaction_id=ident, rating=rating,
        rater=f"r-{rater}", key_id=f"key_{rater % 5}",
    )  # fmt: skip
    return _values("feedback", said, tags=None)


def _columns(table: str) -> list[str]:
    return [column.name for column in tables.metadata.tables[table].columns]


async def fill(url: URL, chunks: Iterator[Rows]) -> None:
    """Put the rows in: COPY into PostgreSQL, one transaction into SQLite; then the statistics."""
    if url.get_backend_name() == "sqlite":
        _fill_sqlite(str(url.database), chunks)
        return
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    try:
        for chunk in chunks:
            for table, lines in chunk.items():
                await connection.copy_records_to_table(
                    table, records=lines, columns=_columns(table)
                )
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def _fill_sqlite(file: str, chunks: Iterator[Rows]) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for pragma in ("synchronous = OFF", "cache_size = -500000", "foreign_keys = OFF"):
            connection.execute(f"PRAGMA {pragma}")
        for chunk in chunks:
            connection.execute("BEGIN")
            for table, lines in chunk.items():
                connection.executemany(_insert(table), lines)
            connection.execute("COMMIT")
        connection.execute("ANALYZE")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _insert(table: str) -> str:
    names = ", ".join(f'"{name}"' for name in _columns(table))
    marks = ", ".join("?" for _ in _columns(table))
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"
