"""Threads that work on a stream of items and hand the results back in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Task(Generic[Item]):
    """One item on its way: done when `event` is set, with a result or the exception that stopped it."""

    __slots__ = ("error", "event", "item", "result", "weight")

    def __init__(self, item: Item, weight: int) -> None:
        self.item: Item | None = item
        self.weight = weight
        self.event = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None


class Elsewhere(Protocol):
    """Other places that take items when they have nothing else to do."""

    threads: int  # that wait for them

    def offer(self) -> Callable[[Any], Any] | None:
        """Wait until a place takes an item, and return what brings it there; None after `withdraw`."""
        ...

    def withdraw(self) -> None:
        """Let nobody wait any longer."""
        ...


def in_order(
    items: Iterable[Item],
    work: Callable[[Item], Result],
    *,
    threads: int,
    elsewhere: Elsewhere | None = None,
    weigh: Callable[[Item], int] | None = None,
    most_weight: int = 0,
    let_go: Callable[[], None] | None = None,
) -> Iterator[Result]:
    """Yield ``work(item)`` for each item, in the order of the items.

    At most ``2 * threads + 1`` items are between reading and yielding, so memory does not grow with the input; threads of
    `elsewhere` count. If there is a way to `weigh` items, these weigh at most `most_weight` together: an item that weighs more
    is alone, and the next one is not even read before it is done. With one thread and no other place everything happens in
    the caller; more are started only while items wait for them. An exception of `work` is raised here, at its item's turn.

    If the iteration ends early, it waits for the threads: `let_go` makes them leave what they are at.
    """
    if threads <= 1 and elsewhere is None:
        yield from map(work, items)
        return
    import queue  # with more threads only

    tasks: queue.SimpleQueue[_Task[Item] | None] = queue.SimpleQueue()
    stopping = threading.Event()

    def do(task: _Task[Item], work: Callable[[Item], Result]) -> None:
        try:
            task.result = work(task.item)  # type: ignore[arg-type]
        except BaseException as error:
            task.error = error
        task.item = None
        task.event.set()

    def serve() -> None:
        while (task := tasks.get()) is not None:
            if not stopping.is_set():
                do(task, work)
            del task  # whose result it must not keep while it waits for the next one

    def serve_elsewhere(elsewhere: Elsewhere) -> None:
        while (work_there := elsewhere.offer()) is not None:
            if (task := tasks.get()) is None:
                return
            if not stopping.is_set():
                do(task, work_there)
            del task

    most_pending = 2 * threads
    workers: list[threading.Thread] = []
    if elsewhere is not None:
        most_pending += 2 * elsewhere.threads
        names = (f"djfast-elsewhere-{i}" for i in range(elsewhere.threads))
        workers += [threading.Thread(target=serve_elsewhere, args=(elsewhere,), name=name, daemon=True) for name in names]
        for worker in workers:
            worker.start()
    here = 0
    pending: deque[_Task[Item]] = deque()
    is_whole = False
    try:
        for item in items:
            task = _Task(item, 0 if weigh is None else weigh(item))
            while pending and task.weight + sum(each.weight for each in pending) > most_weight and weigh is not None:
                yield _finished(pending.popleft())
            pending.append(task)
            tasks.put(task)
            if here < threads and tasks.qsize() > 0:
                workers.append(threading.Thread(target=serve, name=f"djfast-{here}", daemon=True))
                workers[-1].start()
                here += 1
            del item, task  # large ones must not stay here while the next ones are read
            while pending and (
                len(pending) > most_pending
                or pending[0].event.is_set()
                or (weigh is not None and pending[0].weight >= most_weight)
            ):
                yield _finished(pending.popleft())
        while pending:
            yield _finished(pending.popleft())
        is_whole = True
    finally:
        stopping.set()  # when the run ends early, what waits in the queue is not begun,
        if not is_whole:
            from djfast.llm.interrupts import interrupt

            interrupt(workers)  # and nobody waits for the answer of a language model,
            if let_go is not None:
                let_go()  # or for a row that takes long
        if elsewhere is not None:
            elsewhere.withdraw()
        for _ in workers:
            tasks.put(None)
        for worker in workers:
            worker.join()


def _finished(task: _Task[Any]) -> Any:
    task.event.wait()
    if task.error is not None:
        raise task.error
    return task.result
