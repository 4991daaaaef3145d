"""Where code of the user failed: the reason of a rejected row names the user's file and line."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from types import CodeType, FunctionType, MethodType, TracebackType
from typing import Any

from djfast.errors import UserCodeError
from djfast.functions.confinement import confined
from djfast.logs import Logger
from djfast.redaction import on_one_line

LONGEST_MESSAGE = 900  # characters; what follows is the place

_LOG = Logger("user_code", keeps_lines=True, must_be_seen=True)
_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Failures:
    """Turns exceptions of a user's function into reasons, and shows the first one with its traceback.

    Parameters
    ----------
    op : str
        Name of the OP.
    function : callable
        What is called.
    """

    def __init__(self, op: str, function: Callable[..., Any]) -> None:
        self._op = op
        self._code = code_of(function)
        self._is_shown = False

    def named(self, error: BaseException) -> UserCodeError:
        """Return the error that says what happened, and where in the user's code."""
        place = place_of(error, self._code)
        message = f"{type(error).__name__}: {error}"[:LONGEST_MESSAGE]
        named = UserCodeError(f"{message} ({place})" if place else message)
        named.__cause__ = error
        if not self._is_shown:
            self._is_shown = True
            _LOG.warning("%s: the first row is rejected: %s%s", self._op, on_one_line(str(named)), _traceback(error))
        return named

    def guarded(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return a function of a row that raises such errors."""
        function = confined(function)

        def called(row: Any) -> Any:
            try:
                return function(row)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # some libraries have errors that are no Exception, as asyncio's CancelledError
                raise self.named(error) from error

        return called

    def among(self, function: Callable[[list[Any]], list[Any]]) -> Callable[[list[Any]], list[Any]]:
        """Return a function of a batch of rows with such errors among its answers."""
        return lambda rows: [self.named(each) if isinstance(each, BaseException) else each for each in function(rows)]


def code_of(function: Callable[..., Any]) -> CodeType | None:
    """Return the code of a function, a method, a partial or an object that can be called; None if it is not Python."""
    function = innermost(function)
    if not hasattr(function, "__code__") and not isinstance(function, type):
        function = vars(type(function)).get("__call__")
    code: CodeType | None = getattr(function, "__code__", None)
    return code


def innermost(function: Any) -> Any:
    """Return the function that partials, methods and decorators stand for."""
    while True:
        if isinstance(function, partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        elif isinstance(function, FunctionType) and hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        else:
            return function


def place_of(error: BaseException, code: CodeType | None = None) -> str:
    """Return the file, line and function of the user in which an error was raised, as ``ops.py:4 in bad``.

    That is the innermost call that is in none of the libraries; the beginning of `code` if there is none.
    """
    own_file = code.co_filename if code else None
    found = None
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file == own_file or is_of_user(file):
            found = (file, trace.tb_lineno, trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    if found is None and code is not None:
        found = (code.co_filename, code.co_firstlineno, code.co_name)
    if found is None:
        return ""
    file, line, name = found
    return f"{os.path.basename(file)}:{line}" + ("" if name == "<module>" else f" in {name}")


def is_of_user(file: str) -> bool:
    """Tell whether a file is in none of the libraries; what has no file, as native code, is in one."""
    import sysconfig

    if not os.path.isabs(file) or file.startswith(_OWN_FOLDER):
        return False
    return not file.startswith(sysconfig.get_path("stdlib")) and not any(
        f"{os.sep}{folder}{os.sep}" in file for folder in ("site-packages", "dist-packages")
    )


def _traceback(error: BaseException) -> str:
    """Return the traceback from the first call outside of djfast on, on lines of their own; nothing if there is none."""
    import traceback

    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):
        trace = trace.tb_next
    if trace is None:
        return ""
    return "\n" + "".join(traceback.format_exception(type(error), error, trace)).rstrip()
