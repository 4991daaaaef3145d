"""What a running job shows: a few live lines on a terminal, a line each minute in a log."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from djfast.io.read.formats import InputFile
from djfast.plan.steps import Plan
from djfast.recipe.load import Recipe
from djfast.redaction import lines_of
from djfast.runners.report import Tally

_TERMINAL_SECONDS = 0.2
_LOG_SECONDS = 60.0
_LEAST_SHARE = 0.002  # of a phase, after which there is an estimate of its end
_WIDEST_BAR = 40

Share = Callable[[], "float | None"]  # how much of a phase is done, from 0 to 1; None if that is not known


class Progress:
    """Shows how far a run is: the share that is done, rows, rates, and the rows that every OP has kept.

    A thread of its own shows it, so that it goes on while a batch or an OP takes long.

    Parameters
    ----------
    stream : file
        Usually standard error.
    is_quiet : bool
        Show nothing.
    clock : callable
        Seconds that only grow; tests pass their own.
    """

    def __init__(
        self, stream: IO[str] | None = None, *, is_quiet: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.stream = stream or sys.stderr
        self.is_quiet = is_quiet
        self.clock = clock
        self.is_terminal = not is_quiet and self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._lines = 0
        self._tally: Tally | None = None
        self._phases: Sequence[str] = ()
        self._began = clock()
        self._enter(0, lambda: None)

    @contextmanager
    def showing(self, heading: str, phases: Sequence[str]) -> Iterator[None]:
        """Show what begins, in a log, and then how far it is, until the block ends."""
        if self.is_quiet:
            yield
            return
        self._phases = phases
        if not self.is_terminal:
            self._write(f"{_time_of_day()} {lines_of(heading)}\n")
        self._over.clear()
        shower = threading.Thread(target=self._show_again, name="djfast-progress", daemon=True)
        shower.start()
        try:
            yield
        finally:
            self._over.set()
            shower.join()
            self._erase()

    def enter(self, phase: int, share: Share) -> None:
        """Begin a phase, of which `share` tells how much is done; another thread asks it."""
        if not self.is_quiet:
            with self._lock:
                self._enter(phase, share)

    def _enter(self, phase: int, share: Share) -> None:
        self._phase = phase
        self._share = share
        self._entered = self.clock()
        self._first_share = share() or 0.0
        self._first_bytes = self._tally.bytes_read if self._tally is not None else 0

    def update(self, tally: Tally) -> None:
        """Take the counts as they are now. They may change later, and are shown as they are then."""
        self._tally = tally

    def note(self, text: str) -> None:
        """Show a line of its own."""
        if not self.is_quiet:
            with self._lock:
                self._erase()
                self._write(lines_of(f"djfast: {text}") + "\n")

    def show(self) -> None:
        """Show how far the run is."""
        with self._lock:
            if self._over.is_set() or self._tally is None:
                return
            state = _State(self._tally, self._share(), self.clock() - self._entered, self._first_share, self._first_bytes)
            named = f"{self._phase + 1}/{len(self._phases)} {self._phases[self._phase]}" if len(self._phases) > 1 else ""
            if self.is_terminal:
                self._draw(state.rows(_seconds(self.clock() - self._began), named, self._size()))
            else:
                self._write(" ".join([_time_of_day(), *filter(None, [named, *state.parts()])]) + "\n")

    def _show_again(self) -> None:
        period = _TERMINAL_SECONDS if self.is_terminal else _LOG_SECONDS
        while not self._over.wait(period):
            self.show()

    def _size(self) -> os.terminal_size:
        try:
            size = os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError):
            size = os.terminal_size((0, 0))
        return os.terminal_size((size.columns or 80, size.lines or 24))

    def _draw(self, rows: list[str]) -> None:
        """Show live lines, below a free one in which the cursor stays: there others may write, and all below can be erased.

        So nobody has to know on how many rows the lines stand, which a narrower window changes.
        """
        self._lines = len(rows)
        self._write("\x1b[J" + "".join(f"\n{row}" for row in rows) + f"\r\x1b[{len(rows)}A")

    def _erase(self) -> None:
        if self._lines:
            self._lines = 0
            self._write("\x1b[J")

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


class _State:
    """How far a phase is after some seconds, in words."""

    def __init__(self, tally: Tally, share: float | None, seconds: float, first_share: float, first_bytes: int) -> None:
        self._share = None if share is None else min(1.0, max(0.0, share))
        self._rows_read = tally.rows_read
        self._rejected = tally.rejected
        self._bytes = tally.bytes_read - first_bytes
        self._seconds = seconds
        self._gained = (self._share or 0.0) - first_share
        rows_in, rows_out = dict(tally.rows_in), dict(tally.rows_out)  # another thread counts on
        self._ops = [(name, rows_in[op], rows_out.get(op, 0)) for op, name in tally.names.items() if op in rows_in]

    def parts(self) -> list[str]:
        """Return what a line in a log says: ``41% 53,562/130k rows 9.1 MB/s ETA 0:48 kept 72.5% rejected 0``."""
        return [self._percent(), self._rows(), self._rate(), self._rest(), *self._outcome()]

    def rows(self, elapsed: str, named: str, size: os.terminal_size) -> list[str]:
        """Return live lines that leave two rows of a terminal free and are no wider than it."""
        width, height = size.columns - 1, max(1, size.lines - 3)
        first = " ".join(filter(None, [self._percent(), self._rest(), f"{elapsed} elapsed"]))
        room = min(_WIDEST_BAR, width - len(first) - 3)
        if self._share is not None and room >= 8:
            filled = int(self._share * room)
            first = f"[{'#' * filled}{'.' * (room - filled)}] {first}"
        lines = [first, " ".join(filter(None, [self._rows(), self._rate(), *self._outcome()]))]
        lines += [named] if named else []
        wide = max([len(f"{rows_in:,} > {rows_out:,}") for _, rows_in, rows_out in self._ops], default=0)
        ops = [
            f"{f'{rows_in:,} > {rows_out:,}':>{wide}} {_share_of(rows_out, rows_in):>6} {name}"
            for name, rows_in, rows_out in self._ops
        ]
        if len(lines) + len(ops) > height:
            shown = max(0, height - len(lines) - 1)
            ops = [*ops[:shown], f"and {len(ops) - shown} more OPs"]
        return [line[:width] for line in [*lines, *ops][:height]]

    def _percent(self) -> str:
        return "" if self._share is None else f"{int(100 * self._share)}%"

    def _rows(self) -> str:
        total = f"/{_about(self._rows_read / self._share)}" if self._share and self._bytes else ""
        return f"{self._rows_read:,}{total} rows"

    def _rate(self) -> str:
        return f"{self._bytes / 1e6 / self._seconds:.1f} MB/s" if self._bytes and self._seconds else ""

    def _rest(self) -> str:
        if self._share is None or self._gained < _LEAST_SHARE:
            return ""
        return f"ETA {_seconds(self._seconds * (1 - self._share) / self._gained)}"

    def _outcome(self) -> list[str]:
        kept = 1.0
        for _, rows_in, rows_out in self._ops:
            kept *= rows_out / rows_in if rows_in else 1.0
        return [f"kept {kept:.1%}", f"rejected {self._rejected:,}"]


def phases_of(plan: Plan, *, writes_last: bool = False) -> list[str]:
    """Name the phases of a run: each pass, then the OPs at its end that all rows wait for; last, the writing of what waited.

    `writes_last` says that all rows wait to be written, as those of a job do.
    """
    phases: list[str] = []
    waiting: list[str] = []
    for run in plan.passes():
        before, waiting = waiting, [plan.ops[op].spec.name for op in plan.stages[run.stop - 1].waiting_ops]
        ops = [plan.ops[op].spec.name for number in run for op in plan.stages[number].local_ops]
        phases.append(_several(ops or waiting or before) if phases else "reading")
        if waiting:
            phases.append(f"comparing rows: {_several(waiting)}")
    return [*phases, "writing"] if writes_last or plan.stages[-1].waits else phases


def phase_of_pass(number: int) -> int:
    """Return the number of a pass's phase; behind the last pass, where rows waited, that of the writing."""
    return 2 * number


def phase_of_waiting(number: int) -> int:
    """Return the number of the phase in which all rows of a pass wait."""
    return 2 * number + 1


def heading_of(recipe: Recipe, files: Sequence[InputFile], size: int, threads: int, *, ranks: int = 1) -> str:
    """Say what runs: version, recipe, input, threads."""
    from djfast import __version__

    source = os.fspath(recipe.source) if recipe.source is not None else "a recipe from Python"
    named = files[0].path if len(files) == 1 else f"{len(files):,} files"
    placed = f"{threads} threads" if ranks == 1 else f"{ranks} ranks x {threads} threads"
    sized = f" ({size / 1e6:,.1f} MB)" if size else ""
    return f"djfast {__version__}: {source}, {named}{sized}, {placed}"


def _several(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _share_of(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _about(count: float) -> str:
    """Return a large number in few digits."""
    for unit, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if count >= unit:
            scaled = count / (1e3 if name == "k" else unit)
            return f"{scaled:.1f}{name}" if scaled < 10 else f"{scaled:.0f}{name}"
    return f"{count:,.0f}"


def _seconds(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _time_of_day() -> str:
    return time.strftime("%H:%M:%S")
