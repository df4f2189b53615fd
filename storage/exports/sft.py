"""SFT: whole conversations that end with a reply worth imitating."""

from __future__ import annotations

from storage.exports.base import JSON_LINES, PARQUET, Label, Material, Pair, Row, provenance_columns


class Sft:
    """`{"messages": [...]}`."""

    name = "sft"
    endings = (*JSON_LINES, *PARQUET)
    material: Material = "replies"

    def row(self, example: Pair | Label) -> Row:
        """The row of a good reply."""
        assert isinstance(example, Label)
        return {
            "messages": [*example.prompt, example.completion],
            **provenance_columns(example),
        }
