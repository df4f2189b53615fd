"""Which prompts belong together, so that none of them stands on the other side of a split.

Together are: near-duplicates (system prompts left out), prompts of one conversation, and a prompt
with the one that it continues. What belongs to one belongs to all: groups are joined.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from storage import jsontext
from storage.exports.base import Message
from storage.exports.judgement import PromptGroup
from storage.exports.similarity import Indices, Signatures, Union, fine_print, near

_SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Grouped:
    """For each prompt the number of its set of near-duplicates, of its group, and its anchor.

    The anchor is the hash of the group's oldest prompt. It is the same as long as no older prompt
    joins the group, so what is added later moves nobody who was there, unless it makes one group
    of two: then the younger one follows the older.
    """

    alike: Indices
    groups: Indices
    anchors: list[str]


class Prompts:
    """The prompts of an export, by number; their messages are not kept."""

    def __init__(self) -> None:
        self.hashes: list[str] = []
        self.fine_prints: list[int] = []
        self._oldest_us: list[int] = []
        self._joined: list[tuple[int, int]] = []
        self._of_conversation: dict[tuple[str | None, str], int] = {}
        self._whole: dict[bytes, int] = {}
        self._begun: list[tuple[bytes, int]] = []

    def __len__(self) -> int:
        return len(self.hashes)

    def add(self, group: PromptGroup, messages: Sequence[Message]) -> int:
        """Its number."""
        number = len(self.hashes)
        self.hashes.append(group.prompt_hash)
        self.fine_prints.append(_fine_print(messages))
        self._oldest_us.append(min(each.created_us for each in group.interactions.values()))
        for each in group.interactions.values():
            if each.conversation:
                key = (each.key_id, each.conversation)
                first = self._of_conversation.setdefault(key, number)
                self._joined.append((first, number))
        self._note_turns(messages, number)
        return number

    def _note_turns(self, messages: Sequence[Message], number: int) -> None:
        said = hashlib.blake2b(digest_size=12)
        for message in messages:
            if message["role"] == "assistant":
                self._begun.append((said.digest(), number))
            if message["role"] != _SYSTEM:
                said.update(jsontext.dumps(message).encode("utf-8", "replace") + b"\n")
        first = self._whole.setdefault(said.digest(), number)
        self._joined.append((first, number))

    def grouped(self, signed: Signatures, *, threshold: float | None) -> Grouped:
        """The groups, from the signatures of the prompts' texts (see `text_of`)."""
        pairs = near(signed, threshold=threshold) if threshold is not None else ()
        sets, groups = Union(len(self)), Union(len(self))
        for one, other in pairs:
            sets.join(int(one), int(other))
            groups.join(int(one), int(other))
        for one, other in self._joined:
            groups.join(one, other)
        for digest, number in self._begun:
            groups.join(self._whole.get(digest, number), number)
        roots = groups.roots()
        return Grouped(sets.roots(), roots, self._anchors(roots))

    def _anchors(self, roots: Indices) -> list[str]:
        oldest: dict[int, tuple[int, str]] = {}
        for root, born in zip(
            roots.tolist(), zip(self._oldest_us, self.hashes, strict=True), strict=True
        ):
            oldest[root] = min(oldest.get(root, born), born)
        return [oldest[root][1] for root in roots.tolist()]


def text_of(messages: Sequence[Message]) -> str:
    """What is compared of a prompt: all but what the system says, which many prompts share."""
    spoken = (message for message in messages if message["role"] != _SYSTEM)
    return "\n".join(str(message["content"]) for message in spoken)


def _fine_print(messages: Sequence[Message]) -> int:
    """That of the text and of the system prompt, in which numbers (dates, counts) do not count."""
    told = [str(message["content"]) for message in messages if message["role"] == _SYSTEM]
    rules = "".join(letter for letter in "\n".join(told) if not letter.isdigit())
    digest = hashlib.blake2b(rules.encode("utf-8", "replace"), digest_size=8).digest()
    return fine_print(text_of(messages)) ^ int.from_bytes(digest, "big", signed=True)
