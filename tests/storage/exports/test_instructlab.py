"""InstructLab's files, held against InstructLab's own schema and reader."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from instructlab.schema.taxonomy import TaxonomyParser

from storage.errors import ExportError
from storage.exports.base import ExportOptions
from storage.exports.card import FileOptions
from storage.exports.instructlab import export_qna, qna_text
from storage.exports.qna import Documents, QnaOptions
from storage.store import Store
from tests.storage.building import exchange, thumb
from tests.storage.exports.test_run import TOOLS, fill, names

DOCUMENTS = Documents(
    repo="https://example.org/tides.git", commit="951999a", patterns=("*.md",), outline="Tides."
)


@pytest.fixture(autouse=True)
def linter(monkeypatch: pytest.MonkeyPatch) -> None:
    """InstructLab's parser runs yamllint, where it finds it: beside this Python."""
    folder = Path(sys.executable).parent
    assert (folder / "yamllint").is_file()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


async def corrected(
    store: Store, at: int, *, tags: tuple[str, ...] = ("tides",), context: Any = (), **changes: Any
) -> None:
    """A wrong answer and its correction."""
    prompt = changes.pop("prompt", f"When is high tide {at}?")
    answer = changes.pop("answer", f"At {at} o'clock.\nEvery day.")
    record = exchange("No idea.", prompt=prompt, tags=tags, context=list(context), **changes)
    await fill(store, record, thumb(record, "down", correction=answer))


def accepted(folder: Path, kind: str, text: str) -> dict[str, Any]:
    """The content, once InstructLab's parser has taken it without an error or a warning."""
    path = folder / kind / "tides" / "qna.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    parser = TaxonomyParser(schema_version=3, message_format="standard", yamllint_strict=True)
    read = parser.parse(path)
    assert (read.errors, read.warnings) == (0, 0)
    assert read.version == 3
    found: dict[str, Any] = yaml.safe_load(text)
    return found


async def test_a_skill_is_accepted_by_instructlab(store: Store, tmp_path: Path) -> None:
    """Questions, corrections and sources as they were; the newest correction stands."""
    for at in range(5):
        await corrected(store, at, context=["Tides rise.  \nTides fall.", "x: y"] if at else ())
    await corrected(store, 0, answer="At noon: “high”, #1 \ttide.  ")

    path = tmp_path / "qna.yaml"
    qna = QnaOptions(created_by="ann", task_description="Say when the tide is high.")
    summary = await export_qna(store, path, qna=qna)

    found = accepted(tmp_path, "compositional_skills", path.read_text(encoding="utf-8"))
    assert (found["version"], found["created_by"]) == (3, "ann")
    assert found["task_description"] == "Say when the tide is high."
    examples = {each["question"]: each for each in found["seed_examples"]}
    assert len(examples) == 5
    assert examples["When is high tide 0?"] == {
        "question": "When is high tide 0?",
        "answer": "At noon: “high”, #1 \ttide.",
    }
    assert examples["When is high tide 1?"] == {
        "context": "Tides rise.\nTides fall.\n\nx: y",
        "question": "When is high tide 1?",
        "answer": "At 1 o'clock.\nEvery day.",
    }
    assert (summary.written, dict(summary.dropped)) == (5, {"duplicate": 1})
    assert names(tmp_path)[-2:] == ["qna.yaml", "qna.yaml.card.md"]
    card = summary.card_path.read_text(encoding="utf-8")
    assert "| corrections of topic 'tides' | 5 |" in card
    assert "near_duplicates" not in card


