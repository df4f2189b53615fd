"""The labelling functions in use: Fairlead's, those of installed packages, the user's own."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from service.sources import ConfigError
from storage.weak.base import Named
from storage.weak.builtin import BUILTIN

GROUP = "fairlead.labelling"
"""The entry-point group in which a package announces its labelling functions."""

LISTED = "LABELLING_FUNCTIONS"
"""What a file or module calls the list of its functions."""


def load_functions(named: Iterable[str], *, with_builtin: bool = True) -> list[Named]:
    """The functions to use, each name once; ConfigError says what cannot be loaded.

    `named` are `FILE.py`, `FILE.py:NAME`, `MODULE` or `MODULE:NAME`; without a NAME those in its
    `LABELLING_FUNCTIONS`.
    """
    found = list(BUILTIN) if with_builtin else []
    found += [Named(door.name, _callable(door.load(), door.name)) for door in _doors()]
    found += [each for spec in named for each in _from_spec(spec)]
    if len({each.name for each in found}) < len(found):
        names = [each.name for each in found]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ConfigError(f"two labelling functions are called {', '.join(twice)}; rename one")
    if not found:
        raise ConfigError("there are no labelling functions to use")
    return found


def _doors() -> Sequence[Any]:
    return sorted(entry_points(group=GROUP), key=lambda door: door.name)


def _from_spec(spec: str) -> list[Named]:
    place, _, name = spec.partition(":")
    module = _module(place, spec)
    if name:
        if not hasattr(module, name):
            raise ConfigError(f"labelling functions {spec}: {place} has no {name}")
        return [Named(name, _callable(getattr(module, name), spec))]
    if not hasattr(module, LISTED):
        raise ConfigError(
            f"labelling functions {spec}: name one as {place}:NAME, or list them in {LISTED}"
        )
    functions = [_callable(each, spec) for each in getattr(module, LISTED)]
    return [Named(getattr(each, "__name__", repr(each)), each) for each in functions]


def _module(place: str, spec: str) -> ModuleType:
    if place.endswith(".py") and not Path(place).is_file():
        raise ConfigError(f"labelling functions {spec}: there is no file {place}")
    try:
        return _from_file(Path(place)) if place.endswith(".py") else import_module(place)
    except Exception as error:  # the file is its user's own
        raise ConfigError(f"labelling functions {spec} cannot be loaded: {error!r}") from error


def _from_file(path: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(f"fairlead_labelling_{path.stem}", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def _callable(found: Any, spec: str) -> Any:
    if not callable(found):
        raise ConfigError(f"labelling functions {spec}: {found!r} is no function")
    return found
