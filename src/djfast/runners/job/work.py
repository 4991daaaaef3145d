"""One rank's work on splits: it takes them from rank 0's desk until there are none, and journals what it finished."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

from djfast.errors import InternalError, Preempted
from djfast.io.intake import Intake
from djfast.ranks import RankLost, Ranks
from djfast.recipe.load import Recipe
from djfast.runners.job.desk import NO_MORE, STOP, Desk
from djfast.runners.job.journal import SuspectEntry
from djfast.runners.job.parts import PartWriter
from djfast.runners.job.passes import Passes
from djfast.runners.job.places import Places
from djfast.runners.job.selecting import Mover, read_order
from djfast.runners.job.stopping import Stopping
from djfast.runners.memory import threads_of, working_set
from djfast.runners.planning import fatal_ops
from djfast.runners.progress import phase_of_pass, phase_of_waiting
from djfast.runners.rejected import RejectedRows
from djfast.runners.report import Tally
from djfast.runners.spool import packed
from djfast.runners.stage_work import Done, PassWork, StageWork, rejected_rows
from djfast.runners.watch import Suspect, Watch
from djfast.runners.workers import in_order

_NEWS_SECONDS = 1.0


class _Elsewhere:
    """Other ranks as places for a batch and the number of its split."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.threads = places.threads

    def offer(self) -> Callable[[tuple[int, Any]], tuple[int, Done | None]] | None:
        work = self._places.offer()
        if work is None:
            return None
        return lambda item: (item[0], work(item[1]))

    def withdraw(self) -> None:
        self._places.withdraw()


