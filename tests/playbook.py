"""Tests as dialogues: what happened goes in on the left, what must be done stands on the right.

    Playbook(StreamVeto()) >> say("Hello. ") << [ask(0, 6)] >> clear() << [sent("Hello. ")]

A playbook stops at the first line that differs and shows the dialogue so far.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from service.exchange import Delta, Event
from service.veto import Command, End, Refuse, Release, Score, StreamVeto, Window

Step = Callable[["Playbook"], list[Command]]


class Playbook:
    """Plays a dialogue with one `StreamVeto`; `now` is the driver's clock."""

    def __init__(self, veto: StreamVeto) -> None:
        self.veto = veto
        self.now = 0.0
        self.windows: list[Window] = []
        self.log: list[str] = []
        self._got: list[Command] = []

    def __rshift__(self, step: Step) -> Playbook:
        assert not self._got, f"left unsaid: {self._got}\n" + "\n".join(self.log)
        self._got = step(self)
        self.windows += [c.window for c in self._got if isinstance(c, Score)]
        self.log.append(f">> {getattr(step, '__qualname__', step)} << {self._got}")
        return self

    def __lshift__(self, expected: list[Any]) -> Playbook:
        got, self._got = [_plain(command) for command in self._got], []
        assert expected == got, "\n".join(self.log)
        return self


def _plain(command: Command) -> Any:
    """A command as the short form that the playbooks are written in."""
    match command:
        case Score(window):
            return ("ask", window.choice, window.start, window.stop)
        case Release(event, without, _):
            return ("sent", event.raw.decode(), sorted(without))
        case Refuse(choice, has_begun):
            return ("refuse", choice, has_begun)
        case End(failure, needs_done):
            return ("end", failure and failure.code, needs_done)
    return type(command).__name__


def ask(start: int, stop: int, *, choice: int = 0) -> Any:
    """Expected: a window of a choice's text is sent to be scored."""
    return ("ask", choice, start, stop)


def sent(text: str, *without: int) -> Any:
    """Expected: an event leaves."""
    return ("sent", text, list(without))


def refused(choice: int = 0, *, has_begun: bool = True) -> Any:
    """Expected: a refusal leaves."""
    return ("refuse", choice, has_begun)


def over(failure: str | None = None, *, needs_done: bool = False) -> Any:
    """Expected: the end."""
    return ("end", failure, needs_done)


def say(text: str, *, choice: int = 0, channel: str = "content") -> Step:
    """An event with some text comes."""
    event = Event(text.encode(), deltas=(Delta(choice, channel, text),))
    return lambda book: book.veto.arrived(event, now=book.now)


def begin(choice: int = 0) -> Step:
    """An event that only names the role comes."""
    event = Event(b"<role>", body={"choices": [{"index": choice}]})
    return lambda book: book.veto.arrived(event, now=book.now)


def stop(choice: int = 0, *, text: str = "") -> Step:
    """A choice's finish comes."""
    deltas = (Delta(choice, "content", text),) if text else ()
    event = Event(b"<stop>", deltas=deltas, finished=((choice, "stop"),))
    return lambda book: book.veto.arrived(event, now=book.now)


def usage() -> Step:
    """The usage comes."""
    event = Event(b"<usage>", usage={"total_tokens": 3})
    return lambda book: book.veto.arrived(event, now=book.now)


def done() -> Step:
    """The stream's end mark comes."""
    return lambda book: book.veto.arrived(Event(b"<done>", is_done=True), now=book.now)


def eof(failure: Any = None) -> Step:
    """The upstream has closed."""
    return lambda book: book.veto.ended(now=book.now, failure=failure)


def clear(at: int = -1) -> Step:
    """A window is scored and may pass."""
    return lambda book: book.veto.scored(book.windows[at], is_veto=False, now=book.now)


def veto(at: int = -1) -> Step:
    """A window is scored and may not pass."""
    return lambda book: book.veto.scored(book.windows[at], is_veto=True, now=book.now)


def prompt(*, is_veto: bool = False) -> Step:
    """The prompt's verdict comes."""
    return lambda book: book.veto.prompt_settled(is_veto=is_veto, now=book.now)


def kept() -> Step:
    """The record is durable."""
    return lambda book: book.veto.recorded()


def withdraw() -> Step:
    """Nothing of the reply may pass, and no other came."""
    return lambda book: book.veto.withdrawn()


def wait(seconds: float) -> Step:
    """Time passes, and the driver ticks."""

    def step(book: Playbook) -> list[Command]:
        book.now += seconds
        return book.veto.tick(now=book.now)

    return step


def abort(failure: Any) -> Step:
    """Nothing more may pass."""
    return lambda book: book.veto.aborted(failure)
