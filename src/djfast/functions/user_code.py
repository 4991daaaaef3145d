"""Functions that the user wrote: a lambda in the recipe, or a function in a file."""

from __future__ import annotations

import ast
import inspect
import os
import runpy
from collections.abc import Callable
from typing import Any

from djfast.errors import RecipeError
from djfast.functions.rows import Row, alone_when_it_fails

SWITCH = "DJFAST_USER_CODE"
_MOST_ROWS = 1000  # of a call with many rows


def bind_user_lambda(source: str) -> Callable[[Row], Row]:
    """Return the function that applies a lambda to a row.

    Raises
    ------
    RecipeError
        If the text is no lambda with one argument, or user code is forbidden here.
    """
    return _on_rows(user_lambda(source))


def bind_user_lambda_batch(source: str) -> Callable[[list[Row]], list[Any]]:
    """Return the function that applies a lambda to many rows at once."""
    return _on_batches(user_lambda(source))


def bind_user_file(path: str, function: str) -> Callable[[Row], Row]:
    """Return the function that applies a function of a file to a row.

    Raises
    ------
    RecipeError
        If there is no such file or function, it takes more than one argument, or user code is forbidden here.
    """
    return _on_rows(_from_file(path, function))


def bind_user_file_batch(path: str, function: str) -> Callable[[list[Row]], list[Any]]:
    """Return the function that applies a function of a file to many rows at once."""
    return _on_batches(_from_file(path, function))


def user_lambda(source: str, parameter: str = "lambda_str") -> Callable[[Any], Any]:
    """Return the function that a parameter's text, one lambda with one argument, stands for.

    Raises
    ------
    RecipeError
        If it is none, or user code is forbidden here.
    """
    _check_allowed(parameter)
    try:
        tree = ast.parse(source.strip(), parameter, "eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RecipeError(f"{parameter} must be a lambda ({error}), got {source[:200]!r}") from None
    if not isinstance(tree.body, ast.Lambda) or not _takes_one(tree.body.args):
        raise RecipeError(f"{parameter} must be one lambda with one argument, got {source[:200]!r}")
    made: Callable[[Any], Any] = eval(compile(tree, parameter, "eval"), {})  # what this OP is there for
    return made


def _takes_one(arguments: ast.arguments) -> bool:
    others = (arguments.vararg, arguments.kwarg, *arguments.kwonlyargs)
    return len(arguments.posonlyargs) + len(arguments.args) == 1 and not any(others)


def _from_file(path: str, name: str) -> Callable[[Any], Any]:
    _check_allowed("file_path")
    if not path.endswith(".py") or not os.path.isfile(path):
        raise RecipeError(f"file_path must be a Python file that exists, got {path!r}")
    function = runpy.run_path(path).get(name)
    if not callable(function):
        raise RecipeError(f"function_name must be a function of {path}, got {name!r}")
    if len(inspect.signature(function).parameters) != 1:
        raise RecipeError(f"function_name must be a function with one argument, got {name!r}")
    return function  # type: ignore[no-any-return]


def _check_allowed(parameter: str) -> None:
    if os.environ.get(SWITCH) == "0":
        raise RecipeError(f"{parameter} runs code of the recipe, which {SWITCH}=0 forbids here")


def _on_rows(function: Callable[[Any], Any]) -> Callable[[Row], Row]:
    def changed(row: Row) -> Row:
        return {**row, **_mapping(function(dict(row)))}

    return changed


def _on_batches(function: Callable[[Any], Any]) -> Callable[[list[Row]], list[Any]]:
    called = alone_when_it_fails(lambda rows: _called(function, rows))

    def changed(rows: list[Row]) -> list[Any]:
        answers: list[Any] = []
        for first in range(0, len(rows), _MOST_ROWS):
            answers += called(rows[first : first + _MOST_ROWS])
        return answers

    return changed


def _called(function: Callable[[Any], Any], rows: list[Row]) -> list[Any]:
    """Call with a dictionary of lists."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = _mapping(function({name: [row.get(name) for row in rows] for name in names}))
    lengths = {len(values) for values in columns.values()}
    if not columns:
        return list(rows)
    if len(lengths) > 1:
        raise ValueError(f"all lists must be of one length, got {sorted(lengths)}")
    [count] = lengths
    if count == len(rows):
        return [{**row, **{name: values[at] for name, values in columns.items()}} for at, row in enumerate(rows)]
    missing = [name for name in names if name not in columns]
    if missing:
        raise ValueError(f"other rows than were given need all fields, got none of {', '.join(missing)}")
    new_rows = [{name: values[at] for name, values in columns.items()} for at in range(count)]
    return [new_rows, *[[] for _ in rows[1:]]]


def _mapping(answer: Any) -> Row:
    if not isinstance(answer, dict):
        raise TypeError(f"the function must return a mapping of fields, got {type(answer).__name__}")
    return answer