async def test_knowledge_is_accepted_by_instructlab(store: Store, tmp_path: Path) -> None:
    """Five sources with three corrections each, and where the documents are."""
    for at in range(17):
        await corrected(store, at, context=[f"Source {at // 3}."])

    text = await qna_text(store, qna=QnaOptions(documents=DOCUMENTS))

    found = accepted(tmp_path, "knowledge", text)
    assert [len(each["questions_and_answers"]) for each in found["seed_examples"]] == [3] * 5
    assert {each["context"] for each in found["seed_examples"]} == {
        f"Source {at}." for at in range(5)
    }
    assert found["domain"] == "tides"
    assert found["document_outline"] == "Tides."
    assert found["document"] == {
        "repo": "https://example.org/tides.git", "commit": "951999a", "patterns": ["*.md"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("count", "qna", "reason"),
    [
        (0, QnaOptions(), "there is no corrected reply that fits"),
        (3, QnaOptions(), r"'tides' has 3 corrected replies that fit, a skill needs 5: 2 more"),
        (3, QnaOptions(topic="tides"), r"^'tides' has 3 .*: 2 more"),
        (9, QnaOptions(domain="the sea"), "a skill has none"),
        (
            9,
            QnaOptions(documents=DOCUMENTS, task_description="tell"),
            "knowledge has none, the outline",
        ),
        (9, QnaOptions(topic="moon"), r"^'moon' has 0 .*: 5 more"),
        (
            9,
            QnaOptions(documents=DOCUMENTS),
            r"'tides' has 3 contexts with 3 corrected replies each, knowledge needs 5: 2 more",
        ),
    ],
)
async def test_too_little_says_how_much_is_missing(
    store: Store, tmp_path: Path, *, count: int, qna: QnaOptions, reason: str
) -> None:
    """Nothing is made up, and no file is left."""
    for at in range(count):
        await corrected(store, at, context=[f"Source {at // 3}."])
    folder = tmp_path / "out"
    folder.mkdir()

    with pytest.raises(ExportError, match=reason):
        await export_qna(store, folder / "qna.yaml", qna=qna)

    assert names(folder) == []


async def test_several_topics_are_asked_back(store: Store, tmp_path: Path) -> None:
    """Which one is meant is not guessed; corrections without a tag are a topic too."""
    for at in range(5):
        await corrected(store, at)
        await corrected(store, at + 5, tags=())

    with pytest.raises(ExportError, match=r"name one: '' \(no tag\), 'tides'"):
        await qna_text(store)
    text = await qna_text(store, qna=QnaOptions(topic=""))

    questions = [each["question"] for each in yaml.safe_load(text)["seed_examples"]]
    assert sorted(questions) == [f"When is high tide {at}?" for at in range(5, 10)]


async def test_tags_of_feedback_are_topics(store: Store) -> None:
    """Whoever corrects can say what it is about."""
    for at in range(5):
        record = exchange("No idea.", prompt=f"{at}?")
        await fill(store, record, thumb(record, "down", correction=f"{at}!", tags=("sums",)))

    text = await qna_text(store, qna=QnaOptions(topic="sums"))

    assert len(yaml.safe_load(text)["seed_examples"]) == 5


async def test_what_does_not_fit_is_counted(store: Store, tmp_path: Path) -> None:
    """Dialogues, tools and long texts have no place in a question, and are not cut."""
    asked = {"role": "user", "content": "High tide?"}
    dialogue = [asked, {"role": "assistant", "content": "Noon."}, asked]
    system = [{"role": "system", "content": "Be brief."}, asked]
    for at in range(5):
        await corrected(store, at)
    await corrected(store, 5, prompt_hash="a", request={"messages": dialogue})
    await corrected(store, 6, prompt_hash="b", request={"messages": [asked], "tools": TOOLS})
    await corrected(store, 7, prompt_hash="c", request={"messages": system})
    await corrected(store, 8, answer="word " * 251)
    await corrected(store, 9, prompt="word " * 251)
    await corrected(store, 10, context=["word " * 501])

    summary = await export_qna(store, tmp_path / "qna.yaml")

    assert summary.written == 6
    assert dict(summary.dropped) == {"qna_dialogue": 2, "qna_long": 2, "qna_long_context": 1}


async def test_a_skill_stays_below_the_guide_s_words(store: Store, tmp_path: Path) -> None:
    """About 2,300 words a file: the newest corrections are taken, the others counted."""
    for at in range(12):
        await corrected(store, at, answer=f"{at} " + "word " * 240)

    summary = await export_qna(store, tmp_path / "qna.yaml")

    found = yaml.safe_load((tmp_path / "qna.yaml").read_text(encoding="utf-8"))
    assert [each["question"] for each in found["seed_examples"]] == [
        f"When is high tide {at}?" for at in range(11, 2, -1)
    ]
    assert dict(summary.dropped) == {"qna_unused": 3}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (ExportOptions(sources=("thumbs",)), "has corrections alone"),
        (ExportOptions(order="curriculum", seed=3), "has no such thing"),
    ],
)
async def test_options_of_rows_are_refused(
    store: Store, options: ExportOptions, reason: str
) -> None:
    """What the format does not know is not passed over."""
    with pytest.raises(ExportError, match=reason):
        await qna_text(store, options=options)


async def test_filters_narrow_the_file(store: Store) -> None:
    """Times, models and tenants are as in the other formats."""
    for at in range(6):
        await corrected(store, at, model="m-new" if at < 5 else "m-old", reply_model=None)

    text = await qna_text(store, options=ExportOptions(model="m-new"))

    assert len(yaml.safe_load(text)["seed_examples"]) == 5
    with pytest.raises(ExportError, match="has 1 corrected"):
        await qna_text(store, options=ExportOptions(model="m-old"))


async def test_a_file_that_is_there_stays(store: Store, tmp_path: Path) -> None:
    """As for every export: no file is replaced unless that is asked for."""
    for at in range(5):
        await corrected(store, at)
    path = tmp_path / "qna.yaml"
    path.write_text("old\n")

    with pytest.raises(ExportError, match="is there already"):
        await export_qna(store, path)
    with pytest.raises(ExportError, match=r"names no known format: .yaml, .yml"):
        await export_qna(store, tmp_path / "qna.json")
    assert path.read_text() == "old\n"
    await export_qna(store, path, how=FileOptions(is_forced=True))

    assert path.read_text().startswith("version: 3\n")


def test_the_parser_can_refuse(tmp_path: Path) -> None:
    """The check of these tests sees a missing field, too few examples and bad layout."""
    good = {"question": "?", "answer": "!"}
    for wrong in (
        {"version": 3, "created_by": "a", "seed_examples": [good]},
        {"version": 3, "created_by": "a", "task_description": "t", "seed_examples": [good]},
    ):
        with pytest.raises(AssertionError):
            accepted(tmp_path / str(len(wrong)), "compositional_skills", yaml.safe_dump(wrong))
    with pytest.raises(AssertionError):
        accepted(tmp_path / "layout", "compositional_skills", "version: 3 \nversion: 3\n")
