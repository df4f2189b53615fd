"""Reward: TRL's preference format with the prompt inside both conversations."""

from __future__ import annotations

from storage.exports.base import JSON_LINES, PARQUET, Label, Material, Pair, Row, provenance_columns


class Reward:
    """`{"chosen": [...], "rejected": [...]}`: one prompt, then a reply to it."""

    name = "reward"
    endings = (*JSON_LINES, *PARQUET)
    material: Material = "pairs"

    def row(self, example: Pair | Label) -> Row:
        """The row of a pair."""
        assert isinstance(example, Pair)
        return {
            "chosen": [*example.prompt, example.chosen],
            "rejected": [*example.prompt, example.rejected],
            **provenance_columns(example),
        }
