"""The stream veto: what happened goes in, what to do comes out. No clock, no I/O.

A reply is cut into *windows* at sentence ends. A window that is closed is sent
to be scored; the events that it covers are held until the answer is there.
One window per text is under way at a time: what closes meanwhile is scored
together with the next, so a slow scorer sees fewer and larger windows.

The driver calls the methods of `StreamVeto` and carries out the commands that
they return, in order. It has to call `tick` when `next_tick` is due.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from scorers.sentences import sentence_ends
from service.errors import FairleadError
from service.exchange import Event

Logprobs = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class WindowLimits:
    """When a window closes before its sentence has ended.

    `max_chars` of waiting text, or `max_wait_s` seconds after its first character.
    """

    max_chars: int = 600
    max_wait_s: float = 0.4


@dataclass(frozen=True, slots=True)
class Window:
    """`text[start:stop]` of one text of one choice, to be scored.

    `logprobs` are those of the tokens that came with it, where the upstream tells them.
    """

    choice: int
    group: str
    text: str
    start: int
    stop: int
    logprobs: Logprobs = ()


@dataclass(frozen=True, slots=True)
class Score:
    """Have this window scored and answer with `scored`."""

    window: Window


@dataclass(frozen=True, slots=True)
class Release:
    """Send this event, with the vetoed choices taken out; `since` is when it came."""

    event: Event
    without: frozenset[int]
    since: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """Send the refusal that ends this choice."""

    choice: int
    has_begun: bool


@dataclass(frozen=True, slots=True)
class CloseUpstream:
    """Nothing more is wanted of the upstream: cancel it, or drain it for its usage."""

    is_draining: bool


@dataclass(frozen=True, slots=True)
class Record:
    """All is decided: make the record durable, then call `recorded`."""


@dataclass(frozen=True, slots=True)
class End:
    """The stream is over; `failure` has to be told first, `needs_done` asks for the end mark."""

    failure: FairleadError | None
    needs_done: bool


Command = Score | Release | Refuse | CloseUpstream | Record | End


def group_of(channel: str) -> str:
    """The text that a channel belongs to: a tool's name and arguments are one text."""
    return channel.rpartition(":")[0] if _is_call(channel) else channel


def _is_call(channel: str) -> bool:
    """Whether it belongs to a tool call, which clients carry out."""
    return channel.startswith(("tool:", "function:"))


@dataclass(slots=True)
class _Track:
    """One text of one choice: what has come, been asked about and been cleared."""

    parts: list[str] = field(default_factory=list)
    pending: str = ""
    length: int = 0
    asked: int = 0
    cleared: int = 0
    is_asking: bool = False
    pending_since: float = 0.0
    last_channel: str = ""
    is_call: bool = False
    logprobs: deque[tuple[int, Logprobs]] = field(default_factory=deque)

    def append(self, channel: str, text: str, *, now: float, logprobs: Logprobs = ()) -> int:
        """Adds text and returns the offset at which it ends."""
        if logprobs:
            self.logprobs.append((self.length, logprobs))
        if self.last_channel and channel != self.last_channel:
            text = "\n" + text
        self.last_channel = channel
        self.is_call = _is_call(channel)
        if not self.pending:
            self.pending_since = now
        self.parts.append(text)
        self.pending += text
        self.length += len(text)
        return self.length

    def take(self, size: int, *, now: float) -> tuple[str, int, int, Logprobs]:
        """Closes a window over the next `size` characters: the whole text, start, stop, logprobs.

        Tokens belong to the window in which the event that brought them began.
        """
        start, self.asked = self.asked, self.asked + size
        self.pending = self.pending[size:]
        self.pending_since = now
        self.is_asking = True
        if len(self.parts) > 1:
            self.parts = ["".join(self.parts)]
        logprobs: list[float] = []
        while self.logprobs and self.logprobs[0][0] < self.asked:
            logprobs += self.logprobs.popleft()[1]
        return self.parts[0][: self.asked], start, self.asked, tuple(logprobs)


@dataclass(slots=True)
class _Choice:
    writing: set[str] = field(default_factory=set)
    is_finished: bool = False
    is_vetoed: bool = False
    is_refused: bool = False
    has_begun: bool = False


_Needs = tuple[tuple[tuple[int, str], int], ...]
"""Up to which offset each text has to be cleared before an event may pass."""


@dataclass(frozen=True, slots=True)
class _Held:
    event: Event
    choices: frozenset[int]
    needs: _Needs
    is_tail: bool
    since: float


