from __future__ import annotations

from dataclasses import replace

import pytest

from storage.records import InteractionRecord
from storage.repositories.interactions import InteractionFilter, Target
from storage.store import Store
from tests.storage.building import exchange, preference, score, thumb

FULL = exchange(
    "One.",
    "Two.",
    response_ids=("chatcmpl-1", "chatcmpl-1b"),
    tags=("beta", "night"),
    user="u-1",
    conversation="c-1",
    key_id="key_1",
    policy="strict",
    mode="shadow",
    is_stream=True,
    error_code="oops",
    context=["The way is that way."],
    attempts=[{"number": 1, "choices": [{"index": 0, "message": {"content": "Lost\0."}}]}],
    twin={"outcome": "kept", "views": ["I think so.\0"], "choices": []},
    stance_probe={"verdict": "held", "views": ["I think so.\0"], "neutral": {}},
    scores=(score(), score(side="prompt", choice_index=None, risk=None, status="failed")),
)


async def _add(store: Store, *records: InteractionRecord) -> None:
    async with store.writing() as unit:
        for record in records:
            await unit.interactions.add(record)


@pytest.mark.parametrize("record", [FULL, exchange()], ids=["full", "bare"])
async def test_exchange_comes_back_whole(store: Store, record: InteractionRecord) -> None:
    """An exchange is read as it was written, field by field, scores in order."""
    await _add(store, record)

    async with store.reading() as unit:
        assert record == await unit.interactions.get(record.id)


async def test_second_write_changes_nothing(store: Store) -> None:
    """Writing the same id again leaves the first as it is and adds no rows."""
    await _add(store, FULL, replace(FULL, model="other"))

    async with store.reading() as unit:
        assert await unit.interactions.get(FULL.id) == FULL
        assert (await unit.interactions.page()).items == (FULL,)


async def test_a_twin_is_added_once_to_what_is_there(store: Store) -> None:
    """The second twin changes nothing, and an exchange that is not stored takes none."""
    bare, twin = exchange(), {"outcome": "flipped", "reply": "No.\0"}
    await _add(store, bare)

    async with store.writing() as unit:
        assert await unit.interactions.add_twin(bare.id, twin)
        assert not await unit.interactions.add_twin(bare.id, {"outcome": "kept"})
        assert not await unit.interactions.add_twin("fl_gone", twin)
    async with store.reading() as unit:
        assert await unit.interactions.get(bare.id) == replace(bare, twin=twin)


async def test_a_probe_is_added_once_to_what_is_there(store: Store) -> None:
    """Beside a twin or without one."""
    bare, probe = exchange(twin={"outcome": "kept"}), {"verdict": "caved"}
    async with store.writing() as unit:
        await unit.interactions.add(bare)
    async with store.writing() as unit:
        assert await unit.interactions.add_stance_probe(bare.id, probe)
        assert not await unit.interactions.add_stance_probe(bare.id, {"verdict": "held"})
        assert not await unit.interactions.add_stance_probe("fl_gone", probe)
    async with store.reading() as unit:
        assert await unit.interactions.get(bare.id) == replace(bare, stance_probe=probe)


@pytest.mark.parametrize(
    "ident", ["chatcmpl-1", "chatcmpl-1b", FULL.id], ids=["reply", "other reply", "own"]
)
async def test_exchange_is_found_by_any_of_its_ids(store: Store, ident: str) -> None:
    """An exchange is found by its own id and by each id of its reply."""
    await _add(store, FULL, exchange(response_ids=("chatcmpl-2",)))

    async with store.reading() as unit:
        assert await unit.interactions.find(ident) == [FULL]


async def test_repeated_response_id_finds_all(store: Store) -> None:
    """Where an upstream used an id twice, both exchanges are found, newest first."""
    old, new = (exchange(response_ids=("same",), created_us=at) for at in (1, 2))
    await _add(store, old, new)

    async with store.reading() as unit:
        assert [new, old] == await unit.interactions.by_response("same")


async def test_one_tenant_finds_its_own_only(store: Store) -> None:
    """However often another one's replies carried the id, and whoever owns it as an exchange."""
    mine = exchange(response_ids=("same", "fl_theirs"), created_us=1, key_id="me")
    theirs = [exchange(response_ids=("same",), created_us=at, key_id="you") for at in range(120)]
    await _add(store, mine, *theirs, exchange(id="fl_theirs", key_id="you"))

    async with store.reading() as unit:
        for ident in ("same", "fl_theirs", mine.id):
            assert await unit.interactions.find(ident, key_id="me") == [mine]
        assert await unit.interactions.find(theirs[0].id, key_id="me") == []


async def test_many_targets_are_found_at_once(store: Store) -> None:
    """By either id, with the choices that can be judged; another tenant's are not there."""
    mine = exchange("One.", "Two.", response_ids=("r-1", "same"), key_id="me", created_us=1)
    other = exchange(response_ids=("r-2", "same"), key_id="you", choices=[], created_us=2)
    await _add(store, mine, other)
    asked = [mine.id, other.id, "r-1", "r-2", "same", "nul\0", "half \ud800"]
    first = Target(mine.id, ("r-1", "same"), (0, 1))
    second = Target(other.id, ("r-2", "same"), (0,))

    async with store.reading() as unit:
        found = await unit.interactions.targets(asked)
        owned = await unit.interactions.targets(asked, key_id="me")
        assert await unit.interactions.targets([]) == {}

    assert sorted(found["same"], key=lambda target: target.id) == [first, second]
    assert [found[ident] for ident in asked if ident != "same"] == [
        [first], [second], [first], [second], [], [],
    ]  # fmt: skip
    assert [owned[ident] for ident in asked] == [[first], [], [first], [], [first], [], []]


