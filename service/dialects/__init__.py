"""The shelf of wire formats, by name and in order.

A dialect is one class that meets `base.Dialect`. Built-ins are listed here and
come in by the same door as foreign ones: an entry point that names the class.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points

from service.dialects.base import Dialect

GROUP = "fairlead.dialects"
"""The entry-point group in which a foreign dialect announces itself."""

BUILTIN = (
    EntryPoint("chat", "service.dialects.chat:Chat", GROUP),
    EntryPoint("completions", "service.dialects.completions:Completions", GROUP),
    EntryPoint("responses", "service.dialects.responses:Responses", GROUP),
    EntryPoint("messages", "service.dialects.messages:Messages", GROUP),
)

NAMES = tuple(door.name for door in BUILTIN)
"""The dialects that are used unless told otherwise, in order."""


def load(names: Iterable[str] = NAMES) -> list[Dialect]:
    """One instance of each named dialect; `LookupError` for a name that nobody announces."""
    doors = {door.name: door for door in (*entry_points(group=GROUP), *BUILTIN)}
    return [_open(doors, name) for name in names]


def by_route(names: Iterable[str] = NAMES) -> dict[str, Dialect]:
    """Our route (`/v1/...`) to the dialect that answers it; the first that claims it wins."""
    found: dict[str, Dialect] = {}
    for dialect in load(names):
        for route in dialect.routes:
            found.setdefault(route, dialect)
    return found


def spoken(
    dialects: Mapping[str, Dialect], path: str, headers: Iterable[tuple[bytes, bytes]]
) -> Dialect | None:
    """The dialect in which a client expects its errors, by our routes; None is OpenAI's envelope.

    It is that of the route or of the one above it. Anthropic's clients name their version on
    every route; header names are in lower case.
    """
    above = (route for route in dialects if path == route or path.startswith(f"{route}/"))
    found = dialects.get(next(above, ""))
    if found is None and any(name == b"anthropic-version" for name, _ in headers):
        return dialects.get("/v1/messages")
    return found


def _open(doors: dict[str, EntryPoint], name: str) -> Dialect:
    if name not in doors:
        raise LookupError(f"No dialect is called {name!r}; there are {', '.join(sorted(doors))}.")
    dialect: Dialect = doors[name].load()()
    return dialect
