"""From labelled examples to labelled encoder rows, through the code that serves."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scorers.builtin.evidence import evidence
from scorers.builtin.faithfulness import claim_spans, claim_text
from scorers.builtin.toxicity import toxicity_rows
from scorers.training.examples import Example, by_group
from scorers.types import Row, Side

_WHOLE_WINDOW_SURE = 0.85
_SPAN_TOUCH = 4
_WEAK = 0.75


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """A row with its labels; `weight` scales its loss."""

    row: Row
    labels: dict[str, float]
    source: str
    weight: float = 1.0


def toxicity_labelled(example: Example, rng: random.Random) -> list[LabelledRow]:
    """At most two windows of an example.

    In a long bad text the fault may lie in another window, so its windows are labelled softly.
    Long harmless replies are also cut at random places, as a stream would.
    """
    subject = example.subject
    if (
        subject.side is Side.REPLY
        and len(subject.text) > 500
        and max(example.labels.values()) < 0.5
    ):
        start = rng.randrange(0, len(subject.text) - 200)
        subject = replace(
            subject, start=start, end=min(len(subject.text), start + rng.randrange(80, 700))
        )
    rows = toxicity_rows(subject)
    if len(rows) == 1:
        return [LabelledRow(rows[0], example.labels, example.source)]
    soft = {head: min(value, _WHOLE_WINDOW_SURE) for head, value in example.labels.items()}
    chosen = rng.sample(rows, k=min(2, len(rows)))
    if soft.get("injection", 0.0) >= 0.5:
        # an attack announces itself; in a document it may lie anywhere
        chosen = [rows[0]] if "bipia" not in example.source else []
    return [LabelledRow(row, soft, example.source, 0.7) for row in chosen]


def sycophancy_labelled(example: Example, rng: random.Random) -> list[LabelledRow]:
    """The beginning of a reply, where it gives in or does not; sometimes more.

    Three in ten replies are cut after a sentence or two, as a stream shows them, and of long ones
    a later window may follow. Both carry a weaker label: the fault may lie elsewhere.
    """
    subject = example.subject
    rows = toxicity_rows(subject)
    made = [LabelledRow(rows[0], example.labels, example.source)]
    soft = {head: _WEAK * value for head, value in example.labels.items()}
    ends = [right for _, right in claim_spans(subject.text, 0, min(len(subject.text), 600))]
    if len(ends) > 2 and rng.random() < 0.3:
        short = toxicity_rows(replace(subject, end=rng.choice(ends[:2])))
        made.append(LabelledRow(short[0], soft, example.source, 0.7))
    if len(rows) > 1 and rng.random() < 0.3:
        made.append(LabelledRow(rng.choice(rows[1:]), soft, example.source, 0.5))
    return made


def claim_labels(examples: Sequence[Example]) -> Iterator[tuple[Example, str, float]]:
    """Sentences of one context's replies with their labels, each once.

    Annotated spans decide where there are any. Else a faithful reply makes all its sentences
    faithful, and in an unfaithful one the sentences that no faithful reply to the same context
    has are at fault; a lone unfaithful reply of several sentences says nothing and is left out.
    """
    seen: set[str] = set()
    good = {
        example.subject.text[left:right].strip().lower()
        for example in examples
        if example.labels["unsupported"] < 0.5
        for left, right in claim_spans(example.subject.text, 0, len(example.subject.text))
    }
    for example in examples:
        text, label = example.subject.text, example.labels["unsupported"]
        spans = claim_spans(text, 0, len(text))
        for left, right in spans:
            sentence = text[left:right].strip()
            key = sentence.lower() + ("" if len(sentence) > 40 else example.subject.prompt)
            value = label
            if example.spans is not None:
                value = float(
                    any(min(b, right) - max(a, left) >= _SPAN_TOUCH for a, b in example.spans)
                )
            elif len(spans) > 1 and label >= 0.5:
                if not good:
                    continue
                value = 0.0 if sentence.lower() in good else label
            if key not in seen:
                seen.add(key)
                yield example, sentence, value


def faithfulness_labelled(examples: Sequence[Example], rng: random.Random) -> list[LabelledRow]:
    """One row a sentence, against that piece of what serving picks which shares most with it.

    So what supports a sentence is seldom missing from its row.
    """
    made = []
    for group in by_group(examples):
        for example, sentence, label in claim_labels(group):
            found = evidence(example.subject.context)
            if found is None:
                continue
            text = claim_text(example.subject.prompt, sentence)
            row = Row(rng.choice(found.surest(text)), text)
            made.append(LabelledRow(row, {"unsupported": label}, example.source))
    return made
