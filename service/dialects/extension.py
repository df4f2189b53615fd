"""The request's `fairlead` object."""

from __future__ import annotations

from typing import Any

from service.dialects.base import ReadLimits
from service.errors import BadRequest
from service.exchange import Extension

KEY = "fairlead"
_FIELDS = ("context", "user", "conversation", "policy", "tags")


def read_extension(value: Any, limits: ReadLimits) -> Extension:
    """The object's fields; null counts as empty, anything unknown is a `BadRequest`."""
    if value is None:
        return Extension()
    if not isinstance(value, dict):
        raise BadRequest("`fairlead` must be an object.", param=KEY)
    for name in value:
        if name not in _FIELDS:
            known = ", ".join(_FIELDS)
            raise BadRequest(f"`fairlead` has no field {name!r}; it has {known}.", param=KEY)
    return Extension(
        context=_texts(value, "context", limits.max_context_items),
        user=_text(value, "user"),
        conversation=_text(value, "conversation"),
        policy=_text(value, "policy"),
        tags=_texts(value, "tags", limits.max_context_items),
    )


def _text(value: dict[str, Any], name: str) -> str | None:
    text = value.get(name)
    if text is None or isinstance(text, str):
        return text
    raise BadRequest(f"`fairlead.{name}` must be a string.", param=f"{KEY}.{name}")


def _texts(value: dict[str, Any], name: str, max_items: int) -> tuple[str, ...]:
    texts = value.get(name)
    if texts is None:
        return ()
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadRequest(f"`fairlead.{name}` must be a list of strings.", param=f"{KEY}.{name}")
    if len(texts) > max_items:
        raise BadRequest(
            f"`fairlead.{name}` has {len(texts)} items; send at most {max_items}.",
            param=f"{KEY}.{name}",
        )
    return tuple(texts)
