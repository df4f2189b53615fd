"""How much of the session's speed reaches the callers of the engine.

    python load_tests/scoring.py [--model NAME-OR-PATH] [--callers N] [--rounds N]

In each round the same session is called directly at several batch shapes, then by
the engine under many concurrent callers, so that both see the same machine. The
table gives medians over the rounds: real (unpadded) tokens per second. Direct calls
have no padding and their input arrays ready; the engine's include windows,
tokenising, batching, padding, scores and the way back to the caller.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from dataclasses import dataclass, field, replace

from scorers.catalog import DEFAULT_MODEL, LoadedModel, load
from scorers.engine import BatchLimits, Engine, EngineLimits
from scorers.serving import Encoding
from scorers.types import Row, Side, Subject

SHAPES = ((1, 32), (8, 32), (32, 32), (4, 64), (16, 64), (2, 128), (8, 128), (16, 128), (4, 256))
WORDS = (
    *("the", "a", "of", "to", "and", "in", "is", "was", "for", "that", "on", "with", "as", "by"),
    *("river", "town", "bridge", "council", "report", "engine", "water", "winter", "morning"),
    *("library", "teacher", "question", "answer", "number", "street", "open", "closed", "older"),
    *("larger", "quickly", "seldom", "before", "after", "during", "between", "measured"),
)


@dataclass
class Load:
    """The batches that the engine ran."""

    tokens: int = 0
    wall_s: float = 0.0
    rows: int = 0
    padded_tokens: int = 0
    batches: int = 0
    seconds: float = 0.0
    waits_s: list[float] = field(default_factory=list)

    def batch_ran(self, rows: int, padded_tokens: int, seconds: float) -> None:
        """Adds a batch."""
        self.batches += 1
        self.rows += rows
        self.padded_tokens += padded_tokens
        self.seconds += seconds

    def queue_changed(self, tokens: int) -> None:
        """Not of interest here."""

    def scorer_ran(self, name: str, seconds: float) -> None:  # noqa: ARG002
        """Adds a scorer's time from admission to score."""
        self.waits_s.append(seconds)

    def failed(self, scorer: str, kind: str) -> None:
        """Ends the measurement: it allows no failure."""
        raise AssertionError(f"{scorer} failed: {kind}")

    def late(self) -> None:
        """There are no deadlines here."""


def text(chance: random.Random, sentences: int) -> str:
    """Sentences of ordinary words, 5 to 30 words each."""
    lengths = [chance.randint(5, 30) for _ in range(sentences)]
    return " ".join(" ".join(chance.choices(WORDS, k=n)).capitalize() + "." for n in lengths)


def subjects(count: int) -> list[Subject]:
    """Prompts, and replies of one to five sentences, every other one with a context."""
    chance = random.Random(11)
    made = []
    for at in range(count):
        prompt = text(chance, 1)
        if at % 3 == 0:
            made.append(Subject(Side.PROMPT, text(chance, chance.randint(1, 4))))
            continue
        context = (text(chance, chance.randint(3, 12)),) if at % 3 == 1 else ()
        reply = text(chance, chance.randint(1, 5))
        made.append(Subject(Side.REPLY, reply, prompt=prompt, context=context))
    return made


def weigh(model: LoadedModel, subject: Subject) -> int:
    """The real tokens that a subject makes the session run."""
    rows: dict[Row, None] = {}
    for scorer in model.scorers:
        if subject.side in scorer.sides:
            rows.update(dict.fromkeys(scorer.rows(subject)))
    return sum(map(len, model.tokenizer.encode(list(rows))))


def direct(model: LoadedModel, shape: tuple[int, int], seconds: float) -> float:
    """Tokens per second of the session called with full batches of one shape."""
    rows, tokens = shape
    batch = [Encoding([1000 + at] * tokens, [0] * tokens) for at in range(rows)]
    model.session.run(batch)
    started, runs = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        model.session.run(batch)
        runs += 1
    return runs * rows * tokens / (time.perf_counter() - started)


async def through_engine(
    engine: Engine, load: list[tuple[Subject, int]], *, callers: int, seconds: float, seen: Load
) -> float:
    """Tokens per second of scored subjects, by callers that each ask again when answered."""
    started, scored, source = time.perf_counter(), 0, 0

    async def call() -> None:
        nonlocal scored, source
        while time.perf_counter() - started < seconds:
            subject, tokens = load[source % len(load)]
            source += 1
            await engine.score(subject)
            scored += tokens

    await asyncio.gather(*(call() for _ in range(callers)))
    seen.tokens += scored
    seen.wall_s += time.perf_counter() - started
    return scored / (time.perf_counter() - started)


async def measure(arguments: argparse.Namespace) -> None:
    """Runs the rounds and prints the table."""
    model = load(arguments.model, provider=arguments.provider, threads=arguments.threads)
    limits = EngineLimits.for_provider(model.session.provider)
    if arguments.budget:
        batch = BatchLimits(arguments.budget, 256, run_cost_tokens=arguments.run_cost)
        limits = replace(limits, batch=batch)
    seen = Load()
    engine = Engine(model, replace(limits, queue_tokens=1 << 30), observer=seen)
    await engine.start()
    given = [(subject, weigh(model, subject)) for subject in subjects(600)]
    found: dict[str, list[float]] = {}
    for _ in range(arguments.rounds):
        for shape in SHAPES:
            speed = direct(model, shape, arguments.seconds / len(SHAPES))
            found.setdefault(f"direct {shape[0]} x {shape[1]}", []).append(speed)
        speed = await through_engine(
            engine, given, callers=arguments.callers, seconds=arguments.seconds, seen=seen
        )
        found.setdefault(f"engine, {arguments.callers} callers", []).append(speed)
    await engine.stop()
    report(found, seen, limits.batch)


def report(found: dict[str, list[float]], seen: Load, limits: BatchLimits) -> None:
    """Prints medians, the best direct shape, and the engine's share of it."""
    medians = {name: statistics.median(speeds) for name, speeds in found.items()}
    *shapes, engine = medians
    best = max(shapes, key=lambda name: medians[name])
    print(f"{'what':26}{'tokens/s':>10}   lowest to highest")
    for name, speed in medians.items():
        spread = f"{min(found[name]):,.0f} to {max(found[name]):,.0f}"
        print(f"{name:26}{speed:10,.0f}   {spread}{'   best' if name == best else ''}")
    # Per round, because the machine's own speed drifts between rounds.
    highest = [max(found[name][at] for name in shapes) for at in range(len(found[engine]))]
    shares = [ours / top for ours, top in zip(found[engine], highest, strict=True)]
    print(f"engine against the best shape: {medians[engine] / medians[best]:.1%}")
    print(f"engine against the best of its own round: {statistics.median(shares):.1%}")
    print(
        f"batches of {seen.rows / seen.batches:.1f} rows, {seen.padded_tokens / seen.batches:,.0f} "
        f"padded tokens (budget {limits.budget_tokens}), {seen.tokens / seen.padded_tokens:.1%} of "
        f"them real; the session was busy {seen.seconds / seen.wall_s:.1%} of the time"
    )
    print(f"median wait for a score {statistics.median(seen.waits_s) * 1e3:,.0f} ms")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--provider", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each half of a round")
    parser.add_argument("--budget", type=int, help="padded tokens in a batch")
    parser.add_argument("--run-cost", type=int, default=16, help="tokens that one run costs extra")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
