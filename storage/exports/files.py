"""Files of rows, JSON Lines or Parquet by their ending: written aside, then renamed into place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from storage import jsontext
from storage.errors import ExportError
from storage.records import Json

JSON_LINES = (".jsonl", ".ndjson")
PARQUET = (".parquet",)
_ROWS_PER_BATCH = 1000


class RowFile:
    """Rows on their way to a file; JSON Lines until all are there."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.has_tools = False

    def write(self, row: dict[str, Json]) -> None:
        """Add a row."""
        self.has_tools = self.has_tools or _has_tools(row)
        self._file.write(to_line(row))


def to_line(row: dict[str, Json]) -> bytes:
    """One row as a line of JSON, with its newline."""
    return jsontext.dumps(row).encode() + b"\n"


@contextmanager
def writing(path: Path) -> Iterator[RowFile]:
    """A file to write rows to, at `path` only once all are written; nothing there on an error.

    Raises ExportError for an ending that is neither JSON Lines nor Parquet, for Parquet without
    pyarrow, and when the disk refuses.
    """
    check_ending(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    table = part.with_suffix(".table")
    try:
        with part.open("wb") as file:
            rows = RowFile(file)
            yield rows
            _sync(file)
        if path.suffix in PARQUET:
            _to_parquet(part, table, has_tools=rows.has_tools)
            table.replace(path)
        else:
            part.replace(path)
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
        table.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """A small text file, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def check_ending(path: Path) -> None:
    """ExportError when a file of this name cannot be written."""
    if path.suffix in PARQUET:
        _pyarrow()
    elif path.suffix not in JSON_LINES:
        known = ", ".join((*JSON_LINES, *PARQUET))
        raise ExportError(f"the ending of {path.name!r} names no known format: {known}")


def _pyarrow() -> Any:
    try:
        import_module("pyarrow.parquet")
        return import_module("pyarrow")
    except ImportError as error:
        raise ExportError("Parquet needs pyarrow: pip install pyarrow") from error


def _to_parquet(source: Path, target: Path, *, has_tools: bool) -> None:
    arrow = _pyarrow()
    writer = None
    with source.open("rb") as lines, target.open("wb") as file:
        while batch := [_flat(jsontext.loads(line)) for line in islice(lines, _ROWS_PER_BATCH)]:
            table = arrow.Table.from_pylist(batch, schema=_schema(arrow, batch[0], has_tools))
            writer = writer or arrow.parquet.ParquetWriter(file, table.schema)
            writer.write_table(table)
        if writer is None:
            arrow.parquet.write_table(arrow.table({}), file)
        else:
            writer.close()
        _sync(file)


def _schema(arrow: Any, row: dict[str, Json], has_tools: bool) -> Any:  # noqa: FBT001 private
    messages = arrow.list_(_message_type(arrow, has_tools))
    types = {
        "prompt": messages,
        "chosen": messages,
        "rejected": messages,
        "completion": messages,
        "label": arrow.bool_(),
        "tools": arrow.string(),
        "pair_source": arrow.string(),
        "margin": arrow.float64(),
        "difficulty": arrow.float64(),
        "interaction_ids": arrow.list_(arrow.string()),
        "split": arrow.string(),
        "probability": arrow.float64(),
    }
    wanted = [name for name in types if name in row or (name == "tools" and has_tools)]
    return arrow.schema([(name, types[name]) for name in wanted])


def _message_type(arrow: Any, has_tools: bool) -> Any:  # noqa: FBT001 private
    text = arrow.string()
    fields = [("role", text), ("content", text)]
    if has_tools:
        function = arrow.struct([("name", text), ("arguments", text)])
        call = arrow.struct([("id", text), ("type", text), ("function", function)])
        fields += [("name", text), ("tool_call_id", text), ("tool_calls", arrow.list_(call))]
    return arrow.struct(fields)


def _flat(row: dict[str, Json]) -> dict[str, Json]:
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


def _flat_message(message: dict[str, Json]) -> dict[str, Json]:
    if "tool_calls" not in message:
        return message
    return message | {"tool_calls": [_flat_call(call) for call in message["tool_calls"]]}


def _flat_call(call: Json) -> Json:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return None
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else jsontext.dumps(arguments)
    named = {"name": function.get("name"), "arguments": text}
    return {"id": call.get("id"), "type": call.get("type"), "function": named}


def _has_tools(row: dict[str, Json]) -> bool:
    lists = (value for value in row.values() if isinstance(value, list))
    messages = (each for value in lists for each in value if isinstance(each, dict))
    return "tools" in row or any(message.keys() - {"role", "content"} for message in messages)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
