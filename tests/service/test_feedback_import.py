"""`fairlead feedback import`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from service.cli import main
from storage import migrate
from storage.keys import new_key
from storage.records import FeedbackRecord
from storage.store import Store
from tests.fakes.local import exchange

Run = Callable[..., tuple[int, str, str]]

ROWS: list[dict[str, Any]] = [
    {
        "id": "fl_1",
        "rating": "up",
        "rater": "ann",
        "comment": 'say "so",\nagain',
        "tags": ["a", "b"],
    },
    {"id": "chatcmpl-fl_2", "rating": "down", "rater": "bob", "correction": "Better."},
    {"id": "fl_1", "rating": None, "rater": "ann", "comment": "later"},
    {"id": "fl_2", "rating": "up", "created_at": "2026-01-02T03:04:05Z"},
]


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The store that the command uses, with two exchanges, the second of one tenant."""
    found = f"sqlite+aiosqlite:///{tmp_path / 'fairlead.db'}"
    monkeypatch.setenv("FAIRLEAD_DATABASE_URL", found)
    monkeypatch.chdir(tmp_path)

    async def fill() -> None:
        await migrate.upgrade(found)
        store = await Store.open(found)
        async with store.writing() as unit:
            _, key = new_key("web")
            await unit.keys.add(key)
            await unit.interactions.add(exchange("fl_1"))
            await unit.interactions.add(exchange("fl_2", key_id=key.id))
        await store.close()

    asyncio.run(fill())
    return found


