"""What we write ourselves in Anthropic's format: errors, events, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.dialects.body import encode
from service.errors import FairleadError

NO_USAGE = {"input_tokens": 0, "output_tokens": 0}
STOP_EVENT = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
REFUSED = "refusal"
"""The `stop_reason` of a veto."""

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def error_body(error: FairleadError) -> dict[str, Any]:
    """Anthropic's error envelope; our own code, parameter and extras stand beside the error."""
    told = {"type": _ERROR_TYPES.get(error.status, "api_error"), "message": error.message}
    body = {"type": "error", "error": told, "code": error.code}
    return body | ({"param": error.param} if error.param else {}) | error.extra


def encode_named(body: dict[str, Any]) -> bytes:
    """A body as one event, named by its type."""
    return b"event: " + str(body["type"]).encode() + b"\ndata: " + encode(body) + b"\n\n"


def message_of(head: dict[str, Any], content: list[Any], stop_reason: str | None) -> dict[str, Any]:
    """A message of ours; `head` has the id, the model and the usage."""
    return {
        "id": head.get("id"),
        "type": "message",
        "role": "assistant",
        "model": head.get("model"),
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": head.get("usage") or NO_USAGE,
    }


def is_structured(params: Mapping[str, Any]) -> bool:
    """Whether a request's settings ask for JSON."""
    config = params.get("output_config")
    wanted = config.get("format") if isinstance(config, dict) else params.get("output_format")
    return isinstance(wanted, dict)


def refusal_end(refusal: str, *, is_silent: bool) -> dict[str, Any]:
    """How a refused message ends; where it is silent, this is where the refusal stands."""
    end: dict[str, Any] = {"stop_reason": REFUSED, "stop_sequence": None}
    if is_silent:
        end["stop_details"] = {"type": "refusal", "category": None, "explanation": refusal}
    return end


def text_block(text: str) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": text}
