"""Keys and tokens in a text: by the shapes that their makers gave them, and by their setting.

Only patterns whose literal beginning is in the text are run: a search for a literal costs a tenth
of a microsecond per kilobyte, a regular expression a hundred times that.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from service.privacy.found import Found

_SHAPES: tuple[tuple[str, str], ...] = (
    ("sk-", r"sk-(?=[\w-]*\d)(?=[\w-]*[A-Za-z]{2})[\w-]{20,}"),  # OpenAI, Anthropic, OpenRouter
    ("_live_", r"(?:sk|rk|pk)_live_[A-Za-z0-9]{10,}"),  # Stripe
    ("_test_", r"(?:sk|rk|pk)_test_[A-Za-z0-9]{10,}"),
    ("whsec_", r"whsec_[A-Za-z0-9+/=]{16,}"),  # Standard Webhooks
    ("flk_", r"flk_[\w-]{20,}"),  # Fairlead's own
    ("AKIA", r"AKIA[A-Z0-9]{16}"),  # AWS
    ("ASIA", r"ASIA[A-Z0-9]{16}"),
    ("AIza", r"AIza[\w-]{35}"),  # Google
    ("ya29.", r"ya29\.[\w-]{20,}"),
    ("GOCSPX-", r"GOCSPX-[\w-]{20,}"),
    ("ghp_", r"ghp_[A-Za-z0-9]{36,}"),  # GitHub
    ("gho_", r"gho_[A-Za-z0-9]{36,}"),
    ("ghu_", r"ghu_[A-Za-z0-9]{36,}"),
    ("ghs_", r"ghs_[A-Za-z0-9]{36,}"),
    ("ghr_", r"ghr_[A-Za-z0-9]{36,}"),
    ("github_pat_", r"github_pat_\w{22,}"),
    ("glpat-", r"glpat-[\w-]{20,}"),  # GitLab
    ("xox", r"xox[abeoprs]-[\w-]{10,}"),  # Slack
    ("xapp-", r"xapp-[\w-]{20,}"),
    ("hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows)/[\w/]{20,}"),
    ("hf_", r"hf_[A-Za-z0-9]{30,}"),  # Hugging Face
    ("r8_", r"r8_[A-Za-z0-9]{30,}"),  # Replicate
    ("gsk_", r"gsk_[A-Za-z0-9]{40,}"),  # Groq
    ("xai-", r"xai-[A-Za-z0-9]{40,}"),
    ("pplx-", r"pplx-[A-Za-z0-9]{40,}"),  # Perplexity
    ("npm_", r"npm_[A-Za-z0-9]{36}"),
    ("pypi-", r"pypi-[\w-]{50,}"),
    ("SG.", r"SG\.[\w-]{16,}\.[\w-]{16,}"),  # SendGrid
    ("SK", r"SK[0-9a-f]{32}"),  # Twilio
    (":AA", r"\d{8,10}:AA[\w-]{32,}"),  # Telegram
    ("_v1_", r"do[opr]_v1_[0-9a-f]{64}"),  # DigitalOcean
    ("shp", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),  # Shopify
    ("dapi", r"dapi[0-9a-f]{32}"),  # Databricks
    ("lin_api_", r"lin_api_[A-Za-z0-9]{30,}"),  # Linear
    ("ntn_", r"ntn_[A-Za-z0-9]{40,}"),  # Notion
    ("AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    ("eyJ", r"eyJ[\w-]{10,}(?:\.[\w-]+){1,4}\.?"),  # JSON web tokens
)
# A run of letters is tried once, from its start: else many beginnings in it would take for ever.
_COMPILED = tuple((mark, re.compile(rf"(?<![\w-]){pattern}")) for mark, pattern in _SHAPES)

_BEARER = re.compile(r"\b(?:bearer|token)[ \t]+([\w.~+/-]{16,}={0,2})", re.IGNORECASE)
_BASIC = re.compile(r"\bbasic[ \t]+([A-Za-z0-9+/]{8,}={0,2})", re.IGNORECASE)
_USER_INFO = re.compile(r"://[^/\s:@?#\"']{0,128}:([^/\s@\"']{1,256})@")
_NAMES = r"(?:api|access|account|auth|client|private|secret|shared)[_ -]?(?:key|secret|token)"
_SETTING = re.compile(
    rf"(?:{_NAMES}|secret|token|passwd|password|passphrase|pwd)[\"']?[ \t]{{0,3}}(?:=>|[:=])"
    r"[ \t]{0,3}[\"']?([^\s\"'`,;<>()\[\]{}]{8,512})",
    re.IGNORECASE,
)
_SETTING_MARKS = ("key", "secret", "token", "pass", "pwd")

_PEM_HEAD = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_TAIL = re.compile(r"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY = re.compile(r"(?:[A-Za-z0-9+/=\s:,.-]|\\[nr])*")
_PEM_CHARS = 20_000


def keys(text: str) -> Iterator[Found]:
    """Every key, token or password that shows as one."""
    for mark, pattern in _COMPILED:
        if mark in text:
            yield from (_found(text, *match.span()) for match in pattern.finditer(text))
    if "-----BEGIN" in text:
        yield from _private_keys(text)
    if "://" in text and "@" in text:
        yield from (_found(text, *match.span(1)) for match in _USER_INFO.finditer(text))
    lowered = text.lower()
    if "bearer" in lowered or "token" in lowered:
        yield from (_found(text, *m.span(1)) for m in _BEARER.finditer(text) if _is_random(m[1]))
    if "basic" in lowered:
        yield from (_found(text, *m.span(1)) for m in _BASIC.finditer(text) if _is_login(m[1]))
    if ("=" in text or ":" in text) and any(mark in lowered for mark in _SETTING_MARKS):
        yield from (_found(text, *m.span(1)) for m in _SETTING.finditer(text) if _is_secret(m))


def _found(text: str, start: int, stop: int) -> Found:
    value = text[start:stop].rstrip(".")
    return Found(start, start + len(value), "KEY", value)


def _private_keys(text: str) -> Iterator[Found]:
    """Private keys in PEM, to their end; where that is missing, as far as the body goes."""
    at = stop = 0
    tail: re.Match[str] | None = None
    is_tail_known = False
    while (head := _PEM_HEAD.search(text, at)) is not None:
        if not is_tail_known or (tail is not None and tail.start() < head.end()):
            tail, is_tail_known = _PEM_TAIL.search(text, head.end()), True
        if tail is not None and tail.start() - head.end() <= _PEM_CHARS:
            stop = tail.end()
        else:
            body = _PEM_BODY.match(text, head.end(), head.end() + _PEM_CHARS)
            stop = body.end() if body else head.end()
        yield Found(head.start(), stop, "KEY", text[head.start() : stop])
        at = stop


def _is_random(value: str) -> bool:
    """Whether a text looks drawn and not written: digits among letters, of both cases if one."""
    digits = sum(letter.isdigit() for letter in value)
    has_cases = value != value.lower() and value != value.upper()
    return digits >= (1 if has_cases else 2) and any(letter.isalpha() for letter in value)


def _is_login(value: str) -> bool:
    try:
        return b":" in base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False


def _is_secret(match: re.Match[str]) -> bool:
    """Whether what follows a setting's name is its value: a password may be short."""
    value, name = match[1], match[0].lower()
    if name.startswith(("pass", "pwd")):
        return _is_random(value) or sum(not letter.isalnum() for letter in value) >= 2
    return len(value) >= 16 and _is_random(value) and "://" not in value
