"""Runs djfast with an OP that never comes back from one text."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from djfast.declare import Mapper, param
from djfast.expr import Expr, call, col
from djfast.functions import PYTHON_FUNCTIONS, PythonFunction

_FUNCTION = PythonFunction("endless_text", __name__, ("text",), "text", (), "The text, sooner or never.")


def bind_endless_text(*, on: str) -> Callable[[str], str]:
    """Return the function of a text."""

    def endless(text: str) -> str:
        while on in text:
            time.sleep(0.1)
        return text + "."

    return endless


class EndlessMapper(Mapper, name="endless_mapper"):
    """Never comes back from texts with a word."""

    on: str = param("The word.", default="forever")

    def assign(self) -> dict[str, Expr]:
        return {"text": call("endless_text", col("text"), on=self.on)}


if __name__ == "__main__":
    sys.modules["hanging"] = sys.modules[__name__]
    PYTHON_FUNCTIONS[_FUNCTION.name] = _FUNCTION._replace(module="hanging")
    from djfast.cli.main import main

    sys.exit(main())
