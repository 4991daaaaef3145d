"""Conditions on the values of fields, which come as JSON."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

Answer = TypeVar("Answer")
Node = Callable[[Sequence[Any]], Any]

_SHORT = 200  # characters of values that are worth remembering


def bind_field_value() -> Callable[[str], str]:
    """Return the function that gives a value as it is, and null for none."""
    return lambda value: value or "null"


def bind_condition(tree: tuple[Any, ...]) -> Callable[..., str]:
    """Return the function that evaluates a condition of `djfast.ops.conditions` on the values of its fields.

    A missing field is null. A comparison with null is false, but null is ``not in`` anything. All values of a chain of
    comparisons are evaluated, ``and`` and ``or`` stop at the first that decides and give a boolean.

    Returns
    -------
    Callable[..., str]
        Its answer is JSON. It raises TypeError for values that cannot be compared.
    """
    evaluate = _node(tree)
    return _remembered(lambda *values: json.dumps(evaluate([json.loads(value) if value else None for value in values])))


def bind_is_truthy() -> Callable[[str], bool]:
    """Return the function that tells whether a value is something else than null, false, zero or empty; no value is true."""
    return _remembered(lambda value: bool(json.loads(value)) if value else True)


def bind_is_among(*, values: Sequence[str], reverse: bool) -> Callable[[str], bool]:
    """Return the function that tells whether a value, or every element of a list, is one of `values`.

    Parameters
    ----------
    values : sequence of str
        As JSON. Values are equal as in Python: 1, 1.0 and true are.
    reverse : bool
        Negate the answer.
    """
    wanted = [json.loads(value) for value in values]

    def is_among(value: str) -> bool:
        found = json.loads(value) if value else None
        elements = found if isinstance(found, list) else [found]
        return all(element in wanted for element in elements) != reverse

    return _remembered(is_among)


def bind_is_number_in_range(
    *, low: float, high: float, low_closed: bool, high_closed: bool, reverse: bool
) -> Callable[[str], bool]:
    """Return the function that tells whether a number, or a text that spells one, lies in an interval.

    Zero, false, null, the empty text and texts that spell no number do not, and do not lie outside either. NaN lies
    outside. The function raises TypeError for a list or an object.
    """

    def is_number_in_range(value: str) -> bool:
        found = json.loads(value) if value else None
        if isinstance(found, list | dict):
            raise TypeError(f"a number or a text that spells one is needed, got {value[:40]}")
        try:
            number = float(found or "none")
        except (ValueError, OverflowError):
            return False
        above = number >= low if low_closed else number > low
        below = number <= high if high_closed else number < high
        return (above and below) != reverse

    return _remembered(is_number_in_range)


def _remembered(function: Callable[..., Answer]) -> Callable[..., Answer]:
    """Return a function that computes the answers for short values once: most fields have few."""
    remembering = lru_cache(maxsize=4096)(function)

    def answer(*values: str) -> Answer:
        return (remembering if sum(map(len, values)) <= _SHORT else function)(*values)

    return answer


def _node(tree: tuple[Any, ...]) -> Node:
    """Return the function of the fields' values that a tree stands for."""
    kind, inside = tree[0], tree[1]
    if kind == "field":
        return operator.itemgetter(inside)
    if kind == "value":
        constant = json.loads(inside)
        return lambda values: constant
    if kind == "compare":
        return _comparison(_node(inside), [(link, _node(right)) for link, right in tree[2]])
    if kind in ("list", "tuple", "set"):
        collect: Callable[[Any], Any] = {"list": list, "tuple": tuple, "set": set}[kind]
        elements = [_node(each) for each in inside]
        return lambda values: collect([element(values) for element in elements])
    if kind in ("and", "or"):
        parts = [_node(each) for each in inside]
        decide = all if kind == "and" else any
        return lambda values: decide(part(values) for part in parts)
    operand, apply = _node(inside), _SIGNS[kind]
    return lambda values: apply(operand(values))


_SIGNS: dict[str, Callable[[Any], Any]] = {"not": operator.not_, "minus": operator.neg, "plus": operator.pos}
_LINKS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
    "in": lambda left, right: left in right, "not in": lambda left, right: left not in right,
}  # fmt: skip


def _comparison(first: Node, links: Sequence[tuple[str, Node]]) -> Node:
    """Return a chain of comparisons."""

    def compare(values: Sequence[Any]) -> bool:
        left = first(values)
        for name, right in [(name, node(values)) for name, node in links]:
            holds = name == "not in" if left is None or right is None else _LINKS[name](left, right)
            if not holds:
                return False
            left = right
        return True

    return compare
