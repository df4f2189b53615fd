"""`/openapi.json`: what FastAPI knows of the local routes, and the proxied ones beside them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

_JSON: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
_EXTENSION: dict[str, Any] = {
    "type": "object",
    "description": "Fairlead's own part of the request, removed before it goes upstream.",
    "properties": {
        "context": {"type": "array", "items": {"type": "string"}},
        "user": {"type": "string"},
        "conversation": {"type": "string"},
        "policy": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
_HEADERS: dict[str, Any] = {
    "x-fairlead-id": {"schema": {"type": "string"}, "description": "Id of the interaction."},
    "x-fairlead-verdict": {
        "schema": {"enum": ["allow", "flag", "veto", "unscored"]},
        "description": "The hardest verdict when the answer began.",
    },
    "x-fairlead-overhead-ms": {
        "schema": {"type": "number"},
        "description": "Time added by Fairlead; on streams up to the first byte.",
    },
}


def describe(app: FastAPI, scored: tuple[str, ...]) -> None:
    """Has the application's schema tell of the proxied routes too."""
    local = app.openapi

    def whole() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = local()
            schema["paths"] |= {route: {"post": _scored(route)} for route in scored}
            schema["paths"]["/v1/{path}"] = {m: _passed(m) for m in ("get", "post", "delete")}
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = whole  # type: ignore[method-assign]


def _scored(route: str) -> dict[str, Any]:
    body = {"type": "object", "properties": {"fairlead": _EXTENSION}, "additionalProperties": True}
    answers = {
        "200": "The upstream's reply, or a veto in the shape of its format.",
        "400": "The request cannot be read, or its prompt was vetoed (`content_filter`).",
        "403": "The API key may not do this, or its user is stopped (`user_stopped`).",
        "502": "The upstream failed.",
        "503": "A score or a record is missing, and the policy lets nothing pass without.",
        "504": "The upstream did not answer in time.",
    }
    return {
        "tags": ["proxy"],
        "summary": f"{route}, scored and recorded",
        "operationId": "proxy" + route.replace("/", "_"),
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            code: {"description": text, "headers": _HEADERS, "content": _JSON}
            for code, text in answers.items()
        },
    }


def _passed(method: str) -> dict[str, Any]:
    path = {"name": "path", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "tags": ["proxy"],
        "summary": "Any other route: passed through untouched and unscored",
        "operationId": f"pass_{method}",
        "parameters": [path],
        "responses": {"default": {"description": "What the upstream answers."}},
    }
