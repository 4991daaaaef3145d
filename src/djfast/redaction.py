"""What must never stand in a message: passwords, tokens and keys of other services."""

from __future__ import annotations

import re
from typing import Any

# Names of parameters are narrower than names inside a mapping: `text_key` is no secret, but in a mapping of
# credentials nearly everything is.
_SECRET_PARAMETER = r"(?i)password|secret|credential|(api|access|private)_?key|(auth|session|access|api|hf)_?token$"
_SECRET_ENTRY = r"(?i)password|secret|credential|key|token"
_SECRET_QUERY = r"(?i)password|secret|credential|key|token|sig(nature)?$"


def is_secret(name: str) -> bool:
    """Whether the value of this parameter must not be shown."""
    return re.search(_SECRET_PARAMETER, name) is not None


def is_secret_entry(name: str) -> bool:
    """Whether the value of this part of an address's query must not be shown."""
    return re.search(_SECRET_QUERY, name) is not None


def redacted(value: Any) -> Any:
    """Return the value with what looks like a secret in its mappings replaced by ``***``."""
    if isinstance(value, dict):
        return {name: "***" if re.search(_SECRET_ENTRY, str(name)) else redacted(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(each) for each in value]
    return value


class Secret(str):
    """A text that is not shown where plans, OPs or errors are."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return stars."""
        return "'***'"


def guarded(value: Any) -> Any:
    """Return the value with the texts of its mappings that look like secrets as `Secret`."""
    if isinstance(value, dict):
        return {
            name: Secret(each) if isinstance(each, str) and is_secret(str(name)) else guarded(each)
            for name, each in value.items()
        }
    return [guarded(each) for each in value] if isinstance(value, list) else value


def shown(value: Any) -> Any:
    """Return the value with every `Secret` in it replaced by ``***``."""
    if isinstance(value, Secret):
        return "***"
    if isinstance(value, dict):
        return {name: shown(each) for name, each in value.items()}
    return type(value)(shown(each) for each in value) if type(value) in (list, tuple) else value
