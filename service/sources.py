"""Where settings come from: a YAML file, `FAIRLEAD_...` variables, flags; the last wins."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import yaml
from pydantic import ValidationError

from service.settings import DEFAULT_RULES, Section, Settings, known_keys, section_in

PREFIX = "FAIRLEAD_"
RESOLVED = "FAIRLEAD_RESOLVED"
"""The variable that carries the settings from `serve` to its workers, as JSON."""

RESERVED = frozenset({RESOLVED, "FAIRLEAD_CONFIG", "FAIRLEAD_API_KEY", "FAIRLEAD_WEBHOOK_SECRET"})
"""Variables of ours that are no settings."""

Lines = dict[tuple[str | int, ...], int]


class ConfigError(Exception):
    """The configuration cannot be used; the message says where and what to do."""


class MissingSecret(ConfigError):
    """A secret's environment variable is not set; where the settings are served it has to be."""


def load_settings(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings from a file, the environment and flags, each overriding the one before.

    `flags` is nested like the file. Anything wrong raises `ConfigError`.
    """
    values, lines = _read_yaml(path) if path else ({}, {})
    overrides = _merged(_from_environ(environ or {}, values), flags or {})
    try:
        return Settings.model_validate(_merged(_with_default_rules(values, overrides), overrides))
    except ValidationError as error:
        raise ConfigError(_explain(error, path, lines)) from None


def _with_default_rules(values: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the default rules written out where single ones are to be overridden."""
    policies = overrides.get("policies")
    for name, policy in policies.items() if isinstance(policies, dict) else ():
        sides = {side: DEFAULT_RULES[side] for side in DEFAULT_RULES if side in (policy or ())}
        values = _merged({"policies": {name: sides}}, values)
    return values


def _read_yaml(path: Path) -> tuple[dict[str, Any], Lines]:
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {_yaml_complaint(error)}") from None
    if values is None:
        return {}, {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds no settings; it must be `key: value` lines")
    lines: Lines = {}
    for where, line in _lines_of(node, ()):
        if where in lines:
            raise ConfigError(f"{path}: line {line}: {_dotted(where)} stands twice")
        lines[where] = line
    return values, lines


def _yaml_complaint(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "is not YAML"
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)


def _lines_of(
    node: Any, where: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*where, str(key.value))
            yield here, key.start_mark.line + 1
            yield from _lines_of(value, here)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*where, index), value.start_mark.line + 1
            yield from _lines_of(value, (*where, index))


def _from_environ(environ: Mapping[str, str], values: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    settings = {n: v for n, v in environ.items() if n.upper().startswith(PREFIX)}
    for name, text in sorted(settings.items()):
        if name in RESERVED or name.startswith("FAIRLEAD_TEST_"):
            continue
        parts = name[len(PREFIX) :].lower().split("__")
        if parts[0] not in Settings.model_fields:
            if name in _named_variables(values, environ):
                continue
            raise ConfigError(f"environment {name}: unknown setting{_nearest((), parts[0])}")
        _put(found, parts, _scalar(name, text), values)
    return found


def _named_variables(values: Any, environ: Mapping[str, str]) -> set[str]:
    """Variables that settings name as holders of secrets; they are no settings themselves."""
    texts = [t for n, t in environ.items() if n.upper().startswith(PREFIX)]
    return set(env_names(values)) | {word for t in texts for word in re.findall(r"[A-Z0-9_]+", t)}


def env_names(value: Any) -> Iterator[str]:
    """The environment variables that plain settings name as holders of secrets."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if str(key).endswith("_env") and isinstance(inner, str):
                yield inner
            yield from env_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from env_names(inner)


def _scalar(name: str, text: str) -> Any:
    try:
        return yaml.safe_load(text) if text else ""
    except yaml.YAMLError:
        if text.lstrip()[:1] in "[{":
            raise ConfigError(f"environment {name}: is not a YAML value") from None
        return text


def _put(found: dict[str, Any], parts: list[str], value: Any, base: Any) -> None:
    """Puts a value at its place; names keep the case that the file gave them."""
    level = found
    for part in parts[:-1]:
        part_in_file = _same_key(base, part)
        base = base.get(part_in_file) if isinstance(base, dict) else None
        level = level.setdefault(part_in_file, {})
        if not isinstance(level, dict):
            raise ConfigError(
                f"environment {PREFIX}{'__'.join(parts).upper()}: {part} is set whole"
            )
    level[_same_key(base, parts[-1])] = value


def _same_key(base: Any, part: str) -> str:
    keys = base if isinstance(base, dict) else {}
    return next((str(key) for key in keys if str(key).lower() == part), part)


def _merged(low: Any, high: Any) -> Any:
    """`low` overridden by `high`, key by key; a key that is a number reaches into a list."""
    if isinstance(low, list) and isinstance(high, dict) and all(str(k).isdigit() for k in high):
        items = list(low)
        for key in sorted(high, key=int):
            index = int(key)
            if index < len(items):
                items[index] = _merged(items[index], high[key])
            else:
                items.append(high[key])
        return items
    if not isinstance(low, dict) or not isinstance(high, Mapping):
        return high
    return {**low, **{key: _merged(low.get(key), value) for key, value in high.items()}}


def _explain(error: ValidationError, path: Path | None, lines: Lines) -> str:
    complaints = [_complaint(one, lines) for one in error.errors(include_url=False)]
    head = f"{path}: " if path else ""
    return "\n".join(head + complaint for complaint in complaints[:10])


def _complaint(error: Any, lines: Lines) -> str:
    loc = tuple(error["loc"])
    line = f"line {lines[loc]}: " if loc in lines else ""
    if error["type"] == "extra_forbidden":
        return f"{line}{_dotted(loc)}: unknown setting{_nearest(loc[:-1], str(loc[-1]))}"
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "string_pattern_mismatch":
        field = _section_at(loc[:-1]).model_fields.get(str(loc[-1]))
        message = f"does not fit; {field.description if field else message}"
    return f"{line}{_dotted(loc)}: {message}" if loc else f"{line}{message}"


def _nearest(parents: tuple[Any, ...], key: str) -> str:
    """The known key that the unknown one most looks like, for the end of a sentence."""
    siblings = list(_section_at(parents).model_fields)
    close = difflib.get_close_matches(key, siblings, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{_dotted((*parents, close[0]))}`?"
    ends = {name.rsplit(".", 1)[-1]: name for name, _ in reversed(list(known_keys()))}
    elsewhere = difflib.get_close_matches(key, list(ends), n=1, cutoff=0.75)
    if elsewhere:
        return f"; did you mean `{ends[elsewhere[0]]}`?"
    nearest = difflib.get_close_matches(key, siblings, n=1, cutoff=0.0)[0]
    return f"; the nearest known one is `{_dotted((*parents, nearest))}`"


def _section_at(parents: tuple[Any, ...]) -> type[Section]:
    section: type[Section] = Settings
    for part in parents:
        field = section.model_fields.get(str(part))
        section = (section_in(field.annotation) if field else None) or section
    return section


def _dotted(loc: tuple[Any, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".")


def masked(settings: Settings) -> dict[str, Any]:
    """The settings as plain values, with every secret that they may hold masked."""
    values = settings.model_dump(mode="json", exclude_none=True)
    values["database_url"] = masked_url(settings.database_url)
    for upstream in values["upstreams"]:
        upstream["url"] = masked_url(upstream["url"])
    for webhook in values["alerts"]["webhooks"]:
        parts = urlsplit(masked_url(webhook["url"]))
        webhook["url"] = urlunsplit(parts._replace(path="/***" if parts.path.strip("/") else ""))
    return values


def masked_url(url: str) -> str:
    """The URL with password and query values masked."""
    url = re.sub(r"(?<=://)([^/@:]*):[^/]*@", r"\1:***@", url)
    return re.sub(r"([?&][^=&]+=)[^&#]+", r"\1***", url)
