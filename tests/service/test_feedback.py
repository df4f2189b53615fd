"""What people say of replies, and what is exported of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.access import Scope
from storage.keys import new_key
from tests.fakes.local import Local, exchange, local_settings, serving_locally


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    """A service that has recorded two replies to one prompt."""
    async with serving_locally(local_settings(tmp_path)) as running:
        await running.keep(exchange("fl_1"), exchange("fl_2", created_us=2_000_000))
        yield running


async def give(local: Local, body: Any, **headers: str) -> tuple[int, Any]:
    """Posts feedback: the status and the answer."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = await local.client.post("/v1/feedback", json=body, headers=names)
    return reply.status_code, reply.json()


async def listed(local: Local, **query: Any) -> list[dict[str, Any]]:
    """The feedback on one page."""
    reply = await local.client.get("/v1/feedback", params=query)
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


@pytest.mark.parametrize("ident", ["fl_1", "chatcmpl-fl_1"])
async def test_feedback_is_stored_by_either_id(local: Local, ident: str) -> None:
    """The interaction's id or the reply's own: the answer is the stored record."""
    status, stored = await give(local, {"id": ident, "rating": "up", "comment": "fine"})

    assert status == 201
    assert stored["id"].startswith("fb_")
    assert stored["created_at"].endswith("+00:00")
    assert {k: stored[k] for k in ("interaction_id", "response_id", "rating", "comment")} == {
        "interaction_id": "fl_1",
        "response_id": "chatcmpl-fl_1",
        "rating": "up",
        "comment": "fine",
    }
    assert await listed(local) == [stored]


async def test_an_exchange_without_a_reply_can_be_rated(local: Local) -> None:
    """A vetoed prompt has no reply id and no choices; its own id does."""
    await local.keep(exchange("fl_3", response_ids=(), choices=[]))

    status, stored = await give(local, {"id": "fl_3", "rating": "down"})

    assert (status, stored["response_id"]) == (201, None)


async def test_a_change_of_mind_is_added(local: Local) -> None:
    """Nothing is overwritten, and the interaction shows the newest word of each rater."""
    for rating in ("up", "down"):
        await give(local, {"id": "fl_1", "rating": rating, "rater": "ann"})
    await give(local, {"id": "fl_1", "rating": "up", "rater": "bob"})

    assert [row["rating"] for row in await listed(local)] == ["up", "down", "up"]
    shown = (await local.client.get("/v1/interactions/fl_1")).json()["feedback"]
    assert {row["rater"]: row["rating"] for row in shown} == {"ann": "down", "bob": "up"}


async def test_a_rating_is_taken_back(local: Local) -> None:
    """Null leaves a thumb standing, `withdrawn` takes it back; the history shows both."""
    for rating in ("up", None, "withdrawn"):
        body = {"id": "fl_1", "rating": rating, "rater": "ann", "comment": "so"}
        status, _ = await give(local, body)
        assert status == 201
        shown = (await local.client.get("/v1/interactions/fl_1")).json()["feedback"]
        assert [row["rating"] for row in shown] == ([] if rating == "withdrawn" else ["up"])

    assert [row["rating"] for row in await listed(local)] == ["withdrawn", None, "up"]
    assert await listed(local, latest="true") == []
    assert len(await listed(local, latest="false")) == 3
    counted = local.state.metrics.render().decode()
    assert 'fairlead_feedback_total{rating="withdrawn"} 1.0' in counted


async def test_what_counts_now_is_listed(local: Local) -> None:
    """Of each rater and reply the newest rating, and nothing else."""
    for ident, rating, rater in (
        ("fl_1", "up", "ann"),
        ("fl_1", "down", "ann"),
        ("fl_1", "up", "bob"),
        ("fl_2", "up", "ann"),
        ("fl_2", None, "ann"),
    ):
        await give(local, {"id": ident, "rating": rating, "rater": rater})

    found = [(r["interaction_id"], r["rating"]) for r in await listed(local, latest="true")]

    assert found == [("fl_2", "up"), ("fl_1", "up"), ("fl_1", "down")]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"tag": "tone"}, 1),
        ({"tag": "ton"}, 0),
        ({"choice_index": 0}, 1),
        ({"choice_index": 1}, 0),
        ({"source": "api"}, 1),
        ({"source": "import"}, 0),
        ({"model": "fake-model", "verdict": "allow", "policy": "default"}, 1),
        ({"model": "other"}, 0),
        ({"verdict": "veto"}, 0),
        ({"route": "/v1/messages"}, 0),
        ({"user": "ann"}, 0),
        ({"conversation": "c"}, 0),
        ({"status": "completed"}, 1),
        ({"key": "somebody"}, 0),
    ],
)
async def test_feedback_is_found_by_what_it_is_about(
    local: Local, query: dict[str, Any], count: int
) -> None:
    """By its own fields and by those of its exchange."""
    await give(local, {"id": "fl_1", "rating": "up", "tags": ["tone", "length"]})

    assert len(await listed(local, **query)) == count


