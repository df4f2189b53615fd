"""Files of judgements: CSV, JSON Lines or Parquet, row by row with their places."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from service.commands.failures import UsageError
from service.feedback_rows import Fault, FeedbackRow, Given

CHUNK_ROWS = 500
COLUMNS = tuple(FeedbackRow.model_fields)
_JSON_LINES = (".jsonl", ".ndjson")
_CELL_CHARS = 2_000_000


def chunks(path: Path) -> Iterator[list[Given]]:
    """The rows of a file, a bounded number at a time; UsageError for what is no such file."""
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")
    rows = _rows(path)
    while chunk := list(islice(rows, CHUNK_ROWS)):
        yield chunk


def place_name(path: Path) -> str:
    """What the place of a row is called."""
    return "row" if path.suffix == ".parquet" else "line"


def _rows(path: Path) -> Iterator[Given]:
    if path.suffix == ".csv":
        return _csv_rows(path)
    if path.suffix in _JSON_LINES:
        return _json_rows(path)
    if path.suffix == ".parquet":
        return _parquet_rows(path)
    raise UsageError(f"{path}: ends in none of .csv, .jsonl and .parquet")


def _csv_rows(path: Path) -> Iterator[Given]:
    csv.field_size_limit(_CELL_CHARS)
    place = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_columns(header, path)
            place = reader.line_num + 1
            for cells in reader:
                if cells:
                    yield Given(place, _of_cells(header, cells))
                place = reader.line_num + 1
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8 at or after line {place}") from None
    except csv.Error as error:
        raise UsageError(f"{path}: line {place}: {error}") from None


def _check_columns(header: list[str], path: Path) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    if unknown or "id" not in header:
        what = f"unknown columns {', '.join(map(repr, unknown))}" if unknown else "no column `id`"
        raise UsageError(f"{path}: {what}; known: {', '.join(COLUMNS)}")
    if len(set(header)) < len(header):
        raise UsageError(f"{path}: a column stands twice in the header")


def _of_cells(header: list[str], cells: list[str]) -> Any:
    if len(cells) != len(header):
        return _Misshapen(f"has {len(cells)} cells where the header has {len(header)}")
    fields: dict[str, Any] = {
        name: cell for name, cell in zip(header, cells, strict=True) if cell.strip()
    }
    index = fields.get("choice_index", "")
    if index.strip().isdecimal():
        fields["choice_index"] = int(index)
    if "tags" in fields:
        fields["tags"] = _tags(fields["tags"])
    return fields


def _tags(cell: str) -> Any:
    """A JSON list, or tags with `|` between them."""
    if cell.lstrip().startswith("["):
        try:
            return json.loads(cell)
        except ValueError:
            return cell
    return [tag.strip() for tag in cell.split("|") if tag.strip()]


class _Misshapen(str):
    """The place of a row that cannot be read, and why."""

    __slots__ = ()


def misshapen(row: Given) -> Fault | None:
    """What is wrong with the form of a row, before its fields are looked at."""
    if isinstance(row.fields, _Misshapen):
        return Fault(row.place, None, str(row.fields))
    return None


def _json_rows(path: Path) -> Iterator[Given]:
    with path.open("rb") as lines:
        for place, line in enumerate(lines, 1):
            if line.strip():
                yield Given(place, _of_json(line))


def _of_json(line: bytes) -> Any:
    try:
        json.loads(line, object_pairs_hook=_untwinned)
        value = orjson.loads(line)
    except _TwinError as error:
        return _Misshapen(f"has the field {str(error)!r} twice")
    except (ValueError, RecursionError):
        return _Misshapen("is no JSON in UTF-8")
    if not isinstance(value, dict):
        return _Misshapen("is no JSON object")
    return _given(value)


class _TwinError(Exception):
    """A name that stands twice in one object."""


def _untwinned(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _TwinError(name)
        found[name] = value
    return found


def _parquet_rows(path: Path) -> Iterator[Given]:
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError:
        raise UsageError(
            "Parquet needs pyarrow: pip install 'fairlead[parquet]', or use .csv or .jsonl"
        ) from None
    try:
        file = parquet.ParquetFile(path)
        _check_columns(list(file.schema_arrow.names), path)
        place = 0
        for batch in file.iter_batches(CHUNK_ROWS):
            for fields in batch.to_pylist():
                place += 1
                yield Given(place, _given(fields))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as Parquet ({error})") from None


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that are not null; times without a zone are UTC, tags in one text taken apart."""
    found = {name: value for name, value in fields.items() if value is not None}
    at = found.get("created_at")
    if isinstance(at, datetime) and at.tzinfo is None:
        found["created_at"] = at.replace(tzinfo=UTC)
    if isinstance(found.get("tags"), str):
        found["tags"] = _tags(found["tags"])
    return found


class RejectedFile:
    """Rows that were left out, as JSON Lines with their places and faults."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, row: Given, fault: Fault, *, place: str) -> None:
        """One row and what is wrong with it."""
        fields = None if isinstance(row.fields, _Misshapen) else row.fields
        told = {place: fault.place, "param": fault.param, "message": fault.message, "row": fields}
        self._file.write(orjson.dumps(told, default=str) + b"\n")


@contextmanager
def rejected_file(path: Path) -> Iterator[RejectedFile]:
    """A file for rows that are left out, at `path` only once it is whole."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield RejectedFile(file)
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        part.unlink(missing_ok=True)
