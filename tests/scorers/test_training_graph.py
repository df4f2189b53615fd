"""The ONNX graph: the right shapes, and rows that do not depend on their batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from scorers.training.graph import build, share_weights, without_heads

HIDDEN, HEADS, TOKENS = 16, 4, 32


def weights(seed: int = 3) -> dict[str, np.ndarray]:
    """Random weights of a two-layer encoder, named as a trained one's are."""
    rng = np.random.default_rng(seed)

    def drawn(*shape: int) -> np.ndarray:
        return rng.normal(0.0, 0.3, shape).astype(np.float32)

    embed, found = "encoder.embeddings", {"head.weight": drawn(HEADS, 2 * HIDDEN)}
    found |= {"head.bias": drawn(HEADS), f"{embed}.word_embeddings.weight": drawn(50, HIDDEN)}
    found[f"{embed}.token_type_embeddings.weight"] = drawn(2, HIDDEN)
    found[f"{embed}.position_embeddings.weight"] = drawn(TOKENS, HIDDEN)
    layers = [f"encoder.encoder.layer.{at}" for at in range(2)]
    for norm in [embed, *(f"{n}.{p}" for n in layers for p in ("attention.output", "output"))]:
        found[f"{norm}.LayerNorm.weight"] = np.ones(HIDDEN, np.float32)
        found[f"{norm}.LayerNorm.bias"] = drawn(HIDDEN)
    for name in layers:
        dense = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
        for part in (*dense, f"{name}.attention.output.dense"):
            found |= {f"{part}.weight": drawn(HIDDEN, HIDDEN), f"{part}.bias": drawn(HIDDEN)}
        wide, narrow = f"{name}.intermediate.dense", f"{name}.output.dense"
        found |= {f"{wide}.weight": drawn(4 * HIDDEN, HIDDEN), f"{wide}.bias": drawn(4 * HIDDEN)}
        found |= {f"{narrow}.weight": drawn(HIDDEN, 4 * HIDDEN), f"{narrow}.bias": drawn(HIDDEN)}
    return found


def session(precision: str) -> ort.InferenceSession:
    """A session of the tiny graph."""
    model = build(weights(), precision=precision, max_tokens=TOKENS, attention_heads=2)
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def feed(lengths: list[int], width: int) -> dict[str, np.ndarray]:
    """Rows of the given lengths, padded to a width; a row depends on its index only."""
    shape = (len(lengths), width)
    ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for at, length in enumerate(lengths):
        ids[at, :length] = np.random.default_rng(at).integers(1, 50, length)
        mask[at, :length] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros(shape, np.int64)}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_shapes_and_unit_embeddings(precision: str) -> None:
    """Logits are one a head, embeddings one unit vector a row."""
    logits, embedding = session(precision).run(None, feed([5, 9], 9))

    assert logits.shape == (2, HEADS)
    assert embedding.shape == (2, HIDDEN)
    assert np.linalg.norm(embedding, axis=1) == pytest.approx([1.0, 1.0], abs=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_row_does_not_depend_on_batch_or_padding(precision: str) -> None:
    """A row alone, in a batch and under more padding has the same logits."""
    model = session(precision)
    together = model.run(None, feed([5, 9, 14], 14))[0][0]
    alone = model.run(None, feed([5], 5))[0][0]
    padded = model.run(None, feed([5, 9, 14], TOKENS))[0][0]

    assert alone == pytest.approx(together, abs=1e-4)
    assert padded == pytest.approx(together, abs=1e-4)


def test_int8_stays_near_fp32() -> None:
    """Quantisation moves logits little, beside how far apart rows are."""
    exact, near = (session(p).run(None, feed([5, 9, 14], 14))[0] for p in ("fp32", "int8"))

    assert np.abs(near - exact).mean() < 0.1 * exact.std()


def test_fp16_stays_near_fp32() -> None:
    """The graph for CUDA, run on the CPU, gives nearly the logits of fp32."""
    exact, near = (session(p).run(None, feed([5, 9, 14], 14))[0] for p in ("fp32", "fp16"))

    assert np.abs(near - exact).mean() < 0.05 * exact.std()


def test_files_share_their_weights(tmp_path: Path) -> None:
    """int8 and fp16 read one file of weights and give what they give with weights of their own."""
    kinds = ("int8", "fp16")
    made = [build(weights(), precision=p, max_tokens=TOKENS, attention_heads=2) for p in kinds]
    own = [session(p).run(None, feed([5, 9], 9))[0] for p in kinds]
    (tmp_path / "weights.bin").write_bytes(share_weights(made, "weights.bin"))

    for kind, model, expected in zip(kinds, made, own, strict=True):
        path = tmp_path / f"{kind}.onnx"
        path.write_bytes(model.SerializeToString())
        found = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        assert found.run(None, feed([5, 9], 9))[0] == pytest.approx(expected, abs=1e-6)


def test_files_with_other_weights_cannot_share() -> None:
    """Weights of two checkpoints are not mixed up."""
    made = [
        build(weights(seed), precision=p, max_tokens=TOKENS, attention_heads=2)
        for seed, p in ((1, "int8"), (2, "fp16"))
    ]

    with pytest.raises(ValueError, match="different weights"):
        share_weights(made, "weights.bin")


def test_encoder_without_heads() -> None:
    """Without its heads the graph gives the same embedding and nothing else."""
    whole = build(weights(), precision="int8", max_tokens=TOKENS, attention_heads=2)
    bare = ort.InferenceSession(
        without_heads(whole).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (embedding,) = bare.run(None, feed([5, 9], 9))

    assert embedding == pytest.approx(session("int8").run(None, feed([5, 9], 9))[1], abs=1e-6)
    assert any(output.name == "logits" for output in whole.graph.output)
