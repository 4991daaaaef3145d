"""Processes for Python functions that keep the interpreter's lock, for which more threads are of no use.

A block goes to a process and what became of it comes back, as they travel between ranks. A process gets ready from the text of
the recipe, so nothing is pickled, and another one takes its place when it ends. What made it end is found by trying rows apart,
and costs that row.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from djfast.children import ChildEnded, Children
from djfast.errors import InternalError, UserCodeError
from djfast.functions.custom import CUSTOM
from djfast.io.origins import Origins
from djfast.logs import INFO, logger
from djfast.plan.steps import Compute, Plan, Stage
from djfast.rows.json_rows import JsonBlock, JsonPiece
from djfast.runners.spool import read_parts, write_parts
from djfast.runners.stage_work import BadRow, Done, StageWork, origin_of
from djfast.runners.travelling import unpacked_done

if TYPE_CHECKING:
    from djfast.recipe.load import Recipe
    from djfast.rows.carrier import Block, Carrier

_MODULE = "djfast.runners.worker_process"
_LOG = logger("run")
_MOST_ENDED = 200  # processes of a run, each of which took a moment to get ready
_FEW_BLOCKS = 4  # fewer are done before a process is ready
_SHOWN_BYTES = 200  # of a row
_BEYOND_LIMIT = 60.0  # seconds that a process may take longer than a row, before it is ended


class WorkerProcesses:
    """Processes that run stages of a plan, one for each thread that asks.

    Parameters
    ----------
    recipe : Recipe
        Its text is what processes get ready from.
    plan : Plan
        The plan of that recipe.
    row_timeout : float or None
        Seconds that one row may take there.
    """

    def __init__(self, recipe: Recipe, plan: Plan, *, row_timeout: float | None) -> None:
        self._text = json.dumps(recipe.text).encode()
        self._plan = plan
        self._row_timeout = row_timeout
        self._is_off = self._is_closed = False
        self._ended = 0  # processes, by rows that are rejected for it
        self._lock = threading.Lock()
        self.children = Children(_MODULE, patience=_patience(row_timeout), quiet=False)

    def runner(self, numbers: Sequence[int], works: Sequence[StageWork], rows: Carrier) -> Callable[[int, Block], Done] | None:
        """Return what runs one of some stages on a block, here or in a process; None if all of them are better off here."""
        away = {place for place, number in enumerate(numbers) if self._plan.stages[number].keeps_lock}
        if not away or not rows.holds_lines:
            return None
        _LOG.info("%s of %s stages run in worker processes", len(away), len(numbers))

        def run_stage(place: int, block: Block) -> Done:
            if self._is_off or place not in away or not isinstance(block, JsonBlock):
                return works[place].run(block)
            head = {
                "stage": numbers[place],
                "brings_stats": self._plan.brings_stats,
                "keeps_stats": rows.keeps_stats,
                "keeps_hashes": rows.keeps_hashes,
                "row_timeout": self._row_timeout,
            }
            return self._run(head, block, works[place])

        return run_stage

    def close(self) -> None:
        """End the processes; nobody is asked any more."""
        self._is_closed = True
        self.children.end()

    def _run(self, head: Mapping[str, Any], block: JsonBlock, work: StageWork) -> Done:
        try:
            done = self._ask(head, block)
        except ChildEnded:
            return self._without_fatal_rows(head, block, work)
        return work.run(block) if done is None else done

    def _ask(self, head: Mapping[str, Any], block: JsonBlock) -> Done | None:
        """Return what became of a block in a process; None if no process can get ready.

        Raises
        ------
        ChildEnded
            If the process ended while it worked on the block.
        """
        if self._is_closed:
            raise InternalError("the run has ended")  # which nobody waits for
        request = io.BytesIO()
        write_parts(request, [json.dumps(head).encode(), self._text, *block.pack()])
        try:
            is_good, answer = self.children.ask("block", request.getvalue())
        except OSError as error:  # no process can be started, as where their number is limited
            is_good, answer = False, str(error).encode()
        if not is_good:
            with self._lock:
                if not self._is_off and _LOG.listens(INFO):
                    _LOG.info("no worker process can get ready, so threads do the work: %s", answer.decode("utf-8", "replace"))
                self._is_off = True
            return None
        done = unpacked_done(read_parts(io.BytesIO(answer)))
        return done._replace(piece=JsonPiece.unpack(*done.piece))

    def _without_fatal_rows(self, head: Mapping[str, Any], block: JsonBlock, work: StageWork) -> Done:
        """Work on a block whose rows ended a process: those that do are rejected."""
        lines = block.data[: block.end].split(b"\n")
        rows = [number for number, line in enumerate(lines) if line.strip() and number not in block.unread]
        fatal = self._fatal_rows(head, block, lines, rows)
        try:
            done = self._ask(head, _only(block, lines, {*range(len(lines))} - {*fatal}))
        except ChildEnded:
            raise InternalError("a worker process ended on rows that it had worked on before") from None
        if done is None:
            return work.run(block)
        if not fatal:  # the process was ended by somebody else
            return done
        op = _op_in_python(self._plan.stages[head["stage"]])
        with self._lock:
            self._ended += len(fatal)
        if self._ended > _MOST_ENDED:
            row = lines[fatal[0]][:_SHOWN_BYTES].decode("utf-8", "replace")
            raise UserCodeError(f"{self._plan.ops[op].spec.name} has ended {self._ended} processes, the last on the row {row}")
        bad = [BadRow(*origin_of(block, number), op, _REASON, lines[number]) for number in fatal]
        places = [each for each, *_ in done.counts]
        reached = places.index(op) if op in places else -1  # OPs before it have let the rows pass
        counts = [
            (each, rows_in + len(fatal) * (place <= reached), rows_out + len(fatal) * (place < reached), nanoseconds)
            for place, (each, rows_in, rows_out, nanoseconds) in enumerate(done.counts)
        ]
        return done._replace(
            byte_count=block.byte_count,
            row_count=done.row_count + len(fatal),
            counts=counts,
            bad_rows=sorted([*done.bad_rows, *bad], key=lambda each: each.place),
        )

    def _fatal_rows(self, head: Mapping[str, Any], block: JsonBlock, lines: Sequence[bytes], rows: list[int]) -> list[int]:
        """Return those of some rows that end a process, of which there is at least one."""
        if len(rows) == 1:
            return rows
        half = len(rows) // 2
        found: list[int] = []
        for some in (rows[:half], rows[half:]):
            try:
                self._ask(head, _only(block, lines, set(some)))
            except ChildEnded:
                found += self._fatal_rows(head, block, lines, some)
        return found


_REASON = "the process that worked on this row ended, for want of memory or by a signal"


def worth_processes(recipe: Recipe, plan: Plan, *, blocks: float) -> bool:
    """Tell whether a run of several threads gets processes: it has blocks for them, and functions that they can load."""
    if blocks < _FEW_BLOCKS or not any(stage.keeps_lock for stage in plan.stages):
        return False
    return bool(recipe.settings["custom_operator_paths"]) or not any(op.spec.name in CUSTOM for op in plan.ops)


def processes_for(recipe: Recipe, plan: Plan, *, blocks: float, row_timeout: float | None) -> WorkerProcesses | None:
    """Return the processes of a run; None if it is not worth them, or if the recipe's text lacks secrets that OPs need."""
    if not worth_processes(recipe, plan, blocks=blocks) or not recipe.can_travel():
        return None
    return WorkerProcesses(recipe, plan, row_timeout=row_timeout)


