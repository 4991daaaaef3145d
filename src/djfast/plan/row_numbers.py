"""Numbers of rows, for OPs with an `index_key`: rows wait until it is known how many are before them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from djfast.declare import Op, Selection, Selector, param


class RowNumbers(Selector, name="row_numbers", is_listed=False):
    """Gives every row its number, from 0, in the field that an OP's `index_key` names. The OP stands behind it."""

    key: str = param("Field of the number.", default="")

    def selection(self) -> Selection:
        """Take all rows, numbered."""
        return Selection("numbered", number_key=self.key)


def with_row_numbers(ops: Sequence[Op]) -> Iterator[Op]:
    """Yield OPs, and before those with an `index_key` one that numbers the rows that come to them."""
    for op in ops:
        if op.index_key is not None:
            yield RowNumbers(key=op.index_key)
        yield op
