"""Preference data for tuning."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(prefix="/v1/preferences", tags=["preferences"])
