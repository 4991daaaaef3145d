"""Ranks that are threads of one process, with queues where MPI has messages: what ranks compute together, without a launcher."""

from __future__ import annotations

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pyarrow as pa

from djfast.io.arrow_ipc import stream_of
from djfast.ranks import RankLost
from djfast.ranks.calls import Channel

Result = TypeVar("Result")

_BATCHES_ON_THEIR_WAY = 2  # fewer than between real ranks, so that senders wait often


class _World:
    """The queues between some ranks, each made when it is first used, and whether a rank has failed."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.has_failed = threading.Event()
        self._lock = threading.Lock()
        self._queues: dict[tuple[Any, ...], queue.Queue[Any]] = defaultdict(queue.Queue)

    def queue(self, *name: Any, size: int = 0) -> queue.Queue[Any]:
        with self._lock:
            if name not in self._queues:
                self._queues[name] = queue.Queue(size)
            return self._queues[name]

    def check(self) -> None:
        if self.has_failed.is_set():
            raise RankLost("another thread has failed")

    def get(self, waited_for: queue.Queue[Any], meanwhile: Callable[[], None] | None = None) -> Any:
        while True:
            self.check()
            if meanwhile is not None:
                meanwhile()
            try:
                return waited_for.get(timeout=0.1)
            except queue.Empty:
                continue


class ThreadChannel(Channel):
    """Calls between the ranks of `run_threads`."""

    def __init__(self, world: _World, number: int, rank: int) -> None:
        self._world = world
        self._number = number
        self._rank = rank

    def send(self, rank: int, head: bytes, parts: list[bytes]) -> None:
        self._world.queue("channel", self._number, rank).put((self._rank, head, [bytes(part) for part in parts]))

    def receive(self) -> tuple[int, bytes, list[bytes]] | None:
        self._world.check()
        try:
            came: tuple[int, bytes, list[bytes]] = self._world.queue("channel", self._number, self._rank).get_nowait()
        except queue.Empty:
            return None
        return came

    def is_sent(self) -> bool:
        return True

    def rest(self, *, is_urgent: bool) -> None:
        time.sleep(0.0002 if is_urgent else 0.001)


class Threads:
    """One of the ranks of `run_threads`."""

    can_regroup = False

    def __init__(self, world: _World, rank: int) -> None:
        self.rank = rank
        self.size = world.size
        self._world = world
        self._exchanges = 0
        self._channels = 0
        self._server: threading.Thread | None = None
        self._answer: Callable[[int, bytes], bytes | None] | None = None

    def gather_all(self, body: bytes, meanwhile: Callable[[], None] | None = None) -> list[bytes]:
        self._exchanges += 1
        for rank in range(self.size):
            self._world.queue("gather", self._exchanges, rank).put((self.rank, body))
        mine = self._world.queue("gather", self._exchanges, self.rank)
        came = dict(self._world.get(mine, meanwhile) for _ in range(self.size))
        return [came[rank] for rank in range(self.size)]

    def stream(self, outgoing: Iterator[tuple[int, Any]], take: Callable[[int, Any], None]) -> None:
        """Hand batches over as Arrow IPC, a few at a time to each rank, as ranks of several processes do."""
        self._exchanges += 1
        boxes = [self._world.queue("stream", self._exchanges, rank, size=_BATCHES_ON_THEIR_WAY) for rank in range(self.size)]
        ends = iter([(rank, None) for rank in range(self.size)])
        still_open = self.size
        held: tuple[int, Any] | None = None
        more = True
        while still_open or more or held:
            self._world.check()
            moved = False
            try:
                source, body = boxes[self.rank].get_nowait()
                moved = True
                if body is None:
                    still_open -= 1
                else:
                    with pa.ipc.open_stream(body) as reader:
                        take(source, reader.read_next_batch())
            except queue.Empty:
                pass
            if held is None and more:
                following = next(outgoing, None)
                held = next(ends, None) if following is None else (following[0], stream_of(following[1]))
                more = held is not None
            if held is not None:
                try:
                    boxes[held[0]].put_nowait((self.rank, held[1]))
                    held = None
                    moved = True
                except queue.Full:
                    pass
            if not moved:
                time.sleep(0.0002)

    def ask(self, body: bytes) -> bytes:
        if self.rank == 0:
            return self._answered(body)
        reply: queue.Queue[bytes] = queue.Queue()
        self._world.queue("desk").put((self.rank, body, reply))
        return bytes(self._world.get(reply))

    def tell(self, body: bytes) -> None:
        if self.rank == 0:
            self._answered(body)
        else:
            self._world.queue("desk").put((self.rank, body, None))

    def _answered(self, body: bytes) -> bytes:
        assert self._answer is not None, "nobody serves"
        return self._answer(0, body) or b""

    def serve(self, answer: Callable[[int, bytes], bytes | None]) -> None:
        self._answer = answer
        self._server = threading.Thread(target=self._serve, args=(answer,), daemon=True)
        self._server.start()

    def _serve(self, answer: Callable[[int, bytes], bytes | None]) -> None:
        desk = self._world.queue("desk")
        try:
            while (message := desk.get()) is not None:
                rank, body, reply = message
                answered = answer(rank, body)
                if reply is not None:
                    reply.put(answered or b"")
        except BaseException:
            self._world.has_failed.set()
            raise

    def stop_serving(self) -> None:
        if self._server is not None:
            self._world.queue("desk").put(None)
            self._server.join()
            self._server = None
        self._answer = None

    def open_channel(self) -> ThreadChannel | None:
        self._channels += 1
        return ThreadChannel(self._world, self._channels, self.rank) if self.size > 1 else None

    def abort(self, status: int) -> None:
        self._world.has_failed.set()

    def regroup(self) -> Threads:
        raise NotImplementedError

    def close(self, status: int) -> None:
        pass


def run_threads(size: int, work: Callable[[Threads], Result]) -> list[Result]:
    """Return ``work(ranks)`` of every rank. When one fails, the others stop waiting, and its exception is raised here."""
    world = _World(size)
    results: dict[int, Result] = {}
    errors: list[BaseException] = []

    def run(rank: int) -> None:
        try:
            results[rank] = work(Threads(world, rank))
        except BaseException as error:
            if not world.has_failed.is_set() or not isinstance(error, RankLost):
                errors.append(error)
            world.has_failed.set()

    threads = [threading.Thread(target=run, args=(rank,), daemon=True) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads), "ranks wait for each other"
    if errors:
        raise errors[0]
    return [results[rank] for rank in range(size)]
