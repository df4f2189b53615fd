from __future__ import annotations

import json
from typing import Any

import pytest

from storage.errors import ExportError, LabellingFailed
from storage.exports.base import ExportOptions
from storage.exports.card import FileOptions
from storage.exports.run import export_file, export_lines
from storage.records import InteractionRecord
from storage.store import Store
from storage.weak.base import Moment, Named, Vote
from storage.weak.builtin import BUILTIN
from storage.weak.labelling import WeakLabels, weak_labels
from tests.storage.building import exchange, score, thumb
from tests.storage.exports.test_run import fill

S = 1_000_000


def length(moment: Moment) -> Vote | None:
    """Long replies are good, short ones bad, those between unclear."""
    size = len(moment.reply)
    return "up" if size > 30 else "down" if size < 10 else None


def says_bad(moment: Moment) -> Vote | None:
    """The word gives it away."""
    return "down" if "bad" in moment.reply else None


MINE = (Named("length", length), Named("says_bad", says_bad))
LONG = "A long reply that says all there is to say."


async def labels(store: Store, *functions: Named, **options: Any) -> WeakLabels:
    """The labels of these functions."""
    method = options.pop("method", "weighted")
    async with store.reading() as unit:
        return await weak_labels(
            unit.connection, functions, ExportOptions(**options), method=method
        )


async def seen_by(store: Store, **options: Any) -> dict[str, Moment]:
    """What a function is shown, by reply."""
    seen: dict[str, Moment] = {}

    def look(moment: Moment) -> None:
        seen[moment.reply] = moment

    await labels(store, Named("look", look), **options)
    return seen


async def rows(store: Store, name: str, **options: Any) -> list[dict[str, Any]]:
    """The rows of an export with these functions."""
    lines = export_lines(store, name, options=ExportOptions(**options), functions=MINE)
    return [json.loads(line) async for line in lines]


async def test_a_function_sees_what_came_after(store: Store) -> None:
    """The next turn of the conversation and how long it took, of the same key only."""
    same = {"conversation": "c", "key_id": "k"}
    await fill(
        store,
        exchange("First.", prompt="One?", created_us=S, **same),
        exchange("Foreign.", prompt="Two?", created_us=2 * S, conversation="c", key_id="other"),
        exchange("Second.", prompt="Thanks! Three?", created_us=5 * S, **same),
        exchange("Apart.", prompt="Four?", created_us=6 * S),
    )

    seen = await seen_by(store)

    assert (seen["First."].prompt, seen["First."].next_turn) == ("One?", "Thanks! Three?")
    assert seen["First."].next_after_s == 4.0
    for last in ("Second.", "Foreign.", "Apart."):
        assert (seen[last].next_turn, seen[last].next_after_s) == (None, None)


async def test_a_tools_result_is_no_turn(store: Store) -> None:
    """An agent that goes on with its tools has not heard from its user."""
    going_on = [{"role": "user", "content": "One?"}, {"role": "tool", "content": "1"}]
    await fill(
        store,
        exchange("First.", prompt="One?", created_us=S, conversation="c"),
        exchange(
            "Second.",
            created_us=2 * S,
            conversation="c",
            request={"messages": going_on, "params": {}},
        ),
    )

    assert (await seen_by(store))["First."].next_turn is None


async def test_a_function_sees_who_asks_again(store: Store) -> None:
    """The same user or conversation with the same prompt; not somebody else."""
    await fill(
        store,
        exchange("First.", prompt="One?", created_us=S, user="ann"),
        exchange("Other.", prompt="One?", created_us=2 * S, user="bob"),
        exchange("Again.", prompt="One?", created_us=31 * S, user="ann"),
        exchange("Nobody.", prompt="One?", created_us=32 * S),
    )

    seen = await seen_by(store)

    assert seen["First."].asked_again_s == 30.0
    assert [seen[name].asked_again_s for name in ("Other.", "Again.", "Nobody.")] == [None] * 3


async def test_a_function_sees_scores_and_comments_not_ratings(store: Store) -> None:
    """Ratings are what it is measured by."""
    record = exchange("First.", scores=(score(risk=0.25),))
    said = thumb(record, "down", comment="too short", correction="Longer.", tags=("style",))
    await fill(store, record, said)

    moment = (await seen_by(store))["First."]

    assert (moment.risk("toxicity"), moment.risk("faithfulness")) == (0.25, None)
    assert (moment.comments, moment.tags) == (("too short",), ("style",))


