"""Filters on the values of fields, whatever their type."""

from __future__ import annotations

import json
from functools import reduce
from typing import Any

from djfast.declare import Example, Filter, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, col, field, member
from djfast.ops.conditions import Condition, parse_condition
from djfast.reserved import META, STATS, SUFFIX

_HOLDERS = (STATS, META)  # fields whose members other OPs of the recipe may have computed


class GeneralFieldFilter(Filter, name="general_field_filter"):
    """Keeps rows that fulfil a condition on their fields.

    A condition is written as in Python, with names of fields (`meta.score` is a member), numbers, quoted strings, True,
    False, None, lists, tuples and sets, `and`, `or`, `not`, `in`, `not in`, signs and comparisons, also in chains: `1 < n <=
    3`. Anything else is an error when the recipe is loaded; a condition is never run as code. A missing field is null. A
    comparison with null is false, even `tag == None`, so write `not tag`; only `not in` is true with null. If values cannot
    be compared (`'a' < 1`), the row is rejected. Stats of earlier filters are `__dj__stats__.NAME`, tags are
    `__dj__meta__.NAME`. An empty or blank condition keeps every row. The parameters of intervals have no effect.
    """

    examples = (
        Example(
            rows=[{"text": "a", "n": 2}, {"text": "b", "n": 5}, {"text": "c", "n": None}, {"text": ""}],
            params={"filter_condition": "1 < n <= 3"},
            expect=[{"text": "a", "n": 2, "general_field_filter_condition": True}],
        ),
        Example(
            rows=[{"text": "a", "meta": {"lang": "en"}}, {"text": "", "meta": {"lang": "de"}}, {"text": "c"}],
            params={"filter_condition": "meta.lang in ['en', 'fr'] or text == ''"},
            expect=[{"text": "a"}, {"text": ""}],
        ),
        Example(rows=[{"text": "a"}, {"text": ""}], params={}, expect=[{"text": "a"}, {"text": ""}]),
    )

    filter_condition: str = param("Condition that a row must fulfil to be kept; a blank one keeps every row.", default="")

    def validate(self) -> None:
        """Check the condition."""
        self._condition()

    def stats(self) -> dict[str, Expr]:
        """Answer of the condition: true or false, or the value itself where it is one field."""
        condition = self._condition()
        if condition is None:
            return {}
        fields = [_member(path) for path in condition.paths]
        return {"general_field_filter_condition": call("condition", *fields, tree=condition.tree)}

    def keep(self) -> Expr | None:
        """Answer that is true, or a value that is not null, false, zero or empty."""
        return call("is_truthy", col("general_field_filter_condition")) if self._condition() else None

    def _condition(self) -> Condition | None:
        try:
            return parse_condition(self.filter_condition)
        except RecipeError as error:
            raise RecipeError(f"{self.spec.name}: filter_condition: {error}") from None


def _member(path: tuple[str, ...]) -> Expr:
    """Return the field that a path leads to, member by member."""
    start = 2 if path[0] in _HOLDERS else 1
    return reduce(member, path[start:], field(".".join(path[:start])))


class FieldFilter(Filter):
    """What filters on the value of one field have in common."""

    field_key: str = param(
        "Field that is tested; dots reach into nested fields. With an empty name every row is kept.", default=""
    )

    def stats(self) -> dict[str, Expr]:
        """Value of the field, under its name."""
        return {self.field_key: call("field_value", field(self.field_key))} if self.field_key else {}

    def tested(self, function: str, **params: Any) -> Expr | None:
        """Condition on the value, if there is a field."""
        if not self.field_key:
            return None
        # The stat as JSON: where an earlier filter computed one of this name, that one is looked at, whatever its type.
        return call(function, field(f"{STATS}.{self.field_key}"), **params)


