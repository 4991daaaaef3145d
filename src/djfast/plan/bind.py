"""From a stage to something that runs: native programs, with Python functions between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from djfast import _native, functions
from djfast.declare import Op
from djfast.errors import InternalError, UserCodeError
from djfast.plan.resources import resolve
from djfast.plan.steps import Compute, Keep, Plan, Rewrite, Stage


class Watcher(Protocol):
    """Is told what a thread works on, and may forbid a row."""

    def enter(self, op: int, arguments: Sequence[Any]) -> str | None:
        """Begin a row of an OP, or a batch when there are no arguments; a reason sets the row aside."""
        ...

    def leave(self) -> None:
        """End it."""
        ...


class PythonStep(NamedTuple):
    """One Python function, called row by row: an exception rejects that row alone."""

    step: Compute
    function: Callable[..., Any]
    skips_empty_lists: bool

    def run(self, batch: _native.Batch, watcher: Watcher | None = None) -> None:
        """Compute the step's slot for the alive rows."""
        if self.skips_empty_lists:
            rows, *columns = batch.filled_lists(self.step.args[0])
        else:
            rows = batch.alive
            columns = [batch.values(slot) for slot in self.step.args]
        done, results, errors = [], [], []
        for row, *arguments in zip(rows, *columns, strict=True):
            if watcher is not None and (reason := watcher.enter(self.step.op, arguments)) is not None:
                errors.append((row, reason))
                continue
            try:
                results.append(self.function(*arguments))
                done.append(row)
            except Exception as error:  # whatever a library raises for one row is that row's error
                errors.append((row, reason_of(error)))
        if watcher is not None:
            watcher.leave()
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
                    self.segments.append(PythonStep(step, function, functions.skips_empty_lists(step.fn)))
        self._close(native)

    def _close(self, native: list[tuple[Any, ...]]) -> None:
        if native:
            self.segments.append(_native.Program(native))
            native.clear()

    def run(self, batch: _native.Batch, watcher: Watcher | None = None) -> None:
        """Run all steps on a batch."""
        for segment in self.segments:
            if isinstance(segment, _native.Program):
                if watcher is not None:
                    watcher.enter(-1, ())
                segment.run(batch)
                if watcher is not None:
                    watcher.leave()
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
    """Return what is said about a row that was set aside for an exception."""
    if isinstance(error, UserCodeError):
        return str(error)
    return f"{type(error).__name__}: {error}"[:1000]


def _bound_rewrite(rewrite: Rewrite, op: str) -> Callable[[list[Any], Watcher | None], list[Any]]:
    function = functions.bind(rewrite.fn, resolve(rewrite.fn, rewrite.params, op))
    if functions.takes_batches(rewrite.fn):
        return lambda rows, watcher: answers_of(rewrite.fn, function(rows), len(rows))

    def rewritten(rows: list[Any], watcher: Watcher | None) -> list[Any]:
        answers: list[Any] = []
        for row in rows:
            if watcher is not None and (reason := watcher.enter(rewrite.op, (row,))) is not None:
                answers.append(TimeoutError(reason))
                continue
            try:
                answers.append(function(row))
            except Exception as error:  # whatever user code raises for one row is that row's error
                answers.append(error)
        if watcher is not None:
            watcher.leave()
        return answers

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
