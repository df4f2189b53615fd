"""How much of the session's speed reaches the callers of the engine.

    python load_tests/scoring.py [--model NAME-OR-PATH] [--callers N] [--rounds N]

In each round the same session is called directly at several batch shapes, then by
the engine under many concurrent callers, so that both see the same machine. The
table gives medians over the rounds: real (unpadded) tokens per second, by the clock
and by CPU time (which other programs on the machine disturb less). Direct batches
are tokenised beforehand and need no padding; the engine's figures include windows,
tokenising, batching, padding, scores and the way back to the caller.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import cycle
from statistics import median

from scorers.catalog import DEFAULT_MODEL, LoadedModel, load
from scorers.engine import BatchLimits, Engine, EngineLimits
from scorers.serving import Encoding
from scorers.types import Row, Side, Subject

SHAPES = ((1, 32), (8, 32), (32, 32), (8, 64), (4, 128), (8, 128), (4, 256))
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


@dataclass(frozen=True)
class Speed:
    """Real tokens per second, by the clock and by the process's CPU time."""

    per_second: float
    per_cpu_second: float


class Watch:
    """Takes the time of one slice."""

    def __init__(self) -> None:
        self._clock_s, self._cpu_s = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._clock_s

    def speed(self, tokens: int) -> Speed:
        """The speed at which so many tokens were done since the start."""
        return Speed(tokens / self.seconds, tokens / (time.process_time() - self._cpu_s))


def direct(model: LoadedModel, shape: tuple[int, int], seconds: float) -> Speed:
    """The session called with full batches of one shape."""
    rows, tokens = shape
    batch = [Encoding([1000 + at] * tokens, [0] * tokens) for at in range(rows)]
    watch, runs = Watch(), 0
    while watch.seconds < seconds:
        model.session.run(batch)
        runs += 1
    return watch.speed(runs * rows * tokens)


async def through_engine(
    engine: Engine, load: Iterator[tuple[Subject, int]], *, callers: int, seconds: float, seen: Load
) -> Speed:
    """Subjects scored for callers that each ask again when they are answered."""
    watch, scored = Watch(), 0

    async def call() -> None:
        nonlocal scored
        while watch.seconds < seconds:
            subject, tokens = next(load)
            await engine.score(subject)
            scored += tokens

    await asyncio.gather(*(call() for _ in range(callers)))
    seen.tokens += scored
    seen.wall_s += watch.seconds
    return watch.speed(scored)


async def measure(arguments: argparse.Namespace) -> None:
    """Runs the rounds and prints the table."""
    model = load(arguments.model, provider=arguments.provider, threads=arguments.threads)
    limits = EngineLimits.for_provider(model.session.provider)
    if arguments.budget:
        batch = BatchLimits(
            arguments.budget, 256, run_cost_tokens=arguments.run_cost, max_waste=arguments.waste
        )
        limits = replace(limits, batch=batch)
    seen = Load()
    engine = Engine(model, replace(limits, queue_tokens=1 << 30), observer=seen)
    await engine.start()
    given = cycle([(subject, weigh(model, subject)) for subject in subjects(600)])
    found: dict[str, list[Speed]] = {}
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


def report(found: dict[str, list[Speed]], seen: Load, limits: BatchLimits) -> None:
    """Prints medians, the best direct shape, and the engine's share of it."""
    clock = {name: median(s.per_second for s in speeds) for name, speeds in found.items()}
    cpu = {name: median(s.per_cpu_second for s in speeds) for name, speeds in found.items()}
    *shapes, engine = clock
    best = max(shapes, key=lambda name: clock[name])
    best_cpu = max(cpu[name] for name in shapes)
    print(f"{'what':22}{'tokens/s':>10}{'lowest to highest':>20}{'tokens/CPU s':>14}")
    for name, speeds in found.items():
        every = [speed.per_second for speed in speeds]
        spread = f"{min(every):,.0f} to {max(every):,.0f}"
        mark = "   best" if name == best else ""
        print(f"{name:22}{clock[name]:10,.0f}{spread:>20}{cpu[name]:14,.0f}{mark}")
    print(
        f"engine against the best shape: {clock[engine] / clock[best]:.1%} by the clock, "
        f"{cpu[engine] / best_cpu:.1%} by CPU time"
    )
    print(
        f"batches of {seen.rows / seen.batches:.1f} rows, {seen.padded_tokens / seen.batches:,.0f} "
        f"padded tokens (budget {limits.budget_tokens}), {seen.tokens / seen.padded_tokens:.1%} of "
        f"them real; the session was busy {seen.seconds / seen.wall_s:.1%} of the time"
    )
    print(f"median wait for a score {median(seen.waits_s) * 1e3:,.0f} ms")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--provider", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each half of a round")
    parser.add_argument("--budget", type=int, help="padded tokens in a batch")
    parser.add_argument("--run-cost", type=int, default=8, help="tokens that one run costs extra")
    parser.add_argument("--waste", type=float, default=0.0625, help="share of padding in a batch")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
