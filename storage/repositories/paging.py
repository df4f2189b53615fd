"""Pages, newest first, by keyset: rows that come in later never shift what is still to be read."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
from sqlalchemy import Select, Table, tuple_

from storage.errors import InvalidCursor
from storage.jsontext import clean

Item = TypeVar("Item")
MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items and the cursor of the next page, None on the last."""

    items: tuple[Item, ...]
    next_cursor: str | None


def encode_cursor(created_us: int, ident: str) -> str:
    """The opaque cursor of the rows older than this one."""
    return base64.urlsafe_b64encode(orjson.dumps([created_us, ident])).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[int, str]:
    """What `encode_cursor` was given; InvalidCursor for anything else."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        match orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True)):
            case [int(created_us), str(ident)] if 0 <= created_us < 1 << 63:
                return created_us, clean(ident)
    except (UnicodeEncodeError, binascii.Error, orjson.JSONDecodeError):
        pass
    raise InvalidCursor("this cursor was not given out by this store")


def page_query(query: Select[Any], table: Table, *, limit: int, cursor: str | None) -> Select[Any]:
    """`query` over `table`, newest first, from `cursor` on, one row more than the page holds."""
    key = tuple_(table.c.created_us, table.c.id)
    if cursor is not None:
        query = query.where(key < tuple_(*decode_cursor(cursor)))
    bounded = max(1, min(limit, MAX_LIMIT))
    return query.order_by(table.c.created_us.desc(), table.c.id.desc()).limit(bounded + 1)


def cut_page(items: list[Any], limit: int) -> Page[Any]:
    """The page of the rows that `page_query` found, made into items with `created_us` and `id`."""
    bounded = max(1, min(limit, MAX_LIMIT))
    shown = tuple(items[:bounded])
    has_more = len(items) > bounded
    return Page(shown, encode_cursor(shown[-1].created_us, shown[-1].id) if has_more else None)
