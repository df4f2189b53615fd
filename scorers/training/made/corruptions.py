"""Sentences of given passages, rewritten faithfully or with one fault."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence

from scorers.builtin.faithfulness import claim_spans
from scorers.training.examples import Example, by_group
from scorers.training.labelled_rows import claim_labels
from scorers.training.made.evenness import Evenness
from scorers.training.made.faults import Around, faulty, names_of, tail_of
from scorers.training.made.rewrites import lowered, rewritten
from scorers.training.made.telling import example, marked, unmarked

_SOURCE = "made_claims"
_LEAST, _MOST = 40, 260
_READ = 3000
_NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?![\w]|[.,]\d)")
_LABEL = re.compile(r"passage \d|\d+\.? ")
_FAR = 400
_PER_PASSAGE = 2


def _usable(sentence: str) -> bool:
    plain = not set(sentence) & set("[]\n|{}\t<>")
    plain = plain and not _LABEL.match(sentence)
    return plain and sentence[-1] in ".!" and _LEAST <= len(sentence) <= _MOST


def _sentences(context: str) -> list[str]:
    spans = claim_spans(context, 0, min(len(context), _READ))
    return [s for left, right in spans if _usable(s := context[left:right].strip())]


def _around(context: str, copied: Sequence[str], far: tuple[list[str], list[str]]) -> Around:
    names = tuple(dict.fromkeys(found.group() for found in names_of(context[:_READ])))
    numbers = tuple(dict.fromkeys(_NUMBER.findall(context[:_READ])))
    tails = [tail for sentence in copied if (tail := tail_of(sentence))]
    return Around(context, names, numbers, far[0], tails, far[1])


def _far(contexts: Sequence[str], rng: random.Random) -> tuple[list[str], list[str]]:
    chosen = rng.sample(contexts, min(_FAR, len(contexts)))
    names = [found.group() for context in chosen for found in names_of(context[:1500])]
    tails = [t for context in chosen for s in _sentences(context[:2500]) if (t := tail_of(s))]
    return list(dict.fromkeys(names)), list(dict.fromkeys(tails))


def _base(copied: Sequence[str], told: Sequence[str], rng: random.Random) -> str:
    if told and rng.random() < 0.4:
        return rng.choice(told)
    at = rng.randrange(len(copied))
    first = copied[at]
    if at + 1 < len(copied) and len(first) + len(copied[at + 1]) < _MOST and rng.random() < 0.12:
        return first.rstrip(".!") + rng.choice((" and ", "; ", ", and ")) + lowered(copied[at + 1])
    return first


def corruptions(passages: Sequence[Example], count: int, rng: random.Random) -> list[Example]:
    """About `count` claims on the passages' contexts, half of them with one marked fault.

    Both halves are rewritten in the same ways, and no word is much more frequent in one of them.
    Fewer come back where the passages have too few sentences.
    """
    groups = [group for group in by_group(passages) if len(group[0].subject.context[0]) > 200]
    rng.shuffle(groups)
    far = _far([group[0].subject.context[0] for group in groups], rng)
    even, made, seen = Evenness(), list[Example](), Counter[str]()
    for _ in range(4 * _PER_PASSAGE):
        for group in groups:
            if len(made) >= count:
                return made[:count]
            for one in _pair(group, far, rng):
                if not seen[one.subject.text] and even.takes(one):
                    seen[one.subject.text] += 1
                    made.append(one)
    return made


def _pair(
    group: Sequence[Example], far: tuple[list[str], list[str]], rng: random.Random
) -> list[Example]:
    context = group[0].subject.context[0]
    copied = _sentences(context)
    if not copied:
        return []
    told = [s for _, s, label in claim_labels(group) if label < 0.2 and _usable(s)]
    sentence = _base(copied, told, rng)
    wrong = faulty(rewritten(sentence, rng, most=2), _around(context, copied, far), rng)
    if wrong is None or unmarked(wrong) in context:
        return []
    right = rewritten(sentence, rng, least=1, most=2)
    return [example([marked(wrong)], context, _SOURCE), example([right], context, _SOURCE)]
