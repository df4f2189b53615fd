"""Telephone numbers in a text.

`phonenumbers`, the port of libphonenumber, says what is a number. Its own search of a text takes
milliseconds for each kilobyte, so candidates are found here and only these are given to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import phonenumbers

from service.privacy.found import Found
from service.privacy.numbers import digits_of

_NUMBER = re.compile(r"\d(?:[ \u00a0().\u2010-\u2013/-]{0,3}\d){6,16}(?!\w|[.,]\d)")
_OPENING = re.compile(r"(?:\+ ?\(?|\()$")
_NOT_BEFORE = frozenset(".,/+*<^$€£#-_")
_NANP = re.compile(r"(?:1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[-.])[2-9]\d\d[-.]\d{4}")
_DATE = re.compile(
    r"\b\d{4}[-/\u2010-\u2013]\d{4}$|\b(?:19|20)\d\d([-/.])\d\d?\1\d\d?|\d\d?([-/.])\d\d?\2(?:19|20)\d\d\b"
)
_CUE = re.compile(
    r"(?P<phone>\b(?:phones?|tele?(?:fon\w*|phone|f)?|t[ée]l|call\w*|ring|dial|mobile|cell|handy"
    r"|m[óo]vil|fax|sms|whatsapp|signal|hotline|landline|reach(?:able)?|rufen?|anruf\w*|appel\w*"
    r"|num[ée]ro)\b)"
    r"|\b(?:orders?|invoice|ticket|case|ref\w*|tracking|parcel|isbn|issn|serial|account|version"
    r"|build|id|part|sku|pages?|pp|doi|rfc|commit|code|pin|vat|tax|bestell\w*|rechnung\w*)\b",
    re.IGNORECASE,
)
_BEFORE_CHARS = 48


class Phones:
    """Finds telephone numbers: with a country code, in a known region, or where one is spoken of.

    `regions` are those of numbers without a country code, such as `US` or `DE`.
    """

    def __init__(self, regions: tuple[str, ...] = ()) -> None:
        self._regions = regions

    def __call__(self, text: str) -> Iterator[Found]:
        """Every number found."""
        for match in _NUMBER.finditer(text):
            digits = digits_of(match[0])
            if 7 <= len(digits) <= 16:
                start = match.start()
                opening = _OPENING.search(text, max(0, start - 3), start)
                start = opening.start() if opening else start
                is_inside = start and (text[start - 1].isalnum() or text[start - 1] in _NOT_BEFORE)
                if not is_inside and self._is_phone(text, match.end(), start, digits):
                    yield Found(start, match.end(), "PHONE", digits)

    def _is_phone(self, text: str, stop: int, start: int, digits: str) -> bool:
        written = text[start:stop]
        if written.startswith("+"):
            return _is_possible("+" + digits)
        if _DATE.search(written) or written.count("(") != written.count(")"):
            return False
        is_spoken_of = _cue(text, start)
        if is_spoken_of is False:
            return False
        if is_spoken_of or _NANP.fullmatch(written):
            return True
        if written.startswith("00") and _is_valid("+" + digits[2:], None):
            return True
        return any(_is_valid(written, region) for region in self._regions)


def _cue(text: str, at: int) -> bool | None:
    """Whether the nearest telling word before a number speaks of telephones; None without one."""
    cues = list(_CUE.finditer(text, max(0, at - _BEFORE_CHARS), at))
    return bool(cues[-1]["phone"]) if cues else None


def _is_possible(written: str) -> bool:
    try:
        number = phonenumbers.parse(written, None)
    except phonenumbers.NumberParseException:
        return False
    reason = phonenumbers.is_possible_number_with_reason(number)
    return bool(reason == phonenumbers.ValidationResult.IS_POSSIBLE)


def _is_valid(written: str, region: str | None) -> bool:
    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(written, region)))
    except phonenumbers.NumberParseException:
        return False
