"""Vetoed replies and those that took their place, as pairs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from storage.exports.base import ExportOptions
from storage.exports.judgement import replacements
from storage.exports.pairs import pairs_of
from storage.exports.run import count_pairs, export_file, export_lines
from storage.records import InteractionRecord
from storage.store import Store
from tests.storage.building import choice, exchange, preference, score, thumb
from tests.storage.exports.test_judgement import group
from tests.storage.exports.test_run import fill


def vetoed(text: str = "Bad.", risk: float = 0.95, number: int = 1, **changes: Any) -> Any:
    """An attempt whose only choice was vetoed for its toxicity."""
    return {
        "number": number,
        "upstream": "default",
        "response_id": None,
        "model": None,
        "error_code": None,
        "choices": [written(text)],
        "usage": None,
        "scores": [asdict(score(risk=risk, verdict="veto"))],
    } | changes


def written(text: str | None, index: int = 0, **changes: Any) -> Any:
    """A vetoed choice as an attempt has it."""
    message = {"role": "assistant", "content": text}
    return {
        "index": index,
        "message": message,
        "verdict": "veto",
        "finish_reason": "stop",
    } | changes


def regenerated(*attempts: Any, text: str = "Good.", **changes: Any) -> InteractionRecord:
    """An exchange whose reply took the place of others."""
    given = {"attempts": list(attempts) or [vetoed()], "scores": (score(risk=0.125),)}
    return exchange(text, **given | changes)


def found(
    record: InteractionRecord, *said: Any, **options: Any
) -> tuple[list[tuple[str, str, str, float]], dict[str, int]]:
    """(source, chosen, rejected, margin) of each pair, and what was dropped."""
    dropped: Counter[str] = Counter()
    pairs = pairs_of(group(*said, exchanges=(record,)), ExportOptions(**options), dropped)
    shown = [
        (p.provenance.source, p.chosen["content"], p.rejected["content"], p.provenance.margin)
        for p in pairs
    ]
    return shown, {reason: count for reason, count in dropped.items() if count}


def test_an_accepted_reply_is_preferred_to_the_vetoed_one() -> None:
    """The margin is what the vetoing scorer saw between the two."""
    assert found(regenerated()) == ([("regenerations", "Good.", "Bad.", 0.825)], {})


def test_each_vetoed_attempt_is_a_pair() -> None:
    """The same chosen reply stands against every rejected one."""
    record = regenerated(vetoed("Bad.", 0.925), vetoed("Worse.", 1.0, number=2))

    assert found(record)[0] == [
        ("regenerations", "Good.", "Bad.", 0.8),
        ("regenerations", "Good.", "Worse.", 0.875),
    ]


@pytest.mark.parametrize("verdict", ["flag", "veto", "unscored"])
def test_the_chosen_reply_has_passed_every_scorer(verdict: str) -> None:
    """One that was flagged, vetoed in its turn or not scored is nobody's example."""
    record = regenerated(choices=[choice("Good.", verdict=verdict)])

    assert found(record) == ([], {"not_passed": 1})


def test_a_score_that_did_not_come_is_not_passed() -> None:
    """An open policy lets a reply pass of which a part was not scored; no pair does."""
    failed = score(scorer="all", status="failed", risk=None, verdict="unscored")

    assert found(regenerated(scores=(score(), failed))) == ([], {"not_passed": 1})
    elsewhere = score(side="prompt", choice_index=None, status="failed", risk=None)
    assert found(regenerated(scores=(score(), elsewhere)))[1] == {}


def test_a_thumb_down_on_the_accepted_reply_counts_against_it() -> None:
    """One rater is enough, whatever the others say; the latest word of each counts."""
    record = regenerated()
    down, up = thumb(record, "down", "bob"), thumb(record, "up", "ann")

    assert found(record, up, down) == ([], {"thumbed_down": 1, "tied_raters": 1})
    assert found(record, down, thumb(record, "up", "bob"))[1] == {}
    assert found(record, thumb(record, "down", choice_index=1))[0]


def test_a_stream_that_was_cut_at_its_veto_is_not_rejected() -> None:
    """A piece of a reply against a whole one would teach its length; plain replies are whole."""
    cut = vetoed(choices=[written("Bad.", finish_reason=None)])

    assert found(regenerated(cut, is_stream=True)) == ([], {"incomplete": 1})
    assert len(found(regenerated(cut))[0]) == 1


