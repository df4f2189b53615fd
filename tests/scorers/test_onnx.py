"""The session: which file it loads, what it refuses, and that a row's numbers are its own."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorers.errors import ModelError, ProviderUnavailable
from scorers.onnx import (
    OnnxSession,
    Provider,
    available_providers,
    choose_provider,
    pad,
    runtime_chain,
)
from scorers.serving import Encoding
from tests.fakes.tiny_model import HEADS, HIDDEN, tiny_onnx, write_tiny_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound model on disk."""
    return write_tiny_model(tmp_path / "tiny")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> OnnxSession:
    """A loaded model."""
    return OnnxSession.open(write_tiny_model(tmp_path_factory.mktemp("models") / "tiny"))


def describe(folder: Path, **changes: object) -> None:
    """Changes the description of the model's one file."""
    raw = json.loads((folder / "heads.json").read_text())
    raw["files"]["cpu"] |= changes
    (folder / "heads.json").write_text(json.dumps(raw))


def test_shapes(session: OnnxSession) -> None:
    """A batch gives one row of logits and one embedding for each encoding, as float32."""
    output = session.run([Encoding([2, 4, 3], [0, 0, 0]), Encoding([2, 3], [0, 0])])

    assert output.logits.shape == (2, len(HEADS))
    assert output.embeddings.shape == (2, HIDDEN)
    assert output.logits.dtype == output.embeddings.dtype == np.float32


ENCODINGS = st.integers(1, 30).flatmap(
    lambda n: st.builds(
        Encoding,
        st.lists(st.integers(0, 15), min_size=n, max_size=n),
        st.lists(st.integers(0, 1), min_size=n, max_size=n),
    )
)


@given(st.lists(ENCODINGS, min_size=2, max_size=6))
def test_rows_do_not_see_each_other(session: OnnxSession, encodings: list[Encoding]) -> None:
    """A row's numbers are the same within 1e-3 alone and in any batch."""
    together = session.run(encodings)

    for at, encoding in enumerate(encodings):
        alone = session.run([encoding])
        assert np.allclose(alone.logits[0], together.logits[at], atol=1e-3)
        assert np.allclose(alone.embeddings[0], together.embeddings[at], atol=1e-3)


def test_bound_inputs_give_the_same_numbers(session: OnnxSession) -> None:
    """Running with bound inputs and outputs, as accelerators do, changes no number."""
    encodings = [Encoding([2, 6, 6, 3], [0, 0, 1, 1]), Encoding([2, 3], [0, 0])]

    logits, embeddings = session.run_bound(pad(encodings, multiple_tokens=8), device="cpu")

    expected = session.run(encodings)
    assert np.allclose(expected.logits, logits, atol=1e-5)
    assert np.allclose(expected.embeddings, embeddings, atol=1e-5)


def test_padding() -> None:
    """Rows are padded to the longest, rounded up to the multiple asked for, and masked."""
    arrays = pad([Encoding([5, 6, 7], [0, 1, 1]), Encoding([8], [0])], multiple_tokens=4)

    assert arrays["input_ids"].tolist() == [[5, 6, 7, 0], [8, 0, 0, 0]]
    assert arrays["attention_mask"].tolist() == [[1, 1, 1, 0], [1, 0, 0, 0]]
    assert arrays["token_type_ids"].tolist() == [[0, 1, 1, 0], [0, 0, 0, 0]]
    assert arrays["input_ids"].dtype == np.int64


def test_automatic_choice_without_an_accelerator_file(folder: Path) -> None:
    """A model that has a file for the CPU only runs there unless told otherwise."""
    assert OnnxSession.open(folder, "auto", threads=1).provider == "cpu"


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_provider_that_cannot_be_had(folder: Path, provider: str) -> None:
    """A provider that is asked for and cannot run is an error, never a silent CPU."""
    with pytest.raises(ModelError, match=r"gpu extra|ask for cpu"):
        OnnxSession.open(folder, provider)


