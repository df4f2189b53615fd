from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from storage.errors import ExportError, StoreUnavailable
from storage.exports import formats, reading
from storage.exports.base import ExportOptions, Tally
from storage.exports.card import FileOptions
from storage.exports.pairs import labels_of
from storage.exports.run import count_pairs, export_file, export_lines
from storage.records import ComparisonRecord, FeedbackRecord, InteractionRecord
from storage.store import Store
from tests.storage.building import choice, exchange, preference, thumb

TOOLS = [{"type": "function", "function": {"name": "tide", "parameters": {"type": "object"}}}]
CALL = {"id": "c1", "type": "function", "function": {"name": "tide", "arguments": '{"at":"Kiel"}'}}
READ_CALL = CALL | {"function": {"name": "tide", "arguments": {"at": "Kiel"}}}


async def fill(
    store: Store, *records: InteractionRecord | FeedbackRecord | ComparisonRecord
) -> None:
    """Store what the test needs."""
    async with store.writing() as unit:
        for record in records:
            match record:
                case InteractionRecord():
                    await unit.interactions.add(record)
                case FeedbackRecord():
                    await unit.feedback.add(record)
                case ComparisonRecord():
                    await unit.comparisons.add(record)


def names(folder: Path) -> list[str]:
    """The names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


async def rows(store: Store, name: str, **options: Any) -> list[dict[str, Any]]:
    """The rows of an export."""
    lines = export_lines(store, name, options=ExportOptions(**options))
    return [json.loads(line) async for line in lines]


async def test_dpo_rows_are_exactly_so(store: Store) -> None:
    """DPO rows have TRL's columns and the provenance beside them."""
    better = exchange("Left, past the mole.", prompt="Where is the harbour?")
    worse = exchange("No idea.", prompt="Where is the harbour?")
    await fill(store, better, worse, thumb(better, "up"), thumb(worse, "down"))

    assert [
        {
            "prompt": [{"role": "user", "content": "Where is the harbour?"}],
            "chosen": [{"role": "assistant", "content": "Left, past the mole."}],
            "rejected": [{"role": "assistant", "content": "No idea."}],
            "pair_source": "thumbs",
            "margin": 1.0,
            "difficulty": 0.0,
            "interaction_ids": [better.id, worse.id],
            "split": "train",
        }
    ] == await rows(store, "dpo")


async def test_dpo_rows_with_tools_are_exactly_so(store: Store) -> None:
    """Tools, tool calls and tool results are in the row, arguments as objects."""
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "High tide in Kiel?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "none"},
    ]
    request = {"messages": messages, "tools": TOOLS, "params": {}}
    again = choice(None, message={"content": None, "tool_calls": [CALL]}, delivered="")
    calling = exchange(prompt_hash="tide", request=request, choices=[again])
    talking = exchange("The Baltic has hardly any.", prompt_hash="tide", request=request)
    await fill(store, calling, talking, preference(talking, calling))

    (row,) = await rows(store, "dpo")

    assert row["prompt"][2:] == [
        {"role": "assistant", "content": "", "tool_calls": [READ_CALL]},
        {"role": "tool", "content": "none", "tool_call_id": "c1"},
    ]
    assert row["chosen"] == [{"role": "assistant", "content": "The Baltic has hardly any."}]
    assert row["rejected"] == [{"role": "assistant", "content": "", "tool_calls": [READ_CALL]}]
    assert row["tools"] == TOOLS
    assert row["pair_source"] == "comparisons"


async def test_kto_rows_are_exactly_so(store: Store) -> None:
    """KTO rows have TRL's columns and the provenance beside them."""
    judged = exchange("North.", prompt="Which way?")
    await fill(store, judged, thumb(judged, "down"))

    assert [
        {
            "prompt": [{"role": "user", "content": "Which way?"}],
            "completion": [{"role": "assistant", "content": "North."}],
            "label": False,
            "pair_source": "unpaired",
            "margin": 1.0,
            "difficulty": 0.0,
            "interaction_ids": [judged.id],
            "split": "train",
        }
    ] == await rows(store, "kto")


