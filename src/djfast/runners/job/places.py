"""Where a batch is worked on: here, on a rank with nothing else to do, or on a rank that owns the devices.

A rank that has no split left works for those that have: their batches come to it as record batches, and what became of
them goes back. So a rank with one slow split, or with the rows that a selective filter left in one place, is not waited
for by all others. Stages on devices go to the device ranks in the same way, and those take no splits of their own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from djfast.ranks import RankLost, Ranks
from djfast.ranks.calls import Calls, Question
from djfast.runners.spool import packed
from djfast.runners.stage_work import Done, StageWork
from djfast.runners.travelling import packed_done, packed_error, unpacked_done

if TYPE_CHECKING:
    from djfast.rows.carrier import Block, FileCarrier

CREDITS = 2  # blocks of one rank that may wait or be worked on at another


class Places:
    """The places of one pass.

    Parameters
    ----------
    works : sequence of StageWork
        The stages of the pass.
    rows : JsonRows, ArrowRows or ListRows
        How rows are carried.
    threads : int
        Batches that are worked on here at the same time.
    device_ranks : frozenset of int
        Ranks that take the stages on devices; empty: every rank does them itself.
    """

    def __init__(
        self, ranks: Ranks, works: Sequence[StageWork], rows: FileCarrier, *, threads: int, device_ranks: frozenset[int]
    ) -> None:
        self._ranks = ranks
        self._works = works
        self._rows = rows
        self._threads = threads
        self._device_ranks = device_ranks
        self._here = threading.Semaphore(threads)
        self._is_withdrawn = False
        self._credits: dict[int, int] = {}
        self._announced: set[int] = {ranks.rank}
        self._changed = threading.Condition()
        self.sent_away = 0
        channel = ranks.open_channel()
        self._calls = Calls(channel, self._take_announcement) if channel is not None else None
        self._servers: list[threading.Thread] = []
        self.is_device = ranks.rank in device_ranks
        # Stages on devices are waited for, and the others go on meanwhile. A pass of one stage can go elsewhere as a whole.
        self.workers = threads + 2 * CREDITS if device_ranks else threads
        self.threads = CREDITS if self._calls is not None and len(works) == 1 and not device_ranks else 0
        if self.is_device:
            self._serve()

    def run_stage(self, number: int, block: Block) -> Done:
        """Run one stage of the pass on a block, here or on a rank with a device."""
        if not self._device_ranks:
            return self._works[number].run(block)
        if self._works[number].stage.on_device:
            return self._ask(self._take_credit(self._device_ranks), number, block)
        with self._here:
            return self._works[number].run(block)

    def offer(self) -> Callable[[Any], Done | None] | None:
        """Wait for a rank that works for this one; return what brings a block there, None after `withdraw`.

        A None block only returns the credit.
        """
        try:
            rank = self._take_credit(None)
        except RankLost:
            return None
        if rank is None:
            return None
        return lambda block: self._return_credit(rank) if block is None else self._ask(rank, 0, block)

    def withdraw(self) -> None:
        """Wait for no rank any more."""
        with self._changed:
            self._is_withdrawn = True
            self._changed.notify_all()

    def _take_credit(self, ranks: Collection[int] | None) -> Any:
        """Take a credit of one of some ranks, of any rank for None, as soon as there is one; None after `withdraw`."""
        with self._changed:
            while True:
                self._raise_failure()
                if ranks is None and self._is_withdrawn:
                    return None
                free = [rank for rank, left in self._credits.items() if left > 0 and (ranks is None or rank in ranks)]
                if free:
                    rank = max(free, key=lambda rank: (self._credits[rank], -rank))
                    self._credits[rank] -= 1
                    return rank
                self._changed.wait(timeout=1.0)

    def _return_credit(self, rank: int) -> None:
        with self._changed:
            self._credits[rank] += 1
            self._changed.notify_all()

    def _raise_failure(self) -> None:
        if self._calls is not None and self._calls.failure is not None:
            raise self._calls.failure

    def _ask(self, rank: int, number: int, block: Block) -> Done:
        """Have a block worked on elsewhere, and give the credit for it back."""
        assert self._calls is not None
        self.sent_away += 1
        try:
            return unpacked_done(self._calls.ask(rank, [b"%d" % number, *block.pack()]))
        finally:
            self._return_credit(rank)

    def finish(self, meanwhile: Callable[[], None]) -> None:
        """Work for others until no rank has anything left. All ranks call it when they have no split any more.

        `meanwhile` is called again and again while this rank waits.
        """
        if self._calls is None:
            return
        if not self.is_device:
            others = [rank for rank in range(self._ranks.size) if rank != self._ranks.rank]
            self._serve(only=others)
        with self._changed:
            while len(self._announced - self._device_ranks) < self._ranks.size - len(self._device_ranks):
                self._raise_failure()
                meanwhile()
                self._changed.wait(timeout=1.0)

    def close(self) -> None:
        """End the threads."""
        if self._calls is not None:
            for _ in self._servers:
                self._calls.questions.put(None)
            for server in self._servers:
                server.join()
            self._calls.close()

    def _serve(self, only: Sequence[int] | None = None) -> None:
        """Answer questions from now on, and say so. Ranks with splits announce only when they have none left."""
        assert self._calls is not None
        for number in range(self._threads):
            server = threading.Thread(target=self._answer_all, name=f"djfast-serve-{number}", daemon=True)
            server.start()
            self._servers.append(server)
        others = [rank for rank in range(self._ranks.size) if rank != self._ranks.rank]
        self._calls.announce(others if only is None else list(only), CREDITS)

    def _answer_all(self) -> None:
        assert self._calls is not None
        while (question := self._calls.questions.get()) is not None:
            self._calls.answer(question, self._answer(question))

    def _answer(self, question: Question) -> list[bytes]:
        try:
            number, *parts = question.parts
            done = self._works[int(number)].run(self._rows.block.unpack(*parts))
            return packed_done(done._replace(piece=packed(done.piece)))
        except Exception as error:  # it is raised where the question came from
            return packed_error(error, f"on rank {self._ranks.rank}")

    def _take_announcement(self, rank: int, credits: int) -> None:
        with self._changed:
            self._announced.add(rank)
            self._credits[rank] = self._credits.get(rank, 0) + credits
            self._changed.notify_all()
