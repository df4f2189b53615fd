"""What is said in made-up talks and texts, and how a summary puts it.

A template names values as `{slot}` or `{slot.form}`; a shown one may open with `{by}`, the speaker.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scorers.training.made import pools

Value = dict[str, str]


@dataclass(frozen=True, slots=True)
class PointKind:
    """A kind of thing said: its slots with their types, its words in the source and told."""

    slots: dict[str, str]
    shown: tuple[str, ...]
    told: tuple[str, ...]


def _plain(text: str) -> Value:
    return {"": text}


def _count(low: int, high: int, step: int = 1) -> Callable[[random.Random], Value]:
    def draw(rng: random.Random) -> Value:
        value = rng.randrange(low, high + 1, step)
        word = pools.number_word(value) if value < 100 else f"{value:,}"
        return {"": str(value), "word": word}

    return draw


def _decimal(low: float, high: float) -> Callable[[random.Random], Value]:
    return lambda rng: _plain(f"{rng.uniform(low, high):.1f}")


def _pool(*texts: str) -> Callable[[random.Random], Value]:
    return lambda rng: _plain(rng.choice(texts))


def _forms(names: tuple[str, ...], *rows: tuple[str, ...]) -> Callable[[random.Random], Value]:
    return lambda rng: dict(zip(names, rng.choice(rows), strict=True))


DRAWS: dict[str, Callable[[random.Random], Any]] = {
    "person": lambda rng: _plain(rng.choice(pools.WOMEN + pools.MEN)),
    "full": lambda rng: _plain(pools.person(rng)),
    "firm": _pool(*pools.COMPANIES),
    "city": _pool(*pools.CITIES),
    "day": _pool(*pools.WEEKDAYS),
    "month": _pool(*pools.MONTHS),
    "hour": _pool(
        "8 AM",
        "9 AM",
        "9:30",
        "10 AM",
        "11:15",
        "noon",
        "1:30 PM",
        "3 PM",
        "4:45 PM",
        "6 PM",
        "7:30 PM",
    ),
    "stance": _forms(
        ("", "i"),
        ("will", "I will"),
        ("will", "I'll"),
        ("may", "I might"),
        ("may", "maybe I'll"),
        ("will not", "I won't"),
        ("will not", "I'm not going to"),
        ("wants to", "I'd like to"),
        ("wants to", "I want to"),
        ("forgot to", "I forgot to"),
        ("refuses to", "No way will I"),
        ("promises to", "I promise to"),
    ),
    "task": _forms(
        ("", "past"),
        ("send the contract to the bank", "sent the contract to the bank"),
        ("call the landlord", "called the landlord"),
        ("book the train tickets", "booked the train tickets"),
        ("fix the leaking tap", "fixed the leaking tap"),
        ("write the press release", "wrote the press release"),
        ("update the website", "updated the website"),
        ("pick up the cake", "picked up the cake"),
        ("interview the new candidate", "interviewed the new candidate"),
        ("order more paper", "ordered more paper"),
        ("clean the garage", "cleaned the garage"),
        ("return the library books", "returned the library books"),
        ("test the new sensor", "tested the new sensor"),
        ("check the budget figures", "checked the budget figures"),
        ("walk the dog", "walked the dog"),
        ("prepare the slides", "prepared the slides"),
        ("translate the manual", "translated the manual"),
        ("paint the fence", "painted the fence"),
        ("move the servers", "moved the servers"),
    ),
    "thing": _pool(
        "the red bike",
        "a second-hand piano",
        "the blue sofa",
        "concert tickets",
        "a new laptop",
        "the projector",
        "a winter coat",
        "the espresso machine",
        "a tent",
        "the company van",
        "a fridge",
        "running shoes",
    ),
    "view": _forms(
        ("", "i"),
        ("likes", "I really like"),
        ("dislikes", "I can't stand"),
        ("prefers to avoid", "I'd rather avoid"),
        ("is worried about", "I'm worried about"),
        ("is looking forward to", "I can't wait for"),
        ("is unsure about", "I'm not sure about"),
    ),
    "topic": _pool(
        "the new schedule",
        "the office move",
        "the summer camp",
        "the price change",
        "the family dinner",
        "the open-plan layout",
        "the hiring freeze",
        "the school play",
        "the software upgrade",
        "the trip to the coast",
        "the logo",
        "the merger",
    ),
    "vote": _forms(
        ("", "said", "past"),
        ("approved", "Good, so that is approved", "was approved"),
        ("rejected", "Then the answer is no, we reject it", "was rejected"),
        ("postponed", "We leave that decision for later", "was postponed"),
        ("handed to a committee", "A committee should look at it", "was handed to a committee"),
    ),
    "plan": _pool(
        "the budget",
        "the parking plan",
        "the new logo",
        "the travel policy",
        "the marketing campaign",
        "the canteen contract",
        "the playground design",
        "the recycling scheme",
        "the night bus line",
        "the library extension",
    ),
    "reason": _pool(
        "the train was cancelled",
        "the car broke down",
        "the baby is ill",
        "the meeting ran long",
        "the supplier went bankrupt",
        "the weather was too bad",
        "the office was closed",
        "the flight was overbooked",
        "the alarm did not ring",
        "the roof is leaking",
        "the power was out",
    ),
    "state": _forms(
        ("", "i"),
        ("missed the lecture", "I missed the lecture"),
        ("arrived late", "I got there late"),
        ("cancelled the dinner", "I cancelled the dinner"),
        ("stayed at home", "I stayed at home"),
        ("could not sleep", "I couldn't sleep"),
        ("skipped the training", "I skipped the training"),
        ("left early", "I left early"),
    ),
    "count": _count(2, 12),
    "many": _count(13, 95),
    "pieces": _count(120, 4900, 10),
    "cost": _count(15, 950, 5),
    "percent": _count(2, 48),
    "year": lambda rng: _plain(str(rng.randint(1985, 2024))),
    "amount": _decimal(1.1, 98.0),
    "share": _decimal(51.0, 97.0),
    "trend": _forms(
        ("", "noun", "i"),
        ("rose", "an increase", "was up"),
        ("fell", "a decline", "was down"),
        ("grew", "growth", "grew by"),
        ("dropped", "a drop", "went down"),
    ),
    "measure": _pool(
        "revenue",
        "operating profit",
        "net income",
        "cash flow",
        "the order backlog",
        "advertising spend",
        "the dividend",
        "inventory",
        "same-store sales",
    ),
    "unit": _pool(
        "the cloud division",
        "the retail arm",
        "the European business",
        "the packaging segment",
        "the services unit",
        "the consumer brand",
        "the Asian region",
    ),
    "cause": _pool(
        "strong demand",
        "higher fuel prices",
        "a weak currency",
        "new store openings",
        "supply shortages",
        "one-off legal costs",
        "lower shipping rates",
        "a late holiday season",
    ),
    "outlook": _forms(
        ("", "we"),
        ("expects to", "we expect to"),
        ("will not", "we will not"),
        ("is considering whether to", "we are considering whether to"),
        ("has decided to", "we have decided to"),
    ),
    "move": _pool(
        "open a plant in Mexico",
        "sell the dairy brand",
        "buy back shares",
        "hire more engineers",
        "close two warehouses",
        "raise prices",
        "launch a subscription",
        "cut the travel budget",
        "enter the Indian market",
    ),
    "method": _pool(
        "a graph-based planner",
        "contrastive pre-training",
        "a Bayesian filter",
        "sparse attention",
        "a mixed-effects model",
        "satellite imagery",
        "a double-blind trial",
        "reinforcement learning",
        "single-cell sequencing",
        "a survey of households",
    ),
    "field": _pool(
        "crop yields",
        "protein folding",
        "traffic flow",
        "sleep quality",
        "speech recognition",
        "coastal erosion",
        "language learning",
        "battery ageing",
        "bird migration",
        "loan defaults",
    ),
    "rival": _pool(
        "the strongest baseline",
        "linear regression",
        "the earlier rule-based system",
        "human annotators",
        "the placebo",
        "random search",
        "the standard treatment",
    ),
    "finding": _forms(
        ("", "claim"),
        ("beats", "outperforms"),
        ("is worse than", "falls short of"),
        ("matches", "performs on a par with"),
        ("is faster than", "runs faster than"),
    ),
    "limit": _pool(
        "small samples",
        "noisy labels",
        "long sequences",
        "older patients",
        "rural areas",
        "low-resource languages",
        "missing data",
        "night-time images",
    ),
    "crime": _pool(
        "a burglary",
        "a forged painting",
        "a stolen lorry",
        "a chemical spill",
        "a cyber attack",
        "a warehouse fire",
        "a bank fraud",
    ),
    "fate": _forms(
        ("", "a"),
        ("arrested", "was arrested"),
        ("released", "was released"),
        ("charged", "was charged"),
        ("acquitted", "was acquitted"),
        ("questioned", "was questioned"),
    ),
    "role": _pool(
        "mayor",
        "head coach",
        "chief economist",
        "museum director",
        "police chief",
        "union leader",
        "school principal",
        "harbour master",
    ),
    "change": _forms(
        ("", "a"),
        ("appointed", "was appointed"),
        ("dismissed", "was dismissed"),
        ("re-elected", "was re-elected"),
        ("suspended", "was suspended"),
    ),
}

TALK = (
    PointKind(
        {"who": "speaker", "stance": "stance", "task": "task", "day": "day"},
        (
            "{by}{stance.i} {task} by {day}.",
            "{by}About that: {stance.i} {task}, by {day} I mean.",
            "{by}Okay, by {day} {stance.i} {task}.",
        ),
        (
            "{who} {stance} {task} by {day}",
            "{who} {stance} {task}",
            "By {day}, {who} {stance} {task}",
        ),
    ),
    PointKind(
        {"who": "speaker", "task": "task", "day": "day"},
        ("{by}I already {task.past}, that was on {day}.", "{by}{day}, that's when I {task.past}."),
        (
            "{who} has already {task.past}",
            "{who} {task.past} on {day}",
            "It was {who} who {task.past}",
        ),
    ),
    PointKind(
        {"who": "speaker", "other": "person", "task": "task"},
        ("{by}{other} asked me to {task}.", "{by}You know, I was told by {other} to {task}."),
        (
            "{other} asked {who} to {task}",
            "{who} was asked by {other} to {task}",
            "{who} has been told to {task}",
        ),
    ),
    PointKind(
        {"who": "speaker", "thing": "thing", "cost": "cost", "city": "city"},
        (
            "{by}I bought {thing} for {cost} dollars in {city}!",
            "{by}Guess what, I found {thing} in {city} for {cost} dollars.",
            "{by}{thing}, {cost} dollars, from a shop in {city}. I had to buy it.",
        ),
        (
            "{who} bought {thing} in {city}",
            "{who} paid ${cost} for {thing}",
            "{who} got {thing} for ${cost}",
            "{thing} cost {who} {cost} dollars",
        ),
    ),
    PointKind(
        {"who": "speaker", "view": "view", "topic": "topic"},
        ("{by}Honestly, {view.i} {topic}.", "{by}{view.i} {topic}, to be frank."),
        ("{who} {view} {topic}", "When it comes to {topic}, {who} {view} it"),
    ),
    PointKind(
        {"who": "speaker", "state": "state", "reason": "reason"},
        ("{by}{state.i} because {reason}.", "{by}Well, {reason}, so {state.i}."),
        ("{who} {state} because {reason}", "{who} {state}", "Since {reason}, {who} {state}"),
    ),
    PointKind(
        {"who": "speaker", "other": "speaker", "hour": "hour", "day": "day"},
        (
            "{by}Shall we meet on {day} at {hour}, {other}? [n]{other}: Yes, that works.",
            "{by}{other}, I can do {day}, say {hour}. [n]{other}: Deal.",
        ),
        (
            "{who} and {other} will meet on {day} at {hour}",
            "{who} and {other} agree to meet at {hour}",
            "{other} accepts to see {who} on {day}",
        ),
    ),
    PointKind(
        {"plan": "plan", "vote": "vote", "count": "count", "many": "many"},
        (
            "{by}On {plan}: {count.word} against, {many} in favour. {vote.said}.",
            "{by}{plan} got {many} votes for and {count} votes against. {vote.said}.",
        ),
        (
            "On {plan}, {count.word} voted against",
            "{plan} {vote.past}",
            "{plan} {vote.past}, with {many} votes in favour",
        ),
    ),
    PointKind(
        {"who": "speaker", "city": "city", "year": "year", "firm": "firm"},
        (
            "{by}I moved to {city} in {year} to work for {firm}.",
            "{by}My job at {firm} brought me to {city}, that was {year}.",
        ),
        (
            "{who} moved to {city} in {year}",
            "{who} came to {city} to work for {firm}",
            "{who} took a job at {firm} in {year}",
        ),
    ),
    PointKind(
        {"who": "speaker", "count": "count", "month": "month", "city": "city"},
        (
            "{by}We'll be {count} people for the trip to {city} in {month}.",
            "{by}In {month} we go to {city}, {count.word} of us.",
        ),
        (
            "{count.word} people will travel to {city}",
            "According to {who}, the trip to {city} is in {month}",
            "The trip in {month} goes to {city}",
            "{who} says that {count} people will come along",
        ),
    ),
)

CALL = (
    PointKind(
        {"measure": "measure", "trend": "trend", "percent": "percent", "cause": "cause"},
        (
            "{by}{measure} {trend} {percent}% in the quarter, mainly on {cause}.",
            "{by}As for {measure}, it {trend} by {percent} percent. The reason was {cause}.",
        ),
        (
            "{measure} {trend} by {percent}%",
            "{measure} {trend} on {cause}",
            "Because of {cause}, {measure} {trend} {percent} percent",
            "The quarter saw {trend.noun} in {measure}",
        ),
    ),
    PointKind(
        {"unit": "unit", "amount": "amount", "trend": "trend"},
        (
            "{by}Sales of {unit} {trend} to ${amount} million.",
            "{by}In {unit}, sales {trend} and came to {amount} million dollars.",
        ),
        (
            "{unit} had sales of ${amount} million",
            "Sales of {unit} {trend} to {amount} million dollars",
            "Sales {trend} in {unit}",
        ),
    ),
    PointKind(
        {"outlook": "outlook", "move": "move", "month": "month"},
        (
            "{by}Looking ahead, {outlook.we} {move}, in {month} to be precise.",
            "{by}On strategy: {outlook.we} {move} in {month}.",
        ),
        ("The company {outlook} {move} in {month}", "Management {outlook} {move}"),
    ),
    PointKind(
        {"full": "full", "role": "office", "year": "year"},
        (
            "{by}{full} has been our {role} since {year}.",
            "{by}Let me thank {full}, {role} since {year}.",
        ),
        (
            "{full} has been {role} since {year}",
            "{full} is the company's {role}",
            "The company's {role} since {year} is {full}",
        ),
    ),
    PointKind(
        {"count": "count", "city": "city", "unit": "unit"},
        (
            "{by}{unit} added {count} sites, the largest of them in {city}.",
            "{by}We opened {count.word} sites for {unit}; {city} has the largest.",
        ),
        ("{unit} opened {count.word} sites", "The largest new site of {unit} is in {city}"),
    ),
    PointKind(
        {"who": "speaker", "view": "view", "topic": "topic"},
        ("{by}Personally, {view.i} {topic}.",),
        ("{who} {view} {topic}",),
    ),
)
DRAWS["office"] = _pool(
    "chief financial officer",
    "head of research",
    "chief operating officer",
    "general counsel",
    "head of sales",
)

ABSTRACT = (
    PointKind(
        {"method": "method", "field": "field"},
        ("We study {field} with {method}.", "This paper applies {method} to {field}."),
        (
            "The paper uses {method} to study {field}",
            "The authors apply {method} to {field}",
            "The subject of the study is {field}",
        ),
    ),
    PointKind(
        {"method": "method", "finding": "finding", "rival": "rival", "percent": "percent"},
        (
            "In our tests {method} {finding} {rival}, the gap being {percent}%.",
            "Results show that {method} {finding.claim} {rival} ({percent}% on average).",
        ),
        (
            "{method} {finding} {rival}",
            "The study finds that {method} {finding.claim} {rival}",
            "The reported figure for {method} is {percent}%",
        ),
    ),
    PointKind(
        {"pieces": "pieces", "city": "city", "year": "year"},
        (
            "Data come from {pieces} participants in {city}, collected in {year}.",
            "In {year} we recruited {pieces} volunteers in {city}.",
        ),
        (
            "The data were collected in {city} in {year}",
            "{pieces} people from {city} took part",
            "The study had {pieces} participants",
        ),
    ),
    PointKind(
        {"limit": "limit", "finding": "ability"},
        (
            "The approach {finding} {limit}.",
            "With {limit}, the results are clear: it {finding} {limit}.",
        ),
        (
            "The approach {finding} {limit}",
            "The authors report that their approach {finding} {limit}",
        ),
    ),
    PointKind(
        {"share": "share", "limit": "limit"},
        ("Accuracy reaches {share}% on {limit}.", "On {limit} we measure an accuracy of {share}%."),
        ("Accuracy on {limit} is {share}%", "The method is right in {share}% of cases for {limit}"),
    ),
    PointKind(
        {"outlook": "intent", "field": "field"},
        ("In future work, {outlook.we} extend this to {field}.",),
        ("The authors {outlook} extend the work to {field}",),
    ),
)
DRAWS["ability"] = _pool("works well for", "fails for", "was not tested on", "is tailored to")
DRAWS["intent"] = _forms(
    ("", "we"),
    ("plan to", "we plan to"),
    ("may", "we might"),
    ("do not intend to", "we do not intend to"),
    ("hope to", "we hope to"),
)

NEWS = (
    PointKind(
        {"full": "full", "fate": "fate", "city": "city", "crime": "crime"},
        ("{full}, from {city}, {fate.a} over {crime}.", "Over {crime}, {full} {fate.a} in {city}."),
        (
            "{full} {fate.a} over {crime}",
            "A person in {city} {fate.a} over {crime}",
            "{full} {fate.a} in {city}",
        ),
    ),
    PointKind(
        {"full": "full", "change": "change", "role": "role", "month": "month"},
        ("In {month}, {full} {change.a} as {role}.", "{full} {change.a} as {role} in {month}."),
        (
            "{full} {change.a} as {role}",
            "It was in {month} that {full} {change.a}",
            "{full}, the {role}, {change.a} in {month}",
        ),
    ),
    PointKind(
        {"firm": "firm", "outlook": "outlook", "move": "move", "count": "count"},
        (
            "{firm} {outlook} {move} within {count} months.",
            "Within {count.word} months, {firm} {outlook} {move}.",
        ),
        ("{firm} {outlook} {move}", "{firm} {outlook} {move} within {count.word} months"),
    ),
    PointKind(
        {"firm": "firm", "other": "firm", "amount": "amount"},
        (
            "{firm} bought {other} for ${amount} million.",
            "{other} was taken over by {firm} for {amount} million dollars.",
        ),
        (
            "{firm} bought {other}",
            "{other} was bought by {firm} for ${amount} million",
            "{firm} paid {amount} million dollars for {other}",
        ),
    ),
    PointKind(
        {"city": "city", "plan": "plan", "vote": "vote", "many": "many"},
        (
            "In {city}, {plan} {vote.past} after {many} residents spoke.",
            "{many} residents of {city} spoke before {plan} {vote.past}.",
        ),
        ("In {city}, {plan} {vote.past}", "{many} people spoke about {plan} in {city}"),
    ),
    PointKind(
        {"team": "team", "other": "team", "count": "count", "full": "full"},
        (
            "{team} beat {other} by {count} points; {full} was the best player.",
            "Thanks to {full}, {team} defeated {other} by {count.word} points.",
        ),
        (
            "{team} beat {other}",
            "{other} lost to {team} by {count.word} points",
            "{full} was the best player in the win of {team}",
        ),
    ),
    PointKind(
        {"full": "full", "other": "full", "view": "said", "plan": "plan"},
        (
            "{full} {view} {plan}, which {other} had proposed.",
            "Proposed by {other}, {plan} met a response: {full} {view} it.",
        ),
        (
            "{full} {view} {plan}",
            "{other} proposed {plan}",
            "{full} {view} what {other} had proposed",
        ),
    ),
)
DRAWS["team"] = _pool(*pools.TEAMS)
DRAWS["said"] = _pool("welcomed", "criticised", "defended", "refused to comment on")

FILLERS = (
    "Right.",
    "Sure, go on.",
    "Hm, I see.",
    "Sorry, could you say that again?",
    "That makes sense.",
    "Let's move on.",
    "Oh really?",
    "Haha, good one.",
    "Thanks for letting me know.",
    "Anything else?",
    "Fair enough.",
    "Wait, let me write this down.",
    "Next question, please.",
    "How was your week?",
)
