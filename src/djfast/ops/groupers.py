"""Groupers: rows become one row for each group, and such rows become single ones again."""

from __future__ import annotations

from djfast.declare import Example, Grouper, Mapper, param
from djfast.expr import Expr, call, col, field, row


class NaiveGrouper(Grouper, name="naive_grouper"):
    """Groups all rows into one row.

    Each field becomes the list of its values, with null for a row that does not have it; empty texts are values like others.
    An input without rows stays without rows.
    """

    examples = (
        Example(
            rows=[{"text": "a", "n": 1}, {"text": "b"}],
            params={},
            expect=[{"text": ["a", "b"], "n": [1, None]}],
        ),
    )


class KeyValueGrouper(Grouper, name="key_value_grouper"):
    """Groups rows that have the same values in some fields into one row.

    Values of different types differ: 1, 1.0 and "1" make three groups. A path that does not exist counts as null. Groups come
    in the order of their first rows. Rows with an empty text make one group, too.
    """

    group_by_keys: list[str] | None = param(
        "Fields to compare; dots reach into nested fields, numbers into lists. Null compares the text.", default=None
    )

    examples = (
        Example(
            rows=[{"text": "a", "lang": "en"}, {"text": "b", "lang": "de"}, {"text": "c", "lang": "en"}],
            params={"group_by_keys": ["lang"]},
            expect=[{"text": ["a", "c"], "lang": ["en", "en"]}, {"text": ["b"], "lang": ["de"]}],
        ),
    )

    def group(self) -> Expr:
        """Return the values that rows are compared by."""
        if not self.group_by_keys:
            return call("text_group_key", col("text"))
        heads = list(dict.fromkeys(path.partition(".")[0] for path in self.group_by_keys))
        return call("group_key", *map(field, heads), heads=heads, paths=sorted(set(self.group_by_keys)))


class NaiveReverseGrouper(Mapper, name="naive_reverse_grouper"):
    """Splits grouped rows, whose fields are lists, into single rows.

    The length of the first field's list is the number of rows; if another list is shorter, the last rows do not have its
    field. The results of aggregators are dropped. A row of empty lists gives no rows.
    """

    batch_meta_export_path: str | None = param(
        "File of JSON lines for the results of aggregators, one line for each grouped row.", default=None
    )

    examples = (
        Example(
            rows=[{"text": ["a", "b"], "n": [1, 2]}, {"text": []}],
            params={},
            expect=[{"text": "a", "n": 1}, {"text": "b", "n": 2}],
        ),
    )

    def rewrite(self) -> Expr:
        """Return the rows that a row of lists stands for."""
        return call("ungrouped_rows", row())
