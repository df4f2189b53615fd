"""Mail addresses and IP addresses in a text."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from service.privacy.found import Found

_EMAIL = re.compile(
    r"(?<![\w.+%'-])[\w.+%'-]{1,64}@(?:[\w-]{1,63}\.){1,8}(?:xn--[a-z0-9-]{1,59}|[^\W\d_]{2,24})(?![^\W_])"
)
_SPELT = re.compile(
    r"(?<![\w.+%-])[\w.+%-]{1,64} ?[\[({] ?at ?[\])}] ?"
    r"(?:[\w-]{1,63} ?(?:\.|[\[({] ?dot ?[\])}]) ?){1,4}"
    r"[^\W\d_]{2,24}(?![\w-])",
    re.IGNORECASE,
)
_SPELT_MARKS = ("at]", "at)", "at}", "at ]", "at )")
_V4 = re.compile(r"\d\d{0,2}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\w-]|\.\d)", re.ASCII)
_V6_HINT = re.compile(r":[0-9A-Fa-f]{0,4}:")
_V6 = re.compile(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{0,4})"
    r"(?:%\w{1,15})?(?![\w:])",
    re.ASCII,
)
_NUMBERED = re.compile(
    r"(?:version|ver|v|release|build|firmware|section|sec|chapter|clause|article|figure|fig|table"
    r"|step|item|oid|§)[.:#\"']*[ =:]{0,3}$",
    re.IGNORECASE,
)
_BEFORE_CHARS = 16
_V6_RANGES = tuple(map(ipaddress.IPv6Network, ("2000::/3", "fc00::/7", "fe80::/10", "ff00::/8")))


def emails(text: str) -> Iterator[Found]:
    """Mail addresses, also spelt as `name [at] host [dot] com`; not the `git@host:` of a clone."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            if not (match[0].startswith("git@") and text[match.end() : match.end() + 1] == ":"):
                start = match.start() + len(match[0]) - len(match[0].lstrip(".'-"))
                yield Found(start, match.end(), "EMAIL", text[start : match.end()].lower())
    lowered = text.lower()
    if any(mark in lowered for mark in _SPELT_MARKS):
        for match in _SPELT.finditer(text):
            yield Found(match.start(), match.end(), "EMAIL", match[0].lower())


def ips(text: str) -> Iterator[Found]:
    """IP addresses that may be somebody's: not loopback, not a mask, not a numbered heading."""
    if "." in text:
        yield from filter(None, (_v4(text, match) for match in _V4.finditer(text)))
    if _V6_HINT.search(text):
        yield from filter(None, (_v6(match) for match in _V6.finditer(text)))


def _v4(text: str, match: re.Match[str]) -> Found | None:
    start = match.start()
    if start and (text[start - 1].isalnum() or text[start - 1] in "_.-"):
        return None
    if _NUMBERED.search(text, max(0, start - _BEFORE_CHARS), start):
        return None
    try:
        address = ipaddress.IPv4Address(match[0])
    except ValueError:
        return None
    if address.is_loopback or address.is_unspecified or match[0].startswith("255."):
        return None
    return Found(match.start(), match.end(), "IP", str(address))


def _v6(match: re.Match[str]) -> Found | None:
    try:
        address = ipaddress.IPv6Address(match[0])
    except ValueError:
        return None
    plain = ipaddress.IPv6Address(int(address))
    is_mapped = plain.ipv4_mapped is not None
    if not is_mapped and not any(plain in network for network in _V6_RANGES):
        return None
    return Found(match.start(), match.end(), "IP", str(plain))
