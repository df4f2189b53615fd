"""Logs: one JSON object per line on stderr, constant phrases with fields, never texts or keys."""

from __future__ import annotations

import logging
import re
import sys
import time
from typing import Any, TextIO

import orjson

from storage.records import InteractionRecord

ROOT = "fairlead"

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SECRET = re.compile(
    r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{4,}"
    r"|\b(sk|flk|pk|rk|whsec)[-_][\w.+/=-]{6,}"
    r"|(?<=://)[^/\s@:]*:[^/\s@]+(?=@)"
)
_MASK = "[masked]"


def redacted(text: str) -> str:
    """The text without anything that looks like a key or a password."""
    return _SECRET.sub(_MASK, text)


class Redact(logging.Filter):
    """Masks what looks like a key in messages and fields: no caller should log one anyway."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Changes the record in place and lets it pass."""
        record.msg = redacted(record.getMessage())
        record.args = None
        for name, value in list(vars(record).items()):
            if name not in _PLAIN and isinstance(value, str):
                setattr(record, name, redacted(value))
        return True


class JsonLines(logging.Formatter):
    """One line per record: time (UTC), level, logger, event and the fields given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; an exception as its type and where it was raised."""
        millis = int(record.msecs)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{stamp}.{millis:03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info and record.exc_info[1]:
            line |= _where(record.exc_info[1])
        return orjson.dumps(line, default=str).decode()


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
    handler.addFilter(Redact())
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
        **(record.timings or {}),
    }
    given = {name: value for name, value in fields.items() if value is not None}
    logger.info("exchange", extra=given)
