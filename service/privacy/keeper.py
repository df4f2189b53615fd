"""The texts of records, treated as their policy says before anybody keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.privacy.digests import keyed_hash
from service.privacy.redact import Names, Redactor
from service.privacy.treatments import Redaction, Sealing, Treatment
from storage.records import InteractionRecord, ScoreRecord
from storage.textlevel import FIELD, LEVELS, TextLevel

Json = Any


class TextKeeper:
    """Treats texts. `key` is the secret of keyed hashes; without one `hash` cannot be asked for."""

    def __init__(self, redactor: Redactor | None = None, *, key: bytes | None = None) -> None:
        self._redactor = redactor or Redactor()
        self._key = key

    def interaction(
        self, record: InteractionRecord, level: TextLevel, names: Names
    ) -> InteractionRecord:
        """The record as it may be kept; `names` are the placeholders of its exchange."""
        if level == "keep":
            return record
        try:
            return _treated(record, level, self._treatment(level, names))
        except RecursionError:
            return _treated(record, "drop", Sealing(None))

    def twin(self, twin: dict[str, Any], level: TextLevel, names: Names) -> dict[str, Any]:
        """A twin that comes after its record."""
        return twin if level == "keep" else _twin(twin, self._treatment(level, names))

    def stance_probe(self, probe: dict[str, Any], level: TextLevel, names: Names) -> dict[str, Any]:
        """What a stance probe found, which comes after its record."""
        return probe if level == "keep" else _stance_probe(probe, self._treatment(level, names))

    def said(self, text: str, *levels: TextLevel) -> str:
        """What was said of one or several replies, treated as the hardest treated of them was."""
        level: TextLevel = max(levels, key=LEVELS.index)
        return text if level == "keep" else self._treatment(level, Names()).text(text) or ""

    def subject(self, user: str) -> str | None:
        """A person's id as an audit log may have it: keyed, None without a key."""
        return None if self._key is None else keyed_hash(f"user:{user}", self._key)

    def _treatment(self, level: TextLevel, names: Names) -> Treatment:
        if level == "redact":
            return Redaction(self._redactor, names)
        if level == "hash" and self._key is None:
            raise ValueError("texts are hashed with a secret, and there is none")
        return Sealing(self._key if level == "hash" else None)


def _treated(
    record: InteractionRecord, level: TextLevel, treatment: Treatment
) -> InteractionRecord:
    request = _request(record.request or {}, level, treatment)
    return replace(
        record,
        request=request,
        prompt_hash=treatment.prompt_hash(
            request["messages"], ident=record.id, original=record.prompt_hash
        ),
        context=_context(record.context, treatment),
        choices=_choices(record.choices, treatment),
        attempts=_attempts(record.attempts, treatment),
        twin=record.twin and _twin(record.twin, treatment),
        stance_probe=record.stance_probe and _stance_probe(record.stance_probe, treatment),
        scores=tuple(_score(score, treatment) for score in record.scores),
    )


def _request(
    request: Mapping[str, Json], level: TextLevel, treatment: Treatment
) -> dict[str, Json]:
    seen = request.get("seen") if treatment.keeps_lengths else None
    tools = request.get("tools")
    return {
        FIELD: level,
        "messages": _each(request.get("messages"), treatment),
        "tools": _each(tools, treatment) if tools else tools,
        "params": treatment.params(request.get("params")),
    } | ({"seen": seen} if seen else {})


def _each(messages: Json, treatment: Treatment) -> Json:
    if isinstance(messages, list) and isinstance(treatment, Sealing):
        return [treatment.message(message) for message in messages]
    return treatment.message(messages)


def _context(context: Json, treatment: Treatment) -> Json:
    told = [treatment.text(text) for text in context or ()]
    return [text for text in told if text is not None] or None


def _choices(choices: Json, treatment: Treatment) -> Json:
    return None if choices is None else [_choice(choice, treatment) for choice in choices]


def _choice(choice: dict[str, Json], treatment: Treatment) -> dict[str, Json]:
    out = dict(choice)
    if isinstance(choice.get("message"), dict):
        out["message"] = treatment.message(choice["message"])
    if choice.get("delivered") is not None:
        out["delivered"] = treatment.text(choice["delivered"])
    if "seen" in out and not treatment.keeps_lengths:
        out["seen"] = None
    return out


def _attempts(attempts: Json, treatment: Treatment) -> Json:
    return attempts and [
        {
            **attempt,
            "choices": _choices(attempt["choices"], treatment),
            "scores": [
                score if treatment.keeps_lengths else score | {"windows": None, "spans": None}
                for score in attempt["scores"]
            ],
        }
        for attempt in attempts
    ]


def _twin(twin: Mapping[str, Json], treatment: Treatment) -> dict[str, Json]:
    return {**_answered(twin, treatment), "views": _views(twin, treatment)}


def _stance_probe(probe: Mapping[str, Json], treatment: Treatment) -> dict[str, Json]:
    asked = {
        name: probe.get(name) and _answered(probe[name], treatment)
        for name in ("neutral", "reversed")
    }
    return {**probe, "views": _views(probe, treatment), **asked}


def _answered(told: Mapping[str, Json], treatment: Treatment) -> dict[str, Json]:
    texts = {
        name: None if told.get(name) is None else treatment.text(told[name])
        for name in ("prompt", "reply")
    }
    return {**told, **texts}


def _views(told: Mapping[str, Json], treatment: Treatment) -> list[str]:
    views = [treatment.text(view) for view in told.get("views") or ()]
    return [view for view in views if view is not None]


def _score(score: ScoreRecord, treatment: Treatment) -> ScoreRecord:
    return score if treatment.keeps_lengths else replace(score, windows=None, spans=None)
