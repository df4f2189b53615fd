"""A labelled example, and how sources become examples."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from scorers.types import Side, Subject

_DETOKENISE = (
    (re.compile(r"\s+([.,;:!?%)\]])"), r"\1"),
    (re.compile(r"([(\[$])\s+"), r"\1"),
    (re.compile(r"\b(\w+)\s+n['’]t\b"), r"\1n't"),
    (re.compile(r"(\w)\s+['’]\s?(s|re|ve|ll|d|m)\b"), r"\1'\2"),
    (re.compile(r"``|''"), '"'),
    (re.compile(r"-lrb-", re.IGNORECASE), "("),
    (re.compile(r"-rrb-", re.IGNORECASE), ")"),
)


@dataclass(frozen=True, slots=True)
class Example:
    """A subject with its labels: head name to a soft label in [0, 1]; a missing head is unknown."""

    subject: Subject
    labels: dict[str, float]
    source: str
    group: str
    spans: tuple[tuple[int, int], ...] | None = None
    kind: str = ""


def detokenise(text: str) -> str:
    """Undoes the spacing that tokenised corpora have round punctuation."""
    for pattern, replacement in _DETOKENISE:
        text = pattern.sub(replacement, text)
    return text.strip()


def bucket(key: str, seed: int) -> int:
    """A number from 0 to 99 that depends on nothing but the key and the seed."""
    return hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=4).digest()[0] * 100 // 256


def licence_classes(data: Path) -> dict[tuple[str, str], str]:
    """Licence class by source and licence as found, from the data's `sources.csv`."""
    with (data / "sources.csv").open(encoding="utf-8") as file:
        return {
            (row["source"], row["licence_as_found"]): row["licence_class"]
            for row in csv.DictReader(file)
        }


def is_allowed(
    row: dict[str, Any], classes: dict[tuple[str, str], str], allowed: AbstractSet[str]
) -> bool:
    """Whether a row may be trained on: of an allowed licence class, not a copied judge label."""
    if row["source"] == "ragtruth_qa_part" and row["split"] != "human":
        return False
    return classes.get((row["source"], row["license"]), "unknown") in allowed


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet file as dictionaries."""
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


CHAT_SOURCES = (
    "arena_hard_benign", "expertqa_benign", "openassistant_sample", "self_instruct_benign",
    "halueval2_benign", "wildbench_benign", "oasst_sampling_benign", "refchecker_benign",
    "awesome_prompts", "benign_cyber_prompts", "refusal_responses",
)  # fmt: skip
"""Sources of ordinary conversations with assistants, harmless as far as anybody knows."""


def toxicity_example(row: dict[str, Any]) -> Example:
    """An example of the toxicity task; the group is what must not straddle the split.

    A reply of ordinary chat counts as not sycophantic either: nobody stated a view there.
    """
    side = Side.REPLY if row["role"] == "response" else Side.PROMPT
    labels = {
        head: float(row[head])
        for head in ("toxic", "harm", "injection")
        if row[head] is not None and row[head] == row[head]
    }
    if side is Side.REPLY:
        labels.pop("injection", None)
        if row["source"] in CHAT_SOURCES and row["prompt"]:
            labels["sycophantic"] = 0.0
    prompt = (row["prompt"] or "").replace("\\n", "\n") if side is Side.REPLY else ""
    group = row["prompt"] if side is Side.REPLY and row["prompt"] else row["text"]
    text = detokenise(row["text"])
    return Example(Subject(side, text, prompt=prompt), labels, row["source"], group)


def faithfulness_example(row: dict[str, Any]) -> Example:
    """An example of the faithfulness task, with annotated spans where the source has them."""
    spans = None
    text = row["response"]
    if row["spans"]:
        spans = tuple((int(left), int(right)) for left, right, *_ in json.loads(row["spans"]))
    else:
        text = detokenise(text)
    subject = Subject(
        Side.REPLY, text, prompt=row["prompt"] or "", context=(detokenise(row["context"]),)
    )
    group = row["response"] if row["source"] == "wice_dev" else row["context"]
    return Example(subject, {"unsupported": float(row["unfaithful"])}, row["source"], group, spans)


_TURN = "User: "
_STATES_VIEW = {
    "wrong_opinion_pressure": 1.0,
    "no_opinion_control": 0.0,
    "opinion": 1.0,
    "wrong_suggestion": 1.0,
    "correct_suggestion": 1.0,
}


def sycophancy_example(row: dict[str, Any]) -> Example:
    """An example of the sycophancy task: a reply beside the last thing that its user said."""
    asked = row["prompt"].rsplit(_TURN, 1)[-1].strip()
    subject = Subject(Side.REPLY, row["response"].strip(), prompt=asked)
    *_, question = asked.rpartition("Question:")
    labels = {"sycophantic": float(row["sycophantic"])}
    return Example(subject, labels, row["source"], question.strip() or asked, kind=row["kind"])


def view_example(example: Example) -> Example | None:
    """The prompt of a sycophancy example, judged as to whether it states the user's own view."""
    value = _STATES_VIEW.get(example.kind)
    if value is None:
        return None
    subject = Subject(Side.PROMPT, example.subject.prompt)
    return replace(example, subject=subject, labels={"view": value})


def is_held(example: Example, *, seed: int, percent: int) -> bool:
    """Whether an example belongs to the part that calibration uses and training does not."""
    return bucket(example.group[:2000], seed) < percent


def by_group(examples: Iterable[Example]) -> Iterator[list[Example]]:
    """The examples of each group, in order of first appearance."""
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.group, []).append(example)
    yield from groups.values()
