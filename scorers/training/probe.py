"""`python -m scorers.training.probe`: the model on small sets that show where it fails."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scorers.base import Scorer
from scorers.builtin import Confidence, Faithfulness, HeadMap, Sycophancy, Toxicity
from scorers.training.config import load_config
from scorers.training.scoring import Runner
from scorers.types import Side, Subject

_SCORERS: Mapping[str, type[Any]] = {
    "toxic": Toxicity,
    "harm": Toxicity,
    "injection": Toxicity,
    "unsupported": Faithfulness,
    "sycophantic": Sycophancy,
    "expressed": Confidence,
}


@dataclass(frozen=True, slots=True)
class Probe:
    """One text and whether it should score above one half."""

    set: str
    head: str
    subject: Subject
    is_bad: bool


def read_probes(path: Path | None = None) -> list[Probe]:
    """The sets of `probes.toml`, in order."""
    file = path or Path(__file__).with_name("probes.toml")
    found = []
    for raw in tomllib.loads(file.read_text(encoding="utf-8"))["set"]:
        padding = raw.get("padding", "") * raw.get("repeat", 0)
        for is_bad, texts in ((True, raw["bad"]), (False, raw["good"])):
            found += [_probe(raw, padding + text, is_bad=is_bad) for text in texts]
    return found


def _probe(raw: Mapping[str, Any], text: str, *, is_bad: bool) -> Probe:
    context = (raw["context"],) if "context" in raw else ()
    subject = Subject(Side(raw["side"]), text, prompt=raw.get("prompt", ""), context=context)
    return Probe(raw["name"], raw["head"], subject, is_bad)


def risks(runner: Runner, probes: list[Probe]) -> list[float]:
    """The risk of each probe's head."""
    heads: HeadMap = runner.heads
    found = []
    for probe in probes:
        scorer: Scorer = _SCORERS[probe.head](heads)
        (score,) = runner.scores(scorer, [probe.subject], label=probe.set)
        found.append(score.heads[probe.head])
    return found


def table(probes: list[Probe], found: list[float]) -> str:
    """A Markdown table: caught of bad, passed of good, and the worst of each."""
    lines = [
        "| set | head | bad caught | good let through | most surely wrong |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in dict.fromkeys(probe.set for probe in probes):
        own = [(p, r) for p, r in zip(probes, found, strict=True) if p.set == name]
        bad = [r >= 0.5 for p, r in own if p.is_bad]
        good = [r < 0.5 for p, r in own if not p.is_bad]
        worst, risk = max(own, key=lambda pair: abs(pair[1] - pair[0].is_bad))
        text = worst.subject.text[-60:].replace("\n", " ").replace("|", "\\|")
        wrong = f"“{text}” {risk:.2f}" if (risk >= 0.5) != worst.is_bad else "–"
        head = own[0][0].head
        lines.append(
            f"| {name} | {head} | {sum(bad)}/{len(bad)} | {sum(good)}/{len(good)} | {wrong} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Prints the table for the configured model."""
    probes = read_probes()
    print(table(probes, risks(Runner(load_config().model), probes)))


if __name__ == "__main__":
    main()