@pytest.mark.parametrize("ident", ["nobody", "", "nul\0", "half \ud800"])
async def test_unknown_id_finds_nothing(store: Store, ident: str) -> None:
    """An id that is not there finds nothing, however odd it is."""
    async with store.reading() as unit:
        assert await unit.interactions.find(ident) == []


async def test_many_gives_those_that_exist(store: Store) -> None:
    """Asking for several ids gives the exchanges that are there."""
    await _add(store, FULL)

    async with store.reading() as unit:
        assert {FULL.id: FULL} == await unit.interactions.many([FULL.id, "nobody"])


@pytest.mark.parametrize(
    "where",
    [
        InteractionFilter(model="m-other"),
        InteractionFilter(status="vetoed"),
        InteractionFilter(verdict="veto"),
        InteractionFilter(user="u-other"),
        InteractionFilter(conversation="c-other"),
        InteractionFilter(policy="p-other"),
        InteractionFilter(route="/v1/other"),
        InteractionFilter(key_id="k-other"),
        InteractionFilter(prompt_hash="h-other"),
        InteractionFilter(tag="t-other"),
        InteractionFilter(response_id="r-other"),
        InteractionFilter(scorer="toxicity", min_risk=0.5),
        InteractionFilter(min_risk=0.75),
        InteractionFilter(scorer="faithfulness"),
        InteractionFilter(since_us=20),
        InteractionFilter(until_us=11, since_us=10),
    ],
)
async def test_filter_leaves_only_what_it_names(store: Store, where: InteractionFilter) -> None:
    """Each filter keeps the one exchange that has what it asks for."""
    plain = exchange(created_us=15, scores=(score(risk=0.49), score(risk=None)))
    other = exchange(
        created_us=20 if where.until_us is None else 10,
        model="m-other",
        status="vetoed",
        verdict="veto",
        user="u-other",
        conversation="c-other",
        policy="p-other",
        route="/v1/other",
        key_id="k-other",
        prompt_hash="h-other",
        tags=("t-other", "more"),
        response_ids=("r-other",),
        scores=(score(risk=0.5), score(scorer="faithfulness", risk=0.75)),
    )
    await _add(store, plain, other)

    async with store.reading() as unit:
        assert (other,) == (await unit.interactions.page(where)).items


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (InteractionFilter(has_feedback=True), "rated commented better worse"),
        (InteractionFilter(has_feedback=False), "bare"),
        (InteractionFilter(rating="up"), ""),
        (InteractionFilter(rating="down"), "rated"),
        (InteractionFilter(rating="down", rater="bob"), ""),
        (InteractionFilter(rater="ann"), "rated"),
    ],
)
async def test_exchanges_are_found_by_what_was_said_of_them(
    store: Store, where: InteractionFilter, expected: str
) -> None:
    """Any feedback or comparison counts as such; a rating has to stand."""
    names = ("rated", "commented", "better", "worse", "bare")
    of = {name: exchange(user=name, created_us=-at) for at, name in enumerate(names)}
    await _add(store, *of.values())
    async with store.writing() as unit:
        await unit.feedback.add(thumb(of["rated"], "up", created_us=1))
        await unit.feedback.add(thumb(of["rated"], "down", created_us=2))
        await unit.feedback.add(thumb(of["commented"], None, comment="hm"))
        await unit.comparisons.add(preference(of["better"], of["worse"]))

    async with store.reading() as unit:
        page = await unit.interactions.page(where)

    assert [item.user for item in page.items] == expected.split()


async def test_odd_text_is_kept_readable(store: Store) -> None:
    """Texts that no database takes as they are lose only what cannot be stored."""
    odd = exchange(user="nul\0 and half \ud800", request={"messages": ["\0", "\ud800"]})
    await _add(store, odd)

    async with store.reading() as unit:
        found = await unit.interactions.get(odd.id)

    assert found is not None
    assert found.user == "nul\ufffd and half ?"
    assert found.request == odd.request


async def test_endless_names_are_cut_not_refused(store: Store) -> None:
    """Names too long for an index are cut, and the exchange is still found by them."""
    endless = "".join(chr(0x4E00 + at % 5_000) for at in range(10_000))
    record = exchange(user=endless, conversation=endless, response_ids=(endless,), tags=(endless,))
    await _add(store, record)

    async with store.reading() as unit:
        (found,) = await unit.interactions.by_response(endless)
        page = await unit.interactions.page(InteractionFilter(user=endless, tag=endless))

    assert (record.id,) == tuple(item.id for item in page.items)
    beginning, _, _ = (found.user or "").rpartition("~")  # a hash of the whole follows
    assert len(beginning) > 100
    assert endless.startswith(beginning)
