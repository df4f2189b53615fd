"""Examples on their way through an export: texts on disk, a few numbers of each in memory.

The text of an example and its signatures (0.5 kB for a label, 1 kB for a pair, 0.5 kB for a
prompt) are in temporary files without a name, in the folder that Python's `tempfile` takes
(TMPDIR), and gone with the process. Signatures are read by mapping the files.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from tempfile import TemporaryFile
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from storage import jsontext
from storage.exports.base import Label, Message, Pair, Provenance
from storage.exports.conversation import identity
from storage.exports.grouping import Prompts, text_of
from storage.exports.judgement import PromptGroup
from storage.exports.similarity import PERMUTATIONS, Signatures, fine_print, signatures

_BATCH = 32
"""Signatures made at a time, on the event loop: some milliseconds."""
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What is known of each example, a column each; `replies` has their signatures.

    `prompt` is the prompt's number, `rank` the source's place (0 the most direct), `key` a hash
    of the example for telling equals apart. `chosen_chars` and `rejected_chars` are 0 where an
    example has no such reply: a liked label has no rejected one. `prints` are `fine_print` of
    both replies (of labels twice the same one), `replies` has shape (rows, 1 or 2, PERMUTATIONS).
    """

    prompt: Numbers
    rank: Numbers
    margin: Floats
    difficulty: Floats
    is_good: NDArray[np.bool_]
    chosen_chars: Numbers
    rejected_chars: Numbers
    key: Numbers
    prints: Numbers
    replies: Signatures
    prompt_signatures: Signatures
    prompt_prints: Numbers


class Gathering:
    """Takes examples in, gives them back in any order. A context manager."""

    def __init__(self) -> None:
        self.prompts = Prompts()
        self._stack = ExitStack()
        self._texts = self._file()
        self._replies = _SignatureFile(self._file())
        self._prompts = _SignatureFile(self._file())
        self._offset, self._prompt, self._rank, self._key = (array("q") for _ in range(4))
        self._chosen, self._rejected, self._prints = (array("q") for _ in range(3))
        self._margin, self._difficulty = array("d"), array("d")
        self._is_good = array("b")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __len__(self) -> int:
        return len(self._offset)

    def add(self, group: PromptGroup, examples: Sequence[tuple[int, Pair | Label]]) -> None:
        """Take the examples of one prompt, each with its source's rank."""
        if not examples:
            return
        messages = examples[0][1].prompt
        number = self.prompts.add(group, messages)
        self._prompts.add(text_of(messages))
        for rank, example in examples:
            self._add(number, rank, example)

    def _add(self, prompt: int, rank: int, example: Pair | Label) -> None:
        said = [identity(message) for message in _replies(example)]
        self._offset.append(self._texts.tell())
        line = jsontext.dumps(_stored(example)).encode()
        self._texts.write(line + b"\n")
        self._prompt.append(prompt)
        self._rank.append(rank)
        self._margin.append(example.provenance.margin)
        self._difficulty.append(example.provenance.difficulty)
        is_good = isinstance(example, Pair) or example.is_good
        self._is_good.append(is_good)
        self._chosen.append(len(said[0]) if is_good else 0)
        self._rejected.append(len(said[-1]) if isinstance(example, Pair) or not is_good else 0)
        self._prints.extend((fine_print(said[0]), fine_print(said[-1])))
        digest = hashlib.blake2b(line, digest_size=8).digest()
        self._key.append(int.from_bytes(digest, "big", signed=True))
        for text in said:
            self._replies.add(text)

    def table(self) -> Table:
        """All that was taken in, as columns."""
        self._texts.flush()
        replies = self._replies.all()
        per_row = len(replies) // max(1, len(self))
        return Table(
            prompt=np.array(self._prompt, dtype=np.int64),
            rank=np.array(self._rank, dtype=np.int64),
            margin=np.array(self._margin, dtype=np.float64),
            difficulty=np.array(self._difficulty, dtype=np.float64),
            is_good=np.array(self._is_good, dtype=np.bool_),
            chosen_chars=np.array(self._chosen, dtype=np.int64),
            rejected_chars=np.array(self._rejected, dtype=np.int64),
            key=np.array(self._key, dtype=np.int64),
            prints=np.array(self._prints, dtype=np.int64).reshape(-1, 2),
            replies=replies.reshape(len(self), max(1, per_row), PERMUTATIONS),
            prompt_signatures=self._prompts.all(),
            prompt_prints=np.array(self.prompts.fine_prints, dtype=np.int64),
        )

    def read(self, places: Sequence[int]) -> Iterator[Pair | Label]:
        """The examples at these places."""
        for place in places:
            self._texts.seek(self._offset[place])
            yield _example(jsontext.loads(self._texts.readline()))

    def _file(self) -> IO[bytes]:
        return self._stack.enter_context(TemporaryFile())


class _SignatureFile:
    """Signatures of texts, made in batches and kept on disk."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._waiting: list[str] = []
        self._rows = 0

    def add(self, text: str) -> None:
        self._waiting.append(text)
        if len(self._waiting) >= _BATCH:
            self._write()

    def all(self) -> Signatures:
        """Shape (texts, PERMUTATIONS); read from the disk as it is used."""
        self._write()
        self._file.flush()
        shape = (self._rows, PERMUTATIONS)
        if not self._rows:
            return np.zeros(shape, dtype=np.uint32)
        return np.memmap(self._file, dtype=np.uint32, mode="r", shape=shape)

    def _write(self) -> None:
        if self._waiting:
            self._file.write(signatures(self._waiting).tobytes())
            self._rows += len(self._waiting)
            self._waiting.clear()


def _replies(example: Pair | Label) -> list[Message]:
    if isinstance(example, Pair):
        return [example.chosen, example.rejected]
    return [example.completion]


def _stored(example: Pair | Label) -> dict[str, Any]:
    shallow = {each.name: getattr(example, each.name) for each in fields(example)}
    return shallow | {"provenance": asdict(example.provenance)}


def _example(stored: dict[str, Any]) -> Pair | Label:
    origin = stored.pop("provenance")
    origin["interaction_ids"] = tuple(origin["interaction_ids"])
    provenance = Provenance(**origin)
    if "chosen" in stored:
        return Pair(**stored, provenance=provenance)
    return Label(**stored, provenance=provenance)
