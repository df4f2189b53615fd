"""An upstream that costs next to nothing: HTTP/1.1 by hand, replies made beforehand.

The model's name picks the reply: `short` (one sentence), `long` (twelve sentences) and
`paced` (a streamed reply of twelve sentences, one token every `--token-delay-ms`).
Streamed replies that are not paced leave in one write.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

import uvloop

SENTENCES = (
    "The harbour lies on the west side of the island, where the water is deep enough for ferries. ",
    "Boats leave every hour from the middle pier and take about forty minutes to the mainland. ",
    "In winter the last one goes at six in the evening, so it is worth looking at the board. ",
    "Tickets are sold in the small office beside the fish market and also on the boat itself. ",
    "Bicycles travel free of charge as long as there is room on the lower deck. ",
    "A bus meets each arrival and goes up to the old town in about ten minutes. ",
    "Those who prefer to walk can follow the marked path along the wall of the fort. ",
    "The view from the top reaches as far as the lighthouse when the air is clear. ",
    "Most of the cafés around the square open at eight and close well after sunset. ",
    "The museum of the port is closed on Mondays but free on the first Sunday of the month. ",
    "Swimming is safe on the south beach, where a lifeguard is on duty in summer. ",
    "If the weather turns, the ferry may be late, and the crew will tell you in good time.",
)
TEXTS = {"short": SENTENCES[0].strip(), "long": "".join(SENTENCES), "paced": "".join(SENTENCES)}
USAGE = {"prompt_tokens": 24, "completion_tokens": 200, "total_tokens": 224}
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\n%b\r\n\r\n"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _plain(model: str) -> bytes:
    message = {"role": "assistant", "content": TEXTS[model]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    base = {"id": "chatcmpl-load", "object": "chat.completion", "created": 1_700_000_000}
    body = _json(base | {"model": model, "choices": [choice], "usage": USAGE})
    return _HEAD % (b"application/json", b"content-length: %d" % len(body)) + body


def tokens(text: str) -> list[str]:
    """The text in pieces of about the size that a model streams: a word and its space."""
    return [word + " " for word in text.split(" ")]


def events(model: str) -> list[bytes]:
    """The streamed reply, one event for each token."""
    base = {"id": "chatcmpl-load", "object": "chat.completion.chunk", "created": 1_700_000_000}
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": token} for token in tokens(TEXTS[model])]
    choices: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "finish_reason": None} for delta in deltas
    ]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    bodies = [_json(base | {"model": model, "choices": [choice]}) for choice in choices]
    return [b"data: %b\n\n" % body for body in [*bodies, b"[DONE]"]]


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_PLAIN = {model.encode(): _plain(model) for model in TEXTS}
_STREAM_HEAD = _HEAD % (b"text/event-stream", b"transfer-encoding: chunked")
_STREAM_END = b"0\r\n\r\n"
_EVENTS = {model.encode(): [_chunk(event) for event in events(model)] for model in TEXTS}
_STREAM = {
    model: _STREAM_HEAD + b"".join(chunks) + _STREAM_END for model, chunks in _EVENTS.items()
}


class Connection(asyncio.Protocol):
    """One kept-alive connection; requests are told apart by their content-length."""

    def __init__(self, token_delay_s: float) -> None:
        self._delay_s = token_delay_s
        self._buffer = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # uvloop's transports are no subclass of asyncio's

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer += data
        while (at := self._buffer.find(b"\r\n\r\n")) >= 0:
            end = at + 4 + _length(self._buffer[:at].lower())
            if len(self._buffer) < end:
                return
            body, self._buffer = self._buffer[at + 4 : end], self._buffer[end:]
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        model = next((name for name in _PLAIN if b'"%b"' % name in body), b"short")
        if b'"stream":true' not in body.replace(b" ", b""):
            self._transport.write(_PLAIN[model])
        elif model == b"paced":
            self._transport.write(_STREAM_HEAD)
            self._pace(_EVENTS[model], 0, asyncio.get_running_loop().time())
        else:
            self._transport.write(_STREAM[model])

    def _pace(self, chunks: list[bytes], index: int, due: float) -> None:
        if self._transport.is_closing():
            return
        if index == len(chunks):
            self._transport.write(_STREAM_END)
            return
        self._transport.write(chunks[index])
        due += self._delay_s
        asyncio.get_running_loop().call_at(due, self._pace, chunks, index + 1, due)


def _length(head: bytes) -> int:
    _, found, rest = head.partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


async def serve(port: int, token_delay_s: float) -> None:
    """Listen on a loopback port until cancelled."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(token_delay_s), "127.0.0.1", port)
    await server.serve_forever()


def main(arguments: list[str]) -> None:
    """`python -m load_tests.upstream --port 9000 [--token-delay-ms 10]`."""
    parser = argparse.ArgumentParser(prog="load_tests.upstream")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--token-delay-ms", type=float, default=10.0)
    options = parser.parse_args(arguments)
    uvloop.run(serve(options.port, options.token_delay_ms / 1000))


if __name__ == "__main__":
    main(sys.argv[1:])
