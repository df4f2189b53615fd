"""Forgetting the strikes of a user whose prompts were vetoed, with an audit line."""

from __future__ import annotations

from dataclasses import dataclass

from service.auditing import audited
from service.errors import BadRequest, NotFound
from service.settings import AbuseSettings
from storage.ids import now_us
from storage.store import Store

Name = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class Pardon:
    """Until when vetoed prompts count no more, and how many they were, by key and user.

    `id` is the run in the audit log.
    """

    id: str
    at_us: int
    prompts: dict[Name, int]


@dataclass(frozen=True, slots=True)
class Whose:
    """A user of one key or of all, or a key; `subject` is what the audit log calls the user."""

    user: str | None
    key_id: str | None
    subject: str | None = None


async def pardon(store: Store, wanted: AbuseSettings, whose: Whose, *, actor: str) -> Pardon:
    """Forgets the strikes until now; the record itself stays.

    Raises BadRequest where nobody is named, or a user where whole keys are counted, and NotFound,
    with nothing stored, where there are no strikes.
    """
    is_by_key = wanted.by == "key"
    if whose.user is None and whose.key_id is None:
        raise BadRequest("name a `user`, a `key_id`, or both", param="user")
    if is_by_key and (whose.user is not None or whose.key_id is None):
        raise BadRequest(
            "whole keys are counted here (`abuse.by: key`): name a `key_id` and no `user`",
            param="user",
        )
    async with store.reading() as unit:
        found = await unit.abuse.struck(user=whose.user, key_id=whose.key_id, is_by_key=is_by_key)
    if not found:
        raise NotFound("no vetoed prompts of this name count; /v1/abuse lists whose do")
    filters = {"user": whose.user, "key": whose.key_id}
    async with audited(store, "pardon", actor=actor, subject=whose.subject, filters=filters) as run:
        at_us = now_us()
        async with store.writing() as unit:
            await unit.abuse.pardon(found, now_us=at_us)
        run.counts = {"prompts": sum(found.values())}
    return Pardon(run.id, at_us, found)
