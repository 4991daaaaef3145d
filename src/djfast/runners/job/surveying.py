"""The answer to a survey: which numbers are frequent among all rows. Each rank counts its parts, then a range of the numbers."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from djfast import _native
from djfast.errors import MissingExtraError
from djfast.plan.steps import Survey
from djfast.ranks import Ranks
from djfast.runners.job.exchange import exchange
from djfast.runners.job.parts import PartFile
from djfast.runners.job.survivors import owned
from djfast.runners.survey import frequent_numbers


def surveyed(survey: Survey, parts: Sequence[PartFile], ranks: Ranks, rows: int) -> array[int]:
    """Return the frequent numbers of all parts, ascending; all ranks call it."""
    counts = _native.KeyCounts()
    share = owned([part.entry.rows for part in parts], ranks)[ranks.rank]
    for number in share:
        for batch in parts[number].keys(0, 1):
            counts.add(batch.keys)
    if ranks.size == 1:
        return frequent_numbers(counts, survey, rows)
    found = frequent_numbers(_gathered(counts, ranks), survey, rows)
    everything = b"".join(ranks.gather_all(found.tobytes()))
    return array("Q", sorted(array("Q", everything)))


def _gathered(counts: _native.KeyCounts, ranks: Ranks) -> _native.KeyCounts:
    """Return the counts of all ranks for the numbers that this rank owns."""
    try:
        import numpy as np
    except ImportError as error:
        raise MissingExtraError("counting between ranks needs numpy; pip install 'djfast[mpi]'") from error
    keys, numbers = counts.above(0)
    table: dict[str, Any] = {"key": np.frombuffer(keys, np.uint64), "count": np.frombuffer(numbers, np.uint32)}
    owners = (table["key"] % np.uint64(ranks.size)).astype(np.int64)
    own = _native.KeyCounts()
    for columns in exchange(ranks, [("", table, owners)]).get("", []):
        own.add(np.ascontiguousarray(columns["key"]), np.ascontiguousarray(columns["count"]))
    return own
