"""Admission at the door, and jobs on their way."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from scorers.errors import DeadlineExceeded, Overloaded
from scorers.jobs import EmbedAsk, Gate, Job, estimate_tokens
from scorers.serving import Output


def job(tokens: int = 10) -> Job:
    """A job that nobody has answered."""
    future = asyncio.get_running_loop().create_future()
    return Job(EmbedAsk(["a"]), future, tokens=tokens, deadline=None)


async def test_gate_counts_tokens() -> None:
    """The gate lets in up to its limit, refuses more, and makes room when a job leaves."""
    gate = Gate(25)
    first, second, third = job(), job(), job()
    gate.admit(first)
    gate.admit(second)

    with pytest.raises(Overloaded, match="20 tokens wait"):
        gate.admit(third)
    gate.release(first)
    gate.admit(third)

    assert gate.tokens == 20
    assert set(gate.jobs()) == {second, third}


async def test_gate_reweighs_those_inside_only() -> None:
    """A job that has left is not weighed again."""
    gate = Gate(100)
    stays, leaves = job(), job()
    gate.admit(stays)
    gate.admit(leaves)
    gate.release(leaves)

    gate.reweigh(stays, 70)
    gate.reweigh(leaves, 70)

    assert gate.tokens == 70
    gate.release(stays)
    assert gate.tokens == 0


async def test_rows_from_different_batches_meet() -> None:
    """A job is complete when the last of its rows has come, each in its own place."""
    waiting = job()
    waiting.missing = 2
    first = Output(np.array([[1.0], [2.0]], np.float32), np.array([[3.0], [4.0]], np.float32))
    second = Output(np.array([[5.0]], np.float32), np.array([[6.0]], np.float32))

    assert not waiting.fill(1, first, 0, rows=2)
    assert waiting.fill(0, second, 0, rows=2)
    assert waiting.output is not None
    assert waiting.output.logits.tolist() == [[5.0], [1.0]]
    assert waiting.output.embeddings.tolist() == [[6.0], [3.0]]


async def test_expiry_answers_once() -> None:
    """A deadline answers the waiter; a second answer changes nothing."""
    waiting, answered = job(), job()
    answered.future.set_result("scores")

    waiting.expire()
    waiting.fail(Overloaded("too late to matter"))
    answered.expire()

    assert isinstance(waiting.future.exception(), DeadlineExceeded)
    assert (waiting.is_expired, answered.is_expired) == (True, False)


def test_estimates_grow_with_the_text() -> None:
    """An estimate is never nothing, and four characters are about a token."""
    assert estimate_tokens(0) > 0
    assert estimate_tokens(4000) == pytest.approx(1000, rel=0.05)
