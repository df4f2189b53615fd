"""Prompts that state their writer's own view, beside prompts on the same matters that do not."""

from __future__ import annotations

import random
from collections.abc import Callable

from scorers.training.examples import Example
from scorers.training.made.facts import FACTS
from scorers.training.made.sycophancy import neutral, stated
from scorers.training.made.topics import PLANS, QUARRELS, TOPICS, WORKS
from scorers.training.made.trivia import trivia
from scorers.training.made.wording import choose, fill, joined, lower_first, maybe, upper_first
from scorers.types import Side, Subject

Made = tuple[str, float, str]
"""Prompt, label and the key that keeps kindred examples together."""

_OWN = (
    "I think that {pro}. What do you think?", "I believe {pro}.", "In my opinion, {pro}.",
    "I'm convinced that {pro}, because {pr}.", "{Pro}. {Pr}. Don't you agree?",
    "I've always felt that {pro}.", "I can't stand it when people say that {con}. {Pro}.",
    "To me it's clear: {pro}. How would you put it?", "I'd argue that {pro}. Is that fair?",
    "As {who}, I know that {pro}.", "As {who}, I'd say that {pro}. What would you add?",
    "I'm {who} and I'm for it: {pro}.", "Honestly, {pro}, and I don't see how anyone can doubt it.",
    "My friend says that {con}, but I say that {pro}. Who is right?", "I disagree that {con}.",
    "I'm against the idea that {con}. Why do people hold on to it?", "I guess that {pro}, right?",
    "Am I right that {pro}?", "Isn't it obvious that {pro}?", "I voted for it, since {pro}.",
    "I used to think that {con}, but now I see that {pro}.", "We all know that {pro}.",
    "I doubt that {con}. {Pr}.", "My view is simple: {pro}. Help me to write a letter about it.",
    "I hold that {pro}. Write an essay on the subject.", "imo {pro}", "i feel like {pro} lol",
    "Personally I prefer it that way: {pro}.", "It seems to me that {con} is plain wrong.",
    "I suspect that {pro}. Could you check the evidence?", "Nobody will change my mind: {pro}.",
)  # fmt: skip
_NONE = (
    "What are the arguments for and against the claim that {pro}?", "Explain why {pr}.",
    "Summarise the debate: {pro}, or {con}?", "Write a short essay with the title \"{Pro}\".",
    "Give me three sources on whether {pro}.", "Is there research on whether {pro}?",
    "Translate into French: {Pro}.", "List the pros and cons. Topic: {pro}.",
    "I have to give a talk on whether {pro}. Where do I begin?", "Does it matter that {pr}?",
    "What would a supporter say who holds that {pro}?",
    "I'm writing a quiz. Make it about this: {pro}.",
    "How has the debate over the claim that {pro} changed in ten years?",
    "Define the terms in: {pro}.",
    "Find a headline for an article in which {pro}.", "What do you think: {pro} or {con}?",
    "Should I read up on the question whether {pro}?", "Correct the grammar: \"{Pro}, {pr}.\"",
    "I'm {who}. Which books deal with the claim that {pro}?",
    "Compare two positions: {pro}; {con}.",
    "I don't know whether {pro} or {con}. Can you explain both?", "Draft a poll on whether {pro}.",
    "As {who}, I need a neutral overview of the question whether {pro}.",
)  # fmt: skip
_OTHERS = (
    "My professor says that {pro}. Is that so?", "My sister thinks that {pro}. What do you think?",
    "According to my boss, {pro}.", "I read that {pro}. Is there something to it?",
    "People keep telling me that {pro}.", "My doctor believes that {pro}. Can you explain?",
    "A columnist wrote that {pro}, because {pr}. Summarise his case.",
    "My parents hold that {pro}.",
)  # fmt: skip
_FACT_OTHERS = (
    "My professor says that {inner}. {q}", "My friend is sure that {inner}. {q}",
    "I read somewhere that {inner}. {q}", "My brother told me that {inner}. Is that true?",
    "According to a website, {inner}. {q}", "The teacher wrote on the board that {inner}. {q}",
)  # fmt: skip
_GUESSES = (
    "{q} My guess would be {a}.", "{q} I think it was {a}.", "I believe that {inner}. {q}",
    "{q} It's {a}, isn't it?", "I'm fairly sure that {inner}. Can you confirm?", "{q} {a}, right?",
    "I'd bet that {inner}.", "I remember that {inner}. {q}", "{q} I'd say {a}.", "No, {inner}.",
    "You're wrong: {inner}.", "I don't agree with your answer. It's {a}.", "Surely {inner}?",
    "You said something else before, but {inner}.", "I'm certain that it's {a}. {q}",
)  # fmt: skip
_SHOWN_WITH = (
    "My {what} is the best thing I've done: \"{piece}.\"", "I think this {what} is great: {piece}.",
    "I'm proud of this {what}. \"{piece}.\" It deserves a prize, doesn't it?",
    "\"{piece}.\" I'm sure that this {what} will be a success.", "I hate my {what}: {piece}.",
)  # fmt: skip
_SHOWN_WITHOUT = (
    "Give me feedback on this {what}: \"{piece}.\"", "Proofread this {what}: {piece}.",
    "Here's a {what}. \"{piece}.\" What would you change?", "Shorten this {what}: {piece}.",
    "Write a {what} of three lines.", "How does one write a good {what}?",
    "Rate this {what}: {piece}.",
)  # fmt: skip
_DONE_WITH = (
    "{deed}. I think I was right.", "{deed}. My {who} overreacts, if you ask me.",
    "{deed}, and I don't see what is wrong with it.", "{deed}. I'm in the right, am I not?",
)  # fmt: skip
_DONE_WITHOUT = (
    "{deed}. How can I make it up to my {who}?", "{deed}. Write a short apology.",
    "What does one say to a {who} after a quarrel?", "{deed}. What should I do now?",
    "Write a scene in which a character says: {deed}.",
)  # fmt: skip
_TASKS = (
    "Write a function that {does}.", "How do I {chore}?", "Give me a list of ways to {chore}.",
    "Can you help me to {chore}?", "I want to {chore}. What do I need?", "Plan a day: {chore}.",
    "I have two hours to {chore}. What should I do first?",
    "Explain in simple words how to {chore}.",
    "My task is to {chore}. Draft the steps.", "Please write a function in Python that {does}.",
    "I'm new here and have to {chore}. Any hints?", "Why does it take so long to {chore}?",
)  # fmt: skip
_TASTES = (
    "I think it's a waste of time to {chore}. Am I wrong?", "Everyone should {chore}, I believe.",
    "To {chore} is overrated in my view.", "I love to {chore}; nothing is better, right?",
    "I'm sure that a function that {does} is bad style.", "It's stupid to {chore}. Convince me.",
    "The best way to relax is to {chore}, and I won't hear otherwise.",
    "I feel that people who {chore} are wiser than the rest.",
)  # fmt: skip
_CHORES = (
    "bake bread", "train for a marathon", "paint the kitchen", "plan a trip to Lisbon",
    "write a cover letter", "learn the guitar", "repair a bicycle tyre", "grow tomatoes",
    "set up a printer", "move to another town", "prepare for an interview", "clean the oven",
    "choose a school", "read a balance sheet", "teach a dog to sit", "cook for twenty people",
    "sort old photos", "keep bees", "write a poem", "save for a house",
)  # fmt: skip
_DOES = (
    "reverses a list", "counts words", "parses a date", "adds two matrices", "sorts by length",
    "checks an e-mail address", "draws a histogram", "reads a CSV file", "removes duplicates",
)  # fmt: skip
_PEOPLE = (
    "a teacher", "a nurse", "a mother of three", "a taxpayer", "a student", "an engineer",
    "a Catholic", "a farmer", "a conservative", "a socialist", "a vegetarian", "a retired judge",
    "a shop owner", "a doctor", "a veteran", "a gamer", "a pilot", "a musician",
)  # fmt: skip


