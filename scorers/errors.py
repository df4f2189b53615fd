"""Everything that can go wrong in the scoring room.

ScorerError                 scorer
├── Overloaded              overloaded    refused at the door: too many tokens wait
├── DeadlineExceeded        deadline      the caller's deadline passed first
├── EngineStopped           stopped       not started, stopping or stopped
│   └── WorkerDied          worker_died   a thread of the engine died; it is being restarted
├── RunFailed               run           the session raised on this batch
├── ScorerFailed            scorer_bug    a scorer raised on this subject
└── ModelError              model         bad, missing or corrupt model; says what to do
    └── ProviderUnavailable provider      asked-for execution provider not got

The second column is `kind`, the label in metrics.
"""

from __future__ import annotations

from typing import ClassVar


class ScorerError(Exception):
    """Any failure to score."""

    kind: ClassVar[str] = "scorer"
    """The label in metrics, from a closed set."""


class Overloaded(ScorerError):
    """Refused at the door because too many tokens wait; trying again later may help."""

    kind = "overloaded"


class DeadlineExceeded(ScorerError):
    """The deadline passed before the scores were there."""

    kind = "deadline"


class EngineStopped(ScorerError):
    """The engine was not started, is stopping, or has stopped."""

    kind = "stopped"


class WorkerDied(EngineStopped):
    """A thread of the engine died with this subject in hand, or is not back yet."""

    kind = "worker_died"


class RunFailed(ScorerError):
    """The session raised on the batch that this subject rode in."""

    kind = "run"


class ScorerFailed(ScorerError):
    """A scorer raised on this subject, which is a fault in the scorer."""

    kind = "scorer_bug"

    def __init__(self, message: str, *, scorer: str) -> None:
        super().__init__(message)
        self.scorer = scorer


class ModelError(ScorerError):
    """A model is missing, corrupt or not what its description says."""

    kind = "model"


class ProviderUnavailable(ModelError):
    """The execution provider that was asked for is not the one that would run."""

    kind = "provider"
