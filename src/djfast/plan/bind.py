"""From a stage to something that runs: native programs, with Python functions between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Protocol

from djfast import _native, functions
from djfast.declare import Op
from djfast.errors import InternalError, UserCodeError
from djfast.json_bytes import long_integer
from djfast.plan.resources import resolve
from djfast.plan.steps import Compute, Keep, Plan, Rewrite, Stage
from djfast.records import NamedTuple

Answers = list[tuple[Any, "Exception | None"]]  # of a function for rows: what it returned, or what it raised


class Watcher(Protocol):
    """Calls functions with a limit of time."""

    @property
    def reason(self) -> str:
        """What is said of a row that took longer."""
        ...

    def each(self, op: int, function: Callable[..., Any], calls: Sequence[Sequence[Any]]) -> Answers:
        """Call a function of an OP for each row."""
        ...

    def whole(self, op: str, function: Callable[[], Any]) -> Any:
        """Call a function for a whole batch, and raise where it takes longer than a row may."""
        ...

    def minds(self, byte_count: int, *, in_python: bool = False) -> bool:
        """Tell whether work that so many bytes bound, native or not, must be done by a method of this."""
        ...

    def native(self, work: Callable[[], None]) -> bool:
        """Do native work; False says that it takes longer than a row may, and that its batch must be left alone."""
        ...

    def let_go(self) -> None:
        """Leave what is being done, and begin nothing more."""
        ...


class NativeOverdue(Exception):
    """Native code is on a batch longer than a row may take. `op` is what it is at."""

    def __init__(self, op: int) -> None:
        super().__init__(op)
        self.op = op


def each_answer(
    op: int, function: Callable[..., Any], calls: Sequence[Sequence[Any]], watcher: Watcher | None
) -> Answers:
    """Call a function for each row, under the eyes of the watcher if there is one."""
    if watcher is not None:
        return watcher.each(op, function, calls)
    answers: Answers = []
    for arguments in calls:
        try:
            answers.append((function(*arguments), None))
        except Exception as error:  # whatever a library raises for one row is that row's error
            answers.append((None, error))
    return answers


class PythonStep(NamedTuple):
    """One Python function, called row by row: an exception rejects that row alone."""

    step: Compute
    function: Callable[..., Any]
    skips_empty_lists: bool
    is_bounded: bool

    def run(self, batch: _native.Batch, watcher: Watcher | None = None) -> None:
        """Compute the step's slot for the alive rows."""
        if self.skips_empty_lists:
            rows, *columns = batch.filled_lists(self.step.args[0])
        else:
            rows = batch.alive
            columns = [batch.values(slot) for slot in self.step.args]
        calls = list(zip(*columns, strict=True)) if columns else [()] * len(rows)
        if watcher is not None and self.is_bounded:
            size = sum(4 * len(text) for arguments in calls for texts in arguments for text in texts)  # bytes at most
            watcher = watcher if watcher.minds(size, in_python=True) else None
        answers = each_answer(self.step.op, self.function, calls, watcher)
        done = [row for row, (_, error) in zip(rows, answers, strict=True) if error is None]
        results = [answer for answer, error in answers if error is None]
        errors = [(row, reason_of(error)) for row, (_, error) in zip(rows, answers, strict=True) if error is not None]
        errors += batch.set_values(self.step.slot, self.step.type, done, results)
        if errors:
            batch.reject(errors, self.step.op)


class BatchStep(NamedTuple):
    """One Python function, called with all rows of a batch: what it returns for a row may be an exception, which rejects it."""

    step: Compute
    function: Callable[..., Sequence[Any]]

    def run(self, batch: _native.Batch) -> None:
        """Compute the step's slot for the alive rows."""
        rows = batch.alive
        answers = answers_of(self.step.fn, self.function(*(batch.values(slot) for slot in self.step.args)), len(rows))
        errors = [(row, reason_of(answer)) for row, answer in zip(rows, answers, strict=True) if isinstance(answer, Exception)]
        answered = [(row, answer) for row, answer in zip(rows, answers, strict=True) if not isinstance(answer, Exception)]
        errors += batch.set_values(
            self.step.slot, self.step.type, [row for row, _ in answered], [answer for _, answer in answered]
        )
        if errors:
            batch.reject(errors, self.step.op)


