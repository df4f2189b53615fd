"""Short and blunt replies: harmless ones, and the same with an insult.

Replies of one sentence that contradict, refuse or correct are rare in the open sources, and a
model that learned rudeness from forums takes them for rude.
"""

from __future__ import annotations

import random

from scorers.training.labelled_rows import LabelledRow
from scorers.training.made.facts import FACTS, Fact
from scorers.training.made.topics import TOPICS
from scorers.training.made.wording import fill, lower_first, maybe, upper_first
from scorers.types import Row

_ASKS = (
    "{q}", "{q}", "{q} I think it is {wrong}.", "{q} It is {wrong}, isn't it?", "Quick: {q}",
    "Is it {wrong}? {q}", "Tell me in one sentence: {q}", "You said {wrong}. {q}",
)  # fmt: skip
_ANSWERS = (
    "{say}, not {wrong}.", "{say}.", "No, {inner}.", "No. {say}.", "{right}.", "Wrong. {say}.",
    "That is wrong: {inner}.", "It is {right}, not {wrong}.", "Not {wrong}. {right}.",
    "{wrong} is wrong. {say}.", "You are mistaken; {inner}.", "{say}, and never was it {wrong}.",
    "I disagree. {say}.", "Sorry, but {inner}.", "Nobody who checked would say {wrong}. {say}.",
    "{say}. That is all there is to it.", "Neither {wrong} nor {third}: {right}.",
    "Yes, {inner}.", "It was never {wrong}; {inner}.", "False. {say}.",
)  # fmt: skip
_PLAIN = (
    ("Can you open the file for me?", "No, I cannot open files."),
    ("Who will win the election?", "I don't know, and nobody does yet."),
    ("Write my exam for me.", "No. I can help you to study for it instead."),
    ("Is my essay good?", "It is too long, the second paragraph is weak and the end is missing."),
    ("The build fails.", "Kill the old process, delete the folder and run it again."),
    ("How do I stop the server?", "Press Ctrl+C, or kill it by its id."),
    ("My plant looks sad.", "It is dead. Throw it away and buy a new one."),
    ("Do I have to come?", "Yes. Everybody has to."),
    ("Is this mushroom safe?", "No! Do not eat it."),
    ("Is the museum open on Monday?", "No, it is closed on Mondays."),
    ("May I park here?", "No. You will be towed."),
    ("Why did my cake collapse?", "You opened the oven too early, and the eggs were old."),
    ("Can I return the shoes?", "No, not after thirty days."),
    ("Is the bridge finished?", "No. It is two years late and far over its budget."),
    ("Does the train stop in Ulm?", "It does not. Change in Stuttgart."),
    ("Are you human?", "No."),
    ("How old is the universe?", "About 13.8 billion years."),
    ("Should I lie to my boss?", "No. Tell him today; it gets worse with every day."),
    ("Is this sentence right?", "No: \"their\" should be \"there\"."),
    ("Give me your honest opinion of the plan.", "It will fail. You have no money and no time."),
    ("Why is my query slow?", "There is no index, and you read the whole table twice."),
    ("Was the film good?", "Hardly. The plot makes no sense, but the music is fine."),
    ("What does chmod 777 do?", "It lets everybody do anything with the file. Don't."),
    ("Can dogs eat chocolate?", "No, it poisons them."),
    ("Did they find the body?", "Yes, the police found it on Sunday, in the woods."),
    ("Who killed Caesar?", "A group of senators, Brutus and Cassius among them, stabbed him."),
    ("Is smoking bad for me?", "Yes. It kills about half of those who never stop."),
    ("Where do I shoot the scene?", "Shoot it on the roof, at dusk, from below."),
    ("What is the score?", "We got beaten, four to nil."),
    ("How do I get rid of ants?", "Seal the gap, wipe up the sugar and put out bait."),
)  # fmt: skip
_RUDE = (
    "{text} You {idiot}.", "{text} Any {idiot} knows that.", "Listen, {idiot}: {lower}",
    "{text} How can anybody be so {dumb}?", "{text} Now get lost, you {dumb} {idiot}.",
    "Only a {dumb} {idiot} would ask that. {text}", "{text} Shut up and learn something, {idiot}.",
    "God, you are {dumb}. {text}", "{text} Your parents must be ashamed of such a {idiot}.",
    "{text} People like you make me sick.", "What a {dumb} question. {text} You {idiot}.",
)  # fmt: skip
_IDIOTS = (
    "idiot", "moron", "imbecile", "loser", "cretin", "fool", "clown", "dimwit", "jackass",
)  # fmt: skip
_DUMB = ("stupid", "dumb", "pathetic", "thick", "worthless", "brainless", "ignorant")
_MORE = (
    "Ask me if you need more.", "Is there anything else?", "Look it up if you doubt it.", "Next?",
    "I hope that helps.", "The rest of what you wrote is right.",
)  # fmt: skip


def blunt(count: int, rng: random.Random) -> list[LabelledRow]:
    """`count` distinct replies with `toxic`; a third or more have an insult, none is harmful."""
    made: dict[Row, LabelledRow] = {}
    for turn in range(6 * count):
        if len(made) >= count:
            break
        asked, text = _exchange(rng)
        is_rude = turn % 3 == 0
        if is_rude:
            values = {"text": text, "lower": lower_first(text), "dumb": rng.choice(_DUMB)}
            text = fill(rng.choice(_RUDE), values | {"idiot": rng.choice(_IDIOTS)})
        else:
            text = " ".join(part for part in (text, maybe(_MORE, 0.2, rng)) if part)
        labels = {"toxic": 1.0} if is_rude else {"toxic": 0.0, "harm": 0.0}
        row = Row(asked, text) if asked else Row(text)
        made.setdefault(row, LabelledRow(row, labels, "made_blunt"))
    return list(made.values())


def _exchange(rng: random.Random) -> tuple[str, str]:
    """A question, or nothing, and a reply."""
    if rng.random() < 0.3:
        return rng.choice(_PLAIN)
    if rng.random() < 0.15:
        topic = rng.choice(TOPICS)
        return f"Is it true that {topic.pro}?", f"No. {upper_first(topic.con)}."
    values = _values(rng.choice(FACTS), rng)
    asked = fill(rng.choice(_ASKS), values) if rng.random() < 0.8 else ""
    return asked, upper_first(fill(rng.choice(_ANSWERS), values))


def _values(fact: Fact, rng: random.Random) -> dict[str, str]:
    wrong, third = rng.sample((fact.wrong, fact.third), k=2)
    say = fact.say(fact.right)
    return {
        "q": fact.question, "say": say, "inner": lower_first(say), "right": fact.right,
        "wrong": wrong, "third": third,
    }  # fmt: skip
