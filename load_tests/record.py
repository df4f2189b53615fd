"""How fast the record takes exchanges, and what `strict` costs against `relaxed`.

`python -m load_tests.record [--engine sqlite|postgres] [--url URL] [--full]` prints a table:
callers that each put one exchange of about 1.5 KB after the other, exchanges per second, CPU per
exchange (all of it, and of it what the event loop spends), time in `put`. Pin it to one core
(`taskset -c 0 ...`) to see what is left beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import uvloop

from storage import migrate
from storage.ids import new_id, now_us
from storage.records import InteractionRecord, ScoreRecord
from storage.store import Store
from storage.writer import Writer
from tests.storage.postgres import running_cluster

SCORERS = ("toxicity", "faithfulness", "sycophancy", "confidence")
RUNS = (
    # callers, scores per exchange, durable, exchanges
    (64, 0, True, 20_000),
    (16, 0, True, 20_000),
    (1, 0, True, 3_000),
    (64, 4, True, 10_000),
    (64, 0, False, 20_000),
    (16, 0, False, 20_000),
    (1, 0, False, 3_000),
)


def exchange(number: int, scores: int) -> InteractionRecord:
    """An exchange of about 1.5 KB."""
    reply = "The tide runs out past the mole until noon. " * 10
    return InteractionRecord(
        id=new_id("fl"),
        created_us=now_us(),
        route="/v1/chat/completions",
        dialect="chat",
        upstream="default",
        model="m-small",
        status="completed",
        http_status=200,
        verdict="allow",
        prompt_hash=f"{number % 5000:064x}",
        response_ids=(f"chatcmpl-{number}",),
        request={
            "messages": [
                {"role": "system", "content": "Answer in one paragraph. " * 4},
                {"role": "user", "content": f"Question {number}: " + "when is low water? " * 15},
            ],
            "params": {"temperature": 0.7, "max_tokens": 100},
        },
        choices=[
            {
                "index": 0,
                "message": {"role": "assistant", "content": reply},
                "delivered": reply,
                "finish_reason": "stop",
                "delivered_finish_reason": "stop",
                "verdict": "allow",
            }
        ],
        usage={"prompt_tokens": 90, "completion_tokens": 110, "total_tokens": 200},
        timings={"total_ms": 12.5, "upstream_ms": 10.1},
        scores=tuple(score(name) for name in SCORERS[:scores]),
    )


def score(name: str) -> ScoreRecord:
    """A score as a scorer gives it."""
    return ScoreRecord(
        side="reply",
        scorer=name,
        model="mini-1",
        status="scored",
        choice_index=0,
        risk=0.1,
        flag_threshold=0.5,
        veto_threshold=0.9,
        verdict="allow",
        heads={"one": 0.1, "two": 0.05},
        windows=[[0, 440, 0.1]],
    )


async def put_all(
    writer: Writer, records: Iterator[InteractionRecord], *, durable: bool
) -> list[float]:
    """Put one record after the other; the seconds each took."""
    took = []
    for record in records:
        started = time.perf_counter()
        await writer.put(record, is_durable=durable)
        took.append(time.perf_counter() - started)
    return took


async def measure(url: str, *, full: bool, run: tuple[int, int, bool, int]) -> str:
    """One row of the table."""
    callers, scores, durable, count = run
    store = await Store.open(url, is_durable=full)
    writer = Writer(store)
    await writer.start()
    records = iter([exchange(number, scores) for number in range(count)])
    wall_s, cpu_s, loop_s = time.perf_counter(), time.process_time(), time.thread_time()
    took = await asyncio.gather(
        *(put_all(writer, records, durable=durable) for _ in range(callers))
    )
    await writer.flush()
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    loop_s = time.thread_time() - loop_s
    await writer.close()
    await store.close()
    sorted_s = sorted(each for one in took for each in one)
    p50_ms, p99_ms = (sorted_s[int(len(sorted_s) * share)] * 1e3 for share in (0.5, 0.99))
    kind = "strict" if durable else "relaxed"
    return (
        f"{callers:7} {scores:6} {kind:>7} {count / wall_s:11.0f} {cpu_s / count * 1e6:8.0f} "
        f"{loop_s / count * 1e6:8.0f} {p50_ms:8.2f} {p99_ms:8.2f}"
    )


async def main(url: str, *, full: bool) -> None:
    """Print the table."""
    await migrate.upgrade(url)
    print("callers scores  record exchanges/s   cpu us  loop us   p50 ms   p99 ms")
    for run in RUNS:
        print(await measure(url, full=full, run=run), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--url", help="database to fill; a new one unless given")
    parser.add_argument("--full", action="store_true", help="sync every commit to the disk")
    given = parser.parse_args()
    with ExitStack() as stack:
        if given.url is None and given.engine == "postgres":
            cluster = stack.enter_context(running_cluster(fsync=True))
            cluster.create("record")
            given.url = cluster.url("record")
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        fresh = f"sqlite:///{Path(folder) / 'record.db'}"
        uvloop.run(main(given.url or fresh, full=given.full))
