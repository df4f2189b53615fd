"""Replies that the upstream stored, fetched again: scored as they were when they were made."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from scorers.types import Side
from service.access import Caller
from service.call import JSON_HEADERS, Call
from service.dialects.base import Dialect
from service.dialects.conversation import newest, read_turns
from service.errors import FairleadError, ReplyVetoed
from service.exchange import CONTENT, Ask, Extension, Outcome, Verdict
from service.middleware import error_headers
from service.policy import Policy
from service.recorder import Run
from service.routes.wire import (
    AsgiClient,
    ClientGone,
    FindProxy,
    Proxy,
    headers_of,
    read_body,
    until_gone,
)
from service.upstream import Target, choose
from service.veto import Window
from storage.ids import new_id, now_us
from storage.records import InteractionRecord
from storage.textlevel import is_readable, text_level


class StoredRoute:
    """One route that gives a stored reply, in one dialect; `route` has `{id}` in it."""

    def __init__(self, route: str, dialect: Dialect, find: FindProxy) -> None:
        self._route = route
        self._dialect = dialect
        self._find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Fetches one reply; an error before that is told in the dialect's form."""
        client = AsgiClient(send)
        try:
            proxy = self._find(scope)
            call = await self._call(proxy, scope, await read_body(receive))
            await until_gone(receive, client, proxy.flow.run(call, client))
        except ClientGone:
            return
        except FairleadError as error:
            if client.has_started:
                raise
            headers = [*JSON_HEADERS, *error_headers(error).items()]
            await client.reply(error.status, headers, self._dialect.error(error))

    async def _call(self, proxy: Proxy, scope: Scope, body: bytes) -> Call:
        started = time.monotonic()
        caller = await proxy.access.identify(scope["headers"], "proxy")
        made = await proxy.recall(scope["path_params"]["id"], caller) if proxy.recall else None
        query = scope["query_string"].decode("latin-1")
        ask = self._ask(made, body, is_stream=parse_qs(query).get("stream") == ["true"])
        run = Run(
            id=new_id("fl"),
            created_us=now_us(),
            ask=ask,
            policy=self._policy(proxy, ask, caller),
            key_id=caller.key_id,
        )
        run.timings.started = started
        target = _target(proxy.targets, ask.model, made)
        run.upstream = target.name
        _veto_again(run, made)
        return Call(
            run,
            self._dialect,
            target,
            headers_of(scope),
            query,
            method=scope["method"],
            path=scope["path"].removeprefix("/v1"),
        )

    def _ask(self, made: InteractionRecord | None, body: bytes, *, is_stream: bool) -> Ask:
        """What the reply answers, as far as that is known: sealed texts say nothing of it."""
        if made is None:
            made_of: Mapping[str, Any] = {}
            extension = Extension()
        else:
            made_of = made.request or {}
            extension = Extension(
                user=made.user, conversation=made.conversation, tags=tuple(made.tags)
            )
        is_known = made is None or is_readable(text_level(made))
        messages = made_of.get("messages") or [] if is_known else []
        return Ask(
            route=self._route,
            dialect=self._dialect.name,
            body=body,
            model=made.model if made else "",
            messages=messages,
            prompt=newest(read_turns(messages)),
            context=tuple(made.context or ()) if made and is_known else (),
            is_stream=is_stream,
            n=made.n if made else 1,
            tools=made_of.get("tools") if is_known else None,
            params=made_of.get("params") or {},
            extension=extension,
            is_stored=True,
        )

    def _policy(self, proxy: Proxy, ask: Ask, caller: Caller) -> Policy:
        """The policy of the route that made it; what is stored cannot be asked for again."""
        allowed = caller.policies if caller.key_id else None
        route = self._dialect.routes[0]
        policy = proxy.policies.choose(route, ask.model, allowed=allowed)
        rules = {
            side: tuple(
                replace(rule, action="replace") if rule.action == "regenerate" else rule
                for rule in policy.rules[side]
            )
            for side in Side
        }
        return replace(policy, rules=rules | {Side.PROMPT: ()})


def _target(targets: tuple[Target, ...], model: str, made: InteractionRecord | None) -> Target:
    for target in targets:
        if made is not None and target.name == made.upstream:
            return target
    return choose(targets, model) if model else targets[0]


def _veto_again(run: Run, made: InteractionRecord | None) -> None:
    """What was withheld when it was made is withheld again, whatever its scores say now.

    As a stream it cannot be replaced: `ReplyVetoed`.
    """
    if made is None or made.status != "vetoed" or run.policy.mode != "enforce":
        return
    if run.ask.is_stream:
        raise ReplyVetoed("the reply was vetoed by policy when it was made")
    veto = Verdict(Side.REPLY, Outcome.VETO)
    for choice in made.choices or ():
        if choice["verdict"] == Outcome.VETO.value:
            run.windows.append((Window(choice["index"], CONTENT, "", 0, 0), veto))