@pytest.fixture
def run(url: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Imports: exit code, output, errors."""

    def running(*argv: str) -> tuple[int, str, str]:
        code = main(("feedback", "import", *argv))
        return (code, *capsys.readouterr())

    return running


def stored(url: str) -> list[FeedbackRecord]:
    """What is in the store, oldest first."""

    async def read() -> list[FeedbackRecord]:
        store = await Store.open(url)
        async with store.reading() as unit:
            page = await unit.feedback.page(limit=1000)
        await store.close()
        return list(reversed(page.items))

    return asyncio.run(read())


def write(name: str, rows: list[dict[str, Any]]) -> str:
    """The rows as a file of the kind that its name says."""
    path = Path(name)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n\n" for row in rows))
    elif path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    else:
        names = list(dict.fromkeys(name for row in rows for name in row))
        lines = [",".join(names)]
        for row in rows:
            cells = (row.get(name) for name in names)
            texts = ("|".join(cell) if isinstance(cell, list) else cell or "" for cell in cells)
            lines.append(",".join('"' + text.replace('"', '""') + '"' for text in texts))
        path.write_text("\ufeff" + "\r\n".join(lines))
    return name


@pytest.mark.parametrize("name", ["f.csv", "f.jsonl", "f.parquet"])
def test_a_file_is_imported_once(run: Run, url: str, name: str) -> None:
    """Every kind gives the same rows; the second time adds nothing, in whatever kind."""
    columns = dict.fromkeys(name for row in ROWS for name in row)
    whole = [dict.fromkeys(columns) | row for row in ROWS]
    path = write(name, whole)

    code, out, _ = run(path)
    again = run(write("again.jsonl", ROWS))

    assert (code, out) == (0, "4 rows: 4 added, 0 known already, 0 refused\n")
    assert again[:2] == (0, "4 rows: 0 added, 4 known already, 0 refused\n")
    found = stored(url)
    assert [(row.interaction_id, row.rating, row.rater) for row in found] == [
        ("fl_2", "up", ""),
        ("fl_1", "up", "ann"),
        ("fl_2", "down", "bob"),
        ("fl_1", None, "ann"),
    ]
    assert found[0].created_us == 1_767_323_045_000_000
    assert (found[1].comment, found[1].tags) == ('say "so",\nagain', ("a", "b"))
    assert (found[2].correction, found[2].response_id) == ("Better.", "chatcmpl-fl_2")


def test_a_wrong_row_refuses_the_file(run: Run, url: str) -> None:
    """Its line, its field and what to do; nothing is stored."""
    Path("f.csv").write_text(
        'id,rating,comment,choice_index\nfl_1,up,"two\nlines",0\nnope,up,,\nfl_1,meh,,x\nfl_1\n'
        "fl_2,,,\n"
    )

    code, _, err = run("f.csv")

    assert code == 2
    for said in (
        "f.csv: 4 of 5 rows are wrong, and nothing was imported",
        "line 4: id: no interaction or reply is known by the id 'nope'",
        "line 5: rating: ",
        "line 6: has 1 cells where the header has 4",
        "line 7: rating: says nothing: give a `rating`",
        "--skip-bad",
    ):
        assert said in err
    assert stored(url) == []


def test_wrong_rows_can_be_left_out(run: Run, url: str) -> None:
    """They are in a file of their own, with lines and reasons, to be mended and imported."""
    good = json.dumps(ROWS[0])
    lines = [
        good,
        '{"id": "nope", "rating": "up"}',
        "[1]",
        '{"id": "fl_1", "id": "fl_2"}',
        "{",
        good.lower(),
    ]
    Path("f.jsonl").write_text("\n".join(lines))

    code, out, _ = run("f.jsonl", "--skip-bad")

    assert code == 0
    assert "6 rows: 1 added, 1 known already, 4 refused" in out
    assert len(stored(url)) == 1
    left = [json.loads(line) for line in Path("f.jsonl.rejected.jsonl").read_text().splitlines()]
    assert [(row["line"], row["param"], row["row"]) for row in left] == [
        (2, "id", {"id": "nope", "rating": "up"}),
        (3, None, None),
        (4, None, None),
        (5, None, None),
    ]
    assert "'id' twice" in left[2]["message"]


def test_a_dry_run_stores_nothing(run: Run, url: str) -> None:
    """It says what an import would do, also of what is known."""
    run(write("f.jsonl", ROWS[:1]))

    code, out, _ = run(write("g.jsonl", ROWS), "--dry-run")

    assert (code, out) == (0, "4 rows: 3 would be added, 1 known already, 0 refused\n")
    assert len(stored(url)) == 1


def test_a_key_judges_its_own_exchanges(run: Run, url: str) -> None:
    """Another's are unknown, and what is stored is the key's."""
    path = write("f.jsonl", ROWS)

    code, _, err = run(path, "--key", "web")
    assert code == 2
    assert "2 of 4 rows are wrong" in err
    assert run(path, "--key", "web", "--skip-bad")[0] == 0
    assert {row.interaction_id for row in stored(url)} == {"fl_2"}
    assert None not in {row.key_id for row in stored(url)}
    assert "no key has the id or name 'nobody'" in run(path, "--key", "nobody")[2]


def test_a_long_file_is_imported_whole(run: Run, url: str) -> None:
    """Longer than a chunk, with more wrong rows than are shown."""
    rows = [{"id": "fl_1", "rating": "up", "rater": str(at)} for at in range(1100)]
    wrong = [{"id": f"no_{at}"} for at in range(50)]

    code, _, err = run(write("f.jsonl", [*rows, *wrong]))
    assert (code, "and 30 more" in err, stored(url)) == (2, True, [])

    assert run(write("f.jsonl", rows))[1].startswith("1100 rows: 1100 added")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.csv", None, "there is no such file"),
        ("f.txt", b"id\n", "ends in none of .csv, .jsonl and .parquet"),
        ("f.csv", b"", "no column `id`; known: id, rating"),
        ("f.csv", b"id,raiting\n", "unknown columns 'raiting'"),
        ("f.csv", b"id,id\n", "stands twice"),
        ("f.csv", b"id,comment\nfl_1,\xff\n", "is not UTF-8 at or after line"),
        ("f.csv", b'id,comment\nfl_1,"open\n', "line 2: "),
        ("f.parquet", b"PAR1", "cannot be read as Parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    run: Run, url: str, name: str, content: bytes | None, said: str
) -> None:
    """The message says what is wrong with the file."""
    if content is not None:
        Path(name).write_bytes(content)

    code, _, err = run(name)

    assert (code, said in err, stored(url)) == (2, True, []), err


def test_texts_that_cannot_be_stored_are_refused(run: Run, url: str) -> None:
    """NUL characters, halves of surrogate pairs and texts over the limit."""
    lines = [r'{"id": "fl_1", "comment": "\u0000"}', r'{"id": "fl_1", "comment": "\ud800"}']
    long = json.dumps({"id": "fl_1", "comment": "x" * 1_000_000})
    Path("f.jsonl").write_text("\n".join([*lines, long]))

    code, _, err = run("f.jsonl")

    assert code == 2
    assert "line 1: comment: has a NUL character" in err
    assert "line 2: is no JSON in UTF-8" in err
    assert "line 3: comment: String should have at most 20000 characters" in err
    assert stored(url) == []
