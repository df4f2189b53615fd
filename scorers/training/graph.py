"""The network as an ONNX graph, written node by node so that each precision is under control.

`int8` and `fp16` have the same weights, rounded to integers; `share_weights` lets their files read
them from one. In `int8` every activation row (one token of one text) is quantised with a scale of
its own, so a text's result does not depend on what it is batched with, and weights keep to seven
bits, so that the sums of CPUs without VNNI do not saturate and all CPUs add up the same integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

_MS = "com.microsoft"
_WEIGHT_LIMIT = 63.0
_ROW_LIMIT = 127.0
_EPSILON = 1e-12
_PAGE = 4096
_HEAD_NODES = ("logits", "logits.own", "pooled", "cls")
Weights = Mapping[str, NDArray[np.float32]]


class Graph:
    """Collects nodes and constants; `precision` is `fp32`, `fp16` or `int8`."""

    def __init__(self, precision: str) -> None:
        self.precision = precision
        self.dtype = np.float16 if precision == "fp16" else np.float32
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    @property
    def elem(self) -> int:
        """The element type of activations."""
        return int(TensorProto.FLOAT16 if self.precision == "fp16" else TensorProto.FLOAT)

    def const(self, name: str, value: NDArray[np.generic]) -> str:
        """Stores a constant once and gives its name; floats take the graph's precision."""
        if value.dtype.kind == "f":
            value = value.astype(self.dtype)
        self.constants.setdefault(name, numpy_helper.from_array(value.copy(order="C"), name))
        return name

    def op(
        self, kind: str, inputs: list[str], outputs: str | list[str], **attributes: object
    ) -> str:
        """Adds a node; gives the name of its first output."""
        names = [outputs] if isinstance(outputs, str) else outputs
        domain = str(attributes.pop("domain", ""))
        self.nodes.append(
            helper.make_node(kind, inputs, names, name=names[0], domain=domain, **attributes)
        )
        return names[0]

    def quantised(self, x: str) -> tuple[str, str]:
        """Each row of `x` as uint8 round 128, and its scale."""
        high = self.op("ReduceMax", [self.op("Abs", [x], f"{x}.abs"), self.axis(-1)], f"{x}.high")
        floor = self.const("tiny", np.array(1e-9, np.float32))
        scaled = self.op("Mul", [high, self.const("inverse", np.array(1 / _ROW_LIMIT))], f"{x}.raw")
        scale = self.op("Max", [scaled, floor], f"{x}.scale")
        units = self.op("Div", [x, scale], f"{x}.units")
        one, zero = self.const("one", np.array(1.0)), self.const("zero", np.array(128, np.uint8))
        return self.op("QuantizeLinear", [units, one, zero], f"{x}.int"), scale

    def linear(self, x: str, name: str, weight: NDArray[np.float32]) -> str:
        """`x` times a weight of shape (in, out), without bias."""
        if self.precision == "fp32":
            return self.op("MatMul", [x, self.const(f"{name}.weight", weight)], name)
        size = np.maximum(np.abs(weight).max(axis=0), 1e-9) / _WEIGHT_LIMIT
        packed = self.const(f"{name}.weight", np.round(weight / size).astype(np.int8))
        sizes = self.const(f"{name}.size", size.astype(np.float32))
        if self.precision == "fp16":
            floats = self.op("Cast", [packed], f"{name}.floats", to=self.elem)
            return self.op("MatMul", [x, self.op("Mul", [floats, sizes], f"{name}.real")], name)
        ints, scale = self.quantised(x)
        inputs = [ints, packed, "one", sizes, "zero"]
        product = self.op("MatMulIntegerToFloat", inputs, f"{name}.unscaled", domain=_MS)
        return self.op("Mul", [product, scale], name)

    def axis(self, value: int) -> str:
        """A constant axis."""
        return self.const(f"axis{value}", np.array([value], np.int64))

    def table(self, name: str, ids: str, weight: NDArray[np.float32]) -> str:
        """Rows of an embedding table; integers with a scale a row unless in `fp32`."""
        if self.precision == "fp32":
            return self.op("Gather", [self.const(name, weight), ids], f"{name}.rows")
        size = np.maximum(np.abs(weight).max(axis=1, keepdims=True), 1e-9) / _ROW_LIMIT
        packed = self.const(name, np.round(weight / size).astype(np.int8))
        ints = self.op("Gather", [packed, ids], f"{name}.ints")
        floats = self.op("Cast", [ints], f"{name}.floats", to=self.elem)
        sizes = self.op("Gather", [self.const(f"{name}.size", size), ids], f"{name}.sizes")
        return self.op("Mul", [floats, sizes], f"{name}.rows")


