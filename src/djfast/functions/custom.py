"""Functions that users wrote as OPs, bound to parameters."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from djfast.functions.rows import Row, alone_when_it_fails
from djfast.reserved import STATS

CUSTOM: dict[str, Callable[..., Any]] = {}  # OP -> the function, or the class written for Data-Juicer


def source_file(op: str) -> str:
    """Return the file that a user's OP is written in."""
    import inspect

    return inspect.getsourcefile(CUSTOM[op]) or ""


def bind_custom_mapper_of_rows(op: str, params: str) -> Callable[[Row], Any]:
    """Return the function that gives a row to a user's function."""
    function, given = CUSTOM[op], json.loads(params)
    return lambda row: function(row, **given)


def bind_custom_filter_of_rows(op: str, params: str) -> Callable[[Row], Any]:
    """Return the function that asks a user's function whether a row is kept."""
    function, given = CUSTOM[op], json.loads(params)

    def decided(row: Row) -> tuple[Row, bool]:
        answer = function(dict(row), **given)
        stats, is_kept = answer if isinstance(answer, tuple) else ({}, answer)
        if stats:
            row[STATS] = {**stats, **(row.get(STATS) or {})}  # those that a row brought along stand
        return row, bool(is_kept)

    return decided


def bind_custom_mapper_of_batches(op: str, params: str) -> Callable[[list[Row]], list[Any]]:
    """Return the function that gives rows to a user's function as a record batch."""
    function, given = CUSTOM[op], json.loads(params)

    def mapped(rows: list[Row]) -> list[Any]:
        new_rows = function(_batch(rows), **given).to_pylist()
        if len(new_rows) == len(rows):
            return list(new_rows)
        return [new_rows, *[[] for _ in rows[1:]]]

    return alone_when_it_fails(mapped)


def bind_custom_filter_of_batches(op: str, params: str) -> Callable[[list[Row]], list[Any]]:
    """Return the function that asks a user's function which rows of a record batch are kept."""
    function, given = CUSTOM[op], json.loads(params)

    def decided(rows: list[Row]) -> list[Any]:
        answer = function(_batch(rows), **given)
        kept = answer.to_pylist() if hasattr(answer, "to_pylist") else list(answer)
        if len(kept) != len(rows):
            raise ValueError(f"there must be an answer for each of {len(rows)} rows, got {len(kept)}")
        return [(row, bool(is_kept)) for row, is_kept in zip(rows, kept)]

    return alone_when_it_fails(decided)


def bind_adapted_mapper(op: str, params: str) -> Callable[[Row], Any]:
    """Return the function that runs a mapper written for Data-Juicer on a row."""
    mapper = CUSTOM[op](**json.loads(params))
    if hasattr(mapper, "process_single"):
        return lambda row: {**row, **mapper.process_single(dict(row))}

    def mapped(row: Row) -> list[Row]:
        columns = mapper.process_batched({name: [value] for name, value in row.items()})
        count = max(map(len, columns.values()), default=0)
        return [{name: values[at] for name, values in columns.items()} for at in range(count)]

    return mapped


def bind_adapted_filter(op: str, params: str) -> Callable[[Row], Any]:
    """Return the function that runs a filter written for Data-Juicer on a row."""
    instance = CUSTOM[op](**json.loads(params))

    def decided(row: Row) -> tuple[Row, bool]:
        row[STATS] = dict(row.get(STATS) or {})
        if hasattr(instance, "compute_stats_single"):
            row = instance.compute_stats_single(row)
            return row, bool(instance.process_single(row))
        columns = instance.compute_stats_batched({name: [value] for name, value in row.items()})
        row = {name: values[0] for name, values in columns.items()}
        return row, bool(next(iter(instance.process_batched(columns))))

    return decided


def _batch(rows: list[Row]) -> Any:
    import pyarrow as pa

    names = dict.fromkeys(name for row in rows for name in row)
    return pa.RecordBatch.from_pydict({name: [row.get(name) for row in rows] for name in names})
