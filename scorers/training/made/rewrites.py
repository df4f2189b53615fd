"""Rewrites of a sentence that keep its meaning: pure, given a random source.

Each takes a sentence and returns it changed, or None where it does not apply. What they return
is implied by what they took, though it may say less.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from scorers.training.made.pools import MONTHS, number_word

Rewrite = Callable[[str, random.Random], str | None]

_MONTH = "|".join(MONTHS)
_WORD_OF = {str(at): number_word(at) for at in range(2, 13)}
_DIGITS_OF = {word: digits for digits, word in _WORD_OF.items()}
_SMALL = re.compile(
    r"(?<![\w.,:$£€#/-])(?:" + "|".join(list(_WORD_OF)[::-1]) + r")(?= [a-z]{3,})(?! (?:am|pm)\b)"
)
_SMALL_WORD = re.compile(r"(?<=[a-z,] )(?:" + "|".join(_DIGITS_OF) + r")(?= [a-z]{3,})")
_US_DATE = re.compile(rf"\b({_MONTH}) (\d{{1,2}}), (\d{{4}})\b")
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}}) ({_MONTH}) (\d{{4}})\b")
_PERCENT = re.compile(r"(?<=\d)%")
_PERCENT_WORD = re.compile(r"(?<=\d) (?:percent|per cent)\b")
_THOUSANDS = re.compile(r"(?<![\d,.])\d{2,3},\d{3}(?![\d,])")
_MILLION = re.compile(r"(?<![\d,.])(\d{1,3})(?:\.(\d))? million\b")
_PARENTHESIS = re.compile(r" \([^()]{3,80}\)")
_RELATIVE = re.compile(r", (?:which|who|where) [^,;:.\"]{8,90},(?= [a-z])")
_LAST_RELATIVE = re.compile(r", (?:which|where) [^,;:\"]{8,120}(?=\.$)")
_LEADING = re.compile(
    r"^(?:In|On|At|During|After|Before|Since) [^,\"]{3,45}, (?=[A-Z]|the |he |she |it |they )"
)
_FILLER = re.compile(
    r"(?:, however,|, though,|, of course,|, indeed,| also| really| actually| very| just| simply)"
    r"(?= [a-z])"
)
_OPENER = re.compile(
    r"^(?:However|Moreover|Meanwhile|Indeed|Also|So|But|And|In fact|For example), ?"
)
_CLAUSE = re.compile(r"(?:, (?:and|but|while|although|though)|;) (?=[a-z][^,;]{15,}\.$)")
_FINITE = re.compile(r"\b(?:is|was|are|were|has|had|have|will|can|said|says|did|does|\w{3,}ed)\b")
_PASSIVE = re.compile(
    r"^([A-Z][^,;:\"]{3,70}?) (?:was|were) (written|directed|produced|founded|built|designed|won|"
    r"discovered|created|developed|published|released|led|painted|invented|recorded|bought|made|"
    r"arrested|attacked|criticised|criticized|praised|approved|rejected|announced) by "
    r"((?:the )?[A-Z][\w'-]*(?: [A-Z][\w'-]*){0,3})(?= (?:in|on|at|after|during)\b|\.$)"
)
_PAST = {"written": "wrote", "led": "led", "built": "built", "won": "won", "bought": "bought",
    "made": "made"}  # fmt: skip
_SYNONYMS = (
    ("began", "started"), ("begin", "start"), ("purchased", "bought"), ("approximately", "about"),
    ("children", "kids"), ("large", "big"), ("assist", "help"), ("numerous", "many"),
    ("obtain", "get"), ("more than", "over"), ("in order to", "to"), ("because he", "since he"),
    ("because it", "since it"), ("because they", "since they"), ("although", "though"),
    ("died", "passed away"), ("film", "movie"), ("movie", "film"), ("car", "automobile"),
    ("doctor", "physician"), ("required", "needed"), ("needs", "requires"), ("company", "firm"),
    ("firm", "company"), ("said", "stated"), ("told", "informed"), ("shows", "demonstrates"),
    ("received", "got"), ("often", "frequently"), ("usually", "normally"), ("nearly", "almost"),
    ("almost", "nearly"), ("major", "important"), ("important", "significant"),
    ("whole", "entire"), ("quick", "fast"), ("located", "situated"), ("located", "found"),
    ("featured", "included"), ("includes", "contains"), ("several", "a number of"),
    ("famous", "well-known"), ("well known", "famous"), ("ended", "finished"),
    ("ends", "finishes"), ("happened", "took place"), ("allowed", "permitted"),
    ("allows", "permits"), ("attempted", "tried"), ("currently", "at present"),
    ("annual", "yearly"), ("formed", "established"), ("founded", "established"),
    ("established", "set up"), ("known as", "called"), ("injured", "hurt"), ("wife", "spouse"),
    ("husband", "spouse"), ("pupils", "schoolchildren"), ("earlier", "previously"),
    ("previously", "earlier"), ("prior to", "before"), ("main", "principal"), ("primary", "main"),
    ("create", "produce"), ("difficult", "hard"), ("difficult", "challenging"),
    ("choose", "pick"), ("amount", "quantity"), ("region", "area"), ("additional", "extra"),
    ("extra", "additional"), ("entire", "whole"), ("enough", "sufficient"),
    ("different", "distinct"), ("various", "different"), ("job", "position"),
    ("kind of", "type of"), ("type of", "kind of"), ("stop", "halt"), ("stopped", "halted"),
    ("built", "constructed"), ("method", "technique"), ("results", "findings"),
    ("study", "investigation"), ("propose", "put forward"),
)  # fmt: skip
_ATTRIBUTED = 0.2
_SOURCES = ("passage", "text", "article", "document", "source", "context")
_PREFIXES = (
    "According to the {d}, {s}", "The {d} says that {s}", "The {d} states that {s}",
    "It is stated that {s}", "As the {d} puts it, {s}", "We read that {s}",
    "The {d} suggests that {s}", "The {d} indicates that {s}", "Based on the {d}, {s}",
    "From the {d} it appears that {s}", "It is mentioned that {s}", "The {d} notes that {s}",
)  # fmt: skip
_LOWERED = re.compile(
    r"^(?:The|This|That|These|Those|It|He|She|They|We|In|On|At|A|An|There|His|Her|Its|Their|Some|"
    r"Many|Most|Though|Although|Like|Because|Since|Everything|One|Two|Several|Until|With|By|From|"
    r"To|What|Such|Only|Another|All|After|Before|During|When|While|If|As|For|No|Each|Both)\b"
)


def lowered(sentence: str) -> str:
    """The sentence as the continuation of another: a lower first letter where it is no name."""
    return sentence[0].lower() + sentence[1:] if _LOWERED.match(sentence) else sentence


def raised(sentence: str) -> str:
    """The sentence with a capital first letter."""
    return sentence[:1].upper() + sentence[1:]


def digits_to_words(sentence: str, rng: random.Random) -> str | None:
    """Writes "4 boats" as "four boats", or the reverse."""
    pattern, table = rng.choice(((_SMALL, _WORD_OF), (_SMALL_WORD, _DIGITS_OF)))
    found = pattern.search(sentence)
    if found is None:
        return None
    return sentence[: found.start()] + table[found.group()] + sentence[found.end() :]


def figures(sentence: str, rng: random.Random) -> str | None:
    """Percent signs, thousands and millions in their other spelling."""
    options = (
        _PERCENT.sub(rng.choice((" percent", " per cent")), sentence),
        _PERCENT_WORD.sub("%", sentence),
        _THOUSANDS.sub(lambda m: m.group().replace(",", ""), sentence),
        _MILLION.sub(lambda m: f"{m[1]},{m[2] or 0}00,000", sentence),
    )
    changed = [option for option in options if option != sentence]
    return rng.choice(changed) if changed else None


def dates(sentence: str, _rng: random.Random) -> str | None:
    """Writes "March 5, 2012" as "5 March 2012", or the reverse."""
    changed = _US_DATE.sub(r"\2 \1 \3", sentence)
    changed = _DAY_FIRST.sub(r"\2 \1, \3", sentence) if changed == sentence else changed
    return None if changed == sentence else changed


def synonyms(sentence: str, rng: random.Random) -> str | None:
    """One or two words replaced by words of the same meaning."""
    for old, new in rng.sample(_SYNONYMS, len(_SYNONYMS)):
        if re.search(rf"(?<=[a-z,] ){old}\b(?!-)", sentence):
            return re.sub(rf"(?<=[a-z,] ){old}\b(?!-)", new, sentence, count=1)
    return None


def shortened(sentence: str, rng: random.Random) -> str | None:
    """A remark, a relative clause, a filler, an opening or a second clause left out."""
    for pattern in rng.sample(_CUTS, len(_CUTS)):
        changed = raised(pattern.sub("", sentence, count=1))
        if changed not in (sentence, raised(sentence)) and len(changed) >= 35:
            return changed
    return None


_CUTS = [_PARENTHESIS, _RELATIVE, _LAST_RELATIVE, _LEADING, _FILLER, _OPENER]


def first_clause(sentence: str, _rng: random.Random) -> str | None:
    """The first of two clauses, where it can stand alone."""
    found = _CLAUSE.search(sentence)
    if found is None or found.start() < 35 or not _FINITE.search(sentence[: found.start()]):
        return None
    head = sentence[: found.start()]
    if "," in head or head.count('"') % 2 or re.match(r"(?:If|When|Although|While|Unless)\b", head):
        return None
    return head + "."


def active(sentence: str, _rng: random.Random) -> str | None:
    """Turns "The film was directed by Ann Lee in 1999" into "Ann Lee directed the film in 1999"."""
    found = _PASSIVE.match(sentence)
    if found is None or re.search(r"\b(?:who|which|that|not|and|but)\b", found[1]):
        return None
    verb = _PAST.get(found[2], found[2])
    return f"{raised(found[3])} {verb} {lowered(found[1])}{sentence[found.end() :]}"


def attributed(sentence: str, rng: random.Random) -> str | None:
    """The sentence as something that the source says."""
    if sentence.startswith(('"', "'", "“", "According", "It is")) or "?" in sentence:
        return None
    return (
        rng.choice(_PREFIXES).replace("{d}", rng.choice(_SOURCES)).replace("{s}", lowered(sentence))
    )


REWRITES: tuple[Rewrite, ...] = (
    digits_to_words, figures, dates, active, synonyms, synonyms, synonyms, shortened,
    shortened, first_clause,
)  # fmt: skip


def rewritten(sentence: str, rng: random.Random, *, least: int = 0, most: int = 3) -> str:
    """The sentence after `least` to `most` rewrites, fewer where they do not apply."""
    wanted = rng.randint(least, most)
    for rewrite in rng.sample(REWRITES, len(REWRITES)):
        if not wanted:
            break
        changed = rewrite(sentence, rng)
        if changed is not None:
            sentence, wanted = changed, wanted - 1
    told = attributed(sentence, rng) if rng.random() < _ATTRIBUTED else None
    return told or sentence
