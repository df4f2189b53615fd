"""The ONNX session: one model file, on the execution provider that was asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from scorers.cores import usable_cores
from scorers.errors import ModelError, ProviderUnavailable
from scorers.serving import Encoding, Output

Provider = Literal["cpu", "cuda", "tensorrt"]

EXECUTION_PROVIDERS: Final[dict[Provider, str]] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
_INPUTS: Final[tuple[str, ...]] = ("input_ids", "attention_mask", "token_type_ids")
_MOST_THREADS: Final = 16
_GPU_MULTIPLE_TOKENS: Final = 16


class OnnxSession:
    """A model that is loaded and runs; `run` may be called from one thread at a time."""

    def __init__(self, session: ort.InferenceSession, *, provider: Provider) -> None:
        self._session = session
        self._inputs = input_names(session)
        _expect_outputs(session)
        self.provider: Provider = provider

    @classmethod
    def open(
        cls, model_dir: Path, provider: str = "auto", *, threads: int | None = None
    ) -> OnnxSession:
        """Loads the file that `heads.json` names for the provider, after checking its digest.

        `auto` takes CUDA where this machine and the model have it, and the CPU
        otherwise. `threads` are the session's own on the CPU; all that this process
        may use unless told. Raises ModelError, and ProviderUnavailable where another
        provider than the one asked for would run.
        """
        files = _files(model_dir)
        wanted = choose_provider(provider, files, available=available_providers())
        path = checked_file(model_dir, files, wanted)
        return cls(create_session(path, wanted, threads), provider=wanted)

    def run(self, encodings: Sequence[Encoding]) -> Output:
        """Runs one batch, padded to its longest row; a row's numbers do not depend on the others.

        Raises whatever the runtime raises.
        """
        multiple = 1 if self.provider == "cpu" else _GPU_MULTIPLE_TOKENS
        arrays = pad(encodings, multiple_tokens=multiple)
        feed = {name: arrays[name] for name in self._inputs}
        if self.provider == "cpu":
            logits, embeddings = self._session.run(["logits", "embedding"], feed)
        else:
            logits, embeddings = self.run_bound(feed, device="cuda")
        return Output(
            np.asarray(logits, dtype=np.float32), np.asarray(embeddings, dtype=np.float32)
        )

    def run_bound(
        self, feed: Mapping[str, NDArray[np.int64]], *, device: str
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Runs with inputs placed on the device once and only the outputs copied back."""
        binding = self._session.io_binding()
        for name, array in feed.items():
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array, device, 0))
        for name in ("logits", "embedding"):
            binding.bind_output(name, device)
        self._session.run_with_iobinding(binding)
        logits, embeddings = binding.copy_outputs_to_cpu()
        return logits, embeddings


def pad(encodings: Sequence[Encoding], *, multiple_tokens: int = 1) -> dict[str, NDArray[np.int64]]:
    """The model's three inputs, each of shape (rows, longest rounded up to the multiple)."""
    longest = max(len(encoding) for encoding in encodings)
    width = -(-longest // multiple_tokens) * multiple_tokens
    ids, mask, types = np.zeros((3, len(encodings), width), dtype=np.int64)
    for at, encoding in enumerate(encodings):
        length = len(encoding)
        ids[at, :length] = encoding.ids
        mask[at, :length] = 1
        types[at, :length] = encoding.type_ids
    return dict(zip(_INPUTS, (ids, mask, types), strict=True))


def available_providers() -> list[Provider]:
    """The execution providers that the installed runtime was built with, CPU included."""
    built = ort.get_available_providers()
    return [name for name, runtime_name in EXECUTION_PROVIDERS.items() if runtime_name in built]


def _files(model_dir: Path) -> dict[str, dict[str, str]]:
    path = model_dir / "heads.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return dict(raw["files"])
    except FileNotFoundError as error:
        raise ModelError(f"no model in {model_dir}: it has no heads.json") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} does not describe a model ({error!r}); install it anew"
        ) from error


def choose_provider(
    provider: str, files: Container[str], *, available: Sequence[Provider]
) -> Provider:
    """The execution provider to run on, from what was asked for, the model's files, the runtime.

    `auto` is CUDA where both have it, and the CPU otherwise. Raises
    ProviderUnavailable for one that the runtime was not built with.
    """
    if provider == "auto":
        return "cuda" if "cuda" in available and "cuda" in files else "cpu"
    if provider not in EXECUTION_PROVIDERS:
        known = ", ".join(("auto", *EXECUTION_PROVIDERS))
        raise ProviderUnavailable(f"no execution provider is called {provider!r}: take {known}")
    for name in available:
        if name == provider:
            return name
    raise ProviderUnavailable(f"{provider} was asked for; {_advice(provider)}")


def runtime_chain(provider: Provider) -> list[str]:
    """The runtime's names of the provider and of those that it leans on, in order."""
    below: dict[Provider, tuple[Provider, ...]] = {
        "cpu": (),
        "cuda": ("cpu",),
        "tensorrt": ("cuda", "cpu"),
    }
    return [EXECUTION_PROVIDERS[name] for name in (provider, *below[provider])]


def _advice(provider: str) -> str:
    built = ", ".join(available_providers())
    return (
        f"the installed onnxruntime offers {built}: install the gpu extra on a machine whose "
        f"driver serves {provider}, or ask for cpu or auto"
    )


def checked_file(model_dir: Path, files: Mapping[str, Mapping[str, str]], provider: str) -> Path:
    """The path of the provider's file, once its digest agrees with the description.

    Raises ModelError where there is none or it was changed.
    """
    key = "cpu" if provider == "cpu" else "cuda"
    if key not in files:
        raise ModelError(f"the model in {model_dir} has no file for {key}; ask for cpu")
    entry = files[key]
    if weights := entry.get("weights"):
        _expect_digest(model_dir / weights, entry["weights_sha256"])
    path = model_dir / entry["path"]
    _expect_digest(path, entry["sha256"])
    return path


def _expect_digest(path: Path, wanted: str) -> None:
    if not path.is_file():
        raise ModelError(f"{path} is missing; install the model anew")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != wanted:
        raise ModelError(
            f"{path} is corrupt or was changed: its sha256 is {digest[:12]}..., heads.json "
            f"says {wanted[:12]}...; install the model anew"
        )


def create_session(path: Path, provider: Provider, threads: int | None) -> ort.InferenceSession:
    """A session of the file on exactly this execution provider.

    Raises ModelError where the file does not load, ProviderUnavailable where another would run.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or min(_MOST_THREADS, usable_cores())
    # Threads that spin while they wait take the cores from the event loop.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = ort.InferenceSession(str(path), options, providers=runtime_chain(provider))
    except Exception as error:  # the runtime's errors share no base class
        raise ModelError(f"{path} does not load: {error}") from error
    got = session.get_providers()[0]
    if got != EXECUTION_PROVIDERS[provider]:
        raise ProviderUnavailable(f"asked for {provider} and got {got}; {_advice(provider)}")
    return session


def input_names(session: ort.InferenceSession) -> list[str]:
    """The inputs of a text model that this one takes."""
    return [name for name in _INPUTS if name in _names(session.get_inputs())]


def _names(nodes: Sequence[Any]) -> set[str]:
    return {node.name for node in nodes}


def _expect_outputs(session: ort.InferenceSession) -> None:
    missing = {"logits", "embedding"} - _names(session.get_outputs())
    if missing:
        raise ModelError(f"the model has no output called {' or '.join(sorted(missing))}")
