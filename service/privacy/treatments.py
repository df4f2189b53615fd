"""What is done to the texts of a record: redacted, or sealed so that nothing can be read.

A treatment is made for one exchange. It knows nothing of records, `keeper.py` does.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Protocol

from service.privacy.digests import canonical, keyed_hash, prompt_hash
from service.privacy.redact import Names, Redactor

Json = Any

_LABELS = ("role", "type")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,40}")


class Treatment(Protocol):
    """What is done to each text of an exchange."""

    keeps_lengths: bool

    def text(self, text: str) -> str | None:
        """A text by itself."""
        ...

    def message(self, message: Json) -> Json:
        """A message, a content part, a tool, or any other object of the wire format."""
        ...

    def params(self, params: Json) -> Json:
        """A request's settings."""
        ...

    def prompt_hash(self, messages: Json, *, ident: str, original: str) -> str:
        """What groups replies to the same prompt.

        `messages` are the treated ones, `ident` is the exchange's id, `original` what would
        group them if all were kept.
        """
        ...


class Redaction:
    """Personal data and secrets are replaced, the rest stays."""

    keeps_lengths = True

    def __init__(self, redactor: Redactor, names: Names) -> None:
        self._redactor = redactor
        self._names = names

    def text(self, text: str) -> str:
        """The text with placeholders."""
        return self._redactor.text(text, self._names)

    def message(self, message: Json) -> Json:
        """The same with placeholders in its texts."""
        return self._redactor.value(message, self._names)

    def params(self, params: Json) -> Json:
        """The same with placeholders in their texts."""
        return self._redactor.value(params, self._names)

    def prompt_hash(self, messages: Json, *, ident: str, original: str) -> str:
        """Of what is kept, so that it tells no more than that."""
        del ident, original
        return prompt_hash(messages)


class Sealing:
    """No text stays: with a key its keyed hash and length do, without one nothing.

    Roles and types stay, and the settings of a request that are numbers or yes and no.
    """

    def __init__(self, key: bytes | None) -> None:
        self._key = key
        self.keeps_lengths = key is not None

    def text(self, text: str) -> str | None:
        """`hmac:HASH:LENGTH`, the length in characters; an empty text stays."""
        if not text or self._key is None:
            return "" if not text else None
        return f"hmac:{keyed_hash(text, self._key)}:{len(text)}"

    def message(self, message: Json) -> Json:
        """Role, type and number of parts stay; whatever else it says is sealed part by part."""
        if not isinstance(message, dict):
            return self._sealed(message)
        return {
            name: self._field(key, value)
            for key, value in message.items()
            if (name := self._name(key)) is not None
        }

    def params(self, params: Json) -> Json:
        """Numbers and truth values stay."""
        if not isinstance(params, dict):
            return self._sealed(params)
        return {
            name: value if isinstance(value, int | float) else self._sealed(value)
            for key, value in params.items()
            if (name := self._name(key)) is not None
        }

    def prompt_hash(self, messages: Json, *, ident: str, original: str) -> str:
        """Keyed, so that equal prompts still meet; without a key each prompt is alone."""
        del messages
        if self._key is None:
            return hashlib.sha256(ident.encode()).hexdigest()[:32]
        return keyed_hash(original, self._key)

    def _field(self, key: str, value: Json) -> Json:
        if key in _LABELS and _is_label(value):
            return value
        if isinstance(value, list):
            return [self._part(part) for part in value]
        return self._sealed(value)

    def _part(self, part: Json) -> Json:
        if not isinstance(part, dict):
            return self._sealed(part)
        return {
            name: value if key in _LABELS and _is_label(value) else self._sealed(value)
            for key, value in part.items()
            if (name := self._name(key)) is not None
        }

    def _name(self, key: str) -> str | None:
        return key if _LABEL.fullmatch(key) else self.text(key)

    def _sealed(self, value: Json) -> Json:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        return self.text(canonical(value).decode()) if value not in ([], {}) else value


def _is_label(value: Json) -> bool:
    return isinstance(value, str) and _LABEL.fullmatch(value) is not None
