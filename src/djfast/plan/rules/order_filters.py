"""Cheap filters run before expensive ones, so an expensive filter never computes a row that a cheap one drops.

Filters that stand side by side in a recipe may run in any order: they change no field, and a row stays only if all keep it.
Next comes the one whose condition costs least then. What filters share counts once: when one of them has split the texts into
words, those that look words up are cheap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from math import inf

from djfast import functions
from djfast.declare import Filter, Op
from djfast.plan.steps import Compute, Keep, Plan, Stage


def order_filters(plan: Plan) -> Plan:
    """Return the plan with the filters that stand side by side ordered by cost, equal ones as in the recipe.

    A step that may reject rows never comes ahead of a filter that stood before it: it would reject rows that the recipe
    drops. `stat_or`, through which every stat passes, is left out of account: it rejects only rows that brought along a stat
    of a wrong type.
    """
    return plan._replace(stages=tuple(_ordered(stage, plan.ops) for stage in plan.stages))


def says(plan: Plan, stage: Stage) -> str | None:
    """Name the OPs that run behind some that come later in the recipe."""
    order = stage.local_ops
    delayed = sorted(op for place, op in enumerate(order) if any(before > op for before in order[:place]))
    names = ", ".join(plan.ops[op].spec.name for op in delayed)
    return f"behind filters that cost less: {names}" if delayed else None


def _ordered(stage: Stage, ops: Sequence[Op]) -> Stage:
    steps = list(stage.steps)
    local_ops: list[int] = []
    for is_filter, neighbours in groupby(stage.local_ops, lambda op: isinstance(ops[op], Filter)):
        run = list(neighbours)
        if is_filter:
            places = [place for place, step in enumerate(steps) if step.op in run]
            filters = _Filters([steps[place] for place in places])
            run = filters.order(sorted(run))
            for place, step in zip(places, filters.steps, strict=True):
                steps[place] = step
        local_ops += run
    return stage._replace(steps=tuple(steps), local_ops=tuple(local_ops))


class _Filters:
    """The steps of filters that stand side by side.

    Parameters
    ----------
    steps : sequence of Compute or Keep
        As they run now, each behind those it needs.

    Attributes
    ----------
    steps : list of Compute or Keep
        Those that have got their place in the new order.
    """

    def __init__(self, steps: Sequence[Compute | Keep]) -> None:
        self.steps: list[Compute | Keep] = []
        self._left = {step.slot: step for step in steps if isinstance(step, Compute)}  # have no place yet
        self._keeps = {step.op: step for step in steps if isinstance(step, Keep)}

    def order(self, ops: Sequence[int]) -> list[int]:
        """Give all steps their places, and return the OPs in their new order."""
        waiting, order = list(ops), []
        while waiting:
            ranked = sorted(waiting, key=self._cost)
            following = next(op for op in ranked if op == waiting[0] or not self._may_reject(op))
            self._place(following)
            waiting.remove(following)
            order.append(following)
        return order

    def _cost(self, op: int) -> float:
        """Cost of a filter's condition now. One without a condition drops no row, so it can wait."""
        return sum(functions.cost(step.fn) for step in self._needed(self._condition(op))) if op in self._keeps else inf

    def _may_reject(self, op: int) -> bool:
        needed = self._needed([*self._condition(op), *self._own(op)])
        return any(functions.may_reject(step.fn) for step in needed if step.fn != "stat_or")

    def _place(self, op: int) -> None:
        """Append what the condition needs, the condition, and what else the OP computes."""
        self._compute(self._condition(op), op)
        if op in self._keeps:
            self.steps.append(self._keeps[op])
        self._compute(self._own(op), op)

    def _compute(self, slots: Iterable[int], op: int) -> None:
        for step in self._needed(slots):
            self.steps.append(step._replace(op=op))  # who does the work answers for it
            del self._left[step.slot]

    def _condition(self, op: int) -> list[int]:
        return [self._keeps[op].slot] if op in self._keeps else []

    def _own(self, op: int) -> list[int]:
        return [slot for slot, step in self._left.items() if step.op == op]

    def _needed(self, slots: Iterable[int]) -> list[Compute]:
        """Return the steps without a place that give these slots, each behind those it needs."""
        wanted = set(slots)
        found = []
        for slot, step in reversed(self._left.items()):
            if slot in wanted:
                found.append(step)
                wanted.update(step.args)
        return found[::-1]
