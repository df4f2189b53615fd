"""The scoring model, and labels that no person gave."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from service.settings.base import Section


class Scoring(Section):
    """The scoring model and the machine it runs on."""

    model: str = Field(default="fairlead-mini", description="Name of the scoring model.")
    models_dir: str = Field(
        default="fairlead-models",
        description="Folder of the models that `fairlead models add` puts there.",
    )
    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = Field(
        default="auto",
        description="Execution provider; not got is an error. `auto` takes CUDA where it is.",
    )
    threads: int = Field(default=0, ge=0, le=256, description="Threads of the model; 0 is all.")
    queue_tokens: int | None = Field(
        default=None, gt=0, description="Tokens that may wait to be scored; more are refused."
    )
    batch_tokens: int | None = Field(
        default=None, gt=0, description="Padded tokens in one batch, at most."
    )
    remembered_texts: int = Field(
        default=10_000,
        ge=0,
        le=10_000_000,
        description="Texts of prompts whose scores are remembered, by hash, for each worker.",
    )
    history_chars: int = Field(
        default=10_000,
        ge=0,
        description="Characters of earlier conversation, if not remembered, that a prompt veto "
        "looks at, the newest first.",
    )
    bulk_deadline_s: float = Field(
        default=60.0,
        gt=0,
        le=3600,
        description="Time that one `/v1/score` or `/v1/moderations` request may take.",
    )
    confidence_maps: str | None = Field(
        default=None,
        description="JSON file that says, by served model, how often replies that sound so sure "
        "are right; without it only the tokens' probabilities tell.",
    )
    reward: dict[str, float] = Field(
        default={"toxicity": -1.0, "faithfulness": -1.0},
        description="Weights of the risks in `/v1/score`'s `reward`, by rule on replies.",
    )


class Labelling(Section):
    """Weak labels for exports."""

    functions: list[str] = Field(
        default=[],
        description="Labelling functions beside ours: `FILE.py` or `MODULE`, with `:NAME` for one.",
    )