class BoundStage:
    """A stage with its functions ready; one object serves all threads.

    Attributes
    ----------
    rewrite : callable or None
        For a stage that rewrites rows: returns for each of some rows what its function says, or the exception it raised.
    frequent : set of int
        What the survey at the end of the stage before has found; filled in before the stage runs.
    """

    def __init__(self, stage: Stage, ops: Sequence[Op]) -> None:
        self.stage = stage
        self.rewrite: Callable[[list[Any], Watcher | None], list[Any]] | None = None
        self.frequent: set[int] = set()
        self.segments: list[_native.Program | PythonStep | BatchStep] = []
        if stage.rewrite is not None:
            self.rewrite = _bound_rewrite(stage.rewrite, ops[stage.rewrite.op].spec.name)
        native: list[tuple[Any, ...]] = []
        for step in stage.steps:
            if isinstance(step, Keep):
                native.append((None, [], {}, step.slot, step.op))
                continue
            params = resolve(step.fn, step.params, ops[step.op].spec.name)
            if step.native:
                native.append((step.fn, list(step.args), params, step.slot, step.op))
            else:
                self._close(native)
                if functions.is_surveyed(step.fn):
                    params["frequent"] = self.frequent
                function = functions.bind(step.fn, params)
                if functions.takes_batches(step.fn):
                    self.segments.append(BatchStep(step, function))
                else:
                    skips, is_bounded = functions.skips_empty_lists(step.fn), functions.is_bounded(step.fn)
                    self.segments.append(PythonStep(step, function, skips, is_bounded))
        self._close(native)

    def _close(self, native: list[tuple[Any, ...]]) -> None:
        if native:
            self.segments.append(_native.Program(native))
            native.clear()

    def run(self, batch: _native.Batch, watcher: Watcher | None = None, *, watches_native: bool = True) -> None:
        """Run all steps on a batch.

        Raises
        ------
        NativeOverdue
            If the watcher says so. Another thread has the batch then.
        """
        for segment in self.segments:
            if isinstance(segment, _native.Program):
                if watcher is None or not watches_native:
                    segment.run(batch)
                elif not watcher.native(partial(segment.run, batch)):
                    raise NativeOverdue(batch.current_op)
                continue
            rows, began = batch.alive_count, time.perf_counter_ns()
            if isinstance(segment, PythonStep):
                segment.run(batch, watcher)
            else:
                segment.run(batch)  # these wait for others, and have time limits of their own
            batch.count(segment.step.op, rows, time.perf_counter_ns() - began)


def answers_of(function: str, answers: Iterable[Any], rows: int) -> list[Any]:
    """Return the answers of a function that takes whole batches: one for each row.

    Raises
    ------
    InternalError
        If there are more or fewer: which answer goes with which row cannot be told.
    """
    listed = list(answers)
    if len(listed) != rows:
        raise InternalError(f"the function {function!r} must give an answer for each of {rows} rows, got {len(listed)}")
    return listed


def reason_of(error: Exception) -> str:
    """Return what is said about a row that was rejected for an exception."""
    if isinstance(error, UserCodeError):
        return str(error)
    return long_integer(error) or f"{type(error).__name__}: {error}"[:1000]


def _bound_rewrite(rewrite: Rewrite, op: str) -> Callable[[list[Any], Watcher | None], list[Any]]:
    function = functions.bind(rewrite.fn, resolve(rewrite.fn, rewrite.params, op))
    if functions.takes_batches(rewrite.fn):

        def together(rows: list[Any], watcher: Watcher | None) -> list[Any]:
            # Functions of ours that take batches wait for others, and have time limits of their own.
            is_watched = watcher is not None and rewrite.fn.startswith(("user_", "custom_", "adapted_"))
            answers = watcher.whole(op, partial(function, rows)) if watcher is not None and is_watched else function(rows)
            return answers_of(rewrite.fn, answers, len(rows))

        return together

    def rewritten(rows: list[Any], watcher: Watcher | None) -> list[Any]:
        answers = each_answer(rewrite.op, function, [(row,) for row in rows], watcher)
        return [answer if error is None else error for answer, error in answers]

    return rewritten


def bind_plan(plan: Plan) -> list[BoundStage]:
    """Load what the plan needs (models, word lists, packages) and make it ready to run.

    Raises
    ------
    MissingExtraError, ModelError
        Before any data is read, naming everything that is missing.
    """
    functions.require(
        [step.fn for stage in plan.stages for step in stage.steps if isinstance(step, Compute)]
        + [stage.rewrite.fn for stage in plan.stages if stage.rewrite is not None]
    )
    return [BoundStage(stage, plan.ops) for stage in plan.stages]
