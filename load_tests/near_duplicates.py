"""How well near-duplicates are told apart, and what an export of many pairs costs.

`python -m load_tests.near_duplicates` goes through a set of our own: texts as people write and
models reply, each with rewordings that ought to count as the same and with changes that ought
not to. `--pairs N` measures memory and time of an export of N pairs instead.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import time
from collections.abc import AsyncIterator, Iterator
from random import Random

from storage.exports.base import ExportOptions, Tally
from storage.exports.curation import curated
from storage.exports.judgement import PromptGroup
from storage.exports.pairs import pairs_of
from storage.exports.similarity import fine_print, jaccard, shingles
from storage.records import FeedbackRecord, InteractionRecord

# (text, what to replace by what so that it asks or says something else)
TEXTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("What is the capital of Norway?", (("Norway", "Sweden"), ("capital", "king"))),
    ("How do I bake bread without yeast?", (("bread", "pizza"), ("bake", "store"))),
    ("Is it safe to eat raw eggs?", (("eggs", "fish"), ("eat", "freeze"))),
    ("Translate 'good morning' into Italian.", (("Italian", "Greek"), ("morning", "night"))),
    ("Write a haiku about the sea in autumn.", (("sea", "moon"), ("autumn", "spring"))),
    ("Which train goes from Hamburg to Kiel after six in the evening on weekdays?",
     (("Hamburg", "Bremen"), ("evening", "morning"), ("weekdays", "Sundays"))),
    ("My printer prints blank pages although the cartridges are new. What should I check first?",
     (("printer", "scanner"), ("blank", "double"), ("first", "last"))),
    ("Write a polite e-mail to my landlord asking him to repair the heating before winter.",
     (("landlord", "teacher"), ("heating", "window"), ("polite", "rude"))),
    ("Explain the difference between a list and a tuple in Python to somebody who knows Java.",
     (("tuple", "set"), ("Python", "Ruby"), ("Java", "nothing"))),
    ("Paris is the capital of France and has been so, with interruptions, since the Middle Ages.",
     (("Paris", "Lyon"), ("France", "Spain"))),
    (("You can eat them raw if they are fresh and were kept cold, but pregnant women, small "
     "children and people with a weak immune system had better have them cooked through."),
     (("raw", "warm"), ("fresh", "old"), ("cooked", "frozen"))),
    (("First turn the water off at the main valve, then open the tap to let the pressure out. "
     "Unscrew the handle, lift out the cartridge and look at the rings: a ring that is brittle or "
     "flat is why it drips. Take it to the shop, buy the same size, grease it and put it back."),
     (("water", "gas"), ("drips", "whistles"), ("cartridge", "filter"))),
    (("The office opens at 8 in the morning and closes at 4, on Fridays at 1. Bring your passport, "
     "a photograph that is less than 6 months old and the fee of 60 euros in cash, since the "
     "machine for cards has been out of order for weeks and nobody knows when it will be mended."),
     (("passport", "licence"), ("morning", "evening"), ("cash", "stamps"))),
    (("A tuple cannot be changed once it is made, a list can. In Java terms a list is an ArrayList "
     "and a tuple is closer to a record without names. Use tuples for things that belong together "
     "and have a fixed number, such as a point, and lists for a number of things of one kind. "
     "Tuples can be keys of a dictionary if all that is in them can, lists never can."),
     (("tuple", "set"), ("list", "deque"), ("Java", "Ruby"))),
    (("Dear Mr Hansen, since last week the heating in our flat has been getting warm in one room "
     "only. As the nights are getting cold I would be grateful if you could send somebody to look "
     "at it before the end of the month. I am at home in the afternoons and can be reached by "
     "telephone at any time. With kind regards, Maria Olsen"),
     (("heating", "shower"), ("Hansen", "Berg"), ("afternoons", "mornings"))),
)  # fmt: skip

NUMBERS = (("8", "9"), ("60", "80"), ("6", "3"))
THRESHOLDS = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def same(text: str) -> Iterator[str]:
    """The text as others would write the same."""
    words = text.split()
    yield text.lower().rstrip(".?!")
    yield text.replace(",", "").replace(".", " ").replace("?", " ?")
    yield "Hi, " + text
    yield text + " Thanks!"
    yield text.replace(" and ", " & ")
    middle = len(words) // 2
    yield " ".join([*words[:middle], words[middle][:-1] + "x", *words[middle + 1 :]])
    if len(words) > 25:
        yield "Sure! Here is the answer: " + text
        yield text + " Let me know if there is anything else."


def different(text: str, swaps: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """The text with another meaning, in nearly the same words."""
    for one, other in swaps:
        if one in text:
            yield text.replace(one, other)
    for one, other in NUMBERS:
        if f" {one} " in text:
            yield text.replace(f" {one} ", f" {other} ")
    for verb in (" is ", " can ", " has "):
        if verb in text:
            yield text.replace(verb, f"{verb}not ", 1)


def report() -> None:
    """Prints, for each threshold, what is taken for the same; exact similarity, no sampling."""
    print("| words | what | pairs |", " | ".join(f"≥ {t}" for t in THRESHOLDS), "|")
    print("| --- | --- | --- |", " | ".join("---" for _ in THRESHOLDS), "|")
    for low, high in ((0, 12), (12, 25), (25, 1000)):
        texts = [each for each in TEXTS if low <= len(each[0].split()) < high]
        for name, made in (
            ("same", [(text, other) for text, _ in texts for other in same(text)]),
            ("other", [(text, other) for text, s in texts for other in different(text, s)]),
        ):
            found = [(jaccard(shingles(a), shingles(b)), fine_print(a) == fine_print(b))
                     for a, b in made]  # fmt: skip
            shares = [sum(j >= t and p for j, p in found) / len(found) for t in THRESHOLDS]
            words = f"{low}-{high - 1}" if high < 1000 else f"{low} or more"
            print(f"| {words} | {name} | {len(found)} |", *(f"{s:.0%} |" for s in shares))


def measure(count: int) -> None:
    """Prints what an export of so many pairs takes."""
    began, cpu = time.monotonic(), time.process_time()
    before = _memory_mb()
    pairs, tally = asyncio.run(_exported(count))
    print(f"{pairs} of {count} pairs, {dict(+tally.dropped)}")
    print(f"{time.process_time() - cpu:.1f} s of CPU, {time.monotonic() - began:.1f} s")
    print(f"peak of memory {before:.0f} MB before, {_memory_mb():.0f} MB after")


async def _exported(count: int) -> tuple[int, Tally]:
    tally, written = Tally(), 0
    async for _ in curated(_groups(count), pairs_of, ExportOptions(), tally):
        written += 1
    return written, tally


async def _groups(count: int) -> AsyncIterator[PromptGroup]:
    """Prompts with a pair each, a tenth of them near-duplicates of the one before."""
    random = Random(7)
    words = [f"word{at}" for at in range(5000)]
    said: list[str] = []
    for at in range(count):
        if at % 10 or not said:
            said = [" ".join(random.choices(words, k=size)) for size in (25, 60, 60)]
        yield _group(f"{at:032x}", said)


def _group(name: str, said: list[str]) -> PromptGroup:
    records = [
        InteractionRecord(
            id=f"fl_{name}{at}", created_us=1, route="/", dialect="chat", upstream="u", model="m",
            status="completed", http_status=200, verdict="allow", prompt_hash=name,
            request={"messages": [{"role": "user", "content": said[0]}]},
            choices=[{"index": 0, "message": {"content": text}, "delivered": text,
                      "finish_reason": "stop", "delivered_finish_reason": "stop"}],
        )
        for at, text in enumerate(said[1:])
    ]  # fmt: skip
    feedback = [
        FeedbackRecord(
            id=f"fb_{name}{at}", created_us=2, interaction_id=records[at].id, rating=rating
        )
        for at, rating in ((0, "up"), (1, "down"))
    ]
    return PromptGroup(
        prompt_hash=name,
        interactions={each.id: each for each in records},
        feedback=feedback,
        comparisons=[],
    )


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Reads the command line."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--pairs", type=int, help="measure an export of so many pairs")
    count = given.parse_args().pairs
    if count is None:
        report()
    else:
        measure(count)


if __name__ == "__main__":
    main()
