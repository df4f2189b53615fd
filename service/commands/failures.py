"""What a command may fail with, and the exit codes."""

from __future__ import annotations

from scorers.errors import ModelError
from service.policy import PolicyError
from service.sources import ConfigError
from storage.errors import BadDatabaseUrl, ExportError, StorageError


class UsageError(Exception):
    """The command was asked for something that it cannot do; the message says what instead."""


KNOWN = (UsageError, ConfigError, PolicyError, ModelError, StorageError)
"""Errors that are told in one line; anything else is a bug and shows its trace."""

_USAGE = (UsageError, ConfigError, PolicyError, BadDatabaseUrl, ExportError)


def told(error: BaseException) -> str:
    """What the command line says of an error; an option at fault is named as the flag it is."""
    if isinstance(error, ExportError) and error.option:
        flag = error.option.replace("_", "-")
        return f"{error}" if flag == "format" else f"--{flag}: {error}"
    return str(error)


def exit_code(error: BaseException) -> int:
    """2 for bad usage or configuration, 1 for what went wrong on the way."""
    return 2 if isinstance(error, _USAGE) else 1
