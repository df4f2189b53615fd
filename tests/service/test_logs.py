"""What is logged, and what never is."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from service.logs import log_exchange, redacted, set_up_logs
from tests.fakes.local import exchange

NAMES = ("fairlead", "uvicorn", "uvicorn.error", "asyncio", "alembic")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the logs go; the loggers are put back afterwards."""
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(log.handlers[:], log.propagate, log.level) for log in loggers]
    found = io.StringIO()
    set_up_logs("info", found)
    yield found
    for log, (handlers, propagate, level) in zip(loggers, before, strict=True):
        log.handlers[:], log.propagate = handlers, propagate
        log.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """The lines that were logged."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_an_event_with_fields(stream: io.StringIO) -> None:
    """Time, level, logger, a constant phrase, and what was given beside it."""
    logging.getLogger("fairlead.test").warning("rule left out", extra={"rule": "x", "count": 3})

    [line] = lines(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "fairlead.test",
        "event": "rule left out",
        "rule": "x",
        "count": 3,
    }


def test_the_level_is_kept(stream: io.StringIO) -> None:
    """What is below the level is not logged, by us or by the server."""
    logging.getLogger("fairlead").debug("no")
    logging.getLogger("uvicorn.error").debug("no")
    logging.getLogger("uvicorn.error").info("yes")

    assert [line["event"] for line in lines(stream)] == ["yes"]


def test_an_exchange_is_one_line_without_text(stream: io.StringIO) -> None:
    """What happened and how long it took; not what was asked or answered."""
    log_exchange(exchange(timings={"total_ms": 3.5}, user="somebody"))

    [line] = lines(stream)
    assert (line["event"], line["id"], line["verdict"], line["total_ms"]) == (
        "exchange", "fl_1", "allow", 3.5,
    )  # fmt: skip
    assert "attempts" not in line
    assert "Hello" not in stream.getvalue()
    assert "somebody" not in stream.getvalue()


def test_a_line_tells_how_many_replies_it_took(stream: io.StringIO) -> None:
    """Those that were set aside, and the one that counts."""
    log_exchange(exchange(attempts=[{"number": 1, "choices": "You scoundrel."}]))

    [line] = lines(stream)
    assert line["attempts"] == 2
    assert "scoundrel" not in stream.getvalue()


def test_no_line_for_an_exchange_below_the_level(stream: io.StringIO) -> None:
    """At level warning exchanges are silent."""
    set_up_logs("warning", stream)

    log_exchange(exchange())

    assert not stream.getvalue()


def test_an_exception_is_its_type_and_place(stream: io.StringIO) -> None:
    """Its message could quote a prompt, so it is left out."""
    try:
        int("what the user said")
    except ValueError:
        logging.getLogger("fairlead").exception("request failed")

    [line] = lines(stream)
    assert line["exception"] == "ValueError"
    assert "test_logs.py" in line["trace"][-1]
    assert "user said" not in stream.getvalue()


@pytest.mark.parametrize(
    "secret",
    [
        "Bearer abcdef123456",
        "bearer flk_abcdefgh",
        "sk-proj-abc123XYZ",
        "flk_0123456789abcdef",
        "whsec_c2VjcmV0",
        "postgresql+asyncpg://me:hunter2@db/x",
        "Basic dXNlcjpwYXNz",
    ],
)
def test_what_looks_like_a_key_is_masked(stream: io.StringIO, secret: str) -> None:
    """In the event and in the fields, and the line stays JSON."""
    logging.getLogger("fairlead").error("failed with %s", secret, extra={"detail": f"<{secret}>"})

    [line] = lines(stream)
    assert secret not in stream.getvalue()
    assert "[masked]" in line["event"]
    assert "[masked]" in line["detail"]


@pytest.mark.parametrize("text", ["the task-force met", "see http://host/v1 at 10:30", "risk_of"])
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Not everything with a dash is a key."""
    assert redacted(text) == text
