"""Server-sent events: bytes in, events out, wherever the bytes are cut.

Follows the WHATWG "interpreting an event stream" rules for line ends, the byte
order mark, comments and fields, and keeps every byte: the raws of all events,
one after the other, are the input.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from service.errors import UpstreamMalformed

# Two line ends in a row end an event. A pair of bare \r ends it at once (an \n
# after it is an empty line of the next event, which changes nothing), so that
# such a stream is never held up waiting for the byte after.
_EVENT_END = re.compile(rb"\r\n(?:\r\n?|\n)|\r\r|\n(?:\r\n?|\n)")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


class EventTooLarge(UpstreamMalformed):
    """One event of the stream is over the limit."""

    code = "upstream_event_too_large"


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One event: all its bytes with the blank line, and what its fields say.

    `data` is the data lines joined by a newline, None where there is no data
    field (comments, keep-alives). `is_complete` is false for what stood at the
    end of a stream without its blank line.
    """

    raw: bytes
    data: bytes | None = None
    event: str | None = None
    is_complete: bool = True


class Splitter:
    """Cuts one stream into events, in time linear in its length.

    Keeps at most `max_event_bytes` and one chunk; a longer event raises
    `EventTooLarge`, after the events before it have been given out.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._pending = bytearray()
        self._scanned = 0
        self._has_cr = False
        self._is_first = True
        self._is_over_limit = False

    def feed(self, chunk: bytes) -> list[RawEvent]:
        """The events that this chunk completes."""
        if not self._pending and not self._has_cr and self._is_one_event(chunk):
            return [self._event(chunk)]
        self._has_cr = self._has_cr or b"\r" in chunk
        self._pending += chunk
        return self._take(is_closed=False)

    def close(self) -> list[RawEvent]:
        """What is left at the end of the stream: at most one event, nearly always none."""
        events = self._take(is_closed=True)
        if self._pending:
            events.append(self._event(bytes(self._pending), is_complete=False))
            self._pending.clear()
        return events

    def _is_one_event(self, chunk: bytes) -> bool:
        is_small = 2 < len(chunk) <= self._max_event_bytes
        return is_small and chunk.find(b"\n\n") == len(chunk) - 2 and b"\r" not in chunk

    def _take(self, *, is_closed: bool) -> list[RawEvent]:
        events: list[RawEvent] = []
        start = 0
        while not self._is_over_limit and (end := self._end(is_closed=is_closed)) >= 0:
            self._is_over_limit = end - start > self._max_event_bytes
            if not self._is_over_limit:
                events.append(self._event(bytes(self._pending[start:end])))
                start = self._scanned = end
        del self._pending[:start]
        self._scanned -= start
        self._is_over_limit |= len(self._pending) > self._max_event_bytes
        self._check_limit(events)
        return events

    def _end(self, *, is_closed: bool) -> int:
        """Where the next event ends in what is pending, -1 where it does not yet."""
        end = self._find()
        if end < 0:
            self._scanned = max(self._scanned, len(self._pending) - 2)
            return -1
        is_open = end == len(self._pending) and not is_closed
        if is_open and self._pending.endswith(b"\n\r"):
            return -1  # the other half of a \r\n may still come
        return end

    def _find(self) -> int:
        if not self._has_cr:
            at = self._pending.find(b"\n\n", self._scanned)
            return at + 2 if at >= 0 else -1
        match = _EVENT_END.search(self._pending, self._scanned)
        return match.end() if match else -1

    def _check_limit(self, events: list[RawEvent]) -> None:
        """Raises once there is nothing left to give out before the event at fault."""
        if self._is_over_limit and not events:
            raise EventTooLarge(
                f"The upstream sent an event of more than {self._max_event_bytes} bytes."
            )

    def _event(self, raw: bytes, *, is_complete: bool = True) -> RawEvent:
        is_first, self._is_first = self._is_first, False
        if self._is_one_line(raw) and is_complete:
            return RawEvent(raw, raw[6:-2])
        text = raw.removeprefix(_BOM) if is_first else raw
        data, event = _fields(text)
        return RawEvent(raw, data, event, is_complete)

    def _is_one_line(self, raw: bytes) -> bool:
        is_data = raw.startswith(b"data: ") and not self._has_cr
        return is_data and raw.find(b"\n", 6) == len(raw) - 2


def _fields(text: bytes) -> tuple[bytes | None, str | None]:
    """The data and the event type of one event; the last type given counts."""
    data: list[bytes] = []
    event: str | None = None
    for line in _LINE_END.split(text):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            event = value.decode("utf-8", "replace") or None
    return (b"\n".join(data) if data else None), event
