"""The time limit of a row: a function that hangs ends the process with a message, instead of the whole job with none.

A thread that hangs inside a library cannot be stopped, only its process can. So the row is noted first, and a run that goes
on from its checkpoint sets it aside.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

_EXCERPT = 80


class Suspect(NamedTuple):
    """What an OP was called with when it did not come back. `digest` is a hash of the arguments, which are shown cut off."""

    op: int
    digest: str
    excerpt: str
    seconds: float


class Watch:
    """Watches the rows that threads are working on.

    Parameters
    ----------
    limit : float
        Seconds that one row may take in a Python function, or one batch in native code.
    overdue : callable
        ``overdue(suspect)`` is called once, from another thread, with None for native code; it must end the process.
    suspects : collection of (int, str)
        OP and digest of rows that took longer in an earlier attempt.
    """

    def __init__(
        self, limit: float, overdue: Callable[[Suspect | None], None], suspects: Collection[tuple[int, str]] = ()
    ) -> None:
        self._limit = limit
        self._overdue = overdue
        self._suspects = frozenset(suspects)
        self._current: dict[int, tuple[float, int, Sequence[Any]]] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="djfast-watch", daemon=True)
        self._thread.start()

    def enter(self, op: int, arguments: Sequence[Any]) -> str | None:
        """Note that this thread begins a row, or with no arguments a batch. Returns why it must be set aside, or None."""
        if self._suspects and (op, _digest(arguments)) in self._suspects:
            return f"took longer than the row_timeout of {self._limit:g} s in an earlier attempt"
        self._current[threading.get_ident()] = (time.monotonic(), op, arguments)
        return None

    def leave(self) -> None:
        """Note that this thread came back."""
        self._current.pop(threading.get_ident(), None)

    def close(self) -> None:
        """Stop watching."""
        self._is_over.set()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()

    def _look(self) -> None:
        period = min(1.0, self._limit / 4)
        while not self._is_over.wait(period):
            # Where a library hangs with the interpreter's lock held, no Python code runs: then this ends the process.
            faulthandler.dump_traceback_later(2 * self._limit + 10, exit=True, file=2)
            now = time.monotonic()
            for started, op, arguments in list(self._current.values()):
                if now - started > self._limit:
                    self._overdue(Suspect(op, _digest(arguments), _excerpt(arguments), now - started) if arguments else None)
                    return


def _digest(arguments: Sequence[Any]) -> str:
    import hashlib  # loads OpenSSL

    return hashlib.sha256(repr(tuple(arguments)).encode("utf-8", "backslashreplace")).hexdigest()


def _excerpt(arguments: Sequence[Any]) -> str:
    text = repr(arguments[0])
    return text if len(text) <= _EXCERPT else text[: _EXCERPT - 3] + "..."


def end_process(message: str, status: int) -> None:
    """Say why, and end this process although a thread of it hangs."""
    print(f"djfast: error: {message}", file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(status)