async def test_reward_rows_are_exactly_so(store: Store) -> None:
    """Reward rows have the prompt inside both conversations, and the provenance beside them."""
    better = exchange("Left, past the mole.", prompt="Where?")
    worse = exchange("No idea.", prompt="Where?")
    await fill(store, better, worse, preference(better, worse))

    asked = {"role": "user", "content": "Where?"}
    assert [
        {
            "chosen": [asked, {"role": "assistant", "content": "Left, past the mole."}],
            "rejected": [asked, {"role": "assistant", "content": "No idea."}],
            "pair_source": "comparisons",
            "margin": 1.0,
            "difficulty": 0.0,
            "interaction_ids": [better.id, worse.id],
            "split": "train",
        }
    ] == await rows(store, "reward")


async def test_sft_rows_are_exactly_so(store: Store) -> None:
    """SFT rows are whole conversations that end with a good reply, tools beside them."""
    request = exchange().request | {"tools": TOOLS}
    judged = exchange("High at noon.", request=request)
    await fill(store, judged, thumb(judged, None, correction="High at 12:30."))

    assert [
        {
            "messages": [
                {"role": "user", "content": "Which way?"},
                {"role": "assistant", "content": "High at 12:30."},
            ],
            "tools": TOOLS,
            "pair_source": "corrections",
            "margin": 1.0,
            "difficulty": 0.25,
            "interaction_ids": [judged.id],
            "split": "train",
        }
    ] == await rows(store, "sft")


async def test_what_openai_refuses_is_counted(store: Store) -> None:
    """A pair that OpenAI's file cannot hold is no row there, and its reason is counted."""
    begun = {"messages": [{"role": "assistant", "content": "Well,"}], "params": {}}
    fits, begins = exchange(prompt="Fits?"), exchange(request=begun)
    said = [thumb(each, None, correction="Right.") for each in (fits, begins)]
    await fill(store, fits, begins, *said)

    (row,) = await rows(store, "openai-dpo")

    assert row["input"] == {"messages": [{"role": "user", "content": "Fits?"}]}
    assert len(await rows(store, "dpo")) == 2


async def test_one_side_of_the_split_can_be_had(store: Store) -> None:
    """Train and test together are everything, and no prompt is on both."""
    judged = [exchange(prompt=f"{at}?") for at in range(40)]
    await fill(store, *judged, *(thumb(each, "up") for each in judged))

    sides = [
        {row["interaction_ids"][0] for row in await rows(store, "kto", split=side)}
        for side in ("train", "test")
    ]

    assert all(sides)
    assert sides[0] | sides[1] == {each.id for each in judged}
    assert not sides[0] & sides[1]


async def test_replies_to_different_prompts_are_not_paired(store: Store) -> None:
    """Thumbs and comparisons across prompts make no pair; the comparison is counted."""
    one, two = exchange(prompt="One?"), exchange(prompt="Two?")
    await fill(store, one, two, thumb(one, "up"), thumb(two, "down"), preference(one, two))

    assert +(await count_pairs(store)).dropped == {"other_prompt_or_filtered": 1}
    assert await rows(store, "dpo") == []


async def test_vetoed_reply_is_not_what_its_thumb_rates(store: Store) -> None:
    """A thumb on a refusal says nothing of the reply that was withheld, nor of the refusal."""
    good = exchange("Fine.")
    withheld = choice("Bad.", delivered="No.", delivered_finish_reason="content_filter")
    vetoed = exchange(status="vetoed", choices=[withheld])
    await fill(store, good, vetoed, thumb(good, "up"), thumb(vetoed, "down"))

    assert await rows(store, "dpo") == []
    assert [row["label"] for row in await rows(store, "kto")] == [True]
    assert +(await count_pairs(store)).dropped == {"withheld": 1}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 2),
        ({"since_us": 15}, 1),
        ({"until_us": 15}, 1),
        ({"since_us": 15, "until_us": 20}, 0),
        ({"model": "m-new"}, 1),
        ({"model": "m-new-2026"}, 1),
        ({"key_id": "key_1"}, 1),
        ({"sources": ("thumbs",)}, 0),
        ({"min_margin": 1.0}, 2),
    ],
)
async def test_filters_narrow_the_export(
    store: Store, options: dict[str, Any], expected: int
) -> None:
    """Time, model, tenant, source and margin each leave only what they name."""
    old = exchange(created_us=10)
    new = exchange(
        created_us=20, prompt="New?", model="m-new", reply_model="m-new-2026", key_id="key_1"
    )
    corrected = [thumb(each, None, correction="Right.") for each in (old, new)]
    await fill(store, old, new, *corrected)

    assert expected == len(await rows(store, "dpo", **options))


