"""The part of the training data that training did not see: for calibration and thresholds."""

from __future__ import annotations

from dataclasses import replace

from scorers.training.config import Config
from scorers.training.examples import Example
from scorers.training.prepare import drawn, load_examples, questions, split_examples
from scorers.types import Side, Subject

CHAT_SOURCES = (
    "arena_hard_benign", "expertqa_benign", "openassistant_sample", "self_instruct_benign",
    "halueval2_benign", "wildbench_benign", "oasst_sampling_benign", "refchecker_benign",
    "awesome_prompts", "benign_cyber_prompts", "refusal_responses",
)  # fmt: skip
_PER_SOURCE = {"toxicity": 250, "faithfulness": 120, "sycophancy": 400}
_CHAT_PER_SOURCE = 300
_QUESTIONS = 600
_LONGEST = 1200


def held_examples(config: Config, task: str) -> list[Example]:
    """Labelled held-back examples of a task, a bounded number of each source."""
    made = []
    for source in config.sources(task):
        _, held = split_examples(config, load_examples(config, task, source))
        made += [_shorter(example) for example in held[: _PER_SOURCE[task]]]
    return made


def ordinary_chat(config: Config) -> list[Example]:
    """Harmless prompts and replies that training did not see, of real people and assistants.

    Held-back examples of the chat sources, what training left of the large ones, and held-back
    questions of BoolQ as prompts.
    """
    made = []
    for source in CHAT_SOURCES:
        train, held = split_examples(config, load_examples(config, "toxicity", source))
        limit = drawn(config.sources("toxicity")[source])
        fresh = held + (train[2 * limit :] if limit else [])
        made += [_shorter(example) for example in fresh[:_CHAT_PER_SOURCE]]
    labels = {"toxic": 0.0, "harm": 0.0, "injection": 0.0}
    chosen = questions(config, held=True)[:_QUESTIONS]
    return made + [
        Example(Subject(Side.PROMPT, text), labels, "boolq_questions", text) for text in chosen
    ]


def _shorter(example: Example) -> Example:
    subject = example.subject
    if len(subject.text) <= _LONGEST or subject.context or max(example.labels.values()) >= 0.5:
        return example
    return replace(example, subject=replace(subject, text=subject.text[:_LONGEST]))
