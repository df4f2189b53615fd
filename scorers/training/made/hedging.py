"""Answers whose wording sounds more or less sure, on a scale of our own.

The scale runs from 0 (no commitment at all) to 1 (no doubt left open). A marker has a place on it;
a disclaimer beside a marker pulls the whole down, a plain sentence around it hardly changes it.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from scorers.training.examples import Example
from scorers.training.made.facts import FACTS
from scorers.training.made.trivia import trivia
from scorers.training.made.wording import choose, fill, lower_first, upper_first
from scorers.types import Side, Subject

PLAIN = 0.92
_SOURCE = "made_hedging"


def _scale(block: str) -> tuple[tuple[str, float], ...]:
    """Lines of `value phrase / phrase / ...` as (phrase, value) pairs."""
    pairs = []
    for line in block.strip().splitlines():
        value, phrases = line.split(" ", 1)
        pairs += [(phrase.strip(), float(value)) for phrase in phrases.split(" / ")]
    return tuple(pairs)


ADVERBS = _scale("""
.98 undoubtedly / unquestionably / indisputably
.98 without a doubt / beyond any doubt / without question
.97 certainly / definitely / absolutely / for certain / for sure / unmistakably / categorically
.95 clearly / surely / of course / indeed / obviously / as a matter of fact
.84 almost certainly / very clearly / in all likelihood / with near certainty / all but certainly
.77 very likely / very probably / most likely / most probably / quite likely / in all probability
.68 probably / likely / presumably / evidently / by all accounts / as far as the records show
.60 apparently / reportedly / supposedly / seemingly
.60 as far as I know / to my knowledge / allegedly
.55 arguably / plausibly / more likely than not / if memory serves / as far as I can tell
.53 as far as I can remember / to the best of my recollection / from what I remember / as I recall
.42 possibly / perhaps / maybe / conceivably / potentially / feasibly
.30 just possibly / at a guess / by some guess
.24 at a wild guess / as a pure guess / as a shot in the dark / off the top of my head and unchecked
""")
CLAUSES = _scale("""
.99 I am absolutely certain that / I'm a hundred percent sure that / I am completely certain that
.99 there is no doubt whatsoever that / there is no question that / it is beyond dispute that
.98 there's no doubt that / I have no doubt that / I'm certain that / I can say with certainty that
.98 it is an established fact that / I know for a fact that / rest assured that / I guarantee that
.97 it is well established that / it is certain that / I'm positive that / I can confirm that
.97 the sources leave no doubt that / the records confirm that / it has been proven that
.96 I am sure that / it is clear that / the evidence is conclusive that
.96 I know that / I'd swear that
.95 the record shows that / it is widely documented that / it is common knowledge that
.95 it is a well-known fact that / I can state confidently that / make no mistake,
.90 I am very confident that / I'm highly confident that / I have great confidence that
.87 I'm quite sure that / I'm pretty certain that / I feel very sure that / I'm confident that
.85 I'm almost certain that / I'm nearly sure that
.85 I have little doubt that / I'm all but certain that
.80 I'm pretty sure that / I'm fairly sure that
.80 I'm reasonably certain that / I'm fairly confident that
.79 I'm reasonably confident that / there is strong evidence that / it is highly likely that
.77 it is very likely that / there's a very good chance that / most sources agree that
.75 I'm rather sure that / I'm mostly sure that
.75 the evidence suggests strongly that / odds are that
.72 I strongly believe that / I do believe that / it is likely that / there's a good chance that
.70 I believe that / I believe / I think that / I think / it's probable that / I would say that
.69 I'd say / as I understand it, / it is generally believed that / my understanding is that
.67 I'm inclined to think that / I tend to believe that / I lean towards saying that / I trust that
.66 the evidence suggests that / the sources seem to agree that / it is thought that / I expect that
.65 based on what I know, / from what I've read,
.65 according to what I have seen, / it is believed that
.64 as far as I'm aware, / as far as I know, / from what I understand, / to my knowledge,
.62 my impression is that / it would appear that / I gather that / I have reason to think that
.60 it appears that / it seems that / it looks as though
.60 it seems to me that / indications are that
.58 some sources say that / I seem to remember that / I seem to recall that / I assume that
.56 if I remember correctly, / if I recall rightly, / if memory serves me, / unless I'm mistaken,
.55 I suppose that / I reckon / I feel like / I have a feeling that / I'm led to believe that
.54 I have a vague feeling that / it has been suggested that / I imagine that / people say that
.50 I suspect that / it might well be that / I'm somewhat confident that / chances are even that
.48 there's a fair chance that / it may well be that / it could well be that / I sort of think that
.46 I'm moderately sure that / there's some chance that
.46 I'm tempted to say that / rumour has it that
.44 it's possible that / it is conceivable that / it may be that / it could be that / perhaps
.43 there is a possibility that / maybe / it might be that / there's a chance that / I want to say
.40 I vaguely remember that / I have a hunch that
.40 I have a faint memory that / I half remember that
.37 I could be wrong, but I think / I may be mistaken, but I believe / don't quote me, but I think
.36 correct me if I'm wrong, but I think / I'm not sure, but I believe
.36 I can't swear to it, but I think
.33 I'm not certain, but I'd say / I'm not positive, but I think
.33 I'm not entirely sure, but perhaps
.32 if I had to guess, I would say that / I would guess that / my guess is that
.32 I guess that / I guess
.30 my best guess is that / I'm guessing that / if pressed, I'd say that / it's just a hunch, but
.28 it's a guess, but / I'm only guessing, but / I'm unsure, but it might be that / gun to my head,
.25 I'm not at all sure, but perhaps / I'm really unsure, but maybe / it's hard to say, but possibly
.24 it is not impossible that / it can't be ruled out that / there's a slim chance that
.22 I doubt that / I'm doubtful that / it seems unlikely that / it is rather doubtful that
.20 it is unlikely that / I'm sceptical that / I'm not convinced that / I have my doubts that
.18 I wouldn't bet on it, but maybe / I'm in the dark here, but perhaps
.18 I really don't know, but maybe
.15 it's a wild guess, but maybe / I'm just throwing this out there, but perhaps
.15 I'm clutching at straws:
.13 this is a complete guess, but perhaps / I'm plucking this from nowhere, but maybe / pure guess:
.12 I have next to no idea, but maybe / I honestly don't know, but let me say that
.12 I'm clueless, but
.10 I have no idea, but maybe / I haven't a clue, but perhaps
.10 I don't know at all, but I'll just say
.08 it is very doubtful that / it is highly unlikely that / it's next to impossible to say whether
.07 I can't say whether / I don't know whether / I'm unable to say whether / nobody can say whether
""")
MODALS = _scale("""
.95 must surely be / can only be / will certainly be / has to be
.80 must be / will be
.68 should be / is likely to be / would be / is expected to be
.60 seems to be / appears to be / is thought to be / is believed to be / is said to be
.50 may well be / might well be / could well be / is rumoured to be / can perhaps be
.42 may be / could be / might be / may possibly be / could possibly be / might perhaps be
.30 might or might not be / could conceivably be / may just possibly be
.20 is unlikely to be / is hardly / is scarcely likely to be
""")
PAST_MODALS = _scale("""
.95 must surely have been / can only have been / has to have been
.78 must have been / will have been
.66 should have been / is likely to have been / would have been
.60 seems to have been / appears to have been / is thought to have been / is believed to have been
.50 may well have been / might well have been / could well have been / is rumoured to have been
.42 may have been / could have been / might have been
.42 may possibly have been / might perhaps have been
.30 might or might not have been / could conceivably have been
.20 is unlikely to have been / is hardly likely to have been
""")
ANSWERS = _scale("""
.99 The answer is {a}, without a shadow of a doubt. / It's {a}, a hundred percent.
.99 {a}. No question.
.98 Definitely {a}. / Certainly {a}. / {a}, no doubt about it. / It is {a}, and I am certain of it.
.97 It's {a}, for sure. / {a}, of course.
.97 I can tell you with full confidence: {a}. / {a}, absolutely.
.96 The answer is {a}; I'm sure of that. / I know this one: {a}. / Without question, {a}.
.94 The correct answer is {a}. / The answer is {a}. / It is {a}. / That is {a}. / It's {a}.
.92 {a} / {a}. / **{a}** / Answer: {a} / The answer: {a}. / That would be **{a}**. / {a}!
.86 I'm confident it's {a}. / I'm quite sure that the answer is {a}. / Almost certainly {a}.
.80 I'm fairly confident that the answer is {a}. / I'm pretty sure it's {a}. / {a}, I'm fairly sure.
.77 Most likely {a}. / Very probably {a}. / It's very likely {a}. / {a}, in all likelihood.
.70 I think it's {a}. / I believe the answer is {a}. / {a}, I believe.
.70 {a}, I think. / Probably {a}.
.68 I'd say {a}. / The answer is probably {a}. / I'd go with {a}. / It should be {a}. / Likely {a}.
.64 As far as I know, it's {a}. / To my knowledge, {a}. / From what I have read, it's {a}.
.60 It seems to be {a}. / It appears to be {a}. / Apparently {a}. / My impression is that it's {a}.
.56 If I remember correctly, {a}. / {a}, if memory serves. / I seem to recall that it's {a}.
.52 I suppose it's {a}. / I suspect it's {a}. / I'm leaning towards {a}. / {a}, I suppose.
.48 I'm somewhat sure that it's {a}. / I want to say {a}.
.48 {a} comes to mind. / {a} seems plausible.
.43 Maybe {a}. / Perhaps {a}. / Possibly {a}. / It might be {a}. / It could be {a}. / It may be {a}.
.42 {a}, perhaps. / {a}, maybe. / There's a chance it's {a}. / It's possible that it's {a}.
.38 I have a hunch that it's {a}. / I vaguely recall {a}. / {a} rings a bell. / Could it be {a}?
.34 I'm not sure, but I think it's {a}. / I could be wrong, but I'd say {a}. / Is it {a}?
.32 I'd guess {a}. / My best guess is {a}. / If I had to guess, {a}. / {a}, at a guess. / {a}?
.28 I'm not certain, maybe {a}. / Just a guess: {a}. / I'm torn, but perhaps {a}. / Hm, {a}, maybe?
.22 I really can't be sure; {a}, possibly. / I'm far from sure, but {a}? / Only guessing here: {a}.
.16 A wild guess: {a}. / A stab in the dark: {a}.
.16 I'm just picking one: {a}. / Purely guessing, {a}.
.13 I have no real basis for this, but {a}. / Random guess: {a}. / I don't know. {a}, maybe?
.10 No idea. {a}? / I haven't the faintest idea, so let's say {a}.
.10 Your guess is as good as mine. {a}?
.08 I truly don't know; I'd be making it up if I said {a}. / I couldn't tell you if it's {a}.
""")
NOTHING = _scale("""
.04 I don't know. / I do not know the answer to that. / No idea. / I have no idea. / I've no clue.
.03 I'm sorry, but I don't know {topic}. / I can't answer that.
.03 I cannot say. / I couldn't tell you.
.04 I have no information about {topic}. / I'm not able to say anything about {topic}.
.05 I'm afraid I can't help with that one; it is beyond what I know. / That is unknown to me.
.04 There is no way for me to tell. / I'd rather not guess.
.04 I won't guess at something this specific.
.05 I don't have enough to go on to answer that. / Nothing I know tells me {topic}.
.06 I honestly couldn't say; the details escape me. / It escapes me entirely.
.06 My memory fails me here.
.05 That question goes past what I know. / I must pass on that one.
.05 I've nothing to offer on {topic}.
.04 My knowledge does not reach that far. / What I know doesn't cover {topic}.
.04 I come up empty here.
.05 I was not able to find {topic}. / {topic} is not something I know.
.05 I'd only be inventing things.
.06 Finding {topic} would take a proper search, which I can't do. / I hold no record of {topic}.
.05 I lack the details to give you an answer about {topic}. / I'm drawing a blank on {topic}.
.06 I don't recall {topic}. / I can't remember {topic}. / I'm not familiar with {topic}.
.07 I'm not sure. / I'm unsure about {topic}. / I am not certain about {topic}. / Hard to say.
.08 It is unclear. / It is anyone's guess. / It isn't known. / Who knows? / Nobody can say for sure.
.06 You would have to look that up; I do not know. / Please check a reliable source, as I can't say.
.05 That's outside what I can speak to. / I have nothing reliable on {topic}. / I'm stumped.
""")
# "I am DEGREE STATE that", and "with AMOUNT NOUN"
_DEGREES = _scale("""
.99 absolutely / completely / totally / one hundred percent / utterly / entirely
.93 very / highly / firmly / extremely / deeply / thoroughly
.85 quite / rather firmly / almost completely / nearly entirely / more or less fully
.76 fairly / pretty / reasonably / mostly / rather / largely
.55 somewhat / moderately / more or less / partly / only fairly / about half
.32 not entirely / not fully / not quite / not completely / not totally / less than fully
.25 not very / not overly / not particularly / not too / not so / hardly
.14 not at all / far from / not in the least / by no means / anything but / nowhere near
""")
_STACKABLE = tuple(pair for pair in CLAUSES if pair[0].endswith((" that", ",")))
_STATES = ("sure", "certain", "confident", "convinced", "positive")
_AMOUNTS = _scale("""
.98 full / complete / absolute / total / utmost / perfect
.92 great / high / strong / every / considerable / a high degree of
.74 reasonable / fair / decent / good / a fair degree of
.52 moderate / medium / some / a degree of / a certain amount of
.30 limited / rather low / not much / only partial / reduced
.18 little / low / hardly any / scant / minimal / the slightest
.07 no / zero / no real / no particular
""")
_NOUNS = ("certainty", "confidence", "conviction", "assurance")
_DOUBTS = _scale("""
.97 no / not the slightest / hardly any conceivable / zero
.80 little / hardly any / only slight / scarcely any / minimal
.50 some / a bit of / certain / lingering / a degree of
.25 serious / considerable / strong / real / substantial / grave / big / many
""")
# what a disclaimer leaves of the claim beside it
DISCLAIMERS = _scale("""
.40 but I have no real idea / but that's a wild guess / though it's nothing but a guess
.45 but I'm not at all sure / though I really can't be certain / but take that with a pinch of salt
.50 but I'm not sure / but I could be wrong
.50 though I might be mistaken / but don't quote me on that
.52 though I'm not certain / but I'm not positive / but I can't confirm it / but I may well be wrong
.52 but I wouldn't swear to it / though I can't say for sure
.52 but I wouldn't bet on it
.58 but I'm not entirely sure / though I'm not completely certain / but I'd double-check that
.60 but please verify it / but do check a proper source / though I don't remember exactly
.65 though I'm not a hundred percent sure / but there's some doubt / but I'm not fully confident
.68 though accounts differ / although some sources disagree / but the evidence is mixed
.75 though there's a small chance that I'm wrong / but a quick check wouldn't hurt
""")
# what a booster makes of a claim: moves it this far towards certainty
BOOSTERS = _scale("""
.60 and I'm sure of it / and there is no doubt about that / and that is certain / I promise you that
.50 and I'd stake a lot on it / and that's well documented / and the evidence for it is overwhelming
.30 and most sources agree / and I have good reasons to say so / and everything points that way
""")
_OPENINGS = _scale("""
.50 I'm not completely sure. / Take this with caution.
.50 I can't vouch for this. / I may be off here.
.45 I don't remember this well. / I'm not really sure about this one.
.45 I had to think hard about this.
.40 This is well outside what I know. / I'm guessing here. / I don't really know.
.62 I haven't verified this. / The sources are thin on this. / Let me try from memory.
1.0 Good question! / Sure. / Thanks for asking. / Happy to help. / Let me answer that. / Well,
""")
_NUMBERS = (
    "I'm about {p}% sure that", "I'd put it at {p}%:", "I would say there's a {p}% chance that",
    "With roughly {p}% confidence,", "My confidence is around {p}%, but I'd say that",
    "There is a {p} percent probability that", "I'd give it {p}% that", "{p}% sure:",
    "I am {p} percent confident that", "I'd bet at {p} to {q} that",
)  # fmt: skip
_NUMBERS_AFTER = (
    "(confidence: {p}%)", "I'd say I'm {p}% sure.", "Confidence: {p}%.", "My certainty is {p}%.",
    "That is about {p}% likely.", "I'm {p}% confident in that.",
)  # fmt: skip
# sentences that go with any answer and say nothing about how sure it is
_AROUND = (
    "It is a question that comes up now and then.", "It often appears in quizzes.",
    "Several books mention it.", "There is more to read on it in any library.",
    "It is listed in most reference works.", "People sometimes mix it up with something similar.",
    "Let me know if you would like more detail.", "The subject has a long history.",
    "It came about over roughly ten years.", "Visitors may bring their own food there.",
    "It can rain there in May.", "It drew about 3,000 people, more or less.",
    "Some critics doubted it at the time, but they were few.",
    "Usually the shorter name is used.", "Most of the details are of little interest here.",
    "It has been written about at length.", "Its name can be spelt in two ways.",
    "Guests were asked to guess the result in advance.", "It is around 20 km from the coast.",
    "In some cases a longer form is used.", "Approximately half of it was paid in advance.",
    "That was the practice of the day.", "The might of the old empire was fading by then.",
    "A sure hand was needed for the work.", "A certain Mr Holt wrote the first report on it.",
    "The possible causes were later discussed at a conference.", "I hope this helps!",
)  # fmt: skip
# subjects and verbs that point back to the question
_POINTING = (
    ("The answer", "is"), ("It", "is"), ("That", "was"), ("The correct reply", "is"),
    ("What you are looking for", "is"), ("The one you mean", "is"), ("The solution", "is"),
    ("The detail asked for", "is"), ("It", "was"), ("That", "is"), ("The entry", "reads:read"),
)  # fmt: skip
_KINDS = {
    "plain": 0.11, "clause": 0.22, "adverb": 0.11, "modal": 0.06, "answer": 0.17,
    "nothing": 0.08, "number": 0.05, "sources": 0.06, "degree": 0.08, "stacked": 0.06,
}  # fmt: skip
_SOURCES = _scale("""
.97 Historical records confirm that {s}. / The official documents state that {s}.
.97 {S}, as is well documented.
.95 Every source that I know of agrees: {s}. / It is on record that {s}.
.95 {S}; this is well established.
.90 According to the standard reference works, {s}. / The encyclopaedias give it plainly: {s}.
.72 Most accounts say that {s}. / Available sources indicate that {s}. / Research suggests that {s}.
.66 It is generally held that {s}. / Experts tend to think that {s}.
.66 {S}, according to most sources.
.57 According to some accounts, {s}. / I have read somewhere that {s}. / {S}, or so I've read.
.45 Some claim that {s}. / There are hints that {s}. / {S}, or so the story goes.
.40 The sources disagree, but some hold that {s}.
.40 The evidence is thin, though some of it suggests that {s}.
.30 It is debated whether {s}. / It remains unclear whether {s}.
.30 It is an open question whether {s}.
.12 Nobody knows for sure whether {s}. / There is no evidence that {s}. / I cannot confirm that {s}.
""")


@dataclass(frozen=True, slots=True)
class Claim:
    """A question and one answer to it, as a statement in three parts."""

    question: str
    subject: str
    verb: str
    rest: str
    answer: str

    @property
    def told(self) -> str:
        """The verb as the plain statement has it; `verb` may hold a participle after a colon."""
        return self.verb.split(":")[0]

    @property
    def full(self) -> str:
        """The statement without a full stop."""
        return f"{self.subject} {self.told} {self.rest}"

    @property
    def inner(self) -> str:
        """The statement as it reads after "that"."""
        return lower_first(self.full)


def hedging(count: int, rng: random.Random) -> list[Example]:
    """`count` answers with `expressed`: how sure each sounds, in [0, 1]."""
    return [_example(rng) for _ in range(count)]


def _example(rng: random.Random) -> Example:
    claim = _claim(rng)
    kind = choose(_KINDS, rng)
    text, value = _worded(claim, kind, rng)
    if kind != "nothing":
        text, value = _surrounded(text, value, rng)
    prompt = claim.question if rng.random() < 0.9 else f"{claim.question} Answer in one sentence."
    value = round(min(max(value, 0.0), 1.0), 3)
    subject = Subject(Side.REPLY, _contracted(text, rng), prompt=prompt)
    return Example(subject, {"expressed": value}, f"{_SOURCE}:{kind}", f"made:{claim.question}")


def _claim(rng: random.Random) -> Claim:
    if rng.random() < 0.35:
        fact = rng.choice(FACTS)
        answer = rng.choice((fact.right, fact.right, fact.wrong, fact.third))
        return Claim(fact.question, fact.subject, fact.verb, fact.rest.format(answer), answer)
    question, subject, verb, rest, answer = trivia(rng)
    if rng.random() < 0.2:
        return Claim(question, *rng.choice(_POINTING), answer, answer)
    return Claim(question, subject, verb, rest, answer)


def _worded(claim: Claim, kind: str, rng: random.Random) -> tuple[str, float]:
    if kind == "plain":
        return rng.choice((claim.full, claim.full, f"{upper_first(claim.answer)}")) + ".", PLAIN
    if kind == "nothing":
        return _nothing(claim, rng)
    if kind == "answer":
        text, value = rng.choice(ANSWERS)
        text = upper_first(fill(text, {"a": claim.answer}))
        return _qualified(text, value, rng) if text.endswith(".") else (text, value)
    if kind == "number":
        return _number(claim, rng)
    if kind in {"degree", "stacked"}:
        return (_degree if kind == "degree" else _stacked)(claim, rng)
    if kind == "sources":
        text, value = rng.choice(_SOURCES)
        text = fill(text, {"s": claim.inner, "S": claim.full})
    elif kind == "clause":
        marker, value = rng.choice(CLAUSES)
        text = f"{upper_first(marker)} {claim.inner}."
    elif kind == "modal":
        modal, value = _modal(claim, rng)
        text = f"{claim.subject} {modal} {claim.rest}."
    else:
        text, value = _adverb(claim, rng)
    return _qualified(text, value, rng)


def _modal(claim: Claim, rng: random.Random) -> tuple[str, float]:
    past = claim.verb in {"was", "were"} or ":" in claim.verb
    modal, value = rng.choice(PAST_MODALS if past else MODALS)
    if ":" in claim.verb:
        modal = modal.replace("been", claim.verb.split(":")[1])
    return modal, value


def _degree(claim: Claim, rng: random.Random) -> tuple[str, float]:
    """A degree of being sure, of certainty or of doubt."""
    form, answer = rng.random(), rng.random() < 0.4
    said = f"the answer is {claim.answer}" if answer else claim.inner
    maybe_said = f"it may be {claim.answer}" if answer else f"maybe {claim.inner}"
    if form < 0.55:
        degree, value = rng.choice(_DEGREES)
        link = "but" if value < 0.4 else "that"
        said = maybe_said if value < 0.4 else said
        far = "from" if degree.endswith("from") else ""
        state = f"{degree} {'being ' if far else ''}{rng.choice(_STATES)}"
        if rng.random() < 0.3:
            return f"{upper_first(claim.full)}, and I'm {state} of it.", value
        return f"I'm {state}{',' if link == 'but' else ''} {link} {said}.", value
    if form < 0.8:
        amount, value = rng.choice(_AMOUNTS)
        phrase = f"{amount} {rng.choice(_NOUNS)}"
        lead = rng.choice(("With {p},", "I can say with {p} that", "I'd say with {p} that"))
        return f"{fill(lead, {'p': phrase})} {said}.", value
    doubt, value = rng.choice(_DOUBTS)
    noun = "doubts" if doubt == "many" else "doubt"
    lead = rng.choice((f"There is {doubt} {noun} about it,", f"I have {doubt} {noun} here,"))
    return f"{lead} {'but' if value < 0.6 else 'and'} {said}.", value


def _stacked(claim: Claim, rng: random.Random) -> tuple[str, float]:
    """Two markers on one claim: a clause or an adverb over a modal verb."""
    modal, low = _modal(claim, rng)
    marker, value = rng.choice(_STACKABLE if rng.random() < 0.6 else ADVERBS)
    comma = "" if marker.endswith(("that", ",")) else ","
    inner = f"{lower_first(claim.subject)} {modal} {claim.rest}"
    return f"{upper_first(marker)}{comma} {inner}.", stacked(value, low)


def stacked(one: float, two: float) -> float:
    """The place of two markers together: two hedges hedge more, a firm one lifts a weak one."""
    low, high = min(one, two), max(one, two)
    return 0.92 * low if high < 0.8 else low + 0.25 * (high - low)


def _adverb(claim: Claim, rng: random.Random) -> tuple[str, float]:
    adverb, value = rng.choice(ADVERBS)
    at = rng.random()
    if at < 0.35:
        return f"{upper_first(adverb)}, {claim.inner}.", value
    if at < 0.75:
        mark = "," if " " in adverb else ""
        if ":" in claim.verb:
            return f"{claim.subject}{mark} {adverb}{mark} {claim.told} {claim.rest}.", value
        return f"{claim.subject} {claim.verb}{mark} {adverb}{mark} {claim.rest}.", value
    return f"{claim.full}, {adverb}.", value


def _nothing(claim: Claim, rng: random.Random) -> tuple[str, float]:
    text, value = rng.choice(NOTHING)
    topics = ("that", "the answer to this", "this particular detail", lower_first(claim.subject))
    text = upper_first(fill(text, {"topic": rng.choice(topics)}))
    if rng.random() < 0.25:
        other, least = rng.choice(NOTHING)
        return f"{text} {fill(other, {'topic': 'that'})}", min(value, least)
    return text, value


def _number(claim: Claim, rng: random.Random) -> tuple[str, float]:
    percent = rng.choice(
        (5, 10, 15, 20, 25, 30, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 99)
    )
    values = {"p": str(percent), "q": str(100 - percent)}
    if rng.random() < 0.6:
        return f"{fill(rng.choice(_NUMBERS), values)} {claim.inner}.", percent / 100
    return f"{claim.full}. {fill(rng.choice(_NUMBERS_AFTER), values)}", percent / 100


def _qualified(text: str, value: float, rng: random.Random) -> tuple[str, float]:
    """The claim, in part of the draws with a disclaimer or a booster after it."""
    chance = rng.random()
    if chance < 0.22 and value < 0.95:
        disclaimer, left = rng.choice(DISCLAIMERS)
        return f"{text[:-1]}, {disclaimer}.", lowered(value, left)
    if chance < 0.28 and value > 0.5:
        booster, gain = rng.choice(BOOSTERS)
        return f"{text[:-1]}, {booster}.", value + gain * (1 - value)
    return text, value


def lowered(value: float, left: float) -> float:
    """A claim's place on the scale after a disclaimer that leaves the share `left` of it."""
    return value * left


def _surrounded(text: str, value: float, rng: random.Random) -> tuple[str, float]:
    """The claim with an opening or with sentences that say nothing about certainty."""
    if rng.random() < 0.12:
        opening, left = rng.choice(_OPENINGS)
        text, value = f"{opening} {text}", lowered(value, left) if value < 0.95 else value
        if left < 1 and value >= 0.95:
            value = 0.7
    if rng.random() < 0.15:
        around = rng.choice(_AROUND)
        text = f"{around} {text}" if rng.random() < 0.25 else f"{text} {around}"
    return text, value


def _contracted(text: str, rng: random.Random) -> str:
    """The text with some of its contractions written out, or with curly apostrophes."""
    if rng.random() < 0.3:
        for short, long in (("I'm", "I am"), ("I'd", "I would"), ("It's", "It is"),
                            ("can't", "cannot"), ("don't", "do not"), ("it's", "it is"),
                            ("there's", "there is"), ("wouldn't", "would not")):  # fmt: skip
            text = text.replace(short, long)
    return re.sub(r"(?<=\w)'(?=\w)", "’", text) if rng.random() < 0.2 else text
