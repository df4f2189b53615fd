"""Adding a classifier: its files are checked, copied, and described in a `heads.json`.

A source is a folder as the `transformers` library writes it, with `config.json`,
`tokenizer.json` and `model.onnx` (beside them or in `onnx/`), or the id of one on the hub.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from scorers.adapters.classifier import ADAPTER, Activation, ClassifierSession
from scorers.builtin import BUILTIN
from scorers.errors import ModelError
from scorers.tokens import RowTokenizer
from scorers.types import Side

OWN_HEADS = frozenset(
    {"toxic", "harm", "injection", "unsupported"}
    | {"sycophantic", "view", "expressed", "overconfident"}
)
"""Heads of the built-in scorers, which no label of a classifier may be called by."""

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_GOOD = re.compile(
    r"(non?|not)[ _-].+|non\w*(toxic|hate|hateful|offensive|spam)|neutral|normal|safe|benign|"
    r"clean|ok(ay)?|fine|good|positive|others?|none|human|legit(imate)?|ham|entailment|factual|"
    r"supported|label[ _-]?\d+|\d+"
)
"""Labels that mean no fault, or that say nothing at all."""
_SINGLE = "single_label_classification"
_MULTIPLE = "multi_label_classification"
_MOST_TOKENS = 512
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_WANTED = [
    *("config.json", "tokenizer.json", "tokenizer_config.json"),
    *("model.onnx", "model.onnx_data", "onnx/model.onnx", "onnx/model.onnx_data"),
]
_PADDED_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl"})
"""Architectures whose first positions are taken by the padding."""


@dataclass(frozen=True, slots=True)
class Added:
    """A classifier that was added; `faults` are the heads that count as its risk."""

    name: str
    path: Path
    heads: tuple[str, ...]
    faults: tuple[str, ...]


def add_classifier(
    name: str,
    source: str,
    folder: Path,
    *,
    faults: Sequence[str] = (),
    taken: Collection[str] = (),
) -> Added:
    """Puts the classifier at a path, or with a hub id, into `folder` under a name of its own.

    `faults` are the labels that mean a fault; without them they are told from the labels' names.
    `taken` are heads that other added models have: a label that is one of them, or a head of
    ours, is called `NAME_LABEL`. Raises ModelError for what cannot be served, saying why.
    """
    if not _NAME.fullmatch(name):
        raise ModelError(f"{name!r} is no name: take small letters, digits, `-` and `_`")
    if name in {kind.name for kind in BUILTIN} or name in OWN_HEADS:
        raise ModelError(f"{name!r} is a scorer or a head of ours; take another name")
    target = folder / name
    if target.exists():
        raise ModelError(f"there is a model {name!r} in {target}; take another name or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder) as room:
        made = Path(room) / name
        made.mkdir()
        found = Path(source) if Path(source).is_dir() else _from_hub(source, Path(room))
        added = _describe(name, found, made, faults=faults, taken=taken)
        made.rename(target)
    return Added(name, target, *added)


def _describe(
    name: str, source: Path, made: Path, *, faults: Sequence[str], taken: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Copies the files, writes the description, and runs the model once."""
    config = _json(source / "config.json")
    labels = _labels(config, source)
    activation = _activation(config, len(labels), source)
    heads = _heads(labels, name, {*taken, *OWN_HEADS})
    bad = tuple(heads[labels.index(label)] for label in _faults(labels, faults, activation))
    _copy(source, made)
    digest = hashlib.sha256((made / "model.onnx").read_bytes()).hexdigest()
    file = {"path": "model.onnx", "precision": "as added", "sha256": digest}
    sides = [side.value for side in Side]
    described = {
        "adapter": ADAPTER,
        "name": name,
        "version": digest[:12],
        "max_tokens": _max_tokens(config, source),
        "hidden": 0,
        "pad_id": int(config.get("pad_token_id") or 0),
        "activation": activation,
        "labels": labels,
        "heads": heads,
        "files": {"cpu": file, "cuda": file},
        "scorers": {name: {"heads": heads, "default_heads": bad, "sides": sides}},
        "calibration": {head: dict.fromkeys(sides, _identity()) for head in heads},
        "thresholds": {},
    }
    RowTokenizer.open(made / "tokenizer.json")
    ClassifierSession.open(made, described, "cpu", threads=1)
    text = json.dumps(described, ensure_ascii=False)
    (made / "heads.json").write_text(text + "\n", encoding="utf-8")
    return tuple(heads), bad


