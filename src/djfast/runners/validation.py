"""Checks the first rows of every source before a run begins, and says all that is wrong at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from djfast.errors import SchemaError
from djfast.io.origins import Origins
from djfast.io.read.formats import InputFile
from djfast.recipe.load import Recipe
from djfast.recipe.validators import Check, Validator
from djfast.records import NamedTuple
from djfast.rows.json_rows import JsonBlock
from djfast.runners.inputs import rows_of

if TYPE_CHECKING:
    from djfast.io.read.arrow_block import ArrowBlock

_BATCH_BYTES = 1 << 16
_SHOWN = 3  # bad rows of each check


class _Row(NamedTuple):
    place: str
    fields: Mapping[str, Any]


def validate(recipe: Recipe, groups: Sequence[Sequence[InputFile]]) -> None:
    """Hold the first rows of each source to the recipe's ``validators``. Rows that cannot be read do not count.

    Raises
    ------
    SchemaError
        With what is wrong in each source: how many rows, and the first of them.
    """
    validators: tuple[Validator, ...] = recipe.settings["checks"]
    if not validators:
        return
    problems = []
    for files in groups:
        if not files:
            continue
        wanted = max(validator.sample_size for validator in validators)
        rows = list(islice(_rows(recipe, files), min(wanted, recipe.settings["limit"] or wanted)))
        for validator in validators:
            for check in validator.checks:
                if problem := _problem(check, rows[: validator.sample_size]):
                    problems.append(f"{files[0].path}: {validator.kind}: {problem}")
    if problems:
        raise SchemaError("\n".join(["the input is not what `validators` asks for:", *problems]))


def _problem(check: Check, rows: Sequence[_Row]) -> str | None:
    found = [(row.place, problem) for row in rows if (problem := check.problem(row.fields)) is not None]
    if len(found) <= check.allowed_share * len(rows):
        return None
    allowed = f", allowed are {check.allowed_share:.0%}" if check.allowed_share else ""
    first = "; ".join(f"{place} {problem}" for place, problem in found[:_SHOWN])
    more = "; ..." if len(found) > _SHOWN else ""
    return f"{check.subject} is wrong in {len(found)} of the first {len(rows)} rows{allowed}: {first}{more}"


def _rows(recipe: Recipe, files: Sequence[InputFile]) -> Iterator[_Row]:
    before, file = 0, None
    for block in rows_of(files, recipe, _BATCH_BYTES).items():
        if block.file != file:
            before, file = 0, block.file
        if isinstance(block, JsonBlock):
            for position, fields in _objects(block.data[: block.end]):
                yield _Row(f"{block.file}:{before + position + 1}", fields)
            before += block.data.count(b"\n", 0, block.end)
            continue
        read = cast("ArrowBlock", block)
        origins = Origins(read.file)
        for position, fields in enumerate(read.batch.to_pylist()):
            if position not in read.unread:
                yield _Row(f"{origins.of([position]) or 'row'}:{read.numbers[position] + 1}", fields)


def _objects(lines: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of lines, with their positions among the lines."""
    for position, line in enumerate(lines.split(b"\n")):
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(fields, dict):
            yield position, fields
