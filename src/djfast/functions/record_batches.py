"""Rows as record batches for functions of the user, and back, so that nothing is lost or made up on the way.

Arrow gives all rows of a batch the same fields and types. So rows go into one batch only if they have the same shape, and values
that Arrow cannot hold stay outside of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from djfast.functions.custom import boolean
from djfast.functions.rows import Row
from djfast.type_names import spoken_type

_LARGEST = 2**63


def shape(value: Any) -> Any:
    """Return the fields and types of a row or another value; rows of one shape have the same Arrow types."""
    if isinstance(value, dict):
        return tuple([(name, shape(each)) for name, each in value.items()])
    if isinstance(value, list):
        return frozenset(map(shape, value))
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        return "too large"
    return type(value)


def through_batches(function: Callable[[Any], Any], rows: list[Row]) -> list[Any]:
    """Give rows of one shape to a function as a record batch, and return what it makes of each.

    Where it gives back another number of rows, the first row stands for all of them. Columns that it gives back as they were
    keep their values as they stood in the rows.
    """
    batch, outside = _batch(rows)
    answer = _table(function(batch))
    if answer.num_rows != len(rows):
        if outside:
            raise ValueError(f"other rows than were given need all fields, but Arrow cannot hold {', '.join(outside)}")
        return [answer.to_pylist(), *[[] for _ in rows[1:]]]
    columns = {name: [row[name] for row in rows] for name in outside}
    for name in answer.column_names:
        column = answer.column(name)
        is_same = name in batch.schema.names and column.equals(_chunked(batch.column(name)))
        columns[name] = [row[name] for row in rows] if is_same else column.to_pylist()
    order = [name for name in dict.fromkeys([*rows[0], *columns]) if name in columns] if outside else answer.column_names
    return [{name: columns[name][at] for name in order} for at in range(len(rows))]


def decisions(function: Callable[[Any], Any], rows: list[Row]) -> list[Any]:
    """Ask a function which rows of a record batch are kept; return each row with the answer."""
    answer = function(_batch(rows)[0])
    if answer is None or isinstance(answer, tuple | str | dict) or not hasattr(answer, "__iter__"):
        hint = "; is the `return` missing?" if answer is None else ""
        raise TypeError(f"a filter over batches must return an array of booleans{hint}, got {spoken_type(answer)}")
    kept = answer.to_pylist() if hasattr(answer, "to_pylist") else list(answer)
    if len(kept) != len(rows):
        raise ValueError(f"there must be an answer for each of {len(rows)} rows, got {len(kept)}")
    return [(row, boolean(is_kept)) for row, is_kept in zip(rows, kept)]


def _batch(rows: list[Row]) -> tuple[Any, list[str]]:
    """Return rows as a record batch, and the names of fields that Arrow cannot hold.

    Raises
    ------
    ValueError
        If Arrow cannot hold a field of some of several rows: then each has to come alone.
    """
    import pyarrow as pa

    columns, outside = {}, []
    for name in rows[0]:
        try:
            columns[name] = pa.array([row[name] for row in rows])
        except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
            if len(rows) > 1:
                raise ValueError(f"Arrow cannot hold '{name}' of all rows: {error}") from error
            outside.append(name)
    if not columns:  # a batch must know its number of rows
        return pa.RecordBatch.from_struct_array(pa.array([{}] * len(rows), pa.struct([]))), outside
    return pa.RecordBatch.from_pydict(columns), outside


def _table(answer: Any) -> Any:
    """Return what a function gave back as a table.

    Raises
    ------
    TypeError, ValueError
        If it is none, or has two columns of one name.
    """
    import pyarrow as pa

    if isinstance(answer, pa.RecordBatch):
        table = pa.Table.from_batches([answer])
    elif isinstance(answer, pa.Table):
        table = answer
    elif hasattr(answer, "__arrow_c_stream__") and hasattr(answer, "columns"):
        table = pa.table(answer)
    else:
        hint = "; is the `return` missing?" if answer is None else ""
        raise TypeError(f"the function must return a record batch or a table{hint}, got {spoken_type(answer)}")
    if len(set(table.column_names)) < table.num_columns:
        raise ValueError(f"each column must have a name of its own, got {', '.join(table.column_names)}")
    return table


def _chunked(column: Any) -> Any:
    import pyarrow as pa

    return pa.chunked_array([column])
