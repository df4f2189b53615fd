"""Removing one person's records from spool files, as far as no living process holds them."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from storage.erasing import Person
from storage.errors import RecordRejected
from storage.jsontext import short
from storage.spool import Segment, from_line

REJECTED = "rejected.txt"


@dataclass(frozen=True, slots=True)
class Spooled:
    """Records of the person: in files that nobody holds, and in those of living processes."""

    free: int = 0
    held: int = 0


def count_spooled(directory: Path, person: Person) -> Spooled:
    """How many records of the person wait in the spool files of a folder."""
    free = _count(_lines(directory / REJECTED), person)
    held = 0
    for path in sorted(directory.glob("*.jsonl")):
        segment = Segment.adopt(path)
        found = _count(_lines(path), person)
        if segment is None:
            held += found
        else:
            free += found
            segment.close()
    return Spooled(free, held)


def erase_spooled(directory: Path, person: Person) -> int:
    """Remove the person's records from the files that nobody holds; how many there were."""
    removed = _erase_rejected(directory / REJECTED, person)
    for path in sorted(directory.glob("*.jsonl")):
        segment = Segment.adopt(path)
        if segment is not None:
            removed += _erase_segment(segment, directory, person)
            segment.close()
    return removed


def _erase_segment(segment: Segment, directory: Path, person: Person) -> int:
    """Puts the other records into a new file before the old one is emptied: none can be lost."""
    lines = [line for line in _lines(segment.path) if line.endswith(b"\n")]
    kept = [line for line in lines if not is_of(line, person)]
    if len(kept) == len(lines):
        return 0
    if kept:
        copy = Segment.create(directory)
        copy.append(b"".join(kept), is_durable=True)
        copy.close()
    segment.consume([])
    return len(lines) - len(kept)


def _erase_rejected(path: Path, person: Person) -> int:
    if not path.exists():
        return 0
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        lines = file.readlines()
        kept = [line for line in lines if not is_of(line, person)]
        if len(kept) < len(lines):
            file.seek(0)
            file.writelines(kept)
            file.truncate()
    return len(lines) - len(kept)


def is_of(line: bytes, person: Person) -> bool:
    """Whether a line holds a record of the person; of one that cannot be read, if it names them."""
    try:
        record = from_line(line)
    except RecordRejected:
        return person.user.encode() in line
    is_theirs = record.user is not None and short(record.user) == short(person.user)
    return is_theirs and person.key_id in (None, record.key_id)


def _count(lines: Iterable[bytes], person: Person) -> int:
    return sum(is_of(line, person) for line in lines)


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
