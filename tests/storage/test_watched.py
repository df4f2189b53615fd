"""What is watched of exchanges is what was recorded of them."""

from __future__ import annotations

import pytest

from storage.ids import new_id
from storage.records import InteractionRecord
from storage.repositories.watched import Selection
from storage.store import Store
from tests.storage.building import choice, exchange, score, thumb

SECOND = 1_000_000


async def keep(store: Store, *records: InteractionRecord) -> None:
    """Stores exchanges."""
    async with store.writing() as unit:
        for record in records:
            await unit.interactions.add(record)


async def test_figures_come_without_texts_unless_asked_for(store: Store) -> None:
    """The riskiest choice counts; a score that did not come is not there."""
    asked = exchange(
        "Yes.",
        "No.",
        prompt="Is it?",
        user="ann",
        conversation="c1",
        scores=(
            score(risk=0.25),
            score(choice_index=1, risk=0.75),
            score(side="prompt", scorer="injection", risk=0.5),
            score(scorer="faithfulness", status="not_applicable", risk=None),
        ),
        timings={"upstream_ms": 12.5},
    )
    await keep(store, asked)

    async with store.reading() as unit:
        (plain,) = await unit.watched.exchanges(Selection())
        (whole,) = await unit.watched.exchanges(Selection(), has_texts=True)

    assert plain.risks == {"reply.toxicity": 0.75, "prompt.injection": 0.5}
    assert plain.timings == {"upstream_ms": 12.5}
    assert (plain.user, plain.conversation, plain.is_flip) == ("ann", "c1", None)
    assert (plain.prompt, plain.reply) == (None, None)
    assert (whole.prompt, whole.reply) == ("Is it?", "Yes.")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Selection(), "abc"),
        (Selection(model="m2"), "b"),
        (Selection(policy="strict"), "c"),
        (Selection(tag="t"), "ab"),
        (Selection(tag="t", without_tag="u"), "a"),
        (Selection(without_tag="t"), "c"),
        (Selection(route="/v1/messages"), ""),
        (Selection(since_us=2 * SECOND, until_us=3 * SECOND), "b"),
    ],
)
async def test_a_selection_chooses(store: Store, where: Selection, expected: str) -> None:
    """By model, policy, tag, route and time, oldest first."""
    await keep(
        store,
        exchange(id="a", created_us=SECOND, tags=("t",)),
        exchange(id="b", created_us=2 * SECOND, tags=("t", "u"), model="m2"),
        exchange(id="c", created_us=3 * SECOND, policy="strict"),
    )

    async with store.reading() as unit:
        found = await unit.watched.exchanges(where)
        first_us = await unit.watched.first_us()

    assert "".join(one.id for one in found) == expected
    assert first_us == SECOND


async def test_a_sample_is_the_same_each_time(store: Store) -> None:
    """So many of the exchanges, with their scores, chosen by the random part of their ids."""
    made = [exchange(id=new_id("fl", at), created_us=at, scores=(score(),)) for at in range(30)]
    await keep(store, *made)

    async with store.reading() as unit:
        once, again = [await unit.watched.exchanges(Selection(), most=10) for _ in range(2)]

    assert once == again
    assert len(once) == 10
    assert all(one.risks for one in once)
    assert [one.id for one in once] != [one.id for one in made[:10]]
    assert sorted(once, key=lambda one: one.created_us) == once


async def test_texts_that_are_gone_are_none(store: Store) -> None:
    """Hashed, erased or made of other things than text."""
    blocks = [{"type": "text", "text": "A "}, {"type": "text", "text": "word."}]
    await keep(
        store,
        exchange(id="a", created_us=1, request=None, choices=None),
        exchange(id="b", created_us=2, choices=[choice(None)]),
        exchange(
            id="c",
            created_us=3,
            request={"messages": [{"role": "user", "content": blocks}]},
            choices=[{"index": 0, "message": {"role": "assistant", "content": blocks}}],
        ),
        exchange(
            id="d",
            created_us=4,
            request={"messages": []},
            choices=[{"index": 0, "message": {"content": None, "refusal": "I will not."}}],
        ),
    )

    async with store.reading() as unit:
        found = await unit.watched.exchanges(Selection(), has_texts=True)

    assert [(one.prompt, one.reply) for one in found] == [
        (None, None),
        ("Which way?", None),
        ("A \nword.", "A word."),
        (None, "I will not."),
    ]


@pytest.mark.parametrize(
    ("verdict", "expected"), [("caved", True), ("held", False), ("undecided", True)]
)
async def test_a_probe_decides_before_a_twin(store: Store, verdict: str, expected: bool) -> None:
    """Where it decided; it has read both answers to their ends."""
    flips = {"choices": [{"flip": 0.9 if verdict != "caved" else 0.1}]}
    await keep(store, exchange(twin=flips, stance_probe={"verdict": verdict}))

    async with store.reading() as unit:
        [found] = await unit.watched.exchanges(Selection())

    assert found.is_flip is expected


@pytest.mark.parametrize(
    ("twin", "expected"),
    [
        (None, None),
        ({"choices": []}, None),
        ({"choices": [{"flip": 0.2}, {"flip": 0.5}]}, True),
        ({"choices": [{"flip": 0.49}, {"flip": None}]}, False),
    ],
)
async def test_a_flip_is_told(store: Store, twin: object, expected: bool | None) -> None:
    """At even odds or more, in any choice that was compared."""
    await keep(store, exchange(twin=twin))

    async with store.reading() as unit:
        (found,) = await unit.watched.exchanges(Selection())

    assert found.is_flip is expected


async def test_thumbs_come_with_their_exchange(store: Store) -> None:
    """Within the time in which they were given; what is no rating is none."""
    about = exchange(user="bob")
    other = exchange(model="m2")
    await keep(store, about, other)
    async with store.writing() as unit:
        for at, rating in ((10, "up"), (20, "down"), (30, None), (40, "down")):
            await unit.feedback.add(thumb(about, rating, created_us=at))
        await unit.feedback.add(thumb(other, "up", created_us=20))

    async with store.reading() as unit:
        given = await unit.watched.thumbs(
            Selection(model=about.model), given_since_us=20, given_until_us=40
        )
        every = await unit.watched.thumbs(Selection())

    assert [(one.interaction_id, one.is_down, one.user) for one in given] == [
        (about.id, True, "bob")
    ]
    assert [one.is_down for one in every] == [False, True, False, True]


async def test_a_withdrawn_rating_is_no_thumb(store: Store) -> None:
    """Neither up nor down."""
    about = exchange()
    async with store.writing() as unit:
        await unit.interactions.add(about)
        for rating in ("up", "withdrawn", "down", None):
            await unit.feedback.add(thumb(about, rating))

    async with store.reading() as unit:
        found = await unit.watched.thumbs(Selection())

    assert [one.is_down for one in found] == [False, True]
