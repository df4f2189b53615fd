"""Alerts as Slack's incoming webhooks take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MAX_CHARS = 2500
_MAX_DETAILS = 10


def rendered(message: Mapping[str, Any]) -> dict[str, Any]:
    """The body for a message: a line for notifications, and a block with labels and figures."""
    data = message["data"]
    sign = ":white_check_mark:" if "resolved_at" in data else ":warning:"
    title = f"{message['type']}: {data.get('summary', '')}"
    lines = [f"{sign} *{_escaped(message['type'])}*", _escaped(str(data.get("summary", "")))]
    details = data.get("details", {})
    shown = {**data.get("labels", {}), **_scalars(details)}
    lines += [f"{_escaped(name)}: `{_escaped(str(value))}`" for name, value in shown.items()]
    if isinstance(examples := details.get("examples"), list) and examples:
        lines.append("examples: " + ", ".join(f"`{_escaped(str(one))}`" for one in examples))
    at = data.get("resolved_at") or data.get("since") or message["timestamp"]
    foot = " · ".join(str(part) for part in (at, data.get("alert_id")) if part)
    return {
        "text": _escaped(title)[:_MAX_CHARS],
        "blocks": [
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": "\n".join(lines)[:_MAX_CHARS]},
            },
            {"type": "context", "elements": [{"type": "mrkdwn", "text": foot}]},
        ],
    }


def _scalars(details: Mapping[str, Any]) -> dict[str, Any]:
    plain = {k: v for k, v in details.items() if isinstance(v, str | int | float)}
    return dict(list(plain.items())[:_MAX_DETAILS])


def _escaped(text: str) -> str:
    """Text that makes no link, mention or markup of its own."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("`", "'").replace("\n", " ")
