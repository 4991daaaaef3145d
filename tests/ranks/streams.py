"""Checks of the messages between MPI ranks: ``mpirun -n 3 python -m tests.ranks.streams CHECK``; exits 0 where it holds."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from djfast.ranks import Ranks, connect, detect_launch
from djfast.ranks.messages import swap
from djfast.ranks.mpi import _CREDITS

BIG_ROWS = 1_000_000  # of 8 bytes


def _batch(source: int, destination: int, number: int, rows: int) -> pa.RecordBatch:
    rng = np.random.default_rng([source, destination, number])
    values = pa.array(rng.integers(0, 1 << 40, rows), mask=rng.random(rows) < 0.1)
    texts = pa.array([f"{source}>{destination}" * (row % 3) for row in range(min(rows, 1000))] + [None] * max(0, rows - 1000))
    schema = pa.schema([("values", pa.int64()), ("texts", pa.string())], metadata={"number": str(number), "empty": ""})
    return pa.RecordBatch.from_arrays([values, texts.cast(pa.string())], schema=schema)


def _plan(rng: random.Random, size: int) -> dict[int, list[tuple[int, int]]]:
    """Destination and rows of what each rank sends."""
    most = rng.choice([0, 1, 5, 40])
    return {
        source: [(rng.randrange(size), rng.choice([0, 1, 2, 1000])) for _ in range(rng.randint(0, most))]
        for source in range(size)
    }


def _expected(plan: dict[int, list[tuple[int, int]]], receiver: int) -> list[list[pa.RecordBatch]]:
    return [
        [_batch(source, to, number, rows) for number, (to, rows) in enumerate(sent) if to == receiver]
        for source, sent in sorted(plan.items())
    ]


def _same(came: list[list[Any]], expected: list[list[Any]]) -> bool:
    return len(came) == len(expected) and all(
        len(a) == len(b) and all(x.equals(y) and x.schema.equals(y.schema, check_metadata=True) for x, y in zip(a, b))
        for a, b in zip(came, expected)
    )


def random_batches(ranks: Ranks) -> None:
    """Exchanges follow each other without a pause; each rank takes what was sent to it, in order."""
    for seed in range(60):
        rng = random.Random(seed)
        plan = _plan(rng, ranks.size)
        is_lazy = rng.random() < 0.3

        def outgoing(plan: Any = plan, is_lazy: bool = is_lazy) -> Iterator[tuple[int, Any]]:
            for number, (to, rows) in enumerate(plan[ranks.rank]):
                if is_lazy and ranks.rank == ranks.size - 1:
                    time.sleep(0.001)
                yield to, _batch(ranks.rank, to, number, rows)

        came: list[list[Any]] = [[] for _ in range(ranks.size)]
        ranks.stream(outgoing(), lambda source, batch, came=came: came[source].append(batch))
        assert _same(came, _expected(plan, ranks.rank)), f"seed {seed}"
        if rng.random() < 0.3:
            bodies = ranks.gather_all(b"%d" % ranks.rank * (seed * 1000 * ranks.rank))
            assert bodies == [b"%d" % rank * (seed * 1000 * rank) for rank in range(ranks.size)]


def big_batches(ranks: Ranks) -> None:
    """Batches past every limit below which messages are sent at once cross each other."""
    parts = [[_batch(ranks.rank, to, number, BIG_ROWS) for number in range(2)] for to in range(ranks.size)]
    came = swap(ranks, parts)
    for source, batches in enumerate(came):
        assert [batch.equals(_batch(source, ranks.rank, number, BIG_ROWS)) for number, batch in enumerate(batches)] == [True] * 2


def slow_taker(ranks: Ranks) -> None:
    """Senders wait for a rank that takes its time: they are never further ahead than their credits."""
    asked = 0
    taken = [0] * ranks.size
    batches = 15

    def outgoing() -> Iterator[tuple[int, Any]]:
        nonlocal asked
        if ranks.rank:
            for number in range(batches):
                asked += 1
                yield 0, _batch(ranks.rank, number, asked, 10)

    def take(source: int, batch: Any) -> None:
        time.sleep(0.005)
        taken[source] += 1
        # Every batch carries its number: those on their way, and the one that waits for a credit, are all there may be.
        assert int(batch.schema.metadata[b"number"]) == taken[source]

    ahead = 0
    if ranks.rank == 0:
        ranks.serve(lambda rank, body: b"%d" % taken[rank])

    def watched() -> Iterator[tuple[int, Any]]:
        nonlocal ahead
        for item in outgoing():
            ahead = max(ahead, asked - int(ranks.ask(b"how many?")))
            yield item

    ranks.stream(watched(), take)
    ranks.gather_all(b"")
    ranks.stop_serving()
    ranks.gather_all(b"")  # what is asked from now on is for others
    # Rank 0 takes a batch after the credit for the one before has left, so that one more may be on its way.
    assert ahead <= _CREDITS + 2, f"{ahead} batches ahead"
    assert taken == ([0] + [batches] * (ranks.size - 1) if ranks.rank == 0 else [0] * ranks.size)


def nothing(ranks: Ranks) -> None:
    """Exchanges without a batch, and with batches without rows."""
    for _ in range(50):
        assert swap(ranks, [[] for _ in range(ranks.size)]) == [[] for _ in range(ranks.size)]
    empty = [[_batch(ranks.rank, to, 0, 0)] for to in range(ranks.size)]
    assert _same(swap(ranks, empty), [[_batch(source, ranks.rank, 0, 0)] for source in range(ranks.size)])


def desk(ranks: Ranks) -> None:
    """Questions are answered, each once, while rank 0 itself works, asks and exchanges."""
    lock = threading.Lock()
    heard: dict[int, int] = {}

    def answer(rank: int, body: bytes) -> bytes | None:
        with lock:
            heard[rank] = heard.get(rank, 0) + 1
            return None if body == b"told" else body[::-1] + b"%d" % rank

    for attempt in range(3):
        heard.clear()
        if ranks.rank == 0:
            ranks.serve(answer)
        for number in range(40):
            body = b"%d" % number * (1 if number % 10 else 50_000)
            assert ranks.ask(body) == body[::-1] + b"%d" % ranks.rank
            ranks.tell(b"told")
            if number == 20:
                assert ranks.gather_all(b"%d" % attempt) == [b"%d" % attempt] * ranks.size
        assert ranks.ask(b"") == b"%d" % ranks.rank  # comes after everything that was told
        ranks.gather_all(b"")
        if ranks.rank == 0:
            ranks.stop_serving()
            assert heard == dict.fromkeys(range(ranks.size), 81)
        ranks.gather_all(b"")


CHECKS: dict[str, Callable[[Ranks], None]] = {
    check.__name__: check for check in (random_batches, big_batches, slow_taker, nothing, desk)
}


def main(names: list[str]) -> None:
    ranks = connect(detect_launch(os.environ))
    try:
        for name in names:
            CHECKS[name](ranks)
    except BaseException:
        traceback.print_exc()
        ranks.abort(1)
        raise
    ranks.close(0)


if __name__ == "__main__":
    main(sys.argv[1:])
