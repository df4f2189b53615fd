"""Files of exchanges to be scored: rows in, rows with risks out, JSON Lines or Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import orjson

from scorers.types import Score, Side, Subject
from service.commands.failures import UsageError

Row = dict[str, Any]

JSON_LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"
CHUNK_ROWS = 512


class RowWriter(Protocol):
    """Takes chunks of rows."""

    def write(self, rows: Sequence[Row]) -> None:
        """Adds the rows at the end."""
        ...


def chunks(path: Path) -> Iterator[list[Row]]:
    """The rows of a file, a bounded number at a time."""
    if path.suffix == PARQUET:
        yield from _parquet_chunks(path)
        return
    if path.suffix not in JSON_LINES:
        raise UsageError(f"{path}: ends neither in .jsonl nor in .parquet")
    chunk: list[Row] = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                chunk.append(_row(line, f"{path}: line {number}"))
            if len(chunk) == CHUNK_ROWS:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def count(path: Path) -> int:
    """How many rows a file has."""
    if path.suffix == PARQUET:
        return int(_opened(path).metadata.num_rows)
    with path.open("rb") as lines:
        return sum(1 for line in lines if line.strip())


def _row(line: bytes, where: str) -> Row:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{where}: is not JSON ({error})") from None
    if not isinstance(row, dict):
        raise UsageError(f"{where}: is no JSON object")
    return row


def _parquet_chunks(path: Path) -> Iterator[list[Row]]:
    for batch in _opened(path).iter_batches(CHUNK_ROWS):
        yield batch.to_pylist()


def _opened(path: Path) -> Any:
    parquet = _pyarrow()
    try:
        return parquet.ParquetFile(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as Parquet ({error})") from None


def _pyarrow() -> Any:
    try:
        return import_module("pyarrow.parquet")
    except ImportError:
        raise UsageError(
            "Parquet needs pyarrow: pip install 'fairlead[parquet]', or use .jsonl"
        ) from None


@contextmanager
def writing(path: Path) -> Iterator[RowWriter]:
    """A file for rows, which is at `path` only once all are written."""
    if path.suffix != PARQUET and path.suffix not in JSON_LINES:
        raise UsageError(f"{path}: ends neither in .jsonl nor in .parquet")
    part = path.with_name(f".{path.name}.part")
    writer = _ParquetRows(part) if path.suffix == PARQUET else _JsonRows(part)
    try:
        yield writer
        writer.close()
        part.replace(path)
    finally:
        writer.drop()
        part.unlink(missing_ok=True)


class _JsonRows:
    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, rows: Sequence[Row]) -> None:
        self._file.writelines(orjson.dumps(row, default=str) + b"\n" for row in rows)

    def close(self) -> None:
        self._file.close()

    def drop(self) -> None:
        self._file.close()


class _ParquetRows:
    """The first chunk's columns hold for all; a column of nulls takes the type that comes later."""

    def __init__(self, path: Path) -> None:
        self._parquet = _pyarrow()
        self._arrow = import_module("pyarrow")
        self._path = path
        self._tables: list[Any] = []

    def write(self, rows: Sequence[Row]) -> None:
        self._tables.append(self._arrow.Table.from_pylist(list(rows)))

    def close(self) -> None:
        if not self._tables:
            self._tables.append(self._arrow.table({}))
        whole = self._arrow.concat_tables(self._tables, promote_options="permissive")
        self._parquet.write_table(whole, self._path, compression="zstd")

    def drop(self) -> None:
        self._tables.clear()


def subjects(row: Row, *, where: str = "row") -> list[Subject]:
    """What there is to score in a row: its prompt, its reply, or both.

    A row has `response` with `prompt` and `context`, or `text` with `role` (`prompt` or
    `response`). Anything else raises UsageError.
    """
    prompt = _text(row, "prompt", where)
    context = _context(row, where)
    if row.get("text") is not None:
        return [_by_role(row, prompt=prompt, context=context, where=where)]
    found = []
    if prompt:
        found.append(Subject(Side.PROMPT, prompt))
    if row.get("response") is not None:
        reply = _text(row, "response", where)
        found.append(Subject(Side.REPLY, reply, prompt=prompt, context=context))
    if not found:
        raise UsageError(f"{where}: has neither `response` nor `prompt` nor `text`")
    return found


def _by_role(row: Row, *, prompt: str, context: tuple[str, ...], where: str) -> Subject:
    text = _text(row, "text", where)
    role = row.get("role", "response")
    if role == "prompt":
        return Subject(Side.PROMPT, text)
    if role == "response":
        return Subject(Side.REPLY, text, prompt=prompt, context=context)
    raise UsageError(f"{where}: `role` is {role!r} and not `prompt` or `response`")


def _text(row: Row, name: str, where: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UsageError(f"{where}: `{name}` is no text")
    return value


def _context(row: Row, where: str) -> tuple[str, ...]:
    value = row.get("context")
    texts = [value] if isinstance(value, str) else value or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UsageError(f"{where}: `context` is neither a text nor a list of texts")
    return tuple(text for text in texts if text)


def risks(
    scored: Sequence[tuple[Subject, dict[str, Score]]], heads: dict[str, tuple[str, ...]]
) -> dict[str, float | None]:
    """One `SCORER.HEAD` per head: what was read of the reply, else of the prompt, else null."""
    found: dict[str, float | None] = {
        f"{scorer}.{head}": None for scorer, names in heads.items() for head in names
    }
    for _, scores in sorted(scored, key=lambda pair: pair[0].side is Side.REPLY):
        for name, score in scores.items():
            own = {f"{name}.{head}": round(risk, 6) for head, risk in score.heads.items()}
            found |= {column: risk for column, risk in own.items() if column in found}
    return found
