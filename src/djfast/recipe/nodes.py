"""A recipe as a tree that knows where each value stands."""

from __future__ import annotations

from typing import Any, NamedTuple


class Scalar(NamedTuple):
    """A single value, still as its text: what it means is decided when it is read."""

    where: str
    text: str
    is_plain: bool = True  # not quoted: numbers, booleans and null are recognised
    tag: str | None = None


class Sequence(NamedTuple):
    """A list."""

    where: str
    items: list[Any]


class Mapping(NamedTuple):
    """A mapping of texts to nodes; the place of a node in it is that of its key."""

    where: str
    entries: dict[str, Any]


class Given(NamedTuple):
    """A value that came from Python and not from a text."""

    where: str
    value: Any


Node = Scalar | Sequence | Mapping | Given
