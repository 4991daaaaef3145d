"""What a value is, in the words of messages."""

from __future__ import annotations

from typing import Any

_WORDS = {
    "NoneType": "null", "bool": "boolean", "int": "integer", "float": "number", "str": "string", "dict": "mapping"
}  # fmt: skip


def type_name(value: Any) -> str:
    """Return the name of a value's type, with the package that it comes from."""
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def spoken_type(value: Any) -> str:
    """Return what a value is in the words of the documentation: string, integer, null; the name of any other type."""
    name = type_name(value)
    return _WORDS.get(name, name)
