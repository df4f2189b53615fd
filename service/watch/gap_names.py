"""What a knowledge gap is about, read from the prompts that are still there when somebody asks.

Nothing of it is stored or told in alerts: terms are text too.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from storage.repositories.gaps import GapRecord
from storage.store import UnitOfWork

MOST_TERMS = 6
_MOST_OWN, _MOST_REST = 60, 200
_CHARS = 1000
_LEAST_SHARE = 0.1
_WORD = re.compile(r"[^\W\d_][\w'’-]+")


@dataclass(frozen=True)
class Named:
    """A gap, the words that its prompts have and others lack, and its most typical prompt.

    Of a gap whose prompts are gone there are no terms and no prompt.
    """

    record: GapRecord
    terms: tuple[str, ...]
    typical_id: str | None
    typical_prompt: str | None


async def named(unit: UnitOfWork, records: Iterable[GapRecord]) -> list[Named]:
    """The gaps with what they are about, in the same order."""
    others = await unit.gaps.prompts(await unit.gaps.some(_MOST_REST))
    rest = {one.id: one.prompt[:_CHARS] for one in others if one.prompt}
    return [await _named(unit, record, rest) for record in records]


async def _named(unit: UnitOfWork, record: GapRecord, rest: dict[str, str]) -> Named:
    found = await unit.gaps.prompts(list(record.members)[:_MOST_OWN])
    own = {one.id: one.prompt[:_CHARS] for one in found if one.prompt}
    others = [text for ident, text in rest.items() if ident not in set(record.members)]
    ident, prompt = next(iter(own.items()), (None, None))
    return Named(record, typical_terms(list(own.values()), others), ident, prompt)


def typical_terms(own: Sequence[str], rest: Sequence[str]) -> tuple[str, ...]:
    """The words that tell some texts from the rest, the most telling first.

    Each word is weighed by the share of the texts that have it and by how much larger that is
    than among the rest. A word of a single text, or of fewer than a tenth, is no term.
    """
    counts, others = _texts_with(own), _texts_with(rest)
    least = max(2.0, _LEAST_SHARE * len(own))

    def weight(word: str) -> float:
        usual = (others[word] + 0.5) / (len(rest) + 1)
        share = counts[word] / len(own)
        return share * math.log(share / usual)

    ranked = sorted((-weight(word), word) for word, many in counts.items() if many >= least)
    return tuple(word for score, word in ranked[:MOST_TERMS] if score < 0)


def _texts_with(texts: Sequence[str]) -> Counter[str]:
    return Counter(word for text in texts for word in set(_WORD.findall(text.casefold())))
