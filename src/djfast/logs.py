"""Loggers of djfast, ``djfast.TOPIC``: what they are given may hold addresses and words of strangers, and comes out safe.

A process in which nobody listens does not even load Python's ``logging``. Those who listen are an application that has loaded
it, and the command line, within `listening`. Else nothing is printed but what people must see: the logger ``djfast`` has a
handler that does nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from djfast.redaction import lines_of, on_one_line

if TYPE_CHECKING:
    import logging

DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40  # as logging has them
_NOBODY = 100

_shown_from = _NOBODY  # the level from which on messages are shown on standard error
_undo: list[Callable[[], None]] = []  # what showing them has changed


class Logger:
    """The logger ``djfast.TOPIC``, made when there is something to say and somebody to say it to.

    Parameters
    ----------
    topic : str
        The last part of its name.
    keeps_lines : bool
        Whether messages may have several lines, as tracebacks do; others are put on one.
    must_be_seen : bool
        Whether warnings go to standard error if nobody listens.
    """

    def __init__(self, topic: str, *, keeps_lines: bool = False, must_be_seen: bool = False) -> None:
        self._name = f"djfast.{topic}"
        self._safe = lines_of if keeps_lines else on_one_line
        self._must_be_seen = must_be_seen

    def listens(self, level: int) -> bool:
        """Tell whether somebody listens to messages of a level, for what takes time to say."""
        return ("logging" in sys.modules or level >= _shown_from) and _logger(self._name).isEnabledFor(level)

    def debug(self, message: str, *arguments: object) -> None:
        """Say what helps to find a fault."""
        self._log(DEBUG, message, arguments)

    def info(self, message: str, *arguments: object) -> None:
        """Say what a run does."""
        self._log(INFO, message, arguments)

    def warning(self, message: str, *arguments: object) -> None:
        """Say what may surprise."""
        if self._must_be_seen and _shown_from == _NOBODY and not _is_heard():
            print(self._safe(message % arguments), file=sys.stderr)
        self._log(WARNING, message, arguments)

    def exception(self, message: str, *arguments: object) -> None:
        """Say what went wrong, with the traceback of the exception at hand."""
        self._log(ERROR, message, arguments, has_traceback=True)

    def _log(self, level: int, message: str, arguments: tuple[object, ...], *, has_traceback: bool = False) -> None:
        if self.listens(level):
            text = self._safe(message % arguments if arguments else message)
            _logger(self._name).log(level, "%s", text, exc_info=has_traceback, stacklevel=3)


def logger(topic: str) -> Logger:
    """Return the logger ``djfast.TOPIC``."""
    return Logger(topic)


@contextmanager
def listening(level: int) -> Iterator[None]:
    """Show messages from a level on on standard error, within this."""
    global _shown_from
    before, _shown_from = _shown_from, level
    try:
        yield
    finally:
        _shown_from = before
        while _undo:
            _undo.pop()()


def _is_heard() -> bool:
    """Tell whether an application has given the logger of djfast, or that of all programs, something to do."""
    if "logging" not in sys.modules:
        return False
    import logging

    handlers = [*logging.getLogger("djfast").handlers, *logging.getLogger().handlers]
    return any(not isinstance(each, logging.NullHandler) for each in handlers)


def _logger(name: str) -> logging.Logger:
    """Return a logger of Python's; the one of all of djfast shows what the command line listens to."""
    import logging

    top = logging.getLogger("djfast")
    if not top.handlers:
        top.addHandler(logging.NullHandler())
    if _shown_from != _NOBODY and not _undo:
        _show(top)
    return logging.getLogger(name)


def _show(top: logging.Logger) -> None:
    import logging

    class OnStandardError(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            print(self.format(record), file=sys.stderr)

    handler = OnStandardError()
    times = "%(asctime)s %(name)s: " if _shown_from <= DEBUG else "djfast: "
    handler.setFormatter(logging.Formatter(f"{times}%(message)s"))
    level = top.level
    _undo.append(lambda: top.removeHandler(handler))
    _undo.append(lambda: top.setLevel(level))
    top.addHandler(handler)
    top.setLevel(_shown_from)
