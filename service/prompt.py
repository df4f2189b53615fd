"""The verdict on a prompt, which is scored while the upstream works, and what waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from scorers.types import Side
from service.enforce import stop_prompt
from service.errors import FairleadError
from service.exchange import Verdict
from service.judge import Judge
from service.recorder import Run

T = TypeVar("T")

PromptTask = asyncio.Task[Verdict] | None
"""The prompt's verdict, still to come; None where the policy asks for none."""


def start(judge: Judge, run: Run) -> PromptTask:
    """Begins to score the prompt."""
    if not run.policy.scorers(Side.PROMPT) or not run.ask.prompt:
        return None
    return asyncio.create_task(_score(judge, run), name="fairlead-prompt")


async def heed(run: Run, prompt: PromptTask) -> None:
    """Waits for the prompt's verdict and raises where it stops the exchange."""
    if prompt is not None:
        stop_prompt(run, await asyncio.shield(prompt))


async def race(run: Run, prompt: PromptTask, work: Coroutine[Any, Any, T]) -> T:
    """Does the work, unless the prompt is vetoed meanwhile: then the work is cancelled."""
    if prompt is None or not run.policy.has_veto(Side.PROMPT):
        return await work
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task, prompt}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await heed(run, prompt)
        return await task
    except BaseException:
        await _abandon(task)
        raise


async def _score(judge: Judge, run: Run) -> Verdict:
    began = time.monotonic()
    run.prompt = await judge.prompt(run.ask, run.policy)
    run.timings.prompt_s = time.monotonic() - began
    return run.prompt


async def _abandon(task: asyncio.Task[Any]) -> None:
    """Cancels a task and closes what it may have brought."""
    task.cancel()
    with suppress(asyncio.CancelledError, FairleadError):
        brought = await task
        if hasattr(brought, "close"):
            brought.close()
