"""What is measured: a server process with its address, started and stopped by the run."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROUTE = "/v1/chat/completions"
START_LIMIT_S = 90.0
_TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def body(model: str, *, stream: bool = False, context: bool = False) -> bytes:
    """A chat request as the load tests send it."""
    question = "How do I get from the island to the mainland, and when does the last boat go?"
    request: dict[str, object] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You answer briefly and kindly."},
            {"role": "user", "content": question},
        ],
    }
    if stream:
        request["stream"] = True
    if context:
        source = "Ferries leave the middle pier hourly. Winter's last boat leaves at 18:00."
        request["fairlead"] = {"context": [source]}
    return json.dumps(request).encode()


@dataclass(frozen=True)
class Record:
    """Exchanges in a record, and those among them for which a scorer failed."""

    rows: int
    unscored: int


@dataclass
class Contender:
    """One server under load. `database` is where it records, if it does."""

    name: str
    command: list[str]
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    database: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def cpu_s(self) -> float:
        """CPU seconds used so far by the process and its children; 0 where /proc is missing."""
        assert self.process is not None
        return sum(_cpu_s(pid) for pid in _family(self.process.pid))

    def scored_tokens(self) -> float:
        """Tokens that its scoring model has run so far, padding included; 0 where it has none."""
        if self.database is None:
            return 0.0
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
        found = (line for line in lines if line.startswith("fairlead_batch_tokens_sum"))
        return sum(float(line.rpartition(" ")[2]) for line in found)

    def record(self) -> Record | None:
        """What its record holds now, None where it keeps none."""
        if self.database is None:
            return None
        failed = "SELECT DISTINCT interaction_id FROM scores WHERE status = 'failed'"
        count = f"SELECT (SELECT count(*) FROM interactions), (SELECT count(*) FROM ({failed}))"
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            return Record(*connection.execute(count).fetchone())


def _family(pid: int) -> list[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(inner for child in found for inner in _family(int(child)))]


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


@contextlib.contextmanager
def running(contender: Contender, log: Path) -> Iterator[Contender]:
    """Start the server, wait until it answers, stop it at the end."""
    environment = os.environ | contender.environment
    with log.open("wb") as output:
        contender.process = subprocess.Popen(
            contender.command, stdout=output, stderr=output, env=environment, cwd=log.parent
        )
    try:
        _wait(contender, log)
        yield contender
    finally:
        _stop(contender.process)


def _wait(contender: Contender, log: Path) -> None:
    assert contender.process is not None
    until = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until and contender.process.poll() is None:
        if _answers(contender.url):
            return
        time.sleep(0.2)
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"{contender.name} did not start:\n{tail}")


def _answers(url: str) -> bool:
    headers = {"content-type": "application/json", "authorization": "Bearer sk-load"}
    request = urllib.request.Request(url + ROUTE, body("short"), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def upstream(token_delay_ms: float = 10.0) -> Contender:
    """The fast upstream itself: the ceiling of every other figure."""
    port = free_port()
    delay = ["--token-delay-ms", str(token_delay_ms)]
    command = [sys.executable, "-m", "load_tests.upstream", "--port", str(port), *delay]
    return Contender("upstream itself", command, port, _importable())


def bare(client: str, upstream_url: str) -> Contender:
    """The 20-line proxy over one client library."""
    port = free_port()
    command = [sys.executable, "-m", "load_tests.bare", client, upstream_url, str(port)]
    return Contender(f"bare {client}", command, port, _importable())


def _importable() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}


def fairlead(
    name: str, upstream_url: str, folder: Path, *, record: str, policy: dict[str, Any]
) -> Contender:
    """Fairlead on SQLite in the folder, one worker, with one policy as its default."""
    port, database = free_port(), folder / f"{name.replace(' ', '-')}.db"
    config = {
        "listen": {"host": "127.0.0.1", "port": port},
        "database_url": f"sqlite+aiosqlite:///{database}",
        "record": record,
        "upstreams": [{"name": "load", "url": f"{upstream_url}/v1"}],
        "policies": {"default": policy},
        "logs": {"level": "error", "exchanges": False},
    }
    # JSON is YAML, so no YAML writer is needed here.
    file = folder / f"{name.replace(' ', '-')}.yaml"
    file.write_text(json.dumps(config))
    main = [sys.executable, "-m", "service.cli"]
    subprocess.run(
        [*main, "db", "upgrade", "--config", str(file)],
        check=True,
        capture_output=True,
        env=os.environ | _importable(),
    )
    command = [*main, "serve", "--config", str(file)]
    return Contender(name, command, port, _importable(), database)


def find_litellm(given: str | None) -> str | None:
    """The LiteLLM program: as given, from FAIRLEAD_LITELLM, or on the path; None where absent."""
    return given or os.environ.get("FAIRLEAD_LITELLM") or shutil.which("litellm")


def litellm(program: str, upstream_url: str, folder: Path) -> Contender:
    """LiteLLM's proxy with one worker, no database and nothing to call out to."""
    port = free_port()
    params = {"api_base": f"{upstream_url}/v1", "api_key": "sk-load"}
    models = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", **params}}
        for name in ("short", "long", "paced")
    ]
    file = folder / "litellm.yaml"
    file.write_text(json.dumps({"model_list": models}))
    environment = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_TELEMETRY": "False",
        # Without keys, as Fairlead on loopback: checking one would cost LiteLLM more.
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    serving = ["--port", str(port), "--host", "127.0.0.1", "--num_workers", "1"]
    command = [program, "--config", str(file), *serving]
    return Contender("LiteLLM", command, port, environment)
