"""How a streamed reply opens."""

from __future__ import annotations

import asyncio

from scorers.builtin.twin import opening_end
from service.exchange import CONTENT, Delta, Event
from service.opening import Openings

TEXT = "It has been the capital of Australia since 1913. " * 5


def said(text: str, *, choice: int = 0, channel: str = CONTENT) -> Event:
    """An event with some text."""
    return Event(b"", deltas=(Delta(choice, channel, text),))


async def test_an_opening_does_not_depend_on_how_it_came() -> None:
    """Letter by letter or at once, the same three sentences."""
    slow, fast = Openings(), Openings()
    fast.hear(said(TEXT))
    for letter in TEXT:
        slow.hear(said(letter))

    assert await slow.of(0) == await fast.of(0) == TEXT[: opening_end(TEXT)]
    assert len(await fast.of(0)) == 3 * 48 + 2


async def test_a_short_choice_is_whole_at_its_end() -> None:
    """Each choice by itself; what is not ordinary text does not count."""
    openings = Openings()
    first, second = (asyncio.create_task(openings.of(choice)) for choice in (0, 1))
    openings.hear(said("Thinking.", channel="reasoning"))
    openings.hear(said("Yes."))
    openings.hear(said("No.", choice=1))
    openings.hear(Event(b"", finished=((0, "stop"),)))

    assert await first == "Yes."
    assert not second.done()
    openings.hear(Event(b"", is_done=True))
    assert await second == "No."


async def test_what_never_speaks_is_empty() -> None:
    """A stream that ends leaves nobody waiting, also not those who ask later."""
    openings = Openings()
    openings.end()

    assert await openings.of(3) == ""
