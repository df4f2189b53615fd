"""Logs: one JSON object per line on stderr, constant phrases with fields, never texts or keys."""

from __future__ import annotations

import logging
import re
import sys
import time
from functools import lru_cache
from typing import Any, TextIO

import orjson

from storage.records import InteractionRecord

ROOT = "fairlead"

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}
_SECRET = re.compile(
    r"\b(?:bearer|basic)\s+[\w.~+/=-]{4,}"
    r"|\b(?:sk|flk|pk|rk|whsec)[-_][\w.+/=-]{6,}"
    r"|(?<=://)[^/\s@:\"\\]*:[^/\s@\"\\]+(?=@)",
    re.IGNORECASE,
)
_MARKS = ("bearer ", "basic ", "sk-", "sk_", "flk", "pk_", "pk-", "rk_", "rk-", "whsec", "://")
"""A regular expression is slow; without one of these in it, a line needs none."""

_MASK = "[masked]"


def redacted(text: str) -> str:
    """The text without anything that looks like a key or a password; JSON stays JSON."""
    lowered = text.lower()
    return _SECRET.sub(_MASK, text) if any(mark in lowered for mark in _MARKS) else text


class JsonLines(logging.Formatter):
    """One line per record: time (UTC), level, logger, event and the fields given as `extra`.

    What looks like a key is masked in the whole line: no caller should log one anyway.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; an exception as its type and where it was raised."""
        line: dict[str, Any] = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info and record.exc_info[1]:
            line |= _where(record.exc_info[1])
        return redacted(orjson.dumps(line, default=str).decode())


@lru_cache(maxsize=2)
def _second(at_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_s))


def _where(error: BaseException) -> dict[str, Any]:
    """An exception without its message, which could quote a text."""
    trace, frames = error.__traceback__, []
    while trace:
        frames.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
        trace = trace.tb_next
    return {"exception": type(error).__name__, "trace": frames[-12:]}


def set_up_logs(level: str, stream: TextIO | None = None) -> None:
    """Sends this program's and the server's logs to `stream` (stderr) as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    for name in (ROOT, "uvicorn", "uvicorn.error", "asyncio", "alembic"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [] if name == "uvicorn.error" else [handler]
        logger.propagate = name == "uvicorn.error"
        logger.setLevel(level.upper() if name == ROOT else max(_number(level), logging.INFO))
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def log_exchange(record: InteractionRecord) -> None:
    """One line for an exchange that was recorded: what happened and how long it took, no text."""
    logger = logging.getLogger(f"{ROOT}.exchange")
    if not logger.isEnabledFor(logging.INFO):
        return
    fields = {
        "id": record.id,
        "route": record.route,
        "upstream": record.upstream,
        "model": record.model[:120],
        "status": record.status,
        "http_status": record.http_status,
        "verdict": record.verdict,
        "policy": record.policy,
        "is_stream": record.is_stream,
        "key_id": record.key_id,
        "error": record.error_code,
        "attempts": len(record.attempts) + 1 if record.attempts else None,
        **(record.timings or {}),
    }
    given = {name: value for name, value in fields.items() if value is not None}
    logger.info("exchange", extra=given)
