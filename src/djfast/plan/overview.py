"""A plan at a glance: a line for each OP, in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterator

from djfast.declare import Filter, Mapper, Op
from djfast.plan.steps import Compute, Plan, Stage
from djfast.records import NamedTuple
from djfast.reserved import RESERVED


class Line(NamedTuple):
    """One OP: where it runs, what it reads and writes, and what else there is to say."""

    op: str
    where: str
    reads: str
    writes: str
    remark: str


def overview(plan: Plan) -> list[str]:
    """Return a table of the OPs."""
    rows = [Line("OP", "runs", "reads", "writes", ""), *(line for stage in plan.stages for line in _lines(plan, stage))]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _lines(plan: Plan, stage: Stage) -> Iterator[Line]:
    if stage.rewrite is not None:
        place = "process" if stage.keeps_lock else "python"
        yield Line(plan.ops[stage.rewrite.op].spec.name, place, "whole rows", "any field", "")
        return
    fields = dict(enumerate(stage.texts + stage.reserved))
    behind = {op for place, op in enumerate(stage.local_ops) if any(before > op for before in stage.local_ops[:place])}
    for op in stage.local_ops:
        remarks = [_shared(plan, stage, op), "behind filters that cost less" if op in behind else ""]
        yield _line(plan, stage, fields, op, [*filter(None, remarks)])
    for op in stage.waiting_ops:
        yield _line(plan, stage, fields, op, ["all rows wait for it"])


def _line(plan: Plan, stage: Stage, fields: dict[int, str], op: int, remarks: list[str]) -> Line:
    steps = [step for step in stage.steps if isinstance(step, Compute) and step.op == op]
    in_python = "process" if stage.keeps_lock else "python"
    places = dict.fromkeys("native" if step.native else in_python for step in steps)
    reads = dict.fromkeys(fields[slot] for slot in _sources(stage, op) if slot in fields and fields[slot] not in RESERVED)
    text_key = next((path for each in plan.stages for path in each.texts), "text")
    writes = written(plan.ops[op], text_key)
    cells = ["+".join(places) or "native", ", ".join(reads), ", ".join(writes), "; ".join(remarks)]
    return Line(plan.ops[op].spec.name, *cells)


def written(op: Op, text_key: str = "text") -> list[str]:
    """Return what an OP writes: fields, stats and tags by their names. `text_key` is the text of OPs that name none."""
    if op.rewrite() is not None:
        return ["any field"]
    kind = "stat" if isinstance(op, Filter) else "tag"
    assigned = op.assign() if isinstance(op, Mapper) else ()
    fields = [op.text_key or text_key if role == "text" else role for role in assigned]
    return [*fields, *(f"{kind} {name}" for name in stats_and_tags(op))]


def stats_and_tags(op: Op) -> list[str]:
    """Return the names of the stats of a filter, or of the tags of a mapper."""
    if isinstance(op, Filter):
        return [name for name in op.stats() if name != getattr(op, "field_key", None)]  # a field of the row is no stat
    return list(op.tags()) if isinstance(op, Mapper) else []


def _sources(stage: Stage, op: int) -> Iterator[int]:
    """Yield the slots that what an OP computes comes from, whoever computes what is between."""
    by_slot = {step.slot: step for step in stage.steps if isinstance(step, Compute)}
    ends = [end.slot for end in (*stage.dedups, stage.select, stage.group, stage.survey) if end is not None and end.op == op]
    waiting = [*ends, *(slot for step in by_slot.values() if step.op == op for slot in step.args)]
    seen = set()
    while waiting:
        slot = waiting.pop()
        if slot in seen:
            continue
        seen.add(slot)
        if slot in by_slot:
            waiting += by_slot[slot].args
        yield slot


def _shared(plan: Plan, stage: Stage, op: int) -> str:
    """Say from which OPs an OP takes what they have computed already; the text of mappers is no such work."""
    steps = [step for step in stage.steps if isinstance(step, Compute)]
    makers = {step.slot: step.op for step in steps if not isinstance(plan.ops[step.op], Mapper)}
    used = {makers[slot] for step in steps if step.op == op for slot in step.args if slot in makers} - {op}
    return f"shares work with {', '.join(sorted(plan.ops[other].spec.name for other in used))}" if used else ""
