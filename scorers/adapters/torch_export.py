"""A sequence classifier in PyTorch's format as an ONNX file; needs the `train` extra."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from transformers import AutoModelForSequenceClassification

from scorers.errors import ModelError

_CLOSE = 1e-3
"""The largest difference of a logit that rounding explains."""


class _Positional(torch.nn.Module):
    """The model with its inputs by place, and nothing but the logits."""

    def __init__(self, model: Any, names: list[str]) -> None:
        super().__init__()
        self._model = model
        self._names = names

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The logits, of shape (texts, labels)."""
        named = dict(zip(self._names, inputs, strict=True))
        logits: torch.Tensor = self._model(**named).logits
        return logits


def export_classifier(source: Path, target: Path) -> None:
    """Writes `target` from the folder's weights; ModelError where the two do not agree."""
    try:
        model = AutoModelForSequenceClassification.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"{source} is no sequence classifier that can be read: {error}") from error
    names = ["input_ids", "attention_mask"]
    has_types = getattr(model.config, "type_vocab_size", 0) > 1
    if has_types and "token_type_ids" in inspect.signature(model.forward).parameters:
        names.append("token_type_ids")
    plain = _Positional(model, names).eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself; `_check` is what counts
        torch.onnx.export(
            plain,
            _inputs(names, texts=2, tokens=8),
            target,
            input_names=names,
            output_names=["logits"],
            dynamic_axes={name: {0: "texts", 1: "tokens"} for name in names}
            | {"logits": {0: "texts"}},
            dynamo=False,
        )
    _check(plain, names, target)


def _inputs(names: list[str], *, texts: int, tokens: int) -> tuple[torch.Tensor, ...]:
    """Texts of falling length; the last has lost a token to padding for each that comes before."""
    ids = torch.arange(texts * tokens).reshape(texts, tokens) % 11 + 3
    mask = (torch.arange(tokens) < tokens - torch.arange(texts)[:, None]).long()
    by_name = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    return tuple(by_name[name] for name in names)


def _check(plain: _Positional, names: list[str], target: Path) -> None:
    session = ort.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    for texts, tokens in ((1, 5), (3, 24)):
        given = _inputs(names, texts=texts, tokens=tokens)
        with torch.no_grad():
            expected = plain(*given).numpy()
        feed = {name: one.numpy() for name, one in zip(names, given, strict=True)}
        found = np.asarray(session.run(["logits"], feed)[0])
        if not np.allclose(found, expected, atol=_CLOSE):
            apart = float(np.abs(found - expected).max())
            raise ModelError(f"the ONNX file differs from the weights by {apart:.3g}; give one")
