"""Reward: TRL's preference format with the prompt inside both conversations."""

from __future__ import annotations

from storage.exports.base import Label, Material, Pair, Row, provenance_columns


class Reward:
    """`{"chosen": [...], "rejected": [...]}`: one prompt, then a reply to it."""

    name = "reward"
    material: Material = "pairs"

    def row(self, example: Pair | Label) -> Row:
        """The row of a pair."""
        assert isinstance(example, Pair)
        return {
            "chosen": [*example.prompt, example.chosen],
            "rejected": [*example.prompt, example.rejected],
            **provenance_columns(example),
        }
