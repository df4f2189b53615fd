"""How a large store answers: `python -m load_tests.store --engine sqlite|postgres --rows N`.

Fills a new database (or `--database-url`, an empty one), then asks everything that the routes and
commands ask, prints the time of each (the best of five: the machine may be busy) with the indexes
and scans of its plan, and walks lists and an export with the memory that it takes. `--plans` prints
whole plans, from EXPLAIN ANALYZE; `--try SQL` makes an index and asks again.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from sqlalchemy import event, text

from load_tests.store_rows import DAY_US, fill, rows
from storage import migrate, partitions
from storage.engine import parse_url
from storage.exports.run import export_lines
from storage.ids import now_us
from storage.repositories.feedback import FeedbackFilter
from storage.repositories.interactions import InteractionFilter
from storage.retention import prune
from storage.store import Store, UnitOfWork
from tests.storage.postgres import running_cluster

DAYS = 120
ROUNDS = 5
SLOW_S = 5.0
_NUMBERED = re.compile(r"_p\d{10}|_default|(?<=[a-z])_\d+\b")
Asked = Callable[[UnitOfWork], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Sample:
    """Things that are there, from the middle of the store."""

    ident: str
    user: str
    conversation: str
    middle_us: int


async def sample(store: Store) -> Sample:
    """An exchange with a user and a conversation, about half way."""
    middle_us = now_us() - DAYS * DAY_US // 2
    async with store.reading() as unit:
        page = await unit.interactions.page(InteractionFilter(until_us=middle_us), limit=50)
        found = next(item for item in page.items if item.user and item.conversation)
    return Sample(found.id, str(found.user), str(found.conversation), found.created_us)


def questions(at: Sample, count: int) -> dict[str, Asked]:
    """Everything that the routes ask of the store, by name."""

    def listed(**fields: Any) -> Asked:
        return lambda unit: unit.interactions.page(InteractionFilter(**fields))

    def said(**fields: Any) -> Asked:
        return lambda unit: unit.feedback.page(FeedbackFilter(**fields))

    return {
        "exchange by id": lambda unit: unit.interactions.get(at.ident),
        "exchange by reply id": lambda unit: unit.interactions.find(f"chatcmpl-{count // 2}"),
        "unknown id": lambda unit: unit.interactions.find("chatcmpl-unknown"),
        "list, newest": listed(),
        "list, before the middle": listed(until_us=at.middle_us),
        "list, user": listed(user=at.user),
        "list, conversation": listed(conversation=at.conversation),
        "list, model (1%)": listed(model="m-small-tuned"),
        "list, no such model": listed(model="m-none"),
        "list, verdict (1%)": listed(verdict="veto"),
        "list, key (20%)": listed(key_id="key_3"),
        "list, no such key": listed(key_id="key_none"),
        "list, tag (2%)": listed(tag="beta"),
        "feedback, newest": said(),
        "feedback, of one exchange": said(interaction_id=at.ident),
        "feedback, rater": said(rater="r-77"),
        "feedback, rating": said(rating="down"),
        "feedback, counts": lambda unit: unit.feedback.counts(),
        "comparisons, newest": lambda unit: unit.comparisons.page(),
    }


async def measured(store: Store, asked: Asked) -> tuple[float, list[tuple[str, Any]]]:
    """The least milliseconds of some rounds, and the statements with their parameters."""
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    engine = store.engines.reading.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    took: list[float] = []
    try:
        for _ in range(ROUNDS + 1):
            del statements[:]
            async with store.reading() as unit:
                began = time.perf_counter()
                await asked(unit)
                took.append(time.perf_counter() - began)
            if took[-1] > SLOW_S:
                break
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return min(took) * 1e3, statements


async def plans(store: Store, statements: Sequence[tuple[str, Any]]) -> list[str]:
    """What the database says of how it answers each statement."""
    explain = "EXPLAIN QUERY PLAN" if store.engines.is_single_writer else "EXPLAIN (ANALYZE)"
    found = []
    async with store.reading() as unit:
        for statement, parameters in statements:
            asked = await unit.connection.exec_driver_sql(f"{explain} {statement}", parameters)
            found.append("\n".join(str(row[-1]) for row in asked))
    return found


def used(plan: str) -> str:
    """The scans and sorts of a plan in short, each once, partitions' names left out."""
    short = (_NUMBERED.sub("", line) for line in plan.splitlines())
    lines = (line.partition("(cost")[0].strip(" ->") for line in short)
    kept = [line for line in lines if re.search(r"[Ss]can|SCAN|SEARCH|Sort|TEMP", line)]
    names = (re.sub(r"^(Parallel )?", "", line) for line in kept if "Sort Key" not in line)
    return "; ".join(dict.fromkeys(line for line in names if "Sort Method" not in line))


