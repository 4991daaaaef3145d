"""What a survey finds among all rows."""

from __future__ import annotations

from array import array

from djfast import _native
from djfast.plan.steps import Survey


def frequent_numbers(counts: _native.KeyCounts, survey: Survey, rows: int) -> array[int]:
    """Return what a survey of so many rows found to be frequent; in a single row nothing is."""
    return array("Q", counts.above(survey.threshold)[0] if rows > 1 else b"")
