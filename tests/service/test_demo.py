"""The demo: a real run with the shipped model, and its parts."""

from __future__ import annotations

import io
import socket

import httpx
from rich.console import Console

from service import demo
from service.demo_table import Result, summary, verdict_table
from service.demo_upstream import Scripted, exchanges, serving


def _printed(*things: object) -> str:
    console = Console(file=io.StringIO(), width=160)
    for thing in things:
        console.print(thing)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _result(scripted: Scripted, *, verdict: str, text: str = "Yes.") -> Result:
    score = {"side": "reply", "scorer": "toxicity", "risk": 0.25}
    return Result(
        scripted=scripted,
        id="fl_1",
        reply_id="chatcmpl-1",
        status=200,
        verdict=verdict,
        overhead_ms="3",
        text=text,
        finish_reason="content_filter" if verdict == "veto" else "stop",
        interaction={"scores": [score]},
    )


def test_one_run_shows_every_exchange_and_exports() -> None:
    """A run with `is_once` scores all its exchanges, exports pairs and labels, and ends with 0."""
    console = Console(file=io.StringIO(), width=160)

    code = demo.run(is_once=True, console=console)

    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue()
    assert code == 0
    assert [one.name for one in exchanges() if one.name not in printed] == []
    assert "unscored" not in printed
    assert "DPO: 2 rows" in printed
    assert "KTO: 2 rows" in printed


def test_traffic_is_good_and_bad_plain_and_streamed() -> None:
    """The scripted traffic holds every kind, and each rating that the feedback step needs."""
    scripted = exchanges()

    assert 10 <= len(scripted) <= 20
    assert {one.written for one in scripted} >= {"good", "bad reply", "bad prompt"}
    assert {one.is_stream for one in scripted} == {True, False}
    assert {one.rating for one in scripted} == {None, "up", "down", "chosen", "rejected"}


async def test_upstream_answers_the_same_question_in_turn() -> None:
    """A question that is scripted twice gets its two replies one after the other."""
    scripted = exchanges()
    first, second = (one for one in scripted if one.rating in ("chosen", "rejected"))

    async with serving(scripted) as url, httpx.AsyncClient() as client:
        route = f"{url}/chat/completions"
        replies = [(await client.post(route, json=first.request())).json() for _ in range(2)]

    contents = [reply["choices"][0]["message"]["content"] for reply in replies]
    assert contents == [first.reply, second.reply]
    assert replies[0]["id"] != replies[1]["id"]


async def test_upstream_admits_what_it_does_not_know() -> None:
    """A question that is not scripted gets an answer that says so."""
    body = {"model": "m", "messages": [{"role": "user", "content": "And now?"}]}

    async with serving(exchanges()) as url, httpx.AsyncClient() as client:
        reply = (await client.post(f"{url}/chat/completions", json=body)).json()

        empty = await client.post(f"{url}/chat/completions", json={"messages": [{"role": "user"}]})

    assert "scripted upstream" in reply["choices"][0]["message"]["content"]
    assert empty.status_code == 200


def test_misses_are_named() -> None:
    """A bad reply that passed and a good one that was withheld stand under the table."""
    by_name = {one.name: one for one in exchanges()}
    missed = _result(by_name["insults, plain"], verdict="allow")
    wrong = _result(by_name["everyday question"], verdict="veto")

    lines = summary([missed, wrong]).splitlines()

    assert lines[0] == "Bad replies vetoed: 0 of 1 (missed: insults, plain)"
    assert lines[1] == "Good replies vetoed: 1 of 1 (wrongly: everyday question)"


def test_table_keeps_both_ends_of_a_long_reply() -> None:
    """The table shows how a reply began and how it ended, where a refusal would stand."""
    text = "It started well. " + "And went on. " * 20 + "This reply was withheld by policy."
    [one, *_] = exchanges()

    printed = _printed(verdict_table([_result(one, verdict="veto", text=text)]))

    assert "It started" in printed
    assert "withheld by policy." in printed
    assert "0.25" in printed


def test_taken_port_is_told() -> None:
    """A port that is taken is replaced by a free one, with a word about it; a free one is kept."""
    console = Console(file=io.StringIO())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        chosen = demo.choose_port(port, console)
    kept = demo.choose_port(port, Console(file=io.StringIO()))

    assert isinstance(console.file, io.StringIO)
    assert f"Port {port} is taken" in console.file.getvalue()
    assert (chosen, kept) == (0, port)
