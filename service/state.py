"""What a running service is made of, built by `parts.py` and handed to the routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.types import Scope as AsgiScope

from scorers.engine import Health
from service.abuse import Guard
from service.access import Access, Caller, Scope
from service.judge import ScoringEngine
from service.metrics import Metrics
from service.policy import Policies
from service.privacy.keeper import TextKeeper
from service.routes.wire import Proxy
from service.settings import Settings
from service.watch.start import Watching
from storage.store import Store
from storage.writer import Writer

KEY = "fairlead"
"""The name under which the lifespan's state carries `State`."""


class HealthyEngine(ScoringEngine, Protocol):
    """An engine that can be asked how it is."""

    def health(self) -> Health:
        """Its state now."""
        ...


@dataclass(frozen=True)
class State:
    """Every part of a running service. `engine` is None where no policy scores anything."""

    settings: Settings
    metrics: Metrics
    store: Store
    writer: Writer
    access: Access
    policies: Policies
    keeper: TextKeeper
    engine: HealthyEngine | None
    proxy: Proxy
    watching: Watching
    guard: Guard
    clock: Callable[[], float]


def state_in(scope: AsgiScope) -> State:
    """The state of the service that answers in this scope."""
    state: State = scope["state"][KEY]
    return state


def state_of(request: Request) -> State:
    """The state of the service that answers this request."""
    return state_in(request.scope)


class Needs:
    """A dependency: the caller, who has to have the scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> Caller:
        """Raises `Unauthorized` or `Forbidden` where the caller may not."""
        return await state_of(request).access.identify(request.scope["headers"], self.scope)
