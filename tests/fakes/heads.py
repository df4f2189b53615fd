"""A loaded model as policies see it, without a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scorers.types import Side


@dataclass(frozen=True)
class Spec:
    """What one scorer offers."""

    heads: tuple[str, ...]
    default_heads: tuple[str, ...]


@dataclass
class Heads:
    """The heads of the first shipped model; every `{fpr: x}` is the risk `1 - x`."""

    model: str = "fake@1"
    scorers: Mapping[str, Spec] = field(
        default_factory=lambda: {
            "toxicity": Spec(("toxic", "harm", "injection"), ("toxic", "harm")),
            "faithfulness": Spec(("unsupported",), ("unsupported",)),
        }
    )
    prompt_only: frozenset[str] = frozenset({"injection"})
    reply_only: frozenset[str] = frozenset({"unsupported"})
    untabulated: frozenset[str] = frozenset()

    def has(self, head: str, side: Side) -> bool:
        """Whether the head judges texts of the side."""
        return head not in (self.reply_only if side is Side.PROMPT else self.prompt_only)

    def threshold(self, heads: Iterable[str], side: Side, fpr: float) -> float:
        """`1 - fpr`; LookupError for heads that are not tabulated."""
        if self.untabulated & set(heads):
            raise LookupError(f"no thresholds for {'+'.join(sorted(heads))} on the {side} side")
        return 1 - fpr
