"""The nouns of one exchange: what was asked, what came back, what was decided.

Plain frozen values without I/O. A dialect makes `Ask`, `Reply` and `Event` from
bytes; `veto.py` decides over them; `flow.py` runs them; `recorder.py` keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from scorers.types import Score, Side

CONTENT = "content"
"""The channel of a reply's ordinary text. The others are `refusal`, `reasoning`,
`tool:K:name`, `tool:K:arguments`, `function:name` and `function:arguments`."""


class Outcome(StrEnum):
    """What was decided, from mildest to hardest; `unscored` where nothing was."""

    UNSCORED = "unscored"
    ALLOW = "allow"
    FLAG = "flag"
    VETO = "veto"

    @property
    def rank(self) -> int:
        """Position in the order of hardness, for taking the hardest of several."""
        return _RANK[self]


_RANK = {Outcome.UNSCORED: 0, Outcome.ALLOW: 1, Outcome.FLAG: 2, Outcome.VETO: 3}


def hardest(outcomes: Any) -> Outcome:
    """The hardest of some outcomes; `unscored` for none."""
    return max(outcomes, key=lambda o: o.rank, default=Outcome.UNSCORED)


class Status(StrEnum):
    """How an exchange ended, as recorded."""

    COMPLETED = "completed"
    VETOED = "vetoed"
    PROMPT_VETOED = "prompt_vetoed"
    UPSTREAM_ERROR = "upstream_error"
    UPSTREAM_CUT = "upstream_cut"
    CLIENT_GONE = "client_gone"
    FAILED = "failed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Extension:
    """The request's `fairlead` object, taken out before the request goes upstream."""

    context: tuple[str, ...] = ()
    user: str | None = None
    conversation: str | None = None
    policy: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A text that the prompt side is scored on, by itself.

    `at` is its place in the request, such as `messages[2]`. What is not new was said before the
    model last spoke: it was looked at when it was new, and can only veto.
    """

    text: str
    at: str = ""
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """What a choice answers, and the sources that it is held against."""

    prompt: str
    context: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """A parsed request.

    `body` is what goes upstream: the client's own bytes, unless the `fairlead`
    key had to be taken out. `prompt` is the newest user content, beside which a
    reply is scored; `pieces` are the texts that the prompt side is scored on, the
    newest first (`prompt` where there are none); `transcript` is the whole
    conversation as `User: ...` / `Assistant: ...` lines; `context` the sources
    that the reply is held against; `context_left_out` is how many older ones a
    limit left out. A request of several prompts has its `questions`, each with
    an equal share of the `n` choices, in order. With `is_stored` the reply was
    made before and is fetched again.
    """

    route: str
    dialect: str
    body: bytes
    model: str
    messages: list[dict[str, Any]]
    prompt: str
    pieces: tuple[Piece, ...] = ()
    transcript: str = ""
    context: tuple[str, ...] = ()
    context_left_out: int = 0
    is_stream: bool = False
    wants_usage: bool = False
    n: int = 1
    tools: list[dict[str, Any]] | None = None
    params: dict[str, Any] = field(default_factory=dict)
    extension: Extension = field(default_factory=Extension)
    questions: tuple[Question, ...] = ()
    is_stored: bool = False

    def question(self, choice: int) -> Question:
        """What a choice answers."""
        if not self.questions:
            return Question(self.prompt, self.context)
        at = choice * len(self.questions) // self.n
        return self.questions[min(at, len(self.questions) - 1)]


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of text of one channel of one choice.

    `logprobs` are the natural log-probabilities of its tokens, where the upstream tells them.
    """

    choice: int
    channel: str
    text: str
    logprobs: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of a plain reply: its message as the model wrote it, and its text by channel.

    `logprobs` are the natural log-probabilities of the tokens of its ordinary text.
    """

    index: int
    message: dict[str, Any]
    channels: Mapping[str, str]
    finish_reason: str | None
    logprobs: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """A plain reply, parsed. `body` is the decoded JSON, never changed in place."""

    id: str | None
    model: str | None
    choices: tuple[Choice, ...]
    usage: dict[str, Any] | None
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One event of an upstream stream as its dialect reads it.

    `raw` is the event's bytes as they came. `finished` lists the choices that
    end here with their finish reasons. `is_done` marks the stream's own end
    (`data: [DONE]`). `error` is the upstream's error object, where it sent one.
    `body` is the parsed JSON of the event, None where it has none (comments).
    `head` is the object in it that has the reply's id and model, where that is not `body`.
    With `is_last` nothing but an end mark comes after it.
    """

    raw: bytes
    deltas: tuple[Delta, ...] = ()
    finished: tuple[tuple[int, str], ...] = ()
    is_done: bool = False
    error: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    body: dict[str, Any] | None = None
    head: dict[str, Any] | None = None
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class ScoredRule:
    """One score with the thresholds that a policy held it against, and what came of it.

    `rule` is the policy's name for it: a scorer, or one head of a scorer.
    """

    score: Score
    outcome: Outcome
    flag: float | None = None
    veto: float | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says of one subject: the hardest of its rules.

    `failure` names the kind of failure (`overloaded`, `deadline`, ...) where a
    scorer gave no answer; the outcome is then what the policy says for failures.
    `action` is what a veto does: `replace`, `error`, `annotate` or `regenerate`; the
    last asks again at most `attempts` times. Of a prompt `parts` are the pieces that
    were looked at, each with its own verdict, and `left_out` is how many earlier
    ones were not. `scores` are all that came, by scorer, also those that no rule
    asked for.
    """

    side: Side
    outcome: Outcome
    rules: tuple[ScoredRule, ...] = ()
    failure: str | None = None
    action: str = "replace"
    parts: tuple[tuple[Piece, Verdict], ...] = ()
    left_out: int = 0
    attempts: int = 0
    scores: Mapping[str, Score] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_veto(self) -> bool:
        """Whether the text must not pass."""
        return self.outcome is Outcome.VETO


@dataclass(slots=True)
class Timings:
    """Seconds spent, by stage, filled in as an exchange goes along.

    The upstream's times are those of the reply at hand; `set_aside_s` is its time on others.
    """

    started: float = 0.0
    parse_s: float = 0.0
    prompt_s: float = 0.0
    upstream_head_s: float = 0.0
    first_token_s: float | None = None
    first_release_s: float | None = None
    upstream_s: float = 0.0
    set_aside_s: float = 0.0
    score_s: float = 0.0
    held_s: float = 0.0
    record_s: float = 0.0
    total_s: float = 0.0
    overhead_s: float = 0.0

    def to_ms(self) -> dict[str, float]:
        """The stages in milliseconds, three decimals, without those that did not happen."""
        names = [name for name in self.__dataclass_fields__ if name != "started"]
        pairs = ((name.removesuffix("_s") + "_ms", getattr(self, name)) for name in names)
        return {name: round(value * 1000, 3) for name, value in pairs if value}
