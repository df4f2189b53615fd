"""One streamed text completion."""

from __future__ import annotations

from typing import Any

from service.dialects.base import VetoNote
from service.dialects.body import encode_event
from service.dialects.chat_stream import ChatStream, choice_index, choices_of, with_logprobs
from service.dialects.logprobs import completion_logprobs
from service.dialects.text import choice_texts
from service.errors import UpstreamMalformed
from service.exchange import Delta

KIND = "text_completion"


class CompletionsStream(ChatStream):
    """Reads and writes a stream whose choices have `text` where chat has a delta."""

    kind = KIND
    id_prefix = "cmpl"

    def refusal(self, choice: int, note: VetoNote, *, has_begun: bool) -> bytes:  # noqa: ARG002
        """A choice with the refusal text, then its end as `content_filter`."""
        head = self.head(note, self.kind)
        said = head | {"choices": [refused(choice, note.refusal, None)]}
        ended = head | {"choices": [refused(choice, "", "content_filter")]}
        return encode_event(said) + encode_event(ended | {"fairlead": note.fairlead})

    def _said(self, body: dict[str, Any]) -> tuple[list[Delta], list[tuple[int, str]]]:
        deltas: list[Delta] = []
        finished: list[tuple[int, str]] = []
        for at, choice in enumerate(choices_of(body)):
            index = choice_index(choice, at)
            self._assembly.add(index, {"content": text_of(choice, at)})
            deltas += with_logprobs(index, texts_of(choice, at), completion_logprobs(choice))
            if (reason := finish_of(choice, at)) is not None:
                finished.append((index, reason))
        return deltas, finished


def refused(index: int, text: str, reason: str | None) -> dict[str, Any]:
    """A choice of our own."""
    return {"text": text, "index": index, "logprobs": None, "finish_reason": reason}


def text_of(choice: dict[str, Any], at: int) -> str:
    """A choice's text; null counts as none."""
    text = choice.get("text")
    if text is None:
        return ""
    if isinstance(text, str):
        return text
    raise UpstreamMalformed(f"The upstream sent a choice without a text: choices[{at}].")


def texts_of(choice: dict[str, Any], at: int) -> list[tuple[str, str]]:
    """Channel and text of all that a choice says, also where it is shaped like chat's."""
    return choice_texts(choice, {"content": text_of(choice, at)})


def finish_of(choice: dict[str, Any], at: int) -> str | None:
    """Why a choice ended, None where it has not."""
    reason = choice.get("finish_reason")
    if isinstance(reason, str | None):
        return reason
    raise UpstreamMalformed(f"The upstream sent a wrong choices[{at}].finish_reason.")
