"""Head maps: columns, probabilities and thresholds out of `heads.json`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scorers.builtin import HeadMap, UnknownThreshold
from scorers.types import Side
from tests.scorers.head_maps import head_map, raw_heads


def test_model_name_carries_the_version() -> None:
    """Scores name the model as name@version."""
    assert head_map().model == "paper-model@1.0"


def test_loads_from_file_or_folder(tmp_path: Path) -> None:
    """The file and its folder give the same map."""
    (tmp_path / "heads.json").write_text(json.dumps(raw_heads()))

    assert HeadMap.load(tmp_path).heads == HeadMap.load(tmp_path / "heads.json").heads


def test_probability_keeps_order_and_shape() -> None:
    """A higher logit never has a lower probability, and shapes stay."""
    logits = np.linspace(-15, 15, 101).reshape(1, 101)
    found = head_map().probability("toxic", Side.PROMPT, logits)

    assert found.shape == logits.shape
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize(("fpr", "expected"), [(0.01, 0.8), (0.03, 0.8), (0.05, 0.5), (0.5, 0.5)])
def test_rate_between_two_takes_the_stricter(fpr: float, expected: float) -> None:
    """A rate that is not tabulated takes the next lower one, whatever the order of the heads."""
    assert head_map().threshold(["toxic", "harm"], Side.REPLY, fpr) == expected


def test_rate_below_the_lowest_is_named() -> None:
    """A rate below all tabulated ones is an error that names the lowest."""
    with pytest.raises(UnknownThreshold, match=r"the lowest is 0\.01"):
        head_map().threshold(["injection"], Side.PROMPT, 0.001)


def test_unknown_heads_are_named() -> None:
    """Heads without thresholds on a side are an error that names the known ones."""
    with pytest.raises(
        UnknownThreshold, match=r"'injection' on the reply side; known: harm\+toxic"
    ):
        head_map().threshold(["injection"], Side.REPLY, 0.01)


def test_blend_is_the_logit_alone_unless_stated() -> None:
    """A model without blends uses its heads' logits as they are."""
    plain = head_map().blend("unsupported")

    assert (plain.logit, plain.words, plain.offset) == (1.0, 0.0, 0.0)
    assert head_map(blends={"unsupported": {"words": 2.0}}).blend("unsupported").words == 2.0
