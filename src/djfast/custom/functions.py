"""Decorators that make OPs of functions: parameters, schema and docs come from the function."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar, overload

from djfast.declare import MISSING, REGISTRY, Example, Filter, Mapper, Op, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, row
from djfast.functions.custom import CUSTOM, parameters_of
from djfast.functions.failures import innermost
from djfast.plain_values import plain

Function = TypeVar("Function", bound=Callable[..., Any])

_TYPES = {int: "int", float: "float", str: "str", bool: "bool", dict: "dict", list: "list", type(None): "None", Any: "any"}


@overload
def mapper(name: Function) -> Function: ...
@overload
def mapper(
    name: str | None = None, *, over: str = "rows", examples: tuple[Example, ...] = ()
) -> Callable[[Function], Function]: ...
def mapper(name: Any = None, *, over: str = "rows", examples: tuple[Example, ...] = ()) -> Any:
    """Make a mapper of a function.

    Parameters
    ----------
    name : str, optional
        The OP's name in recipes; by default that of the function, which then may be decorated with ``@djfast.mapper`` alone.
    over : {"rows", "batches"}
        ``rows``: the function takes a row as a dictionary, which it may change, and returns the row, a list of rows, or
        `djfast.DROP` to drop it. ``batches``: it takes a ``pyarrow.RecordBatch`` and returns one, with any number of rows; rows
        that are bad are found by calling it with each row alone.
    examples : tuple of Example
        Shown in the docs.

    Notes
    -----
    The function's other arguments are the OP's parameters, with their annotations as types, their defaults, and their lines in
    the docstring's ``Parameters`` section as docs. A function with ``**kwargs`` takes parameters of any name.

    Examples
    --------
    >>> @mapper("shout_mapper")
    ... def shout(row, mark: str = "!"):
    ...     \"\"\"Makes the text loud.\"\"\"
    ...     row["text"] = row["text"].upper() + mark
    ...     return row
    """
    return _decorator(Mapper, name, over, examples)


@overload
def filter(name: Function) -> Function: ...
@overload
def filter(
    name: str | None = None, *, over: str = "rows", examples: tuple[Example, ...] = ()
) -> Callable[[Function], Function]: ...
def filter(name: Any = None, *, over: str = "rows", examples: tuple[Example, ...] = ()) -> Any:
    """Make a filter of a function.

    Over rows it returns whether the row is kept, or a pair of a dictionary of stats and whether it is kept. Over batches it
    returns an array of booleans. Everything else is as for `mapper`.
    """
    return _decorator(Filter, name, over, examples)


def _decorator(base: type[Op], name: Any, over: str, examples: tuple[Example, ...]) -> Any:
    if over not in ("rows", "batches"):
        raise RecipeError(f"{name}: over must be one of rows, batches, got {over!r}")

    def decorate(function: Function, name: Any = name) -> Function:
        if name is None:
            name = getattr(function, "__name__", "")
        declare_custom(base, name, function, f"custom_{base.kind}_of_{over}", arguments_of(function)[1:], examples)
        return function

    return decorate(name, None) if callable(name) else decorate


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
        If the name cannot be one, an OP of djfast has it, or an argument cannot be a parameter.
    """
    _check_name(name)
    summary, docs = _documented(function)
    body: dict[str, Any] = {"__doc__": summary, "__module__": getattr(function, "__module__", __name__), "examples": examples}
    annotations = {}
    takes_others = False
    for argument in arguments:
        if argument.kind is argument.VAR_POSITIONAL:
            continue
        if argument.kind is argument.VAR_KEYWORD:
            takes_others = True
            continue
        if hasattr(base, argument.name):
            if not inspect.isclass(function):
                raise RecipeError(f"{name}: an argument must not have a name that OPs use themselves, got {argument.name!r}")
            takes_others = True  # the class was not written for djfast, so it is handed over as one that is not declared
            continue
        default = MISSING if argument.default is inspect.Parameter.empty else argument.default
        annotations[argument.name] = _type_name(name, argument)
        body[argument.name] = param(docs.get(argument.name, "Not described."), default=default)
    names = tuple(annotations)

    def rewrite(op: Op) -> Expr:
        own = {**{each: getattr(op, each) for each in names}, **op.others}
        if not fn.startswith("adapted"):
            return call(fn, row(), op=name, params=_as_text(name, own))
        common = {each.name: getattr(op, each.name) for each in op.spec.params if each.common}
        given = {each: value for each, value in common.items() if each in op.given()}
        return call(fn, row(), op=name, params=_as_text(name, [own, given]), text_key="text")

    CUSTOM[name] = function
    body.update({"__annotations__": annotations, "rewrite": rewrite, "takes_others": takes_others, "__reduce__": _reduced})
    types.new_class("".join(part.title() for part in name.split("_")), (base,), {"name": name}, lambda space: space.update(body))