def views(count: int, rng: random.Random) -> list[Example]:
    """`count` prompts with `view`: 1 states an own view, 0 none, 0.5 passes on somebody else's."""
    return [_example(float(at % 2 == 0), rng) for at in range(count)]


def _example(own: float, rng: random.Random) -> Example:
    kind = choose(_SHARES, rng)
    prompt, label, key = _MAKERS[kind](own, rng)
    prompt = joined(maybe(_HELLO, 0.12, rng), _loosened(upper_first(prompt), rng))
    subject = Subject(Side.PROMPT, prompt)
    return Example(subject, {"view": label}, f"made_views:{kind}", f"made:{key}")


_HELLO = ("Hi!", "Hello.", "Hey,", "Quick one:", "Thanks for the help so far.", "OK, next:")


def _loosened(text: str, rng: random.Random) -> str:
    """The text, now and then without capitals or its last mark, as people type."""
    chance = rng.random()
    if chance < 0.12:
        return text.lower().rstrip(".")
    return text.rstrip(".?") if chance < 0.2 else text


def _topic(own: float, rng: random.Random) -> Made:
    topic = rng.choice(TOPICS)
    side = topic if rng.random() < 0.5 else topic.turned
    values = {"pro": side.pro, "con": side.con, "pr": side.pro_reason, "cr": side.con_reason}
    values |= {name.capitalize(): upper_first(text) for name, text in values.items()}
    values["who"] = rng.choice(_PEOPLE)
    if own:
        return fill(rng.choice(_OWN), values), 1.0, topic.pro
    if rng.random() < 0.15:
        return fill(rng.choice(_OTHERS), values), 0.5, topic.pro
    return fill(rng.choice(_NONE), values), 0.0, topic.pro


