"""Answers in JSON: asking for a schema, reading what models make of it, and checking it.

A JSON schema here is a small part of the standard: ``type``, ``properties``, ``required``, ``additionalProperties`` (true
or false), ``items``, ``enum``, ``minimum`` and ``maximum``; descriptions are passed on to the model.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from djfast.errors import RecipeError, UnusableAnswerError
from djfast.records import NamedTuple

_DEPTH = 64
_LONGEST = 4 << 20  # characters of an answer that is read
_LONGEST_REPAIR = 1 << 14  # the package takes time that grows with the square of some texts
_MOST_MARKS = 256  # brackets and fences that are looked at
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
_MARK = re.compile(r"```|[{\[]")
_BRACKET = re.compile(r"[{}\[\]]")
_BRACKET_OR_TEXT = re.compile(r'[{}\[\]]|"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_LIKE_JSON = re.compile(r"\{\s*(?:[\"'“”„‘’}]|//|/\*|#|[\w-]+\s*:)|\[\s*[\"'“”„‘’{\[\]\d-]")
_SPACE = re.compile(r"(?:\s+|//[^\n]*|#[^\n]*|/\*.*?\*/)*", re.DOTALL)
_BARE = re.compile(r"[^\s,:{}\[\]\"'“”„‘’]+")
_CLOSING = {'"': '"', "'": "'", "“": "“”", "”": "“”", "„": "“”", "‘": "‘’", "’": "‘’"}
_BETWEEN = re.compile(r"[\s,;`]*(?:json)?[\s,;`]*", re.IGNORECASE)
_MEMBER = re.compile(r"""(?:["'“”„‘’][^"'“”„‘’\n]{1,100}["'“”„‘’]\s*:|[,(]\s*\w{1,100}\s*=)\s*\Z""")
_LINES_BEFORE = re.compile(r"^[ \t*-]*(\w{1,100})\**:[^\n]*\n[ \t*-]*\w{1,100}\**:\s*\Z", re.MULTILINE)
_BEFORE = 400  # characters that are looked at before a value
_AFTER_TEXT = re.compile(r"\s*(?:[,:}\]]|\Z)")
_ELLIPSES = ("...", "…")
_NO_NUMBERS = ("nan", "infinity", "-infinity", "inf", "-inf")
_NUMBER = re.compile(r"[+-]?\d{1,4000}(\.\d*)?([eE][+-]?\d{1,3})?|[+-]?\.\d+", re.ASCII)
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None, "undefined": None}
_ESCAPES = {'"': '"', "'": "'", "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{4}")


def response_format(schema: Mapping[str, Any], *, name: str = "answer") -> dict[str, Any]:
    """Return the parameter of a chat request that holds the answer to a schema."""
    return {"type": "json_schema", "json_schema": {"name": name, "schema": dict(schema)}}


def read_json(
    text: str, schema: Mapping[str, Any] | None = None, *, is_meant: Callable[[Any], bool] = lambda value: True
) -> Any:
    """Return the value in a model's answer that fits the schema; by default an object.

    It may stand between other words, in code fences, or alone in a list. Of several values that fit the last one is meant, as
    those before are drafts, and one in code fences rather than one between words. A value inside another one is never taken
    for the whole.

    Repaired are comments, trailing commas, single and typographic quotes, bare names, control characters and wrong escapes in
    strings, and Python's spelling of constants; what else is broken by the package json_repair, if that loses and
    adds nothing. An end that is cut off is not made up: at most closing braces may be missing, where all is there that the schema
    requires.

    Raises
    ------
    UnusableAnswerError
        If nothing fits; with the reason for the first candidate.
    """
    wanted = schema if schema is not None else {"type": "object"}
    first: str | None = None
    fitting: dict[bool, Any] = {}  # by whether it is fenced
    last: _Piece | None = None
    names = {name.lower() for name in (*wanted.get("properties", ()), *wanted.get("required", ()))}
    for piece in _pieces(text[:_LONGEST]):
        if not piece.problem and _is_member(text, piece.start, names):
            piece = piece._replace(problem="is broken around")
        if piece.problem or not (piece.is_closed or wanted.get("required")):
            fitting.clear()  # what came before was a draft of this
            first = first or f"the answer {piece.problem or 'is cut off'}: {_short(text[piece.start : piece.start + 80])}"
            continue
        value, reason = _fitted(piece.value, wanted)
        if reason is None and is_meant(value):
            if last is not None and _follows(text, last, piece) and last.value != value:
                fitting.pop(piece.is_fenced, None)  # a sequence, of which none is meant more than the others
                first = first or f"the answer must be one value, got {_short(last.value)} and {_short(value)}"
            else:
                fitting[piece.is_fenced] = value
            last = piece._replace(value=value)
        else:
            first = first or f"the answer does not fit: {reason or 'it is ' + _short(value)}"
    for is_fenced in (True, False):
        if is_fenced in fitting:
            return fitting[is_fenced]
    raise UnusableAnswerError(first or f"the answer must hold JSON, got {text[:80]!r}")


def _is_member(text: str, start: int, names: Collection[str]) -> bool:
    """Whether a value is part of a larger one that is not JSON: a brace is missing, or it is a Python call or lines of YAML."""
    before = text[max(0, start - _BEFORE) : start]
    lines = _LINES_BEFORE.search(before)
    return _MEMBER.search(before) is not None or (lines is not None and lines[1].lower() in names)


def _follows(text: str, one: _Piece, other: _Piece) -> bool:
    """Whether two values stand side by side, without a word between."""
    return one.is_fenced == other.is_fenced and _BETWEEN.fullmatch(text, one.end, other.start) is not None


def _fitted(value: Any, wanted: Mapping[str, Any]) -> tuple[Any, str | None]:
    """Return a value, or the only one in it where it is a list of one, and why it does not fit."""
    reason = mismatch(value, wanted)
    if reason is not None and isinstance(value, list) and len(value) == 1 and mismatch(value[0], wanted) is None:
        return value[0], None
    return value, reason


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
    """Whether a value is of a JSON type. True is not a number, and 4.0 is an integer, as in the standard."""
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


class _Piece(NamedTuple):
    """A value in a text, or the `problem` with what looks like one."""

    start: int
    end: int
    value: Any = None
    problem: str = ""
    is_closed: bool = True
    is_fenced: bool = False


def _pieces(text: str) -> Iterator[_Piece]:
    """Yield the objects and arrays that stand in a text, from left to right, and what looks like some; at most some."""
    try:
        whole = _clean(json.loads(text, parse_constant=_refuse, parse_float=_finite))
    except (ValueError, RecursionError, _UnreadableError):
        pass
    else:
        yield _Piece(0, len(text), whole)
        return
    position, is_fenced = 0, False
    for _ in range(_MOST_MARKS):
        mark = _MARK.search(text, position)
        if mark is None:
            return
        if mark[0] == "```":
            position, is_fenced = mark.end(), not is_fenced
            continue
        piece = _piece_at(text, mark.start())
        position = piece.end
        if not piece.problem or _LIKE_JSON.match(text, piece.start):
            yield piece._replace(is_fenced=is_fenced)


def _piece_at(text: str, start: int) -> _Piece:
    """Return the value that begins at a bracket. One that cannot be read is passed over as a whole, with all that is in it."""
    try:
        value, end = _DECODER.raw_decode(text, start)
        return _Piece(start, end, _clean(value))
    except (ValueError, RecursionError, _UnreadableError):
        pass
    reader = _LenientReader(text, start)
    problem = "cannot be read as JSON"
    try:
        value = _clean(reader.value(0))
        return _Piece(start, reader.position, value, is_closed=reader.is_closed)
    except _CutOffError:
        return _Piece(start, len(text), problem="is cut off")
    except _UnreadableError:
        closing = _end_of(text, start)
    if closing is None:
        return _Piece(start, len(text) if _LIKE_JSON.match(text, start) else start + 1, problem=problem)
    if not reader.is_hopeless:
        repaired = _repaired(text[start:closing])
        if repaired is not None:
            return _Piece(start, closing, repaired)
    return _Piece(start, closing, problem=problem)


def _end_of(text: str, start: int) -> int | None:
    """Return where the bracket at `start` is closed, None if nobody can tell.

    Quotes in a broken value may be off, so brackets are counted both with and without those in quotes, and the later end counts.
    """
    ends = [end for pattern in (_BRACKET, _BRACKET_OR_TEXT) if (end := _closing(text, start, pattern)) is not None]
    if len(ends) == 2:
        return max(ends)
    return ends[0] if ends and not re.compile(r"[}\]]").search(text, ends[0]) else None


def _closing(text: str, start: int, pattern: re.Pattern[str]) -> int | None:
    depth = 0
    for match in pattern.finditer(text, start):
        if match[0] in "{[":
            depth += 1
        elif match[0] in "}]":
            depth -= 1
            if not depth:
                return match.end()
    return None


def _repaired(text: str) -> Any:
    """Return what the package json_repair makes of a value that is closed; None where it would lose or add something."""
    try:
        from json_repair import loads
    except ImportError:
        return None
    if len(text) > _LONGEST_REPAIR:
        return None
    try:
        value = _clean(loads(text, skip_json_loads=True))
        is_same = isinstance(value, dict if text[0] == "{" else list)
        is_same = is_same and _said(json.dumps(value, ensure_ascii=False)) == _said(text)
    except Exception:  # one heuristic after the other, which may fail in any way
        return None
    return value if is_same else None


def _said(text: str) -> str:
    """Return what JSON says without what holds it together: brackets, quotes, separators, spaces and escapes."""
    plain = re.sub(r"\\(?:u[0-9a-fA-F]{4}|.)|[\s{}\[\]\"'“”„‘’`,:;，：；]", "", text, flags=re.DOTALL)
    return plain.lower().replace("none", "null")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


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


class _CutOffError(_UnreadableError):
    """The text ends within a value."""


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


class _LenientReader:
    """Reads JSON as models write it, from one position on. Linear in the text.

    Attributes
    ----------
    is_closed : bool
        Whether all objects were closed when the text ended. An array that is open is cut off, as is all that stands within a
        token or behind a comma.
    is_hopeless : bool
        Whether what could not be read has no meaning that could be guessed: an ellipsis, a number with a unit, a sum.
    """

    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position
        self.is_closed = True
        self.is_hopeless = False

    def value(self, depth: int) -> Any:
        if depth > _DEPTH:
            raise _UnreadableError
        mark = self._next()
        if mark and mark in ",:]}":
            self.is_hopeless = True  # nothing stands here, and nothing is made up
            raise self._unreadable()
        if mark == "{":
            return self._object(depth)
        if mark == "[":
            return self._array(depth)
        if mark in _CLOSING:
            return self._string()
        return self._word()

    def _next(self) -> str:
        """Return the next character that is no space and in no comment, or nothing at the end."""
        match = _SPACE.match(self.text, self.position)
        assert match is not None
        self.position = match.end()
        return self.text[self.position : self.position + 1]

    def _object(self, depth: int) -> dict[str, Any]:
        self.position += 1
        found: dict[str, Any] = {}
        is_expecting = True
        while (mark := self._next()) != "}":
            if mark == "":
                if is_expecting:
                    raise _CutOffError
                self.is_closed = False
                return found
            if mark == ",":
                self.position += 1
                is_expecting = True
                continue
            name = self._string() if mark in _CLOSING else self._bare()
            separator = self._next()
            if separator == "":
                raise _CutOffError
            if separator != ":":
                raise self._unreadable()
            self.position += 1
            if self._next() == "":
                raise _CutOffError
            found[name] = self._member(depth, "}")
            is_expecting = False
        self.position += 1
        return found

    def _array(self, depth: int) -> list[Any]:
        self.position += 1
        found: list[Any] = []
        while (mark := self._next()) != "]":
            if mark == "":
                raise _CutOffError
            if mark == ",":
                self.position += 1
                continue
            found.append(self._member(depth, "]"))
        self.position += 1
        return found

    def _member(self, depth: int, closing: str) -> Any:
        """Return a value that ends with a comma, the closing bracket, or the text."""
        value = self.value(depth + 1)
        if self._next() not in (",", closing, ""):
            self.is_hopeless = isinstance(value, int | float) and not isinstance(value, bool)
            raise self._unreadable()
        return value

    def _string(self) -> str:
        text, closing = self.text, _CLOSING[self.text[self.position]]
        stop = re.compile(r"[\\" + closing + "]")
        pieces: list[str] = []
        self.position += 1
        while (match := stop.search(text, self.position)) is not None:
            pieces.append(text[self.position : match.start()])
            self.position = match.end()
            if match[0] == "\\":
                pieces.append(self._escape())
            elif closing == "‘’" and not _AFTER_TEXT.match(text, self.position):
                pieces.append(match[0])  # an apostrophe
            else:
                return "".join(pieces)
        raise _CutOffError

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
            raise self._unreadable()
        self.position = match.end()
        return match[0]

    def _word(self) -> Any:
        """Return a number or a constant."""
        start = self.position
        word = self._bare()
        if word in _WORDS:
            return _WORDS[word]
        if self.position == len(self.text):  # nobody knows how much of it is missing
            raise _CutOffError
        if _NUMBER.fullmatch(word) is not None:
            try:
                return int(word)
            except ValueError:
                pass
            try:
                return _finite(word)
            except ValueError:
                pass
        self.position = start
        self.is_hopeless = word[0] in "+-.0123456789" or word.lower() in _NO_NUMBERS
        raise self._unreadable()

    def _unreadable(self) -> _UnreadableError:
        self.is_hopeless = self.is_hopeless or self.text.startswith(_ELLIPSES, self.position)
        return _UnreadableError()
