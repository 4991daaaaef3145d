"""The language of conditions on fields: from a text to a tree that a function evaluates. Nothing of it is ever run as code.

A tree is made of tuples: ``("field", number)``, ``("value", json)``, ``("list" | "tuple" | "set", trees)``,
``("not" | "minus" | "plus", tree)``, ``("and" | "or", trees)`` and ``("compare", tree, ((operator, tree), ...))``.
"""

from __future__ import annotations

import json
import re
import warnings
from typing import TYPE_CHECKING, Any

from djfast.errors import RecipeError
from djfast.records import NamedTuple
from djfast.type_names import spoken_type

if TYPE_CHECKING:
    import ast

Tree = tuple[Any, ...]

ALLOWED = (
    "allowed are names of fields with dots, numbers, quoted texts, True, False, None, lists, tuples, sets, "
    "and, or, not, in, not in, ==, !=, <, <=, >, >=, signs and parentheses"
)
_MOST_CHARACTERS = 10_000
_MOST_LEVELS = 50

_OPERATORS = {
    "Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">=", "Eq": "==", "NotEq": "!=", "In": "in", "NotIn": "not in",
}  # fmt: skip
_SIGNS = {"Not": "not", "USub": "minus", "UAdd": "plus"}
_NAMED = {
    "BinOp": "arithmetic", "Call": "a call", "Subscript": "a subscript", "IfExp": "if ... else", "Lambda": "a lambda",
    "JoinedStr": "a formatted text", "Is": "is", "IsNot": "is not", "Invert": "~", "Starred": "a star", "Dict": "a mapping",
    "NamedExpr": "an assignment", "Attribute": "a dot behind anything but a field",
}  # fmt: skip


class Condition(NamedTuple):
    """A condition as a tree, and the paths of the fields that its leaves stand for by number."""

    tree: Tree
    paths: tuple[tuple[str, ...], ...]


def parse_condition(text: str) -> Condition | None:
    """Return the tree of a condition, None for a blank one.

    Raises
    ------
    RecipeError
        If it is too long, too deep or not in the language; the message tells the column.
    """
    import ast

    if len(text) > _MOST_CHARACTERS:
        raise RecipeError(f"a condition has at most {_MOST_CHARACTERS} characters, got {len(text)}")
    if not text.strip():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strange escapes
            parsed = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reader = _Reader(text)
        if isinstance(error, SyntaxError) and error.offset:
            raise reader.refused(error.lineno or 1, error.offset - 1, f"not understood ({error.msg})") from None
        raise RecipeError(f"not understood ({type(error).__name__}: {error}); {ALLOWED}, got {text[:200]!r}") from None
    reader = _Reader(text)
    tree = reader.tree(parsed.body, 0)
    if tree[0] == "set":
        raise reader.unknown(parsed.body, "a set that nothing is compared with")
    return Condition(tree, tuple(reader.paths))


class _Reader:
    """Turns the syntax of Python into trees, as far as it is allowed here."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.paths: dict[tuple[str, ...], int] = {}

    def tree(self, node: ast.expr, level: int) -> Tree:
        kind = type(node).__name__
        fields: Any = node
        if level > _MOST_LEVELS:
            raise self.unknown(node, f"more than {_MOST_LEVELS} levels of nesting")
        if kind == "Constant":
            return self._value(fields)
        if kind in ("Name", "Attribute"):
            return ("field", self.paths.setdefault(self._path(node), len(self.paths)))
        if kind in ("List", "Tuple", "Set"):
            return (kind.lower(), tuple(self.tree(each, level + 1) for each in fields.elts))
        if kind == "BoolOp":
            return (type(fields.op).__name__.lower(), tuple(self.tree(each, level + 1) for each in fields.values))
        if kind == "UnaryOp":
            sign = type(fields.op).__name__
            if sign not in _SIGNS:
                raise self.unknown(node, _NAMED[sign])
            return (_SIGNS[sign], self.tree(fields.operand, level + 1))
        if kind == "Compare":
            links = tuple(
                (self._operator(operator, right), self.tree(right, level + 1))
                for operator, right in zip(fields.ops, fields.comparators)
            )
            return ("compare", self.tree(fields.left, level + 1), links)
        raise self.unknown(node, _NAMED.get(kind, kind))

    def _value(self, node: ast.Constant) -> Tree:
        if not isinstance(node.value, str | int | float | None):
            raise self.unknown(node, f"a value of type {spoken_type(node.value)}")
        return ("value", json.dumps(node.value))  # as JSON, so that 1, 1.0 and True are told apart in plans

    def _path(self, node: Any) -> tuple[str, ...]:
        names = []
        while type(node).__name__ == "Attribute":
            names.append(node.attr)
            node = node.value
        if type(node).__name__ != "Name":
            raise self.unknown(node, _NAMED["Attribute"])
        return (node.id, *reversed(names))

    def _operator(self, operator: ast.cmpop, right: ast.expr) -> str:
        name = type(operator).__name__
        if name not in _OPERATORS:
            raise self.unknown(right, _NAMED[name])
        return _OPERATORS[name]

    def unknown(self, node: ast.expr, what: str) -> RecipeError:
        """Return the error for something that Python knows and conditions do not."""
        line = re.split("\r\n?|\n", self.text.lstrip())[node.lineno - 1]
        column = len(line.encode()[: node.col_offset].decode(errors="ignore"))  # Python counts bytes
        return self.refused(node.lineno, column, f"{what} is not allowed")

    def refused(self, line: int, column: int, what: str) -> RecipeError:
        """Return the error for a place, given from line 1 and column 0 of the text without leading blanks."""
        blanks = self.text[: len(self.text) - len(self.text.lstrip())]
        if line == 1:
            column += len(blanks) - (blanks.rfind("\n") + 1)
        line += blanks.count("\n")
        place = f"column {column + 1}" if line == 1 else f"line {line}, column {column + 1}"
        return RecipeError(f"{place}: {what}; {ALLOWED}, got {self.text[:200]!r}")