def _op_in_python(stage: Stage) -> int:
    """Return the first OP of a stage that computes in Python."""
    if stage.rewrite is not None:
        return stage.rewrite.op
    return next(step.op for step in stage.steps if isinstance(step, Compute) and not step.native)


def _patience(row_timeout: float | None) -> float:
    return 24 * 3600.0 if row_timeout is None else 100 * row_timeout + _BEYOND_LIMIT


def _only(block: JsonBlock, lines: Sequence[bytes], wanted: set[int]) -> JsonBlock:
    """Return a block with some of its lines. Where lines are numbered by their places, the others are blank, and no rows."""
    if block.numbers is None:
        data = b"\n".join(line if number in wanted else b"" for number, line in enumerate(lines))
        unread = {number: reason for number, reason in block.unread.items() if number in wanted}
        return block._replace(data=data, end=len(data), unread=unread)
    kept = sorted(number for number in wanted if number < len(block.numbers) // 8)
    data = b"".join(lines[number] + b"\n" for number in kept)
    return block._replace(
        data=data,
        end=len(data),
        file=Origins(block.file).of(kept) or "",
        numbers=b"".join(block.numbers[8 * number : 8 * number + 8] for number in kept),
        unread={place: block.unread[number] for place, number in enumerate(kept) if number in block.unread},
    )
