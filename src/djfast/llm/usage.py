"""What language models were asked and what it cost, by OP."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from djfast.errors import RecipeError
from djfast.records import NamedTuple


class Price(NamedTuple):
    """Cost of a million tokens, in any currency."""

    prompt: float
    completion: float

    @classmethod
    def of_model(cls, prices: Mapping[str, Any] | None, model: str | None) -> Price | None:
        """Return what `prices` says of a model: ``{model: {"prompt": ..., "completion": ...}}``; None if nothing.

        Raises
        ------
        RecipeError
        """
        if not prices or model is None or model not in prices:
            return None
        price = prices[model]
        is_complete = isinstance(price, Mapping) and set(price) == set(cls._fields)
        if not is_complete or not all(type(each) in (int, float) and 0 <= each < 1e9 for each in price.values()):
            raise RecipeError(
                f"prices: {model} must have prompt and completion, numbers >= 0 for a million tokens, got {price!r}"
            )
        return cls(**price)

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the cost of one answer."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / 1e6


class OpUsage(NamedTuple):
    """Totals of one OP.

    `requests` counts retries; `cost` is None as soon as one answer's price is unknown. `incomplete` counts answers that were cut
    off, filtered or nothing but thoughts, `unusable` these and all others of which the OP could make nothing.
    """

    requests: int = 0
    retries: int = 0
    cache_hits: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = 0.0
    incomplete: int = 0
    unusable: int = 0

    def plus(self, other: OpUsage) -> OpUsage:
        """Return the sum of both."""
        return OpUsage(
            self.requests + other.requests,
            self.retries + other.retries,
            self.cache_hits + other.cache_hits,
            self.failures + other.failures,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            None if self.cost is None or other.cost is None else self.cost + other.cost,
            self.incomplete + other.incomplete,
            self.unusable + other.unusable,
        )


class UsageMeter:
    """Adds up usage by OP name; for many threads."""

    def __init__(self) -> None:
        self._totals: dict[str, OpUsage] = {}
        self._lock = threading.Lock()

    def add(self, op: str, usage: OpUsage) -> None:
        """Add to one OP."""
        with self._lock:
            self._totals[op] = self._totals.get(op, OpUsage()).plus(usage)

    def take(self) -> dict[str, OpUsage]:
        """Return the totals by OP name, and begin anew."""
        with self._lock:
            totals, self._totals = self._totals, {}
        return dict(sorted(totals.items()))


def total_usage(parts: Iterable[Mapping[str, OpUsage]]) -> dict[str, OpUsage]:
    """Add the totals of several ranks."""
    meter = UsageMeter()
    for part in parts:
        for op, usage in part.items():
            meter.add(op, usage)
    return meter.take()


METER = UsageMeter()
"""The meter of this process; a run takes what its OPs added."""
