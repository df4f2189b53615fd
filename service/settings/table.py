"""Every key, and the table of them that `service/README.md` shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic_core import PydanticUndefined

from service.settings.base import Section
from service.settings.policies import Threshold
from service.settings.whole import Settings


def section_in(annotation: Any) -> type[Section] | None:
    """The section inside an annotation such as `list[X]`, `dict[str, X]` or `X | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    found = (section_in(part) for part in get_args(annotation))
    return next((section for section in found if section), None)


def known_keys(section: type[Section] = Settings, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every key with its field, depth first, as `listen.host`, `upstreams[].url`."""
    for name, field in section.model_fields.items():
        inner = section_in(field.annotation)
        path = f"{prefix}{name}"
        if inner is None or inner is Threshold:
            yield path, field
            continue
        text = str(field.annotation)
        joint = "[]." if text.startswith("list") else ".NAME." if text.startswith("dict") else "."
        yield from known_keys(inner, path + joint)


_PROMPT_RULE = "policies.NAME.prompt."


def settings_table() -> str:
    """The table of settings, in Markdown; rules on prompts are those on replies."""
    rows = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for key, field in known_keys():
        if key.startswith(_PROMPT_RULE):
            continue
        meaning = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{key}` | {_default(field)} | {meaning} |")
    return "\n".join(rows) + "\n"


def _default(field: Any) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "required"
    if value in (None, [], {}):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
