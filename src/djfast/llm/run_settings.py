"""What a run says of asking language models, for all models of the process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from djfast.records import NamedTuple


class RunSettings(NamedTuple):
    """How many requests are in flight, and where answers are kept: a folder, ``off``, or None for what the environment names."""

    in_flight: int = 64
    cache: str | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> RunSettings:
        """Return what the keys of a recipe say."""
        cache = {False: "off", True: None}.get(settings["llm_cache"], settings["llm_cache"])  # YAML reads off as false
        return cls(int(settings["llm_in_flight"]), cache or None)


_current = RunSettings()


def current() -> RunSettings:
    """Return what holds now."""
    return _current


def keep(settings: RunSettings) -> None:
    """Let this hold from now on."""
    global _current
    _current = settings


@contextlib.contextmanager
def used(settings: RunSettings) -> Iterator[None]:
    """Let this hold while the block runs."""
    before = _current
    keep(settings)
    try:
        yield
    finally:
        keep(before)
