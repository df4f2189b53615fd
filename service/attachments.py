"""Images, audio and files in recorded messages: by reference and hash, not by content. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

_ADDRESSES = frozenset({"url", "image_url", "file_url", "video_url", "audio_url"})
_CONTENTS = frozenset({"file_data", "b64_json", "partial_image_b64"})
_BESIDE_DATA = frozenset({"format", "transcript", "expires_at", "media_type", "mime_type"})
_IMAGES = frozenset({"image_url", "image", "output_image", "image_generation_call"})


def by_reference(value: Any, *, under: str = "") -> Any:
    """A message, or any part of one, with each attachment's content replaced by what it was.

    In the content's place stands `{"sha256", "media_type", "bytes"}`, hash and size of the
    decoded content; an address that is no content stays. The value is not changed. `under` is
    the field that the value stands in.
    """
    if isinstance(value, list):
        return [by_reference(item, under=under) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _field(value, key, item, under=under) for key, item in value.items()}


def unread(message: Mapping[str, Any] | None) -> list[str]:
    """What a reply has that no scorer can read: `audio` without a transcript, `image`."""
    kinds = _unread(message or {})
    return list(dict.fromkeys(kinds))


def _field(node: Mapping[str, Any], key: str, value: Any, *, under: str) -> Any:
    if isinstance(value, dict | list):
        return by_reference(value, under=key)
    if not isinstance(value, str) or not value:
        return value
    if not _is_content(node, key, value) and (key, under) != ("data", "audio"):
        return value
    head, comma, _ = value[:256].partition(",")
    if not (head.startswith("data:") and comma):
        return _reference(_decoded(value), _media_type(node))
    data = value[len(head) + 1 :]
    media_type, *options = head.removeprefix("data:").split(";")
    content = _decoded(data) if "base64" in options else unquote_to_bytes(data)
    return _reference(content, media_type or _media_type(node))


def _is_content(node: Mapping[str, Any], key: str, value: str) -> bool:
    if key in _ADDRESSES:
        return value.startswith("data:")
    if key == "data":
        return node.get("type") == "base64" or not _BESIDE_DATA.isdisjoint(node)
    return key in _CONTENTS or (key == "result" and node.get("type") == "image_generation_call")


def _decoded(data: str) -> bytes:
    """The bytes of base64 text; the text's own where it is none."""
    raw = data.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(raw, validate=True)
    except binascii.Error:
        return raw


def _media_type(node: Mapping[str, Any]) -> str | None:
    for name in ("media_type", "mime_type"):
        if isinstance(found := node.get(name), str):
            return found
    form = node.get("format") or node.get("output_format")
    kind = "image" if node.get("type") == "image_generation_call" else "audio"
    return f"{kind}/{form}" if isinstance(form, str) else None


def _reference(content: bytes, media_type: str | None) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"sha256": digest, "media_type": media_type, "bytes": len(content)}


def _unread(message: Mapping[str, Any]) -> Iterator[str]:
    audio = message.get("audio")
    if isinstance(audio, dict) and not audio.get("transcript"):
        yield "audio"
    for name in ("content", "images"):
        parts = message.get(name)
        for part in parts if isinstance(parts, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            if isinstance(kind, str) and (kind in _IMAGES or name == "images"):
                yield "image"
            elif kind in ("audio", "output_audio") and not part.get("transcript"):
                yield "audio"