async def walk(store: Store, most: int) -> AsyncIterator[int]:
    """Every page of the list up to so many exchanges."""
    cursor, seen = None, 0
    while seen < most:
        async with store.reading() as unit:
            page = await unit.interactions.page(limit=500, cursor=cursor)
        seen += len(page.items)
        yield seen
        cursor = page.next_cursor
        if cursor is None:
            return


def memory_mib() -> float:
    """Resident memory of this process now."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


async def memory(store: Store, most: int) -> list[str]:
    """How memory goes along with a long list and a whole export."""
    lines = []
    began, marks, seen = time.perf_counter(), [memory_mib()], 0
    async for seen in walk(store, most):
        if seen % max(500, most // 4) < 500:
            marks.append(memory_mib())
    lines.append(_told(f"{seen:,} exchanges listed by 500", began, marks))
    began, marks, seen = time.perf_counter(), [memory_mib()], 0
    async for _ in export_lines(store, "kto"):
        seen += 1
        if seen % 2_000 == 0:
            marks.append(memory_mib())
    lines.append(_told(f"kto export of {seen:,} rows", began, marks))
    return lines


def _told(what: str, began: float, marks: Sequence[float]) -> str:
    first, most = marks[0], max(marks)
    return (
        f"{what}: {time.perf_counter() - began:.1f} s, memory {first:.0f} MiB before, "
        f"{marks[min(1, len(marks) - 1)]:.0f} early, {most:.0f} at most, {marks[-1]:.0f} at the end"
    )


async def run(url: str, options: argparse.Namespace) -> None:
    """Fill, ask, print."""
    await migrate.upgrade(url)
    store = await Store.open(url)
    try:
        if options.rows:
            began = time.perf_counter()
            await make_past(store)
            await fill(parse_url(url), rows(options.rows, days=DAYS))
            took_s = time.perf_counter() - began
            print(f"filled with {options.rows:,} exchanges in {took_s:.0f} s", flush=True)
        await ask(store, options)
        if options.attempt:
            await make(store, options.attempt)
            await ask(store, options)
        await remember(store, options)
    finally:
        await store.close()


async def ask(store: Store, options: argparse.Namespace) -> None:
    """Ask everything and print what it took."""
    async with store.reading() as unit:
        found = await unit.connection.execute(text("SELECT count(*) FROM interactions"))
        count = found.scalar_one()
    print(f"{count:,} exchanges\n{'ms':>9}  question: plan")
    for name, asked in questions(await sample(store), count).items():
        took_ms, statements = await measured(store, asked)
        told = await plans(store, statements)
        print(f"{took_ms:9.1f}  {name}: {' | '.join(map(used, told))}", flush=True)
        if options.plans:
            print("\n".join(told))


async def make_past(store: Store) -> None:
    """Partitions for the days before now, of 30 days each; a new database has none."""
    if not partitions.has_partitions(store):
        return
    span_us = partitions.DEFAULT_SPAN_DAYS * DAY_US
    async with store.writing() as unit:
        first = (await partitions.spans(unit.connection))[0]
        for number in range(1, DAYS // partitions.DEFAULT_SPAN_DAYS + 2):
            start_us = first.start_us - number * span_us
            await partitions.make(unit.connection, partitions.Span.of(start_us, start_us + span_us))


async def make(store: Store, statements: Sequence[str]) -> None:
    """Run statements that make indexes."""
    for statement in statements:
        began = time.perf_counter()
        async with store.writing() as unit:
            await unit.connection.exec_driver_sql(statement)
        print(f"{(time.perf_counter() - began) * 1e3:9.1f}  {statement}", flush=True)


async def remember(store: Store, options: argparse.Namespace) -> None:
    """What takes longest, and memory."""
    began = time.perf_counter()
    pruned = await prune(store, days=DAYS // 2, is_dry_run=True)
    print(f"{(time.perf_counter() - began) * 1e3:9.1f}  prune, dry run: {pruned}", flush=True)
    for line in await memory(store, options.walk):
        print(line, flush=True)


def main(arguments: list[str]) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.store")
    parser.add_argument("--engine", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--database-url", help="instead of a new database of the engine")
    parser.add_argument("--rows", type=int, default=1_000_000, help="exchanges; 0 adds none")
    parser.add_argument("--walk", type=int, default=100_000, help="exchanges to list")
    parser.add_argument("--try", dest="attempt", action="append", help="SQL of an index to try")
    parser.add_argument("--plans", action="store_true", help="print whole plans")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        url = options.database_url
        if url is None and options.engine == "postgres":
            cluster = stack.enter_context(running_cluster())
            cluster.create("large")
            url = cluster.url("large")
        elif url is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            url = f"sqlite+aiosqlite:///{folder}/large.db"
        uvloop.run(run(url, options))


if __name__ == "__main__":
    main(sys.argv[1:])