def test_unknown_provider(folder: Path) -> None:
    """A provider that does not exist is an error that names those that do."""
    with pytest.raises(ProviderUnavailable, match="take auto, cpu, cuda, tensorrt"):
        OnnxSession.open(folder, "gpu")


@pytest.mark.parametrize(
    ("asked", "files", "available", "expected"),
    [
        ("auto", ["cpu", "cuda"], ["cpu", "cuda"], "cuda"),
        ("auto", ["cpu"], ["cpu", "cuda"], "cpu"),
        ("auto", ["cpu", "cuda"], ["cpu"], "cpu"),
        ("cpu", ["cpu", "cuda"], ["cpu", "cuda"], "cpu"),
        ("tensorrt", ["cpu", "cuda"], ["cpu", "cuda", "tensorrt"], "tensorrt"),
    ],
)
def test_choice_of_provider(
    asked: str, files: list[str], available: list[Provider], expected: str
) -> None:
    """What was asked for is taken; `auto` is CUDA where model and runtime both have it."""
    assert choose_provider(asked, files, available=available) == expected


def test_accelerators_lean_on_others() -> None:
    """TensorRT leaves to CUDA what it cannot run, and CUDA to the CPU."""
    assert runtime_chain("cpu") == ["CPUExecutionProvider"]
    assert runtime_chain("tensorrt") == [
        "TensorrtExecutionProvider",
        "CUDAExecutionProvider",
        "CPUExecutionProvider",
    ]


def test_the_cpu_is_always_available() -> None:
    """The runtime that is installed offers the CPU."""
    assert "cpu" in available_providers()


def test_changed_file(folder: Path) -> None:
    """A file whose digest is not the one described is refused before it is loaded."""
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"x")

    with pytest.raises(ModelError, match="corrupt or was changed"):
        OnnxSession.open(folder)


def test_changed_weights(folder: Path) -> None:
    """Weights beside the file are checked as the file is."""
    (folder / "weights.bin").write_bytes(b"one")
    entry = {"weights": "weights.bin", "weights_sha256": _digest(folder / "weights.bin")}
    describe(folder, sha256=_digest(folder / "model.onnx"), **entry)
    OnnxSession.open(folder)
    (folder / "weights.bin").write_bytes(b"two")

    with pytest.raises(ModelError, match=r"weights\.bin is corrupt or was changed"):
        OnnxSession.open(folder)


def test_missing_file(folder: Path) -> None:
    """A described file that is not there is an error that says what to do."""
    (folder / "model.onnx").unlink()

    with pytest.raises(ModelError, match="is missing; install the model anew"):
        OnnxSession.open(folder)


def test_no_description(tmp_path: Path) -> None:
    """A folder without heads.json holds no model."""
    with pytest.raises(ModelError, match=r"it has no heads\.json"):
        OnnxSession.open(tmp_path)


@pytest.mark.parametrize("text", ["not json", "{}", "[]", '{"files": 3}'])
def test_broken_description(folder: Path, text: str) -> None:
    """A heads.json that cannot be understood is an error that names it."""
    (folder / "heads.json").write_text(text)

    with pytest.raises(ModelError, match=r"heads\.json does not describe a model"):
        OnnxSession.open(folder)


def test_file_that_is_no_model(folder: Path) -> None:
    """A file that the runtime cannot load is an error that names it."""
    (folder / "model.onnx").write_bytes(b"no model")
    describe(folder, sha256=_digest(folder / "model.onnx"))

    with pytest.raises(ModelError, match="does not load"):
        OnnxSession.open(folder)


def test_model_without_the_expected_outputs(folder: Path) -> None:
    """A model without logits is refused at once, not at its first run."""
    model = tiny_onnx()
    del model.graph.output[0]
    onnx.save(model, folder / "model.onnx")
    describe(folder, sha256=_digest(folder / "model.onnx"))

    with pytest.raises(ModelError, match="no output called logits"):
        OnnxSession.open(folder)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
