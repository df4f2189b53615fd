"""The traffic of a soak test: exchanges and feedback on them, and a ledger of what was promised."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

ROUTE = "/v1/chat/completions"
FEEDBACK_LIMIT_S = 180.0
PAUSE_S = 0.25
_GONE = (ConnectionError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


@dataclass
class Ledger:
    """What the clients know. `acknowledged` maps a request's number to the id of its exchange.

    A request that was cut off or refused is `unsure`: its exchange may be there, once. A rating
    is repeated under the same idempotency key until it is acknowledged.
    """

    wanted: int
    acknowledged: dict[int, str] = field(default_factory=dict)
    unsure: set[int] = field(default_factory=set)
    rated: dict[str, str] = field(default_factory=dict)
    unrated: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)

    def numbers(self) -> Iterator[int]:
        """Numbers of requests until enough were acknowledged, no number twice."""
        number = 0
        while len(self.acknowledged) < self.wanted:
            yield number
            number += 1


class Client:
    """One kept-alive connection that speaks just enough HTTP, to leave the processor to others."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, body: bytes, headers: str = "") -> tuple[int, str]:
        """The status and the exchange's id; raises ConnectionError and the like when cut off."""
        try:
            return await self._post(path, body, headers)
        except _GONE:
            self.close()
            raise

    async def _post(self, path: str, body: bytes, headers: str) -> tuple[int, str]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = f"POST {path} HTTP/1.1\r\nhost: soak\r\ncontent-type: application/json\r\n{headers}"
        self._writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        found = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        await self._reader.readexactly(int(found.get("content-length", 0)))
        return int(lines[0].split()[1]), found.get("x-fairlead-id", "")

    def close(self) -> None:
        """Forget the connection."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def drive(ledger: Ledger, port: int, *, connections: int, rate_every: int) -> None:
    """Send requests until enough are acknowledged, and rate one of so many.

    Whoever rates has connections of its own: while the store is away exchanges go on.
    """
    numbers = ledger.numbers()
    to_rate: asyncio.Queue[tuple[str, str] | None] = asyncio.Queue()
    raters = max(1, connections // 4)
    rating = [asyncio.create_task(_rater(ledger, to_rate, port)) for _ in range(raters)]
    asking = (_caller(ledger, numbers, to_rate, port, rate_every) for _ in range(connections))
    await asyncio.gather(*asking)
    for _ in rating:
        to_rate.put_nowait(None)
    await asyncio.gather(*rating)


async def _caller(
    ledger: Ledger,
    numbers: Iterator[int],
    to_rate: asyncio.Queue[tuple[str, str] | None],
    port: int,
    rate_every: int,
) -> None:
    client = Client(port)
    for number in numbers:
        ident = await _ask(client, ledger, number)
        if ident is None:
            await asyncio.sleep(PAUSE_S)
        elif number % rate_every == 0:
            to_rate.put_nowait((ident, "up" if number % 3 else "down"))
    client.close()


async def _rater(ledger: Ledger, to_rate: asyncio.Queue[tuple[str, str] | None], port: int) -> None:
    client = Client(port)
    while (wanted := await to_rate.get()) is not None:
        await _rate(client, ledger, *wanted)
    client.close()


async def _ask(client: Client, ledger: Ledger, number: int) -> str | None:
    body = (
        b'{"model":"short","messages":[{"role":"user","content":"%d: when is low water?"}],'
        b'"fairlead":{"user":"soak-%d","tags":["soak"]}}'
    )
    try:
        status, ident = await client.post(ROUTE, body % (number % 5000, number))
    except _GONE:
        status, ident = 0, ""
    ledger.answers[f"exchange {status or 'cut off'}"] += 1
    if status != 200:
        ledger.unsure.add(number)
        return None
    ledger.acknowledged[number] = ident
    return ident


async def _rate(client: Client, ledger: Ledger, ident: str, rating: str) -> None:
    body = f'{{"id":"{ident}","rating":"{rating}","rater":"soak"}}'.encode()
    until = time.monotonic() + FEEDBACK_LIMIT_S
    while time.monotonic() < until:
        status = 0
        with contextlib.suppress(*_GONE):
            status, _ = await client.post(
                "/v1/feedback", body, headers=f"idempotency-key: soak-{ident}\r\n"
            )
        ledger.answers[f"feedback {status or 'cut off'}"] += 1
        if status == 201:
            ledger.rated[ident] = rating
            return
        await asyncio.sleep(PAUSE_S)
    ledger.unrated.append(ident)
