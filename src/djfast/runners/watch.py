"""The time limit of a row: a function that hangs costs its row, not the run.

A thread that hangs inside a library cannot be stopped. So functions are called by threads that can be left behind: the thread
that waits for one rejects the row and goes on with the next one in a new thread. Native code works on whole batches; there
the rows are tried one by one afterwards (see `stage_work`). It always comes back, in a time that its bytes bound, as do some
functions in Python: of these only what is large for the limit is called like this, for handing over a batch costs as much
as a cheap filter. If a library holds the interpreter's lock while it hangs, no thread can go on, and the process ends.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from djfast.errors import Preempted, RowTimeoutError
from djfast.plan.bind import Answers
from djfast.records import NamedTuple

if TYPE_CHECKING:
    import queue

_EXCERPT = 80
_GRACE = 10.0  # seconds that the lock of the interpreter may be held beyond twice the limit
_MOST_LEFT = 200  # threads; each may hold a processor and memory
_SLOWEST_NATIVE = 4000  # bytes a second of all native OPs of a stage: a thousandth of what they are measured to do
_SLOWEST_PYTHON = 100  # of functions that say that their bytes bound their time
_MOST_BYTES = 4 << 20  # more than that would hold up a run that is asked to end

_left_behind: list[threading.Thread] = []


class Suspect(NamedTuple):
    """What an OP was called with when it did not come back. `digest` is a hash of the arguments, which are shown cut off."""

    op: int
    digest: str
    excerpt: str
    seconds: float


class _Errand:
    """Calls that another thread makes one after the other, and where it is with them."""

    def __init__(self, function: Callable[..., Any], calls: Sequence[Sequence[Any]]) -> None:
        self.answers: Answers = []
        self.began = time.monotonic()
        self.is_left = False
        self.is_done = threading.Event()
        self.fatal: BaseException | None = None
        self._function = function
        self._calls = calls

    def run(self) -> None:
        """Make the calls, until it is left."""
        try:
            for arguments in self._calls:
                if self.is_left:
                    return
                self.began = time.monotonic()
                try:
                    self.answers.append((self._function(*arguments), None))
                except Exception as error:  # whatever a library raises for one row is that row's error
                    self.answers.append((None, error))
        except BaseException as error:
            self.fatal = error
        finally:
            self.is_done.set()


class _Hand:
    """A thread that makes calls for another one."""

    def __init__(self) -> None:
        import queue  # most runs hand nothing over

        self._errands: queue.SimpleQueue[_Errand | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._serve, name="djfast-hand", daemon=True)
        self.thread.start()

    def send(self, errand: _Errand | None) -> None:
        """Let it run an errand, or end."""
        self._errands.put(errand)

    def _serve(self) -> None:
        while (errand := self._errands.get()) is not None:
            errand.run()
            if errand.is_left:
                return
            del errand  # while this thread waits for the next one, it must not keep the batch of the last


class Watch:
    """Calls functions with a limit of time.

    Parameters
    ----------
    limit : float
        Seconds that one row may take.
    suspected : callable
        ``suspected(suspect)`` is called when a row took longer in a Python function.
    suspects : collection of (int, str)
        OP and digest of rows that took longer in an earlier attempt; they are not tried again.
    """

    def __init__(
        self,
        limit: float,
        suspected: Callable[[Suspect], None] = lambda suspect: None,
        suspects: Collection[tuple[int, str]] = (),
    ) -> None:
        self.limit = limit
        self._suspected = suspected
        self._suspects = frozenset(suspects)
        self._local = threading.local()
        self._hands: list[_Hand] = []
        self._busy: dict[_Hand, _Errand] = {}
        self._is_ending = False
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def reason(self) -> str:
        """What is said of a row that took longer."""
        return f"took longer than the row_timeout of {self.limit:g} s"

    def each(self, op: int, function: Callable[..., Any], calls: Sequence[Sequence[Any]]) -> Answers:
        """Call a function for each row of an OP; return for each what it returned, or the exception."""
        if self._suspects:
            known = [(op, _digest(arguments)) in self._suspects for arguments in calls]
            if any(known):
                rest = iter(self._each(op, function, [call for call, is_known in zip(calls, known) if not is_known]))
                return [(None, TimeoutError(self.reason)) if is_known else next(rest) for is_known in known]
        return self._each(op, function, calls)

    def _each(self, op: int, function: Callable[..., Any], calls: Sequence[Sequence[Any]]) -> Answers:
        answers: Answers = []
        while len(answers) < len(calls):
            errand = self._waited_for(_Errand(function, calls[len(answers) :] if answers else calls))
            answers += errand.answers[:]
            if errand.is_left and len(answers) < len(calls):
                arguments = calls[len(answers)]
                seconds = time.monotonic() - errand.began
                self._suspected(Suspect(op, _digest(arguments), _excerpt(arguments), seconds))
                answers.append((None, TimeoutError(self.reason)))
        return answers

    def whole(self, op: str, function: Callable[[], Any]) -> Any:
        """Call a function for a whole batch.

        Raises
        ------
        RowTimeoutError
            If it takes longer than a row may.
        """
        errand = self._waited_for(_Errand(function, [()]))
        if errand.is_left:
            raise RowTimeoutError(
                f"{op}: a call with a batch of rows took longer than the row_timeout of {self.limit:g} s. A function "
                "over batches does not show which row is slow: make it a function over rows, or raise row_timeout"
            )
        [(answer, error)] = errand.answers
        if error is not None:
            raise error
        return answer

    def minds(self, byte_count: int, *, in_python: bool = False) -> bool:
        """Tell whether work that so many bytes bound may take as long as a row may, and must be done by a method of this."""
        if self._is_ending:
            raise Preempted
        return byte_count > min((_SLOWEST_PYTHON if in_python else _SLOWEST_NATIVE) * self.limit, _MOST_BYTES)

    def native(self, work: Callable[[], None]) -> bool:
        """Do native work on a batch; whether it was done in the time of a row. Else all that it has in hand is lost to it."""
        errand = self._waited_for(_Errand(work, [()]))
        if errand.is_left:
            return False
        [(_, error)] = errand.answers
        if error is not None:
            raise error
        return True

    def let_go(self) -> None:
        """Leave all that is being done, and begin nothing more: the run ends, and a row that takes long must not hold it up.

        Who waits for an answer gets `Preempted`.
        """
        with self._lock:
            self._is_ending = True
            busy = [(hand, errand) for hand, errand in self._busy.items() if not errand.is_done.is_set()]
            for hand, errand in busy:
                errand.is_left = True
                self._hands.remove(hand)
                _left_behind.append(hand.thread)
        for hand, errand in busy:
            _end_loop(hand)
            errand.is_done.set()

    def close(self) -> None:
        """Stop watching. What is still being done, as the run ends early, is left."""
        self.let_go()
        if self._thread is not None:
            self._is_over.set()
            self._thread.join()
            import faulthandler

            faulthandler.cancel_dump_traceback_later()
        for hand in self._hands:
            hand.send(None)

    def _waited_for(self, errand: _Errand) -> _Errand:
        """Wait until an errand is done, or its present call takes too long, which leaves it."""
        hand = self._hand()
        with self._lock:
            if self._is_ending:
                raise Preempted
            self._busy[hand] = errand
        hand.send(errand)
        period = min(1.0, self.limit / 4)
        while not errand.is_done.wait(period):
            if time.monotonic() - errand.began > self.limit:
                errand.is_left = True
                self._leave(hand)
                break
        with self._lock:
            del self._busy[hand]
            if self._is_ending:
                raise Preempted
        if errand.fatal is not None and not errand.is_left:
            raise errand.fatal
        return errand

    def _hand(self) -> _Hand:
        hand: _Hand | None = getattr(self._local, "hand", None)
        if hand is None:
            hand = self._local.hand = _Hand()
            with self._lock:
                self._hands.append(hand)
                if self._thread is None:
                    self._postpone()  # a library may hang before the thread below has its first turn
                    self._thread = threading.Thread(target=self._live, name="djfast-watch", daemon=True)
                    self._thread.start()
        return hand

    def _leave(self, hand: _Hand) -> None:
        self._local.hand = None
        with self._lock:
            if self._is_ending:
                return
            self._hands.remove(hand)
            _left_behind.append(hand.thread)
            still = sum(thread.is_alive() for thread in _left_behind)
        _end_loop(hand)
        if still > _MOST_LEFT:
            raise RowTimeoutError(
                f"{still} calls took longer than the row_timeout of {self.limit:g} s and still hang, so the run ends"
            )

    def _live(self) -> None:
        period = min(1.0, self.limit / 4)
        while not self._is_over.wait(period):
            self._postpone()

    def _postpone(self) -> None:
        """Let the process live on. Where a library hangs with the interpreter's lock held, nobody can say so, and it ends."""
        import faulthandler

        faulthandler.dump_traceback_later(2 * self.limit + _GRACE, exit=True, file=2)


def _end_loop(hand: _Hand) -> None:
    """End a loop in Python; what sleeps, or is in a library, ends when it comes back."""
    if hand.thread.ident is not None:
        import ctypes

        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(hand.thread.ident), ctypes.py_object(TimeoutError))


def end_if_any_hang(status: int) -> None:
    """End this process here if threads of it hang, which the interpreter would stumble over at its own end."""
    if any(thread.is_alive() for thread in _left_behind):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _digest(arguments: Sequence[Any]) -> str:
    import hashlib  # loads OpenSSL

    return hashlib.sha256(repr(tuple(arguments)).encode("utf-8", "backslashreplace")).hexdigest()


def _excerpt(arguments: Sequence[Any]) -> str:
    text = repr(arguments[0]) if arguments else ""
    return text if len(text) <= _EXCERPT else text[: _EXCERPT - 3] + "..."
