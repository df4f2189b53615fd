"""One tenant and another: what each route tells of what is not one's own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.access import Scope
from storage.keys import new_key
from tests.fakes.local import Local, exchange, local_settings, serving_locally

NOT_MINE = ["fl_you1", "chatcmpl-fl_you1", "fl_nobody1", "chatcmpl-fl_nobody1"]
"""Another tenant's exchange and one from when no keys were asked for, by either id."""

Reply = tuple[int, Any]


@dataclass
class Tenants:
    """A service with two tenants and an admin; each owns two exchanges, `fl_NAME1` and 2."""

    local: Local
    headers: dict[str, dict[str, str]]
    ids: dict[str, str]

    async def ask(self, who: str, method: str, path: str, **parts: Any) -> httpx.Response:
        """A request with somebody's key."""
        headers = self.headers[who] | parts.pop("headers", {})
        return await self.local.client.request(method, path, headers=headers, **parts)

    async def say(self, who: str, path: str, body: Any, **headers: str) -> Reply:
        """A posted body: status and answer."""
        reply = await self.ask(who, "POST", f"/v1/feedback{path}", json=body, headers=headers)
        return reply.status_code, reply.json()

    async def items(self, who: str, path: str, **query: Any) -> list[dict[str, Any]]:
        """What somebody is shown of a list."""
        reply = await self.ask(who, "GET", path, params=query)
        assert reply.status_code == 200, reply.text
        found: list[dict[str, Any]] = reply.json()["items"]
        return found


async def key_for(
    local: Local, name: str, *scopes: Scope, tenant: str | None = None
) -> tuple[str, dict[str, str]]:
    """A new key in the store: its id and the header that carries it."""
    key, record = new_key(name, scopes=scopes, tenant=tenant)
    async with local.state.store.writing() as unit:
        await unit.keys.add(record)
    return record.id, {"x-fairlead-key": key}


@pytest.fixture
async def tenants(tmp_path: Path) -> AsyncIterator[Tenants]:
    """The service, and who is who."""
    settings = local_settings(tmp_path, access={"required": True})
    async with serving_locally(settings) as local:
        found = Tenants(local, {}, {})
        for name, scope in (("me", "feedback"), ("you", "feedback"), ("admin", "admin")):
            found.ids[name], found.headers[name] = await key_for(local, name, scope)
            own = (exchange(f"fl_{name}{at}", key_id=found.ids[name]) for at in (1, 2))
            await local.keep(*own)
        await local.keep(exchange("fl_nobody1", key_id=None))
        yield found


@pytest.mark.parametrize("ident", NOT_MINE)
async def test_anothers_reply_can_be_neither_read_nor_judged(tenants: Tenants, ident: str) -> None:
    """Every route says 404, in the words it has for what does not exist."""
    attempts = [
        ("", {"id": ident, "rating": "up"}),
        ("/comparisons", {"chosen": ident, "rejected": "fl_me1"}),
        ("/comparisons", {"chosen": "fl_me1", "rejected": ident}),
        ("/rankings", {"ranking": ["fl_me1", ident]}),
        ("/rankings", {"ranking": [["fl_me1", ident], "fl_me2"]}),
    ]
    items = [{"id": "fl_me1", "rating": "up"}, {"id": ident, "rating": "up"}]
    status, answer = await tenants.say("me", "/batch", {"items": items})
    assert status == 400
    assert [fault["item"] for fault in answer["error"]["refused"]] == [1]
    assert "is known by the id" in answer["error"]["message"]

    for path, body in attempts:
        status, answer = await tenants.say("me", path, body)
        unknown = json.loads(json.dumps(body).replace(ident, "fl_unknown"))
        _, expected = await tenants.say("me", path, unknown)
        expected["error"]["message"] = expected["error"]["message"].replace("fl_unknown", ident)
        assert (status, answer) == (404, expected)
    reply = await tenants.ask("me", "GET", f"/v1/interactions/{ident}")
    assert reply.status_code == 404

    for path in ("/v1/feedback", "/v1/feedback/comparisons"):
        assert await tenants.items("admin", path) == []


