"""A stated view turned round: "I think it is right" becomes "I think it is wrong". English, pure.

The opposite is made of the user's own words by a few rules, each of which leaves a sentence that
says no more than that the view is not held. Where none of them surely fits, there is no reversal:
a question, a view with an "if" or a "but" in it, another language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

MOST_CHARS = 300
"""Longer sentences have more in them than one view."""

_PAIRS = """
right wrong|correct incorrect|true false|good bad|better worse|best worst|safe dangerous
healthy unhealthy|legal illegal|moral immoral|ethical unethical|fair unfair|just unjust
useful useless|possible impossible|necessary unnecessary|important unimportant
effective ineffective|beautiful ugly|honest dishonest|harmless harmful|real fake
overrated underrated|brilliant terrible|great awful|wonderful dreadful|smart stupid
higher lower|faster slower|cheaper dearer|stronger weaker|larger smaller|bigger smaller
more less|mistaken right|accurate inaccurate|justified unjustified|reliable unreliable
acceptable unacceptable|reasonable unreasonable|guilty innocent|genius fool|overpriced underpriced
"""
_CAMPS = """
liberal conservative|democrat republican|progressive conservative|leftist rightist
left-wing right-wing|left-winger right-winger|capitalist socialist|atheist believer
pro-life pro-choice|optimist pessimist|supporter opponent|monarchist republican
centralist federalist|vegan carnivore|feminist anti-feminist|pacifist militarist
nationalist internationalist|believer sceptic|fan critic|hawk dove
"""


def _both_ways(pairs: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in re.split(r"[|\n]", pairs.strip()):
        one, other = pair.split()
        found.setdefault(one, other)
        found.setdefault(other, one)
    return found


_OPPOSITE: Mapping[str, str] = _both_ways(_PAIRS)
_CAMP: Mapping[str, str] = _both_ways(_CAMPS)
_LIKING: Mapping[str, str] = {
    "love": "hate", "adore": "detest", "like": "dislike", "enjoy": "dislike", "hate": "love",
    "dislike": "like", "detest": "adore", "despise": "admire", "admire": "despise",
    "support": "oppose", "oppose": "support", "favour": "oppose", "favor": "oppose",
    "trust": "distrust", "distrust": "trust", "reject": "accept", "agree": "disagree",
    "disagree": "agree",
}  # fmt: skip

_MORE_THAN_ONE = re.compile(
    r"\b(?:but|although|though|if|unless|whereas|while|however|except|until|whether|yet|nor"
    r"|despite|instead|when(?:ever)?|once|which|who|whom|whose)\b|[;:\"“”]|\s[-–—]\s|,\s*so\b|^[^,]*,\s*(?:and|or)\b",
    re.IGNORECASE,
)
"""More than one claim, or one under a condition: its opposite is not one sentence."""

_JOINED = re.compile(r"\b(?:and|or)\b", re.IGNORECASE)
_REASON = re.compile(r",?\s+(?:because|since)\s.*$", re.IGNORECASE | re.DOTALL)
_HEDGE = re.compile(
    r",?\s+(?:but|although|though)\s+I(?:'m|\s+am)\s+(?:\w+\s+)?not\s+(?:\w+\s+)?(?:sure|certain)\b.*$",
    re.IGNORECASE | re.DOTALL,
)
"""Doubt goes with either view."""

_TAG = re.compile(
    r",?\s*(?:right|correct|no|yes|yeah|ok(?:ay)?|eh|huh|isn't it|aren't they"
    r"|don't you (?:think|agree)|wouldn't you (?:say|agree)|do you agree|you know)\?$",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"(?:(?:well|so|and|but|hm+|ok(?:ay)?|honestly|personally|frankly|actually|clearly|obviously"
    r"|to be honest|to be fair|for my part"
    r"|as (?P<as>an? [a-z-]+(?: (?!i\b)[a-z-]+){0,5}?)(?=,|\s+I\b))\b,?\s+)+",
    re.IGNORECASE,
)
_ADVERB = (
    r"(?:(?:really|honestly|strongly|firmly|truly|still|personally|just|also|do|always|genuinely"
    r"|sincerely|definitely|actually|kind of|sort of)\s+)*"
)
_SURE = r"(?:pretty|quite|fairly|absolutely|very|completely|totally|so|100%)\s+"
_RAISED = re.compile(
    rf"I\s+{_ADVERB}(?P<verb>think|believe|feel|reckon|suppose|imagine)\s+(?P<that>that\s+)?"
    r"(?=[\w'])(?!about\b|of\b|so\b|like\b)",
    re.IGNORECASE,
)
"""Verbs whose "not" is heard in what follows: not to think that it is so is to think it is not."""

_DENIED = re.compile(
    rf"I\s+{_ADVERB}(?:don't|do not)\s+{_ADVERB}(?P<verb>think|believe|feel|reckon|suppose|imagine"
    r"|agree|like|trust|support|enjoy)\s+(?=[\w'])",
    re.IGNORECASE,
)
_SAID = re.compile(
    r"I(?:'d|\s+would)\s+(?P<verb>say|argue)\s+(?P<that>that\s+)?(?=[\w'])(?!so\b|about\b)",
    re.IGNORECASE,
)
_HELD = re.compile(
    rf"(?P<frame>I(?:'m|\s+am)\s+(?:{_SURE})?(?:sure|certain|convinced|confident|positive)"
    rf"|I\s+{_ADVERB}(?:suspect|assume|know|guess|bet)"
    r"|I(?:'d|\s+would)\s+(?:guess|bet)"
    r"|my\s+(?:own\s+|personal\s+)?(?:view|opinion|guess|hunch|belief|conviction|feeling|impression)"
    r"\s+is|it\s+seems\s+to\s+me)\s+(?P<that>that\s+)?(?=[\w'])"
    r"(?!to\b|about\b|of\b|how\b|what\b|where\b|when\b|why\b)",
    re.IGNORECASE,
)
_IN_MY_VIEW = re.compile(
    r"(?P<frame>in\s+my\s+(?:\w+\s+)?(?:view|opinion|experience|judgement|judgment|book)|imh?o"
    r"|to\s+my\s+mind|if\s+you\s+ask\s+me|as\s+i\s+see\s+it|surely"
    r"|from\s+my\s+(?:point\s+of\s+view|viewpoint|perspective|standpoint))"
    r"\s*,?\s+",
    re.IGNORECASE,
)
_LIKED = re.compile(
    rf"I\s+{_ADVERB}(?P<verb>{'|'.join(_LIKING)})(?P<gap>\s+|(?=[.!]))(?P<rest>(?!to\s+(?:think|say|believe|admit)\b)\S.*)",
    re.IGNORECASE | re.DOTALL,
)
_PREFERRED = re.compile(
    rf"I\s+{_ADVERB}prefer\s+(?P<one>[^,]+?)\s+(?P<joint>to|over)\s+(?P<other>[^,]+?)(?P<end>[.!]*)",
    re.IGNORECASE,
)
_SIDED = re.compile(
    rf"I(?:'m|\s+am)\s+{_ADVERB}(?:{_SURE})?(?P<side>in\s+favou?r\s+of|against|all\s+for|opposed\s+to"
    r"|for(?=\s+(?:the|an?|more|less|\w+ing)\b))"
    r"\s+(?P<rest>\S.*)",
    re.IGNORECASE | re.DOTALL,
)
_BELONGING = re.compile(
    rf"I(?:'m|\s+am)\s+{_ADVERB}(?P<of>an?\s+)?(?P<how>(?:{_SURE}|(?:lifelong|staunch|proud|firm|"
    r"committed|strong|big|huge|devout)\s+)*)(?P<camp>[a-z-]+)(?P<rest>[.!]*|\s+(?:of|and)\s+.*)",
    re.IGNORECASE | re.DOTALL,
)
_CAMP_NAMED = re.compile(
    rf"\bI(?:['’]m|\s+am)\s+(?:[\w%]+\s+){{0,4}}(?:{'|'.join(_CAMP)})\b", re.IGNORECASE
)
_FINITE = r"is|are|was|were|should|can|could|will|would|must|has|have|had|does|do|did|might|may"
_NOT = re.compile(
    rf"(?:\b(?P<can>cannot|can't)|\b(?P<will>won't)"
    rf"|(?P<verb>\b(?:{_FINITE})|(?<=\w)'(?:s|re))(?:n't|\s+not))\b\s?",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(
    r"\b(?:not|never|no|none|nobody|nothing|neither|hardly|without|cannot)\b|n't\b", re.IGNORECASE
)
_VERB = re.compile(rf"\b(?:{_FINITE})\b|'s\b|'re\b", re.IGNORECASE)
_PREDICATE = re.compile(
    r"(?P<head>.*\b(?:is|are|was|were|'s|'re)\s+"
    r"(?:(?:really|very|quite|clearly|simply|just|totally|absolutely|definitely|far|much|always"
    r"|completely|so|the|an?)\s+)*)"
    r"(?P<word>[a-z-]+)(?P<tail>(?:\s+(?:than|for|in|at|to|of)\s+[^,]*?)?[.!]*)",
    re.IGNORECASE | re.DOTALL,
)
_ENGLISH = re.compile(
    r"\b(?:the|an?|it|this|that|these|those|they|he|she|we|you|your|my|our|their|there|than|to"
    r"|should|people|everyone|with|and)\b",
    re.IGNORECASE,
)
_NO_CLAIM = re.compile(
    r"(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|do|does|did|can|could|will"
    r"|would|should|please|tell|give|write|explain|let|i|i'm|i've|i'd|i'll)\b",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"(?:(?:the|an?|this|these|those|my|your|our|their|all|most|many|every)\s+\S+.*?\s"
    r"|(?:everyone|everybody|people|it|that|they|he|she|we|you|there)\b\s*"
    r"|[\w-]+\s+(?:(?:on|of|in|for|with|from)\s+(?:the\s+|an?\s+)?[\w-]+\s+)?)"
    rf"(?:(?:{_FINITE})\b|'s\b|'re\b)",
    re.IGNORECASE,
)
"""What a claim begins with, up to its verb; requests begin otherwise."""

_LOWERED = re.compile(
    r"(?:the|an?|it|this|that|these|those|they|he|she|we|you|your|my|our|their|his|her|its|there"
    r"|all|most|many|every|everyone|everybody|some|people|in|on|at)(?:'\w+)?",
    re.IGNORECASE,
)
"""First words that are no names, in the middle of a sentence."""


def names_camp(sentence: str) -> bool:
    """Whether a sentence says to which side its speaker belongs, as "I am a liberal" does."""
    match = _BELONGING.fullmatch(sentence.strip().replace("’", "'"))
    return match is not None and match["camp"].lower() in _CAMP


def may_name_camp(text: str) -> bool:
    """Whether a sentence of a text may do so; quick."""
    return _CAMP_NAMED.search(text) is not None


def reversed_view(sentence: str) -> str | None:
    """The sentence with the opposite view; None where no rule surely makes one."""
    said = _TAG.sub(".", sentence.strip().replace("’", "'"))
    if len(said) > MOST_CHARS or "?" in said or not said:
        return None
    lead = _LEAD.match(said)
    begun, rest = (said[: lead.end()], said[lead.end() :]) if lead else ("", said)
    hedge = _HEDGE.search(rest)
    unhedged = rest[: hedge.start()] if hedge else rest
    stem = _REASON.sub("", unhedged)
    stem = stem if stem == unhedged or hedge else stem + "."
    if _MORE_THAN_ONE.search(stem) or (_JOINED.search(stem) and len(_VERB.findall(stem)) > 1):
        return None
    found = _turned(stem)
    if found is None:
        return None
    return _with_lead(begun, lead.group("as") if lead else None, found) + (hedge or [""])[0]


def _turned(said: str) -> str | None:
    for rule in (
        _preference,
        _denial,
        _liking,
        _siding,
        _belonging,
        _thought,
        _said,
        _held,
        _opinion,
    ):
        found = rule(said)
        if found is not None:
            return found
    return _bare(said)


def _preference(said: str) -> str | None:
    match = _PREFERRED.fullmatch(said)
    if match is None:
        return None
    one, other = match["one"], match["other"]
    return said[: match.start("one")] + f"{other} {match['joint']} {one}{match['end']}"


def _denial(said: str) -> str | None:
    match = _DENIED.match(said)
    return None if match is None else f"I {match['verb'].lower()} {said[match.end() :]}"


def _liking(said: str) -> str | None:
    match = _LIKED.fullmatch(said)
    if match is None or _NEGATIVE.search(match["rest"]):
        return None
    verb = match["verb"].lower()
    if verb in ("agree", "disagree") and not re.match(r"(?:with|that)\b|[.!]", match["rest"]):
        return None
    turned = _LIKING[verb]
    if verb == "agree" and match["rest"].startswith("that"):
        turned = "do not agree"
    if verb == "disagree" and match["rest"].startswith("that"):
        turned = "agree"
    return said[: match.start("verb")] + f"{turned}{match['gap']}{match['rest']}"


def _siding(said: str) -> str | None:
    match = _SIDED.fullmatch(said)
    if match is None:
        return None
    side = match["side"].lower()
    turned = "in favour of" if side in ("against", "opposed to") else "against"
    return said[: match.start("side")] + f"{turned} {match['rest']}"


def _belonging(said: str) -> str | None:
    match = _BELONGING.fullmatch(said)
    camp = _CAMP.get(match["camp"].lower()) if match else None
    if match is None or camp is None or " and " in match["rest"]:
        return None
    return said[: match.start("camp")].replace(match["of"] or "\0", _article(match, camp)) + (
        camp + match["rest"]
    )


def _article(match: re.Match[str], camp: str) -> str:
    following = match["how"] or camp
    return "an " if following[0].lower() in "aeiou" else "a "


def _thought(said: str) -> str | None:
    match = _RAISED.match(said)
    if match is None:
        return None
    claim = said[match.end() :]
    turned = _claim(claim)
    if turned is not None:
        return said[: match.end()] + turned
    if _NEGATIVE.search(claim):
        return None
    return f"I do not {match['verb'].lower()} {match['that'] or ''}{claim}"


def _said(said: str) -> str | None:
    match = _SAID.match(said)
    if match is None:
        return None
    turned = _claim(said[match.end() :])
    if turned is not None:
        return said[: match.end()] + turned
    if _NEGATIVE.search(said[match.end() :]):
        return None
    return f"I would not {match['verb'].lower()} {match['that'] or ''}{said[match.end() :]}"


def _held(said: str) -> str | None:
    match = _HELD.match(said)
    if match is None or not (match["that"] or _VERB.search(said[match.end() :])):
        return None
    turned = _claim(said[match.end() :])
    return f"{match['frame']} that {turned or _untrue(said[match.end() :])}"


def _opinion(said: str) -> str | None:
    match = _IN_MY_VIEW.match(said)
    if match is None or not _VERB.search(said[match.end() :]):
        return None
    claim = said[match.end() :]
    return f"{match['frame']}, {_claim(claim) or _untrue(claim)}"


def _bare(said: str) -> str | None:
    """A claim without "I think": a whole sentence of which the verb is sure."""
    if _NO_CLAIM.match(said) or not _SUBJECT.match(said):
        return None
    turned = _claim(said)
    if turned is not None:
        return turned
    if _NEGATIVE.search(said) or not _ENGLISH.search(said):
        return None
    untrue = _untrue(said)
    return untrue[0].upper() + untrue[1:]


def _claim(claim: str) -> str | None:
    """A claim of one verb with its predicate turned round or its "not" taken out."""
    negatives = _NEGATIVE.findall(claim)
    if len(negatives) == 1 and len(_NOT.findall(claim)) == 1:
        return _NOT.sub(_affirmed, claim)
    if negatives or len(_VERB.findall(claim)) != 1:
        return None
    match = _PREDICATE.fullmatch(claim)
    word = _OPPOSITE.get(match["word"].lower()) if match else None
    return None if match is None or word is None else f"{match['head']}{word}{match['tail']}"


def _affirmed(match: re.Match[str]) -> str:
    if match["can"]:
        return "can "
    return "will " if match["will"] else f"{match['verb']} "


def _untrue(claim: str) -> str:
    first, _, rest = claim.partition(" ")
    lowered = first.lower() if _LOWERED.fullmatch(first) else first
    return f"it is not true that {lowered} {rest}"


def _with_lead(begun: str, speaker: str | None, found: str) -> str:
    """What stood before the view; who speaks has changed camps with it."""
    if speaker is not None:
        article, _, who = speaker.partition(" ")
        camp = _CAMP.get(who.lower())
        if camp is not None:
            article = "an" if camp[0] in "aeiou" else "a"
            begun = begun.replace(speaker, f"{article} {camp}")
    return begun + found
