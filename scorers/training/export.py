"""`python -m scorers.training.export [PRECISION]...`: a checkpoint into the model folder.

`int8` (for CPUs) and `fp16` (for CUDA) unless told; `fp32` to compare with. Writes
`model.PRECISION.onnx`, `weights.bin`, the tokenizer and `heads.json`; calibration and thresholds
that are there already stay until `calibrate` renews them.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from scorers.training.config import Config, load_config
from scorers.training.graph import Weights, build, share_weights
from scorers.training.pretrained import attention_heads, encoder_folder

SHIPPED = ("int8", "fp16")
_PROVIDERS = {"int8": "cpu", "fp32": "cpu", "fp16": "cuda"}
_WEIGHTS = "weights.bin"


def checkpoint_weights(path: Path) -> Weights:
    """The network's weights out of a checkpoint, as float32 arrays."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)["network"]
    return {name: value.float().numpy() for name, value in state.items()}


def plain_map() -> dict[str, Any]:
    """An uncalibrated map, the logistic function, to hold the place until `calibrate` has run."""
    x = [float(v) for v in np.linspace(-12, 12, 97)]
    return {"kind": "platt", "x": x, "y": [1.0 / (1.0 + math.exp(-v)) for v in x]}


def later_scorers(heads: Sequence[str]) -> dict[str, Any]:
    """Sycophancy and confidence, as far as the network has their heads.

    `view` is read on prompts and is no risk; `overconfident` is no column but what the scorer
    makes of `expressed` and the chance of being right.
    """
    scorers: dict[str, Any] = {}
    if "sycophantic" in heads:
        has_view = "view" in heads
        scorers["sycophancy"] = {
            "heads": ["sycophantic", "view"] if has_view else ["sycophantic"],
            "default_heads": ["sycophantic"],
            "sides": ["prompt", "reply"] if has_view else ["reply"],
        }
    if "expressed" in heads:
        scorers["confidence"] = {
            "heads": ["expressed", "overconfident"],
            "default_heads": ["overconfident"],
            "sides": ["reply"],
        }
    return scorers


def description(config: Config, hidden: int) -> dict[str, Any]:
    """A `heads.json` without files, calibrated by nothing but the logistic function."""
    toxicity = [h for h in config.heads if h in ("toxic", "harm", "injection")]
    both, reply = {"prompt": plain_map(), "reply": plain_map()}, {"reply": plain_map()}
    later = {"sycophantic": reply, "view": {"prompt": plain_map()}, "expressed": reply}
    return {
        "name": config.name,
        "version": config.version,
        "max_tokens": config.max_tokens,
        "hidden": hidden,
        "files": {},
        "heads": list(config.heads),
        "scorers": {
            "toxicity": {
                "heads": toxicity,
                "default_heads": ["toxic", "harm"],
                "sides": ["prompt", "reply"],
            },
            "faithfulness": {
                "heads": ["unsupported"],
                "default_heads": ["unsupported"],
                "sides": ["reply"],
            },
            **later_scorers(config.heads),
        },
        "calibration": {
            "toxic": both,
            "harm": both,
            "injection": {"prompt": plain_map()},
            "unsupported": reply | {"sentence": plain_map()},
            **{head: maps for head, maps in later.items() if head in config.heads},
        },
        "thresholds": {"prompt": {}, "reply": {}},
    }


def save_tokenizer(folder: Path) -> None:
    """The encoder's tokenizer, without truncation and padding."""
    tokenizer = Tokenizer.from_file(str(encoder_folder() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)


def export(config: Config, checkpoint: Path, precisions: Sequence[str] = SHIPPED) -> list[Path]:
    """Writes the model folder, the files of the precisions among it; their paths.

    `int8` and `fp16` read their weights from one `weights.bin`.
    """
    weights = checkpoint_weights(checkpoint)
    config.model.mkdir(parents=True, exist_ok=True)
    made = {
        precision: build(
            weights,
            precision=precision,
            max_tokens=config.max_tokens,
            attention_heads=attention_heads(),
        )
        for precision in precisions
    }
    shared = share_weights([m for p, m in made.items() if p != "fp32"], _WEIGHTS)
    if shared:
        (config.model / _WEIGHTS).write_bytes(shared)
    for precision, model in made.items():
        (config.model / f"model.{precision}.onnx").write_bytes(model.SerializeToString())
    save_tokenizer(config.model)
    _describe(config, weights["head.weight"].shape[1] // 2, precisions)
    return [config.model / f"model.{precision}.onnx" for precision in precisions]


def _describe(config: Config, hidden: int, precisions: Sequence[str]) -> None:
    """Writes `heads.json`; what calibration wrote for heads that are still there stays."""
    path = config.model / "heads.json"
    fresh = description(config, hidden)
    raw = json.loads(path.read_text(encoding="utf-8")) if path.exists() else fresh
    raw |= {name: fresh[name] for name in ("name", "version", "max_tokens", "heads", "scorers")}
    raw["calibration"] = fresh["calibration"] | raw["calibration"]
    raw["files"] = {
        _PROVIDERS[precision]: _entry(config.model, precision) for precision in precisions
    }
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")


def _entry(folder: Path, precision: str) -> dict[str, str]:
    file = f"model.{precision}.onnx"
    entry = {"path": file, "precision": precision, "sha256": _digest(folder / file)}
    if precision != "fp32":
        entry |= {"weights": _WEIGHTS, "weights_sha256": _digest(folder / _WEIGHTS)}
    return entry


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Exports the last checkpoint."""
    config = load_config()
    precisions = sys.argv[1:] or SHIPPED
    for file in export(config, config.weights_file, precisions):
        print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
