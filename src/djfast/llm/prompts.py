"""Prompts: files of ours with a version and sections, and templates that users give.

A prompt file is ``prompts/<name>.<language>.md``: a first line ``version: 3``, then sections, each under a heading of one
``#`` and a name in small letters. Sections are templates::

    version: 1

    # system
    You judge texts.

    # input
    Rate this text:
    {text}

Templates hold ``{name}`` and nothing else of Python's format language: no attributes, no indices, no conversions. A brace
that is meant as such is doubled. What is filled in is never looked at again.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
import string
from collections.abc import Mapping, Sequence

from djfast.errors import RecipeError
from djfast.type_names import spoken_type

_LONGEST_TEMPLATE = 100_000
_MOST_PLACEHOLDERS = 100
_VERSION = re.compile(r"version: *([0-9][0-9A-Za-z.\-]*)")
_HEADING = re.compile(r"^# ([a-z][a-z0-9_]*) *$", re.MULTILINE)
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Template:
    """A text with placeholders.

    Parameters
    ----------
    text : str
        ``{name}`` stands for a value; ``{}`` and ``{0}`` for the value of that position.
    names : sequence of str
        What may stand in braces, in the order of positions.
    what : str
        For errors: the parameter or file that the text comes from.

    Raises
    ------
    RecipeError
        If the text is no template, or asks for what there is not.
    """

    def __init__(self, text: str, names: Sequence[str], *, what: str) -> None:
        self.names = tuple(names)
        self._what = what
        self._pieces: list[tuple[str, str | None]] = []
        if len(text) > _LONGEST_TEMPLATE:
            raise RecipeError(f"{what} must have at most {_LONGEST_TEMPLATE} characters, got {len(text)}")
        try:
            parsed = list(string.Formatter().parse(text))
        except ValueError as error:
            raise RecipeError(
                f"{what} is not a template ({error}); double a brace to write one, got {_short(text)}"
            ) from error
        position = 0
        for literal, field, form, conversion in parsed:
            name = None
            if field is not None:
                name, position = self._placeholder(field, form, conversion, position)
            self._pieces.append((literal, name))
        if sum(name is not None for _, name in self._pieces) > _MOST_PLACEHOLDERS:
            raise RecipeError(f"{what} must have at most {_MOST_PLACEHOLDERS} placeholders, got {_short(text)}")

    def fill(self, **values: str) -> str:
        """Return the text with its placeholders replaced; braces in the values mean nothing.

        Raises
        ------
        TypeError
            If the values are not exactly those that the template was made for, or one is not a string.
        """
        if set(values) != set(self.names):
            raise TypeError(
                f"{self._what}: values must be given for {', '.join(self.names) or 'nothing'}, got {', '.join(values)}"
            )
        for name, value in values.items():
            if not isinstance(value, str):
                raise TypeError(f"{self._what}: {name} must be a string, got {spoken_type(value)}")
        return "".join(literal + (values[name] if name is not None else "") for literal, name in self._pieces)

    def _placeholder(self, field: str, form: str | None, conversion: str | None, position: int) -> tuple[str, int]:
        """Return the name that a field means, and the position of the next nameless one."""
        name = field
        if (field == "" or field.isdecimal()) and field.isascii() and len(field) < 4:
            index = int(field) if field else position
            position += not field
            name = self.names[index] if index < len(self.names) else field
        if name not in self.names or form or conversion:
            shown = "{" + field + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "") + "}"
            allowed = ", ".join("{" + name + "}" for name in self.names) or "no placeholder"
            raise RecipeError(f"{self._what} may hold {allowed} (double a brace to write one), got {shown}")
        return name, position


class Prompt:
    """A prompt file: its version and its sections."""

    def __init__(self, name: str, language: str, text: str) -> None:
        self.what = f"prompt {name}.{language}"
        header, *_ = text.splitlines() or [""]
        version = _VERSION.fullmatch(header.strip())
        if version is None:
            raise RecipeError(f"{self.what}: the first line must be like 'version: 1', got {_short(header)}")
        self.version = f"{name}.{language}/{version[1]}"
        before, *parts = _HEADING.split(text)
        if before[len(header) :].strip():
            raise RecipeError(
                f"{self.what}: text must be in a section such as '# system', got {_short(before[len(header) :].strip())}"
            )
        self._sections: dict[str, str] = {}
        for section, body in zip(parts[::2], parts[1::2]):
            if section in self._sections:
                raise RecipeError(f"{self.what}: sections must have different names, got # {section} twice")
            self._sections[section] = body.strip("\n").rstrip()

    @property
    def sections(self) -> Mapping[str, str]:
        """Texts of the sections by name, as they stand in the file."""
        return dict(self._sections)

    def template(self, section: str, names: Sequence[str] = (), *, given: str | None = None, what: str = "") -> Template:
        """Return a section as a template, or what the user gave in its place.

        Parameters
        ----------
        names : sequence of str
            What may stand in braces.
        given : str, optional
            The user's template; None or empty takes the file's.
        what : str, optional
            The parameter that `given` comes from, for errors.
        """
        if given:
            return Template(given, names, what=what or section)
        if section not in self._sections:
            raise RecipeError(f"{self.what} must have one of its sections, {', '.join(self._sections)}, got # {section}")
        return Template(self._sections[section], names, what=f"{self.what}, # {section}")

    def templates(
        self, names: Mapping[str, Sequence[str]], *, given: Mapping[str, str | None], op: str
    ) -> dict[str, Template]:
        """Return several sections as templates, by section.

        Parameters
        ----------
        names : mapping
            Section -> what may stand in its braces.
        given : mapping
            Section -> the user's template.
        op : str
            For errors.
        """
        return {
            section: self.template(section, allowed, given=given[section], what=f"{op}: {section}")
            for section, allowed in names.items()
        }


@functools.lru_cache(maxsize=256)
def load_prompt(name: str, language: str = "en") -> Prompt:
    """Return a prompt of the package.

    Raises
    ------
    RecipeError
        If there is none of this name and language; the message lists the languages.
    """
    folder = importlib.resources.files("djfast.llm") / "prompts"
    if _NAME.fullmatch(name) and _NAME.fullmatch(language):
        file = folder / f"{name}.{language}.md"
        if file.is_file():
            return Prompt(name, language, file.read_text(encoding="utf-8"))
    known = sorted(entry.name.removesuffix(".md") for entry in folder.iterdir() if entry.name.startswith(f"{name}."))
    raise RecipeError(
        f"prompt must be one of the package's{': ' + ', '.join(known) if known else ''}, got {f'{name}.{language}'!r}"
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "...")
