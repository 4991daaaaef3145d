"""The process of a command: its output may be closed by who reads it, and signals end it."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ENDING = ("SIGTERM", "SIGHUP", "SIGUSR1")


class Signalled(KeyboardInterrupt):
    """A signal asked the process to end, which it does as at Ctrl-C: what it has begun is removed."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within this, a signal that would kill the process raises `Signalled`; one that is ignored, as by nohup, stays so."""
    numbers = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    taken = [number for number in numbers if before[number] is signal.SIG_DFL]

    def end(number: int, frame: Any) -> None:
        del frame
        for each in taken:
            signal.signal(each, signal.SIG_IGN)  # one is enough to unwind
        raise Signalled(number)

    for number in taken:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])


class _Output(io.FileIO):
    """A standard stream that loses what nobody can take, a closed pipe or a full disk, in place of ending the program."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.problem: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write, or note why not."""
        if self.problem is None:
            try:
                return super().write(data)
            except OSError as error:
                self.problem = error
        return memoryview(data).nbytes


class _Stream(io.TextIOWrapper):
    """A standard stream that functions of the user cannot close: the summary of the run is still to come."""

    def close(self) -> None:
        """Write what is held."""
        self.flush()


def take_outputs() -> _Output:
    """Make standard output and error such streams; return that of standard output.

    A descriptor that was closed before the start leads nowhere then: else the first file that is opened would get it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free descriptor, which is this one
    outputs = [_Output(1), _Output(2)]
    for name, output in zip(("stdout", "stderr"), outputs, strict=True):
        old = getattr(sys, name)
        encoding, errors = (old.encoding, old.errors) if old is not None else ("utf-8", "backslashreplace")
        stream = _Stream(
            io.BufferedWriter(output), encoding=encoding, errors=errors, line_buffering=name == "stderr" or output.isatty()
        )
        setattr(sys, name, stream)
    return outputs[0]
