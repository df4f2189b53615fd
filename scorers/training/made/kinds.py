"""The kinds of records: what each has, how it is written down and how it is told."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scorers.training.made import pools
from scorers.training.made.telling import Draw, Say, Slot, of, says

Draws = random.Random


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of record: what it is called, what stands in for its name, and its slots."""

    name_key: str
    name: Callable[[Draws], str]
    nouns: tuple[str, ...]
    pronoun: str
    documents: tuple[str, ...]
    slots: tuple[Slot, ...]


def _apart(share: float) -> Callable[[Any, Any], bool]:
    return lambda a, b: abs(a - b) > share * max(abs(a), abs(b), 1e-9)


def _disjoint(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return not set(a) & set(b)


def _some(pool: Sequence[Any], least: int, most: int) -> Draw:
    return lambda rng: tuple(rng.sample(list(pool), rng.randint(least, most)))


def _whole(low: int, high: int, step: int = 1) -> Draw:
    return lambda rng: rng.randrange(low, high + 1, step)


def _listed(value: Sequence[Any], _rng: Draws) -> list[Any]:
    return list(value)


def _one(value: Sequence[str], rng: Draws) -> str:
    return rng.choice(list(value))


def _count(value: int, rng: Draws) -> str:
    return pools.number_word(value) if rng.random() < 0.5 else f"{value:,}"


def _flag(
    key: str, *templates: str, section: str = "", present: float = 0.75, thing: str = ""
) -> Slot:
    """A slot of true, false or null, from templates "yes|no" and for null "doubt"."""

    def say(value: Any, rng: Draws) -> str:
        chosen = rng.choice(templates).split("|")
        if value is None:
            return rng.choice(_UNKNOWN).replace("{w}", chosen[2])
        return chosen[0] if value else chosen[1]

    def draw(rng: Draws) -> bool | None:
        return rng.choice((True, True, True, False, False, None))

    return Slot(key, draw, say, section=section, present=present, is_flag=True, thing=thing)


_UNKNOWN = (
    "the data [says nothing] about {w} at {s}", "the record [does not mention] {w} for {s}",
    "[no details are given] on {w} for {s}", "as to {s} the question of {w} [is left open]",
)  # fmt: skip


def _has(key: str, thing: str, section: str = "") -> Slot:
    """Something that is offered or not."""
    return _flag(
        key,
        f"[offers] {thing}|[does not offer] {thing}|{thing}",
        f"[provides] {thing}|[does not provide] {thing}|{thing}",
        f"[comes with] {thing}|[comes without] {thing}|{thing}",
        f"[has] {thing}|[has no] {thing}|{thing}",
        f"{{s}} [also has] {thing}|{{s}} [lacks] {thing}|{thing}",
        f"customers [can] count on {thing} at {{s}}|customers [cannot] count on {thing} at {{s}}"
        f"|{thing}",
        section=section,
        thing=thing,
    )


def _minutes(value: int, rng: Draws) -> str:
    hours, rest = divmod(value, 60)
    if rng.random() < 0.35 or not hours:
        return f"{value} minutes"
    told = "an hour" if hours == 1 else f"{pools.number_word(hours)} hours"
    return f"{told} and {rest} minutes" if rest else told


def clock(value: int, rng: Draws) -> str:
    """Minutes after midnight as told: "5 PM", "17:00", "5:30pm"."""
    hour, minute = divmod(value % 1440, 60)
    if rng.random() < 0.12:
        return f"{hour:02d}:{minute:02d}"
    if minute == 0 and hour in {0, 12} and rng.random() < 0.5:
        return "noon" if hour else "midnight"
    tail = rng.choice((" AM", "am")) if hour < 12 else rng.choice((" PM", "pm"))
    twelve = hour % 12 or 12
    return f"{twelve}:{minute:02d}{tail}" if minute or rng.random() < 0.3 else f"{twelve}{tail}"


def _span_told(value: tuple[int, int], rng: Draws) -> str:
    opens, closes = clock(value[0], rng), clock(value[1], rng)
    return rng.choice((f"from {opens} to {closes}", f"between {opens} and {closes}"))


def _span_shown(value: tuple[int, int], _rng: Draws) -> str:
    (oh, om), (ch, cm) = divmod(value[0], 60), divmod(value[1], 60)
    return f"{oh}:{om}-{ch % 24}:{cm}" if not om + cm else f"{oh}:{om:02d}-{ch % 24}:{cm:02d}"


def _opening(rng: Draws) -> tuple[int, int]:
    start = rng.choice((360, 390, 420, 450, 480, 510, 540, 570, 600, 630, 660, 690, 720, 960, 1020))
    return start, min(1440, start + rng.choice((300, 360, 420, 450, 480, 510, 540, 570, 600, 660)))


def _hours(day: str) -> Slot:
    return Slot(
        day,
        _opening,
        _hours_said(day),
        _span_shown,
        differs=lambda a, b: a[0] != b[0] and a[1] != b[1],
        family="hours",
        section="hours",
        present=0.7,
    )


def _hours_said(day: str) -> Say:
    def say(value: tuple[int, int], rng: Draws) -> str:
        both, opens, closes = _span_told(value, rng), clock(value[0], rng), clock(value[1], rng)
        return rng.choice(
            (
                f"is open [{both}] on {day}s", f"opens at [{opens}] on {day}s",
                f"closes at [{closes}] on {day}s", f"on {day}s {{s}} is open [{both}]",
                f"welcomes visitors [{both}] on {day}", f"stays open until [{closes}] on {day}s",
                f"on {day} {{s}} opens its doors at [{opens}] and shuts at [{closes}]",
                f"starts the day at [{opens}] on {day}s", f"has {day} hours [{both}]",
            )
        )  # fmt: skip

    return say


def _date(low: int, high: int) -> Draw:
    return lambda rng: (rng.randint(low, high), rng.randint(1, 12), rng.randint(1, 28))


def date_told(value: tuple[int, int, int], rng: Draws) -> str:
    """A date in words, with or without its year."""
    year, month, day = value
    name = pools.MONTHS[month - 1]
    return rng.choice(
        (f"{name} {day}, {year}", f"{day} {name} {year}", f"{name} {day}", f"{day} {name}")
    )


def date_shown(value: tuple[int, int, int], rng: Draws) -> str:
    """A date as data writes it."""
    year, month, day = value
    forms = (f"{year}-{month:02d}-{day:02d}", f"{day} {pools.MONTHS[month - 1][:3]} {year}")
    return rng.choice((forms[0], forms[0], forms[1]))


def _dated(a: tuple[int, int, int], b: tuple[int, int, int]) -> bool:
    return a[1:] != b[1:]


def _rating(rng: Draws) -> float:
    return rng.choice((1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 3.7, 4.2, 4.8, 2.8))


def _rating_told(value: float, rng: Draws) -> str:
    exact = [f"{value} stars", f"{value} out of 5", f"{value:g} out of five"]
    if value == int(value):
        exact += [f"{pools.number_word(int(value))} stars"]
    elif value % 1 == 0.5:
        exact += [f"{pools.number_word(int(value))} and a half stars"]
    else:
        near = pools.number_word(round(value))
        side = "just under" if round(value) > value else "a little over"
        exact += [f"about {near} stars", f"{side} {near} stars"]
    return rng.choice(exact)


def _money(value: float, rng: Draws) -> str:
    exact = f"${value:,.2f}" if value != int(value) else f"${int(value):,}"
    if value >= 20 and value != int(value) and rng.random() < 0.4:
        return rng.choice((f"just under ${int(value) + 1:,}", f"about ${round(value):,}"))
    return exact


def _price(low: int, high: int) -> Draw:
    return lambda rng: rng.randint(low, high) + rng.choice((0.0, 0.0, 0.99, 0.95, 0.5))


_TOPICS = {
    "service": (("quick", "friendly", "attentive"), ("slow", "rude", "careless")),
    "food": (("delicious", "fresh", "tasty"), ("bland", "cold", "greasy")),
    "staff": (("helpful", "kind", "welcoming"), ("unfriendly", "impatient", "dismissive")),
    "coffee": (("excellent", "rich", "smooth"), ("weak", "burnt", "watery")),
    "atmosphere": (("cosy", "relaxed", "lively"), ("noisy", "gloomy", "tense")),
    "parking": (("easy", "plentiful", "convenient"), ("impossible", "cramped", "expensive")),
    "portions": (("generous", "huge", "filling"), ("tiny", "stingy", "disappointing")),
    "prices": (("fair", "reasonable", "low"), ("steep", "inflated", "high")),
    "fish tacos": (("superb", "crisp", "flavourful"), ("soggy", "overcooked", "dry")),
    "pancakes": (("fluffy", "heavenly", "perfect"), ("rubbery", "burnt", "undercooked")),
    "burger": (("juicy", "excellent", "tasty"), ("dry", "tasteless", "greasy")),
    "noodle soup": (("comforting", "fragrant", "rich"), ("salty", "lukewarm", "bland")),
    "patio": (("lovely", "shady", "charming"), ("dirty", "crowded", "windy")),
    "bathrooms": (("spotless", "clean", "modern"), ("filthy", "broken", "smelly")),
    "music": (("great", "well chosen", "pleasant"), ("deafening", "annoying", "repetitive")),
    "waiting time": (("short", "acceptable", "brief"), ("endless", "long", "unbearable")),
    "desserts": (("divine", "homemade", "light"), ("stale", "sickly", "dull")),
    "wine list": (("impressive", "varied", "thoughtful"), ("short", "overpriced", "boring")),
    "salad bar": (("fresh", "varied", "colourful"), ("wilted", "sparse", "sad")),
    "booking": (("simple", "smooth", "painless"), ("confusing", "chaotic", "frustrating")),
}  # fmt: skip
_OPINIONS = [(topic, good, word) for topic, sides in _TOPICS.items() for good in (0, 1)
             for word in sides[good]]  # fmt: skip
_QUOTES = (
    "The {t}: {w}. Will remember that.", "Honestly, {w} {t}.", "I found the {t} {w}.",
    "Went there last week, {t} really {w}!", "My sister says the {t} could not be more {w}.",
    "Third visit and again {w} {t}.", "What {w} {t}!!", "{t} = {w}. Enough said.",
    "We came for lunch. I would call the {t} {w}.",
)  # fmt: skip


_REMARKS = (
    "We came here on our way back from the airport.", "I had read about it online.",
    "There were six of us that evening.", "My partner picked the spot.", "It was a rainy day.",
    "We sat near the window and talked for ages.", "I live around the corner.", "First visit!",
    "A colleague had told me to try it.", "Our train was at eight, so we kept it short.",
    "I am writing this from my phone.", "Not sure when we will be in the area again.",
    "This was for my brother's birthday.", "We had walked all day.", "Thanks to Tom at the door.",
)  # fmt: skip


def _opinions(rng: Draws) -> tuple[tuple[str, int, str], ...]:
    topics = rng.sample(sorted(_TOPICS), rng.randint(1, 4))
    return tuple((t, side := rng.randint(0, 1), rng.choice(_TOPICS[t][side])) for t in topics)


def _opinion_quotes(value: Sequence[tuple[str, int, str]], rng: Draws) -> list[str]:
    quotes = [rng.choice(_QUOTES).replace("{t}", t).replace("{w}", w) for t, _, w in value]
    return [_padded(quote, rng) for quote in quotes] if rng.random() < 0.5 else quotes


def _padded(quote: str, rng: Draws) -> str:
    """A review with remarks that say nothing of use before and after."""
    around = rng.sample(_REMARKS, rng.randint(1, 3))
    at = rng.randint(0, len(around))
    return " ".join((*around[:at], quote, *around[at:]))


def _opinion_said(value: Sequence[tuple[str, int, str]], rng: Draws) -> str:
    topic, side, word = rng.choice(list(value))
    verb = ("praised", "complained about")[side]
    view = ("positive", "negative")[side]
    return rng.choice(
        (
            f"one reviewer [{verb} the {topic}]", f"reviewers described the [{topic} as {word}]",
            f"a customer at {{s}} found the [{topic} {word}]",
            f"receives [{view} comments about its {topic}]",
            f"according to one review the [{topic} at {{s}} {_be(topic)} {word}]",
            f"a guest mentions the [{word} {topic}]", f"gets [{view} feedback on the {topic}]",
            f"is remembered by a guest for its [{word} {topic}]",
        )
    )  # fmt: skip


def _be(topic: str) -> str:
    return "were" if topic.endswith("s") else "was"


def _opinions_apart(a: Sequence[tuple[str, int, str]], b: Sequence[tuple[str, int, str]]) -> bool:
    sides = {(topic, side) for topic, side, _ in a}
    return all((topic, side) not in sides for topic, side, _ in b)


def _address(rng: Draws) -> str:
    return f"{rng.randint(1, 480)} {rng.choice(pools.STREETS)}"


def _award(rng: Draws) -> str:
    prize = rng.choice(("Golden Spoon", "Local Heroes", "Readers' Choice", "Green Table", "Crown"))
    return f"{prize} award {rng.randint(2008, 2024)}"


_CATEGORIES = (
    "Bakery", "Seafood", "Italian", "Mexican", "Thai", "Vegetarian", "Brunch", "Cocktail Bar",
    "Coffee & Tea", "Steakhouse", "Sandwiches", "Sushi", "Wine Bar", "Pizza", "Indian",
    "Ice Cream", "Caterer", "Delicatessen", "Diner",
)  # fmt: skip
_SHOP_WORDS = ("Olive", "Copper", "Lantern", "Harvest", "Juniper", "Anchor", "Blue Door", "Saffron",
    "Willow", "Magpie", "Pepper", "Sundial", "Fig", "Barrel", "Tide", "Pine")  # fmt: skip
_SHOP_KINDS = ("Kitchen", "Café", "Grill", "Bistro", "House", "Table", "Tavern", "Bakery", "Room")


def _shop_name(rng: Draws) -> str:
    owner = rng.choice(pools.WOMEN + pools.MEN)
    return rng.choice(
        (
            f"The {rng.choice(_SHOP_WORDS)} {rng.choice(_SHOP_KINDS)}",
            f"{owner}'s {rng.choice(_SHOP_KINDS)}",
            f"{rng.choice(_SHOP_WORDS)} & {rng.choice(_SHOP_WORDS)}",
        )
    )


_WIFI = {"free": "free Wi-Fi", "paid": "Wi-Fi for a fee", "no": "no Wi-Fi"}
_NOISE = ("quiet", "average", "loud")
BUSINESS = Kind(
    "name",
    _shop_name,
    ("business", "place", "venue"),
    "it",
    ("listing", "entry", "data", "business record"),
    (
        Slot("city", of(pools.CITIES), says(
            "is located in {v}", "can be found in {v}", "is based in {v}", "operates in {v}",
            "{s} is a local business in {v}", "serves guests in {v}")),
        Slot("address", _address, says(
            "has its address at {v}", "is located at {v}", "sits at {v}", "{s} can be found at {v}",
            "welcomes guests at {v}")),
        Slot("categories", _some(_CATEGORIES, 1, 3), says(
            "is listed under {v}", "falls in the category of {v}", "specialises in {v}",
            "{s} is best described by the label {v}", "is known for {v}", form=_one),
            _listed, _disjoint),
        *(_hours(day) for day in pools.WEEKDAYS),
        Slot("stars", _rating, says(
            "has a rating of {v}", "is rated {v}", "holds an average of {v}", "scores {v}",
            "customers give {s} {v}", "has earned {v} from reviewers", form=_rating_told),
            differs=lambda a, b: abs(a - b) >= 1.0),
        Slot("review_count", _whole(4, 900), says(
            "has {v} reviews", "has been reviewed {v} times", "has collected {v} reviews",
            "{s} counts {v} reviews", form=_count), differs=_apart(0.2)),
        Slot("reviews", _opinions, _opinion_said, _opinion_quotes, _opinions_apart, present=0.8),
        Slot("price_level", of(("$", "$$", "$$$")), says(
            "is {v}", "falls in the {v} bracket", "can be called {v}",
            form=lambda v, _: {"$": "cheap", "$$": "moderately priced", "$$$": "expensive"}[v])),
        Slot("award", _award, says(
            "has won the {v}", "was honoured with the {v}", "is known for its {v}",
            "{s} received the {v}"), present=0.35),
        Slot("signature_dish", of(("lamb stew", "truffle pasta",
             "lobster roll", "mango curry", "rye bread", "fish tacos", "noodle soup",
             "pancakes", "salad bar")), says(
            "is known for its {v}", "is famous for its {v}", "recommends its {v}",
            "{s} has {v} as its signature dish"), present=0.4),
        Slot("wifi", of(tuple(_WIFI)), says(
            "has {v}", "offers {v}", "provides {v}", form=lambda v, _: _WIFI[v]),
            section="attributes", present=0.6),
        Slot("noise_level", of(_NOISE), says(
            "has a {v} noise level", "tends to be {v}", form=lambda v, _: v),
            section="attributes", present=0.5),
        _has("outdoor_seating", "outdoor seating", "attributes"),
        _has("delivery", "delivery", "attributes"), _has("takeout", "takeout", "attributes"),
        _has("live_music", "live music", "attributes"),
        _has("happy_hour", "a happy hour", "attributes"),
        _has("bike_parking", "bike parking", "attributes"),
        _has("wheelchair_access", "wheelchair access", "attributes"),
        _has("catering", "catering", "attributes"),
        _has("valet_parking", "valet parking", "parking"),
        _has("street_parking", "street parking", "parking"),
        _has("garage", "parking in a garage", "parking"),
        _flag("accepts_reservations",
             "[takes] reservations|[does not take] reservations|reservations",
              "guests [can] book a table at {s}|guests [cannot] book a table at {s}|reservations",
              section="attributes"),
        _flag("good_for_groups", "[is suitable] for groups|[is not suitable] for groups|groups",
              "groups are [welcome] at {s}|{s} is [a poor fit] for groups|groups",
              section="attributes"),
        _flag("good_for_kids", "[is] child-friendly|[is not] child-friendly|children",
              "[suits] families with kids|[does not suit] families with kids|kids",
              section="attributes"),
        _flag("accepts_credit_cards", "[accepts] credit cards|[does not accept] credit cards"
              "|credit cards", "{s} [takes] cards|{s} [takes no] cards|cards",
              section="attributes"),
        _flag("dogs_allowed", "[allows] dogs|[does not allow] dogs|dogs",
              "dogs are [welcome] at {s}|dogs are [not allowed] at {s}|dogs",
              section="attributes"),
    ),
)  # fmt: skip

_GADGETS = ("headphones", "kettle", "backpack", "desk lamp", "tent", "blender", "smartwatch",
    "office chair", "speaker", "vacuum cleaner", "drill", "camera", "keyboard", "stroller",
)  # fmt: skip
_BRANDS = ("Norvik", "Aurelo", "Tessaly", "Kombo", "Brisk", "Hallmere", "Ozaro", "Pyxo", "Lumeria")


def _model(rng: Draws) -> str:
    return f"{rng.choice(_BRANDS)} {rng.choice('ABCEFGKLMPRSTVX')}{rng.randint(2, 990)}"


PRODUCT = Kind(
    "product", _model, ("product", "model", "item"), "it",
    ("product sheet", "specification", "catalogue entry", "data"),
    (
        Slot("type", of(_GADGETS), says("is sold as {v}", "belongs to the category {v}",
             "{s} is listed under {v}")),
        Slot("price_usd", _price(8, 900), says("costs {v}", "is priced at {v}", "sells for {v}",
             "{s} can be bought for {v}", "carries a price tag of {v}", form=_money),
             differs=_apart(0.12)),
        Slot("weight_g", _whole(80, 900, 10), says("weighs {v}", "has a weight of {v}",
             "tips the scales at {v}", form=lambda v, r: r.choice((f"{v} g", f"{v} grams",
             f"{v / 1000:g} kg"))), differs=_apart(0.1)),
        Slot("colours", _some(pools.COLOURS, 1, 3), says("is available in {v}", "comes in {v}",
             "{s} can be ordered in {v}", form=_one), _listed, _disjoint),
        Slot("battery_hours", _whole(4, 60), says("runs for {v} hours on a charge",
             "has a battery life of {v} hours", "lasts {v} hours per charge", form=_count),
             differs=_apart(0.1), family="number"),
        Slot("warranty_months", of((6, 12, 18, 24, 36, 60)), says("has a warranty of {v}",
             "is covered by {v} of warranty", "{s} comes with a guarantee of {v}",
             form=lambda v, r: f"{v} months" if v % 12 or r.random() < 0.5 else
             ("one year" if v == 12 else f"{pools.number_word(v // 12)} years")), family="months"),
        Slot("return_days", of((14, 21, 30, 45, 60, 90)), says("can be returned within {v} days",
             "has a return window of {v} days", form=_count), family="number"),
        Slot("units_in_stock", _whole(0, 400), says("has {v} units left in stock",
             "is stocked with {v} pieces", "{s} has {v} units available", form=_count),
             differs=_apart(0.2), family="number"),
        Slot("rating", _rating, says("is rated {v}", "has an average of {v}", "scores {v}",
             "buyers give {s} {v}", form=_rating_told), differs=lambda a, b: abs(a - b) >= 1.0),
        Slot("made_in", of(("Portugal", "Vietnam", "Japan", "Poland", "Mexico", "Denmark", "Turkey",
             "Canada")), says("is made in {v}", "is manufactured in {v}", "{s} comes from {v}")),
        Slot("material", of(("aluminium", "recycled plastic", "bamboo", "stainless steel",
             "leather", "canvas", "carbon fibre")), says("is made of {v}", "has a body of {v}",
             "uses {v} for its shell")),
        Slot("released", _date(2018, 2025), says("was released on {v}", "came out on {v}",
             "has been on sale since {v}", "{s} was launched on {v}", form=date_told),
             date_shown, _dated),
        Slot("award", of(("Red Compass award", "Nordic design prize", "Best Buy label",
             "Innovation medal", "Green Choice seal")), says("has won the {v}",
             "was given the {v}", "boasts the {v}", "is known for its {v}"), present=0.3),
        _flag("waterproof", "[is] waterproof|[is not] waterproof|water",
              "{s} [withstands] water|{s} [does not withstand] water|water"),
        _has("bluetooth", "Bluetooth"), _has("usb_c", "USB-C charging"),
        _has("app_support", "app support"), _has("carrying_case", "a carrying case"),
        _has("free_shipping", "free shipping"),
        _flag("recyclable", "[can] be recycled|[cannot] be recycled|recycling"),
    ),
)  # fmt: skip


def _clock_shown(value: int, _rng: Draws) -> str:
    return f"{value // 60:02d}:{value % 60:02d}"


_TIME = _whole(300, 1380, 5)
_AIR = ("KL", "VX", "QN", "TB", "ZL", "OR", "HA", "MN")
FLIGHT = Kind(
    "flight", lambda r: f"flight {r.choice(_AIR)}{r.randint(100, 999)}", ("flight", "service"),
    "it", ("schedule", "flight board", "data", "timetable"),
    (
        Slot("from", of(pools.CITIES), says("departs from {v}", "leaves {v}", "takes off from {v}",
             "{s} starts in {v}"), family="place"),
        Slot("to", of(pools.CITIES), says("flies to {v}", "lands in {v}", "is bound for {v}",
             "{s} heads for {v}"), family="place"),
        Slot("departure", _TIME, says("departs at {v}", "takes off at {v}", "leaves at {v}",
             "{s} is due to depart at {v}", form=clock), _clock_shown, family="time"),
        Slot("arrival", _TIME, says("arrives at {v}", "lands at {v}", "touches down at {v}",
             "{s} is due to arrive at {v}", form=clock), _clock_shown, family="time"),
        Slot("boarding", _TIME, says("starts boarding at {v}", "boards from {v}",
             "{s} opens for boarding at {v}", form=clock), _clock_shown, family="time"),
        Slot("gate", lambda r: f"{r.choice('ABCDEF')}{r.randint(1, 48)}", says("uses gate {v}",
             "boards at gate {v}", "{s} leaves from gate {v}")),
        Slot("terminal", of(("1", "2", "3", "4", "North", "South")), says("uses terminal {v}",
             "operates from terminal {v}")),
        Slot("aircraft", of(("Airbus A320", "Airbus A350", "Boeing 737", "Boeing 787",
             "Embraer 190", "ATR 72")), says("is operated with an {v}", "{s} is flown by an {v}",
             "uses the {v}")),
        Slot("status", of(("on time", "delayed", "cancelled", "boarding", "diverted")), says(
             "is currently {v}", "is reported as {v}", "{s} is shown as {v}")),
        Slot("delay_min", _whole(5, 180, 5), says("is running {v} late", "has a delay of {v}",
             "{s} is behind schedule by {v}", form=_minutes), present=0.5),
        Slot("duration_min", _whole(55, 700, 5), says("takes {v}", "lasts {v}",
             "{s} has a flying time of {v}", form=_minutes), differs=_apart(0.05)),
        Slot("stops", of((0, 1, 2)), says("has {v}", "{s} is scheduled with {v}",
             form=lambda v, _: ("no stops", "one stop", "two stops")[v])),
        Slot("fare_usd", _price(60, 1400), says("costs {v}", "is on sale for {v}",
             "{s} has a fare of {v}", form=_money), differs=_apart(0.12)),
        Slot("baggage_kg", of((8, 10, 12, 15, 20, 23, 30)), says("allows {v} kg of luggage",
             "includes {v} kilograms of baggage")),
        _has("meal", "a meal on board"), _has("wifi", "Wi-Fi on board"),
        _flag("refundable", "[can] be refunded|[cannot] be refunded|refunds",
              "[is] refundable|[is not] refundable|refunds"),
    ),
)  # fmt: skip

_SKIES = ("sunny", "cloudy", "rainy", "foggy", "stormy", "snowy", "hazy")
_COMPASS = ("north", "south", "east", "west", "north-east", "south-west")


def _sky(day: str) -> Slot:
    return Slot(day, of(_SKIES), says(f"expects {{v}} weather on {day}", f"will be {{v}} on {day}",
        f"on {day} {{s}} should be {{v}}", f"has a {{v}} {day} ahead"), family="sky",
        section="outlook", present=0.6)  # fmt: skip


def _degrees(value: int, rng: Draws) -> str:
    return rng.choice((f"{value}°C", f"{value} degrees", f"{value} °C"))


WEATHER = Kind(
    "city", lambda r: r.choice(pools.CITIES), ("city", "town"), "it",
    ("forecast", "weather report", "bulletin", "data"),
    (
        Slot("high_c", _whole(-4, 38), says("reaches a high of {v}", "warms up to {v}",
             "{s} sees temperatures climb to {v}", "peaks at {v}", form=_degrees),
             differs=lambda a, b: abs(a - b) > 2, family="degrees"),
        Slot("low_c", _whole(-15, 22), says("drops to a low of {v}", "cools down to {v}",
             "{s} sees temperatures fall to {v}", form=_degrees),
             differs=lambda a, b: abs(a - b) > 2, family="degrees"),
        Slot("wind_kmh", _whole(2, 90), says("has winds of {v} km/h", "gets wind at {v} km/h",
             "{s} faces gusts of {v} km/h"), differs=_apart(0.1), family="number"),
        Slot("wind_from", of(_COMPASS), says("gets its wind from the {v}",
             "{s} has wind blowing from the {v}")),
        Slot("humidity_pct", _whole(18, 98), says("has a humidity of {v}", "sees humidity at {v}",
             form=lambda v, r: r.choice((f"{v}%", f"{v} percent"))), differs=_apart(0.08),
             family="percent"),
        Slot("rain_chance_pct", _whole(0, 100, 5), says("has a {v} chance of rain",
             "faces a {v} risk of rain", "in {s} the chance of rain is {v}",
             form=lambda v, r: r.choice((f"{v}%", f"{v} percent"))), differs=_apart(0.08),
             family="percent"),
        Slot("sunrise", _whole(290, 480), says("sees the sun rise at {v}",
             "has sunrise at {v}", form=clock), _clock_shown, family="time"),
        Slot("sunset", _whole(970, 1290), says("sees the sun set at {v}", "has sunset at {v}",
             form=clock), _clock_shown, family="time"),
        Slot("warning", of(("heat", "flood", "gale", "frost", "fog", "avalanche")), says(
             "is under a {v} warning", "has a {v} warning in force", "{s} is warned of {v}"),
             present=0.4),
        Slot("air_quality", of(("good", "moderate", "hazardous")), says(
             "has {v} air quality", "enjoys air quality rated {v}")),
        *(_sky(day) for day in pools.WEEKDAYS),
    ),
)  # fmt: skip

MATCH = Kind(
    "match", lambda r: "{} v {}".format(*r.sample(pools.TEAMS, 2)), ("match", "game", "fixture"),
    "it", ("match report", "score sheet", "statistics", "data"),
    (
        Slot("score", lambda r: (r.randint(0, 5), r.randint(0, 5)), says("ended {v}",
             "finished {v}", "{s} had a final score of {v}",
             form=lambda v, _: f"{v[0]}-{v[1]}"), lambda v, _: f"{v[0]}-{v[1]}", family="score"),
        Slot("half_time", lambda r: (r.randint(0, 3), r.randint(0, 3)),
             says("stood at {v} at the break",
             "was {v} at half time", form=lambda v, _: f"{v[0]}-{v[1]}"),
             lambda v, _: f"{v[0]}-{v[1]}", family="score"),
        Slot("date", _date(2019, 2025), says("took place on {v}", "was played on {v}",
             "{s} was held on {v}", form=date_told), date_shown, _dated),
        Slot("venue", of(tuple(f"{c} Stadium" for c in pools.CITIES)), says("was played at {v}",
             "took place in the {v}", "{s} was hosted by {v}")),
        Slot("attendance", _whole(900, 62000), says("drew {v} spectators",
             "was watched by {v} fans",
             "{s} had a crowd of {v}", form=lambda v, r: f"{v:,}" if r.random() < 0.6 else
             (f"about {round(v, -3):,}" if v > 9000 else f"{v}")), differs=_apart(0.2)),
        Slot("referee", pools.person, says("was refereed by {v}", "had {v} as referee",
             "{v} took charge of {s}"), family="person"),
        Slot("player_of_the_match", pools.person, says("had {v} as player of the match",
             "{v} was named best player of {s}", "saw {v} named player of the match"),
             family="person"),
        Slot("first_goal", pools.person, says("saw {v} score first", "had its first goal from {v}",
             "{v} opened the scoring in {s}"), family="person"),
        Slot("winning_coach", pools.person, says("was won by the side coached by {v}",
             "{v} coached the winning side of {s}"), family="person"),
        Slot("yellow_cards", _whole(0, 9), says("saw {v} yellow cards", "had {v} bookings",
             form=_count), family="number"),
        Slot("red_cards", _whole(0, 3), says("saw {v} red cards", "{s} had {v} sendings-off",
             form=_count), family="number"),
        Slot("corners", _whole(1, 17), says("had {v} corners", "featured {v} corner kicks",
             form=_count), family="number"),
        Slot("weather", of(_SKIES), says("was played in {v} conditions",
             "took place on a {v} day")),
        Slot("decided_by", of(("a penalty", "a late header", "an own goal", "a free kick",
             "a long-range shot")), says("was decided by {v}", "turned on {v}"), present=0.6),
        _flag("extra_time", "[went] to extra time|[did not go] to extra time|extra time"),
        _flag("televised", "[was] shown on television|[was not] shown on television|television"),
        _flag("sold_out", "[was] sold out|[was not] sold out|ticket sales"),
    ),
)  # fmt: skip

_JOBS = ("architect", "nurse", "geologist", "translator", "pastry chef", "accountant", "pilot",
    "violinist", "lawyer", "zoologist", "carpenter", "software engineer", "midwife", "journalist",
)  # fmt: skip
_HOBBIES = ("sailing", "chess", "pottery", "bird watching", "climbing", "beekeeping", "knitting",
    "fencing", "choir singing", "astronomy", "gardening", "salsa dancing")  # fmt: skip
_TONGUES = ("Spanish", "German", "Arabic", "Japanese", "Swahili", "Polish", "Hindi", "French",
    "Korean", "Turkish", "Dutch", "Greek")  # fmt: skip
_DEGREES = ("biology", "law", "civil engineering", "history", "economics", "music", "medicine",
    "philosophy", "computer science", "chemistry")  # fmt: skip
_UNIVERSITIES = tuple(f"University of {city}" for city in pools.CITIES)


def _person(woman: bool, pronoun: str) -> Kind:  # noqa: FBT001
    return Kind(
        "name", lambda r: pools.person(r, woman=woman), (), pronoun,
        ("profile", "record", "biography sheet", "staff file"),
        (
            Slot("born", _date(1938, 2002), says("was born on {v}", "{s} has a birthday on {v}",
                 form=date_told), date_shown, _dated),
            Slot("birthplace", of(pools.CITIES), says("was born in {v}", "is a native of {v}",
                 "originally comes from {v}"), family="place"),
            Slot("lives_in", of(pools.CITIES), says("lives in {v}", "has a home in {v}",
                 "{s} resides in {v}"), family="place"),
            Slot("works_in", of(pools.CITIES), says("works in {v}", "has an office in {v}"),
                 family="place", present=0.4),
            Slot("occupation", of(_JOBS), says("works as a {v}", "is a {v} by profession",
                 "earns a living as a {v}")),
            Slot("employer", of(pools.COMPANIES), says("works for {v}", "is employed by {v}",
                 "{s} is on the staff of {v}"), family="company"),
            Slot("former_employer", of(pools.COMPANIES), says("used to work for {v}",
                 "was previously employed by {v}", "{s} once worked at {v}"), family="company"),
            Slot("degree", of(_DEGREES), says("holds a degree in {v}", "studied {v}",
                 "{s} graduated in {v}")),
            Slot("university", of(_UNIVERSITIES), says("attended the {v}", "graduated from the {v}",
                 "{s} studied at the {v}")),
            Slot("graduated", _whole(1962, 2024), says("graduated in {v}",
                 "{s} finished university in {v}"), family="year"),
            Slot("joined", _whole(1975, 2025), says("joined the company in {v}",
                 "has been with the firm since {v}"), family="year"),
            Slot("languages", _some(_TONGUES, 1, 3), says("speaks {v}", "is fluent in {v}",
                 "{s} can speak {v}", form=_one), _listed, _disjoint),
            Slot("hobbies", _some(_HOBBIES, 1, 3), says("enjoys {v}", "likes {v}",
                 "spends free time on {v}", "{s} is fond of {v}", form=_one), _listed, _disjoint),
            Slot("children", _whole(0, 5), says("has {v}", "is a parent of {v}", form=lambda v, _:
                 "no children" if not v else f"{pools.number_word(v)} child" + "ren" * (v > 1)),
                 family="number"),
            Slot("publications", _whole(1, 60), says("has published {v} papers",
                 "is the author of {v} articles", form=_count), differs=_apart(0.1),
                 family="number"),
            Slot("award", of(("Linden medal", "Hartwell prize", "Copper Quill", "Rising Star award",
                 "Founders' medal", "Ortega fellowship")), says("has won the {v}",
                 "was awarded the {v}", "is known for winning the {v}"), present=0.4),
            Slot("married_to", pools.person, says("is married to {v}", "{v} is married to {s}"),
                 family="person", present=0.6),
            Slot("manager", pools.person, says("reports to {v}", "has {v} as manager"),
                 family="person", present=0.6),
            _flag("driving_licence", "[has] a driving licence|[has no] driving licence|driving"),
            _flag("remote", "[works] remotely|[does not work] remotely|remote work"),
            _flag("retired", "[has] retired|[has not] retired|retirement"),
            _flag("first_aid_trained", "[is] trained in first aid|[is not] trained in first aid"
                  "|first aid"),
        ),
    )  # fmt: skip


WOMAN, MAN = _person(True, "she"), _person(False, "he")  # noqa: FBT003

_SERVICES = ("billing", "search", "mailer", "gateway", "catalog", "login", "reports", "uploads",
    "inventory", "chat", "payments", "thumbnailer")  # fmt: skip
CONFIG = Kind(
    "service", lambda r: f"{r.choice(_SERVICES)}-{r.choice(('api', 'worker', 'proxy', 'job'))}",
    ("service", "component"), "it", ("configuration", "settings file", "spec sheet", "manifest"),
    (
        Slot("port", _whole(1025, 9999), says("listens on port {v}", "is bound to port {v}",
             "{s} is reachable on port {v}"), family="big"),
        Slot("timeout_s", _whole(1, 120), says("times out after {v} seconds",
             "has a timeout of {v} seconds", "{s} gives up after {v} seconds", form=_count),
             family="number"),
        Slot("retries", _whole(0, 9), says("retries {v} times", "makes {v} further attempts",
             "allows {v} retries", form=_count), family="number"),
        Slot("replicas", _whole(1, 24), says("runs with {v} replicas", "is deployed {v} times over",
             "{s} has {v} replicas", form=_count), family="number"),
        Slot("max_connections", _whole(10, 5000, 10), says("accepts up to {v} connections",
             "is limited to {v} connections", form=lambda v, r: f"{v:,}" if r.random() < 0.5
             else str(v)), family="big"),
        Slot("memory_mb", of((128, 256, 512, 1024, 2048, 4096, 8192)), says("gets {v} of memory",
             "is given {v} of memory", "{s} may use {v} of memory", form=lambda v, r:
             f"{v // 1024} GB" if v >= 1024 and r.random() < 0.7 else f"{v} MB")),
        Slot("cpu_cores", of((1, 2, 4, 6, 8, 12, 16)), says("uses {v} CPU cores",
             "is allotted {v} cores", form=_count), family="number"),
        Slot("log_level", of(("debug", "info", "warning", "error", "trace")), says(
             "logs at the {v} level", "has its log level set to {v}", "{s} writes {v} logs")),
        Slot("region", of(("eu-north", "us-east", "ap-south", "sa-west", "eu-central", "af-south")),
             says("is deployed in {v}", "runs in the {v} region", "{s} is hosted in {v}")),
        Slot("version", lambda r: f"{r.randint(0, 9)}.{r.randint(0, 20)}.{r.randint(0, 12)}", says(
             "is at version {v}", "runs version {v}", "{s} was pinned to version {v}")),
        Slot("database", of(("PostgreSQL", "MySQL", "SQLite", "MongoDB", "Redis", "Cassandra")),
             says("stores its data in {v}", "uses {v}", "{s} talks to {v}")),
        Slot("owner", of(("platform team", "data team", "payments team", "web team",
             "security team",
             "mobile team")), says("is owned by the {v}", "belongs to the {v}",
             "{s} is looked after by the {v}")),
        Slot("schedule", of(("every hour", "every night", "every Monday", "every five minutes",
             "once a month")), says("runs {v}", "is started {v}"), present=0.5),
        Slot("backup_days", of((3, 7, 14, 30, 90)), says("keeps backups for {v} days",
             "has backups going back {v} days", form=_count), family="number"),
        *(_flag(key, f"[has] {thing} enabled|[has] {thing} [disabled]|{thing}",
                f"[uses] {thing}|[does not use] {thing}|{thing}",
                f"for {{s}} {thing} is [switched on]|for {{s}} {thing} is [switched off]|{thing}")
          for key, thing in (("tls", "TLS"), ("cache", "caching"), ("tracing", "tracing"),
                             ("autoscaling", "autoscaling"), ("compression", "compression"),
                             ("rate_limit", "rate limiting"))),
    ),
)  # fmt: skip

_GOODS = ("oak shelf", "wool blanket", "tea set", "rain jacket", "garden hose", "board game",
    "phone case", "cookbook", "yoga mat", "wall clock", "printer ink", "bike lock", "picture frame",
    "coffee grinder", "bird feeder", "floor lamp")  # fmt: skip
ORDER = Kind(
    "order", lambda r: f"order {r.randint(10000, 99999)}", ("order", "purchase"), "it",
    ("order record", "invoice", "data", "order history"),
    (
        Slot("customer", pools.person, says("was placed by {v}", "belongs to {v}",
             "{v} placed {s}"), family="person"),
        Slot("recipient", pools.person, says("is addressed to {v}", "goes to {v}",
             "{v} is to receive {s}"), family="person", present=0.6),
        Slot("items", _some(_GOODS, 1, 4), says("includes a {v}", "contains a {v}",
             "{s} has a {v} in it", form=_one), _listed, _disjoint),
        Slot("quantity", _whole(1, 19), says("covers {v} items", "consists of {v} pieces",
             form=_count), family="number"),
        Slot("subtotal", _price(9, 700), says("has a subtotal of {v}",
             "{s} comes to {v} before tax",
             form=_money), differs=_apart(0.12), family="money"),
        Slot("total", _price(9, 800), says("comes to {v}", "has a total of {v}", "{s} cost {v}",
             form=_money), differs=_apart(0.12), family="money"),
        Slot("shipping_fee", _price(2, 40), says("carries a shipping fee of {v}",
             "was shipped for {v}", form=_money), differs=_apart(0.12), family="money"),
        Slot("ordered", _date(2021, 2025), says("was placed on {v}", "was made on {v}",
             "{s} dates from {v}", form=date_told), date_shown, _dated, family="date"),
        Slot("delivered", _date(2021, 2025), says("was delivered on {v}", "arrived on {v}",
             "{s} reached the customer on {v}", form=date_told), date_shown, _dated, family="date"),
        Slot("status", of(("shipped", "delivered", "pending", "cancelled", "returned",
             "on hold")), says("is currently {v}", "is marked as {v}", "{s} has been set to {v}")),
        Slot("payment", of(("credit card", "bank transfer", "gift card", "cash on delivery",
             "PayPal", "invoice")), says("was paid by {v}", "is to be settled by {v}",
             "{s} was charged by {v}")),
        Slot("carrier", of(("Swiftline", "Parcel Fox", "Cargo North", "Blue Van", "PostPlus")),
             says("is carried by {v}", "was sent with {v}", "{s} travels with {v}")),
        Slot("ship_to", of(pools.CITIES), says("is shipped to {v}", "goes to an address in {v}",
             "{s} is headed for {v}"), family="place"),
        Slot("warehouse", of(pools.CITIES), says("was packed in {v}",
             "leaves the warehouse in {v}"),
             family="place"),
        Slot("discount_pct", of((5, 10, 15, 20, 25, 30)), says("received a {v} discount",
             "was reduced by {v}", form=lambda v, r: r.choice((f"{v}%", f"{v} percent"))),
             present=0.5),
        _flag("gift_wrap", "[is] gift-wrapped|[is not] gift-wrapped|gift wrapping"),
        _flag("express", "[uses] express shipping|[does not use] express shipping"
              "|express shipping"),
        _flag("insured", "[is] insured|[is not] insured|insurance"),
        _flag("signature_required", "[needs] a signature|[does not need] a signature|a signature"),
    ),
)  # fmt: skip


def _home_name(rng: Draws) -> str:
    return f"{rng.choice(_SHOP_WORDS)} {rng.choice(('Cottage', 'Villa', 'Loft', 'Flat'))}"


HOME = Kind(
    "listing", _home_name,
    ("property", "home"), "it", ("listing", "property sheet", "advert", "data"),
    (
        Slot("city", of(pools.CITIES), says("is located in {v}", "is for sale in {v}",
             "{s} can be found in {v}")),
        Slot("price_usd", _whole(80000, 990000, 5000), says("is priced at {v}", "costs {v}",
             "{s} is on the market for {v}", form=_money), differs=_apart(0.1)),
        Slot("bedrooms", _whole(1, 6), says("has {v} bedrooms", "offers {v} bedrooms",
             "{s} counts {v} bedrooms", form=_count), family="number"),
        Slot("bathrooms", _whole(1, 4), says("has {v} bathrooms", "is fitted with {v} bathrooms",
             form=_count), family="number"),
        Slot("floors", _whole(1, 4), says("has {v} floors", "is spread over {v} levels",
             form=_count), family="number"),
        Slot("area_m2", _whole(35, 320), says("measures {v}", "has a floor area of {v}",
             "{s} extends over {v}", form=lambda v, r: r.choice((f"{v} square metres", f"{v} m2"))),
             differs=_apart(0.08)),
        Slot("built", _whole(1880, 2023), says("was built in {v}", "dates from {v}",
             "{s} was completed in {v}"), family="year"),
        Slot("renovated", _whole(1995, 2025), says("was renovated in {v}",
             "{s} was modernised in {v}"), family="year"),
        Slot("heating", of(("gas", "oil", "a heat pump", "district heating", "wood",
             "electricity")),
             says("is heated with {v}", "relies on {v} for heating")),
        Slot("view", of(("the sea", "the park", "the mountains", "the river", "the old town")),
             says("looks out on {v}", "has a view of {v}", "{s} overlooks {v}"), present=0.6),
        Slot("available", _date(2024, 2026), says("is available from {v}",
             "can be moved into on {v}", form=date_told), date_shown, _dated),
        Slot("agent", pools.person, says("is handled by {v}", "{v} is the agent for {s}")),
        Slot("energy_class", of(tuple("ABCDEFG")), says("has energy class {v}",
             "is rated {v} for energy")),
        _has("garden", "a garden"), _has("balcony", "a balcony"), _has("elevator", "an elevator"),
        _has("fireplace", "a fireplace"), _has("garage", "a garage"), _has("pool", "a pool"),
        _flag("pets", "[allows] pets|[does not allow] pets|pets"),
        _flag("furnished", "[comes] furnished|[does not come] furnished|furniture"),
    ),
)  # fmt: skip

KINDS = (
    BUSINESS, BUSINESS, BUSINESS, BUSINESS, PRODUCT, FLIGHT, WEATHER, MATCH, WOMAN, MAN, CONFIG,
    ORDER, HOME,
)  # fmt: skip
