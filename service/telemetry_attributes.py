"""What spans and events say of an exchange, by OpenTelemetry's names. Pure.

Names as of September 2026 in github.com/open-telemetry/semantic-conventions-genai.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from opentelemetry.util.types import AttributeValue

from service.attachments import by_reference
from service.exchange import Ask
from service.recorder import Attempt, Run
from storage.records import ScoreRecord

Attributes = dict[str, AttributeValue]

_OPERATIONS = {"completions": "text_completion"}
_PROVIDERS = {"messages": "anthropic"}
_NUMBERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
}
"""Parameters of a request by the name that the convention has for them."""


def operation(ask: Ask) -> str:
    """What a request asks to be done."""
    return _OPERATIONS.get(ask.dialect, "chat")


def asked(ask: Ask, *, with_text: bool) -> Attributes:
    """What a request asks for. A provider is told by its wire format, as its clients do."""
    found: Attributes = {
        "gen_ai.operation.name": operation(ask),
        "gen_ai.provider.name": _PROVIDERS.get(ask.dialect, "openai"),
    }
    if ask.model:
        found["gen_ai.request.model"] = ask.model
    if ask.is_stream:
        found["gen_ai.request.stream"] = True
    if ask.n != 1:
        found["gen_ai.request.choice.count"] = ask.n
    if ask.extension.conversation:
        found["gen_ai.conversation.id"] = ask.extension.conversation
    for name, told in _NUMBERS.items():
        value = ask.params.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[f"gen_ai.request.{told}"] = value
    stop = ask.params.get("stop") or ask.params.get("stop_sequences")
    if with_text and stop:
        found["gen_ai.request.stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    return found


def replied(ask: Ask, reply: Attempt | Run) -> Attributes:
    """What came back: ids, why it ended, and how many tokens it took."""
    found: Attributes = {}
    if reply.reply_id:
        found["gen_ai.response.id"] = reply.reply_id
    if reply.reply_model:
        found["gen_ai.response.model"] = reply.reply_model
    reasons = [reason for _, reason in sorted(reply.finishes.items()) if reason]
    if reasons:
        found["gen_ai.response.finish_reasons"] = reasons
    tokens = _tokens(reply.usage or {}, is_anthropic=ask.dialect == "messages")
    return found | {f"gen_ai.usage.{name}": count for name, count in tokens}


def _tokens(usage: Mapping[str, Any], *, is_anthropic: bool) -> Iterator[tuple[str, int]]:
    def count(*names: str) -> int | None:
        found = (usage.get(name) for name in names)
        return next((value for value in found if isinstance(value, int)), None)

    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    read = count("cache_read_input_tokens")
    if read is None and isinstance(details, dict) and isinstance(details.get("cached_tokens"), int):
        read = details["cached_tokens"]
    written = count("cache_creation_input_tokens")
    put = count("prompt_tokens", "input_tokens")
    if put is not None:
        # Anthropic's figure leaves out what its cache had; the convention's does not.
        yield "input_tokens", put + ((read or 0) + (written or 0) if is_anthropic else 0)
    got = count("completion_tokens", "output_tokens")
    if got is not None:
        yield "output_tokens", got
    if read is not None:
        yield "cache_read.input_tokens", read
    if written is not None:
        yield "cache_creation.input_tokens", written


def evaluation(score: ScoreRecord, reply_id: str | None) -> Attributes | None:
    """One score as `gen_ai.evaluation.result` has it; None for one that did not apply."""
    found: Attributes = {"gen_ai.evaluation.name": score.scorer, "fairlead.side": score.side}
    if reply_id:
        found["gen_ai.response.id"] = reply_id
    if score.choice_index is not None:
        found["fairlead.choice"] = score.choice_index
    if score.status == "failed":
        return found | {"error.type": str((score.heads or {}).get("failure", "failed"))}
    if score.risk is None:
        return None
    found |= {"gen_ai.evaluation.score.value": score.risk, "fairlead.scorer.model": score.model}
    if score.verdict:
        found["gen_ai.evaluation.score.label"] = score.verdict
    for name, threshold in (("flag", score.flag_threshold), ("veto", score.veto_threshold)):
        if threshold is not None:
            found[f"fairlead.threshold.{name}"] = threshold
    return found


def contents(ask: Ask, reply: Attempt | Run) -> Attributes:
    """The texts of both sides, as the model read and wrote them; attachments by reference."""
    system = [m for m in ask.messages if m.get("role") in ("system", "developer")]
    said = [m for m in ask.messages if m not in system]
    found = {"gen_ai.input.messages": [_message(message) for message in said]}
    if system:
        found["gen_ai.system_instructions"] = [p for m in system for p in _message(m)["parts"]]
    written = [
        _message(message) | {"finish_reason": reply.finishes.get(index) or ""}
        for index, message in sorted(reply.messages.items())
    ]
    if written:
        found["gen_ai.output.messages"] = written
    return {name: orjson.dumps(value).decode() for name, value in found.items()}


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message in the convention's form."""
    told = by_reference(dict(message))
    role = told.get("role") or "assistant"
    content = told.get("content")
    parts = [_part(part) for part in (content if isinstance(content, list) else [content])]
    if role == "tool":
        parts = [{"type": "tool_call_response", "id": told.get("tool_call_id"),
                  "response": content}]  # fmt: skip
    for call in told.get("tool_calls") or ():
        asked_for = call.get("function") or {}
        parts.append({"type": "tool_call", "id": call.get("id"), "name": asked_for.get("name"),
                      "arguments": asked_for.get("arguments")})  # fmt: skip
    return {"role": role, "parts": [part for part in parts if part]}


def _part(part: Any) -> dict[str, Any] | None:
    if part is None:
        return None
    if isinstance(part, str):
        return {"type": "text", "content": part}
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return {"type": "text", "content": part["text"]}
    return part if isinstance(part, dict) else {"type": "text", "content": str(part)}
