"""A head map without a model: logistic calibration and a small table of thresholds."""

from __future__ import annotations

import math
from typing import Any

from scorers.builtin import HeadMap


def logistic_knots() -> dict[str, Any]:
    """The logistic function in steps of a quarter."""
    x = [at / 4 for at in range(-48, 49)]
    return {"kind": "platt", "x": x, "y": [1 / (1 + math.exp(-v)) for v in x]}


def raw_heads() -> dict[str, Any]:
    """A parsed `heads.json` with four heads."""
    both = {"prompt": logistic_knots(), "reply": logistic_knots()}
    return {
        "name": "paper-model",
        "version": "1.0",
        "max_tokens": 256,
        "hidden": 8,
        "files": {"cpu": {"path": "model.int8.onnx", "precision": "int8", "sha256": "00"}},
        "heads": ["toxic", "harm", "injection", "unsupported"],
        "scorers": {
            "toxicity": {
                "heads": ["toxic", "harm", "injection"],
                "default_heads": ["toxic", "harm"],
                "sides": ["prompt", "reply"],
            },
            "faithfulness": {
                "heads": ["unsupported"],
                "default_heads": ["unsupported"],
                "sides": ["reply"],
            },
        },
        "calibration": {
            "toxic": both,
            "harm": both,
            "injection": {"prompt": logistic_knots()},
            "unsupported": {"reply": logistic_knots(), "sentence": logistic_knots()},
        },
        "thresholds": {
            "prompt": {"injection": {"fpr": [0.01, 0.05], "risk": [0.9, 0.6]}},
            "reply": {
                "harm+toxic": {"fpr": [0.01, 0.05], "risk": [0.8, 0.5]},
                "unsupported": {"fpr": [0.01, 0.05], "risk": [0.95, 0.7]},
            },
        },
    }


def raw_seven_heads() -> dict[str, Any]:
    """The same with the heads of sycophancy and confidence."""
    raw, reply = raw_heads(), {"reply": logistic_knots()}
    table = {"fpr": [0.01, 0.05], "risk": [0.9, 0.7]}
    return raw | {
        "heads": [*raw["heads"], "sycophantic", "view", "expressed"],
        "scorers": raw["scorers"]
        | {
            "sycophancy": {
                "heads": ["sycophantic", "view"],
                "default_heads": ["sycophantic"],
                "sides": ["prompt", "reply"],
            },
            "confidence": {
                "heads": ["expressed", "overconfident"],
                "default_heads": ["overconfident"],
                "sides": ["reply"],
            },
        },
        "calibration": raw["calibration"]
        | {"sycophantic": reply, "view": {"prompt": logistic_knots()}, "expressed": reply},
        "thresholds": raw["thresholds"]
        | {"reply": raw["thresholds"]["reply"] | {"sycophantic": table, "expressed": table}},
    }


def seven_heads(**changes: object) -> HeadMap:
    """A head map with all seven heads, with parts of its JSON replaced."""
    return HeadMap.parse(raw_seven_heads() | changes)


def head_map(**changes: object) -> HeadMap:
    """The head map, with parts of its JSON replaced."""
    return HeadMap.parse(raw_heads() | changes)
