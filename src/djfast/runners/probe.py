"""What a run will take, from running a little of its input: time, memory and scratch space."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from djfast.access import holding
from djfast.errors import InputError, MissingExtraError, ModelError, SchemaError
from djfast.io.read.files import file_size
from djfast.io.read.formats import InputFile
from djfast.io.read.splits import ASSUMED_RATIO, Split, splits_of
from djfast.io.write.collected import lines_of
from djfast.llm.run_settings import RunSettings, used
from djfast.plan.bind import bind_plan
from djfast.plan.steps import Plan
from djfast.recipe.load import Recipe
from djfast.records import NamedTuple
from djfast.reserved import STDIN
from djfast.rows.line_rows import carried_for
from djfast.runners.delivery import output_of
from djfast.runners.first_rows import FirstRows
from djfast.runners.inputs import access_of, files_to_read, rows_of, source_files
from djfast.runners.memory import Budget, budget_of, key_bytes_of, threads_of, working_set
from djfast.runners.peaks import Peaks, at_rest
from djfast.runners.reasons import ReasonCounts, RejectedReason, reason_lines
from djfast.runners.spool import packed
from djfast.runners.stage_work import PassWork, StageWork, empty_piece, rejected_rows
from djfast.runners.worker_processes import worth_processes

if TYPE_CHECKING:
    from djfast.rows.carrier import Block, FileCarrier

PROBE_BYTES = 4 << 20
PROBE_SECONDS = 5.0
_PLACES = 8  # of the input that the probe reads at
_TABLE_COPIES = 3  # of the rows that a result of tables takes at once: the rows, the table, and what is written


class Prediction(NamedTuple):
    """What a run will take. Bytes but for `seconds` and `rows`; `memory` and `keys` are of one rank."""

    probed: int
    input: int
    rows: int
    seconds: float
    memory: int
    keys: int
    scratch: int
    ranks: int
    threads: int
    dropped: float  # share of the rows that the first pass drops
    probed_rows: int = 0
    rejected: int = 0  # of the probed rows
    rejected_reasons: tuple[RejectedReason, ...] = ()  # of most of these

    def lines(self) -> list[str]:
        """Return the prediction in words."""
        change = f"drops {self.dropped:.0%} of the rows" if self.dropped >= 0 else f"adds {-self.dropped:.0%} to the rows"
        return [
            f"probe: {_size(self.probed)} of {_size(self.input)} read, {self.probed_rows:,} rows; the first pass {change}",
            *self.rejection_lines(),
            f"  time     about {_duration(self.seconds)} on {self.ranks} x {self.threads} threads",
            f"  memory   about {_size(self.memory)} per rank at its peak, {_size(self.keys)} of it keys of deduplicators",
            f"  scratch  about {_size(self.scratch)} for rows that wait",
        ]

    def rejection_lines(self) -> list[str]:
        """Return what the probe rejected and why, if it rejected any row."""
        if not self.rejected:
            return []
        head = f"  rejected {self.rejected:,} of the {self.probed_rows:,} rows"
        return [f"{head}:", *(f"  {line}" for line in reason_lines(self.rejected_reasons, self.rejected))]


def prediction_of(recipe: Recipe, plan: Plan, *, ranks: int) -> Prediction | str:
    """Return what a probe of the input predicts, or why there is no prediction."""
    if STDIN in recipe.settings["inputs"]:
        return "no prediction of time and memory: standard input can be read once, and the run must do that"
    for op in plan.ops:
        if op.acts_outside:
            return f"no prediction of time and memory: {op.spec.name} asks or changes what is outside of the run"
    try:
        return predict(recipe, plan, ranks=ranks)
    except (InputError, ModelError, MissingExtraError, SchemaError) as error:
        return f"no prediction of time and memory: {error}"


def predict(recipe: Recipe, plan: Plan, *, ranks: int) -> Prediction:
    """Run the first pass on a few MiB of the input, and extrapolate.

    Later passes see fewer rows; their time is taken from the same rows, of which the probe has no duplicates to drop. So
    the prediction is high rather than low.
    """
    settings = recipe.settings
    threads = threads_of(settings)
    limit: int | None = settings["limit"]
    process_bytes = at_rest()  # of one that only runs functions
    files = files_to_read(recipe, source_files(recipe))
    total = sum(_plain_bytes(file) for file in files)
    budget = budget_of(settings, workers=threads)
    rows = carried_for(plan, _rows(files, recipe, plan, budget))
    process_bytes -= at_rest()
    with used(RunSettings.of(settings)), holding(access_of(recipe)):
        stages = bind_plan(plan)
    process_bytes += at_rest()
    layouts = rows.layouts(plan)
    output = output_of(recipe)
    goes_as_lines = not rows.holds_lines and output.format.shape == "lines"
    empty = empty_piece(plan, stages, rows)  # which loads the libraries: no block needs them for itself
    if empty is not None and goes_as_lines:
        b"".join(lines_of(empty))
    peaks = Peaks()
    read = rows_in = rows_out = waiting = waiting_plain = rejected = 0
    reasons = ReasonCounts()
    began = time.process_time()
    deadline = time.monotonic() + PROBE_SECONDS
    for block in peaks.of(_sample(files, rows) if limit is None else FirstRows(rows, limit).items()):
        for number, run in enumerate(plan.passes()):
            work = PassWork([StageWork(stages[stage], layouts[stage], rows) for stage in run], rows)
            done = work.run(block)
            rejected += len(done.bad_rows)
            for row in rejected_rows(done, plan, 0):
                reasons.add(row._replace(line=0))  # what is before it in its file was not read
            if number == 0:
                read += done.byte_count
                rows_in += done.row_count
                rows_out += done.piece_rows
                waiting += sum(map(len, packed(done.piece))) if done.piece_rows else 0
                waiting_plain += done.piece.byte_count()
            if not done.piece_rows:
                break
            if run.stop < len(stages):
                block = rows.reopen(done.piece, b"\x01" * done.piece_rows, 0)
            elif goes_as_lines:
                piece = done.piece
                peaks.write(lambda piece=piece: b"".join(lines_of(piece)))  # type: ignore[misc]
                del piece
        del block, done
        if read >= PROBE_BYTES or time.monotonic() > deadline:
            break
    seconds = time.process_time() - began
    scale = total / read if read else 0.0
    if limit is not None and rows_in:
        scale = min(scale, limit / rows_in)
        total = round(read * scale)
    waits = bool(plan.stages[-1].dedups) or len(plan.passes()) > 1
    all_rows = int(rows_in * scale)
    keys = max([_key_bytes(plan, run, rows_out * scale / ranks, budget, alone=ranks == 1) for run in plan.passes()] or [0])
    under_way = _under_way(peaks, plan, budget, threads, total)
    at_work = _at_work(peaks, under_way, threads)
    if threads > 1 and worth_processes(recipe, plan, blocks=total / budget.batch_bytes):
        at_work = _in_processes(peaks, under_way, threads, process_bytes)
    waiting_rows = waiting_plain * scale * max(0.0, 1 - under_way.bytes / max(total, 1))  # those under way do not wait yet
    held = min(budget.window_bytes, waiting_rows) if waits and ranks == 1 else 0
    table = 0 if output.format.shape == "lines" else _TABLE_COPIES * min(output.group_bytes, total)
    return Prediction(
        probed=read,
        input=total,
        rows=all_rows,
        seconds=seconds * scale / (threads * ranks),
        memory=int(at_rest() + at_work + held + table) + keys,
        keys=keys,
        scratch=int(waiting * scale) if waits or ranks > 1 else 0,
        ranks=ranks,
        threads=threads,
        dropped=1 - rows_out / rows_in if rows_in else 0.0,
        probed_rows=rows_in,
        rejected=rejected,
        rejected_reasons=reasons.most_frequent(),
    )


def _rows(files: Sequence[InputFile], recipe: Recipe, plan: Plan, budget: Budget) -> FileCarrier:
    return rows_of(files, recipe, min(budget.batch_bytes, PROBE_BYTES // _PLACES), longest_row=budget.longest_row(plan))


def _sample(files: Sequence[InputFile], rows: FileCarrier) -> Iterator[Block]:
    """Yield one block from each of some places that are spread over the input."""
    splits = splits_of(files, max(1, sum(file_size(file.path) for file in files) // _PLACES))
    step = max(1, len(splits) // _PLACES)
    for split in splits[::step]:
        yield from _first(rows.read(Split(*split)))


def _first(blocks: Iterator[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        return


def _plain_bytes(file: InputFile) -> int:
    return file_size(file.path) * (ASSUMED_RATIO if file.compression else 1)


class _UnderWay(NamedTuple):
    """Batches of a run that are between reading and writing."""

    batches: int
    size: int  # bytes of one

    @property
    def bytes(self) -> int:
        """Return the bytes of all of them."""
        return self.batches * self.size


def _under_way(peaks: Peaks, plan: Plan, budget: Budget, threads: int, total: int) -> _UnderWay:
    """Return how many batches there are at a time: fewer where they are so large that the budget limits them."""
    size = max(min(budget.batch_bytes, total), peaks.largest, 1)
    if threads == 1:
        return _UnderWay(1, size)
    return _UnderWay(max(1, min(budget.in_flight, -(-total // size), budget.working_bytes // (size * working_set(plan)))), size)


def _at_work(peaks: Peaks, under_way: _UnderWay, threads: int) -> float:
    """Return the bytes of the batches that are between reading and writing.

    Those that are worked on take what a block of the probe took, in proportion; the others wait as they were read, or are
    done.
    """
    if not peaks.largest:
        return 0
    size = under_way.size
    scale, rest = size / peaks.largest, at_rest()
    if threads == 1:
        return peaks.alone(rest) * scale
    at_work = min(threads, under_way.batches)
    beside = peaks.reading(rest) + max(0.0, peaks.writing() - peaks.working())  # one at a time
    return beside + at_work * (size + peaks.working() * scale) + (under_way.batches - at_work + 1) * size


def _in_processes(peaks: Peaks, under_way: _UnderWay, threads: int, process_bytes: int) -> float:
    """Return the bytes of batches, and of the processes that work on them, which have `process_bytes` without any."""
    if not peaks.largest:
        return 0
    each = process_bytes + under_way.size + peaks.working() * under_way.size / peaks.largest
    return peaks.reading(at_rest()) + 2 * under_way.bytes + min(threads, under_way.batches) * each


def _key_bytes(plan: Plan, run: range, rows: float, budget: Budget, *, alone: bool) -> int:
    rules = [dedup.rule for dedup in plan.stages[run.stop - 1].dedups]
    needed = int(rows * key_bytes_of(rules)) if rules else 0
    return needed if alone else min(needed, budget.key_bytes)


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