async def test_unknown_ids_are_not_found(local: Local) -> None:
    """404 in OpenAI's envelope, naming the field."""
    status, answer = await give(local, {"id": "chatcmpl-nope", "rating": "up"})

    assert (status, answer["error"]["param"], answer["error"]["code"]) == (404, "id", "not_found")


async def test_an_ambiguous_reply_id_lists_its_interactions(local: Local) -> None:
    """Upstreams may repeat ids; nothing is guessed."""
    await local.keep(exchange("fl_3", response_ids=("chatcmpl-fl_1",)))

    status, answer = await give(local, {"id": "chatcmpl-fl_1", "rating": "up"})

    assert (status, sorted(answer["error"]["interaction_ids"])) == (409, ["fl_1", "fl_3"])
    assert await listed(local) == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "id"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"id": "fl_1", "rating": "meh"}, "rating"),
        ({"id": "fl_1", "rating": "up", "choice_index": 1}, "choice_index"),
        ({"id": "fl_1", "choice_index": -1}, "choice_index"),
        ({"id": "fl_1", "choice_index": "0"}, "choice_index"),
        ({"id": "fl_1", "comment": "x" * 1_000_000}, "comment"),
        ({"id": "fl_1", "tags": ["x"] * 51}, "tags"),
        ({"id": "fl_1", "tags": [1]}, "tags.0"),
        ({"id": "fl_1", "thumb": "up"}, "thumb"),
        ([], None),
        ("fl_1", None),
    ],
)
async def test_a_wrong_body_names_the_field(local: Local, body: Any, param: str | None) -> None:
    """400 in OpenAI's envelope, and nothing is stored."""
    status, answer = await give(local, body)

    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
    assert answer["error"]["param"] == param
    assert await listed(local) == []


@pytest.mark.parametrize(
    "said",
    [{}, {"rater": "ann"}, {"rating": None, "tags": []}, {"comment": " \n", "correction": ""}],
)
async def test_feedback_that_says_nothing_is_refused(local: Local, said: dict[str, Any]) -> None:
    """400 in OpenAI's envelope: the reply is known, but nothing is there to be stored."""
    status, answer = await give(local, {"id": "fl_1"} | said)

    error = answer["error"]
    assert (status, error["code"], error["param"]) == (400, "nothing_said", "rating")
    assert "give a `rating`, a `comment`, a `correction` or `tags`" in error["message"]
    assert await listed(local) == []


@pytest.mark.parametrize("said", [{"comment": "x"}, {"correction": "x"}, {"tags": ["x"]}])
async def test_a_rating_is_not_needed(local: Local, said: dict[str, Any]) -> None:
    """A text or a tag is enough."""
    status, _ = await give(local, {"id": "fl_1"} | said)

    assert (status, len(await listed(local))) == (201, 1)


async def test_a_body_that_is_not_json_is_refused(local: Local) -> None:
    """The message says so and does not quote it."""
    reply = await local.client.post(
        "/v1/feedback", content=b'{"id": secret', headers={"content-type": "application/json"}
    )

    assert reply.status_code == 400
    assert "secret" not in reply.text


@pytest.mark.parametrize("path", ["", "/comparisons"])
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"id": "fl_1", "rating": "up", "rating": "down"}', "twice"),
        (b'{"id": "fl_1", "comment": "a\\u0000b"}', "NUL"),
        (b'{"id": "fl_1", "tags": ["x", "a\\u0000b"]}', "NUL"),
        (b'{"id": "fl_1\\u0000"}', "NUL"),
        (b'{"id": "fl_1", "comment": "\\ud800"}', "surrogate"),
        (b'{"id": "fl_1", "choice_index": NaN}', "NaN"),
        (b"[" * 100_000, "JSON"),
        (b'{"id": "fl_1", "comment": "\xff"}', "JSON"),
        (b"", "required"),
    ],
)
async def test_a_body_that_would_lose_something_is_refused(
    local: Local, path: str, body: bytes, said: str
) -> None:
    """Nothing is guessed, replaced or half stored; the message says what is wrong."""
    reply = await local.client.post(
        f"/v1/feedback{path}", content=body, headers={"content-type": "application/json"}
    )

    assert reply.status_code == 400, reply.text
    assert said in reply.json()["error"]["message"]
    assert await listed(local) == []


