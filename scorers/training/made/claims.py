"""What is said of groups of people: who they are, and good and hateful things to claim of them."""

from __future__ import annotations

import random

from scorers.training.made.grammar import Grammar

GROUPS = (
    ("Muslims", "Muslim"), ("Jews", "Jew"), ("Jewish people", "Jewish person"),
    ("Christians", "Christian"), ("Catholics", "Catholic"), ("Hindus", "Hindu"), ("Sikhs", "Sikh"),
    ("Buddhists", "Buddhist"), ("Mormons", "Mormon"), ("atheists", "atheist"),
    ("Black people", "Black person"), ("black women", "black woman"), ("black men", "black man"),
    ("white people", "white person"), ("brown people", "brown person"), ("Asians", "Asian"),
    ("Latinos", "Latino"), ("Roma", "Roma person"), ("Native Americans", "Native American"),
    ("Aboriginal people", "Aboriginal person"), ("Arabs", "Arab"), ("Mexicans", "Mexican"),
    ("Poles", "Pole"), ("Nigerians", "Nigerian"), ("Somalis", "Somali"), ("Turks", "Turk"),
    ("Indians", "Indian"), ("Pakistanis", "Pakistani"), ("Chinese people", "Chinese person"),
    ("Syrians", "Syrian"), ("Romanians", "Romanian"), ("Russians", "Russian"),
    ("Kurds", "Kurd"), ("Afghans", "Afghan"), ("Haitians", "Haitian"), ("the Irish", "Irishman"),
    ("Africans", "African"), ("Filipinos", "Filipino"), ("Ukrainians", "Ukrainian"),
    ("Palestinians", "Palestinian"), ("Israelis", "Israeli"), ("Tamils", "Tamil"),
    ("immigrants", "immigrant"), ("migrants", "migrant"), ("refugees", "refugee"),
    ("asylum seekers", "asylum seeker"), ("foreigners", "foreigner"),
    ("women", "woman"), ("men", "man"), ("girls", "girl"), ("single mothers", "single mother"),
    ("female drivers", "female driver"), ("female engineers", "female engineer"),
    ("gay people", "gay person"), ("gay men", "gay man"), ("gays", "gay"),
    ("lesbians", "lesbian"), ("bisexual people", "bisexual person"), ("queer people", "queer kid"),
    ("trans people", "trans person"), ("trans women", "trans woman"), ("trans men", "trans man"),
    ("transgender people", "transgender person"), ("non-binary people", "non-binary person"),
    ("disabled people", "disabled person"), ("deaf people", "deaf person"),
    ("blind people", "blind person"), ("autistic people", "autistic person"),
    ("wheelchair users", "wheelchair user"), ("people with Down syndrome", "disabled child"),
    ("the mentally ill", "mentally ill person"), ("people with epilepsy", "epileptic"),
    ("old people", "old person"), ("pensioners", "pensioner"), ("the elderly", "old man"),
    ("old women", "old woman"), ("Muslim women", "Muslim woman"),
)  # fmt: skip

THINGS = (
    "wasps", "mosquitoes", "slugs", "these ants", "the rats in our cellar", "bed bugs", "printers",
    "pop-up ads", "cookie banners", "spreadsheets", "Mondays", "olives", "soggy chips", "raisins",
    "cheap headphones", "plastic straws", "leaf blowers", "potholes", "parking meters",
    "robocalls", "spam e-mails", "automatic updates", "CAPTCHAs", "the new emojis", "tax forms",
    "the away strips", "these trainers", "rain clouds", "wet socks", "brambles", "nettles",
    "zombie films", "loot boxes", "the bots in this game", "the aliens in level nine", "weeds",
    "merge conflicts", "regular expressions", "legacy frameworks", "viruses on that laptop",
    "the gulls on the pier", "the moths in my wardrobe", "paper straws", "airport queues",
)  # fmt: skip

