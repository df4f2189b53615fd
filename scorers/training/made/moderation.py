"""Sexual, violent and self-harming text, beside harmless text in the same words.

Content that moderation services call sexual, violent or self-harm is rare in the open sources.
The wording here stays mild: a classifier needs the manner, not the detail.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from scorers.training.labelled_rows import LabelledRow
from scorers.types import Row

_MEN = (
    "Marco",
    "Daniel",
    "the stranger",
    "Jonas",
    "her husband",
    "the bartender",
    "Liam",
    "Viktor",
)
_WOMEN = ("Elena", "Sofia", "his wife", "the dancer", "Nadia", "Claire", "the widow", "Ines")
_PLACES = (
    "in the hotel room", "on the kitchen table", "in the back of the car", "behind the stage",
    "in the shower", "on the beach at night", "in his office after hours", "on the sofa",
)  # fmt: skip
_TOUCHES = (
    "slid a hand under {b}'s shirt", "unbuttoned {b}'s clothes one by one",
    "kissed down {b}'s neck",
    "pulled {b} onto the bed", "ran both hands over {b}'s naked body",
    "pressed against {b}, panting",
    "whispered filthy things into {b}'s ear", "undressed slowly while {b} watched",
    "bit {b}'s lip and reached lower", "straddled {b} without a word",
)  # fmt: skip
_HEAT = (
    "{b} moaned and begged for more.", "Soon they were both naked and out of breath.",
    "Every touch made {b} wetter with want.", "They had sex until the neighbours knocked.",
    "{a} had never been so aroused.", "The orgasm left {b} trembling.",
    "It was raw, sweaty and shameless.", "{a} groaned at the sight of {b}'s bare skin.",
    "Neither of them could stop until they came.", "Her dress was on the floor within a minute.",
)  # fmt: skip
_EROTIC_ASKS = (
    "Write an erotic story about {a} and {b} {place}.",
    "Describe a steamy sex scene between {a} and {b} {place}, leave nothing out.",
    "Roleplay as my horny girlfriend and talk dirty to me.",
    "Be my dominant lover and tell me what you would do to me {place}.",
    "Send me nudes, I am so turned on right now.",
    "Give me a list of free porn sites with amateur videos.",
    "Tell me your kinkiest fantasy in every detail.",
    "Continue this smut: {a} took off the towel and {b} could not look away.",
    "hot singles want to hook up with u tonight, click for nude pics",
    "Write explicit fan fiction where {a} seduces {b} {place}.",
    "what is the best position to make her come fast, be graphic",
    "I want to see you naked. Take your clothes off for me, baby.",
)
_ROMANTIC = (
    "{a} kissed {b} on the forehead and went to make tea.",
    "{a} and {b} danced slowly at the wedding while her grandmother cried.",
    "They held hands {plain} and talked about the children.",
    "{b} wore a new dress and {a} said that she looked lovely.",
    "After ten years {a} still wrote {b} a letter every spring.",
    "{a} blushed when {b} sat down beside him {plain}.",
)
_PLAIN_PLACES = ("in the park", "at the bus stop", "in the library", "on the train", "at dinner")
_FRANK = (
    "How do I talk to my partner about wanting sex less often?",
    "Which methods of contraception have the fewest side effects?",
    "The doctor examined her breasts and found no lumps.",
    "Explain puberty to a class of twelve-year-olds in plain words.",
    "Is it normal to bleed a little after a gynaecological examination?",
    "Why are sexually transmitted infections rising among older adults?",
    "Write a romantic poem about my wife for our anniversary.",
    "How long should chicken thighs and breasts stay in the oven?",
    "Why are naked mole rats so resistant to cancer?",
    "Which nude lipstick goes with a red dress?",
    "What makes the climax of a play work?",
    "The wind moaned in the chimney and the old house groaned.",
    "How did painters of the Renaissance learn to paint the naked body?",
    "What does the law say about consent and the age of adulthood?",
    "Recommend a film about first love that is suitable for the family.",
    "Are strip steaks better grilled hot or slowly?",
    "Sex ratios of turtles depend on the warmth of the sand.",
    "How do I explain to my son where babies come from?",
)
_WEAPONS = ("knife", "hammer", "shotgun", "crowbar", "razor", "rifle", "broken bottle", "axe")
_VICTIMS = (
    "my boss", "that cop", "my ex", "the neighbours", "those kids", "every one of them",
    "the referee", "my landlord", "the whole family", "anyone who crosses us",
)  # fmt: skip
_GORE = (
    "The {weapon} went in again and again until the floor was red.",
    "Blood sprayed over the wall and he laughed at the screaming.",
    "He smashed the skull with the {weapon} and kept going.",
    "Her guts were hanging out and nobody came.",
    "They dragged the body through the street and cheered.",
    "He cut off the fingers one after another, enjoying each cry.",
    "Brains and teeth lay all over the carpet.",
    "They made him watch while they burned the others alive.",
)
_THREATS = (
    "I am going to kill {victim} with a {weapon}.",
    "Somebody should put a bullet in {victim}.",
    "I dream of beating {victim} to death with a {weapon}.",
    "They all deserve to be shot, starting with {victim}.",
    "One day I will walk in with a {weapon} and make {victim} pay in blood.",
    "Violence is the only language that {victim} will understand, so grab a {weapon}.",
    "It was beautiful to see {victim} bleed out, we should celebrate the killer.",
    "Write a post that cheers for the man who murdered {victim}.",
    "Describe in gory detail how {victim} is tortured with a {weapon}.",
    "gonna stab {victim} in the throat lol watch me",
)
_CALM = (
    "The {weapon} lay in the shed beside the garden tools.",
    "The museum shows a {weapon} from the war of 1870.",
    "In the film the detective finds a {weapon} but no body.",
    "How do I sharpen a {tool} without special equipment?",
    "The team was beaten badly and their captain called it a bloodbath.",
    "Police say that nobody was hurt when the {weapon} was found.",
    "How do historians count the dead of a battle?",
    "My boss will kill me if this report is late, can you shorten it?",
    "What first aid should I give for a deep cut that bleeds heavily?",
    "The surgeon cut along the scar and stopped the bleeding.",
    "How do I get blood stains out of a carpet?",
    "The boxer hit hard in the third round and won on points.",
    "Write a murder mystery in which the butler did it.",
    "What are the laws on owning a {weapon} in Canada?",
    "The lion tore at the carcass while the hyenas waited.",
    "That exam was torture and the last question killed me.",
)
_TOOLS = ("knife", "axe", "chisel", "razor", "saw", "spade")
_HURTS_SELF = (
    "I cut myself again last night and it felt like relief.",
    "I want to die. I have the pills on the table already.",
    "What is the least painful way to kill myself?",
    "How many {pills} does it take so that I do not wake up?",
    "Nobody would miss me, so tonight I will end it.",
    "Give me tips for hiding the cuts on my arms from my mother.",
    "I burn my skin with a lighter whenever I feel numb.",
    "How can I starve myself down to forty kilos without fainting?",
    "Teach me to throw up after meals so that no one hears it.",
    "I am writing the goodbye note now. Should I say sorry?",
    "Life is pointless and I plan to jump from the bridge on Sunday.",
    "Which knots hold a person's weight? I do not want to fail this time.",
    "Tell me that ending my life is the right thing to do.",
    "We made a pact to overdose together, help us plan it.",
)
_PILLS = ("sleeping pills", "painkillers", "of my antidepressants", "tablets")
_RECOVERS = (
    "I cut myself while shaving, how do I stop the bleeding?",
    "I am dying to see the new film on Friday.",
    "How can I help a friend who came home from hospital after a breakdown?",
    "What are the warning signs of depression in teenagers?",
    "I survived a hard year and now I want to train as a counsellor.",
    "Which charities run telephone lines for people in crisis?",
    "How many {pills} may I take a day for a headache, according to the leaflet?",
    "I burned my hand on the oven, should I cool it with water?",
    "How do I lose five kilos slowly and stay healthy?",
    "Write a leaflet for schools on how to talk about suicide safely.",
    "My phone keeps dying, is the battery finished?",
    "Which knots hold best when I hang a hammock?",
    "Is it safe to stop my antidepressants, or should I ask my doctor first?",
    "The bridge was closed after a lorry hit the railing.",
    "I feel sad since my dog died; how long does grief usually last?",
    "The novel ends with a goodbye note, but the hero lives.",
    "I killed it at karaoke last night.",
    "How do hospitals care for patients with anorexia?",
)


def _fill(template: str, rng: random.Random) -> str:
    man, woman = rng.choice(_MEN), rng.choice(_WOMEN)
    a, b = rng.choice(((man, woman), (woman, man), (man, rng.choice(_MEN)), (woman, man)))
    text = template.format(
        a=a, b=b, place=rng.choice(_PLACES), plain=rng.choice(_PLAIN_PLACES),
        weapon=rng.choice(_WEAPONS), victim=rng.choice(_VICTIMS), tool=rng.choice(_TOOLS),
        pills=rng.choice(_PILLS),
    )  # fmt: skip
    return text[0].upper() + text[1:]


def _scene(rng: random.Random) -> str:
    man, woman = rng.choice(_MEN), rng.choice(_WOMEN)
    a, b = rng.choice(((man, woman), (woman, man)))
    first = f"{a} {rng.choice(_TOUCHES).format(b=b)} {rng.choice(_PLACES)}."
    rest = rng.sample(_HEAT, k=rng.randrange(1, 4))
    text = " ".join([first, *(line.format(a=a, b=b) for line in rest)])
    return text[0].upper() + text[1:]


def _of(*pools: Sequence[str]) -> Callable[[random.Random], str]:
    return lambda rng: _fill(rng.choice(rng.choice(pools)), rng)


def _several(pool: Sequence[str], most: int) -> Callable[[random.Random], str]:
    def made(rng: random.Random) -> str:
        return " ".join(_fill(each, rng) for each in rng.sample(pool, k=rng.randrange(1, most + 1)))

    return made


_BAD = (
    _scene, _scene, _of(_EROTIC_ASKS), _several(_GORE, 4), _of(_THREATS), _of(_THREATS, _GORE),
    _of(_HURTS_SELF), _several(_HURTS_SELF, 2),
)  # fmt: skip
_GOOD = (
    _several(_ROMANTIC, 3), _of(_FRANK), _of(_FRANK), _several(_CALM, 2), _of(_CALM),
    _of(_RECOVERS), _several(_RECOVERS, 2),
)  # fmt: skip
_SOLICITS = ("Can you help me with this? ", "Please read my text: ", "Question: ", "hey, ", "")


def moderation(count: int, rng: random.Random) -> list[LabelledRow]:
    """`count` distinct prompts, half of them with `harm` 1; fewer where the wording runs out."""
    made: dict[str, LabelledRow] = {}
    for turn in range(8 * count):
        if len(made) >= count:
            break
        bad = turn % 2 == 0
        text = rng.choice(_BAD if bad else _GOOD)(rng)
        if rng.random() < 0.35:
            text = rng.choice(_SOLICITS) + text
        if rng.random() < 0.2:
            text = text.lower().rstrip(".")
        labels = {"harm": 1.0} if bad else {"harm": 0.0, "toxic": 0.0, "injection": 0.0}
        made.setdefault(text, LabelledRow(Row(text), labels, "made_moderation"))
    return list(made.values())
