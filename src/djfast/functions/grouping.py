"""Keys of groups, and rows of lists taken apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from djfast.reserved import BATCH_META
from djfast.type_names import spoken_type


def bind_text_group_key() -> Callable[[str], str]:
    """Return the function that makes a key of a text."""
    return json.dumps


def bind_group_key(heads: Sequence[str], paths: Sequence[str]) -> Callable[..., str]:
    """Return the function that makes a key of the JSON of the fields `heads`: the values at `paths`."""
    walked = [(heads.index(head), rest) for head, *rest in (path.split(".") for path in paths)]

    def group_key(*values: str) -> str:
        read = [json.loads(value) if value else None for value in values]
        return json.dumps([_reached(read[head], rest) for head, rest in walked], sort_keys=True)

    return group_key


def _reached(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def bind_ungrouped_rows() -> Callable[[dict[str, Any]], list[dict[str, Any]]]:
    """Return the function that takes a row of lists apart."""

    def ungrouped_rows(row: dict[str, Any]) -> list[dict[str, Any]]:
        row.pop(BATCH_META, None)
        for name, value in row.items():
            if not isinstance(value, list):
                raise TypeError(f"field '{name}' must be a list of the values of rows, got {spoken_type(value)}")
        count = len(next(iter(row.values()), []))
        return [{name: values[at] for name, values in row.items() if at < len(values)} for at in range(count)]

    return ungrouped_rows
