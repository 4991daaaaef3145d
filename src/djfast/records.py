"""Named tuples whose classes are made quickly.

`typing.NamedTuple` compiles the annotation of every field, which nobody reads while a program runs: two thirds of the 90
microseconds that a class takes. A run of a few rows makes more than 60 classes, so that was a tenth of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:
    from collections import namedtuple

    _GIVEN = {"__annotations__", "__module__", "__qualname__"}  # what a namespace holds of the class itself

    class _Maker(type):
        """Makes a named tuple of a class body: its annotations are the fields, their values the defaults."""

        def __new__(cls, name, bases, members):
            if not bases:
                return super().__new__(cls, name, bases, members)
            annotations = members.get("__annotations__", {})
            defaults = [members[field] for field in annotations if field in members]
            if not all(field in members for field in list(annotations)[len(annotations) - len(defaults) :]):
                raise TypeError(f"{name}: a field without a default follows one with a default, in {', '.join(annotations)}")
            made = namedtuple(name, annotations, defaults=defaults, module=members["__module__"])
            made.__annotations__ = annotations
            for key, value in members.items():
                if key not in annotations and key not in _GIVEN:
                    setattr(made, key, value)
            return made

    class NamedTuple(metaclass=_Maker):
        """The base of a class with fields, as that of `typing`."""
