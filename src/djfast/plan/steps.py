"""Plans as plain data: what is read, computed, kept, deduplicated, selected and written."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from djfast import functions
from djfast.declare import DuplicateRule, Op, Selection
from djfast.records import NamedTuple


class Compute(NamedTuple):
    """Compute `slot` from other slots. ``native`` steps run inside a fused program, others in Python."""

    slot: int
    fn: str
    args: tuple[int, ...]
    params: tuple[tuple[str, Any], ...]
    op: int
    native: bool
    type: str


class Keep(NamedTuple):
    """Keep the rows where `slot` is true."""

    slot: int
    op: int


class Dedup(NamedTuple):
    """Keep the first row of each group of duplicates; known only when all rows were seen."""

    slot: int
    op: int
    rule: DuplicateRule


class Select(NamedTuple):
    """Take the rows that a selection of all rows' values takes. `slot` holds JSON, -1 when no value is looked at."""

    slot: int
    op: int
    selection: Selection
    field: str  # as the OP names it


class Rewrite(NamedTuple):
    """Hand every row as a whole to a Python function, which gives back any number of rows."""

    fn: str
    params: tuple[tuple[str, Any], ...]
    op: int
    has_side: bool  # the rows may get stats or tags
    drops_rows: bool = True  # False keeps those that a filter would drop


class Group(NamedTuple):
    """Join the rows with the same JSON in `slot` into one row, all rows where it is -1."""

    slot: int
    op: int


class Survey(NamedTuple):
    """Count in how many rows each number of `slot` occurs: those above the threshold are known to the next stage."""

    slot: int
    op: int
    threshold: int


class Stage(NamedTuple):
    """OPs that run in one pass over the rows, ended by deduplicators, by a selector or by the output.

    Slots ``0 .. len(texts) - 1`` are the text fields that are read, then come the fields that are read as JSON: the reserved
    ones and those that OPs look into whatever their type. Then comes what is computed.
    """

    texts: tuple[str, ...]
    reserved: tuple[str, ...]
    steps: tuple[Compute | Keep, ...]
    values: tuple[tuple[str, int], ...]  # fields that OPs assigned, and their final slots
    stats: tuple[tuple[str, int, str], ...]  # (name, slot, type), in order of computation
    tags: tuple[tuple[str, int, str], ...]  # the same for what goes to the rows' meta
    dedups: tuple[Dedup, ...]
    select: Select | None
    types: tuple[str, ...]  # of the slots
    local_ops: tuple[int, ...]  # indices of the OPs before the deduplicators or the selector, in the order in which they run
    rewrite: Rewrite | None = None  # all that the stage does, where it is there
    group: Group | None = None
    survey: Survey | None = None
    on_device: bool = False  # on the ranks that own a device, where there are some

    @property
    def slot_count(self) -> int:
        """Return the number of slots."""
        return len(self.types)

    @property
    def waiting_ops(self) -> tuple[int, ...]:
        """Indices of the OPs that end the stage: they need every row before any row may go on."""
        return tuple(end.op for end in (*self.dedups, self.select, self.group, self.survey) if end is not None)

    @property
    def waits(self) -> bool:
        """Whether rows wait at its end until all have come."""
        return bool(self.waiting_ops)

    @property
    def needs_lines(self) -> bool:
        """Whether rows must be JSON lines: their fields and the types of these are known only when they are there."""
        is_json = any(self.types[slot] == "json" for _, slot in self.values)
        return bool(self.rewrite or self.group or self.tags or is_json or any(kind == "json" for _, _, kind in self.stats))

    @property
    def keeps_lock(self) -> bool:
        """Whether it computes in Python for long, so that processes help where threads do not."""
        names = [step.fn for step in self.steps if isinstance(step, Compute)]
        return functions.keeps_lock([*names, *([] if self.rewrite is None else [self.rewrite.fn])])

    @property
    def has_side(self) -> bool:
        """Whether rows may get stats or tags."""
        return bool(self.stats or self.tags or (self.rewrite and self.rewrite.has_side))

    def field_index(self, path: str) -> int:
        """Index of a path that is read, -1 when it is not."""
        paths = self.texts + self.reserved
        return paths.index(path) if path in paths else -1


class Plan(NamedTuple):
    """Stages in order, the OPs they came from, and what the user should know before the run."""

    stages: tuple[Stage, ...]
    ops: tuple[Op, ...]
    notices: tuple[str, ...]
    brings_stats: bool = False  # rows come with stats or meta, so they leave the result though no OP writes any

    @property
    def op_names(self) -> dict[int, str]:
        """Names of the OPs by their index in the recipe, in the order in which they run."""
        return {op: self.ops[op].spec.name for stage in self.stages for op in (*stage.local_ops, *stage.waiting_ops)}

    @property
    def needs_lines(self) -> bool:
        """Whether rows must be JSON lines on their way."""
        return any(stage.needs_lines for stage in self.stages)

    @property
    def selects(self) -> bool:
        """Whether rows may come into another order, so that rows of several files stand together."""
        return any(stage.select is not None for stage in self.stages)

    @property
    def has_side(self) -> bool:
        """Whether rows may get stats or tags, which leave the result for a file of their own."""
        return self.brings_stats or any(stage.has_side for stage in self.stages)

    def passes(self) -> list[range]:
        """Cut the stages into runs that a batch goes through without waiting for others."""
        ends = [number + 1 for number, stage in enumerate(self.stages) if stage.waits]
        bounds = [0, *ends, *([len(self.stages)] if not ends or ends[-1] < len(self.stages) else [])]
        return [range(first, last) for first, last in pairwise(bounds)]
