"""Checks of the input that a recipe asks for: what the first rows of every source must look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from djfast.errors import RecipeError
from djfast.records import NamedTuple
from djfast.spelling import did_you_mean
from djfast.type_names import spoken_type

_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
}
_ROLES = ("system", "user", "assistant")


class Check(NamedTuple):
    """One thing to look at in each row: `problem(row)` is None, or says what is wrong with it."""

    subject: str
    problem: Callable[[Mapping[str, Any]], str | None]
    allowed_share: float = 0.0


class Validator(NamedTuple):
    """One item of ``validators``."""

    kind: str
    sample_size: int
    checks: tuple[Check, ...]


def validators_of(items: Sequence[Mapping[str, Any]] | None) -> tuple[Validator, ...]:
    """Read the items of ``validators``.

    Raises
    ------
    RecipeError
        If one is wrong; the message starts with the key.
    """
    return tuple(_validator(f"validators.{index}", item) for index, item in enumerate(items or ()))


def _validator(place: str, item: Mapping[str, Any]) -> Validator:
    kind = item.get("type")
    makers: dict[str, tuple[tuple[str, ...], Callable[[str, Mapping[str, Any]], tuple[Check, ...]]]] = {
        "required_fields": (("required_fields", "allow_missing", "field_types"), _required_fields),
        "swift_messages": (("min_turns", "max_turns"), _messages),
        "dj_conversation": (("min_turns", "max_turns"), _conversation),
        "code": ((), lambda place, item: ()),
    }
    if kind not in makers:
        raise RecipeError(f"{place} must have a type of {', '.join(makers)}, got {kind!r}")
    names, make = makers[kind]
    for name in item:
        if name not in ("type", "sample_size", *names):
            raise RecipeError(f"{place} has no such key{did_you_mean(str(name), names)}, got {name!r}")
    return Validator(kind, _whole(place, item, "sample_size", 100), make(place, item))


def _required_fields(place: str, item: Mapping[str, Any]) -> tuple[Check, ...]:
    fields = item.get("required_fields")
    if not isinstance(fields, list) or not all(isinstance(name, str) for name in fields):
        raise RecipeError(f"{place} needs a list of names as required_fields, got {fields!r}")
    share = item.get("allow_missing", 0.0)
    if not isinstance(share, int | float) or not 0 <= share <= 1:
        raise RecipeError(f"{place} must have a share from 0 to 1 as allow_missing, got {share!r}")
    types = item.get("field_types") or {}
    if not isinstance(types, Mapping):
        raise RecipeError(f"{place} must have a mapping of names to types as field_types, got {types!r}")
    named = {name: kind.__name__ if isinstance(kind, type) else kind for name, kind in types.items()}
    for kind in named.values():
        if not isinstance(kind, str) or kind not in _TYPES:
            raise RecipeError(f"{place} must have types out of {', '.join(_TYPES)} in field_types, got {kind!r}")
    present = tuple(Check(f"field '{name}'", _presence(name), float(share)) for name in fields)
    return present + tuple(Check(f"type of field '{name}'", _type(name, kind)) for name, kind in named.items())


def _presence(name: str) -> Callable[[Mapping[str, Any]], str | None]:
    def problem(row: Mapping[str, Any]) -> str | None:
        if name not in row:
            return "is missing"
        return "is null" if row[name] is None else None

    return problem


def _type(name: str, kind: str) -> Callable[[Mapping[str, Any]], str | None]:
    def problem(row: Mapping[str, Any]) -> str | None:
        value = row.get(name)
        if value is None or (isinstance(value, _TYPES[kind]) and (kind == "bool" or not isinstance(value, bool))):
            return None
        return f"must be {kind}, got {spoken_type(value)}"

    return problem


def _messages(place: str, item: Mapping[str, Any]) -> tuple[Check, ...]:
    least, most = _turns(place, item)

    def problem(row: Mapping[str, Any]) -> str | None:
        messages = row.get("messages")
        if not isinstance(messages, list):
            return f"must be a list, got {spoken_type(messages)}"
        if not least <= len(messages) <= most:
            return f"must have {least} to {most} turns, got {len(messages)}"
        for number, message in enumerate(messages):
            if not isinstance(message, Mapping):
                return f"message {number} must be a mapping, got {spoken_type(message)}"
            if message.get("role") not in _ROLES:
                return f"message {number} must have a role of {', '.join(_ROLES)}, got {str(message.get('role'))[:50]!r}"
            if message.get("content") is None:
                return f"message {number} must have a content, got none"
        return None

    return (Check("field 'messages'", problem),)


def _conversation(place: str, item: Mapping[str, Any]) -> tuple[Check, ...]:
    least, most = _turns(place, item)

    def problem(row: Mapping[str, Any]) -> str | None:
        for name in ("instruction", "query", "response"):
            if not isinstance(row.get(name), str):
                return f"{name} must be a string, got {spoken_type(row.get(name))}"
        if not isinstance(row.get("system"), str | None):
            return f"system must be a string, got {spoken_type(row['system'])}"
        history = row.get("history")
        history = [] if history is None else history
        if not isinstance(history, list):
            return f"history must be a list, got {spoken_type(history)}"
        for number, turn in enumerate(history):
            if not (isinstance(turn, list) and len(turn) == 2 and all(isinstance(text, str) for text in turn)):
                return f"history must hold pairs of strings, turn {number} is none"
        if not least <= len(history) + 1 <= most:
            return f"must have {least} to {most} turns, got {len(history) + 1}"
        return None

    return (Check("conversation", problem),)


def _turns(place: str, item: Mapping[str, Any]) -> tuple[int, int]:
    least, most = _whole(place, item, "min_turns", 1), _whole(place, item, "max_turns", 100)
    if most < least:
        raise RecipeError(f"{place} must have max_turns >= min_turns ({least}), got {most}")
    return least, most


def _whole(place: str, item: Mapping[str, Any], name: str, default: int) -> int:
    value = item.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RecipeError(f"{place} must have an integer of at least 1 as {name}, got {value!r}")
    return value