class StreamVeto:
    """Decides over one reply, plain or streamed.

    `choices` is how many the client asked for. With `is_holding` nothing leaves
    before its scores; without, text leaves at once and only the end waits. With
    `is_enforcing` a veto takes effect; `is_scoring` says whether windows are
    made at all.
    """

    def __init__(
        self,
        *,
        choices: int = 1,
        limits: WindowLimits | None = None,
        is_holding: bool = True,
        is_enforcing: bool = True,
        is_scoring: bool = True,
        wants_usage: bool = False,
    ) -> None:
        self._limits = limits or WindowLimits()
        self._is_holding = is_holding
        self._is_enforcing = is_enforcing
        self._is_scoring = is_scoring
        self._is_prompt_pending = False
        self._is_prompt_gating = False
        self._wants_usage = wants_usage
        self._queue: deque[_Held] = deque()
        self._tracks: dict[tuple[int, str], _Track] = {}
        self._choices: dict[int, _Choice] = {index: _Choice() for index in range(choices)}
        self._has_ended = False
        self.has_done = False
        self._has_closed = False
        self._has_cleared = False
        self._is_recording = False
        self._is_recorded = False
        self._is_over = False
        self.failure: FairleadError | None = None

    @property
    def vetoed(self) -> frozenset[int]:
        """The choices that were vetoed."""
        return frozenset(i for i, choice in self._choices.items() if choice.is_vetoed)

    @property
    def has_ended(self) -> bool:
        """Whether the stream's end has come, so that nothing after it counts."""
        return self._has_ended

    @property
    def is_over(self) -> bool:
        """Whether `End` was given."""
        return self._is_over

    def tail(self) -> list[tuple[Event, frozenset[int]]]:
        """The events that leave after the record, with the choices that are taken out of each."""
        return [(held.event, self.vetoed) for held in self._queue]

    def next_tick(self) -> float | None:
        """When `tick` is due next, in the driver's own clock; None for not at all."""
        if not self._is_scoring or self._has_ended:
            return None
        waiting = (t.pending_since for t in self._live_tracks() if t.pending and not t.is_asking)
        first = min(waiting, default=None)
        return None if first is None else first + self._limits.max_wait_s

    def await_prompt(self, *, is_gating: bool) -> None:
        """The prompt's verdict is still to come; with `is_gating` text waits for it."""
        self._is_prompt_pending = True
        self._is_prompt_gating = is_gating

    def arrived(self, event: Event, *, now: float) -> list[Command]:
        """An event came from the upstream."""
        if self._has_ended:
            return []
        needs = []
        writing: dict[int, set[str]] = {}
        for delta in event.deltas:
            key = (delta.choice, group_of(delta.channel))
            if not self._choice(delta.choice).is_vetoed:
                track = self._tracks.setdefault(key, _Track())
                end = track.append(delta.channel, delta.text, now=now, logprobs=delta.logprobs)
                needs.append((key, end))
                if not delta.channel.startswith("other:"):
                    writing.setdefault(delta.choice, set()).add(key[1])
        for index, groups in writing.items():
            self._choices[index].writing = groups
        for index, _ in event.finished:
            self._choice(index).is_finished = True
        self.has_done = self.has_done or event.is_done
        self._hold(event, tuple(needs), now=now)
        if event.is_done or event.error is not None:
            self._has_ended = True
        return self._go_on(now=now)

    def tick(self, *, now: float) -> list[Command]:
        """Time has passed: windows that waited too long are closed."""
        return self._go_on(now=now)

    def scored(self, window: Window, *, is_veto: bool, now: float) -> list[Command]:
        """The answer to a `Score` command."""
        if self._is_over or self._choice(window.choice).is_vetoed:
            return []
        track = self._tracks[window.choice, window.group]
        track.is_asking = False
        if is_veto and self._is_enforcing:
            return [*self._veto(window.choice), *self._go_on(now=now)]
        track.cleared = window.stop
        self._has_cleared = True
        return self._go_on(now=now)

    def prompt_settled(self, *, is_veto: bool, now: float) -> list[Command]:
        """The prompt's verdict is known."""
        self._is_prompt_pending = False
        out: list[Command] = []
        if is_veto and not self._is_recording:
            for index in [i for i, c in self._choices.items() if not c.is_vetoed]:
                out += self._veto(index)
        return [*out, *self._go_on(now=now)]

    def ended(self, *, now: float, failure: FairleadError | None = None) -> list[Command]:
        """The upstream has ended, with a failure where it ended in the middle."""
        if not self._has_ended:
            self._has_ended = True
            self.failure = failure
        return self._go_on(now=now)

    def aborted(self, failure: FairleadError) -> list[Command]:
        """Nothing more may pass: what is held is dropped and the failure is told."""
        if self._is_recording:
            return []
        self._queue.clear()
        self._has_ended = self._is_recording = True
        self.failure = failure
        return [CloseUpstream(is_draining=False), Record()]

    def withdrawn(self) -> list[Command]:
        """Nothing of the reply may pass and nothing more comes: every choice is refused."""
        self._has_ended = self._is_recording = True
        for choice in self._choices.values():
            choice.is_vetoed = True
        return [Record()]

    def dropped(self, failure: FairleadError) -> None:
        """The record could not be kept: the end must not be seen."""
        self._queue.clear()
        self.failure = failure
        for choice in self._choices.values():
            choice.is_refused = True

    def recorded(self) -> list[Command]:
        """The record is durable: the end may be seen."""
        self._is_recorded = True
        out: list[Command] = list(self._refusals())
        while self._queue:
            out += self._release(self._queue.popleft())
        self._is_over = True
        needs_done = self.failure is None and not self.has_done and bool(self.vetoed)
        return [*out, End(failure=self.failure, needs_done=needs_done)]

    def _choice(self, index: int) -> _Choice:
        return self._choices.setdefault(index, _Choice())

    def _live_tracks(self) -> Iterator[_Track]:
        for (index, _), track in self._tracks.items():
            if not self._choices[index].is_vetoed:
                yield track

    def _hold(self, event: Event, needs: _Needs, *, now: float) -> None:
        is_tail = event.is_done or event.error is not None or self._all_closed()
        choices = frozenset(
            [delta.choice for delta in event.deltas] + [index for index, _ in event.finished]
        )
        self._queue.append(_Held(event, choices, needs, is_tail, now))

    def _all_closed(self) -> bool:
        return all(c.is_finished or c.is_vetoed for c in self._choices.values())

    def _go_on(self, *, now: float) -> list[Command]:
        if self._is_recording:
            return []
        out: list[Command] = [*self._close_windows(now=now)]
        while self._queue and self._may_pass(self._queue[0]):
            out += self._release(self._queue.popleft())
        if self._has_ended and self._is_settled():
            self._is_recording = True
            if self.vetoed and self._all_closed():
                # The reply has its end, which is ours: how the upstream's came is no matter.
                self.failure = None
            out.append(Record())
        return out

    def _close_windows(self, *, now: float) -> Iterator[Command]:
        if not self._is_scoring:
            return
        for (index, group), track in self._tracks.items():
            choice = self._choices[index]
            if choice.is_vetoed or track.is_asking or not track.pending:
                continue
            is_whole = self._is_whole(index, group)
            size = len(track.pending) if is_whole else self._cut(track, now=now)
            if size:
                yield Score(Window(index, group, *track.take(size, now=now)))

    def _cut(self, track: _Track, *, now: float) -> int:
        ends = sentence_ends(track.pending)
        if ends:
            # The white space after it is covered too, or its event would wait for the next one.
            return len(track.pending) - len(track.pending[ends[-1] :].lstrip())
        is_late = now - track.pending_since >= self._limits.max_wait_s
        if not is_late and len(track.pending) < self._limits.max_chars:
            return 0
        at_word = track.pending.rfind(" ") + 1
        return at_word or len(track.pending)

    def _may_pass(self, held: _Held) -> bool:
        if held.is_tail:
            return False
        is_gated = self._is_prompt_pending and self._is_prompt_gating
        if is_gated and (self._is_holding or held.event.finished):
            return False
        if not self._is_enforcing or not self._is_scoring:
            return True
        if not self._is_holding:
            return all(self._is_cleared(index) for index, _ in held.event.finished)
        if held.event.body is not None and not self._has_cleared:
            # The head of the answer waits too: until then an error can still have its own status.
            return False
        return all(
            self._choices[key[0]].is_vetoed or self._may_leave(key, end) for key, end in held.needs
        )

    def _may_leave(self, key: tuple[int, str], end: int) -> bool:
        """Whether a text may be seen up to an offset; a tool call only as a whole."""
        track = self._tracks[key]
        if track.is_call and not self._is_whole(*key):
            return False
        return track.cleared >= (track.length if track.is_call else end)

    def _is_whole(self, index: int, group: str) -> bool:
        """Whether no more of a text will come: its choice has ended, or a call has been left."""
        choice = self._choices[index]
        if choice.is_finished or self._has_ended:
            return True
        return group not in choice.writing and self._tracks[index, group].is_call

    def _is_cleared(self, index: int) -> bool:
        """Whether a choice can no longer be vetoed, so that its finish may be seen."""
        return self._choices[index].is_vetoed or all(
            track.cleared == track.length for key, track in self._tracks.items() if key[0] == index
        )

    def _release(self, held: _Held) -> Iterator[Command]:
        # Also what a choice says beside its text must not pass, and only its dialect sees that.
        vetoed = self.vetoed
        for index in held.choices - vetoed:
            self._choices[index].has_begun = True
        if held.choices and held.choices <= vetoed and held.event.usage is None:
            return
        yield Release(held.event, vetoed, held.since)

    def _is_settled(self) -> bool:
        if self._is_prompt_pending:
            return False
        return not self._is_scoring or all(
            track.cleared == track.length for track in self._live_tracks()
        )

    def _veto(self, index: int) -> Iterator[Command]:
        choice = self._choices[index]
        choice.is_vetoed = True
        if not self._all_closed():
            yield from self._refusals()
        elif not self._has_closed and not self._has_ended:
            self._has_closed = True
            if not self._wants_usage:
                self._has_ended = True
            yield CloseUpstream(is_draining=self._wants_usage)

    def _refusals(self) -> Iterator[Command]:
        for index, choice in self._choices.items():
            if choice.is_vetoed and not choice.is_refused:
                choice.is_refused = True
                yield Refuse(index, choice.has_begun)
