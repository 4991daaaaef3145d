"""Answers in JSON: asking for a schema, reading what models make of it, and checking it.

A JSON schema here is a small part of the standard: ``type``, ``properties``, ``required``, ``additionalProperties`` (true
or false), ``items``, ``enum``, ``minimum`` and ``maximum``; descriptions are passed on to the model.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from djfast.errors import RecipeError, UnusableAnswerError

_DEPTH = 64
_LONGEST = 4 << 20  # characters of an answer that is read
_CANDIDATES = 32
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
_ANNOTATIONS = ("title", "description", "default", "examples", "$schema")
_KEYWORDS = ("type", "properties", "required", "additionalProperties", "items", "enum", "minimum", "maximum", *_ANNOTATIONS)
_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)
_SPACE = re.compile(r"\s*")
_BARE = re.compile(r"[^\s,:{}\[\]\"']+")
_NUMBER = re.compile(r"[+-]?\d{1,4000}(\.\d*)?([eE][+-]?\d{1,3})?|[+-]?\.\d+", re.ASCII)
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
_ESCAPES = {'"': '"', "'": "'", "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{4}")


def response_format(schema: Mapping[str, Any], *, name: str = "answer") -> dict[str, Any]:
    """Return the parameter of a chat request that holds the answer to a schema."""
    return {"type": "json_schema", "json_schema": {"name": name, "schema": dict(schema)}}


def read_json(text: str, schema: Mapping[str, Any] | None = None) -> Any:
    """Return the first value in a model's answer that fits the schema; by default the first object.

    Looked at in turn are the whole text, each block in code fences, and what stands between other words. Repaired are
    trailing commas, single quotes, bare names, control characters and wrong escapes in strings, Python's spelling of
    constants, and a cut-off end: what is open is closed, and a name without its value is dropped.

    Raises
    ------
    UnusableAnswerError
        If nothing fits; with the reason for the first candidate.
    """
    wanted = schema if schema is not None else {"type": "object"}
    first: str | None = None
    for value in _candidates(text[:_LONGEST]):
        reason = mismatch(value, wanted)
        if reason is None:
            return value
        first = first or reason
    if first is None:
        raise UnusableAnswerError(f"the answer must hold JSON, got {text[:80]!r}")
    raise UnusableAnswerError(f"the answer does not fit: {first}")


def mismatch(value: Any, schema: Mapping[str, Any], *, where: str = "the answer") -> str | None:
    """Return why a value does not fit a schema, or None if it does."""
    kinds = _kinds(schema)
    if kinds and not any(_is(value, kind) for kind in kinds):
        return f"{where} must be {' or '.join(kinds)}, got {_short(value)}"
    if "enum" in schema and not any(_equal(value, each) for each in schema["enum"]):
        return f"{where} must be one of {', '.join(map(_short, schema['enum']))}, got {_short(value)}"
    if _is(value, "number"):
        if value < schema.get("minimum", value):
            return f"{where} must be >= {schema['minimum']}, got {_short(value)}"
        if value > schema.get("maximum", value):
            return f"{where} must be <= {schema['maximum']}, got {_short(value)}"
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                return f"{where} must have {name}, got {', '.join(map(_short, list(value)[:10])) or 'nothing'}"
        for name, each in value.items():
            if name in properties:
                reason = mismatch(each, properties[name], where=f"{where}.{name}")
                if reason is not None:
                    return reason
            elif schema.get("additionalProperties") is False:
                return f"{where} must have nothing but {', '.join(properties)}, got {_short(name)}"
    if isinstance(value, list) and "items" in schema:
        for index, each in enumerate(value):
            reason = mismatch(each, schema["items"], where=f"{where}[{index}]")
            if reason is not None:
                return reason
    return None


def check_schema(schema: Any, *, where: str = "schema", depth: int = 0) -> None:
    """Check that a schema says nothing that would not be checked.

    Raises
    ------
    RecipeError
    """
    if depth > _DEPTH:
        raise RecipeError(f"{where} must not be deeper than {_DEPTH}")
    if not isinstance(schema, Mapping):
        raise RecipeError(f"{where} must be a mapping, got {_short(schema)}")
    for keyword in schema:
        if keyword not in _KEYWORDS:
            raise RecipeError(f"{where} may hold {', '.join(_KEYWORDS)}, got {keyword!r}")
    for kind in _kinds(schema):
        if not isinstance(kind, str) or kind not in _TYPES:
            raise RecipeError(f"{where}.type must be one of {', '.join(_TYPES)}, got {_short(kind)}")
    if not isinstance(schema.get("properties", {}), Mapping):
        raise RecipeError(f"{where}.properties must be a mapping, got {_short(schema['properties'])}")
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise RecipeError(f"{where}.required must be a list of names, got {_short(required)}")
    if not isinstance(schema.get("enum", []), list):
        raise RecipeError(f"{where}.enum must be a list, got {_short(schema['enum'])}")
    if not isinstance(schema.get("additionalProperties", True), bool):
        raise RecipeError(f"{where}.additionalProperties must be true or false, got {_short(schema['additionalProperties'])}")
    for bound in ("minimum", "maximum"):
        if not _is(schema.get(bound, 0), "number"):
            raise RecipeError(f"{where}.{bound} must be a number, got {_short(schema[bound])}")
    for name, each in schema.get("properties", {}).items():
        check_schema(each, where=f"{where}.properties.{name}", depth=depth + 1)
    if "items" in schema:
        check_schema(schema["items"], where=f"{where}.items", depth=depth + 1)


def _kinds(schema: Mapping[str, Any]) -> list[Any]:
    kinds = schema.get("type", [])
    return kinds if isinstance(kinds, list) else [kinds]


def _is(value: Any, kind: str) -> bool:
    """Whether a value is of a JSON type. True is no number, and 4.0 is an integer, as in the standard."""
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])


def _equal(left: Any, right: Any) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _short(value: Any) -> str:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    shown = shown if len(shown) <= 60 else shown[:60] + "..."
    return repr(shown) if isinstance(value, str) else shown


def _candidates(text: str) -> Iterator[Any]:
    """Yield the values that may be meant."""
    try:
        whole = _clean(json.loads(text, parse_constant=_refuse, parse_float=_finite))
    except (ValueError, RecursionError, _UnreadableError):
        pass
    else:
        yield whole
        return
    for block in _FENCE.finditer(text):
        yield from _values_between(block[1])
    yield from _values_between(text)


def _values_between(text: str) -> Iterator[Any]:
    """Yield the objects and arrays that stand in a text, from left to right; at most some."""
    decoder = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
    position = 0
    for _ in range(_CANDIDATES):
        start = re.compile(r"[{\[]").search(text, position)
        if start is None:
            return
        try:
            value, position = decoder.raw_decode(text, start.start())
            value = _clean(value)
        except (ValueError, RecursionError, _UnreadableError):
            reader = _LenientReader(text, start.start())
            try:
                value = _clean(reader.value(0))
            except _UnreadableError:
                position = start.end()
                continue
            position = reader.position
        yield value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is too large")
    return value


def _clean(value: Any, depth: int = 0) -> Any:
    """Replace halves of surrogate pairs, which cannot be written, and refuse what is too deep."""
    if depth > _DEPTH:
        raise _UnreadableError
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_clean(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {_clean(name): _clean(each, depth + 1) for name, each in value.items()}
    return value


class _UnreadableError(Exception):
    """There is no value here."""


_CUT_OFF = object()
"""What stands for a number that the text ends with: nobody knows how many digits are missing."""


class _LenientReader:
    """Reads JSON as models write it, from one position on. Linear in the text."""

    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position

    def value(self, depth: int) -> Any:
        if depth > _DEPTH:
            raise _UnreadableError
        mark = self._next()
        if mark == "{":
            return self._object(depth)
        if mark == "[":
            return self._array(depth)
        if mark in ('"', "'"):
            return self._string()
        return self._word()

    def _next(self) -> str:
        """Return the next character that is no space, or nothing at the end."""
        match = _SPACE.match(self.text, self.position)
        assert match is not None
        self.position = match.end()
        return self.text[self.position : self.position + 1]

    def _object(self, depth: int) -> dict[str, Any]:
        self.position += 1
        found: dict[str, Any] = {}
        while (mark := self._next()) and mark != "}":
            if mark == ",":
                self.position += 1
                continue
            name = self._string() if mark in ('"', "'") else self._bare()
            separator = self._next()
            if separator == "":  # cut off: a name without its value
                return found
            if separator != ":":
                raise _UnreadableError
            self.position += 1
            if self._next() == "":
                return found
            value = self.value(depth + 1)
            if value is _CUT_OFF:
                return found
            found[name] = value
            if self._next() not in (",", "}", ""):
                raise _UnreadableError
        self.position += 1
        return found

    def _array(self, depth: int) -> list[Any]:
        self.position += 1
        found: list[Any] = []
        while (mark := self._next()) and mark != "]":
            if mark == ",":
                self.position += 1
                continue
            value = self.value(depth + 1)
            if value is _CUT_OFF:
                return found
            found.append(value)
            if self._next() not in (",", "]", ""):
                raise _UnreadableError
        self.position += 1
        return found

    def _string(self) -> str:
        text, quote = self.text, self.text[self.position]
        stop = re.compile(r"[\\" + quote + "]")
        pieces: list[str] = []
        self.position += 1
        while (match := stop.search(text, self.position)) is not None:
            pieces.append(text[self.position : match.start()])
            self.position = match.end()
            if match[0] == quote:
                return "".join(pieces)
            pieces.append(self._escape())
        pieces.append(text[self.position :])
        self.position = len(text)
        return "".join(pieces)

    def _escape(self) -> str:
        """Return what a backslash and the next character mean; one that means nothing, as in LaTeX, stays."""
        letter = self.text[self.position : self.position + 1]
        if letter == "u" and (match := _HEXADECIMAL.match(self.text, self.position + 1)) is not None:
            self.position = match.end()
            return chr(int(match[0], 16))
        if letter in _ESCAPES:
            self.position += 1
            return _ESCAPES[letter]
        return "\\"

    def _bare(self) -> str:
        match = _BARE.match(self.text, self.position)
        if match is None:
            raise _UnreadableError
        self.position = match.end()
        return match[0]

    def _word(self) -> Any:
        """Return a number or a constant. At a cut-off end the beginning of a constant is one."""
        word = self._bare()
        is_cut_off = self.position == len(self.text)
        if word in _WORDS:
            return _WORDS[word]
        if _NUMBER.fullmatch(word) is not None:
            if is_cut_off:
                return _CUT_OFF
            try:
                return int(word)
            except ValueError:
                pass
            try:
                return _finite(word)
            except ValueError as error:
                raise _UnreadableError from error
        if is_cut_off:
            for constant, value in _WORDS.items():
                if constant.startswith(word):
                    return value
        raise _UnreadableError
