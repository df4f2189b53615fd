"""An engine that hears views and agreement, and an upstream that can be talked round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scorers.engine import Health
from scorers.types import Score, Side, Subject
from tests.fakes import messages as anthropic
from tests.fakes.engine import MODEL, WordEngine
from tests.fakes.heads import Heads, Spec
from tests.fakes.replies import completion, text_completion, text_completion_events, text_events
from tests.fakes.responses import message_events, message_item, plain_response, response_events
from tests.fakes.scripts import Script, Status, Stream
from tests.fakes.upstream import Seen

VIEW = "I think"
CAVES = "You're right, it is Sydney."
HOLDS = "It is Canberra."
CITIES = ("Sydney", "Canberra")


@dataclass
class ViewEngine(WordEngine):
    """Hears a view in `I think`, a bent reply in `right`, and holds cities against the context.

    What names no city is not supported. `sycophantic` is the classifier's risk of a bent reply.
    """

    sycophantic: float = 0.9

    def _score(self, name: str, subject: Subject) -> Score:
        if name != "sycophancy":
            return super()._score(name, subject)
        if subject.side is Side.PROMPT:
            view = 0.99 if VIEW in subject.fresh else 0.01
            return Score(name, subject.side, MODEL, None, {"view": view}, reason="not_applicable")
        risk = self.sycophantic if "right" in subject.text else 0.1
        return Score(name, subject.side, MODEL, risk, {"sycophantic": risk})

    def _faithfulness(self, subject: Subject) -> Score:
        evidence = " ".join(subject.context)
        named = [city for city in CITIES if city in subject.text]
        risk = 0.01 if named and all(city in evidence for city in named) else 0.99
        return Score("faithfulness", subject.side, MODEL, risk, {"unsupported": risk})


@dataclass(frozen=True)
class Form:
    """One wire format: how a text is asked and answered, and where an instruction stands."""

    route: str
    ask: Callable[[str], dict[str, Any]]
    plain: Callable[[str], bytes]
    stream: Callable[..., list[bytes]]

    def script(self, text: str, *, is_stream: bool) -> Script:
        """An upstream's whole answer."""
        return Stream(self.stream(text)) if is_stream else Status(200, self.plain(text))


FORMS = {
    "chat": Form(
        "/v1/chat/completions",
        lambda text: {"model": "m", "messages": [{"role": "user", "content": text}]},
        completion,
        text_events,
    ),
    "completions": Form(
        "/v1/completions",
        lambda text: {"model": "m", "prompt": text},
        text_completion,
        text_completion_events,
    ),
    "responses": Form(
        "/v1/responses",
        lambda text: {"model": "m", "input": text},
        lambda text: plain_response(message_item(text)),
        lambda *pieces: response_events(message_events(*pieces)),
    ),
    "messages": Form("/v1/messages", anthropic.ask, anthropic.plain, anthropic.text_stream),
}


@dataclass
class Talked:
    """Answers with `bent` where the request holds a view, else with `twin`, if need be later.

    `asked` has the requests for twins; `twin` may be a script.
    """

    form: Form
    bent: str | Script = CAVES
    twin: str | Script = HOLDS
    twin_gate: asyncio.Event | None = None
    asked: list[Seen] = field(default_factory=list)

    def __call__(self, seen: Seen) -> Script:
        """The script of one request."""
        if VIEW.encode() in seen.body and b"regard to any opinion" not in seen.body:
            return self._script(self.bent, seen)
        self.asked.append(seen)
        script = self._script(self.twin, seen)
        return script if self.twin_gate is None else _Gated(script, self.twin_gate)

    def _script(self, said: str | Script, seen: Seen) -> Script:
        is_text = isinstance(said, str)
        return self.form.script(said, is_stream=seen.is_stream) if is_text else said


@dataclass
class Minded:
    """Answers by the view that a request states: `stated`, its `opposite`, or none (`neutral`).

    `seen` has the requests of each kind, in order.
    """

    form: Form
    stated: str | Script = CAVES
    neutral: str | Script = HOLDS
    opposite: str | Script = HOLDS
    seen: dict[str, list[Seen]] = field(
        default_factory=lambda: {"stated": [], "neutral": [], "opposite": []}
    )

    def __call__(self, seen: Seen) -> Script:
        """The script of one request."""
        kind = "neutral"
        if b"do not think" in seen.body:
            kind = "opposite"
        elif VIEW.encode() in seen.body and b"regard to any opinion" not in seen.body:
            kind = "stated"
        self.seen[kind].append(seen)
        said = getattr(self, kind)
        is_text = isinstance(said, str)
        return self.form.script(said, is_stream=seen.is_stream) if is_text else said


@dataclass
class WholeViewEngine(ViewEngine):
    """The same for a whole service, which asks how it is."""

    def health(self) -> Health:
        """It is well."""
        return Health(True, "CPUExecutionProvider", MODEL, "", 0, 0)


@dataclass
class ViewHeads(Heads):
    """A model with the four scorers' heads that compare answers."""

    scorers: Mapping[str, Spec] = field(
        default_factory=lambda: {
            "toxicity": Spec(("toxic", "harm", "injection"), ("toxic", "harm")),
            "faithfulness": Spec(("unsupported",), ("unsupported",)),
            "sycophancy": Spec(("sycophantic", "view"), ("sycophantic",)),
        }
    )
    prompt_only: frozenset[str] = frozenset({"injection", "view"})
    reply_only: frozenset[str] = frozenset({"unsupported", "sycophantic"})


@dataclass(frozen=True)
class _Gated:
    script: Script
    gate: asyncio.Event

    async def play(self, wire: Any) -> bool:
        """Waits, then plays."""
        await self.gate.wait()
        return await self.script.play(wire)
