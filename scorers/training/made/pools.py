"""Names and things that made-up contexts are filled with; none stands for anyone real."""

from __future__ import annotations

import random

WOMEN = (
    "Amara", "Beatriz", "Chloe", "Dana", "Elena", "Farah", "Greta", "Hana", "Ingrid", "Jasmine",
    "Katya", "Leila", "Maya", "Nadia", "Olivia", "Priya", "Rosa", "Sofia", "Tamsin", "Yuki",
    "Zoe", "Abigail", "Carmen", "Freya", "Linh", "Miriam", "Noor", "Wanjiru", "Helen", "Ruth",
)  # fmt: skip
MEN = (
    "Adam", "Bruno", "Carlos", "Dmitri", "Emeka", "Felix", "Gavin", "Hassan", "Ivan", "Jonas",
    "Kofi", "Liam", "Marco", "Nikhil", "Oscar", "Pavel", "Rafael", "Samir", "Tobias", "Victor",
    "Wei", "Yusuf", "Zach", "Anders", "Callum", "Diego", "Ethan", "Hugo", "Mateo", "Trevor",
)  # fmt: skip
SURNAMES = (
    "Abbott", "Baptiste", "Chowdhury", "Dunmore", "Eriksen", "Fontaine", "Garrity", "Hollis",
    "Ibarra", "Jansen", "Kowalski", "Lindqvist", "Marchetti", "Nakamura", "Okafor", "Pereira",
    "Quigley", "Rahimi", "Sandoval", "Thackeray", "Ueda", "Vasquez", "Whitlock", "Yilmaz",
    "Zeller", "Ashworth", "Brandt", "Castellano", "Doyle", "Feldman", "Grover", "Hargreaves",
    "Mbeki", "Novak", "Petrov", "Sato", "Tran", "Underhill", "Winslow", "Moreau",
)  # fmt: skip
CITIES = (
    "Leeds", "Tucson", "Santa Rosa", "Boise", "Galway", "Lyon", "Porto", "Bergen", "Graz",
    "Tampa", "Omaha", "Halifax", "Perth", "Dunedin", "Ghent", "Turin", "Malaga", "Krakow",
    "Osaka", "Pune", "Accra", "Nairobi", "Quito", "Rosario", "Reno", "Savannah", "Duluth",
    "Bristol", "Aarhus", "Utrecht", "Nashville", "Goleta", "Carpinteria", "Clearwater", "Kyoto",
    "Sacramento", "Toledo", "Winnipeg", "Cardiff", "Basel",
)  # fmt: skip
STREETS = (
    "Oak Street", "Harbour Road", "Mill Lane", "State Street", "Cedar Avenue", "Station Road",
    "Linden Way", "Canal Street", "Elm Drive", "King's Parade", "Orchard Close", "Bay Boulevard",
    "Second Avenue", "Chapel Hill", "Quarry Road", "Sunset Drive", "Market Place", "Ferry Road",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
COLOURS = (
    "black", "white", "navy blue", "olive green", "silver", "red", "graphite", "cream", "teal",
    "burgundy", "sand", "lilac",
)  # fmt: skip
COMPANIES = (
    "Northgate Logistics", "Halden Foods", "Brightwater Energy", "Corvus Systems", "Tallis Bank",
    "Meridian Rail", "Oakline Furniture", "Pellier Cosmetics", "Quanta Tooling", "Rivermark Media",
    "Stonebridge Insurance", "Umbra Games", "Vale Dairy", "Westcott Airlines", "Zephyr Cycles",
    "Arden Textiles", "Blue Fathom Fisheries", "Cinder Robotics", "Dovetail Homes", "Everspring",
)  # fmt: skip
TEAMS = (
    "Harbour City", "Eastvale Rovers", "Milltown United", "North Cape Wolves", "Redcliff Athletic",
    "Silver Lake FC", "Stonefield Town", "Tidewater Hawks", "Valley Rangers", "Westport Albion",
    "Ironbridge", "Kestrel Park", "Lowland Stars", "Maple Ridge", "Granite Bay",
)  # fmt: skip
_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def person(rng: random.Random, *, woman: bool | None = None) -> str:
    """A first name and a surname."""
    is_woman = rng.random() < 0.5 if woman is None else woman
    return f"{rng.choice(WOMEN if is_woman else MEN)} {rng.choice(SURNAMES)}"


def number_word(value: int) -> str:
    """A number from 0 to 99 in words, a larger one in digits."""
    if value < 20:
        return _UNITS[value]
    if value > 99:
        return f"{value:,}"
    tens, unit = divmod(value, 10)
    return _TENS[tens] + (f"-{_UNITS[unit]}" if unit else "")
