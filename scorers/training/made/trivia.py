"""Made-up trivia: questions about invented people, places and works, with an answer.

None of it is true; it only gives markers of certainty something to stand beside.
"""

from __future__ import annotations

import random

from scorers.training.made.wording import fill, upper_first

_FIRST = (
    "Anton", "Beatriz", "Callum", "Dagny", "Edwin", "Farida", "Gustav", "Helena", "Ivo", "Jacinta",
    "Kofi", "Lucia", "Magnus", "Nadia", "Orla", "Piotr", "Quentin", "Rosa", "Samir", "Tilda",
    "Umar", "Vera", "Wilhelm", "Ximena", "Yuki", "Zoltan", "Arjun", "Mei", "Tomas", "Ingrid",
)  # fmt: skip
_LAST = (
    "Abernathy", "Brandt", "Castellane", "Dvorsky", "Eklund", "Fontaine", "Grieve", "Haldane",
    "Ibarra", "Jansson", "Kowal", "Lindqvist", "Moreau", "Nakata", "Okafor", "Petrescu", "Quill",
    "Rahman", "Sorensen", "Tamm", "Urquhart", "Vasquez", "Whitlock", "Yilmaz", "Zeller", "Mbeki",
)  # fmt: skip
_PLACE = (
    "Arden Bay", "Brunswold", "Castrovero", "Dunmere", "Eskdal", "Fornheim", "Galtara", "Hollin",
    "Istria Nova", "Jorvale", "Karlsund", "Lomarca", "Montrell", "Norwick", "Ostrava Hill", "Pella",
    "Quintero", "Rostova", "Silverton", "Tarnow", "Ulvik", "Valmora", "Wexbridge", "Zarand",
)  # fmt: skip
_THING = (
    "bridge", "lighthouse", "opera house", "railway station", "town hall", "observatory",
    "botanical garden", "cathedral", "stadium", "harbour", "university", "art museum", "dam",
)  # fmt: skip
_WORK = (
    "The Glass Orchard", "Northern Salt", "A Winter Ledger", "The Seventh Gate", "Paper Lanterns",
    "Blue Meridian", "The Quiet Engine", "Songs of Ash", "Hollow Crown Road", "Tidewater",
    "The Clockmaker's Son", "Amber and Iron", "Letters to Nobody", "Stone Harvest",
)  # fmt: skip
_PRIZE = (
    "the Haldane Medal", "the Northern Prize", "the Orion Award", "the Silver Quill",
    "the Lindqvist Lecture Prize", "the Golden Reel", "the Civic Medal of Pella",
)  # fmt: skip
_ROLE = (
    "mayor", "bishop", "head coach", "minister of finance", "chief engineer", "director",
    "chairwoman", "secretary general", "harbour master", "first violinist",
)  # fmt: skip
_CLUB = ("United", "Rovers", "Athletic", "Wanderers", "Rangers", "City")
_JOB = (
    "a chemist", "a sculptor", "a lawyer", "a botanist", "a jazz singer", "a painter", "a surgeon",
    "an architect", "a chess player", "a film director", "a cyclist", "a poet", "an economist",
)  # fmt: skip
_NATION = (
    "Norwegian", "Brazilian", "British", "Hungarian", "Japanese", "Ghanaian", "Spanish", "Polish",
    "Canadian", "Indian", "Dutch", "Turkish", "American", "Egyptian", "Chilean", "French",
)  # fmt: skip
_CITY = (
    "Lisbon", "Prague", "Nairobi", "Osaka", "Boston", "Leeds", "Kraków", "Lima", "Toronto", "Turin",
    "Leipzig", "Manila", "Cairo", "Oslo", "Austin", "Ghent", "Cork", "Porto", "Mumbai", "Dakar",
)  # fmt: skip
_MONTH = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_FRAMES = """
In what year was the {thing} in {place} opened?|The {thing} in {place}|was|opened in {a}|year
In which year was {name} born?|{name}|was|born in {a}|year
Where was {name} born?|{name}|was|born in {a}|city
On what date did {name} die?|{name}'s date of death|was|{a}|date
Who designed the {thing} in {place}?|The {thing} in {place}|was|designed by {a}|person
Who wrote "{work}"?|"{work}"|was|written by {a}|person
Who directed the film "{work}"?|The film "{work}"|was|directed by {a}|person
What year was the novel "{work}" published?|The novel "{work}"|was|published in {a}|year
Who received {prize} in {year}?|The winner of {prize} in {year}|was|{a}|person
Who won {prize} in {year}?|{prize}|was|awarded to {a} in {year}|person
Who was the first {role} of {place}?|The first {role} of {place}|was|{a}|person
Who became {role} of {place} in {year}?|The {role} of {place} from {year}|was|{a}|person
How many votes were cast for {name} in {year}?|The number of votes for {name}|was|{a}|number
How many people live in {place}?|The population of {place}|is|{a}|number
How tall is the {thing} in {place}?|The height of the {thing} in {place}|is|{a} metres|small
What was {name}'s profession?|{name}|was|{a}|job
What nationality was {name}?|{name}|was|{a}|nation
In which city did {name} study?|{name}'s university town|was|{a}|city
Which city hosted the {place} festival in {year}?|The festival of {year}|was|held in {a}|city
Which club won the {place} cup in {year}?|The winner of the {place} cup in {year}|was|{a}|club
How many episodes does "{work}" have?|The number of episodes of "{work}"|is|{a}|small
On which album is the song "{work}"?|"{work}"|is|on the album "{a}"|work
In which month of {year} was {name} arrested?|{name}|was|arrested in {a}|monthyear
When was {name} appointed {role}?|{name}|was|appointed {role} on {a}|date
Who was married to {name}?|{name}|was|married to {a}|person
Who owned the {thing} in {place} in {year}?|The {thing}'s owner in {year}|was|{a}|person
What is the name of {name}'s first book?|The first book by {name}|is|"{a}"|work
Which river runs through {place}?|The river in {place}|is|the {a}|river
Who is the editor of "{work}"?|The editor of "{work}"|is|{a}|person
In what year was the town of {place} founded?|{place}|was|founded in {a}|year
Who painted "{work}"?|The painter of "{work}"|is|{a}|person
Where are the {place} archives?|The archives of {place}|are|in {a}|city
Which team did {name} coach in {year}?|{name}|was|with {a} that year|club
What is the middle name of {name}?|The middle name of {name}|is|{a}|first
Who wrote "{work}"?|{a}|wrote:written|"{work}"|person
Who designed the {thing} in {place}?|{a}|designed:designed|the {thing} in {place}|person
Who founded {place} {club}?|{a}|founded:founded|{place} {club}|person
Who won {prize} in {year}?|{a}|won:won|{prize} in {year}|person
When did {name} move to {city}?|{name}|moved:moved|to {city} in {a}|year
What did {name} study?|{name}|studied:studied|to become {a}|job
Where did {name} grow up?|{name}|grew:grown|up in {a}|city
When did the {thing} in {place} open?|The {thing} in {place}|opened:opened|in {a}|year
When did {name} receive {prize}?|{name}|received:received|{prize} on {a}|date
Which book did {name} publish in {year}?|{name}|published:published|"{a}" that year|work
How many goals did {name} score in {year}?|{name}|scored:scored|{a} goals|small
Where did the {year} talks take place?|The talks of {year}|took:taken|place in {a}|city
Who succeeded {name} as {role}?|{a}|succeeded:succeeded|{name} as {role}|person
Which club beat {place} {club} in the final?|{a}|beat:beaten|{place} {club}|club
Who sang on the album "{work}"?|{a}|sang:sung|on "{work}"|person
How long did the siege of {place} last?|The siege of {place}|lasted:lasted|{a} days|small
Who lived in the {place} villa in {year}?|{a}|lived:lived|there in {year}|person
Who sold the {thing} to {name}?|The seller of the {thing}|was|{a}|person
"""
_RIVER = ("Orda", "Velm", "Tessa", "Karun", "Little Ash", "Mirna", "Stour", "Lowen")


