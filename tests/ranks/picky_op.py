"""An OP that fails on some rows, wherever it stands in a recipe, and takes its time if wanted.

No OP of the catalog rejects rows that could be read.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from djfast.declare import REGISTRY, Mapper, param
from djfast.expr import Expr, call, col
from djfast.functions import PYTHON_FUNCTIONS, PythonFunction

NAME = "picky_mapper"
_FUNCTION = PythonFunction("picky_text", __name__, ("text",), "text", (), "The text, where it is liked.")


def bind_picky_text(*, one_in: int, seconds: float) -> Callable[[str], str]:
    """Return the function of a text."""

    def picky(text: str) -> str:
        if seconds:
            time.sleep(seconds)
        if zlib.crc32(text.encode()) % one_in == 0:
            raise ValueError(f"do not like {text[:10]!r}\nat all")
        return text + "."

    return picky


@contextmanager
def declared() -> Iterator[None]:
    """Let recipes name the OP, within this only: other tests look at all OPs that there are."""

    class PickyMapper(Mapper, name=NAME):
        """Fails on a share of the texts."""

        one_in: int = param("How many texts there are to one that fails.", default=3)
        seconds: float = param("How long each text takes.", default=0.0)

        def assign(self) -> dict[str, Expr]:
            return {"text": call("picky_text", col("text"), one_in=self.one_in, seconds=self.seconds)}

    PYTHON_FUNCTIONS[_FUNCTION.name] = _FUNCTION
    try:
        yield
    finally:
        del PYTHON_FUNCTIONS[_FUNCTION.name]
        del REGISTRY[NAME]
