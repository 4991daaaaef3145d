"""Selectors that look at no value."""

from __future__ import annotations

from djfast.declare import Example, Selection, Selector, param
from djfast.errors import RecipeError


class RandomSelector(Selector, name="random_selector"):
    """Selects random rows, shuffled; the same rows in every run.

    The OP does not read texts, empty or not. The shuffle is that of numpy's `default_rng(42).permutation`. If more rows are
    asked for than there are, the shuffled rows are repeated. All rows stay in their order if the share comes to less than one
    row, if exactly as many rows are asked for as there are, or if there are fewer than two rows.
    """

    examples = (
        Example(
            rows=[{"text": "a"}, {"text": "b"}, {"text": ""}, {"text": "d"}],
            params={"select_ratio": 0.5},
            expect=[{"text": "d"}, {"text": ""}],
        ),
    )

    select_ratio: float | None = param("Share of the rows to select, rounded down; 0 takes select_num.", default=None, ge=0, le=1)
    select_num: int | None = param(
        "Number of rows to select; with select_ratio, the largest number.", default=None, unit="rows", ge=1
    )

    def validate(self) -> None:
        """Check that something is asked for."""
        if self.select_ratio == 0 and self.select_num is None:
            raise RecipeError(f"{self.spec.name}: select_ratio must be > 0 if select_num is not given, got 0")

    def selection(self) -> Selection:
        """Return the share and count of rows."""
        if self.select_ratio is None and self.select_num is None:
            return Selection("all")
        return Selection("random", self.select_ratio or None, self.select_num)
