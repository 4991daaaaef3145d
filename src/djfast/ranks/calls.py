"""Questions that any thread of a rank asks another rank: record batches there and back, with credits.

One thread of each rank moves the messages; the threads that ask sleep until their answer is there. A rank *announces* how
many questions each other rank may have open with it at a time, which is the back-pressure: 0 when it takes none. When all
ranks have announced, nobody asks any more than that, and no more than `credits` blocks of each asker wait at a rank.
"""

from __future__ import annotations

import itertools
import queue
import struct
import threading
from collections.abc import Callable

from djfast.ranks.messages import RankLost
from djfast.records import NamedTuple

_QUESTION, _ANSWER, _ANNOUNCEMENT = 1, 2, 3


class Question(NamedTuple):
    """What another rank asked."""

    source: int
    number: int
    parts: list[bytes]


class _Waiting:
    """A thread that waits for its answer."""

    __slots__ = ("event", "parts")

    def __init__(self) -> None:
        self.event = threading.Event()
        self.parts: list[bytes] | None = None


class Channel:
    """Bytes between ranks, on a channel of its own."""

    def send(self, rank: int, head: bytes, parts: list[bytes]) -> None:
        """Begin to send."""
        raise NotImplementedError

    def receive(self) -> tuple[int, bytes, list[bytes]] | None:
        """Return the next message, None when there is none yet. Raises RankLost."""
        raise NotImplementedError

    def is_sent(self) -> bool:
        """Tell whether all that was begun is sent."""
        raise NotImplementedError

    def rest(self, *, is_urgent: bool) -> None:
        """Pause between two looks."""
        raise NotImplementedError


class Calls:
    """The questions and answers of one rank, in one pass over the data.

    Parameters
    ----------
    channel : Channel
        Carries bytes between ranks.
    announced : callable
        ``announced(rank, credits)`` is called when another rank announces.
    """

    def __init__(self, channel: Channel, announced: Callable[[int, int], None]) -> None:
        self.questions: queue.SimpleQueue[Question | None] = queue.SimpleQueue()
        self._channel = channel
        self._announced = announced
        self._numbers = itertools.count(1)
        self._open: dict[int, _Waiting] = {}
        self._outgoing: queue.SimpleQueue[tuple[int, bytes, list[bytes]]] = queue.SimpleQueue()
        self._is_closing = threading.Event()
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._move, name="djfast-calls", daemon=True)
        self._thread.start()

    def ask(self, rank: int, parts: list[bytes]) -> list[bytes]:
        """Ask another rank and wait for its answer."""
        number = next(self._numbers)
        waiting = self._open[number] = _Waiting()
        self._outgoing.put((rank, struct.pack("<BQ", _QUESTION, number), parts))
        if self.failure is not None:
            waiting.event.set()
        waiting.event.wait()
        if waiting.parts is None:
            raise self.failure or RankLost("a rank is lost")
        return waiting.parts

    def answer(self, question: Question, parts: list[bytes]) -> None:
        """Answer a question."""
        self._outgoing.put((question.source, struct.pack("<BQ", _ANSWER, question.number), parts))

    def announce(self, ranks: list[int], credits: int) -> None:
        """Tell ranks how many questions each of them may have open here."""
        for rank in ranks:
            self._outgoing.put((rank, struct.pack("<BQ", _ANNOUNCEMENT, credits), []))

    def close(self) -> None:
        """Send what is to be sent, and end."""
        self._is_closing.set()
        self._thread.join()

    def _move(self) -> None:
        try:
            while True:
                moved = False
                while not self._outgoing.empty():
                    rank, head, parts = self._outgoing.get()
                    self._channel.send(rank, head, parts)
                    moved = True
                if self._is_closing.is_set() and self._outgoing.empty() and self._channel.is_sent():
                    return
                came = self._channel.receive()
                if came is not None:
                    self._take(*came)
                elif not moved:
                    self._channel.rest(is_urgent=bool(self._open))
        except Exception as failure:  # a lost rank, or anything else: the threads that wait raise it
            self.failure = failure
            for waiting in list(self._open.values()):
                waiting.event.set()

    def _take(self, source: int, head: bytes, parts: list[bytes]) -> None:
        kind, number = struct.unpack("<BQ", head)
        if kind == _QUESTION:
            self.questions.put(Question(source, number, parts))
        elif kind == _ANNOUNCEMENT:
            self._announced(source, number)
        else:
            waiting = self._open.pop(number)
            waiting.parts = parts
            waiting.event.set()
