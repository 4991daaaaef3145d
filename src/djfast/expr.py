"""Column expressions: what an OP computes, as data the planner can read."""

from __future__ import annotations

from typing import Any

from djfast.records import NamedTuple


class Expr(NamedTuple):
    """A pure function of columns. Equal expressions compute equal columns.

    ``fn`` is the name of a function in the native registry or in `djfast.functions`; the leaf ``col`` names a role
    (``text``) or a stat of the same OP, the leaf ``field`` any field by its path, whatever its type, the leaf ``row`` all
    fields of the row.
    """

    fn: str
    args: tuple[Expr, ...] = ()
    params: tuple[tuple[str, Any], ...] = ()

    def param(self, name: str) -> Any:
        """Value of one parameter."""
        return dict(self.params)[name]

    def __str__(self) -> str:
        """Return the expression as one would write it."""
        if self.fn in ("col", "field"):
            return str(self.params[0][1])
        if self.fn == "row":
            return "row"
        inside = [str(a) for a in self.args] + [f"{k}={v!r}" for k, v in self.params]
        return f"{self.fn}({', '.join(inside)})"


def col(name: str) -> Expr:
    """Return the column of a role or of a stat."""
    return Expr("col", (), (("name", name),))


def field(path: str) -> Expr:
    """Return the JSON of a field, the empty text where a row has none.

    Stats are the fields ``__dj__stats__.NAME``, tags the fields ``__dj__meta__.NAME``.
    """
    return Expr("field", (), (("path", path),))


def text_field() -> Expr:
    """Return the JSON of the text field, whatever its type; unlike ``col("text")`` it asks no row to have one."""
    return Expr("field", (), (("role", "text"),))


def row() -> Expr:
    """Return the row as a dictionary: the one argument of functions that rewrite rows."""
    return Expr("row")


def member(value: Expr, name: str) -> Expr:
    """Return the member of a JSON object, the empty text where it has none."""
    return call("member", value, name=name)


def call(fn: str, *args: Expr, **params: Any) -> Expr:
    """Apply a function. Lists and mappings in parameters become tuples, so that every expression can be hashed."""
    return Expr(fn, args, tuple(sorted((name, _frozen(value)) for name, value in params.items())))


def _frozen(value: Any) -> Any:
    """Return a value that can be hashed: a mapping becomes the tuple of its items, and ``dict`` makes a mapping of it again."""
    if isinstance(value, list | tuple):
        return tuple(_frozen(each) for each in value)
    return tuple((name, _frozen(each)) for name, each in value.items()) if isinstance(value, dict) else value
