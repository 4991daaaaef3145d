"""The rows of a run as an iterator: the run goes on in a thread, a few pieces ahead of whoever takes them."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from djfast.io.write.results import RowList

_AHEAD = 4  # pieces
_PATIENCE = 0.05  # seconds after which a full queue looks whether anybody still wants rows


class _Unwanted(Exception):
    """Nobody takes more rows."""


class _Pieces(RowList):
    """The result of a run that hands its pieces over."""

    def __init__(self) -> None:
        super().__init__()
        self.handed: queue.Queue[Any] = queue.Queue(_AHEAD)
        self.is_unwanted = threading.Event()

    def write(self, piece: Any) -> None:
        """Wait until there is room, and hand a piece over."""
        self.tell(piece)
        while not self.is_unwanted.is_set():
            try:
                return self.handed.put(piece, timeout=_PATIENCE)
            except queue.Full:
                continue
        raise _Unwanted

    def abandon(self) -> None:
        """Leave what was handed over."""


class _End:
    """What comes after the last piece: how the run ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def pulled(run: Callable[[Any], Any]) -> Iterator[Any]:
    """Yield the pieces that ``run(result)`` writes; whoever stops taking them stops the run.

    Raises
    ------
    Exception
        Whatever the run raises.
    """
    result = _Pieces()

    def work() -> None:
        error = None
        try:
            run(result)
        except BaseException as raised:
            error = raised
        if not result.is_unwanted.is_set():
            with contextlib.suppress(_Unwanted):
                result.write(_End(error))

    thread = threading.Thread(target=work, name="djfast-pull", daemon=True)
    thread.start()
    try:
        while not isinstance(piece := result.handed.get(), _End):
            yield piece
        if piece.error is not None:
            raise piece.error
    finally:
        result.is_unwanted.set()
        thread.join()
