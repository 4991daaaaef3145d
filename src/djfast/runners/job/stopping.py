"""Being asked to stop: Slurm's preemption and `kill` end a job in a state that the next run goes on from."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from typing import Any

from djfast.errors import Preempted

GRACE_SECONDS = 20.0


class Stopping:
    """Notices SIGTERM and SIGUSR1; mpirun kills its ranks right after SIGTERM, but hands SIGUSR1 on and waits.

    Parameters
    ----------
    grace : float
        Seconds that work in progress may take to its end.
    """

    def __init__(self, *, grace: float = GRACE_SECONDS) -> None:
        self.is_asked = False
        self._grace = grace
        self._deadline = float("inf")
        self._is_gentle = False

    def listen(self) -> None:
        """Take the signals of this process from now on."""
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, self._asked)
        signal.signal(signal.SIGALRM, self._expired)

    def _asked(self, number: int, frame: Any) -> None:
        if self.is_asked:
            return  # mpirun sends more than one signal; one is enough to unwind
        self.is_asked = True
        self._deadline = time.monotonic() + self._grace
        if not self._is_gentle:
            raise Preempted
        signal.setitimer(signal.ITIMER_REAL, self._grace)

    def _expired(self, number: int, frame: Any) -> None:
        """Stop in the midst of a batch: its rows take longer than there is time."""
        if self.is_asked and self._is_gentle:
            raise Preempted

    @contextlib.contextmanager
    def gently(self) -> Iterator[None]:
        """Within this, a signal is noted only; the code asks for it where it can stop, and is stopped when its time is up."""
        self._is_gentle = True
        try:
            yield
        finally:
            self._is_gentle = False
            if self.is_asked:
                signal.setitimer(signal.ITIMER_REAL, 0.0)

    def check(self) -> None:
        """Stop here if there is no time left to finish what is in progress.

        Raises
        ------
        Preempted
        """
        if time.monotonic() > self._deadline:
            raise Preempted
