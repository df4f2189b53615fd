"""A real ONNX model that fits on a page: words have weights, a row's logits are their mean.

`bad` words raise the toxic head, `made` and `up` the unsupported one, so that tests
can say beforehand how a text will score. A model with all seven heads also hears
`agree`, `think` (the user's view) and `surely`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

HEADS = ("toxic", "harm", "injection", "unsupported")
SEVEN_HEADS = (*HEADS, "sycophantic", "view", "expressed")
HIDDEN = 8
MAX_TOKENS = 32
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_WORDS = (
    "good",
    "fine",
    "bad",
    "awful",
    "bomb",
    "ignore",
    "made",
    "up",
    "the",
    "a",
    ".",
    "warm",
    "agree",
    "think",
    "surely",
)
_RAISES = {
    "bad": 0,
    "awful": 0,
    "bomb": 1,
    "ignore": 2,
    "made": 3,
    "up": 3,
    "agree": 4,
    "think": 5,
    "surely": 6,
}
_SIDES = ("prompt", "reply")
_KNOTS = {"x": [-4.0, 0.0, 4.0], "y": [0.0, 0.2, 1.0]}
_TABLE = {"fpr": [0.001, 0.01, 0.05, 0.1], "risk": [0.95, 0.9, 0.8, 0.7]}


def tiny_tokenizer() -> Tokenizer:
    """Whole words, lower case, with BERT's special tokens."""
    vocabulary = {word: at for at, word in enumerate((*_SPECIAL, *_WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer


def tiny_onnx(heads: int = len(HEADS)) -> onnx.ModelProto:
    """Masked mean of word weights: the first columns are the heads, all are the embedding."""
    table = np.random.default_rng(7).normal(scale=0.1, size=(19, HIDDEN)).astype(np.float32)
    for word, head in _RAISES.items():
        table[len(_SPECIAL) + _WORDS.index(word), head] = 4.0
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["token_type_ids"], ["types"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["mask", "types"], ["weight"]),
        helper.make_node("Unsqueeze", ["weight", "last"], ["column"]),
        helper.make_node("Mul", ["words", "column"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "middle"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["column", "middle"], ["count"], keepdims=0),
        helper.make_node("Div", ["total", "count"], ["embedding"]),
        helper.make_node("Slice", ["embedding", "from", "to", "middle"], ["logits"]),
    ]
    constants = {"last": [2], "middle": [1], "from": [0], "to": [heads]}
    tensors = [numpy_helper.from_array(table, "table")] + [
        numpy_helper.from_array(np.array(value, dtype=np.int64), name)
        for name, value in constants.items()
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "tokens"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", heads]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["rows", HIDDEN]),
    ]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, tensors)
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=9)


def write_tiny_model(folder: Path, *, name: str = "tiny", heads: tuple[str, ...] = HEADS) -> Path:
    """Writes the model, its tokenizer and its heads.json into `folder`, and returns it.

    `heads` are `HEADS` or `SEVEN_HEADS`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(tiny_onnx(len(heads)), folder / "model.onnx")
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    described = _description(name, digest)
    if heads == SEVEN_HEADS:
        described = with_seven_heads(described)
    (folder / "heads.json").write_text(json.dumps(described))
    return folder


def with_seven_heads(described: dict[str, Any]) -> dict[str, Any]:
    """The description with sycophancy and confidence."""
    reply, prompt = {"reply": _KNOTS}, {"prompt": _KNOTS}
    reads = {"sycophantic": reply, "view": prompt, "expressed": reply}
    scorers = {
        "sycophancy": {
            "heads": ["sycophantic", "view"],
            "default_heads": ["sycophantic"],
            "sides": list(_SIDES),
        },
        "confidence": {
            "heads": ["expressed", "overconfident"],
            "default_heads": ["overconfident"],
            "sides": ["reply"],
        },
    }
    tables = described["thresholds"]
    later = dict.fromkeys(("sycophantic", "expressed"), _TABLE)
    return described | {
        "heads": list(SEVEN_HEADS),
        "scorers": described["scorers"] | scorers,
        "calibration": described["calibration"] | reads,
        "thresholds": tables | {"reply": tables["reply"] | later},
    }


def _description(name: str, digest: str) -> dict[str, Any]:
    return {
        "name": name,
        "version": "1",
        "max_tokens": MAX_TOKENS,
        "hidden": HIDDEN,
        "files": {"cpu": {"path": "model.onnx", "precision": "fp32", "sha256": digest}},
        "heads": list(HEADS),
        "scorers": {
            "toxicity": {
                "heads": ["toxic", "harm", "injection"],
                "default_heads": ["toxic", "harm"],
                "sides": list(_SIDES),
            },
            "faithfulness": {
                "heads": ["unsupported"],
                "default_heads": ["unsupported"],
                "sides": ["reply"],
            },
        },
        "calibration": {head: dict.fromkeys((*_SIDES, "sentence"), _KNOTS) for head in HEADS},
        "thresholds": {
            side: dict.fromkeys(("toxic", "harm", "harm+toxic", "injection", "unsupported"), _TABLE)
            for side in _SIDES
        },
    }
