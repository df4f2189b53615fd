"""How a streamed reply opens, for those who have to know it before they judge its first words."""

from __future__ import annotations

import asyncio

from scorers.builtin.twin import opening_end
from service.exchange import CONTENT, Event


class Openings:
    """The openings of a reply's choices, as its events come."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._found: dict[int, asyncio.Event] = {}
        self._is_over = False

    def hear(self, event: Event) -> None:
        """Takes the next event."""
        for delta in event.deltas:
            if delta.channel == CONTENT and not self._event(delta.choice).is_set():
                self._add(delta.choice, delta.text)
        for choice, _ in event.finished:
            self._event(choice).set()
        if event.is_done or event.error is not None:
            self.end()

    def end(self) -> None:
        """No more comes."""
        self._is_over = True
        for found in self._found.values():
            found.set()

    async def of(self, choice: int) -> str:
        """A choice's opening, once it is there."""
        await self._event(choice).wait()
        return self._texts.get(choice, "")

    def _add(self, choice: int, text: str) -> None:
        heard = self._texts.get(choice, "") + text
        end = opening_end(heard)
        self._texts[choice] = heard[:end]
        if end is not None:
            self._event(choice).set()

    def _event(self, choice: int) -> asyncio.Event:
        found = self._found.setdefault(choice, asyncio.Event())
        if self._is_over:
            found.set()
        return found
