"""From OPs to a plan: roles become fields, equal expressions become one slot, deduplicators and selectors end a stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from djfast import functions
from djfast.declare import Deduplicator, Filter, Grouper, Mapper, Op, Selector, Surveyor
from djfast.errors import InternalError, RecipeError
from djfast.expr import Expr
from djfast.plan.steps import Compute, Dedup, Group, Keep, Plan, Rewrite, Select, Stage, Survey
from djfast.plan.waiting_rows import with_waiting_rows
from djfast.reserved import META, RESERVED, STATS


def build_plan(
    ops: Sequence[Op],
    *,
    text_keys: Sequence[str] = (),
    requires_texts: bool = True,
    keep_hashes: bool = False,
    drops_rows: bool = True,
    has_devices: bool = False,
) -> Plan:
    """Turn checked OPs into stages.

    Parameters
    ----------
    ops : sequence of Op
        In the order of the recipe.
    text_keys : sequence of str
        Fields that must hold a string in every row, also when no OP reads them; the first is the ``text`` role of OPs that
        name no field of their own. Empty: only what OPs read must hold texts, and the role is the field ``text``.
    requires_texts : bool
        False asks for texts only where OPs read them, as in a data set whose texts are yet to be made.
    keep_hashes : bool
        Whether hash columns of deduplicators stay in the rows.
    drops_rows : bool
        False computes all stats and drops nothing, as analysis does.
    has_devices : bool
        Stages of OPs with ``accelerator: cuda`` run on the ranks that own a device. These OPs have stages of their own in any
        case, so that rows are the same bytes.
    """
    ops = list(with_waiting_rows(ops)) if drops_rows else ops
    groups = _stage_groups(ops, drops_rows=drops_rows)

    def build(required: Sequence[tuple[str, ...]]) -> Plan:
        notices: list[str] = []
        stages = []
        first_op = 0
        before: Op | None = None  # the last OP of the stage before
        for group, fields in zip(groups, required):
            stage = _StageBuilder(
                text_keys[0] if text_keys else "text",
                fields,
                keep_hashes=keep_hashes,
                drops_rows=drops_rows,
                notices=notices,
            )
            if isinstance(before, Surveyor):
                stage.assign(first_op - 1, before)
            for index in group:
                stage.add(index, ops[index])
            before = ops[group[-1]] if group else None
            on_device = has_devices and bool(group) and _on_device(ops[group[0]])
            stages.append(stage.finish(group)._replace(on_device=on_device))
            first_op += len(group)
        return Plan(tuple(stages), tuple(ops), tuple(notices))

    plan = build([tuple(text_keys) if requires_texts else (), *[()] * (len(groups) - 1)])
    if all(len(run) < 2 for run in _runs_of_programs(plan)):
        return plan  # no stage reads on behind another
    return build(_fields_read_at_once(plan))


def _fields_read_at_once(plan: Plan) -> list[tuple[str, ...]]:
    """Fields that each stage must find: the first one of a pass also those of the stages behind it.

    So a row without a text is rejected in the same place, however a recipe is cut for devices.
    """
    required: list[tuple[str, ...]] = [()] * len(plan.stages)
    for run in _runs_of_programs(plan):
        fields: dict[str, None] = {}
        made: set[str] = set()
        for number in run:
            fields.update(dict.fromkeys(path for path in plan.stages[number].texts if path not in made))
            made.update(path for path, _ in plan.stages[number].values)
        if run:
            required[run.start] = tuple(fields)
    return required


def _runs_of_programs(plan: Plan) -> Iterator[range]:
    """Yield the stages between those that rewrite rows, pass by pass: what rewriting makes of fields is not known here."""
    for run in plan.passes():
        first = run.start
        for number in run:
            if plan.stages[number].rewrite is not None:
                yield range(first, number)
                first = number + 1
        yield range(first, run.stop)


def _stage_groups(ops: Sequence[Op], *, drops_rows: bool) -> list[list[int]]:
    """Cut the recipe where rows wait for all others, around OPs that take rows as a whole, and at devices."""
    groups: list[list[int]] = [[]]
    before: Op | None = None
    for index, op in enumerate(ops):
        is_cut = isinstance(before, Deduplicator) and not isinstance(op, Deduplicator)
        is_cut = is_cut or (drops_rows and isinstance(before, Selector) and _waits(before))
        is_cut = is_cut or isinstance(before, Grouper | Surveyor) or (before is not None and before.rewrite() is not None)
        is_cut = is_cut or op.rewrite() is not None
        stays = before is None or isinstance(op, Deduplicator | Selector) or _on_device(op) == _on_device(before)
        if is_cut or not stays:
            groups.append([])
        groups[-1].append(index)
        before = op
    if before is not None and (before.rewrite() is not None or isinstance(before, Grouper | Surveyor)):
        groups.append([])  # rows are changed and written by programs
    return groups


def _on_device(op: Op) -> bool:
    return op.accelerator == "cuda"


def _waits(op: Selector) -> bool:
    """Tell whether a selector must see all rows."""
    return op.keep() is None and op.selection().kind != "all"


class _StageBuilder:
    """Numbers the values of one stage: the same function of the same slots is the same slot.

    This is how lines, words or a model's answer are shared between OPs. A mapper moves its field to a new slot, so
    words of the old and of the new text are never confused.
    """

    def __init__(
        self, text_key: str, required: tuple[str, ...], *, keep_hashes: bool, drops_rows: bool, notices: list[str]
    ) -> None:
        self.text_key = text_key
        self.keep_hashes = keep_hashes
        self.drops_rows = drops_rows
        self.notices = notices
        self.fields: dict[str, int] = {}  # path -> symbolic slot as read
        self.current: dict[str, int] = {}  # path -> slot with its value now
        self.slots: dict[tuple[Any, ...], int] = {}
        self.types: list[str] = []
        self.steps: list[Compute | Keep] = []
        self.stats: dict[str, int] = {}
        self.tags: dict[str, int] = {}
        self.dedups: list[Dedup] = []
        self.select: Select | None = None
        self.rewrite: Rewrite | None = None
        self.group: Group | None = None
        self.survey: Survey | None = None
        self.partly_assigned: set[str] = set()  # fields that rows keep where the JSON that was assigned to them is empty
        self.looked_into: list[str] = []  # paths whose JSON is read, whatever their type
        self.names: dict[int, str] = {}  # of the OPs, for messages
        for path in required:
            self.field(path)

    def add(self, index: int, op: Op) -> None:
        """Append the steps of one OP."""
        self.names[index] = op.spec.name
        whole = op.rewrite()
        if whole is not None:
            params = tuple((name, self.path("text", op) if name == "text_key" else value) for name, value in whole.params)
            has_side = isinstance(op, Filter) or op.rewrites_tags
            self.rewrite = Rewrite(whole.fn, params, index, has_side, self.drops_rows)
        elif isinstance(op, Filter):
            self._add_filter(index, op)
        elif isinstance(op, Surveyor):
            values, threshold = op.survey()
            self.survey = Survey(self.lower(values, index, op, {}), index, threshold)
        elif isinstance(op, Mapper):
            self.assign(index, op)
        elif isinstance(op, Grouper):
            key = op.group()
            self.group = Group(-1 if key is None else self.lower(key, index, op, {}), index)
        elif isinstance(op, Deduplicator):
            self.dedups.append(Dedup(self.lower(op.key(), index, op, {}), index, op.rule()))
            if self.keep_hashes:
                for name, expr in op.columns().items():
                    self.current[name] = self.lower(expr, index, op, {})
        elif isinstance(op, Selector):
            if self.drops_rows:
                self._add_selector(index, op)
        else:
            raise InternalError(f"OPs of kind {op.kind} cannot be planned")

    def assign(self, index: int, op: Mapper) -> None:
        """Append what a mapper makes of fields and tags."""
        self.names[index] = op.spec.name
        assigned = {self.path(name, op): self.lower(expr, index, op, {}) for name, expr in op.assign().items()}
        tags = {name: self.lower(expr, index, op, {}) for name, expr in op.tags().items()}
        for path, computed in assigned.items():
            self._set(path, computed, index)
        for name, computed in tags.items():
            known = self.tags.get(name, computed)
            written = self._written(META, name, computed, known, index, op)
            self.tags[name] = self._one_of(written, known, index) if op.overwrites() and written != known else written

    def _set(self, path: str, computed: int, index: int) -> None:
        """Make a computed value that of a field; empty JSON leaves what the row or an earlier OP has."""
        known = self.current.get(path)
        if self.types[computed] != "json":
            self.partly_assigned.discard(path)
        elif known is None or known == self.fields.get(path):
            self.partly_assigned.add(path)
        else:
            computed = self._one_of(computed, known, index)
        self.current[path] = computed

    def _one_of(self, computed: int, known: int, index: int) -> int:
        """Slot of computed JSON, and of what is known where that is empty."""
        return self.number("json_or", (computed, self._as_json(known, index)), (), index)

    def _as_json(self, slot: int, index: int) -> int:
        return slot if self.types[slot] == "json" else self.number("json_of", (slot,), (), index)

    def _add_selector(self, index: int, op: Selector) -> None:
        condition = op.keep()
        if condition is not None:
            self.steps.append(Keep(self.lower(condition, index, op, {}), index))
        elif _waits(op):
            values = op.values()
            slot = -1 if values is None else self.lower(values, index, op, {})
            self.select = Select(slot, index, op.selection(), "" if values is None else str(values))
        else:
            self.notices.append(f"{op.spec.name}: its parameters select nothing, so all rows pass")

    def _add_filter(self, index: int, op: Filter) -> None:
        own: dict[str, int] = {}
        for name, expr in op.stats().items():
            if name in self.stats and not op.overwrites():
                if self._numbered(expr, op) != self.stats[name]:
                    self.notices.append(
                        f"{op.spec.name}: stat '{name}' was computed by an earlier OP with other parameters and is "
                        "reused, as Data-Juicer does"
                    )
                own[name] = self.stats[name]
            else:
                computed = self.lower(expr, index, op, own)
                own[name] = self._written(STATS, name, computed, computed, index, op)
        self.stats.update(own)  # not before: the fields that an OP reads are those it finds
        condition = op.keep() if self.drops_rows else None
        if condition is not None:
            self.steps.append(Keep(self.lower(condition, index, op, own), index))

    def _written(self, where: str, name: str, computed: int, known: int, index: int, op: Op) -> int:
        """Slot of a stat or a tag: the computed one of an OP that overwrites, else the one that the row has or that is known."""
        if not op.overwrites():
            return self._brought(where, name, known, index)
        if self.types[computed] != "json":
            raise InternalError(f"{op.spec.name}: only JSON can take the place of a stat or a tag")
        return computed

    def _brought(self, where: str, name: str, computed: int, index: int) -> int:
        """Slot of a stat or a tag: the one that the row has already, else the computed one."""
        kind = self.types[computed]
        params = (("is_json", kind == "json"), ("name", name))
        return self.number("stat_or", (self.reserved(where), computed), params, index, type_name=kind)

    def _numbered(self, expr: Expr, op: Op) -> int | None:
        """Slot of the stat that `expr` would have given, None if it was never computed."""
        slot = self._lookup(expr, op)
        if slot is None:
            return None
        for (fn, args, _), number in self.slots.items():
            if fn == "stat_or" and args[1] == slot:
                return number
        return None

    def _lookup(self, expr: Expr, op: Op) -> int | None:
        if expr.fn == "col":
            return self.current.get(self.path(expr.param("name"), op))
        args = tuple(self._lookup(arg, op) for arg in expr.args)
        return None if None in args else self.slots.get((expr.fn, args, expr.params))

    def path(self, name: str, op: Op) -> str:
        """Field of a role: ``text`` is the OP's own text_key or the recipe's."""
        if name == "text":
            return op.text_key or self.text_key
        if name in {"image", "audio", "video"}:
            raise RecipeError(f"{op.spec.name}: {name} OPs are not supported yet")
        return name

    def field(self, path: str, index: int = -1) -> int:
        """Slot with the text of a field now."""
        if path not in self.current:
            self.fields[path] = self.current[path] = self._new_slot("text")
        slot = self.current[path]
        if self.types[slot] != "json":
            return slot
        return self.number("text_of", (self.json(path, index),), (("path", path),), index)

    def reserved(self, name: str) -> int:
        """Slot with the raw JSON of a field, reserved or looked into."""
        key = ("reserved", (), name)
        if key not in self.slots:
            self.slots[key] = self._new_slot("json")
        return self.slots[key]

    def json(self, path: str, index: int) -> int:
        """Slot with the JSON of a field of any type: its value now when an OP reads or assigned it, else as the row has it."""
        known = self.current.get(path)
        for where, computed in ((STATS, self.stats), (META, self.tags)):
            if path.startswith(f"{where}."):
                known = computed.get(path.removeprefix(f"{where}."), known)
        if known is None:
            return self._brought_json(path, index)
        if path in self.partly_assigned:
            return self._one_of(known, self._brought_json(path, index), index)
        return self._as_json(known, index)

    def _brought_json(self, path: str, index: int) -> int:
        """Slot with the JSON of a field as the row has it."""
        head, dot, rest = path.partition(".")
        self.looked_into += [path, head]
        if not dot:
            return self.reserved(path)
        return self.number("through_lists", (self.reserved(path), self.reserved(head)), (("path", rest),), index)

    def lower(self, expr: Expr, index: int, op: Op, own_stats: dict[str, int]) -> int:
        """Slot that holds the value of an expression."""
        if expr.fn == "col":
            name = expr.param("name")
            return own_stats[name] if name in own_stats else self.field(self.path(name, op), index)
        if expr.fn == "field":
            [(kind, name)] = expr.params
            return self.json(self.path(name, op) if kind == "role" else name, index)
        args = tuple(self.lower(arg, index, op, own_stats) for arg in expr.args)
        return self.number(expr.fn, args, expr.params, index)

    def number(
        self,
        fn: str,
        args: tuple[int, ...],
        params: tuple[tuple[str, Any], ...],
        index: int,
        type_name: str | None = None,
    ) -> int:
        """Slot of a function call; a new step only when nobody asked for it before."""
        key = (fn, args, params)
        if key not in self.slots:
            signature = functions.signature(fn)
            signature.check([self.types[arg] for arg in args], op=self.names.get(index, "read"))
            slot = self._new_slot(type_name or signature.output)
            self.slots[key] = slot
            self.steps.append(Compute(slot, fn, args, params, index, signature.is_native, self.types[slot]))
        return self.slots[key]

    def _new_slot(self, type_name: str) -> int:
        self.types.append(type_name)
        return len(self.types) - 1

    def finish(self, ops: Sequence[int]) -> Stage:
        """Renumber, so that the fields that are read come first."""
        reserved = tuple(dict.fromkeys((*RESERVED, *self.looked_into)))
        order = [*self.fields.values(), *(self.reserved(name) for name in reserved)]
        order += [step.slot for step in self.steps if isinstance(step, Compute)]
        new = {slot: position for position, slot in enumerate(order)}
        steps = tuple(
            step._replace(slot=new[step.slot], args=tuple(new[a] for a in step.args))
            if isinstance(step, Compute)
            else step._replace(slot=new[step.slot])
            for step in self.steps
        )
        changed = {path: slot for path, slot in self.current.items() if self.fields.get(path) != slot}
        stage = Stage(
            texts=tuple(self.fields),
            reserved=reserved,
            steps=steps,
            values=tuple((path, new[slot]) for path, slot in changed.items()),
            stats=tuple((name, new[slot], self.types[slot]) for name, slot in self.stats.items()),
            tags=tuple((name, new[slot], self.types[slot]) for name, slot in self.tags.items()),
            dedups=tuple(d._replace(slot=new[d.slot]) for d in self.dedups),
            select=self.select and self.select._replace(slot=new.get(self.select.slot, -1)),
            types=tuple(self.types[slot] for slot in order),
            local_ops=tuple(ops),
            rewrite=self.rewrite,
            group=self.group and self.group._replace(slot=new.get(self.group.slot, -1)),
            survey=self.survey and self.survey._replace(slot=new[self.survey.slot]),
        )
        return stage._replace(local_ops=tuple(op for op in ops if op not in stage.waiting_ops))
