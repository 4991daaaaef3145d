"""How rows stand in a JSON file: one on a line, in an array, or one after the other over any number of lines.

What a file is, its beginning says; in a file of lines a row that does not fit is rejected as a line.
"""

from __future__ import annotations

import contextlib
import json
from functools import lru_cache
from typing import Literal

from djfast.errors import InputError
from djfast.io.intake import only_looking
from djfast.io.read.unicode_files import UTF8_MARK, is_recoded, open_text
from djfast.io.remote import stat
from djfast.records import NamedTuple
from djfast.reserved import STDIN

_HEAD_BYTES = 1 << 16
_CUT = 8  # characters before the end of the head at which half a literal may be taken for an error

Kind = Literal["lines", "array", "values"]


class JsonForm(NamedTuple):
    """How rows stand in a file. `can_be_cut` says that a line can be found in the middle of the file."""

    kind: Kind
    can_be_cut: bool


def form_of(path: str) -> JsonForm:
    """Return how rows stand in a JSON file."""
    return _form(path, stat(path))


def head_of(path: str) -> bytes:
    """Return the beginning of a file in UTF-8; nothing where it is damaged."""
    with only_looking(), contextlib.suppress(InputError), contextlib.closing(open_text(path)) as stream:
        return stream.read(_HEAD_BYTES)
    return b""


def is_lone_object(path: str) -> bool:
    """Tell whether a file holds one JSON object and no more. Of a long one, which is read in part, line feeds in it tell."""
    text = head_of(path).removeprefix(UTF8_MARK).decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        return False
    try:
        _, end = _loose.raw_decode(text)
    except json.JSONDecodeError as error:
        return error.pos > len(text) - _CUT and "\n" in text
    except (ValueError, RecursionError):
        return False
    return end == len(text)


@lru_cache(maxsize=1024)
def _form(path: str, version: object) -> JsonForm:
    del version
    kind: Kind = "lines"
    is_in_utf8 = True
    with only_looking(), contextlib.suppress(InputError):  # whoever reads the rows finds out what is wrong, and where
        is_in_utf8 = not is_recoded(path)
        with contextlib.closing(open_text(path)) as stream:
            head = stream.read(_HEAD_BYTES).removeprefix(UTF8_MARK)
        kind = kind_of(head, is_all=len(head) < _HEAD_BYTES - len(UTF8_MARK))
    return JsonForm(kind, kind == "lines" and is_in_utf8 and path != STDIN)


def kind_of(head: bytes, *, is_all: bool) -> Kind:
    """Tell how rows stand in a file that begins like this; `is_all` says that there is no more of it."""
    if _are_plain_lines(head):
        return "lines"
    text = head.decode("utf-8", "replace").lstrip()
    if text.startswith("[") and _begins_array(text):
        return "array"
    return "values" if _has_loose_values(text, is_all=is_all) else "lines"


def _are_plain_lines(head: bytes) -> bool:
    """Tell whether, at a glance, there is an object on each line."""
    *lines, _ = head.split(b"\n")
    return (
        bool(lines)
        and all(line[:1] == b"{" and line.rstrip(b" \t\r")[-1:] == b"}" for line in lines if line)
        and b"}{" not in head.translate(None, b" \t\r")
    )


def _begins_array(text: str) -> bool:
    """Tell whether a text that begins with a bracket is an array of rows, not a line that holds a list."""
    line, _, rest = text.partition("\n")
    try:
        _loose.decode(line)
    except (ValueError, RecursionError):
        return True
    return not rest.strip()


_loose = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len)  # numbers may have any size


def _has_loose_values(text: str, *, is_all: bool) -> bool:
    """Tell whether an object has several lines or a line has several objects. Broken lines prove nothing."""
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        line_end = text.find("\n", position) % (len(text) + 1)
        try:
            value, end = _loose.raw_decode(text, position)
        except json.JSONDecodeError as error:
            is_cut = not is_all and (error.pos > len(text) - _CUT or error.msg.startswith("Unterminated string"))
            if is_cut:
                return line_end < len(text.rstrip()) and text[position] == "{"
        except (ValueError, RecursionError):
            pass
        else:
            rest = text[end : text.find("\n", end) % (len(text) + 1)].strip()
            if isinstance(value, dict) and (end > line_end or rest.startswith("{")):
                return True
        position = line_end + 1
    return False
