"""DPO: TRL's preference format, conversational, with the prompt apart."""

from __future__ import annotations

from storage.exports.base import JSON_LINES, PARQUET, Label, Material, Pair, Row, provenance_columns


class Dpo:
    """`{"prompt": [...], "chosen": [message], "rejected": [message]}`."""

    name = "dpo"
    endings = (*JSON_LINES, *PARQUET)
    material: Material = "pairs"

    def row(self, example: Pair | Label) -> Row:
        """The row of a pair."""
        assert isinstance(example, Pair)
        return {
            "prompt": example.prompt,
            "chosen": [example.chosen],
            "rejected": [example.rejected],
            **provenance_columns(example),
        }
