"""What an export has read so far, beside its file, so that it can go on after an interruption.

`FILE.part` has one judged prompt per line, as it was read; `FILE.part.state` says how far the
reading was when it was last known to be on the disk, with which options, and as of when. Both go
when the export is whole.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from storage import jsontext
from storage.errors import ExportError
from storage.exports.judgement import PromptGroup
from storage.ids import now_us
from storage.records import (
    ComparisonRecord,
    FeedbackRecord,
    InteractionRecord,
    Json,
    ScoreRecord,
)


@dataclass(slots=True)
class Checkpoint:
    """How far the reading is. `bytes` of the journal are sure, `cursor` is the last prompt read.

    `as_of_us` is when the export began: what was said later is not in it, however often it is
    interrupted. `seen` are the counts of the reading.
    """

    identity: Mapping[str, Json]
    as_of_us: int
    bytes: int = 0
    cursor: str = ""
    is_whole: bool = False
    seen: dict[str, Json] = field(default_factory=dict)


class Journal:
    """One export's journal. Made by `Journal.open`, locked until `close` or `remove`."""

    def __init__(self, path: Path, file: BinaryIO, checkpoint: Checkpoint) -> None:
        self.path = path
        self.checkpoint = checkpoint
        self.is_resumed = bool(checkpoint.cursor)
        self._state = state_path(path)
        self._file = file

    @classmethod
    def open(cls, target: Path, identity: Mapping[str, Json], *, is_anew: bool = False) -> Journal:
        """The journal of the export to `target`: the one that was begun, or a new one.

        `identity` is what makes two exports the same. Raises ExportError when an export with
        another identity was begun there, unless it is `is_anew`, when another process is at it,
        and when the disk refuses.
        """
        path = part_path(target)
        file = _locked(path)
        try:
            begun = None if is_anew else _read_state(state_path(path))
            if begun is not None:
                _check_same(path, begun.identity, identity)
            if begun is None or os.fstat(file.fileno()).st_size < begun.bytes:
                begun = Checkpoint(identity=identity, as_of_us=now_us())
                state_path(path).unlink(missing_ok=True)
            file.truncate(begun.bytes)
            file.seek(begun.bytes)
        except BaseException:
            file.close()
            raise
        return cls(path, file, begun)

    def replay(self) -> Iterator[PromptGroup]:
        """The prompts that were read before the interruption."""
        with self.path.open("rb") as lines:
            while lines.tell() < self.checkpoint.bytes:
                yield _group(jsontext.loads(lines.readline()))

    def add(self, group: PromptGroup) -> None:
        """Takes in a prompt; it is sure only after the next `save`."""
        self._file.write(_line(group))

    def save(self, cursor: str, seen: Mapping[str, Json], *, is_whole: bool = False) -> None:
        """Makes what was added sure: on the disk, and known to be there."""
        _sync(self._file)
        self.checkpoint.bytes = self._file.tell()
        self.checkpoint.cursor = cursor
        self.checkpoint.seen = dict(seen)
        self.checkpoint.is_whole = is_whole
        waiting = self._state.with_name(self._state.name + ".new")
        with waiting.open("wb") as file:
            file.write(jsontext.dumps(asdict(self.checkpoint)).encode())
            _sync(file)
        waiting.replace(self._state)

    def close(self) -> None:
        """Unlocks the journal. One in which nothing is sure goes away."""
        if not self.checkpoint.bytes:
            self.remove()
        with suppress(OSError):
            self._file.close()

    def remove(self) -> None:
        """Takes the journal from the disk: its export is whole, or never began."""
        self._state.with_name(self._state.name + ".new").unlink(missing_ok=True)
        self._state.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def part_path(target: Path) -> Path:
    """Where the journal of an export to `target` is."""
    return target.with_name(f"{target.name}.part")


def state_path(part: Path) -> Path:
    """Where the state of a journal is."""
    return part.with_name(f"{part.name}.state")


def _locked(path: Path) -> BinaryIO:
    file = path.open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise ExportError(f"another process is at work on this export: {path}") from error
    return file


def _read_state(path: Path) -> Checkpoint | None:
    """The state of a journal, None where there is none that can be read."""
    try:
        return Checkpoint(**jsontext.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _check_same(part: Path, begun: Mapping[str, Json], asked: Mapping[str, Json]) -> None:
    asked = jsontext.loads(jsontext.dumps(asked))
    names = [name for name in {**begun, **asked} if begun.get(name) != asked.get(name)]
    if names:
        told = ", ".join(f"{name} was {begun.get(name)}, is {asked.get(name)}" for name in names)
        raise ExportError(
            f"an interrupted export with other options is in {part} ({told}): "
            "go on with those, or begin anew with --restart"
        )


def _line(group: PromptGroup) -> bytes:
    told = {
        "prompt_hash": group.prompt_hash,
        "interactions": [_shallow(each) for each in group.interactions.values()],
        "feedback": [_shallow(each) for each in group.feedback],
        "comparisons": [_shallow(each) for each in group.comparisons],
    }
    return jsontext.dumps(told).encode() + b"\n"


def _shallow(record: InteractionRecord | FeedbackRecord | ComparisonRecord) -> dict[str, Json]:
    fields = {name: getattr(record, name) for name in record.__slots__}
    if isinstance(record, InteractionRecord):
        fields["scores"] = [asdict(score) for score in record.scores]
    return fields


def _group(told: dict[str, Json]) -> PromptGroup:
    exchanges = [_exchange(each) for each in told["interactions"]]
    return PromptGroup(
        prompt_hash=told["prompt_hash"],
        interactions={each.id: each for each in exchanges},
        feedback=[
            FeedbackRecord(**each | {"tags": tuple(each["tags"])}) for each in told["feedback"]
        ],
        comparisons=[ComparisonRecord(**each) for each in told["comparisons"]],
    )


def _exchange(told: dict[str, Json]) -> InteractionRecord:
    lists = {
        "response_ids": tuple(told["response_ids"]),
        "tags": tuple(told["tags"]),
        "scores": tuple(ScoreRecord(**score) for score in told["scores"]),
    }
    return InteractionRecord(**told | lists)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
