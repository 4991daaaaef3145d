"""Selectors by the values of a field.

A dotted field reaches into nested ones, as in `meta.score`; a key that has the dots itself goes first, and lists on the way
are looked through element by element. Stats of earlier filters are the fields `__dj__stats__.NAME`. A field that no row has
is an error.
"""

from __future__ import annotations

from djfast.declare import Example, Selection, Selector, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, field

_FIELD = "Field whose values are compared; dots reach into nested fields. With an empty name all rows stay."
_DESCENDING = "Whether the largest come first; false starts with the smallest."


class FieldSelector(Selector):
    """What selectors that compare the values of a field have in common."""

    field_key: str = param(_FIELD, default="")

    def values(self) -> Expr | None:
        """Return the field."""
        return field(self.field_key)


class TopkSpecifiedFieldSelector(FieldSelector, name="topk_specified_field_selector"):
    """Selects the rows with the largest or smallest values of a field, in the order of the values.

    Values of a field of the row itself are compared as they are. They must be all numbers and booleans, or all strings; both
    in one field are an error. A row whose value is a list or an object is rejected. Values of a nested field are compared as
    numbers: a string by the number that it spells, a list by its mean; the empty string is not a number. Rows with equal
    values stay in their order. Rows whose value is null, missing or not a number come last, in their order. If neither `topk`
    nor `top_ratio` is given, or there are fewer than two rows, all rows stay.
    """

    examples = (
        Example(
            rows=[{"text": "a", "n": 1}, {"text": "b", "n": 3}, {"text": "c", "n": 2}],
            params={"field_key": "n", "topk": 2},
            expect=[{"text": "b", "n": 3}, {"text": "c", "n": 2}],
        ),
        Example(
            rows=[{"text": "a", "meta": {"score": "7"}}, {"text": "", "meta": {}}, {"text": "c", "meta": {"score": 2.5}}],
            params={"field_key": "meta.score", "top_ratio": 0.7, "reverse": False},
            expect=[{"text": "c"}, {"text": "a"}],
        ),
    )

    top_ratio: float | None = param("Share of the rows to select, rounded down; null or 0 takes topk.", default=None, ge=0, le=1)
    topk: int | None = param("Largest number of rows to select.", default=None, unit="rows", ge=1)
    reverse: bool = param(_DESCENDING, default=True)

    def selection(self) -> Selection:
        """Return the share and count of rows, by value."""
        if not self.field_key or not (self.top_ratio or self.topk):
            return Selection("all")
        return Selection("top", self.top_ratio or None, self.topk, descending=self.reverse, as_numbers="." in self.field_key)


class RangeSpecifiedFieldSelector(FieldSelector, name="range_specified_field_selector"):
    """Selects the rows whose values of a field rank between two positions, largest first.

    Rank 0 is the smallest value. Values are compared as numbers: a string by the number that it spells, a list by its mean.
    Any other value, null and the empty string included, is smaller than all numbers. Rows with equal values stay in their
    order. If neither a lower nor an upper bound is given, or there are fewer than two rows, all rows stay. If the bounds are
    equal, no row stays.
    """

    examples = (
        Example(
            rows=[{"text": "a", "n": 4}, {"text": "b", "n": 1}, {"text": "c", "n": 3}, {"text": "", "n": None}],
            params={"field_key": "n", "lower_percentile": 0.25, "upper_percentile": 0.75},
            expect=[{"text": "c", "n": 3}, {"text": "b", "n": 1}],
        ),
        Example(
            rows=[{"text": "a", "n": 4}, {"text": "b", "n": 1}, {"text": "c", "n": 3}],
            params={"field_key": "n", "lower_rank": 1, "upper_rank": 2},
            expect=[{"text": "c", "n": 3}],
        ),
    )

    lower_percentile: float | None = param("Share of the rows below the range.", default=None, ge=0, le=1)
    upper_percentile: float | None = param("Share of the rows below the upper bound.", default=None, ge=0, le=1)
    lower_rank: int | None = param(
        "Number of rows below the range; of this and lower_percentile the larger one counts.", default=None, ge=1
    )
    upper_rank: int | None = param(
        "Number of rows below the upper bound; of this and upper_percentile the smaller one counts.", default=None, ge=1
    )

    def selection(self) -> Selection:
        """Return the ranks, by number."""
        has_lower = self.lower_percentile is not None or self.lower_rank is not None
        has_upper = self.upper_percentile is not None or self.upper_rank is not None
        if not self.field_key or not (has_lower and has_upper):
            return Selection("all")
        return Selection("range", self.upper_percentile, self.upper_rank, self.lower_percentile, self.lower_rank, as_numbers=True)


class FrequencySpecifiedFieldSelector(FieldSelector, name="frequency_specified_field_selector"):
    """Selects all rows that have the most frequent values of a field, or the rarest.

    `topk` and `top_ratio` count distinct values, not rows. Values are numbers, booleans and strings, the empty one included.
    Null and a missing field are the same value, and so are 1, 1.0 and true. A row whose value is a list or an object is
    rejected. Equally frequent values come in the order in which they first appear. If neither `topk` nor `top_ratio` is
    given, or there are fewer than two rows, all rows stay.
    """

    examples = (
        Example(
            rows=[{"text": "a", "tag": "x"}, {"text": "b", "tag": "y"}, {"text": "c", "tag": "z"}, {"text": "d", "tag": "y"}],
            params={"field_key": "tag", "topk": 2},
            expect=[{"text": "b"}, {"text": "d"}, {"text": "a"}],
        ),
    )

    top_ratio: float | None = param(
        "Share of the distinct values to select, rounded down; null or 0 takes topk.", default=None, ge=0, le=1
    )
    topk: int | None = param("Largest number of distinct values to select.", default=None, unit="values", ge=1)
    reverse: bool = param("Whether the most frequent come first; false starts with the rarest.", default=True)

    def selection(self) -> Selection:
        """Return the share and count of values, by frequency."""
        if not self.field_key or not (self.top_ratio or self.topk):
            return Selection("all")
        return Selection("frequent", self.top_ratio or None, self.topk, descending=self.reverse)


class TagsSpecifiedFieldSelector(FieldSelector, name="tags_specified_field_selector"):
    """Selects the rows whose value of a field is one of the given tags.

    1, 1.0 and true are equal. Null and a missing field are never a tag; the empty string may be one. A row whose value is a
    list or an object is rejected. The OP decides each row on its own, so it also tests the row of a data set of one row. If
    no row has the field, no row stays.
    """

    examples = (
        Example(
            rows=[{"text": "a", "lang": "en"}, {"text": "b", "lang": "de"}, {"text": "c", "lang": None}, {"text": "d"}],
            params={"field_key": "lang", "target_tags": ["de", "fr"]},
            expect=[{"text": "b", "lang": "de"}],
        ),
    )

    target_tags: list[str] | list[float] | None = param("Values to select; must be given.", default=None)

    def validate(self) -> None:
        """Check that there are tags."""
        if self.field_key and self.target_tags is None:
            raise RecipeError(f"{self.spec.name}: target_tags must be given with a field_key")

    def keep(self) -> Expr | None:
        """Condition that the field is one of the tags."""
        return call("is_one_of", field(self.field_key), tags=self.target_tags) if self.field_key else None
