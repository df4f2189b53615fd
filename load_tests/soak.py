"""Does the record keep its promises? `python -m load_tests.soak --engine sqlite|postgres`.

Sends exchanges and feedback through a running Fairlead, and in the middle kills it (SIGKILL),
takes the store away (PostgreSQL is crashed and started again, SQLite is locked) and kills it again
while its spool is full of what the store could not take. Then it reads the store and says what was
lost and what is there twice: exit code 1 if anything is. Memory is printed on the way.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    ExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
    suppress,
)
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from sqlalchemy import text

from load_tests.contender import free_port
from load_tests.soak_traffic import Ledger, drive
from storage import migrate
from storage.store import Store
from tests.storage.postgres import Cluster, running_cluster

ROOT = Path(__file__).resolve().parents[1]
START_LIMIT_S = 120.0
DRAIN_LIMIT_S = 600.0
POLL_S = 0.1
MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much, on what, and for how long the store is away each time."""

    engine: str
    interactions: int
    connections: int = 16
    rate_every: int = 10
    away_s: float = 10.0
    report_every: int = 10_000


@dataclass
class Report:
    """What came of it. `faults` are sentences; without any all promises were kept."""

    rows: int = 0
    feedback: int = 0
    kills: int = 0
    outages: int = 0
    memory_mib: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Server:
    """`fairlead serve` with its upstream; dies and comes back on one port."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.port = free_port()
        self.spool = folder / "spool"
        self._folder = folder
        self._upstream_port = free_port()
        self._config = folder / "fairlead.yaml"
        self._process: subprocess.Popen[bytes] | None = None
        self.is_up = False
        self._config.write_text(
            json.dumps(
                {
                    "listen": {"host": "127.0.0.1", "port": self.port},
                    "database_url": database_url,
                    "spool_dir": str(self.spool),
                    "upstreams": [{"url": f"http://127.0.0.1:{self._upstream_port}/v1"}],
                    "policies": {"default": {"mode": "off"}},
                    "logs": {"level": "warning", "exchanges": False},
                }
            )
        )

    @contextmanager
    def upstream(self) -> Iterator[None]:
        """The scripted upstream."""
        port = str(self._upstream_port)
        with self._start("load_tests.upstream", "--port", port) as process:
            try:
                yield
            finally:
                process.kill()

    async def start(self) -> None:
        """Serve; returns when it answers."""
        self._process = self._start("service.cli", "serve", "--config", str(self._config))
        until = time.monotonic() + START_LIMIT_S
        while time.monotonic() < until and self._process.poll() is None:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                self.is_up = True
                return
            await asyncio.sleep(POLL_S)
        raise RuntimeError((self._folder / "log").read_text(errors="replace")[-3000:])

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does."""
        assert self._process is not None
        self.is_up = False
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it as an operator does."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(60)

    def memory_mib(self) -> float:
        """Resident memory of the process."""
        assert self._process is not None
        with suppress(OSError):
            for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        return 0.0

    def spooled_bytes(self) -> int:
        """What waits in the spool, its own and that of the dead."""
        return sum(file.stat().st_size for file in self.spool.glob("*.jsonl"))

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )


@dataclass(frozen=True, slots=True)
class Place:
    """A database, and how it goes away for a time."""

    url: str
    outage: Callable[[], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def place(engine: str, folder: Path) -> AsyncIterator[Place]:
    """A new, migrated database."""
    with ExitStack() as stack:
        if engine == "postgres":
            cluster = stack.enter_context(running_cluster(fsync=True))
            cluster.create("soak")
            found = Place(cluster.url("soak"), lambda: _crashed(cluster))
        else:
            file = folder / "soak.db"
            found = Place(f"sqlite+aiosqlite:///{file}", lambda: _locked(file))
        await migrate.upgrade(found.url)
        yield found


@asynccontextmanager
async def _crashed(cluster: Cluster) -> AsyncIterator[None]:
    await asyncio.to_thread(cluster.crash)
    try:
        yield
    finally:
        await asyncio.to_thread(cluster.start)


@asynccontextmanager
async def _locked(file: Path) -> AsyncIterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None, timeout=60)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def soak(plan: Plan, say: Callable[[str], None] = print) -> Report:
    """Run the plan in a folder of its own and say what came of it."""
    ledger, report = Ledger(plan.interactions), Report()
    with tempfile.TemporaryDirectory(prefix="fairlead-soak-") as name:
        async with place(plan.engine, Path(name)) as where:
            server = Server(Path(name), where.url)
            run = _Run(plan, server, where, ledger, report, say)
            with server.upstream():
                await server.start()
                watching = asyncio.create_task(run.watch())
                await asyncio.gather(run.traffic(), run.trouble())
                await run.drain()
                watching.cancel()
                server.stop()
            await _compare(where.url, ledger, report)
    say(f"answers: {dict(sorted(ledger.answers.items()))}")
    return report


