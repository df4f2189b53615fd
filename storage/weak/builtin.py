"""The labelling functions that come with Fairlead: rules of thumb, each about one thing.

Words are looked for in English only.
"""

from __future__ import annotations

import re

from storage.exports.similarity import jaccard, shingles
from storage.weak.base import Moment, Named, Vote

CLEAR_RISK = 0.95
LOW_RISK = 0.2
AT_ONCE_S = 60.0
SOON_S = 1800.0
SAME_QUESTION = 0.6
UNSURE_TOKENS = 0.3

_THANKS = re.compile(
    r"\s*(?:(?:ok(?:ay)?|great|perfect|awesome|wonderful|nice|cool|yes|ah)[,.! ]+)*"
    r"(?:(?:many )?thanks|thank you|thx|ty\b|perfect\b|that (?:works|helps|helped)|great answer)",
    re.IGNORECASE,
)
_WRONG = re.compile(
    r"\s*(?:no[,.! ]+)?(?:that(?:['’]s| is| was)? (?:wrong|not (?:right|correct|true|what i)|"
    r"incorrect|false|nonsense)|that did(?:n['’]t| not) (?:work|help)|wrong[.!, ]|incorrect\b|"
    r"you(?:['’]re| are) (?:wrong|mistaken)|not what i (?:asked|meant)|still (?:wrong|broken))",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\s*(?:i['’]?m (?:really |very )?sorry,? (?:but )?|sorry,? (?:but )?|unfortunately,? )?"
    r"(?:i (?:can['’]?t|cannot|can not|won['’]?t|will not|am unable to|am not able to)|"
    r"i['’]?m (?:unable|not able) to) (?:\w+ ){0,2}"
    r"(?:help|assist|answer|provide|do that|comply|discuss|share|create|generate|fulfil+)",
    re.IGNORECASE,
)


def clear_risk(moment: Moment) -> Vote | None:
    """Down where a scorer would veto the reply, or puts its risk at 0.95 or more."""
    for score in moment.exchange.scores:
        is_mine = score.side == "reply" and score.choice_index == moment.choice
        if is_mine and (score.verdict == "veto" or (score.risk or 0.0) >= CLEAR_RISK):
            return "down"
    return None


def told_wrong(moment: Moment) -> Vote | None:
    """Down where the user's next turn begins by saying that the reply is wrong."""
    return "down" if moment.next_turn is not None and _WRONG.match(moment.next_turn) else None


def thanked(moment: Moment) -> Vote | None:
    """Up where the user's next turn begins with thanks and does not call the reply wrong."""
    said = moment.next_turn
    return "up" if said is not None and _THANKS.match(said) and not _WRONG.search(said) else None


def asked_again(moment: Moment) -> Vote | None:
    """Down where the same user sent the very same again within a minute."""
    again_s = moment.asked_again_s
    return "down" if again_s is not None and again_s <= AT_ONCE_S else None


def repeated_question(moment: Moment) -> Vote | None:
    """Down where the user's next turn, within half an hour, is nearly the same question."""
    if moment.next_turn is None or (moment.next_after_s or 0.0) > SOON_S:
        return None
    alike = jaccard(shingles(moment.prompt), shingles(moment.next_turn))
    return "down" if alike >= SAME_QUESTION else None


def moved_on(moment: Moment) -> Vote | None:
    """Up where the user's next turn, within half an hour, is about something else."""
    said = moment.next_turn
    if said is None or (moment.next_after_s or 0.0) > SOON_S or _WRONG.match(said):
        return None
    alike = jaccard(shingles(moment.prompt), shingles(said))
    return "up" if "?" in said and alike < SAME_QUESTION / 2 else None


def refused_benign(moment: Moment) -> Vote | None:
    """Down where the reply opens with a refusal though no scorer sees a risk in the prompt."""
    if not _REFUSAL.match(moment.reply):
        return None
    risks = [s.risk for s in moment.exchange.scores if s.side == "prompt" and s.risk is not None]
    return "down" if risks and max(risks) <= LOW_RISK else None


def unsure_tokens(moment: Moment) -> Vote | None:
    """Down where the geometric mean of the reply's token probabilities is under 0.3."""
    tokens = moment.risk("confidence", head="tokens")
    return "down" if tokens is not None and tokens < UNSURE_TOKENS else None


BUILTIN = tuple(
    Named(function.__name__, function)
    for function in (
        clear_risk,
        told_wrong,
        thanked,
        asked_again,
        repeated_question,
        moved_on,
        refused_benign,
        unsure_tokens,
    )
)
