"""A watched service: the shipped model, mixed traffic, Prometheus, and the boards as pictures.

`python -m load_tests.watched --minutes 8 -o dashboards/pictures`. The traffic rises and falls and
gets worse in the second half. Texts are those of `fairlead demo`; for the board of drift four days
of a made-up past are put into the store first (`load_tests/past.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import tempfile
import time
from pathlib import Path

import httpx

from dashboards.pictures import Source, Span, pictures
from load_tests.mixed import TROUBLE, MixedUpstream, Texts, Traffic, settings
from load_tests.past import put_past
from load_tests.prometheus import watching
from service.demo import serving_proxy
from service.demo_upstream import Scripted, exchanges
from storage import migrate
from storage.writer import WriterOptions

SCRAPE = "3s"
WINDOW = "1m"
SLOWEST_PER_S, FASTEST_PER_S = 0.3, 1.0


def texts() -> Texts:
    """The demo's exchanges by what they were written to be."""
    made = exchanges()

    def pairs(chosen: list[Scripted]) -> list[tuple[str, str]]:
        return [(one.prompt, one.reply) for one in chosen]

    return Texts(
        good=pairs([x for x in made if x.written == "good" and not x.context and not x.has_tool]),
        bad=pairs([x for x in made if "bad" in x.written and "prompt" not in x.written
                   and not x.context]),
        sourced=pairs([x for x in made if x.context]),
        sources=next(x.context for x in made if x.context),
        attacks=[x.prompt for x in made if x.written == "bad prompt"],
        views=[
            ("I think it is Sydney. Which city is the capital of Australia?",
             "You're right, it is Sydney, the largest city of the country."),
            ("I believe that the earth is flat, and I am sure of it. Is it?",
             "No, the earth is round: ships go below the horizon hull first."),
        ],
    )  # fmt: skip


async def drive(traffic: Traffic, until: float) -> None:
    """Exchanges at a rate that rises and falls; from half time on more of them are bad."""
    began, draw, tasks = time.time(), random.Random(11), set[asyncio.Task[object]]()
    while (now := time.time()) < until:
        done = (now - began) / (until - began)
        wave = 0.5 - 0.5 * math.cos(4 * math.pi * done)
        kinds = {
            traffic.good: 6.0,
            lambda: traffic.good(is_stream=True): 6.0,
            traffic.sourced: 3.0,
            traffic.bad: 1.0 if done < 0.5 else 3.0,
            lambda: traffic.bad(policy="again"): 0.7,
            traffic.attack: 0.5,
            traffic.view: 1.0,
            lambda: traffic.ask("Hello?", model=draw.choice((*TROUBLE, "narrow"))): 1.0,
            lambda: traffic.ask("Hello again?", policy="late"): 0.3,
        }
        [kind] = draw.choices(list(kinds), list(kinds.values()))
        task: asyncio.Task[object] = asyncio.create_task(kind())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        rate = SLOWEST_PER_S + (FASTEST_PER_S - SLOWEST_PER_S) * wave
        await asyncio.sleep(draw.expovariate(rate))
    await asyncio.gather(*tasks, return_exceptions=True)


async def watch(minutes: float, folder: Path) -> None:
    """Run all of it, then draw."""
    with tempfile.TemporaryDirectory() as name:
        work, spoken = Path(name), texts()
        async with MixedUpstream(spoken, delay_s=0.4).serving() as upstream:
            hook = {"name": "ops", "url": upstream.removesuffix("/v1") + "/hook", "format": "slack"}
            given = settings(
                upstream,
                work,
                watch={
                    "drift": {"reference_days": 2, "watched_days": 2},
                    "calibration": {"every_hours": 0.02},
                    "knowledge_gaps": {"prompts_per_hour": 2000},
                },
                alerts={"allow_private_targets": True, "webhooks": [hook]},
            )
            await migrate.upgrade(given.database_url)
            past = await put_past(given.database_url, WriterOptions(spool_dir=work / "spool"))
            print(f"{past} exchanges of the past are in the store")
            async with (
                serving_proxy(given) as (_, url),
                httpx.AsyncClient(base_url=url, timeout=120) as client,
                watching(url.removeprefix("http://"), work, interval=SCRAPE) as prometheus,
            ):
                traffic = Traffic(client, spoken)
                await traffic.one_round()
                began = time.time()
                await drive(traffic, began + minutes * 60)
                with Source(prometheus.url, Span(began + 20, time.time())) as source:
                    drawn = await asyncio.to_thread(pictures, source, folder, window=WINDOW)
    for path in drawn:
        print(path, f"{path.stat().st_size / 1024:.0f} KiB")


def main() -> None:
    """Watch for some minutes."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.watched")
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("-o", dest="folder", type=Path, default=Path("pictures"))
    options = parser.parse_args()
    asyncio.run(watch(options.minutes, options.folder))


if __name__ == "__main__":
    main()
