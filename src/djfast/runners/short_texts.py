"""Counts texts that are shorter than one window, which near-duplicate OPs take for duplicates of each other by default."""

from __future__ import annotations

from djfast import _native
from djfast.plan.steps import Compute, Dedup, Stage
from djfast.records import NamedTuple


class SharedKey(NamedTuple):
    """The key that all short texts have in a deduplicator: its first number, and the numbers in the key of a row."""

    op: int
    first: int
    width: int

    def count(self, keys: bytes) -> int:
        """Count the rows with this key among the keys of a batch."""
        return _native.keys_that_begin_with(keys, self.width, self.first)


def shared_key(stage: Stage, dedup: Dedup) -> SharedKey | None:
    """Return the key of short texts; None where they share none that other texts do not have."""
    made = {step.slot: step for step in stage.steps if isinstance(step, Compute)}
    step = made.get(dedup.slot)
    if step is not None and step.fn == "numbered_keys":
        step = made.get(step.args[0])
    if step is None:
        return None
    params = dict(step.params)
    if params.get("short_texts") != "merge" or params["window"] < 2:
        return None
    nothing: list[object] = [[]] if step.fn.endswith("_of_tokens") else [""]
    [keys] = _native.evaluate(step.fn, [nothing], params)
    return SharedKey(dedup.op, keys[0], dedup.rule.width)
