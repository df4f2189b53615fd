"""The boards as JSON. Needs the development dependencies; Grafana reads the files alone."""

from __future__ import annotations

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.grafana import capacity, drift, overview, quality, safety

FOLDER = Path(__file__).parent / "boards"
BOARDS = (overview, safety, drift, quality, capacity)


def texts() -> dict[str, str]:
    """The text of each board by its file's name."""
    found = {}
    for module in BOARDS:
        name = module.__name__.rpartition(".")[2]
        text = json.dumps(module.build(), cls=JSONEncoder, indent=1, sort_keys=True)
        found[f"{name}.json"] = text + "\n"
    return found