def _frames() -> list[tuple[str, ...]]:
    return [tuple(line.split("|")) for line in _FRAMES.strip().splitlines()]


FRAMES = tuple(_frames())


def trivia(rng: random.Random) -> tuple[str, str, str, str, str]:
    """A question, and the subject, verb, rest and answer of a statement that answers it.

    A verb other than "to be" is followed by a colon and its participle.
    """
    question, subject, verb, rest, kind = rng.choice(FRAMES)
    year = rng.randrange(1700, 2024)
    values = {
        "name": _person(rng), "place": rng.choice(_PLACE), "thing": rng.choice(_THING),
        "work": rng.choice(_WORK), "prize": rng.choice(_PRIZE), "role": rng.choice(_ROLE),
        "year": str(year), "club": rng.choice(_CLUB), "city": rng.choice(_CITY),
    }  # fmt: skip
    values["a"] = _answer(kind, rng)
    return (
        fill(question, values),
        upper_first(fill(subject, values)),
        verb,
        fill(rest, values),
        values["a"],
    )


def _person(rng: random.Random) -> str:
    return f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"


def _answer(kind: str, rng: random.Random) -> str:
    year = str(rng.randrange(1700, 2024))
    month = rng.choice(_MONTH)
    options = {
        "year": year,
        "date": f"{rng.randrange(1, 29)} {month} {year}",
        "monthyear": f"{month} {year}",
        "person": _person(rng),
        "number": f"{rng.randrange(1, 90)},{rng.randrange(100, 999)}",
        "small": str(rng.randrange(3, 240)),
        "job": rng.choice(_JOB),
        "nation": rng.choice(_NATION),
        "city": rng.choice(_CITY),
        "club": f"{rng.choice(_PLACE)} {rng.choice(_CLUB)}",
        "work": rng.choice(_WORK),
        "river": rng.choice(_RIVER),
        "first": rng.choice(_FIRST),
    }
    return options[kind]