def _embed(graph: Graph, weights: Weights, max_tokens: int) -> str:
    prefix = "encoder.embeddings."
    word = graph.table("words", "input_ids", weights[f"{prefix}word_embeddings.weight"])
    kind = graph.op(
        "Gather",
        [graph.const("kinds", weights[f"{prefix}token_type_embeddings.weight"]), "token_type_ids"],
        "kinds.rows",
    )
    places = graph.const("places", weights[f"{prefix}position_embeddings.weight"][:max_tokens])
    shape = graph.op("Shape", ["input_ids"], "tokens", start=1, end=2)
    place = graph.op(
        "Slice", [places, graph.const("start", np.array([0])), shape, graph.axis(0)], "at"
    )
    total = graph.op("Add", [graph.op("Add", [word, kind], "word_kind"), place], "summed")
    scale = graph.const("embed.gamma", weights[f"{prefix}LayerNorm.weight"])
    shift = graph.const("embed.beta", weights[f"{prefix}LayerNorm.bias"])
    return graph.op(
        "LayerNormalization", [total, scale, shift], "embedded", axis=-1, epsilon=_EPSILON
    )


def _normed(graph: Graph, x: str, skip: str, weights: Weights, names: tuple[str, str, str]) -> str:
    out, norm, dense = names
    inputs = [
        x,
        skip,
        graph.const(f"{out}.gamma", weights[f"{norm}.weight"]),
        graph.const(f"{out}.beta", weights[f"{norm}.bias"]),
        graph.const(f"{out}.bias", weights[f"{dense}.bias"]),
    ]
    return graph.op("SkipLayerNormalization", inputs, out, domain=_MS, epsilon=_EPSILON)


def _layer(graph: Graph, x: str, weights: Weights, index: int, attention_heads: int) -> str:
    prefix, at = f"encoder.encoder.layer.{index}", f"layer{index}"
    own = [f"{prefix}.attention.self.{part}" for part in ("query", "key", "value")]
    joint = np.concatenate([weights[f"{name}.weight"].T for name in own], axis=1)
    bias = np.concatenate([weights[f"{name}.bias"] for name in own])
    parts = [f"{at}.q", f"{at}.k", f"{at}.v"]
    graph.op("Split", [graph.linear(x, f"{at}.qkv", joint)], parts, axis=-1, num_outputs=3)
    mixed = graph.op(
        "MultiHeadAttention",
        [*parts, graph.const(f"{at}.qkv.bias", bias), "mask32"],
        f"{at}.mixed",
        domain=_MS,
        num_heads=attention_heads,
    )
    dense = f"{prefix}.attention.output.dense"
    out = graph.linear(mixed, f"{at}.out", weights[f"{dense}.weight"].T)
    x = _normed(
        graph, out, x, weights, (f"{at}.mid", f"{prefix}.attention.output.LayerNorm", dense)
    )
    wide = graph.linear(x, f"{at}.wide", weights[f"{prefix}.intermediate.dense.weight"].T)
    shift = graph.const(f"{at}.wide.bias", weights[f"{prefix}.intermediate.dense.bias"])
    curved = graph.op("BiasGelu", [wide, shift], f"{at}.curved", domain=_MS)
    dense = f"{prefix}.output.dense"
    narrow = graph.linear(curved, f"{at}.narrow", weights[f"{dense}.weight"].T)
    return _normed(graph, narrow, x, weights, (f"{at}.end", f"{prefix}.output.LayerNorm", dense))