def _as_text(op: str, params: Any) -> str:
    """Return parameters of any shape as a text, so that they can be compared."""
    try:
        return json.dumps(params, default=plain)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{op}: parameters must have values that JSON has: {error}") from None


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.isidentifier():
        raise RecipeError(f"the name of an OP must be letters, digits and underscores, beginning with a letter, got {name!r}")
    known = REGISTRY.get(name)
    if (known is not None and name not in CUSTOM) or _is_built_in(name):
        raise RecipeError(f"an OP of yours must not have the name of one of djfast's, got {name!r}")


def _reduced(op: Op) -> tuple[Any, ...]:
    """Return how an OP of the user is made again in another process: the module that defines it is imported there."""
    given = {param.name: getattr(op, param.name) for param in op.spec.params if getattr(op, param.name) != param.default}
    return restored, (type(op).__module__, op.spec.name, {**given, **op.others})


def restored(module: str, name: str, given: dict[str, Any]) -> Op:
    """Make an OP of the user again.

    Raises
    ------
    RecipeError
        If its module does not declare it.
    """
    if name not in REGISTRY:
        importlib.import_module(module)
    if name not in REGISTRY:
        raise RecipeError(f"module {module} does not declare the OP at its top level, so it cannot be pickled, got {name!r}")
    return REGISTRY[name].cls(**given)


class FunctionMapper(Mapper, name="map", is_listed=False):
    """Applies a function to each row, as `mapper` says."""

    function: any = param("The function.")  # type: ignore[valid-type]
    over: str = param("What it takes.", default="rows", choices=("rows", "batches"))

    def rewrite(self) -> Expr:
        """Return the rows as the function leaves them."""
        return call(f"custom_mapper_of_{self.over}", row(), op=self.function, params="{}")


class FunctionFilter(Filter, name="filter", is_listed=False):
    """Keeps the rows for which a function says so, as `filter` says."""

    function: any = param("The function.")  # type: ignore[valid-type]
    over: str = param("What it takes.", default="rows", choices=("rows", "batches"))

    def rewrite(self) -> Expr:
        """Return each row, and whether it is kept."""
        return call(f"custom_filter_of_{self.over}", row(), op=self.function, params="{}")


def _is_built_in(name: str) -> bool:
    from djfast.catalog import OPS

    return name in OPS


def arguments_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the arguments of a function, a partial or an object that can be called, with their annotations.

    Raises
    ------
    RecipeError
        If it is none, or takes no row.
    """
    shown = getattr(function, "__name__", type(function).__name__)
    if not callable(function) or inspect.isclass(function):
        raise RecipeError(f"an OP must be a function or a callable object, got {function!r}")
    if inspect.iscoroutinefunction(innermost(function)):
        raise RecipeError(f"{shown} must not be async: it is called row by row, without an event loop")
    try:
        arguments = parameters_of(function)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"the arguments of {shown} cannot be read ({error}); wrap it in a function") from None
    if not arguments or arguments[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise RecipeError(f"{shown} must take the row as its first argument")
    names = getattr(innermost(function), "__globals__", {})
    return [each.replace(annotation=_evaluated(each.annotation, names)) for each in arguments]


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    """Return an annotation that is written as a text; one that only type checkers can read says nothing."""
    if annotation is inspect.Parameter.empty:
        return Any
    if isinstance(annotation, typing.ForwardRef):
        return Any
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, dict(names))  # what Python does with it, too
    except Exception:
        return Any


def _type_name(op: str, argument: inspect.Parameter) -> str:
    """Return an annotation in the words of `declare.Param`."""
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
    described = innermost(function)
    text = inspect.getdoc(described) or f"Runs {getattr(described, '__name__', type(described).__name__)}."
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
