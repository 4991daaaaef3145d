"""Ends the waiting of threads for answers when a run stops: an answer may take minutes, Ctrl-C must not."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator

from djfast.errors import Preempted

_lock = threading.Lock()
_interrupted: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
_cancels: dict[threading.Thread, list[Callable[[], None]]] = {}


def interrupt(threads: Iterable[threading.Thread]) -> None:
    """Let these threads wait for no answer any longer, neither now nor later."""
    with _lock:
        stopped = set(threads)
        _interrupted.update(stopped)
        cancels = [cancel for thread in stopped for cancel in _cancels.get(thread, ())]
    for cancel in cancels:
        cancel()


def is_interrupted() -> bool:
    """Whether the calling thread shall wait no longer."""
    return threading.current_thread() in _interrupted


def check_interrupted() -> None:
    """Raise when the calling thread shall wait no longer.

    Raises
    ------
    Preempted
    """
    if is_interrupted():
        raise Preempted()


@contextlib.contextmanager
def interruptible(cancel: Callable[[], None]) -> Iterator[None]:
    """Have `cancel` called from another thread when the calling thread is interrupted while the block runs."""
    thread = threading.current_thread()
    with _lock:
        if thread in _interrupted:
            raise Preempted()
        _cancels.setdefault(thread, []).append(cancel)
    try:
        yield
    finally:
        with _lock:
            _cancels[thread].remove(cancel)
            if not _cancels[thread]:
                del _cancels[thread]