def _finish(graph: Graph, x: str, weights: Weights) -> None:
    mask = graph.op("Cast", ["attention_mask"], "mask.float", to=graph.elem)
    column = graph.op("Unsqueeze", [mask, graph.axis(2)], "mask.column")
    kept = graph.op("Mul", [x, column], "kept")
    total = graph.op("ReduceSum", [kept, graph.axis(1)], "total", keepdims=0)
    count = graph.op("ReduceSum", [mask, graph.axis(1)], "count", keepdims=1)
    mean = graph.op("Div", [total, count], "mean")
    first = graph.op("Gather", [x, graph.const("first", np.array(0))], "cls", axis=1)
    both = graph.op("Concat", [first, mean], "pooled", axis=-1)
    head = [
        graph.const("head.weight", weights["head.weight"]),
        graph.const("head.bias", weights["head.bias"]),
    ]
    logits = graph.op("Gemm", [both, *head], "logits.own", transB=1)
    unit = graph.op("LpNormalization", [mean], "embedding.own", axis=-1, p=2)
    graph.op("Cast", [logits], "logits", to=TensorProto.FLOAT)
    graph.op("Cast", [unit], "embedding", to=TensorProto.FLOAT)


def share_weights(models: Sequence[onnx.ModelProto], name: str) -> bytes:
    """Moves the integer weights of all models into one file called `name`; its content.

    The models must have equal weights under equal names. Raises ValueError where they differ.
    """
    content, places = bytearray(), dict[str, tuple[int, bytes]]()
    for model in models:
        for tensor in model.graph.initializer:
            if tensor.data_type != TensorProto.INT8:
                continue
            raw = tensor.raw_data
            offset, known = places.setdefault(tensor.name, (len(content), raw))
            if known != raw:
                raise ValueError(f"the models have different weights called {tensor.name}")
            if offset == len(content):
                content += raw + bytes(-len(raw) % _PAGE)
            set_external_data(tensor, name, offset=offset, length=len(raw))
            tensor.ClearField("raw_data")
    return bytes(content)


def without_heads(model: onnx.ModelProto) -> onnx.ModelProto:
    """The encoder alone: the embedding is its only output."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    for kind in (bare.graph.node, bare.graph.output):
        for each in [one for one in kind if one.name in _HEAD_NODES]:
            kind.remove(each)
    return bare


def build(
    weights: Weights, *, precision: str, max_tokens: int, attention_heads: int
) -> onnx.ModelProto:
    """The ONNX model of a network's weights (names as in its state dict).

    Inputs `input_ids`, `attention_mask`, `token_type_ids`: int64 [rows, tokens]. Outputs `logits`
    float32 [rows, heads] and `embedding` float32 [rows, hidden], of unit length.
    """
    graph = Graph(precision)
    graph.op("Cast", ["attention_mask"], "mask32", to=TensorProto.INT32)
    x = _embed(graph, weights, max_tokens)
    layers = {
        int(name.split(".")[3]) for name in weights if name.startswith("encoder.encoder.layer.")
    }
    for index in sorted(layers):
        x = _layer(graph, x, weights, index, attention_heads)
    _finish(graph, x, weights)
    rows = ["rows", "tokens"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, rows)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    hidden, heads = weights["head.weight"].shape[1] // 2, weights["head.weight"].shape[0]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", heads]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["rows", hidden]),
    ]
    made = helper.make_graph(
        graph.nodes, "fairlead", inputs, outputs, list(graph.constants.values())
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(_MS, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9, producer_name="fairlead")