class SpecifiedFieldFilter(FieldFilter, name="specified_field_filter"):
    """Keeps rows whose value of a field is one of the given ones.

    If the value is a list, every element must be one of the given values; the empty list is kept. Values are compared as in
    Python, so 1, 1.0 and true are equal. A missing field is null. A field whose name contains the dots has priority over
    nested fields; lists on the path are searched element by element. Without `field_key` or `target_value` every row is kept.
    """

    examples = (
        Example(
            rows=[{"text": "a", "meta": {"lang": "en"}}, {"text": "b", "meta": {"lang": "de"}}, {"text": ""}],
            params={"field_key": "meta.lang", "target_value": ["en", "fr"]},
            expect=[{"text": "a", "meta.lang": "en"}],
        ),
        Example(
            rows=[{"text": "a", "tags": ["x", "y"]}, {"text": "b", "tags": ["x", "z"]}, {"text": "", "tags": []}],
            params={"field_key": "tags", "target_value": ["x", "y"]},
            expect=[{"text": "a", "tags": ["x", "y"]}, {"text": "", "tags": []}],
        ),
    )

    target_value: list = param("Values to keep, of any type; an empty list keeps every row.", default=[])  # type: ignore[type-arg]

    def keep(self) -> Expr | None:
        """Value among the wanted ones."""
        if not self.target_value:
            return None
        wanted = [json.dumps(value) for value in self.target_value]
        return self.tested("is_among", values=wanted, reverse=self.reversed_range)


class SpecifiedNumericFieldFilter(FieldFilter, name="specified_numeric_field_filter"):
    """Keeps rows whose value of a field is a number in a range.

    A string counts as the number that it spells, true counts as 1. Null, the empty string and strings that spell no number
    are dropped, even if the range is reversed; so are the number 0 and false, as in Data-Juicer, although the string "0"
    counts. A row whose value is a list or an object is rejected. Without `field_key` every row is kept.
    """

    examples = (
        Example(
            rows=[{"text": "a", "n": 2}, {"text": "b", "n": "7.5"}, {"text": "c", "n": 0}, {"text": "", "n": None}],
            params={"field_key": "n", "min_value": -1, "max_value": 5},
            expect=[{"text": "a", "n": 2}],
        ),
        Example(
            rows=[{"text": "a", "meta": {"score": 2}}, {"text": "b", "meta": {"score": 1e3}}, {"text": "c", "meta": {}}],
            params={"field_key": "meta.score", "max_value": 5, "reversed_range": True},
            expect=[{"text": "b", "meta.score": 1e3}],
        ),
    )

    min_value: float = param("Smallest number kept.", default=-(2**63 - 1))
    max_value: float = param("Largest number kept.", default=2**63 - 1)

    def keep(self) -> Expr | None:
        """Keep numbers in range."""
        return self.tested(
            "is_number_in_range",
            low=self.min_value,
            high=self.max_value,
            low_closed=self.min_closed_interval != self.reversed_range,
            high_closed=self.max_closed_interval != self.reversed_range,
            reverse=self.reversed_range,
        )


class SuffixFilter(Filter, name="suffix_filter"):
    """Keeps rows that come from files with one of the given suffixes.

    The suffix of a row's file is in the field `__dj__suffix__`, with the dot (`.txt`); the recipe key `add_suffix` writes it.
    A suffix may be given without the dot, which Data-Juicer's filter does not find. Case matters. A row without the field is
    rejected. Without suffixes every row is kept, also one with the empty text.
    """

    examples = (
        Example(
            rows=[
                {"text": "a", "__dj__suffix__": ".txt"},
                {"text": "b", "__dj__suffix__": ".md"},
                {"text": "c", "__dj__suffix__": ".TXT"},
                {"text": "", "__dj__suffix__": ""},
            ],
            params={"suffixes": ["txt", ".pdf"]},
            expect=[{"text": "a"}],
        ),
        Example(rows=[{"text": "a"}, {"text": ""}], params={}, expect=[{"text": "a"}, {"text": ""}]),
    )

    suffixes: str | list[str] | None = param("Suffix or suffixes to keep; null and an empty list keep every row.", default=[])

    def stats(self) -> dict[str, Expr]:
        """Return none: the field says it all."""
        return {}

    def keep(self) -> Expr | None:
        """Suffix among the wanted ones."""
        given = [self.suffixes] if isinstance(self.suffixes, str) else self.suffixes
        if not given:
            return None
        dotted = [f".{suffix}" for suffix in given if suffix and not suffix.startswith(".")]
        wanted = [json.dumps(suffix) for suffix in (*given, *dotted)]
        return call("is_among", call("json_of", col(SUFFIX)), values=wanted, reverse=self.reversed_range)
