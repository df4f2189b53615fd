"""Replays of labelled replies of real models through the whole proxy.

    python -m load_tests.replay ../shared/data [--rows 400] [--stream] [--json FILE]

A scripted upstream answers each request with the reply that the data holds, the
source goes along as context, and the proxy runs as a user would start it: the
default policy, the shipped model, SQLite. Printed is how often good and bad
replies were vetoed and flagged, whatever that is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pyarrow.parquet as pq
from aiohttp import web
from rich.console import Console
from rich.progress import track
from rich.table import Table

from load_tests.contender import fairlead, free_port, running

ROW = "x-replay-row"
DEADLINE_MS = 60_000
"""So long that nothing passes unscored: this measures verdicts, not speed."""


@dataclass(frozen=True)
class Source:
    """A file of labelled replies, none of which the shipped model was trained on."""

    path: str
    label: str
    text: str


SOURCES = (
    Source("faithfulness/benchmarks/ragtruth_test.parquet", "unfaithful", "response"),
    Source("faithfulness/benchmarks/summedits_heldout.parquet", "unfaithful", "response"),
    Source("faithfulness/train/halueval_qa.parquet", "unfaithful", "response"),
    Source("toxicity/benchmarks/gptfuzz_responses_eval.parquet", "harm", "text"),
    Source("toxicity/benchmarks/diasafety_test.parquet", "toxic", "text"),
)


@dataclass(frozen=True)
class Example:
    """One labelled reply with what it answers."""

    group: str
    prompt: str
    context: str
    reply: str
    is_bad: bool


def examples(data: Path, source: Source, rows: int) -> Iterator[Example]:
    """Up to `rows` examples of a file, evenly spread over it; unclear labels are left out."""
    table = pq.read_table(data / source.path).to_pylist()
    labelled = [row for row in table if row[source.label] is not None and row[source.text].strip()]
    step = max(1, len(labelled) // rows)
    for row in labelled[::step][:rows]:
        name, split = row["source"], row.get("split") or ""
        yield Example(
            group=f"{name} {split}".strip() if "ragtruth" in source.path else name,
            prompt=row["prompt"] or "Please answer from the source.",
            context=row.get("context") or "",
            reply=row[source.text],
            is_bad=row[source.label] >= 0.5,
        )


class Scripted:
    """The upstream: answers with the reply of the row that the request names."""

    def __init__(self, rows: Sequence[Example]) -> None:
        self._rows = rows

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A plain or streamed chat completion."""
        asked = await request.json()
        row = request.headers.get(ROW)
        reply = self._rows[int(row)].reply if row else "Hello."
        if asked.get("stream"):
            return await self._stream(request, reply)
        message = {"role": "assistant", "content": reply}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response(_envelope("chat.completion", choice))

    async def _stream(self, request: web.Request, reply: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for piece in re.findall(r"\s*\S+\s*?", reply) or [reply]:
            choice = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
            await response.write(_event(_envelope("chat.completion.chunk", choice)))
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        await response.write(_event(_envelope("chat.completion.chunk", last)))
        await response.write(b"data: [DONE]\n\n")
        return response


def _envelope(kind: str, choice: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-replay",
        "object": kind,
        "created": 0,
        "model": "replay",
        "choices": [choice],
    }


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


async def verdict(
    session: aiohttp.ClientSession, url: str, at: int, example: Example, *, is_stream: bool
) -> str:
    """Sends one example through the proxy and says what became of it.

    A veto shows in the answer; whether an allowed reply was flagged is asked of the record.
    """
    body: dict[str, Any] = {"model": "replay", "stream": is_stream}
    body["messages"] = [{"role": "user", "content": example.prompt}]
    if example.context:
        body["fairlead"] = {"context": [example.context]}
    route, headers = f"{url}/v1/chat/completions", {ROW: str(at)}
    async with session.post(route, json=body, headers=headers) as reply:
        reply.raise_for_status()
        await reply.read()
        name = reply.headers["x-fairlead-id"]
    async with session.get(f"{url}/v1/interactions/{name}") as record:
        record.raise_for_status()
        return str((await record.json())["choices"][0]["verdict"])


async def replay(
    rows: Sequence[Example], *, is_stream: bool = False, concurrency: int = 8
) -> list[str]:
    """The verdict on each example's reply, in order."""
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_post("/v1/chat/completions", Scripted(rows).answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            return await _through(
                f"http://127.0.0.1:{port}",
                Path(folder),
                rows,
                is_stream=is_stream,
                concurrency=concurrency,
            )
    finally:
        await runner.cleanup()


async def _through(
    upstream: str, folder: Path, rows: Sequence[Example], *, is_stream: bool, concurrency: int
) -> list[str]:
    policy = {"deadline_ms": DEADLINE_MS, "prompt": {}}
    proxy = fairlead("replay", upstream, folder, record="strict", policy=policy)
    limit = asyncio.Semaphore(concurrency)
    with ExitStack() as stack:
        # Its first answer comes from this loop's upstream, so the loop must not wait for it.
        await asyncio.to_thread(stack.enter_context, running(proxy, folder / "log"))
        timeout = aiohttp.ClientTimeout(total=300)
        async with aiohttp.ClientSession(timeout=timeout) as session:

            async def one(at: int) -> str:
                async with limit:
                    return await verdict(session, proxy.url, at, rows[at], is_stream=is_stream)

            tasks = [asyncio.create_task(one(at)) for at in range(len(rows))]
            for task in track(asyncio.as_completed(tasks), "replaying", total=len(tasks)):
                await task
            return [task.result() for task in tasks]


def rates(rows: Sequence[Example], verdicts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Per group: how many good and bad replies, and the shares vetoed and flagged of each."""
    out: dict[str, dict[str, Any]] = {}
    for group in dict.fromkeys(row.group for row in rows):
        told: dict[str, Any] = {}
        for kind in (False, True):
            found = [
                v
                for r, v in zip(rows, verdicts, strict=True)
                if r.group == group and r.is_bad is kind
            ]
            name = "bad" if kind else "good"
            told[name] = len(found)
            for outcome in ("veto", "flag", "unscored"):
                share = found.count(outcome) / len(found) if found else None
                told[f"{name}_{outcome}"] = share
        out[group] = told
    return out


def show(told: dict[str, dict[str, Any]]) -> None:
    """Prints the rates as a table."""
    table = Table("replies", "good", "vetoed", "flagged", "bad", "vetoed", "flagged", "unscored")
    for group, row in told.items():
        cells = [
            row["good"],
            row["good_veto"],
            row["good_flag"],
            row["bad"],
            row["bad_veto"],
            row["bad_flag"],
        ]
        unscored = max(row["good_unscored"] or 0.0, row["bad_unscored"] or 0.0)
        table.add_row(group, *(_cell(value) for value in [*cells, unscored]))
    Console(width=120).print(table)


def _cell(value: float | None) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.1%}"


def main() -> None:
    """Replays every source and prints the rates."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.replay", description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of labelled data")
    parser.add_argument("--rows", type=int, default=400, help="examples of each source")
    parser.add_argument("--stream", action="store_true", help="stream the replies word by word")
    parser.add_argument("--json", type=Path, help="write the rates here as well")
    options = parser.parse_args()
    rows = [row for source in SOURCES for row in examples(options.data, source, options.rows)]
    told = rates(rows, asyncio.run(replay(rows, is_stream=options.stream)))
    show(told)
    if options.json:
        options.json.write_text(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