async def test_a_backslash_before_u0000_is_text(local: Local) -> None:
    """Only a real NUL is refused, not a text that speaks of one."""
    body = {"id": "fl_1", "comment": "write \\u0000"}

    status, stored = await give(local, body)

    assert (status, stored["comment"]) == (201, body["comment"])


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_another_content_type_is_refused(local: Local, kind: str) -> None:
    """JSON has to say that it is JSON."""
    reply = await local.client.post(
        "/v1/feedback", content=b'{"id": "fl_1"}', headers={"content-type": kind}
    )

    assert reply.status_code == 400
    assert "application/json" in reply.json()["error"]["message"]
    assert await listed(local) == []


async def test_a_body_over_the_limit_is_too_large(local: Local) -> None:
    """413 before it is read, and nothing is stored."""
    reply = await local.client.post("/v1/feedback", json={"id": "x" * 11_000_000})

    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "body_too_large")


async def test_an_idempotency_key_gives_the_stored_answer(local: Local) -> None:
    """The same body twice is one row and one answer; another body is a conflict."""
    body = {"id": "fl_1", "rating": "up"}

    first = await give(local, body, idempotency_key="k1")
    again = await give(local, body, idempotency_key="k1")
    other = await give(local, body | {"rating": "down"}, idempotency_key="k1")

    assert first == again
    assert first[0] == 201
    assert (other[0], other[1]["error"]["param"]) == (409, "idempotency-key")
    assert len(await listed(local)) == 1
    assert 'fairlead_feedback_total{rating="up"} 1.0' in local.state.metrics.render().decode()


async def test_the_same_request_many_times_at_once_is_stored_once(local: Local) -> None:
    """Retries that overlap get one answer."""
    body = {"id": "fl_1", "rating": "up"}

    answers = await asyncio.gather(*(give(local, body, idempotency_key="k") for _ in range(8)))

    assert {status for status, _ in answers} == {201}
    assert len({answer["id"] for _, answer in answers}) == 1
    assert len(await listed(local)) == 1


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_an_unusable_idempotency_key_is_refused(local: Local, key: str) -> None:
    """Empty or overlong keys protect nobody."""
    status, _ = await give(local, {"id": "fl_1", "rating": "up"}, idempotency_key=key)

    assert status == 400


async def test_a_relaxed_record_is_waited_for(local: Local) -> None:
    """A thumb that comes before the record is written finds it all the same."""
    await local.state.writer.put(exchange("fl_9"), is_durable=False)

    status, _ = await give(local, {"id": "fl_9", "rating": "up"})

    assert status == 201


async def test_feedback_is_filtered_and_paged(local: Local) -> None:
    """Newest first, page by page, each row once."""
    for number in range(5):
        await give(local, {"id": f"fl_{1 + number % 2}", "rating": "up", "rater": str(number)})

    seen, cursor = [], None
    for _ in range(3):
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await local.client.get("/v1/feedback", params=query)).json()
        seen += [row["rater"] for row in page["items"]]
        cursor = page["next_cursor"]
    assert (seen, cursor) == (["4", "3", "2", "1", "0"], None)
    assert len(await listed(local, interaction_id="fl_1")) == 3
    assert len(await listed(local, response_id="chatcmpl-fl_2")) == 2
    assert len(await listed(local, rater="3", rating="up")) == 1
    assert await listed(local, rating="down") == []
    assert await listed(local, until="2020-01-01") == []
    assert len(await listed(local, since="2020-01-01T00:00:00Z")) == 5


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"cursor": "nonsense"}, "cursor"),
        ({"limit": "0"}, "limit"),
        ({"since": "yesterday"}, "since"),
        ({"raiting": "up"}, "raiting"),
    ],
)
async def test_a_wrong_query_names_the_field(
    local: Local, query: dict[str, str], param: str
) -> None:
    """A filter that is misspelt must not list everything."""
    reply = await local.client.get("/v1/feedback", params=query)

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


