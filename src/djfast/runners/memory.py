"""How much memory a rank may use, and for what: batches in flight, rows that wait, keys of deduplicators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from djfast import functions
from djfast.declare import DuplicateRule
from djfast.io.write.collected import GROUP_BYTES
from djfast.plan.steps import Compute, Plan, Stage
from djfast.records import NamedTuple

# Memory that a batch takes on its way, as a multiple of its input: its bytes, unescaped texts, changed texts, words, lines.
WORKING_SETS = 6
# Memory that a row takes as such: its line, the texts in it, and the line that is written.
_ROW_COPIES = 5
_PROCESS_BYTES = 64 << 20  # of the interpreter and the libraries
SMALLEST_BATCH = 1 << 16
LARGEST_WINDOW = 128 << 20


class Budget(NamedTuple):
    """Shares of a rank's memory, in bytes. `in_flight` batches of `batch_bytes` are between reading and writing."""

    total: int
    batch_bytes: int
    in_flight: int
    window_bytes: int  # of rows that wait in memory
    key_bytes: int  # of deduplicators at a time

    @property
    def batches_bytes(self) -> int:
        """Bytes of all batches in flight."""
        return self.in_flight * self.batch_bytes * WORKING_SETS

    @property
    def working_bytes(self) -> int:
        """Bytes that batches may take together on their way. One that takes more goes its way alone."""
        return self.total * 3 // 8

    def longest_row(self, plan: Plan) -> int:
        """Return the bytes of the longest row that fits when it goes its way alone; what is longer is rejected."""
        return max(SMALLEST_BATCH, (self.total - _PROCESS_BYTES) // working_set(plan))


def threads_of(settings: Mapping[str, Any]) -> int:
    """Return the threads of a rank: the recipe's `np`, or for `auto` the cores that it may use and `memory` has batches for."""
    if settings["np"] != "auto":
        return int(settings["np"])
    import os

    from djfast.ranks.cores import usable_cores

    batches = int(settings["memory"]) // 4 // (SMALLEST_BATCH * WORKING_SETS)
    return max(1, min(usable_cores(os.environ), (batches - 1) // 2))


def budget_of(settings: Mapping[str, Any], *, workers: int) -> Budget:
    """Share a recipe's `memory`: batches get a quarter at most, waiting rows an eighth, keys a quarter.

    Smaller batches are slower by their overhead only, so they are cut before anything else.
    """
    total = int(settings["memory"])
    in_flight = 2 * workers + 1 if workers > 1 else 1
    fitting = max(SMALLEST_BATCH, total // 4 // (in_flight * WORKING_SETS))
    return Budget(
        total=total,
        batch_bytes=min(int(settings["batch_bytes"]), fitting),
        in_flight=in_flight,
        window_bytes=min(LARGEST_WINDOW, total // 8),
        key_bytes=total // 4,
    )


def group_bytes(settings: Mapping[str, Any]) -> int:
    """Return how many bytes of rows a table of the result takes at once, of which writing it makes copies."""
    return min(GROUP_BYTES, int(settings["memory"]) // 32)


def working_set(plan: Plan) -> int:
    """Return how many bytes a byte of input takes at most on its way through a plan, roughly."""
    return max(map(_working_set, plan.stages))


def _working_set(stage: Stage) -> int:
    if stage.rewrite is not None:
        return _ROW_COPIES + functions.memory(stage.rewrite.fn)
    computes = [step for step in stage.steps if isinstance(step, Compute)]
    texts = [step for step in computes if step.type == "text"]  # each stays until the batch is done
    return _ROW_COPIES + len(texts) + max((functions.memory(step.fn) for step in computes), default=0)


def key_bytes_of(rules: Sequence[DuplicateRule]) -> int:
    """Bytes that one row's keys take in memory, for all deduplicators that are answered together."""
    return sum(8 * rule.width + 1 for rule in rules)
