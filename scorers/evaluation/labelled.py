"""Labelled rows as subjects with their labels, one reader for each scorer's schema.

Texts are read as the training reads them: the spacing that tokenised corpora put round
punctuation is undone, and of a written-out conversation the user's last turn is the prompt.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scorers.evaluation.judgements import COLUMNS, LabelError, Labelled
from scorers.training.examples import (
    Example,
    detokenise,
    faithfulness_example,
    sycophancy_example,
    toxicity_example,
)
from scorers.types import Side, Subject

Row = Mapping[str, Any]


_ROLES = {"prompt": Side.PROMPT, "response": Side.REPLY}
_RAW_RATING = re.compile(r"\braw5_mean=([0-9.]+)")
_WORD = re.compile(r"\w+")


def labelled(
    rows: Iterable[Row], scorer: str, *, where: str, columns: Sequence[str] = ()
) -> Iterator[Labelled | None]:
    """Each row as the scorer's task reads it, None for a row without a label of the task.

    `columns` are those of the labels, where the scorer is none of the built-in ones.

    `where` is the file: its name stands in messages, and for the source of rows that name none.
    Raises LabelError for a row that lacks a text, or whose label is no number in [0, 1].
    """
    read, source = _READERS.get(scorer, _any_text), Path(where).stem
    names = tuple(columns) or COLUMNS[scorer]
    for number, row in enumerate(rows, 1):
        at = f"{where}: row {number}"
        labels = _labels(row, names, at)
        named = row if row.get("source") else {**row, "source": source}
        yield read(named, labels, at) if labels else None


def novel_share(subject: Subject) -> float:
    """Share of reply words (over three letters, or digits) that the context lacks."""
    known = set(_WORD.findall(" ".join(subject.context).lower()))
    own = [w for w in _WORD.findall(subject.text.lower()) if len(w) > 3 or w.isdigit()]
    return sum(word not in known for word in own) / len(own) if own else 0.0


def _any_text(row: Row, labels: dict[str, float], where: str) -> Labelled:
    side = _side(row, where)
    text = _text(row, "text" if row.get("text") is not None else "response", where)
    prompt = _text(row, "prompt", where, default="") if side is Side.REPLY else ""
    return Labelled(Subject(side, text, prompt=prompt), labels, _parts(row))


def _toxicity(row: Row, labels: dict[str, float], where: str) -> Labelled | None:
    role = "prompt" if _side(row, where) is Side.PROMPT else "response"
    text = {"text": _text(row, "text", where), "prompt": _text(row, "prompt", where, default="")}
    made = toxicity_example({**_plain(row), **text, **_nulls(labels), "role": role})
    return _made(row, made, made.labels) if made.labels else None


def _faithfulness(row: Row, labels: dict[str, float], where: str) -> Labelled:
    context = row.get("context")
    sources = context if isinstance(context, list) else [context or ""]
    if not all(isinstance(source, str) for source in sources):
        raise LabelError(f"{where}: `context` is neither a text nor a list of texts")
    texts = {
        "response": _text(row, "response", where),
        "prompt": _text(row, "prompt", where, default=""),
        "context": "",
        "spans": _text(row, "spans", where, default=""),
    }
    try:
        made = faithfulness_example({**_plain(row), **texts, **labels})
    except (ValueError, TypeError) as error:
        raise LabelError(f"{where}: `spans` is no list of [start, end, label]: {error}") from None
    kept = tuple(detokenise(source) for source in sources if source.strip())
    made = replace(made, subject=replace(made.subject, context=kept))
    return replace(_made(row, made, labels), baseline=novel_share(made.subject))


def _sycophancy(row: Row, labels: dict[str, float], where: str) -> Labelled:
    texts = {"prompt": _text(row, "prompt", where), "response": _text(row, "response", where)}
    made = sycophancy_example({**_plain(row), **texts, **labels})
    return _made(row, made, labels)


def _confidence(row: Row, labels: dict[str, float], where: str) -> Labelled:
    raw = _RAW_RATING.search(str(row.get("split") or ""))
    if raw:
        labels = labels | {"raw5_mean": float(raw[1]) / 100}
    prompt = _text(row, "prompt", where, default="")
    subject = Subject(Side.REPLY, _text(row, "response", where).strip(), prompt=prompt)
    return Labelled(subject, labels, _parts(row))


_READERS: Mapping[str, Callable[[Row, dict[str, float], str], Labelled | None]] = {
    "toxicity": _toxicity,
    "faithfulness": _faithfulness,
    "sycophancy": _sycophancy,
    "confidence": _confidence,
}


def _side(row: Row, where: str) -> Side:
    role = row.get("role") or "response"
    if role not in _ROLES:
        raise LabelError(f"{where}: `role` is {role!r} and not `prompt` or `response`")
    return _ROLES[role]


def _made(row: Row, example: Example, labels: dict[str, float]) -> Labelled:
    return Labelled(example.subject, labels, _parts(row))


def _parts(row: Row) -> dict[str, str]:
    found = {name: str(row.get(name) or "") for name in ("source", "split", "kind", "role")}
    found["split"] = found["split"].partition("|")[0]
    return {name: value for name, value in found.items() if value}


def _plain(row: Row) -> dict[str, str]:
    """The columns that the training's readers expect beside the texts and the labels."""
    return {name: str(row.get(name) or "") for name in ("source", "kind")}


def _nulls(labels: dict[str, float]) -> dict[str, float | None]:
    return {name: labels.get(name) for name in COLUMNS["toxicity"]}


def _labels(row: Row, names: tuple[str, ...], where: str) -> dict[str, float]:
    found = {}
    for name in names:
        value = row.get(name)
        if value is None or value != value:  # noqa: PLR0124 - a NaN is a label that is not there
            continue
        if not isinstance(value, int | float) or not 0 <= value <= 1 or math.isinf(value):
            raise LabelError(f"{where}: `{name}` is {value!r} and no number from 0 to 1")
        found[name] = float(value)
    return found


def _text(row: Row, name: str, where: str, *, default: str | None = None) -> str:
    value = row.get(name)
    if value is None and default is not None:
        return default
    if value is None:
        have = ", ".join(map(str, row)) or "nothing"
        raise LabelError(f"{where}: lacks `{name}`; it has {have}")
    if not isinstance(value, str):
        raise LabelError(f"{where}: `{name}` is no text")
    return value
