"""Removing the journals of interrupted exports in which a person is.

A journal only saves reading again, so it goes as a whole: its export then begins anew.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from storage import jsontext
from storage.erasing import Person
from storage.exports.journal import part_path, state_path
from storage.records import Json


@dataclass(frozen=True, slots=True)
class Journals:
    """How many journals hold something of a person: those at rest, and those being written."""

    free: int = 0
    held: int = 0


def count_journals(targets: Iterable[Path], person: Person) -> Journals:
    """The person's journals beside these files; nothing is removed."""
    return _each(targets, person, is_removing=False)


def erase_journals(targets: Iterable[Path], person: Person) -> Journals:
    """Remove those at rest; the export that writes one has to end first."""
    return _each(targets, person, is_removing=True)


def _each(targets: Iterable[Path], person: Person, *, is_removing: bool) -> Journals:
    free = held = 0
    for part in map(part_path, targets):
        try:
            with part.open("rb") as file:
                if not _holds(file, person):
                    continue
                if not _is_locked(file):
                    free += 1
                    if is_removing:
                        state_path(part).unlink(missing_ok=True)
                        part.unlink()
                else:
                    held += 1
        except OSError:
            continue  # of another machine, or gone
    return Journals(free, held)


def _is_locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _holds(file: BinaryIO, person: Person) -> bool:
    return any(_is_of(line, person) for line in file)


def _is_of(line: bytes, person: Person) -> bool:
    """Whether a line has something of the person; of one that is torn, if it names them."""
    try:
        told = jsontext.loads(line)
        asked = [(each["user"], each["key_id"]) for each in told["interactions"]]
        said = [(each["rater"], each["key_id"]) for each in told["feedback"] + told["comparisons"]]
    except (ValueError, KeyError, TypeError):
        return person.user.encode() in line
    return any(_is_them(person, who, key_id) for who, key_id in asked + said)


def _is_them(person: Person, who: Json, key_id: Json) -> bool:
    names = (person.user, jsontext.short(person.user), jsontext.clean(person.user))
    return who in names and person.key_id in (None, key_id)
