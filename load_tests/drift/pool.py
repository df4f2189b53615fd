"""Real exchanges with their scores: what simulated traffic is drawn from.

Rows of `../shared/data` are scored once by the shipped model under the default policy and kept as
numbers in a file; no text is in it.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from rich.progress import track

from scorers.engine import Engine
from scorers.types import Score, Side, Subject
from service.commands.score import scoring
from service.policy import Policy, compile_policies
from service.settings import Settings
from service.watch.refusal import is_refusal

PROMPT_CHARS, CONTEXT_CHARS, REPLY_CHARS = 300, 600, 400
SMALL = ("0.5b", "1.5b", "-7b", "2b", "3b", "-1b", "gemma-2-2", "phi-3", "mini")
RISKS = (
    "prompt.toxicity",
    "reply.toxicity",
    "reply.faithfulness",
    "reply.sycophancy",
    "reply.confidence",
)


@dataclass(frozen=True)
class Example:
    """One exchange: where it comes from, its three texts, and whether it was labelled bad."""

    part: str
    prompt: str
    context: str
    reply: str
    is_bad: bool = False


@dataclass
class Pool:
    """The numbers of each exchange, in arrays of the same length.

    `risks` has the columns of `RISKS`, NaN where a scorer did not apply; `embeddings` are those of
    the prompts; `outcomes` is 0 for allowed, 1 for flagged, 2 for vetoed.
    """

    parts: NDArray[np.str_]
    is_bad: NDArray[np.bool_]
    risks: NDArray[np.float32]
    outcomes: NDArray[np.int8]
    is_refusal: NDArray[np.bool_]
    chars: NDArray[np.int32]
    embeddings: NDArray[np.float32]

    def rows(self, part: str, *, is_bad: bool | None = None) -> NDArray[np.intp]:
        """The places of a part's rows, of those labelled so where it is asked."""
        found = self.parts == part
        return np.flatnonzero(found if is_bad is None else found & (self.is_bad == is_bad))

    @classmethod
    def load(cls, path: Path) -> Pool:
        """The pool that `save` wrote."""
        with np.load(path) as file:
            return cls(**{name.name: file[name.name] for name in fields(cls)})

    def save(self, path: Path) -> None:
        """Writes the numbers."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **vars(self))


def build(data: Path) -> Pool:
    """Scores the rows; takes minutes."""
    return asyncio.run(_scored(list(examples(data))))


def examples(data: Path) -> Iterator[Example]:
    """The exchanges that are drawn from, the same ones each time."""
    yield from _grounded(data / "faithfulness/train/ragtruth_qa_part.parquet")
    toxicity = data / "toxicity/train"
    open_chat = {"gpt-4-0613": "chat.large", "gpt-3.5-turbo-0125": "chat.small"}
    for name, part in open_chat.items():
        rows = _replies(toxicity / "arena_hard_benign.parquet")
        yield from _some(part, (row for row in rows if name in row["id"]), 180)
    both = ("openassistant_sample", "oasst_sampling_benign")
    for name in both:
        yield from _some("chat", _replies(toxicity / f"{name}.parquet"), 150)
    rows = list(_replies(toxicity / "halueval2_benign.parquet"))
    yield from _some("topic", (row for row in rows if "Bio-Medical" in row["id"]), 150)
    rows = list(_replies(toxicity / "diasafety.parquet"))
    yield from _some("smalltalk", (row for row in rows if row["toxic"] == 0), 150)
    for name in ("diasafety", "gptfuzz_responses"):
        rows = _replies(toxicity / f"{name}.parquet")
        bad = (row for row in rows if max(row["toxic"] or 0, row["harm"] or 0) > 0.5)
        yield from _some("toxic", bad, 100)


def _grounded(path: Path) -> Iterator[Example]:
    rows = pq.read_table(path).to_pylist()
    random.Random(0).shuffle(rows)
    for row in rows[:500]:
        is_small = any(mark in row["generator"].lower() for mark in SMALL)
        part = "grounded.small" if is_small else "grounded.large"
        yield Example(part, row["prompt"], row["context"], row["response"], row["unfaithful"] > 0.5)


def _replies(path: Path) -> Iterable[Mapping[str, Any]]:
    rows = [row for row in pq.read_table(path).to_pylist() if row["role"] == "response"]
    random.Random(0).shuffle(rows)
    return rows


def _some(part: str, rows: Iterable[Mapping[str, Any]], count: int) -> Iterator[Example]:
    for row, _ in zip(rows, range(count), strict=False):
        yield Example(part, row["prompt"], "", row["text"], part == "toxic")


async def _scored(rows: list[Example]) -> Pool:
    settings = Settings.model_validate({"scoring": {"threads": 1}})
    async with scoring(settings, ()) as (engine, loaded):
        policy = compile_policies(settings.policies, loaded.headmap).choose(route="", model="")
        made = []
        for row in track(rows, "scoring", disable=not sys.stderr.isatty()):
            made.append(await _one(engine, policy, row))
            if len(made) % 50 == 0:
                print(f"{len(made)} of {len(rows)} exchanges scored", file=sys.stderr, flush=True)
        texts = [row.prompt[:PROMPT_CHARS] for row in rows]
        embedded = [await engine.embed(texts[at : at + 16]) for at in range(0, len(texts), 16)]
    return Pool(
        parts=np.array([row.part for row in rows]),
        is_bad=np.array([row.is_bad for row in rows]),
        risks=np.array([risks for risks, _ in made], np.float32),
        outcomes=np.array([outcome for _, outcome in made], np.int8),
        is_refusal=np.array([is_refusal(row.reply) for row in rows]),
        chars=np.array([len(row.reply) for row in rows], np.int32),
        embeddings=np.concatenate(embedded).astype(np.float16).astype(np.float32),
    )


async def _one(engine: Engine, policy: Policy, row: Example) -> tuple[list[float], int]:
    prompt = row.prompt[:PROMPT_CHARS]
    context = (row.context[:CONTEXT_CHARS],) if row.context else ()
    subjects = {
        Side.PROMPT: Subject(Side.PROMPT, prompt),
        Side.REPLY: Subject(Side.REPLY, row.reply[:REPLY_CHARS], prompt=prompt, context=context),
    }
    risks: dict[str, float] = {}
    outcomes = [0]
    for side, subject in subjects.items():
        scores: Mapping[str, Score] = await engine.score(subject, scorers=policy.scorers(side))
        verdict = policy.judge(side, scores)
        outcomes.append({"flag": 1, "veto": 2}.get(verdict.outcome.value, 0))
        risks |= {
            f"{side.value}.{name}": np.nan if score.risk is None else score.risk
            for name, score in scores.items()
        }
    return [risks.get(name, np.nan) for name in RISKS], max(outcomes)
