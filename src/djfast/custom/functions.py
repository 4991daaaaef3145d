"""Decorators that make OPs of functions: parameters, schema and docs come from the function."""

from __future__ import annotations

import inspect
import json
import re
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from djfast.declare import MISSING, REGISTRY, Example, Filter, Mapper, Op, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, row
from djfast.functions.custom import CUSTOM

Function = TypeVar("Function", bound=Callable[..., Any])

_TYPES = {int: "int", float: "float", str: "str", bool: "bool", dict: "dict", type(None): "None", Any: "any"}


def mapper(name: str, *, over: str = "rows", examples: tuple[Example, ...] = ()) -> Callable[[Function], Function]:
    """Make a mapper of a function.

    Parameters
    ----------
    name : str
        The OP's name in recipes.
    over : {"rows", "batches"}
        ``rows``: the function takes a row as a dictionary, which it may change, and returns the row, a list of rows, or None to
        drop it. ``batches``: it takes a ``pyarrow.RecordBatch`` and returns one, with any number of rows; rows that are
        bad are found by calling it with each row alone.
    examples : tuple of Example
        Shown in the docs.

    The function's other arguments are the OP's parameters, with their annotations as types, their defaults, and their lines in
    the docstring's ``Parameters`` section as docs.

    >>> @mapper("shout_mapper")
    ... def shout(row, mark: str = "!"):
    ...     \"\"\"Makes the text loud.\"\"\"
    ...     row["text"] = row["text"].upper() + mark
    ...     return row
    """
    return _decorator(Mapper, name, over, examples)


def filter(name: str, *, over: str = "rows", examples: tuple[Example, ...] = ()) -> Callable[[Function], Function]:
    """Make a filter of a function.

    Over rows it returns whether the row is kept, or a pair of a dictionary of stats and whether it is kept. Over batches it
    returns an array of booleans. Everything else is as for `mapper`.
    """
    return _decorator(Filter, name, over, examples)


def _decorator(
    base: type[Op], name: str, over: str, examples: tuple[Example, ...]
) -> Callable[[Function], Function]:
    if over not in ("rows", "batches"):
        raise RecipeError(f"{name}: over must be one of rows, batches, got {over!r}")

    def decorate(function: Function) -> Function:
        declare_custom(base, name, function, f"custom_{base.kind}_of_{over}", list(_arguments(function))[1:], examples)
        return function

    return decorate


def declare_custom(
    base: type[Op],
    name: str,
    function: Callable[..., Any],
    fn: str,
    arguments: list[inspect.Parameter],
    examples: tuple[Example, ...] = (),
) -> None:
    """Declare an OP whose rows go through `function` by the Python function `fn`.

    Raises
    ------
    RecipeError
        If an OP of djfast has the name, or an argument cannot be a parameter.
    """
    known = REGISTRY.get(name)
    if (known is not None and name not in CUSTOM) or _is_built_in(name):
        raise RecipeError(f"an OP of one's own must not have the name of one of djfast, got {name!r}")
    summary, docs = _documented(function)
    body: dict[str, Any] = {"__doc__": summary, "__module__": getattr(function, "__module__", __name__), "examples": examples}
    annotations = {}
    for argument in arguments:
        default = MISSING if argument.default is inspect.Parameter.empty else argument.default
        annotations[argument.name] = _type_name(name, argument)
        body[argument.name] = param(docs.get(argument.name, "Not described."), default=default)
    names = tuple(annotations)

    def rewrite(op: Op) -> Expr:
        # As a text, parameters of any shape are values that can be compared.
        return call(fn, row(), op=name, params=json.dumps({each: getattr(op, each) for each in names}))

    CUSTOM[name] = function
    types.new_class(
        "".join(part.title() for part in name.split("_")),
        (base,),
        {"name": name},
        lambda namespace: namespace.update({**body, "__annotations__": annotations, "rewrite": rewrite}),
    )


def _is_built_in(name: str) -> bool:
    from djfast.catalog import OPS

    return name in OPS


def _arguments(function: Callable[..., Any]) -> list[inspect.Parameter]:
    signature = inspect.signature(function)
    hints = typing.get_type_hints(function)
    arguments = [each.replace(annotation=hints.get(each.name, Any)) for each in signature.parameters.values()]
    if not arguments:
        raise RecipeError(f"{function.__name__} must take the row as its first argument")
    return arguments


def _type_name(op: str, argument: inspect.Parameter) -> str:
    """Return an annotation in the words of `declare.Param`."""
    if argument.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        raise RecipeError(f"{op}: parameters must have names, got *{argument.name}")
    found = _spelled(argument.annotation)
    if found is None:
        allowed = "int, float, str, bool, dict, Any, lists of them, or unions of them"
        raise RecipeError(f"{op}: {argument.name} must be annotated with {allowed}, got {argument.annotation!r}")
    return found if argument.default is not None or "None" in found or found == "any" else f"{found} | None"


def _spelled(annotation: Any) -> str | None:
    if annotation in _TYPES:
        return _TYPES[annotation]
    inside = [_spelled(each) for each in typing.get_args(annotation)]
    origin = typing.get_origin(annotation)
    if origin is list and inside and inside[0] not in (None, "None", "any"):
        return f"list[{inside[0]}]"
    if origin in (typing.Union, types.UnionType) and None not in inside:
        return " | ".join(str(each) for each in inside)
    return "dict" if origin is dict else None


def _documented(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Return the docstring before its sections, and the lines of its parameters."""
    text = inspect.getdoc(function) or f"Runs {function.__name__}."
    summary, _, rest = text.partition("\nParameters\n")
    docs: dict[str, str] = {}
    current = None
    for line in rest.split("\n")[1:]:
        if re.fullmatch(r"-{3,}", line):
            break  # the underline of the next section
        if line and not line[0].isspace():
            current = line.partition(":")[0].strip()
            docs[current] = ""
        elif current and line.strip():
            docs[current] = f"{docs[current]} {line.strip()}".strip()
    return summary.strip(), {name: doc for name, doc in docs.items() if doc}