async def test_withheld_and_cut_replies_are_not_voted_on(store: Store) -> None:
    """What the client did not get as it was written is no reply to learn from."""
    withheld = exchange("Bad.")
    withheld.choices[0].update(delivered="Refused.", verdict="veto")
    await fill(store, withheld, exchange("Cut", status="upstream_cut"), exchange("Good."))

    assert set(await seen_by(store)) == {"Good."}


async def test_filters_hold(store: Store) -> None:
    """Functions see what the export is of; what comes after may lie outside."""
    await fill(
        store,
        exchange("Old.", created_us=S, conversation="c"),
        exchange("New.", prompt="Next?", created_us=2 * S, conversation="c", model="m-large"),
    )

    assert set(await seen_by(store, since_us=2 * S)) == {"New."}
    assert (await seen_by(store, until_us=2 * S))["Old."].next_turn == "Next?"


async def test_many_pages_are_read(store: Store) -> None:
    """Each reply once, though more than a page, and several at the same moment."""
    records = [exchange(f"Reply {at}.", created_us=S * (at // 7)) for at in range(1, 450)]
    await fill(store, *records)

    assert len(await seen_by(store)) == 449


async def test_the_report_counts(store: Store) -> None:
    """Coverage, overlap and conflict are shares of all replies; ratings measure."""
    rated = exchange("so bad", prompt="1?")
    await fill(
        store,
        rated,
        thumb(rated, "up"),
        exchange(LONG + " bad", prompt="2?"),
        exchange(LONG, prompt="3?"),
        exchange("neither long nor short", prompt="4?"),
    )

    found = await labels(store, *MINE)

    size, word = found.functions
    assert (size.ups, size.downs, size.coverage) == (2, 1, 0.75)
    assert (size.overlap, size.conflict) == (0.5, 0.25)
    assert (word.ups, word.downs, word.coverage) == (0, 2, 0.5)
    assert (word.rated_votes, word.agreed, word.is_measured) == (1, 0, False)
    assert (found.replies, found.rated, found.labelled, len(found.up)) == (4, 1, 3, 2)


@pytest.mark.parametrize("said", ["UP", 1, True, ["up"]])
async def test_what_is_no_vote_is_told(store: Store, said: Any) -> None:
    """The error names the function, the exchange and what may be said."""
    record = exchange()
    await fill(store, record)

    with pytest.raises(LabellingFailed, match=rf"odd on {record.id} said .*'up', 'down' or None"):
        await labels(store, Named("odd", lambda _: said))


async def test_a_function_that_fails_is_told(store: Store) -> None:
    """With what it raised."""
    await fill(store, exchange())

    with pytest.raises(LabellingFailed, match=r"broken on fl_.* failed: ZeroDivisionError"):
        await labels(store, Named("broken", lambda _: 1 / 0))  # type: ignore[arg-type, return-value]


def world() -> list[InteractionRecord]:
    """A prompt with a good and a bad reply, and one with a reply that is neither."""
    return [
        exchange(LONG, prompt="Which?"),
        exchange("bad", prompt="Which?"),
        exchange("neither long nor short", prompt="What?"),
    ]


async def test_weak_labels_come_only_when_asked_for(store: Store) -> None:
    """Without `weak` nothing that people did not judge is exported."""
    await fill(store, *world())

    assert await rows(store, "kto") == await rows(store, "dpo") == []
    assert {
        row["pair_source"] for row in await rows(store, "kto", weak="weighted", weak_least=0.6)
    } == {"weak"}


@pytest.mark.parametrize("method", ["weighted", "majority"])
async def test_weak_labels_are_marked(store: Store, method: str) -> None:
    """With their source and their probability, which is what the margin is made of."""
    await fill(store, *world())

    labelled = await rows(store, "kto", weak=method, weak_least=0.6)
    [pair] = await rows(store, "dpo", weak=method, weak_least=0.6)

    assert {(row["completion"][0]["content"], row["label"]) for row in labelled} == {
        (LONG, True),
        ("bad", False),
    }
    for row in labelled:
        assert row["pair_source"] == "weak"
        assert 0.6 <= row["probability"] < 1
        assert row["margin"] == pytest.approx(2 * row["probability"] - 1, abs=2e-4)
    assert (pair["chosen"][0]["content"], pair["rejected"][0]["content"]) == (LONG, "bad")
    assert pair["probability"] == pytest.approx(
        labelled[0]["probability"] * labelled[1]["probability"], abs=2e-4
    )


async def test_people_are_never_overruled(store: Store) -> None:
    """A reply that somebody rated has no weak label; it may be half of a weak pair."""
    long, bad, other = world()
    await fill(store, long, bad, other, thumb(long, "down"))

    labelled = await rows(store, "kto", weak="majority", weak_least=0.6)

    found = {row["completion"][0]["content"]: row for row in labelled}
    assert (found[LONG]["label"], found[LONG]["pair_source"]) == (False, "unpaired")
    assert found[LONG]["probability"] is None
    assert found["bad"]["pair_source"] == "weak"
    assert await rows(store, "dpo", weak="majority", weak_least=0.6) == []


async def test_unsure_labels_are_left_out(store: Store, tmp_path: Any) -> None:
    """Under the least probability, and counted; the card names the functions."""
    await fill(store, *world())
    options = ExportOptions(weak="majority", weak_least=0.7)

    summary = await export_file(
        store, "kto", tmp_path / "weak.jsonl", options=options, functions=MINE
    )

    assert (summary.written, summary.by_source) == (1, {"weak": 1})
    assert summary.dropped["weak_unsure"] == 1
    assert "weak labels, majority, by length, says_bad" in summary.card_path.read_text()


async def test_an_interrupted_weak_export_goes_on(store: Store, tmp_path: Any) -> None:
    """The votes are cast again as of its begin, and the file is the same."""
    await fill(store, *world())
    options = ExportOptions(weak="weighted", weak_least=0.6)
    path = tmp_path / "weak.jsonl"

    def stop(stage: Any, done: int, *, share: float | None) -> None:
        if stage == "writing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await export_file(
            store, "kto", path, options=options, how=FileOptions(progress=stop), functions=MINE
        )
    late = exchange("late and bad", prompt="Which?")
    await fill(store, late)
    summary = await export_file(store, "kto", path, options=options, functions=MINE)

    assert (summary.is_resumed, summary.written) == (True, 2)
    assert "late" not in path.read_text()


async def test_people_may_be_exported_alone(store: Store) -> None:
    """`sources` holds for weak labels too."""
    long, bad, other = world()
    await fill(store, long, bad, other, thumb(other, "up"))

    found = await rows(store, "kto", weak="weighted", weak_least=0.6, sources=("unpaired",))

    assert [row["completion"][0]["content"] for row in found] == ["neither long nor short"]


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("sft", {"weak": "weighted"}, "sft takes no weak labels"),
        ("dpo", {"sources": ("weak",)}, "only where they are asked for"),
        ("dpo", {"weak": "weighted", "weak_least": 0.5}, "above 0.5"),
        ("dpo", {"weak": "weighted", "weak_least": 1.5}, "at most 1"),
    ],
)
async def test_what_cannot_be_is_refused(
    store: Store, name: str, options: dict[str, Any], complaint: str
) -> None:
    """Before anything is read."""
    with pytest.raises(ExportError, match=complaint):
        await rows(store, name, **options)


async def test_the_built_in_functions_run_on_a_store(store: Store) -> None:
    """A thanked reply and one that was told wrong."""
    for name, answer in (("a", "Thanks!"), ("b", "That's wrong.")):
        await fill(
            store,
            exchange(f"Reply {name}.", prompt=f"Q {name}?", created_us=S, conversation=name),
            exchange("Next.", prompt=answer, created_us=2 * S, conversation=name),
        )

    found = await labels(store, *BUILTIN)

    by_name = {each.name: (each.ups, each.downs) for each in found.functions if each.coverage}
    assert by_name == {"thanked": (1, 0), "told_wrong": (0, 1)}
    assert sorted(round(up) for up in found.up.values()) == [0, 1]