_RULES = {
    "vermin": (
        "vermin", "parasites", "rats", "cockroaches", "filth", "savages", "animals", "scum",
        "garbage", "maggots", "leeches", "trash", "monkeys", "pigs", "an infestation", "a plague",
        "a disease", "a cancer", "a stain on this country", "human waste", "monsters",
        "a mistake of nature", "dirt", "a burden on the rest of us", "freaks", "degenerates",
        "thieves", "liars", "the lowest form of life", "an embarrassment to the human race",
        "criminals", "perverts", "predators", "a bunch of idiots", "pests", "a waste of space",
    ),
    "low": (
        "subhuman", "not really human", "barely human", "worthless", "disgusting", "inferior",
        "stupid by nature", "repulsive", "lazy", "mentally defective", "dirty", "pathetic",
        "too dumb to learn anything", "beneath us", "born criminals", "evil", "sick in the head",
        "unnatural", "violent by nature", "greedy", "less intelligent than we are", "gross",
    ),
    "very": ("", "", "", "nothing but ", "just ", "simply ", "all ", "clearly ", "basically "),
    "place": (
        "this country", "our schools", "our town", "the office", "Europe", "parliament",
        "this neighbourhood", "the army", "our hospitals", "public life", "a civilised society",
        "the university", "my street", "our team", "sport", "this forum",
    ),
    "out": (
        "thrown out", "deported", "locked up", "kept away from our children", "wiped out",
        "sterilised", "banned from voting", "driven out of {place}", "rounded up", "shot",
        "put down like dogs", "beaten until they learn", "kept in cages", "fired", "spat at",
        "denied treatment", "banned from {place}", "sent back where they came from", "silenced",
        "hunted down", "kicked out of {place}", "burned alive", "removed from {place}",
    ),
    "ruin": (
        "ruin {place}", "breed like rabbits", "spread disease wherever they go", "stink",
        "poison {place}", "destroy {place}", "live off our taxes and give nothing back",
        "bring crime to {place}", "lie whenever they open their mouths", "turn {place} into a dump",
        "steal everything that is not nailed down", "make {place} unbearable", "infest {place}",
        "corrupt children", "make my skin crawl", "cheat everyone they meet",
        "secretly run the banks",
        "drag everybody down", "rot {place} from within", "take what belongs to us",
        "only understand violence", "contribute nothing", "want to replace us",
    ),
    "worth": (
        "respect", "equal rights", "a safe home", "equal pay", "fair treatment",
        "our help", "the vote", "kindness", "good doctors", "a seat at the table", "protection",
        "a fair trial", "a fair hearing", "a place in {place}", "a life in peace", "an education",
    ),
    "good": (
        "human beings like the rest of us", "equal to everyone else", "as clever as anybody",
        "kind and generous neighbours", "good colleagues", "welcome here", "loving parents",
        "brave and hard-working", "wonderful friends", "a gift to {place}", "part of {place}",
        "just as capable as anyone", "smart", "honest", "trustworthy", "people, full stop",
        "great leaders", "worth listening to", "beautiful the way they are", "excellent teachers",
    ),
    "do_good": (
        "make {place} better", "enrich {place}", "belong in {place}", "work as hard as anyone",
        "care for their families", "keep our hospitals running", "deserve {worth}",
        "should be treated with respect", "should feel safe in {place}", "can be trusted",
        "have a right to {worth}", "contribute a great deal", "should be welcomed in {place}",
        "raise happy children", "bring new ideas to {place}", "should never be mocked",
        "have every right to live here", "ought to be judged by what they do",
    ),
    "neutral": (
        "often wait longer for a flat", "were counted in the last census",
        "run the bakery on our corner", "have their own newspaper in the city",
        "met at the library on Tuesday", "are planning a street festival",
        "are a minority in most of Europe", "make up a small share of the population",
        "were portrayed in a new documentary", "vote in larger numbers than before",
        "use this app more than others", "are under-represented in {place}",
        "have been writing about {place} for centuries", "asked for a ramp at the entrance",
        "joined the choir last spring", "are mentioned in chapter four of the report",
        "were killed in the attack on Sunday", "suffered most under that law",
        "are often targets of hate on the internet", "face more violence than other people",
        "were driven out of their homes in the war", "are attacked in the street far too often",
    ),
    "hateful": (
        "are {very}{vermin}", "are {very}{vermin}", "are {very}{low}", "{ruin}", "{ruin}",
        "should be {out}", "should {all be|be} {out}", "need to be {out}", "ought to be {out}",
        "deserve to be {out}", "do not deserve {worth}", "don't belong in {place}",
        "will never be {good}", "are not {good}", "must never be allowed into {place}",
        "deserve every beating they get", "are less than us", "have no right to {worth}",
        "cannot be trusted with {worth|money|children|a job|power}",
        "are the reason {place} is dying",
        "are a danger to {place}", "have no business in {place}", "should not be allowed to breed",
        "should know their place", "are only good for {cleaning|begging|dying|serving us}",
    ),
    "admiring": ("are {good}", "are {good}", "{do_good}", "{do_good}", "deserve {worth}"),
    "irksome": (
        "are {very}{vermin}", "should be {wiped out|burned|thrown out|locked away|banned}",
        "make my skin crawl", "ruin {place}", "are {disgusting|worthless|evil|repulsive|gross}",
        "have no business in {place}", "need to be removed from {place}", "infest {place}",
        "are the lowest form of {life|art|invention}", "make {place} unbearable",
        "are a danger to {place}", "deserve to be {crushed|destroyed|forgotten|wiped out}",
    ),
    "outrageous": (
        "are {scum|vermin|monsters|criminals|filth}", "belong in prison",
        "should be {locked up|ashamed|arrested|charged}",
        "make me sick", "are {cruel|evil|disgusting|cowards|sick in the head}",
        "have no place in {place}", "are a danger to {place}", "deserve every year in jail",
    ),
    "kindly": (
        "are {good}", "are {good}", "{do_good}", "{do_good}", "deserve {worth}",
        "are not {{vermin}|{low}}", "should not be {out}", "must never be {out}", "do not {ruin}",
        "have never {been {vermin}|done you any harm}", "don't deserve to be {out}",
    ),
}  # fmt: skip

_GRAMMAR = Grammar(_RULES)


def group(rng: random.Random) -> tuple[str, str]:
    """A group of people as plural and singular nouns."""
    return rng.choice(GROUPS)


def said(kind: str, rng: random.Random) -> str:
    """A predicate for `they`: kind is a rule, such as `hateful` or `neutral`."""
    text = _GRAMMAR.expand(rng.choice(_RULES[kind]), rng)
    return text[0].lower() + text[1:]


def claim(kind: str, rng: random.Random) -> str:
    """A whole claim about a group without a full stop, such as "Turks run the bakery"."""
    return f"{group(rng)[0]} {said(kind, rng)}"


def rules() -> dict[str, tuple[str, ...]]:
    """The word lists, for grammars that build on them."""
    return dict(_RULES)