async def test_many_prompts_are_read_in_turns(store: Store, tmp_path: Path) -> None:
    """Prompts beyond one read are exported too, each once, whole on one side of the split."""
    count = reading.PROMPTS_PER_READ * 2 + 3
    pairs = [(exchange("A", prompt=f"{at}"), exchange("B", prompt=f"{at}")) for at in range(count)]
    thumbs = [(thumb(one, "up"), thumb(two, "down")) for one, two in pairs]
    await fill(store, *(each for pair in pairs for each in pair))
    await fill(store, *(each for pair in thumbs for each in pair))

    summary = await export_file(store, "kto", tmp_path / "kto.jsonl")

    sides: dict[str, set[str]] = {}
    for line in (tmp_path / "kto.jsonl").read_text().splitlines():
        row = json.loads(line)
        sides.setdefault(row["prompt"][0]["content"], set()).add(row["split"])
    assert (count, 2 * count) == (summary.prompts, summary.written)
    assert count == len(sides)
    assert all(len(side) == 1 for side in sides.values())
    assert {"train", "test"} == set.union(*sides.values())


async def test_hot_prompt_is_capped(store: Store) -> None:
    """Of a prompt with very many judged replies the newest are read and the rest counted."""
    replies = [exchange(f"{at}") for at in range(reading.REPLIES_PER_PROMPT + 5)]
    await fill(store, *replies, *(thumb(each, "up") for each in replies))

    tally = await count_pairs(store)

    assert +tally.dropped == {"replies_cap": 5}


async def test_file_comes_with_its_card(store: Store, tmp_path: Path) -> None:
    """The data card says what was written, from what, with which filters and command."""
    good, tied = exchange(), exchange(prompt="Tied?")
    said = [thumb(tied, "up", "ann"), thumb(tied, "down", "bob")]
    await fill(store, good, tied, thumb(good, None, correction="Right."), *said)

    summary = await export_file(
        store,
        "dpo",
        tmp_path / "out.jsonl",
        options=ExportOptions(model="m-small"),
        how=FileOptions(command="fairlead export dpo --model m-small", licence="CC BY 4.0"),
    )

    card = summary.card_path.read_text()
    assert (
        summary.written,
        summary.by_source,
        summary.dropped,
    ) == (1, {"corrections": 1}, {"tied_raters": 1})
    for part in ("1 rows", "2 judged prompts", "--model m-small", "| corrections | 1 |"):
        assert part in card
    assert "| model | m-small |" in card
    assert "| m-small-2026 | 2 |" in card
    assert "CC BY 4.0" in card
    assert hashlib.sha256(summary.path.read_bytes()).hexdigest() in card
    assert "`tied_raters`: as many raters were for as against | 1" in card
    assert summary.card_path == tmp_path / "out.jsonl.card.md"


async def test_parquet_holds_the_same_rows(store: Store, tmp_path: Path) -> None:
    """A Parquet file has the rows of the JSON Lines file, tools as JSON text."""
    plain = exchange("Plain.", prompt="Plain?")
    request = plain.request | {"tools": TOOLS}
    called = choice(None, message={"content": None, "tool_calls": [CALL]}, delivered=None)
    tool = replace(exchange(prompt="Tool?"), request=request, choices=[called])
    await fill(store, plain, tool, thumb(plain, "up"), thumb(tool, "down"))

    await export_file(store, "kto", tmp_path / "kto.parquet")

    found = pyarrow.parquet.read_table(tmp_path / "kto.parquet").to_pylist()
    by_label = {row["label"]: row for row in found}
    assert by_label[True]["completion"][0]["content"] == "Plain."
    assert by_label[True]["tools"] is None
    assert json.loads(by_label[False]["tools"]) == TOOLS
    (call,) = by_label[False]["completion"][0]["tool_calls"]
    assert call["function"]["name"] == "tide"
    assert json.loads(call["function"]["arguments"]) == {"at": "Kiel"}