def _labels(config: Mapping[str, Any], source: Path) -> list[str]:
    try:
        named = {int(at): str(label) for at, label in config["id2label"].items()}
        return [named[at] for at in range(len(named))]
    except (KeyError, ValueError, AttributeError, TypeError):
        raise ModelError(
            f"{source / 'config.json'} has no `id2label` that names each output: this is no "
            "sequence classifier"
        ) from None


def _activation(config: Mapping[str, Any], labels: int, source: Path) -> Activation:
    kind = config.get("problem_type") or (_MULTIPLE if labels == 1 else _SINGLE)
    if kind == _MULTIPLE or (kind == _SINGLE and labels == 1):
        return "sigmoid"
    if kind == _SINGLE:
        return "softmax"
    raise ModelError(
        f"{source / 'config.json'}: its `problem_type` is {kind!r}, which gives no probabilities"
    )


def _heads(labels: Sequence[str], name: str, taken: Collection[str]) -> list[str]:
    heads: list[str] = []
    for at, label in enumerate(labels):
        head = re.sub(r"\W+", "_", label.lower()).strip("_") or f"label_{at}"
        head = f"{name}_{head}" if head in {*taken, name} else head
        heads.append(f"{head}_{at}" if head in heads else head)
    return heads


def _faults(labels: Sequence[str], given: Sequence[str], activation: Activation) -> list[str]:
    unknown = [label for label in given if label not in labels]
    if unknown:
        raise ModelError(f"there is no label {unknown[0]!r}; there are {', '.join(labels)}")
    found = given or [label for label in labels if not _GOOD.fullmatch(label.lower())]
    if not found or (activation == "softmax" and len(found) == len(labels)):
        raise ModelError(
            f"the labels ({', '.join(labels)}) do not tell which of them mean a fault: "
            "name these with --fault LABEL"
        )
    return list(dict.fromkeys(found))


def _copy(source: Path, made: Path) -> None:
    if not (source / "tokenizer.json").is_file():
        raise ModelError(f"{source} has no tokenizer.json: save it with a fast tokenizer")
    shutil.copy(source / "tokenizer.json", made / "tokenizer.json")
    for place in (source, source / "onnx"):
        if (place / "model.onnx").is_file():
            for file in place.glob("model.onnx*"):
                shutil.copy(file, made / file.name)
            return
    if not any((source / file).is_file() for file in _WEIGHTS):
        raise ModelError(f"{source} has neither model.onnx nor {' nor '.join(_WEIGHTS)}")
    _export(source, made / "model.onnx")


def _export(source: Path, target: Path) -> None:
    """Writes an ONNX file of a model that is there in PyTorch's format only."""
    try:
        module = import_module("scorers.adapters.torch_export")
    except ImportError as error:
        raise ModelError(
            f"{source} has no model.onnx, and making one needs what trains models "
            f"({error.name}): pip install 'fairlead[train]'"
        ) from None
    module.export_classifier(source, target)


def _max_tokens(config: Mapping[str, Any], source: Path) -> int:
    path = source / "tokenizer_config.json"
    stated = _json(path).get("model_max_length") if path.is_file() else None
    positions = config.get("max_position_embeddings")
    if positions and config.get("model_type") in _PADDED_POSITIONS:
        positions -= int(config.get("pad_token_id") or 0) + 1
    known = [int(one) for one in (stated, positions) if isinstance(one, int | float) and one > 0]
    return min([*known, _MOST_TOKENS])


def _identity() -> dict[str, Any]:
    """Log-odds to probabilities without any calibration."""
    knots = np.arange(-16.0, 16.01, 0.25)
    chances = 1.0 / (1.0 + np.exp(-knots))
    return {"kind": "identity", "x": knots.tolist(), "y": np.round(chances, 7).tolist()}


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise ModelError(f"{path} cannot be read: a classifier needs it") from None
    except ValueError as error:
        raise ModelError(f"{path} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ModelError(f"{path} is no JSON object")
    return found


def _from_hub(source: str, room: Path) -> Path:
    """The files of a model on the hub, downloaded."""
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", source) or source.startswith("."):
        raise ModelError(f"{source}: there is no such folder, and it is no hub id")
    try:
        hub = import_module("huggingface_hub")
    except ImportError:
        raise ModelError(
            f"{source}: there is no such folder, and to look on the hub huggingface_hub is "
            "needed: pip install huggingface_hub"
        ) from None
    local = room / "hub"
    try:
        hub.snapshot_download(source, allow_patterns=_WANTED, local_dir=local)
        if not any(local.rglob("*.onnx")):
            hub.snapshot_download(source, allow_patterns=list(_WEIGHTS), local_dir=local)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"{source}: there is no such folder, and the hub did not give it: {reason}"
        ) from error
    return local
