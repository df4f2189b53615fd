"""Small tools for putting sentences together."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

_LOWERED = re.compile(
    r"^(The|A|An|It|Its|This|That|There|They|We|You|He|She|In|On|At|If|Two|Some|Most|Our|My|His|"
    r"Her|Their|Mixing|Cracking|Sugar|Antibiotics|What|People|Every|No|Not|Home|Eating)\b"
)
_SLOT = re.compile(r"\{(\w+)\}")


def lower_first(text: str) -> str:
    """The text as it reads in mid-sentence; names keep their capital."""
    return text[0].lower() + text[1:] if _LOWERED.match(text) else text


def upper_first(text: str) -> str:
    """The text as it reads at the start of a sentence."""
    return text[:1].upper() + text[1:]


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its `{slots}` filled; slots without a value stay."""
    return _SLOT.sub(lambda found: values.get(found[1], found[0]), template)


def choose(options: Mapping[str, float], rng: random.Random) -> str:
    """One of the options, drawn by weight."""
    return rng.choices(list(options), weights=list(options.values()))[0]


def maybe(options: Sequence[str], share: float, rng: random.Random) -> str:
    """One of the options in a share of the draws, else nothing."""
    return rng.choice(options) if rng.random() < share else ""


def joined(*parts: str) -> str:
    """The parts that are not empty, with a space between."""
    return " ".join(part.strip() for part in parts if part.strip())
