"""What can be set, with its meaning: a file for each topic, and all of it here.

Values only: `sources.py` reads them, nothing reads on import. The table of `service/README.md`
is generated from the descriptions by `settings_table`.
"""

from __future__ import annotations

from service.settings.access import AbuseSettings, Access
from service.settings.alerts import Alerts, Webhook
from service.settings.base import MIB, Section
from service.settings.network import Limits, Listen, Timeouts, UpstreamSettings
from service.settings.policies import (
    DEFAULT_RULES,
    INSTRUCTION,
    Action,
    PolicySettings,
    RegenerationSettings,
    RuleSettings,
    Threshold,
    VetoSettings,
)
from service.settings.record import Privacy, Retention
from service.settings.scoring import Labelling, Scoring
from service.settings.stance import StanceProbeSettings
from service.settings.table import known_keys, section_in, settings_table
from service.settings.telling import Logs, TelemetrySettings
from service.settings.watch import (
    CalibrationSettings,
    DriftSettings,
    KnowledgeGaps,
    ScorerHealth,
    VetoRate,
    Watch,
)
from service.settings.whole import Settings

__all__ = [
    "DEFAULT_RULES",
    "INSTRUCTION",
    "MIB",
    "AbuseSettings",
    "Access",
    "Action",
    "Alerts",
    "CalibrationSettings",
    "DriftSettings",
    "KnowledgeGaps",
    "Labelling",
    "Limits",
    "Listen",
    "Logs",
    "PolicySettings",
    "Privacy",
    "RegenerationSettings",
    "Retention",
    "RuleSettings",
    "ScorerHealth",
    "Scoring",
    "Section",
    "Settings",
    "StanceProbeSettings",
    "TelemetrySettings",
    "Threshold",
    "Timeouts",
    "UpstreamSettings",
    "VetoRate",
    "VetoSettings",
    "Watch",
    "Webhook",
    "known_keys",
    "section_in",
    "settings_table",
]
