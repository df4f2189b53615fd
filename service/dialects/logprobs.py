"""How sure a model was of its tokens, where a reply tells: natural log-probabilities.

What is not told, or not of every token, gives none; nothing here ever fails a reply.
"""

from __future__ import annotations

from typing import Any

Logprobs = tuple[float, ...]


def chat_logprobs(choice: Any) -> Logprobs:
    """Those of a chat choice or chunk: `logprobs.content[].logprob`."""
    told = choice.get("logprobs") if isinstance(choice, dict) else None
    return listed_logprobs(told.get("content")) if isinstance(told, dict) else ()


def completion_logprobs(choice: Any) -> Logprobs:
    """Those of a text completion: `logprobs.token_logprobs`.

    An echoed prompt begins with a token that has none; then nothing is known of the reply alone.
    """
    told = choice.get("logprobs") if isinstance(choice, dict) else None
    return _numbers(told.get("token_logprobs")) if isinstance(told, dict) else ()


def response_logprobs(output: Any) -> Logprobs:
    """Those of a response's output: of each text part of each message, in order."""
    found: list[float] = []
    for item in output if isinstance(output, list) else ():
        parts = item.get("content") if isinstance(item, dict) else None
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict) and part.get("type") == "output_text" and part.get("text"):
                told = listed_logprobs(part.get("logprobs"))
                if not told:
                    return ()
                found += told
    return tuple(found)


def listed_logprobs(tokens: Any) -> Logprobs:
    """The `logprob` of each token object of a list."""
    if not isinstance(tokens, list) or not all(isinstance(token, dict) for token in tokens):
        return ()
    return _numbers([token.get("logprob") for token in tokens])


def _numbers(values: Any) -> Logprobs:
    if not isinstance(values, list):
        return ()
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return ()
    return tuple(float(value) for value in values)
