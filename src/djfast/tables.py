"""Rows that have run as tables of Arrow, whatever they were carried as."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from djfast.errors import SchemaError

if TYPE_CHECKING:
    import pyarrow as pa

    from djfast.rows.carrier import Piece


def columns_of(pieces: Sequence[Piece]) -> pa.Schema | None:
    """Return the columns that rows have, or had before they were carried as lines; None for rows of a list."""
    if pieces and pieces[0].batch is not None:
        from djfast.io.plain_columns import joined_schema

        return joined_schema(piece.batch.schema for piece in pieces)
    return pieces[0].columns if pieces else None


def table_of(pieces: Sequence[Piece]) -> pa.Table:
    """Return the rows of pieces, at least one, as a table.

    Raises
    ------
    SchemaError
        If the values of a column have no type in common.
    """
    if pieces[0].batch is not None:
        return _table_of_batches([piece.batch for piece in pieces])
    return _table_of_lines(pieces)


def _table_of_batches(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """Return the rows of batches, which may have other columns each, as a table.

    Raises
    ------
    SchemaError
        If the values of a column have no type in common.
    """
    import pyarrow as pa

    from djfast.io.plain_columns import fitted, joined_schema

    schema = joined_schema(batch.schema for batch in batches)
    try:
        return pa.Table.from_batches([fitted(batch, schema) for batch in batches], schema)
    except pa.ArrowException as error:
        raise SchemaError(f"no table holds the values of all rows ({error}); use to_list") from error


def _table_of_lines(pieces: Sequence[Piece]) -> pa.Table:
    """Return rows that were carried as lines as a table; columns that still hold their values keep their types.

    Raises
    ------
    SchemaError
        If the values of a field have no type in common.
    """
    import pyarrow as pa

    from djfast.io.json_columns import JsonColumns
    from djfast.io.plain_columns import plain_schema

    known = plain_schema(pieces[0].columns, "the data")
    columns = JsonColumns(lambda: ((piece.row_count, piece.lines or b"") for piece in pieces), known)
    if columns.rejected:
        reason = next(iter(columns.rejected.values()))
        raise SchemaError(f"{len(columns.rejected)} rows have values that do not fit into one table ({reason}); use to_list")
    return pa.concat_tables(columns.tables()) if any(piece.row_count for piece in pieces) else columns.schema.empty_table()


def table_of_rows(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Return rows as a table.

    Raises
    ------
    SchemaError
        If the values of a field have no type in common.
    """
    import pyarrow as pa

    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        try:
            columns[name] = pa.array([row.get(name) for row in rows])
        except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
            raise SchemaError(f"field '{name}' has values that no single Arrow type can hold ({error}); use to_list") from error
    return pa.table(columns)