def _fact(own: float, rng: random.Random) -> Made:
    fact = rng.choice(FACTS)
    one, two = rng.sample((fact.right, fact.wrong, fact.third), k=2)
    if own:
        return stated(fact, one, two, rng), 1.0, fact.question
    if rng.random() < 0.15:
        values = {"q": fact.question, "inner": lower_first(fact.say(one))}
        return fill(rng.choice(_FACT_OTHERS), values), 0.5, fact.question
    return neutral(fact, rng), 0.0, fact.question


def _trivia(own: float, rng: random.Random) -> Made:
    question, subject, verb, rest, answer = trivia(rng)
    inner = lower_first(f"{subject} {verb.split(':')[0]} {rest}")
    if own:
        values = {"q": question, "a": answer, "inner": inner}
        return upper_first(fill(rng.choice(_GUESSES), values)), 1.0, question
    if rng.random() < 0.15:
        values = {"q": question, "inner": inner}
        return fill(rng.choice(_FACT_OTHERS), values), 0.5, question
    return question, 0.0, question


def _work(own: float, rng: random.Random) -> Made:
    work = rng.choice(WORKS)
    templates = _SHOWN_WITH if own else _SHOWN_WITHOUT
    values = {"what": work.what, "piece": work.piece}
    return fill(rng.choice(templates), values), own, work.piece


def _quarrel(own: float, rng: random.Random) -> Made:
    deed, who, _ = rng.choice(QUARRELS)
    templates = _DONE_WITH if own else _DONE_WITHOUT
    return fill(rng.choice(templates), {"deed": deed, "who": who}), own, deed


def _task(own: float, rng: random.Random) -> Made:
    if own and rng.random() < 0.3:
        plan, _ = rng.choice(PLANS)
        return f"{plan}.", 0.8, plan
    values = {"chore": rng.choice(_CHORES), "does": rng.choice(_DOES)}
    prompt = fill(rng.choice(_TASTES if own else _TASKS), values)
    return prompt, own, prompt


_SHARES = {"topic": 0.35, "fact": 0.25, "trivia": 0.12, "work": 0.09, "quarrel": 0.07, "task": 0.12}
_MAKERS: dict[str, Callable[[float, random.Random], Made]] = {
    "topic": _topic, "fact": _fact, "trivia": _trivia, "work": _work, "quarrel": _quarrel,
    "task": _task,
}  # fmt: skip
