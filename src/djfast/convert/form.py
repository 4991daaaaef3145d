"""What a form of data sets is: how its rows become common rows, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from djfast.declare import Param
from djfast.errors import RecipeError
from djfast.records import NamedTuple
from djfast.spelling import did_you_mean
from djfast.type_names import spoken_type

Row = dict[str, Any]
Options = Mapping[str, Any]
# Takes the options once, and returns what converts a row.
Prepare = Callable[[Options], Callable[[Row], Row]]

EOC = Param("eoc_special_token", "str", "End of a chunk of text and its media.", "<|__dj__eoc|>")
ADD_EOC = Param("add_eoc_at_last", "bool", "End the text with this token, too.", True)
KEEP = Param("keep_other_fields", "bool", "Keep fields that the conversion does not know.", True)


def media_token(kind: str, default: str | None = None) -> Param:
    """Return the option for what stands for a medium in a text."""
    return Param(f"{kind}_special_token", "str", f"What stands for {kind} in a text.", default or f"<__dj__{kind}>")


def separator(default: str) -> Param:
    """Return the option for what stands between sentences and tokens."""
    return Param("sent_separator", "str", "What stands between sentences and tokens.", default)


def position(kind: str) -> Param:
    """Return the option for where a token stands; random is decided by the text, the same in every run."""
    doc = "Where the token stands by its text; random is decided by the text, the same in every run."
    return Param(f"{kind}_special_token_insert_pos", "str", doc, "before", choices=("before", "after", "random"))


class BadRow(ValueError):
    """A row that cannot be converted: the reason. It is rejected."""


class Form(NamedTuple):
    """A form of data sets.

    `layouts` are the formats of its files, the usual one first. `envelope` is the member of one JSON object that holds all
    rows, where they are no plain array; `head` says what else stands in it.
    """

    name: str
    doc: str
    layouts: tuple[str, ...]
    to_dj: Prepare
    from_dj: Prepare
    options: tuple[Param, ...]
    losses: str  # what a way there and back does not keep
    envelope: str | None = None
    head: Callable[[Options], Row] | None = None

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return all options, with defaults filled in.

        Raises
        ------
        RecipeError
            If one is unknown or wrong.
        """
        known = {param.name: param for param in self.options}
        for name in given:
            if name not in known:
                raise RecipeError(
                    f"{self.name} has no such option{did_you_mean(name, known)}; it has {', '.join(known)}, got {name!r}"
                )
        options = {name: param.check(given.get(name, param.default)) for name, param in known.items()}
        for name, value in options.items():
            if name.endswith("_special_token") and not value:
                raise RecipeError(f"{name} must not be empty, got {value!r}")
        return options


def text_of(row: Row, field: str) -> str:
    """Return a field that must be a string."""
    value = row.get(field)
    if not isinstance(value, str):
        raise BadRow(f"{field} must be a string, got {_shown(row, field)}")
    return value


def list_of(row: Row, field: str) -> list[Any]:
    """Return a field that must be a list."""
    value = row.get(field)
    if not isinstance(value, list):
        raise BadRow(f"{field} must be a list, got {_shown(row, field)}")
    return value


def texts_of(row: Row, field: str) -> list[str]:
    """Return a field that must be a list of strings; an absent or null one is empty."""
    values = [] if row.get(field) is None else list_of(row, field)
    if not all(isinstance(value, str) for value in values):
        raise BadRow(f"{field} must be a list of strings")
    return values


def without(row: Row, *fields: str) -> Row:
    """Return the other fields of a row."""
    return {name: value for name, value in row.items() if name not in fields}


def _shown(row: Row, field: str) -> str:
    return spoken_type(row[field]) if field in row else "nothing"