async def test_a_choice_of_anothers_reply_is_not_told(tenants: Tenants) -> None:
    """Not even that it lacks the choice."""
    body = {"id": "fl_you1", "rating": "up", "choice_index": 7}

    assert (await tenants.say("me", "", body))[0] == 404


async def test_lists_show_what_is_ones_own(tenants: Tenants) -> None:
    """Whatever is asked for; an admin sees all and may choose whose."""
    for who in ("me", "you"):
        await tenants.say(who, "", {"id": f"fl_{who}1", "rating": "up", "rater": "ann"})
        body = {"chosen": f"fl_{who}1", "rejected": f"fl_{who}2"}
        assert (await tenants.say(who, "/comparisons", body))[0] == 201

    own = await tenants.items("me", "/v1/interactions")
    assert {item["id"] for item in own} == {"fl_me1", "fl_me2"}
    assert len(await tenants.items("admin", "/v1/interactions")) == 7
    for path in ("/v1/feedback", "/v1/feedback/comparisons"):
        assert len(await tenants.items("me", path)) == 1
        assert len(await tenants.items("admin", path)) == 2
        assert len(await tenants.items("admin", path, key=tenants.ids["you"])) == 1


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("interactions", {"response_id": "chatcmpl-fl_you1"}),
        ("interactions", {"has_feedback": "true"}),
        ("interactions", {"rater": "zoe"}),
        ("feedback", {"interaction_id": "fl_you1"}),
        ("feedback", {"response_id": "chatcmpl-fl_you1"}),
        ("feedback", {"rater": "zoe"}),
        ("feedback", {"latest": "true"}),
        ("feedback/comparisons", {"interaction_id": "fl_you1"}),
        ("feedback/comparisons", {"rater": "zoe"}),
    ],
)
async def test_no_filter_reaches_what_is_anothers(
    tenants: Tenants, path: str, query: dict[str, str]
) -> None:
    """A filter narrows what is one's own and finds nothing beside it."""
    await tenants.say("you", "", {"id": "fl_you1", "rating": "up", "rater": "zoe"})
    both = {"chosen": "fl_you1", "rejected": "fl_you2", "rater": "zoe"}
    await tenants.say("you", "/comparisons", both)

    assert await tenants.items("me", f"/v1/{path}", **query) == []
    assert await tenants.items("you", f"/v1/{path}", **query) != []


@pytest.mark.parametrize("path", ["interactions", "feedback", "feedback/comparisons"])
async def test_anothers_key_may_not_be_asked_for(tenants: Tenants, path: str) -> None:
    """403 whether or not there is such a key; one's own is no secret."""
    for key in (tenants.ids["you"], "key_unknown"):
        reply = await tenants.ask("me", "GET", f"/v1/{path}", params={"key": key})
        assert (reply.status_code, reply.json()["error"]["param"]) == (403, "key")

    own = await tenants.ask("me", "GET", f"/v1/{path}", params={"key": tenants.ids["me"]})
    assert own.status_code == 200


async def test_a_cursor_of_another_tenant_is_refused(tenants: Tenants) -> None:
    """Its place among the other's rows is nothing to go on from."""
    page = await tenants.ask("you", "GET", "/v1/interactions?limit=1")

    cursor = page.json()["next_cursor"]
    reply = await tenants.ask("me", "GET", f"/v1/interactions?limit=1&cursor={cursor}")

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "cursor")


async def test_an_ambiguous_id_names_only_ones_own(tenants: Tenants) -> None:
    """Another's exchange with the same reply id neither shows nor stands in the way."""
    shared = ("chatcmpl-shared",)
    keep = tenants.local.keep
    await keep(exchange("fl_me3", response_ids=shared, key_id=tenants.ids["me"]))
    await keep(exchange("fl_you3", response_ids=shared, key_id=tenants.ids["you"]))

    status, stored = await tenants.say("me", "", {"id": shared[0], "rating": "up"})

    assert (status, stored["interaction_id"]) == (201, "fl_me3")
    status, answer = await tenants.say("admin", "", {"id": shared[0], "rating": "up"})
    assert (status, sorted(answer["error"]["interaction_ids"])) == (409, ["fl_me3", "fl_you3"])


