"""Threads that work on a stream of items and hand the results back in order."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Task(Generic[Item]):
    """One item on its way: done when `event` is set, with a result or the exception that stopped it."""

    __slots__ = ("error", "event", "item", "result")

    def __init__(self, item: Item) -> None:
        self.item: Item | None = item
        self.event = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None


def in_order(items: Iterable[Item], work: Callable[[Item], Result], *, threads: int) -> Iterator[Result]:
    """Yield ``work(item)`` for each item, in the order of the items.

    At most ``2 * threads + 1`` items are between reading and yielding, so memory does not grow with the input. With one
    thread everything happens in the caller. An exception of `work` is raised here, at its item's turn.
    """
    if threads <= 1:
        yield from map(work, items)
        return
    tasks: queue.SimpleQueue[_Task[Item] | None] = queue.SimpleQueue()

    stopping = threading.Event()

    def serve() -> None:
        while (task := tasks.get()) is not None:
            if stopping.is_set():
                continue
            try:
                task.result = work(task.item)  # type: ignore[arg-type]
            except BaseException as error:
                task.error = error
            task.item = None
            task.event.set()

    workers = [threading.Thread(target=serve, name=f"djfast-{i}", daemon=True) for i in range(threads)]
    for worker in workers:
        worker.start()
    pending: deque[_Task[Item]] = deque()
    try:
        for item in items:
            task = _Task(item)
            pending.append(task)
            tasks.put(task)
            while len(pending) > 2 * threads or (pending and pending[0].event.is_set()):
                yield _finished(pending.popleft())
        while pending:
            yield _finished(pending.popleft())
    finally:
        stopping.set()  # when the run ends early, what waits in the queue is not begun
        for _ in workers:
            tasks.put(None)
        for worker in workers:
            worker.join()


def _finished(task: _Task[Any]) -> Any:
    task.event.wait()
    if task.error is not None:
        raise task.error
    return task.result