@dataclass(frozen=True, slots=True)
class _Run:
    plan: Plan
    server: Server
    where: Place
    ledger: Ledger
    report: Report
    say: Callable[[str], None]

    async def traffic(self) -> None:
        plan = self.plan
        await drive(
            self.ledger, self.server.port, connections=plan.connections, rate_every=plan.rate_every
        )

    async def trouble(self) -> None:
        """A kill at a quarter, an outage at a half, an outage with a kill at three quarters."""
        for share, step in ((0.25, self.kill), (0.5, self.outage), (0.75, self.outage_and_kill)):
            while len(self.ledger.acknowledged) < share * self.plan.interactions:  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)
            self.say(f"{step.__name__} after {len(self.ledger.acknowledged):,} exchanges")
            await step()

    async def kill(self) -> None:
        self.server.kill()
        self.report.kills += 1
        await self.server.start()

    async def outage(self) -> None:
        async with self.where.outage():
            await self._spooling()

    async def outage_and_kill(self) -> None:
        async with self.where.outage():
            await self._spooling()
            self.server.kill()
        self.report.kills += 1
        await self.server.start()

    async def _spooling(self) -> None:
        """Away for a time, and until at least something is in the spool."""
        await asyncio.sleep(self.plan.away_s)
        while not self.server.spooled_bytes():  # noqa: ASYNC110 another process writes it
            await asyncio.sleep(POLL_S)
        self.report.outages += 1
        self.say(f"in the spool: {self.server.spooled_bytes() / MIB:.2f} MiB")

    async def watch(self) -> None:
        """Note the memory as the exchanges go by."""
        began, done = time.monotonic(), 0
        while True:
            await asyncio.sleep(0.5)
            if self.server.is_up and len(self.ledger.acknowledged) // self.plan.report_every > done:
                done = len(self.ledger.acknowledged) // self.plan.report_every
                memory = self.server.memory_mib()
                self.report.memory_mib.append(memory)
                self.say(
                    f"{time.monotonic() - began:7.0f} s  {len(self.ledger.acknowledged):9,} "
                    f"exchanges  {len(self.ledger.rated):8,} ratings  {memory:6.1f} MiB"
                )

    async def drain(self) -> None:
        """Wait until the spool is empty."""
        until = time.monotonic() + DRAIN_LIMIT_S
        while self.server.spooled_bytes() and time.monotonic() < until:  # noqa: ASYNC110 as above
            await asyncio.sleep(POLL_S)
        if self.server.spooled_bytes():
            self.report.faults.append("the spool was not replayed")


async def _compare(url: str, ledger: Ledger, report: Report) -> None:
    """Hold the store against the ledger."""
    store = await Store.open(url)
    try:
        async with store.reading() as unit:
            rows = [
                (int(user.removeprefix("soak-")), ident)
                for ident, user in await unit.connection.execute(
                    text('SELECT id, "user" FROM interactions')
                )
            ]
            rated = (
                await unit.connection.execute(text("SELECT interaction_id, rating FROM feedback"))
            ).all()
            torn = await unit.connection.execute(
                text(
                    "SELECT count(*) FROM interactions i WHERE NOT EXISTS (SELECT 1 FROM responses "
                    "WHERE interaction_id = i.id) OR NOT EXISTS (SELECT 1 FROM tags "
                    "WHERE interaction_id = i.id)"
                )
            )
            torn_rows = torn.scalar_one()
    finally:
        await store.close()
    report.rows, report.feedback = len(rows), len(rated)
    stored = dict(rows)
    counts = {
        "acknowledged exchanges lost": len(ledger.acknowledged.items() - stored.items()),
        "exchanges stored twice": len(rows) - len(stored),
        "exchanges that nobody sent": len(
            stored.keys() - ledger.acknowledged.keys() - ledger.unsure
        ),
        "exchanges without their rows": torn_rows,
        "acknowledged ratings lost": len(ledger.rated.items() - {(i, r) for i, r in rated}),
        "ratings stored twice": len(rated) - len({ident for ident, _ in rated}),
        "ratings that were never acknowledged": len(ledger.unrated),
    }
    report.faults += [f"{count} {what}" for what, count in counts.items() if count]


def main(arguments: list[str]) -> int:
    """Run the command; the exit code is 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.soak")
    parser.add_argument("--engine", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--interactions", type=int, default=200_000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rate-every", type=int, default=10, help="rate one exchange of so many")
    parser.add_argument("--away", type=float, default=10.0, help="seconds of each outage")
    options = parser.parse_args(arguments)
    plan = Plan(
        engine=options.engine,
        interactions=options.interactions,
        connections=options.connections,
        rate_every=options.rate_every,
        away_s=options.away,
        report_every=max(1, options.interactions // 20),
    )
    began = time.monotonic()
    report = uvloop.run(soak(plan, lambda line: print(line, flush=True)))
    print(
        f"{plan.engine}: {report.rows:,} exchanges and {report.feedback:,} ratings stored in "
        f"{time.monotonic() - began:.0f} s; {report.kills} times killed, {report.outages} times "
        f"without the store; memory {min(report.memory_mib):.0f} to {max(report.memory_mib):.0f} "
        "MiB"
    )
    print("\n".join(report.faults) or "nothing lost, nothing doubled")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