async def test_a_comparison_is_stored(local: Local) -> None:
    """One reply preferred to another, by whatever ids, once per idempotency key."""
    body = {"chosen": "chatcmpl-fl_2", "rejected": "fl_1", "rater": "ann"}
    headers = {"idempotency-key": "c1"}

    replies = [
        await local.client.post("/v1/feedback/comparisons", json=body, headers=headers)
        for _ in range(2)
    ]

    assert [reply.status_code for reply in replies] == [201, 201]
    assert replies[0].json() == replies[1].json()
    assert {k: replies[0].json()[k] for k in ("chosen", "rejected", "rater")} == {
        "chosen": "fl_2",
        "rejected": "fl_1",
        "rater": "ann",
    }


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"chosen": "fl_1", "rejected": "chatcmpl-fl_1"}, 400, "rejected"),
        ({"chosen": "fl_1", "rejected": "fl_2", "chosen_choice_index": 3}, 400,
         "chosen_choice_index"),
        ({"chosen": "fl_1", "rejected": "fl_2", "rejected_choice_index": 3}, 400,
         "rejected_choice_index"),
        ({"chosen": "nope", "rejected": "fl_1"}, 404, "chosen"),
        ({"chosen": "fl_1", "rejected": "nope"}, 404, "rejected"),
        ({"chosen": "fl_1"}, 400, "rejected"),
    ],
)  # fmt: skip
async def test_a_comparison_that_makes_no_sense_is_refused(
    local: Local, body: dict[str, Any], status: int, param: str
) -> None:
    """A reply is not preferred to itself, nor to one that is not there."""
    reply = await local.client.post("/v1/feedback/comparisons", json=body)

    assert (reply.status_code, reply.json()["error"]["param"]) == (status, param)


async def test_a_preference_is_exported(local: Local) -> None:
    """A comparison becomes a DPO row, a thumb a KTO row, streamed as JSON Lines."""
    comparison = {"chosen": "fl_2", "rejected": "fl_1"}
    await local.client.post("/v1/feedback/comparisons", json=comparison)
    await give(local, {"id": "fl_1", "rating": "down"})

    dpo = await local.client.get("/v1/preferences/export", params={"format": "dpo"})
    kto = await local.client.get("/v1/preferences/export?format=kto&since=1970-01-01")

    assert dpo.headers["content-type"].startswith("application/jsonl")
    row = json.loads(dpo.text.splitlines()[0])
    assert row["prompt"] == [{"role": "user", "content": "Hello?"}]
    assert row["chosen"] == [{"role": "assistant", "content": "Hello from fl_2."}]
    assert row["rejected"] == [{"role": "assistant", "content": "Hello from fl_1."}]
    assert "label" in json.loads(kto.text.splitlines()[0])


@pytest.mark.parametrize(
    "query", ["format=parrot", "format=dpo&source=nowhere", "", "format=dpo&x=1"]
)
async def test_a_wrong_export_is_refused_before_it_begins(local: Local, query: str) -> None:
    """The status is 400, not the 200 of a stream that has begun."""
    reply = await local.client.get(f"/v1/preferences/export?{query}")

    assert reply.status_code == 400


async def test_an_export_of_nothing_is_empty(local: Local) -> None:
    """No preferences, no rows, no error."""
    reply = await local.client.get("/v1/preferences/export?format=dpo")

    assert (reply.status_code, reply.content) == (200, b"")


async def key_for(local: Local, *scopes: Scope) -> tuple[str, dict[str, str]]:
    """A new key in the store: its id and the header that carries it."""
    key, record = new_key(f"{scopes}", scopes=scopes)
    async with local.state.store.writing() as unit:
        await unit.keys.add(record)
    return record.id, {"x-fairlead-key": key}


async def test_a_key_sees_only_its_own(tmp_path: Path) -> None:
    """Somebody else's exchange is unknown; an admin sees all."""
    settings = local_settings(tmp_path, access={"required": True})
    async with serving_locally(settings) as local:
        mine, me = await key_for(local, "feedback")
        _, admin = await key_for(local, "admin")
        await local.keep(exchange("fl_1", key_id=mine), exchange("fl_2", key_id="other"))

        async def post(ident: str, headers: dict[str, str]) -> int:
            body = {"id": ident, "rating": "up"}
            reply = await local.client.post("/v1/feedback", json=body, headers=headers)
            return reply.status_code

        assert [await post(ident, me) for ident in ("fl_1", "fl_2")] == [201, 404]
        assert [await post(ident, admin) for ident in ("fl_1", "fl_2")] == [201, 201]
        counts = []
        for headers in (me, admin):
            rows = (await local.client.get("/v1/feedback", headers=headers)).json()["items"]
            seen = (await local.client.get("/v1/interactions", headers=headers)).json()["items"]
            counts.append((len(rows), len(seen)))
        assert counts == [(1, 1), (3, 2)]


async def test_a_key_without_the_scope_is_refused(tmp_path: Path) -> None:
    """401 without a key, 403 with one that may only use the proxy."""
    settings = local_settings(tmp_path, access={"required": True})
    async with serving_locally(settings) as local:
        _, proxy_only = await key_for(local, "proxy")
        for path in ("/v1/feedback", "/v1/interactions", "/v1/preferences/export?format=dpo"):
            bare = await local.client.get(path)
            refused = await local.client.get(path, headers=proxy_only)
            assert (bare.status_code, refused.status_code) == (401, 403)
            assert bare.headers["www-authenticate"] == "Bearer"
