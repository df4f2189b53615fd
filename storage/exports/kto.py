"""KTO: TRL's unpaired preference format, conversational."""

from __future__ import annotations

from storage.exports.base import JSON_LINES, PARQUET, Label, Material, Pair, Row, provenance_columns


class Kto:
    """`{"prompt": [...], "completion": [message], "label": bool}`."""

    name = "kto"
    endings = (*JSON_LINES, *PARQUET)
    material: Material = "labels"

    def row(self, example: Pair | Label) -> Row:
        """The row of a label."""
        assert isinstance(example, Label)
        return {
            "prompt": example.prompt,
            "completion": [example.completion],
            "label": example.is_good,
            **provenance_columns(example),
        }
