"""Files of rows, JSON Lines or Parquet by their ending: written aside, then renamed into place.

In Parquet tools and the arguments of calls have Arrow's JSON type, which `datasets` reads as the
objects that they are in JSON Lines.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from storage import jsontext
from storage.errors import ExportError
from storage.exports.base import PARQUET, Row
from storage.records import Json

_ROWS_PER_BATCH = 1000


class RowFile:
    """Rows on their way to a file; JSON Lines until all are there."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.has_tools = False

    def write(self, row: Row) -> None:
        """Add a row."""
        self.has_tools = self.has_tools or _has_tools(row)
        self._file.write(to_line(row))

    def write_text(self, text: str) -> None:
        """Add what is no row, for a file that is made of something else."""
        self._file.write(text.encode())


def to_line(row: Row) -> bytes:
    """One row as a line of JSON, with its newline."""
    return jsontext.dumps(row).encode() + b"\n"


@contextmanager
def writing(path: Path, card_path: Path, describe: Callable[[str], str]) -> Iterator[RowFile]:
    """A file to write rows to; at `path` only once all are written, nothing there on an error.

    `describe` is given the file's SHA-256 and writes the card, which comes with it. Raises
    ExportError when the disk refuses.
    """
    waiting = [path.with_name(f"{path.name}.part.{what}") for what in ("rows", "table", "card")]
    lines, table, card = waiting
    try:
        with lines.open("wb") as file:
            rows = RowFile(file)
            yield rows
            _sync(file)
        whole = lines
        if path.suffix in PARQUET:
            _to_parquet(lines, table, has_tools=rows.has_tools)
            whole = table
        with card.open("w", encoding="utf-8") as described:
            described.write(describe(_sha256(whole)))
        # A card without its file does no harm; the file says that both are there.
        card.replace(card_path)
        whole.replace(path)
    finally:
        for each in waiting:
            each.unlink(missing_ok=True)


@contextmanager
def told(path: Path, hint: Callable[[], str] = str) -> Iterator[None]:
    """Turns what the disk refuses into an ExportError; `hint` is added to its words."""
    try:
        yield
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror or error}{hint()}") from error


def card_path_of(path: Path) -> Path:
    """Where the data card of a file is."""
    return path.with_name(f"{path.name}.card.md")


def check_target(path: Path, *, is_forced: bool) -> None:
    """ExportError when a file cannot be, or must not be, written at `path`."""
    if not path.name:
        raise ExportError(f"{str(path)!r} names no file")
    if path.is_dir():
        raise ExportError(f"{path} is a folder: give the name of a file in it")
    if not path.parent.is_dir():
        raise ExportError(f"cannot write {path}: there is no folder {path.parent}")
    card = card_path_of(path)
    if card.is_dir():
        raise ExportError(f"cannot write {card}, the file's data card: it is a folder")
    there = [str(each) for each in (path, card) if each.exists()]
    if there and not is_forced:
        raise ExportError(f"{there[0]} is there already: give another name, or --force")


def check_ending(path: Path, endings: tuple[str, ...]) -> None:
    """ExportError when a file of this name cannot be written."""
    if path.suffix not in endings:
        raise ExportError(
            f"the ending of {path.name!r} names no known format: {', '.join(endings)}"
        )
    if path.suffix in PARQUET:
        _pyarrow()


def _pyarrow() -> Any:
    try:
        import_module("pyarrow.parquet")
        return import_module("pyarrow")
    except ImportError as error:
        raise ExportError("Parquet needs pyarrow: pip install pyarrow") from error


def _to_parquet(source: Path, target: Path, *, has_tools: bool) -> None:
    arrow = _pyarrow()
    kinds = (arrow.string(), arrow.json_())
    writer = None
    with source.open("rb") as lines, target.open("wb") as file:
        while batch := [_flat(jsontext.loads(line)) for line in islice(lines, _ROWS_PER_BATCH)]:
            # Arrow makes JSON of text alone, not of Python's values.
            schemas = [_schema(arrow, batch[0], has_tools, kind) for kind in kinds]
            table = arrow.Table.from_pylist(batch, schema=schemas[0]).cast(schemas[1])
            writer = writer or arrow.parquet.ParquetWriter(file, table.schema)
            writer.write_table(table)
        if writer is None:
            arrow.parquet.write_table(arrow.table({}), file)
        else:
            writer.close()
        _sync(file)


def _schema(arrow: Any, row: Row, has_tools: bool, json: Any) -> Any:  # noqa: FBT001 private
    messages = arrow.list_(_message_type(arrow, has_tools, json))
    types = {
        "prompt": messages,
        "chosen": messages,
        "rejected": messages,
        "completion": messages,
        "messages": messages,
        "label": arrow.bool_(),
        "tools": json,
        "pair_source": arrow.string(),
        "margin": arrow.float64(),
        "difficulty": arrow.float64(),
        "interaction_ids": arrow.list_(arrow.string()),
        "split": arrow.string(),
        "probability": arrow.float64(),
    }
    wanted = [name for name in types if name in row or (name == "tools" and has_tools)]
    return arrow.schema([(name, types[name]) for name in wanted])


def _message_type(arrow: Any, has_tools: bool, json: Any) -> Any:  # noqa: FBT001 private
    text = arrow.string()
    fields = [("role", text), ("content", text)]
    if has_tools:
        function = arrow.struct([("name", text), ("arguments", json)])
        call = arrow.struct([("id", text), ("type", text), ("function", function)])
        fields += [("name", text), ("tool_call_id", text), ("tool_calls", arrow.list_(call))]
    return arrow.struct(fields)


def _flat(row: Row) -> Row:
    # Parquet wants one type per column; schemas and arguments differ from tool to tool, so they
    # travel as JSON text, which TRL reads too.
    flat = {name: _flat_messages(value) for name, value in row.items()}
    if "tools" in row:
        flat["tools"] = jsontext.dumps(row["tools"])
    return flat


def _flat_messages(value: Json) -> Json:
    if not isinstance(value, list):
        return value
    return [_flat_message(each) if isinstance(each, dict) else each for each in value]


def _flat_message(message: Row) -> Row:
    if "tool_calls" not in message:
        return message
    return message | {"tool_calls": [_flat_call(call) for call in message["tool_calls"]]}


def _flat_call(call: Json) -> Json:
    function = call["function"]
    named = {"name": function["name"], "arguments": jsontext.dumps(function["arguments"])}
    return {"id": call.get("id"), "type": call["type"], "function": named}


def _has_tools(row: Row) -> bool:
    lists = (value for value in row.values() if isinstance(value, list))
    messages = (each for value in lists for each in value if isinstance(each, dict))
    return "tools" in row or any(message.keys() - {"role", "content"} for message in messages)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
