"""Functions that the user wrote: a lambda in the recipe, or a function in a file."""

from __future__ import annotations

import ast
import inspect
import os
import runpy
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from djfast.errors import RecipeError
from djfast.functions.confinement import confined, same_working_folder
from djfast.functions.custom import mapping, with_columns
from djfast.functions.failures import Failures, place_of
from djfast.functions.rows import Row, alike_together, alone_when_it_fails
from djfast.functions.user_modules import forget_changed_modules, note_modules

SWITCH = "DJFAST_USER_CODE"
LAMBDA_OP, FILE_OP = "python_lambda_mapper", "python_file_mapper"
_MOST_ROWS = 1000  # of a call with many rows


def bind_user_lambda(source: str) -> Callable[[Row], Row]:
    """Return the function that applies a lambda to a row.

    Raises
    ------
    RecipeError
        If the text is no lambda with one argument, or user code is forbidden here.
    """
    return _on_rows(LAMBDA_OP, user_lambda(source))


def bind_user_lambda_batch(source: str) -> Callable[[list[Row]], list[Any]]:
    """Return the function that applies a lambda to many rows at once."""
    return _on_batches(LAMBDA_OP, user_lambda(source))


def bind_user_file(path: str, function: str) -> Callable[[Row], Row]:
    """Return the function that applies a function of a file to a row.

    Raises
    ------
    RecipeError
        If there is no such file or function, it takes more than one argument, or user code is forbidden here.
    """
    return _on_rows(FILE_OP, _from_file(path, function))


def bind_user_file_batch(path: str, function: str) -> Callable[[list[Row]], list[Any]]:
    """Return the function that applies a function of a file to many rows at once."""
    return _on_batches(FILE_OP, _from_file(path, function))


def user_lambda(source: str, parameter: str = "lambda_str") -> Callable[[Any], Any]:
    """Return the function that a parameter's text, one lambda with one argument, stands for.

    Raises
    ------
    RecipeError
        If it is none, or user code is forbidden here.
    """
    check_allowed(parameter)
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
    check_allowed("file_path")
    if not path.endswith(".py") or not os.path.isfile(path):
        raise RecipeError(f"file_path must be a Python file that exists, got {path!r}")
    try:
        forget_changed_modules(path)
        with same_working_folder():
            function = runpy.run_path(path).get(name)
        note_modules(path)
    except (Exception, SystemExit) as error:
        raise RecipeError(f"file_path: {cannot_be_run(path, error)}") from error
    if not callable(function):
        raise RecipeError(f"function_name must be a function of {path}, got {name!r}")
    if len(inspect.signature(function).parameters) != 1:
        raise RecipeError(f"function_name must be a function with one argument, got {name!r}")
    return function  # type: ignore[no-any-return]


def cannot_be_run(file: str, error: BaseException) -> str:
    """Return what is said of a file that raised an error."""
    place = "" if isinstance(error, SyntaxError) else place_of(error)
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{file} cannot be run ({said}{', at ' if place else ''}{place})"


def check_allowed(parameter: str) -> None:
    """Stop where ``DJFAST_USER_CODE`` says anything but yes.

    Raises
    ------
    RecipeError
    """
    given = os.environ.get(SWITCH, "")
    if given.strip().lower() not in ("", "1", "true", "yes", "on"):
        does = "opens this machine to data" if parameter == "local_roots" else "runs code of the recipe"
        raise RecipeError(f"{parameter} {does}, which {SWITCH}={given} forbids here")


def _on_rows(op: str, function: Callable[[Any], Any]) -> Callable[[Row], Row]:
    return Failures(op, function).guarded(lambda row: {**row, **mapping(function(dict(row)))})


def _on_batches(op: str, function: Callable[[Any], Any]) -> Callable[[list[Row]], list[Any]]:
    ask = confined(function)
    called = alike_together(alone_when_it_fails(lambda rows: _called(ask, rows)), tuple)

    def changed(rows: list[Row]) -> list[Any]:
        answers: list[Any] = []
        for first in range(0, len(rows), _MOST_ROWS):
            answers += called(rows[first : first + _MOST_ROWS])
        return answers

    return Failures(op, function).among(changed)


def _called(function: Callable[[Any], Any], rows: list[Row]) -> list[Any]:
    """Call with a dictionary of lists; the rows have the same fields."""
    # What the function changes inside values must not be there when rows are handed over again.
    columns = {name: [deepcopy(row[name]) for row in rows] for name in rows[0]}
    new_rows = with_columns(rows, mapping(function(columns)))
    return new_rows if len(new_rows) == len(rows) else [new_rows, *[[] for _ in rows[1:]]]
