"""djfast with faults: what a test asks for in DJFAST_TEST_FAULTS goes wrong at the named place.

Each fault is ``what@place[:rank[:time]]``: at the `time`-th visit of the place by this rank. Places are methods of the
package that are wrapped here, so that the package itself knows nothing of tests.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

RANK = int(os.environ.get("OMPI_COMM_WORLD_RANK", os.environ.get("PMI_RANK", "0")))


def _send(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def _raise() -> None:
    raise RuntimeError("a fault for the test")


def _exhaust() -> None:
    """Leave little memory, and ask for more."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), used + (64 << 20)))
    bytearray(256 << 20)


FAULTS: dict[str, Callable[[], None]] = {
    "kill": _send(signal.SIGKILL),
    "term": _send(signal.SIGTERM),
    "stop": _send(signal.SIGSTOP),
    "raise": _raise,
    "exhaust": _exhaust,
}


def _places() -> dict[str, list[tuple[Any, str]]]:
    from djfast.io.write.results import ResultFile
    from djfast.ranks import calls, mpi
    from djfast.runners.job import desk, folder, journal, merge, parts, runner

    return {
        "start": [(mpi, "connect_mpi")],
        "begin": [(runner.Job, "_begin")],
        "split": [(parts.PartWriter, "add")],
        "part": [(parts.PartWriter, "finish")],
        "line": [(journal.Journal, "append")],
        "desk": [(desk.Desk, "answer")],
        "call": [(calls.Calls, "_take")],
        "answer": [(runner, "answer")],
        "exchange": [(mpi.MpiRanks, "stream")],
        "merge": [(ResultFile, "write"), (merge, "_copy")],
        "publish": [(ResultFile, "finish"), (merge, "_publish")],
        "removal": [(folder.JobFolder, "remove_parts")],
        "farewell": [(mpi.MpiRanks, "close")],
    }


def _break(place: str, fault: Callable[[], None], at: int) -> None:
    for owner, name in _places()[place]:
        _break_one(owner, name, fault, at, only_elsewhere=place == "desk")


def _break_one(owner: Any, name: str, fault: Callable[[], None], at: int, *, only_elsewhere: bool) -> None:
    original = getattr(owner, name)
    visits = 0

    def broken(*arguments: Any, **named: Any) -> Any:
        nonlocal visits
        # Rank 0 asks its own desk, too; what can hang the others is the thread that answers them.
        if not only_elsewhere or threading.current_thread() is not threading.main_thread():
            visits += 1
            if visits == at:
                fault()
        return original(*arguments, **named)

    setattr(owner, name, broken)


def main() -> int:
    for item in os.environ.get("DJFAST_TEST_FAULTS", "").split():
        what, _, where = item.partition("@")
        place, *numbers = where.split(":")
        rank, at = (*map(int, numbers), *(0, 1)[len(numbers) :])
        if rank == RANK:
            _break(place, FAULTS[what], at)
    from djfast.cli.main import main as djfast

    return djfast()


if __name__ == "__main__":
    sys.exit(main())