async def test_idempotency_keys_are_ones_own(tenants: Tenants) -> None:
    """The same key of two tenants is two requests, and gives neither the other's answer."""
    answers = [
        await tenants.say(
            who, "", {"id": f"fl_{who}1", "rating": "up"}, **{"idempotency-key": "same"}
        )
        for who in ("me", "you")
    ]

    assert [(status, row["interaction_id"]) for status, row in answers] == [
        (201, "fl_me1"),
        (201, "fl_you1"),
    ]


async def test_a_batch_is_ones_own(tenants: Tenants) -> None:
    """What an admin and a tenant say of the same reply are two rows, under two keys."""
    body = {"items": [{"id": "fl_me1", "rating": "up", "rater": "ann"}]}

    for who in ("me", "admin"):
        assert (await tenants.say(who, "/batch", body))[1]["added"] == 1
        assert (await tenants.say(who, "/batch", body))[1]["known"] == 1
    assert len(await tenants.items("me", "/v1/feedback")) == 1
    own = await tenants.items("admin", "/v1/feedback", key=tenants.ids["admin"])
    assert [row["interaction_id"] for row in own] == ["fl_me1"]


async def test_an_export_has_ones_own(tenants: Tenants) -> None:
    """A key that is no admin's exports its own replies."""
    for who in ("me", "you"):
        body = {"chosen": f"fl_{who}1", "rejected": f"fl_{who}2"}
        await tenants.say(who, "/comparisons", body)

    for who in ("me", "you"):
        reply = await tenants.ask(who, "GET", "/v1/preferences/export?format=dpo")
        assert f"Hello from fl_{who}1." in reply.text
        assert len(reply.text.splitlines()) == 1


async def test_an_admins_word_shows_with_the_reply(tenants: Tenants) -> None:
    """What an admin says of a tenant's reply is the admin's row, and the reply's owner sees it."""
    await tenants.say("admin", "", {"id": "fl_me1", "rating": "down", "rater": "boss"})

    assert await tenants.items("me", "/v1/feedback") == []
    shown = (await tenants.ask("me", "GET", "/v1/interactions/fl_me1")).json()["feedback"]
    assert [row["rater"] for row in shown] == ["boss"]


async def test_anothers_ranking_is_not_found(tenants: Tenants) -> None:
    """Neither by its id nor among the comparisons."""
    _, stored = await tenants.say("you", "/rankings", {"ranking": ["fl_you2", "fl_you1"]})
    path = f"/v1/feedback/rankings/{stored['id']}"

    assert (await tenants.ask("me", "GET", path)).status_code == 404
    assert await tenants.items("me", "/v1/feedback/comparisons", ranking_id=stored["id"]) == []
    for who in ("you", "admin"):
        assert (await tenants.ask(who, "GET", path)).json() == stored


async def test_keys_of_one_tenant_share_what_is_theirs(tenants: Tenants) -> None:
    """A second key reads and rates what the first one made, and is the same rater."""
    await tenants.say("me", "", {"id": "fl_me1", "rating": "up", "rater": "ann"})
    _, tenants.headers["heir"] = await key_for(
        tenants.local, "heir", "feedback", tenant=tenants.ids["me"]
    )

    status, _ = await tenants.say("heir", "", {"id": "fl_me1", "rating": "down", "rater": "ann"})

    assert status == 201
    for who in ("me", "heir"):
        assert len(await tenants.items(who, "/v1/feedback")) == 2
        counting = await tenants.items(who, "/v1/feedback", latest="true")
        assert [row["rating"] for row in counting] == ["down"]
    assert (await tenants.say("heir", "", {"id": "fl_you1", "rating": "up"}))[0] == 404
