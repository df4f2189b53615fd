"""A foreign classifier that fits on a page, in the folder that its makers would give.

The words of `tests.fakes.tiny_model` raise its outputs: `bad` and `awful` the first, `bomb` the
second, `ignore` the third.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx

from tests.fakes.tiny_model import MAX_TOKENS, tiny_onnx, tiny_tokenizer

MULTIPLE = "multi_label_classification"
SINGLE = "single_label_classification"


def write_tiny_classifier(
    folder: Path,
    labels: Sequence[str] = ("Rude!", "Danger"),
    *,
    kind: str | None = MULTIPLE,
    outputs: int | None = None,
    **config: Any,
) -> Path:
    """Writes the classifier's folder and returns it; `outputs` may belie the labels."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(tiny_onnx(outputs or len(labels)), folder / "model.onnx")
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    described = {
        "id2label": {str(at): label for at, label in enumerate(labels)},
        "problem_type": kind,
        "max_position_embeddings": MAX_TOKENS,
        "pad_token_id": 0,
    }
    (folder / "config.json").write_text(json.dumps(described | config), encoding="utf-8")
    return folder
