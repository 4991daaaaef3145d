"""The OPs by their names: those of djfast, of other packages and of the user. Their modules are imported when they are needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from djfast.declare import MAX_FUSED_DEPTH, REGISTRY, Fused, Op, OpSpec
from djfast.errors import RecipeError
from djfast.ops import OPS as OPS

_LONGEST_SHOWN = 200  # characters of a value in a message

def names() -> tuple[str, ...]:
    """Names of all OPs, in alphabetical order."""
    return tuple(sorted({*OPS, *REGISTRY, *_entry_points()}))


def find(name: str) -> OpSpec:
    """Return what is known about an OP, by its name or one that it had; imports its module if need be.

    Raises
    ------
    RecipeError
        If there is no such OP; the message tells a misspelt name from an OP of Data-Juicer that is missing here.
    """
    if name not in REGISTRY:
        if name in OPS:
            import_module(OPS[name])
        elif name in (others := _entry_points()):
            others[name].load()
    if name in REGISTRY:
        return REGISTRY[name]
    from djfast.former_names import OPS as FORMER

    if name in FORMER:
        return find(FORMER[name])
    raise RecipeError(_no_such_op(name))


def all_specs() -> tuple[OpSpec, ...]:
    """Return what is known about every OP, in alphabetical order; imports all modules."""
    return tuple(find(name) for name in names())


def load_ops(*process: Any) -> list[Op]:
    """Make the OPs of a list as recipes have it: `[{"text_length_filter": {"min_len": 5}}, "clean_email_mapper"]`.

    Parameters
    ----------
    *process
        Each a name, a mapping of names to parameters (several are OPs in their order), a function that was decorated with
        `djfast.mapper` or `djfast.filter`, an OP, or a list of these.

    Raises
    ------
    RecipeError
        For the first unknown OP or parameter or wrong value, those that fused OPs list included.
    """
    ops = [op for item in process for op in _listed(item)]
    flattened(ops)
    return ops


def _listed(item: Any) -> list[Op]:
    """Return the OPs that a user named in one of several ways."""
    if isinstance(item, Op):
        return [item]
    if isinstance(item, str):
        return [_made(item)]
    if isinstance(item, Mapping):
        if not item:
            raise RecipeError(_not_an_op(item))
        return [_made({name: given}) for name, given in item.items()]
    if isinstance(item, type) and issubclass(item, Op) and hasattr(item, "spec"):
        return [item()]
    if callable(item):
        return [_made(_name_of(item))]
    if isinstance(item, Iterable) and not isinstance(item, bytes):
        return [op for each in item for op in _listed(each)]
    raise RecipeError(_not_an_op(item))


def _not_an_op(item: Any) -> str:
    """Message for what is no OP."""
    shown = repr(item)
    return (
        "an OP is given as its name, as a mapping of its name to its parameters, as a decorated function or as an object of its "
        f"class, got {shown if len(shown) <= _LONGEST_SHOWN else shown[:_LONGEST_SHOWN] + '...'}"
    )


def _name_of(function: Any) -> str:
    """Return the OP that a decorated function is."""
    from djfast.functions.custom import CUSTOM

    for name, known in reversed(CUSTOM.items()):
        if known is function:
            return name
    shown = getattr(function, "__name__", repr(function))
    raise RecipeError(
        "a function is an OP if it is decorated with @djfast.mapper or @djfast.filter; Dataset.map and Dataset.filter take plain "
        f"functions, got {shown}"
    )


def flattened(ops: Iterable[Op], depth: int = 0) -> list[Op]:
    """Return OPs with those that fused ones list in their place.

    Raises
    ------
    RecipeError
        As `load_ops` does, and for fused OPs that are nested too deep.
    """
    flat: list[Op] = []
    for op in ops:
        if not isinstance(op, Fused):
            flat.append(op)
        elif depth == MAX_FUSED_DEPTH:
            raise RecipeError(fused_too_deep(op.spec))
        else:
            members = [_made(item) for name in op.member_lists for item in getattr(op, name) or ()]
            flat += flattened(members, depth + 1)
    return flat


def no_such_parameter(spec: OpSpec, given: str) -> str:
    """Message for a parameter that the OP does not have."""
    from djfast.spelling import did_you_mean

    known = [param.name for param in spec.params]
    return f"{spec.name}: no such parameter{did_you_mean(given, known)}, got {given!r}"


def fused_too_deep(spec: OpSpec) -> str:
    """Message for fused OPs that are nested without end."""
    return f"{spec.name}: fused OPs must not be nested deeper than {MAX_FUSED_DEPTH} levels"


def _made(item: str | Mapping[str, Mapping[str, Any] | None]) -> Op:
    if isinstance(item, str):
        return find(item).cls()
    if not isinstance(item, Mapping) or len(item) != 1:
        raise RecipeError(_not_an_op(item))
    [(name, given)] = item.items()
    if not isinstance(name, str) or not isinstance(given, Mapping | None):
        raise RecipeError(f"{name}: parameters must be a mapping or null, got {given!r}")
    spec = find(name)
    known = {param.name for param in spec.params}
    for parameter in given or {}:
        if not isinstance(parameter, str):
            raise RecipeError(f"{name}: parameters must have names, got {parameter!r}")
    values = dict(given or {})
    if not spec.cls.takes_others and values.keys() - known:
        from djfast.former_names import todays_parameters

        values, _ = todays_parameters(spec.name, values, known)
        for parameter in values:
            if parameter not in known:
                raise RecipeError(no_such_parameter(spec, parameter))
    return spec.cls(**values)


@cache
def _entry_points() -> dict[str, Any]:
    """OPs of other packages, by name: what each calls `djfast.ops` in its metadata. Those of djfast itself come first."""
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group="djfast.ops") if entry.name not in OPS}


def _no_such_op(name: str) -> str:
    from djfast.former_names import GONE_OPS
    from djfast.peer_names import NEVER_HERE, PEER_NAMES
    from djfast.spelling import did_you_mean, nearest

    if name in NEVER_HERE:
        return f"{name} is an OP of Data-Juicer that djfast will not have: {NEVER_HERE[name]}"
    if name in GONE_OPS:
        return f"{name} is gone since Data-Juicer 1.0; {GONE_OPS[name]} comes nearest, with other parameters and fields"
    if name in PEER_NAMES:
        twin = name.removeprefix("ray_")
        hint = f"; {twin} does the same here" if twin != name and twin in OPS else ""
        return f"{name} is an OP of Data-Juicer that djfast does not have yet{hint}"
    # One wrong letter in the name of an OP that is missing here; else one that is here is meant.
    missing = nearest(name[:100], {*names(), *PEER_NAMES}, likeness=0.9)
    return f"no such OP{did_you_mean(name, [missing] if missing else names())}, got {name!r}"