async def test_parquet_without_tools_is_plain(store: Store, tmp_path: Path) -> None:
    """Without tools the messages of a Parquet file have a role and a content, no more."""
    good = exchange()
    await fill(store, good, thumb(good, None, correction="Right."))

    await export_file(store, "dpo", tmp_path / "dpo.parquet")

    (row,) = pyarrow.parquet.read_table(tmp_path / "dpo.parquet").to_pylist()
    assert row["chosen"] == [{"role": "assistant", "content": "Right."}]
    assert "tools" not in row


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
async def test_empty_export_is_an_empty_file(store: Store, tmp_path: Path, ending: str) -> None:
    """Nothing to export makes a file without rows, and its card."""
    summary = await export_file(store, "dpo", tmp_path / f"dpo.{ending}")

    assert summary.written == 0
    assert summary.path.exists()
    assert summary.card_path.exists()


@pytest.mark.parametrize(
    ("name", "path", "options", "reason"),
    [
        ("csv", "a.jsonl", {}, "there are dpo, kto"),
        ("dpo", "a.csv", {}, "names no known format"),
        ("dpo", "missing/a.jsonl", {}, "cannot write"),
        ("dpo", "a.jsonl", {"sources": ("unpaired",)}, "none named unpaired"),
    ],
)
async def test_impossible_export_leaves_nothing(
    store: Store, tmp_path: Path, *, name: str, path: str, options: dict[str, Any], reason: str
) -> None:
    """An export that cannot be is refused with its reason and leaves no file."""
    folder = tmp_path / "exports"
    folder.mkdir()

    with pytest.raises(ExportError, match=reason):
        await export_file(store, name, folder / path, options=ExportOptions(**options))

    assert names(folder) == []


async def test_failed_export_leaves_the_old_file(store: Store, tmp_path: Path) -> None:
    """When an export fails half way, the file that was there is untouched."""
    path = tmp_path / "dpo.jsonl"
    path.write_text("old\n")
    async with store.writing() as unit:
        await unit.connection.exec_driver_sql("DROP TABLE comparisons")

    with pytest.raises(StoreUnavailable, match="comparisons"):
        await export_file(store, "dpo", path, how=FileOptions(is_forced=True))

    assert path.read_text() == "old\n"
    assert not any("part" in name for name in names(tmp_path))


async def test_parquet_without_pyarrow_says_so(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pyarrow a Parquet export is refused with what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(ExportError, match="pip install pyarrow"):
        await export_file(store, "dpo", tmp_path / "dpo.parquet")


def test_formats_are_listed_by_name() -> None:
    """Every listed format is found by its name."""
    assert tuple(formats.find(name) for name in formats.names()) == formats.FORMATS


async def test_card_that_cannot_be_written_is_reported(store: Store, tmp_path: Path) -> None:
    """An export whose card finds no place says so."""
    (tmp_path / "dpo.jsonl.card.md").mkdir()

    with pytest.raises(ExportError, match="cannot write"):
        await export_file(store, "dpo", tmp_path / "dpo.jsonl")


async def test_odd_tool_call_is_left_out_and_counted(store: Store) -> None:
    """A call that no template can show, or whose arguments are no JSON, makes no row."""
    broken = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}
    for call in (broken, "odd"):
        record = exchange(choices=[choice(None, message={"content": None, "tool_calls": [call]})])
        await fill(store, record, thumb(record, "up"))

    tally = Tally()
    async with store.reading() as unit:
        async for group in reading.prompt_groups(unit.connection, ExportOptions(), tally):
            labels_of(group, ExportOptions(), tally.dropped)

    assert await rows(store, "kto") == []
    assert +tally.dropped == {"not_text": 2}
