"""Rows that come from no file: null texts, and numbers where they are wanted, for OPs that make their texts themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from djfast.io.read.arrow_block import ArrowBlock
from djfast.io.read.formats import InputFile, ReadOptions
from djfast.reserved import GENERATED

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 1000
_SPLIT_ROWS = 1 << 20


def generated_file(rows: int, fields: Sequence[str], number_key: str | None = None) -> InputFile:
    """Return what stands for the file of a generated data set; `number_key` is a field that tells its rows apart."""
    return InputFile(GENERATED + json.dumps([rows, number_key, *fields], ensure_ascii=False), "generated", None)


def borders(file: InputFile, split_bytes: int) -> list[int]:
    """Return where the splits begin, counted in rows."""
    del split_bytes
    rows = _described(file)[0]
    return [*range(0, max(1, rows), _SPLIT_ROWS), rows]


def count(file: InputFile, start: int, end: int) -> int:
    """Return the rows of a split."""
    del file
    return end - start


def blocks(file: InputFile, start: int, end: int | None, options: ReadOptions) -> Iterator[ArrowBlock]:
    """Make rows."""
    import pyarrow as pa

    _, number_key, fields = _described(file)
    nulls = pa.schema([(name, pa.string()) for name in fields])
    rows = (_described(file)[0] if end is None else end) - start
    for first in range(0, rows, _BATCH_ROWS):
        size = min(_BATCH_ROWS, rows - first)
        # By way of a struct, because a batch without columns would have no rows.
        batch = pa.RecordBatch.from_struct_array(pa.array([{}] * size, pa.struct(list(nulls))))
        if number_key is not None:
            numbers = pa.array(range(start + first, start + first + size), pa.int64())
            batch = pa.RecordBatch.from_arrays([numbers, *batch.columns], schema=schema(file, options))
        yield ArrowBlock(batch, None, range(first, first + size))


def schema(file: InputFile, options: ReadOptions) -> pa.Schema:
    """Return the columns: the number, where there is one, and texts."""
    import pyarrow as pa

    del options
    _, number_key, fields = _described(file)
    numbers = [] if number_key is None else [(number_key, pa.int64())]
    return pa.schema([*numbers, *((name, pa.string()) for name in fields)])


def _described(file: InputFile) -> tuple[int, str | None, list[str]]:
    rows, number_key, *fields = json.loads(file.path.removeprefix(GENERATED))
    return rows, number_key, fields
