"""A plan in words: what each OP computes, what is shared, where it runs."""

from __future__ import annotations

from typing import Any

from djfast.plan.rules import RULES
from djfast.plan.steps import Compute, Plan, Stage
from djfast.redaction import shown


def explain(plan: Plan) -> list[str]:
    """Return the lines that ``djfast plan`` prints."""
    lines = []
    for number, stage in enumerate(plan.stages, 1):
        names = _names(stage)
        uses = _uses(stage)
        looked_into = [path for path in stage.reserved if not path.startswith("__dj__")]
        look = f"; look into {', '.join(looked_into)}" if looked_into else ""
        if stage.rewrite is not None:
            lines.append(f"stage {number}: read all fields")
            lines.append(f"  {_place(stage):7} {plan.ops[stage.rewrite.op].spec.name}: rows = {stage.rewrite.fn}(row)")
            continue
        lines.append(f"stage {number}: read {', '.join(stage.texts) or 'no text field'}{look}")
        for rule in RULES:
            if said := rule.says(plan, stage):
                lines.append(f"  rule    {said} (rules: {{{rule.name}: false}} switches it off)")
        lines += [_line(plan, stage, step, names, uses) for step in stage.steps]
        lines += [
            f"  wait    {plan.ops[d.op].spec.name}: first row of each group ({d.rule.kind}) of {names[d.slot]}"
            for d in stage.dedups
        ]
        if stage.select is not None:
            select = stage.select
            of = f" by {names[select.slot]}" if select.slot >= 0 else ""
            lines.append(f"  wait    {plan.ops[select.op].spec.name}: rows of the whole input ({select.selection.kind}){of}")
        if stage.group is not None:
            of = f" with the same {names[stage.group.slot]}" if stage.group.slot >= 0 else ""
            lines.append(f"  wait    {plan.ops[stage.group.op].spec.name}: one row for all rows{of}")
        lines += [f"  write   {path} = {names[slot]}" for path, slot in stage.values]
        lines += [f"  write   __dj__meta__.{name} = {names[slot]}" for name, slot, _ in stage.tags]
    native = sum(1 for stage in plan.stages for step in stage.steps if isinstance(step, Compute) and step.native)
    python = sum(1 for stage in plan.stages for step in stage.steps if isinstance(step, Compute) and not step.native)
    python += sum(1 for stage in plan.stages if stage.rewrite is not None)
    shared = sum(count - 1 for stage in plan.stages for count in _uses(stage).values() if count > 1)
    lines.append(f"{native} native functions, {python} in Python; {shared} times a value is shared instead of computed again")
    return lines


def _place(stage: Stage) -> str:
    """Return where functions in Python run if there is more than one thread."""
    return "process" if stage.keeps_lock else "python"


def _line(plan: Plan, stage: Stage, step: Any, names: dict[int, str], uses: dict[int, int]) -> str:
    name = plan.ops[step.op].spec.name
    if not isinstance(step, Compute):
        return f"  keep    {name}: rows where {names[step.slot]}"
    place = "native" if step.native else _place(stage)
    shared = f"  (shared by {uses[step.slot]})" if uses.get(step.slot, 0) > 1 else ""
    return f"  {place:7} {name}: {names[step.slot]} = {_call(step, names)}{shared}"


def _call(step: Compute, names: dict[int, str]) -> str:
    inside = [names[slot] for slot in step.args]
    inside += [f"{key}={value!r}" for key, value in step.params if value is not None]
    return f"{step.fn}({', '.join(inside)})"


def _names(stage: Stage) -> dict[int, str]:
    """Give every slot a short name: fields theirs, computed values their function's, numbered when there are several."""
    names = dict(enumerate(stage.texts + stage.reserved))
    counts: dict[str, int] = {}
    stats = {slot: name for name, slot, _ in (*stage.stats, *stage.tags)}
    for step in stage.steps:
        if isinstance(step, Compute):
            base = stats.get(step.slot, step.fn)
            counts[base] = counts.get(base, 0) + 1
            names[step.slot] = base if counts[base] == 1 else f"{base}.{counts[base]}"
    return names


def _uses(stage: Stage) -> dict[int, int]:
    """How many computed values read each computed slot."""
    uses: dict[int, int] = {}
    for step in stage.steps:
        if isinstance(step, Compute):
            for slot in set(step.args):
                if slot >= len(stage.texts) + len(stage.reserved):
                    uses[slot] = uses.get(slot, 0) + 1
    return uses


def plan_record(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON data."""
    return {
        "stages": [
            {
                "reads": list(stage.texts),
                "order": [{"op": plan.ops[op].spec.name, "index": op} for op in stage.local_ops],
                "steps": [
                    {
                        "op": plan.ops[step.op].spec.name,
                        **shown(step._asdict()),
                        "kind": type(step).__name__.lower(),
                    }
                    for step in stage.steps
                ],
                "deduplicators": [
                    {"op": plan.ops[d.op].spec.name, "slot": d.slot, "grouping": d.rule._asdict()} for d in stage.dedups
                ],
                "rewrite": stage.rewrite and {"op": plan.ops[stage.rewrite.op].spec.name, "fn": stage.rewrite.fn},
                "grouper": stage.group and {"op": plan.ops[stage.group.op].spec.name, "slot": stage.group.slot},
                "selector": stage.select
                and {
                    "op": plan.ops[stage.select.op].spec.name,
                    "slot": stage.select.slot,
                    "selection": stage.select.selection._asdict(),
                },
                "writes": dict(stage.values),
                "stats": [name for name, _, _ in stage.stats],
                "tags": [name for name, _, _ in stage.tags],
            }
            for stage in plan.stages
        ],
        "notices": list(plan.notices),
    }
