"""How records are written down: JSON, Python, lines, tables."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

Data = dict[str, Any]


def camel(key: str) -> str:
    """`noise_level` as `NoiseLevel`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[_ ]", key))


def titled(key: str) -> str:
    """`noise_level` as `Noise level`."""
    return (key[:1].upper() + key[1:]).replace("_", " ")


KEYS: tuple[Callable[[str], str], ...] = (str, camel, titled, lambda k: k.replace("_", "-"))


def renamed(data: Any, rename: Callable[[str], str]) -> Any:
    """The data with all its keys renamed."""
    if isinstance(data, dict):
        return {rename(key): renamed(value, rename) for key, value in data.items()}
    return [renamed(value, rename) for value in data] if isinstance(data, list) else data


def _scalar(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "n/a", True: "yes", False: "no"}[value]
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def flat(data: Data, joint: str = " ") -> dict[str, str]:
    """The data in one level, nested keys joined."""
    found: dict[str, str] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            found |= {f"{key}{joint}{k}": v for k, v in flat(value, joint).items()}
        else:
            found[key] = _scalar(value)
    return found


def _lines(records: list[Data]) -> str:
    blocks = ["\n".join(f"{k}: {v}" for k, v in flat(one).items()) for one in records]
    return "\n\n".join(blocks)


def _indented(records: list[Data]) -> str:
    def block(data: Data, depth: int) -> list[str]:
        out = []
        for key, value in data.items():
            if isinstance(value, dict):
                out += ["  " * depth + f"{key}:", *block(value, depth + 1)]
            else:
                told = json.dumps(value, ensure_ascii=False) if value is None else _scalar(value)
                out.append("  " * depth + f"{key}: {told}")
        return out

    return "\n---\n".join("\n".join(block(one, 0)) for one in records)


def _table(records: list[Data]) -> str:
    if len(records) == 1:
        rows = [("Field", "Value"), ("---", "---"), *flat(records[0]).items()]
        return "\n".join(f"| {k} | {v} |" for k, v in rows)
    flats = [flat(one) for one in records]
    heads = list(dict.fromkeys(key for one in flats for key in one))
    rows = [heads, ["---"] * len(heads), *([one.get(h, "") for h in heads] for one in flats)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _dumped(**options: Any) -> Callable[[list[Data]], str]:
    def dump(records: list[Data]) -> str:
        data = records[0] if len(records) == 1 else records
        return json.dumps(data, ensure_ascii=False, **options)

    return dump


_LAYOUTS: tuple[Callable[[list[Data]], str], ...] = (
    _dumped(indent=2),
    _dumped(),
    _dumped(separators=(",", ":")),
    lambda records: repr(records[0] if len(records) == 1 else records),
    _lines,
    _indented,
    _table,
)


def laid_out(records: list[Data], rng: random.Random) -> str:
    """The records as one text, in one of the layouts, keys in one of the spellings."""
    rename = rng.choice(KEYS)
    layout = rng.choice(_LAYOUTS)
    return layout([renamed(one, rename) for one in records])
