"""Preference data for tuning, as it is exported by `fairlead export`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from service.access import Caller
from service.auditing import actor_of, audited
from service.errors import BadRequest
from service.routes.bodies import Name, Time
from service.routes.feedback import ERRORS
from service.routes.views import unix_us
from service.state import Needs, state_of
from storage.exports import formats
from storage.exports.base import ExportOptions
from storage.exports.instructlab import qna_text
from storage.exports.qna import QnaOptions, check_unused, documents_of
from storage.exports.run import export_lines
from storage.store import Store

router = APIRouter(prefix="/v1/preferences", tags=["preferences"], responses=ERRORS)
Reader = Annotated[Caller, Depends(Needs("feedback"))]


class ExportQuery(BaseModel):
    """What to export."""

    model_config = ConfigDict(extra="forbid")

    format: Name = Field(description=f"One of {', '.join(formats.every_name())}.")
    since: Time | None = Field(default=None, description="Exchanges from this time on (ISO 8601).")
    until: Time | None = Field(default=None, description="Exchanges before this time (ISO 8601).")
    model: Name | None = Field(default=None, description="Exchanges with this model.")
    min_margin: float = Field(default=0.0, ge=0, le=1, description="Least margin of a pair.")
    source: list[Name] | None = Field(default=None, description="Kinds of pairs; may be repeated.")
    split: Literal["train", "test"] | None = Field(default=None, description="One side alone.")
    seed: int = Field(default=0, description="Of the split and of draws.")
    near_duplicates: Annotated[float, Field(ge=0.6, le=1)] | Literal["off"] = Field(
        default=0.85, description="Likeness from which texts count as one, or `off`."
    )
    max_per_prompt: int | None = Field(default=None, ge=1, description="Most rows of one prompt.")
    select: int | None = Field(default=None, ge=1, description="So many rows of all.")
    by: Literal["diversity", "margin", "random"] | None = Field(
        default=None,
        description="How `select` chooses; `diversity` (that of words) if not given.",
    )
    balance_length: bool = Field(
        default=False, description="As many pairs with the longer reply chosen as with the shorter."
    )
    order: Literal["prompt", "curriculum"] = Field(
        default="prompt", description="Order of the rows; `curriculum` is from easy to hard."
    )

    topic: str | None = Field(default=None, description="`instructlab`: the tag to write of.")
    created_by: Name = Field(default="fairlead", description="`instructlab`: who made it.")
    task_description: Name | None = Field(
        default=None, description="`instructlab`: what a skill teaches."
    )
    domain: Name | None = Field(default=None, description="`instructlab`: domain of knowledge.")
    document_repo: Name | None = Field(
        default=None, description="`instructlab`: Git repository of documents, for knowledge."
    )
    document_commit: Name | None = Field(default=None, description="The commit they are in.")
    document_pattern: list[Name] | None = Field(
        default=None, description="Their names; may be repeated."
    )
    document_outline: Name | None = Field(default=None, description="What is in them.")

    def qna(self) -> QnaOptions:
        """What a qna.yaml is to say of itself."""
        return QnaOptions(
            topic=self.topic,
            created_by=self.created_by,
            task_description=self.task_description,
            domain=self.domain,
            documents=documents_of(
                repo=self.document_repo,
                commit=self.document_commit,
                patterns=self.document_pattern,
                outline=self.document_outline,
            ),
        )


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"application/jsonl": {}, "application/yaml": {}},
            "description": "One row per line; for `instructlab` a `qna.yaml`.",
        }
    },
)
async def export(
    query: Annotated[ExportQuery, Query()], request: Request, caller: Reader
) -> Response:
    """Streams the export as JSON Lines; a key that is no admin's gets its own exchanges."""
    options = ExportOptions(
        since_us=unix_us(query.since),
        until_us=unix_us(query.until),
        model=query.model,
        key_id=caller.tenant,
        min_margin=query.min_margin,
        sources=tuple(query.source) if query.source else None,
        split=query.split,
        seed=query.seed,
        near_duplicates=None if query.near_duplicates == "off" else query.near_duplicates,
        max_per_prompt=query.max_per_prompt,
        select=query.select,
        by=query.by,
        balance_length=query.balance_length,
        order=query.order,
    )
    if options.sources and "weak" in options.sources:
        words = "source: weak labels are made by the command line alone: `fairlead export --weak`"
        raise BadRequest(words, param="source")
    store = state_of(request).store
    given = query.model_dump(mode="json", exclude_defaults=True) | {"key": caller.tenant}
    if query.format == formats.QNA:
        actor = actor_of(caller)
        async with audited(store, "export", actor=actor, filters=given):
            text = await qna_text(store, options=options, qna=query.qna())
        headers = {"content-disposition": 'attachment; filename="qna.yaml"'}
        return Response(text, media_type="application/yaml", headers=headers)
    if query.format in formats.every_name():
        check_unused(query.qna(), query.format)
    lines = _audited(
        store, export_lines(store, query.format, options=options), caller=caller, filters=given
    )
    # A wrong format or source has to be told before the answer has begun.
    first = await anext(lines, b"")
    headers = {"content-disposition": f'attachment; filename="{query.format}.jsonl"'}
    return StreamingResponse(_from(first, lines), media_type="application/jsonl", headers=headers)


async def _audited(
    store: Store, lines: AsyncGenerator[bytes], *, caller: Caller, filters: Mapping[str, Any]
) -> AsyncGenerator[bytes]:
    """The lines, with what was sent of them in the audit log, also where nobody reads them all."""
    async with (
        audited(store, "export", actor=actor_of(caller), filters=filters) as run,
        aclosing(lines),
    ):
        run.counts = {"rows": 0}
        async for line in lines:
            run.counts["rows"] += 1
            yield line


async def _from(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for line in rest:
            yield line
