"""Who hears what the engine does; metrics are one such observer."""

from __future__ import annotations

from typing import Protocol


class EngineObserver(Protocol):
    """Hears what the engine does, always on the event loop."""

    def batch_ran(self, rows: int, padded_tokens: int, seconds: float) -> None:
        """A batch was run, in this many seconds of the session's time."""
        ...

    def queue_changed(self, tokens: int) -> None:
        """So many tokens wait or run now."""
        ...

    def scorer_ran(self, name: str, seconds: float) -> None:
        """A scorer's score was given this many seconds after admission."""
        ...

    def failed(self, scorer: str, kind: str) -> None:
        """A scorer gave no score; `kind` is the error's."""
        ...

    def late(self) -> None:
        """A result came after its deadline and was thrown away."""
        ...


class NoObserver:
    """Hears nothing."""

    def batch_ran(self, rows: int, padded_tokens: int, seconds: float) -> None:
        """Nothing."""

    def queue_changed(self, tokens: int) -> None:
        """Nothing."""

    def scorer_ran(self, name: str, seconds: float) -> None:
        """Nothing."""

    def failed(self, scorer: str, kind: str) -> None:
        """Nothing."""

    def late(self) -> None:
        """Nothing."""
