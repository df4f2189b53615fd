"""Where records wait while the store is away: append-only files, one per process.

A line is one exchange as JSON. A process holds a lock on its file for as long as it lives, so the
next one to start knows which files were left behind and takes them over. Nothing here is async;
the writer calls it from a thread.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from storage.errors import RecordRejected, SpoolFull, StoreUnavailable
from storage.ids import new_id
from storage.records import InteractionRecord, ScoreRecord

_VERSION = 1
_TUPLES = ("response_ids", "tags")
_KNOWN = frozenset(field.name for field in fields(InteractionRecord))
_KNOWN_SCORE = frozenset(field.name for field in fields(ScoreRecord))


def to_line(record: InteractionRecord) -> bytes:
    """One line of a spool file, with its newline."""
    try:
        return orjson.dumps({"v": _VERSION, "interaction": record}) + b"\n"
    except TypeError:
        return json.dumps({"v": _VERSION, "interaction": asdict(record)}).encode() + b"\n"


def from_line(line: bytes) -> InteractionRecord:
    """The exchange of a line; RecordRejected when the line holds none."""
    try:
        found = _parse(line)["interaction"]
        known: dict[str, Any] = {name: found[name] for name in found if name in _KNOWN}
        known |= {name: tuple(known.get(name) or ()) for name in _TUPLES}
        known["scores"] = tuple(_score(each) for each in known.get("scores") or ())
        return InteractionRecord(**known)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecordRejected(f"unreadable spool line: {error}") from error


def _parse(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return json.loads(line)


def _score(found: dict[str, Any]) -> ScoreRecord:
    return ScoreRecord(**{name: found[name] for name in found if name in _KNOWN_SCORE})


def _sync_folder(directory: Path) -> None:
    # Without this a power cut may take the new file's name, and with it its synced lines.
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Segment:
    """One locked spool file, read from the front, appended at the end."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        self._read_to = 0
        self._end = os.fstat(file.fileno()).st_size

    @classmethod
    def create(cls, directory: Path) -> Segment:
        """A new file that is locked before anyone can see it under its name."""
        path = directory / f"{new_id('spool')}.jsonl"
        hidden = path.with_suffix(".new")
        file = hidden.open("x+b")
        fcntl.flock(file, fcntl.LOCK_EX)
        hidden.rename(path)
        _sync_folder(directory)
        return cls(path, file)

    @classmethod
    def adopt(cls, path: Path) -> Segment | None:
        """The file of a process that is gone, None while its process lives."""
        try:
            file = path.open("r+b")
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return cls(path, file)

    @property
    def waiting_bytes(self) -> int:
        """How much is still to be replayed."""
        return self._end - self._read_to

    def append(self, data: bytes, *, is_durable: bool) -> None:
        """Add whole lines; on a failure the file is as it was."""
        try:
            self._file.seek(self._end)
            self._file.write(data)
            self._file.flush()
            if is_durable:
                os.fsync(self._file.fileno())
        except OSError:
            os.ftruncate(self._file.fileno(), self._end)
            raise
        self._end += len(data)

    def peek(self, lines: int) -> list[bytes]:
        """Up to so many whole lines from the front; a torn last line was never acknowledged."""
        self._file.seek(self._read_to)
        found = [line for _ in range(lines) if (line := self._file.readline())]
        if found and not found[-1].endswith(b"\n"):
            found.pop()
        return found

    def consume(self, lines: Sequence[bytes]) -> None:
        """Forget these lines, just read by `peek`; an emptied file is cut back to nothing."""
        self._read_to += sum(map(len, lines))
        if self._read_to >= self._end or not lines:
            self._file.truncate(0)
            self._read_to = self._end = 0

    def close(self) -> None:
        """Unlock, and remove the file when nothing waits in it."""
        if self.waiting_bytes == 0:
            self.path.unlink(missing_ok=True)
        self._file.close()


class Spool:
    """The spool of one process: what earlier ones left, then its own file."""

    def __init__(self, directory: Path, *, limit_bytes: int) -> None:
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._left: list[Segment] = []
        self._own: Segment | None = None

    def open(self) -> None:
        """Take over files left behind, oldest first; StoreUnavailable without a folder."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            adopted = (Segment.adopt(path) for path in sorted(self._directory.glob("*.jsonl")))
            self._left = [segment for segment in adopted if segment is not None]
        except OSError as error:
            raise StoreUnavailable(f"the spool folder cannot be used: {error}") from error

    @property
    def waiting_bytes(self) -> int:
        """How much is still to be replayed."""
        return sum(segment.waiting_bytes for segment in self._segments())

    def append(self, records: Sequence[InteractionRecord], *, is_durable: bool) -> None:
        """Keep these records, synced to the disk when `is_durable`; SpoolFull when it cannot."""
        data = b"".join(to_line(record) for record in records)
        if self.waiting_bytes + len(data) > self._limit_bytes:
            raise SpoolFull(f"the spool is at its limit of {self._limit_bytes} bytes")
        try:
            self._own = self._own or Segment.create(self._directory)
            self._own.append(data, is_durable=is_durable)
        except OSError as error:
            raise SpoolFull(f"the spool cannot be written: {error}") from error

    def peek(self, lines: int) -> list[bytes]:
        """Up to so many of the oldest lines."""
        front = self._front()
        return front.peek(lines) if front else []

    def consume(self, lines: Sequence[bytes]) -> None:
        """Forget the lines just read by `peek`; no lines: forget the torn rest of the file."""
        front = self._front()
        if front is None:
            return
        front.consume(lines)
        if front.waiting_bytes == 0 and front in self._left:
            self._left.remove(front)
            front.close()

    def reject(self, line: bytes) -> None:
        """Put aside a line that the store will never take, for a person to look at."""
        with (self._directory / "rejected.txt").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(line)

    def close(self) -> None:
        """Unlock everything; what still waits is taken over by the next process."""
        for segment in self._segments():
            segment.close()
        self._left, self._own = [], None

    def _segments(self) -> list[Segment]:
        return [*self._left, self._own] if self._own else self._left

    def _front(self) -> Segment | None:
        return next((each for each in self._segments() if each.waiting_bytes), None)