class RankWork:
    """What one rank does in one attempt.

    Parameters
    ----------
    passes : Passes
        What there is to do, and what is done.
    device_ranks : frozenset of int
        Ranks that take the stages on devices.
    working_bytes : int
        Bytes that batches take together on their way.
    may_exit : bool
        Whether a row that takes too long ends this process.
    """

    def __init__(
        self,
        recipe: Recipe,
        passes: Passes,
        ranks: Ranks,
        stopping: Stopping,
        *,
        device_ranks: frozenset[int],
        working_bytes: int,
        may_exit: bool,
    ) -> None:
        self.waited = 0.0  # seconds without anything to do
        self.total = Tally(passes.plan.op_names)  # what this rank did in earlier phases
        self._recipe = recipe
        self._passes = passes
        self._ranks = ranks
        self._stopping = stopping
        self._device_ranks = device_ranks
        self._working_bytes = working_bytes
        self._may_exit = may_exit
        self._is_fatal = fatal_ops(passes.plan, skips_errors=bool(recipe.settings["skip_op_error"]))
        self._mine = Tally(self.total.names)  # in this phase
        self._phase = 0
        self._finished = 0  # splits of this phase
        self._intake: Intake | None = None  # of the input, while it is read
        self._was_refused = False  # the desk gave no split, as a rank must stop
        self._told_to_stop = False
        self._next_news = 0.0

    def run_pass(self, number: int, desk: Desk | None) -> None:
        """Bring all splits through one pass; all ranks call it.

        Raises
        ------
        Preempted
            When a rank was asked to stop.
        RankLost
            When a rank is gone; what was begun here is finished first.
        """
        passes = self._passes
        count = passes.split_count(number)
        todo = [split for split in range(count) if (number, split) not in passes.journal.parts]
        self._hand_out(phase_of_pass(number), todo, count, desk, lambda: self._run_splits(number))
        missing = [split for split in todo if (number, split) not in passes.journal.parts]
        if missing:
            raise InternalError(f"splits {missing[:5]} of pass {number} were not done by any rank")

    def move(self, number: int, desk: Desk | None) -> None:
        """Write the rows of a pass bucket by bucket of their new order; all ranks call it."""
        passes = self._passes
        count = passes.split_count(number)
        answer = passes.journal.answers[number]
        firsts = [0, *accumulate(passes.journal.parts[number, split].rows for split in range(count))]
        passes.journal.check(answer)
        order = read_order(passes.folder.path / answer.order)
        mover = Mover(passes.folder.path, passes.folder.writer, order, answer.cuts[:-1], firsts[-1])
        lines = passes.lines_before(number)

        def work() -> RankLost | None:
            try:
                while (split := self._next_split()) != NO_MORE:
                    pieces = passes.part(number, split).pieces(passes.rows.piece.unpack)
                    counted = [piece.counted_from(lines[split]) for piece in pieces]
                    entry = mover.move(number, split, counted, firsts[split], passes.rows.piece)
                    passes.folder.check_owned()
                    passes.journal.append(entry)
                    self._finished += 1
                    self._stopping.check()
            except RankLost as error:
                return error
            return None

        todo = [split for split in range(count) if (number, split) not in passes.journal.moved]
        self._hand_out(phase_of_waiting(number), todo, count, desk, work)

    def waiting(self, wait: Callable[[], Any]) -> Any:
        """Count the time of a call as waiting."""
        began = time.monotonic()
        try:
            return wait()
        finally:
            self.waited += time.monotonic() - began

    def _hand_out(
        self, phase: int, todo: list[int], count: int, desk: Desk | None, work: Callable[[], RankLost | None]
    ) -> None:
        """Work on splits, of `count` those `todo`, from the desk until there are none; tell all ranks what was finished."""
        if desk is not None:
            sizes = self._passes.split_bytes() if phase == 0 else [1.0] * count
            desk.open(phase, todo, self._passes.finished(), sizes)
        self._phase = phase
        self._finished = 0
        self._intake = Intake() if phase == 0 else None
        self._mine = Tally(self.total.names)
        journal = self._passes.journal
        with self._stopping.gently():
            lost = work()
            self.total.add(self._mine)
            if lost is not None:
                raise lost
            stops = self._stopping.is_asked or self._was_refused
            news = json.dumps({"lines": journal.fresh_lines().decode(), "stops": stops}).encode()
            all_news = [json.loads(body) for body in self.waiting(lambda: self._ranks.gather_all(news, self._pass_stop_on))]
            journal.take_lines(each["lines"].encode() for each in all_news)
            if any(each["stops"] for each in all_news):
                raise Preempted(is_common=True)
        if self._stopping.is_asked:
            raise Preempted

    def _run_splits(self, number: int) -> RankLost | None:
        """Work on splits until there are none. A lost rank is told at the end: what was begun is finished first."""
        passes = self._passes
        layouts = passes.rows.layouts(passes.plan)
        threads = threads_of(self._recipe.settings)
        watch = self._watch()
        works = [StageWork(passes.stages[stage], layouts[stage], passes.rows, watch) for stage in passes.runs[number]]
        places = Places(self._ranks, works, passes.rows, threads=threads, device_ranks=self._device_ranks)
        work = PassWork(works, passes.rows, run_stage=places.run_stage, prepare=packed)
        lost: list[RankLost] = []
        writer: PartWriter | None = None

        def blocks() -> Iterator[tuple[int, Any]]:
            try:
                while not places.is_device and (split := self._next_split()) != NO_MORE:
                    read = passes.blocks(number, split)
                    for block in read if self._intake is None else self._intake.blocks(read):
                        yield split, block
                        self._stopping.check()
                    yield split, None
            except RankLost as error:
                lost.append(error)

        def run(item: tuple[int, Any]) -> tuple[int, Done | None]:
            split, block = item
            return split, None if block is None else work.run(block)

        elsewhere = _Elsewhere(places) if places.threads else None
        factor = working_set(passes.plan)
        try:
            for split, done in in_order(
                blocks(),
                run,
                threads=places.workers,
                elsewhere=elsewhere,
                weigh=lambda item: 0 if item[1] is None else int(item[1].byte_count) * factor,
                most_weight=self._working_bytes,
                let_go=None if watch is None else watch.let_go,
            ):
                if writer is None:
                    writer = PartWriter(passes.folder.path, number, split, passes.folder.writer, Tally(self.total.names))
                if done is not None:
                    self._add(writer, done, work)
                else:
                    passes.folder.check_owned()
                    passes.journal.append(writer.finish())
                    self._finished += 1
                    writer = None
                if not lost:
                    self._tell()
            if not lost:
                self.waiting(lambda: places.finish(self._pass_stop_on))
        except RankLost as error:
            lost.append(error)
        finally:
            if writer is not None:
                writer.abandon()
            places.close()
            if watch is not None:
                watch.close()
        return lost[0] if lost else None

    def _watch(self) -> Watch | None:
        if not self._may_exit:
            return None
        limit = float(self._recipe.settings["row_timeout"])

        def suspected(suspect: Suspect) -> None:
            # If this attempt ends before the row's part is finished, the next one need not wait for it again.
            self._passes.journal.append(SuspectEntry(suspect.op, suspect.digest, round(suspect.seconds, 3)))

        return Watch(limit, suspected, {(entry.op, entry.digest) for entry in self._passes.journal.suspects})

    def _add(self, writer: PartWriter, done: Done, work: PassWork) -> None:
        for tally in (writer.tally, self._mine):
            tally.add_batch(work.local_ops, done.readable, done.counts, done.short_texts)
        if writer.stage == 0:
            self._mine.rows_read += done.row_count
            self._mine.bytes_read += done.byte_count
        rows = list(rejected_rows(done, self._passes.plan, writer.lines))
        self._mine.rejected += len(rows)
        writer.add(done, iter(rows), is_first_stage=writer.stage == 0)
        for row in rows:
            if self._is_fatal(row.op_index):
                RejectedRows(None, max_errors=None, is_fatal=self._is_fatal).add(row)

    def _next_split(self) -> int:
        if self._stopping.is_asked:
            self._tell(at_once=True)
            return NO_MORE
        answer = int(self.waiting(lambda: self._ranks.ask(self._news(asks=True))))
        self._was_refused = answer == STOP
        return NO_MORE if self._was_refused else answer

    def _pass_stop_on(self) -> None:
        """While this rank waits for the others: if it was asked to stop, they should, too."""
        if self._stopping.is_asked and not self._told_to_stop:
            self._told_to_stop = True
            self._tell(at_once=True)
        self._stopping.check()

    def _tell(self, *, at_once: bool = False) -> None:
        """Tell rank 0 how far this rank is, now and then."""
        if at_once or time.monotonic() >= self._next_news:
            self._next_news = time.monotonic() + _NEWS_SECONDS
            self._ranks.tell(self._news(asks=False))

    def _news(self, *, asks: bool) -> bytes:
        news = {
            "pass": self._phase,
            "asks": asks,
            "stops": self._stopping.is_asked,
            "waited": self.waited,
            "done": self._finished if self._intake is None else self._intake.bytes_of(self._mine.bytes_read),
            "tally": self._mine.to_record(),
        }
        return json.dumps(news).encode()
