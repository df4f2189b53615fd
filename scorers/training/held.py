"""The part of the training data that training did not see: for calibration and thresholds."""

from __future__ import annotations

import random
from dataclasses import replace

from scorers.training.config import Config
from scorers.training.examples import (
    CHAT_SOURCES,
    Example,
    faithfulness_example,
    read_rows,
    view_example,
)
from scorers.training.guard import guard
from scorers.training.made.hedging import hedging
from scorers.training.prepare import drawn, load_examples, questions, split_examples
from scorers.types import Side, Subject

_PER_SOURCE = {"toxicity": 250, "faithfulness": 120, "sycophancy": 400}
_CHAT_PER_SOURCE = 300
_QUESTIONS = 600
_HEDGES = 1500
_LONGEST = 1200


def held_examples(config: Config, task: str) -> list[Example]:
    """Labelled held-back examples of a task, a bounded number of each source."""
    made = []
    for source in config.sources(task):
        _, held = split_examples(config, load_examples(config, task, source))
        made += [_shorter(example) for example in held[: _PER_SOURCE[task]]]
    return made


def calibration_examples(config: Config) -> list[Example]:
    """Replies of the sources that the configuration reads for calibration only.

    Rows of any licence class, since no weight is trained on them; none that is measured on.
    """
    made, measured = list[Example](), guard(config.data)
    for source, count in config.calibration_only.items():
        rows = read_rows(config.data / "faithfulness" / "train" / f"{source}.parquet")
        found = [faithfulness_example(row) for row in rows]
        found = [e for e in found if e.subject.text.strip() and not measured.is_measured(e)]
        random.Random(f"{config.seed}:{source}:calibration").shuffle(found)
        made += found[:count]
    return made


def held_views(config: Config) -> list[Example]:
    """Held-back prompts, each once, labelled by whether they state their user's view."""
    found = (view_example(example) for example in held_examples(config, "sycophancy"))
    return list({view.subject.text: view for view in found if view is not None}.values())


def held_hedges(config: Config) -> list[Example]:
    """Freshly generated texts with how sure their wording sounds."""
    return hedging(_HEDGES, random.Random(f"{config.seed}:held"))


def ordinary_chat(config: Config) -> list[Example]:
    """Harmless prompts and replies that training did not see, of real people and assistants.

    Held-back examples of the chat sources, what training left of the large ones, and held-back
    questions of BoolQ as prompts.
    """
    made, known = [], config.sources("toxicity")
    for source in CHAT_SOURCES:
        if source not in known:
            continue
        train, held = split_examples(config, load_examples(config, "toxicity", source))
        limit = drawn(known[source])
        fresh = held + (train[2 * limit :] if limit else [])
        made += [_shorter(example) for example in fresh[:_CHAT_PER_SOURCE]]
    labels = {"toxic": 0.0, "harm": 0.0, "injection": 0.0}
    asks = "boolq_yesno" in config.sources("faithfulness")
    chosen = questions(config, held=True)[:_QUESTIONS] if asks else []
    return made + [
        Example(Subject(Side.PROMPT, text), labels, "boolq_questions", text) for text in chosen
    ]


def _shorter(example: Example) -> Example:
    subject = example.subject
    if len(subject.text) <= _LONGEST or subject.context or max(example.labels.values()) >= 0.5:
        return example
    return replace(example, subject=replace(subject, text=subject.text[:_LONGEST]))