def test_only_vetoed_choices_are_rejected() -> None:
    """Of several choices each vetoed one stands against the accepted one of its index."""
    before = vetoed(choices=[written("Fine.", verdict="allow"), written("Bad.", 1)])
    before["scores"] = [asdict(score(risk=0.95, verdict="veto", choice_index=1))]
    record = exchange(
        "One.", "Two.", attempts=[before], scores=(score(), score(choice_index=1, risk=0.2))
    )

    assert found(record)[0] == [("regenerations", "Two.", "Bad.", 0.75)]


def test_an_attempt_that_did_not_come_is_no_reply() -> None:
    """A cut or late one is left alone, also where a choice of it was vetoed."""
    assert found(regenerated(vetoed(error_code="upstream_cut"))) == ([], {})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"choices": [written(None)]}, "empty_reply"),
        ({"choices": [written("Good.")]}, "no_difference"),
        ({"choices": [written(None) | {"message": {"content": [{"type": "image"}]}}]}, "not_text"),
        ({"scores": []}, "no_common_score"),
        ({"scores": [asdict(score(scorer="other", verdict="veto"))]}, "no_common_score"),
        ({"scores": [asdict(score(risk=0.95, verdict="flag"))]}, "no_common_score"),
    ],
)
def test_what_cannot_be_a_pair_is_counted(changes: Any, reason: str) -> None:
    """Each reason has its name in the card."""
    assert found(regenerated(vetoed(**changes))) == ([], {reason: 1})


def test_an_accepted_reply_that_the_client_did_not_get_is_none() -> None:
    """As for every source: what was delivered has to be what the model wrote."""
    torn = regenerated(choices=[choice("Good.", delivered="Go")])

    assert found(torn) == ([], {"not_as_written": 1})
    assert found(regenerated(status="client_gone")) == ([], {"incomplete": 1})


def test_what_people_say_comes_first() -> None:
    """A comparison that prefers another way round is not contradicted by the scorers."""
    record, other = regenerated(), exchange("Bad.")
    judged = group(preference(other, record), exchanges=(record, other))
    dropped: Counter[str] = Counter()

    pairs = pairs_of(judged, ExportOptions(), dropped)

    assert [pair.provenance.source for pair in pairs] == ["comparisons"]
    assert +dropped == {"contradiction": 1}


def test_the_margin_has_a_least_value() -> None:
    """`min_margin` holds for risks as for raters."""
    assert found(regenerated(), min_margin=0.9) == ([], {"below_margin": 1})
    assert list(replacements(group(exchanges=(exchange(),)), Counter())) == []


async def test_dpo_rows_are_exactly_so(store: Store, tmp_path: Path) -> None:
    """No person has judged the exchange; its row names the source and the exchange."""
    record = regenerated(prompt="Which way?")
    await fill(store, record, exchange("Not judged.", prompt="Which way?"), exchange("Nor this."))

    lines = [json.loads(line) async for line in export_lines(store, "dpo")]
    summary = await export_file(store, "dpo", tmp_path / "pairs.jsonl")

    assert lines == [
        {
            "prompt": [{"role": "user", "content": "Which way?"}],
            "chosen": [{"role": "assistant", "content": "Good."}],
            "rejected": [{"role": "assistant", "content": "Bad."}],
            "pair_source": "regenerations",
            "margin": 0.825,
            "difficulty": 0.0875,
            "interaction_ids": [record.id],
            "split": lines[0]["split"],
        }
    ]
    assert (summary.prompts, summary.written) == (1, 1)
    assert "regenerations" in summary.card_path.read_text()


async def test_a_source_can_be_asked_for_or_left_out(store: Store) -> None:
    """`--source` names it; KTO, which takes thumbs, does not look at these exchanges."""
    await fill(store, regenerated())

    for sources, written_rows in ((("regenerations",), 1), (("thumbs",), 0), (None, 1)):
        tally = await count_pairs(store, options=ExportOptions(sources=sources))
        assert (tally.prompts, tally.written) == (written_rows, written_rows)
    assert [line async for line in export_lines(store, "kto")] == []
