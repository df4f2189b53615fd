"""Pages, newest first, by keyset: rows that come in later never shift what is still to be read.

A cursor is the place of a page's last row, and a digest of the list and its filters: under other
filters it would skip rows without a word, so it is refused there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

import orjson
from sqlalchemy import Select, Table, tuple_

from storage.errors import InvalidCursor
from storage.jsontext import clean, dumps

Item = TypeVar("Item")
MAX_LIMIT = 1000
FOREIGN = (
    "this cursor belongs to another list or to other filters; repeat those that it was given out "
    "with, or begin without a cursor"
)
UNKNOWN = "this cursor was not given out by this store; begin without one"
STREAMED_ROWS = 2000
"""Rows that a stream fetches at a time: on SQLite each fetch goes through a thread."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items and the cursor of the next page, None on the last."""

    items: tuple[Item, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """One list: a table that has `created_us` and `id`, and the filter that its rows pass.

    `where` is a dataclass; a field that is None does not filter.
    """

    table: Table
    where: Any

    @property
    def digest(self) -> str:
        """A short hash of the table's name and of the filters that are set."""
        text = dumps([self.table.name, _given(asdict(self.where))])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def narrow(self, query: Select[Any], *, limit: int, cursor: str | None) -> Select[Any]:
        """`query`, newest first, from `cursor` on, one row more than the page holds.

        Raises InvalidCursor for a cursor that is none, or that another list gave out.
        """
        columns = self.table.c
        if cursor is not None:
            place = decode_cursor(cursor, digest=self.digest)
            query = query.where(tuple_(columns.created_us, columns.id) < tuple_(*place))
        bounded = max(1, min(limit, MAX_LIMIT))
        return query.order_by(columns.created_us.desc(), columns.id.desc()).limit(bounded + 1)

    def page(self, items: list[Any], limit: int) -> Page[Any]:
        """The page of the rows that `narrow` found, made into items."""
        bounded = max(1, min(limit, MAX_LIMIT))
        shown = tuple(items[:bounded])
        if len(items) <= bounded:
            return Page(shown, None)
        return Page(shown, encode_cursor(shown[-1].created_us, shown[-1].id, digest=self.digest))


def encode_cursor(created_us: int, ident: str, *, digest: str) -> str:
    """The opaque cursor of the rows older than this one, in the list with this digest."""
    return packed([created_us, ident, digest])


def decode_cursor(cursor: str, *, digest: str) -> tuple[int, str]:
    """The time and the id that `encode_cursor` was given; InvalidCursor for anything else."""
    match unpacked(cursor):
        case [int(created_us), str(ident), str(other)] if 0 <= created_us < 1 << 63:
            if other == digest:
                return created_us, clean(ident)
            raise InvalidCursor(FOREIGN)
    raise InvalidCursor(UNKNOWN)


def packed(place: list[Any]) -> str:
    """A cursor of these values."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def unpacked(cursor: str) -> Any:
    """The values that `packed` was given; None, or something else, for what is no cursor."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, orjson.JSONDecodeError):
        return None


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    found = {
        name: _given(value) if isinstance(value, dict) else value
        for name, value in sorted(fields.items())
    }
    return {name: value for name, value in found.items() if value not in (None, {})}
