"""A recipe as a function of tables, for hosts that bring the rows: Ray, datasets, Spark, Daft, polars, DuckDB, your own loop."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from djfast.access import Access, beside, holding
from djfast.catalog import load_ops
from djfast.declare import Deduplicator, Filter, Op
from djfast.errors import InternalError, RecipeError, RowError, SchemaError
from djfast.frames import BATCH_BYTES, is_frame, whole_table
from djfast.llm.run_settings import RunSettings, used
from djfast.plan.bind import BoundStage, bind_plan
from djfast.plan.build import build_plan
from djfast.plan.rules import optimized
from djfast.plan.steps import Plan
from djfast.recipe.load import Recipe, load_recipe
from djfast.records import NamedTuple
from djfast.redaction import all_safe
from djfast.reserved import META, STATS
from djfast.rows.line_rows import carried_for
from djfast.runners.keyed_groups import make_groups
from djfast.runners.planning import plan_of
from djfast.runners.stage_work import Done, PassWork, StageWork, empty_piece
from djfast.runners.workers import in_order
from djfast.tables import table_of
from djfast.type_names import type_name

if TYPE_CHECKING:
    import pyarrow as pa

    from djfast.rows.carrier import Piece

REJECTED = "__dj__rejected__"
KEYS = "__dj__keys__"
KEEP, DROPPED_BY, REASON = "__dj__keep__", "__dj__op__", "__dj__reason__"
_WAYS = ("raise", "column", "drop")


def compile(
    recipe_or_ops: Any,
    schema: pa.Schema | None = None,
    *,
    threads: int = 1,
    rejected: str = "raise",
    output_schema: pa.Schema | None = None,
) -> Pipe:
    """Make a function of tables out of a recipe or OPs.

    Parameters
    ----------
    recipe_or_ops : path, mapping, Recipe, OP or list
        A recipe file, its content, or what `djfast.load_ops` takes. Of a recipe's keys those count that say what happens to a
        row; where rows come from and go to is the host's business.
    schema : pyarrow.Schema, optional
        The columns of the tables to come, for who asks for `output_schema` before there are any.
    threads : int, optional
        Threads that run OPs on one table.
    rejected : {"raise", "column", "drop"}, optional
        What becomes of rows that cannot be processed: `RowError` with the first of them; they stay as they came, and the column
        ``__dj__rejected__`` says why, null in the others; or they are left out, which `Pipe.run` tells.
    output_schema : pyarrow.Schema, optional
        The columns of results, if OPs make columns of which only rows tell the types, as functions of yours may.

    Raises
    ------
    RecipeError
        If the recipe is wrong, or if an OP needs all rows at once.
    """
    if rejected not in _WAYS:
        raise RecipeError(f"rejected must be one of {', '.join(_WAYS)}, got {rejected!r}")
    return Pipe(_source_of(recipe_or_ops), schema, threads, rejected, output_schema)


class Outcome(NamedTuple):
    """What became of a table.

    Attributes
    ----------
    rows : pyarrow.Table
        The rows that are left.
    rejected : pyarrow.Table
        Those that could not be processed: ``row``, its place in the table, ``op`` and ``reason``.
    """

    rows: pa.Table
    rejected: pa.Table


class Pipe:
    """Takes tables and returns what a recipe makes of each; made by `djfast.compile`.

    A table may be anything with columns: of pyarrow, polars, pandas, datasets or DuckDB, or a mapping of names to lists. The
    result is of the same kind. Tables are not changed, and rows do not know of each other, so it is no matter how rows are
    put into tables. A pipe can be pickled, by the text of its recipe, and gets ready where it is first called.
    """

    def __init__(
        self, source: _Source, schema: pa.Schema | None, threads: int, rejected: str, output_schema: pa.Schema | None
    ) -> None:
        self._source = source
        self._given = (schema, threads, rejected, output_schema)
        self._schema, self._threads, self._rejected, self._output = self._given
        self._engine.check()

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how another process makes the same pipe."""
        return Pipe, (self._source, *self._given)

    def __repr__(self) -> str:
        return f"<djfast pipe of {', '.join(op.spec.name for op in self._engine.ops) or 'no OPs'}>"

    @cached_property
    def _engine(self) -> _Engine:
        return _Engine.of(self._source)

    # Rows.

    def __call__(self, table: Any) -> Any:
        """Return the rows that are left of a table, as a table of the same kind.

        Raises
        ------
        RowError
            If a row cannot be processed, unless the pipe was made to keep such rows or to leave them out.
        SchemaError
            If it is no table, or lacks a column that an OP needs.
        """
        return _like(self._result(_table(table)), table)

    def stream(self, tables: Iterable[Any]) -> Iterator[Any]:
        """Yield what is left of each of some tables; no more than one is held. All results have the columns of the first."""
        first: pa.Schema | None = self._output
        for table in tables:
            result = self._result(_table(table))
            if first is None:
                first = result.schema
            yield _like(_with_schema(result, first), table)

    def run(self, table: Any) -> Outcome:
        """Return the rows that are left of a table as one of pyarrow, and those that could not be processed."""
        import pyarrow as pa

        ran = self._engine.run(_table(table), threads=self._threads)
        columns = pa.schema([("row", pa.int64()), ("op", pa.string()), ("reason", pa.string())])
        return Outcome(self._fitted(ran.table), pa.Table.from_pylist([bad._asdict() for bad in ran.rejected], columns))

    @cached_property
    def output_schema(self) -> pa.Schema:
        """The columns of results.

        Raises
        ------
        SchemaError
            If the pipe does not know the columns of its tables, or if only rows tell those of results.
        """
        if self._output is not None:
            return self._output
        if self._schema is None:
            raise SchemaError("the columns of results depend on those of the tables; give them: djfast.compile(..., schema=...)")
        if (op := self._engine.opaque_op()) is not None:
            raise SchemaError(f"only rows tell which columns {op} makes; give them: djfast.compile(..., output_schema=...)")
        return self._result(self._schema.empty_table()).schema

    # Rows with what was found out about them.

    def annotate(self, table: Any) -> Any:
        """Return all rows of a table, with why each is kept or not.

        Columns are added: ``__dj__stats__``, ``__dj__keep__``, ``__dj__op__`` (the OP that dropped or rejected the row, null
        if it is kept) and ``__dj__reason__`` (why it was rejected). A row that is not kept is as it was when the OP got it.
        """
        return _like(self._engine.annotated(_table(table), threads=self._threads), table)

    # Rows that must be compared.

    def signatures(self, table: Any) -> Any:
        """Return the rows of a table with the keys by which a deduplicator compares them, in the column ``__dj__keys__``.

        The deduplicator must be the last OP. Keys are bytes; null stands for a row that has nothing to compare. Rows with
        equal keys are duplicates of `document_deduplicator`, for which a host's group-by will do; others see `djfast.cluster`.
        """
        op = self._engine.deduplicator()
        ran = self._engine.run(_table(table), threads=self._threads)
        self._refuse(ran)
        if ran.keys is None:
            raise InternalError(f"{op.spec.name} gave no keys")
        return _like(ran.table.append_column(KEYS, ran.keys), table)

    def _result(self, table: pa.Table) -> pa.Table:
        engine = self._engine
        if engine.waits:
            op = engine.deduplicator()
            raise RecipeError(
                f"{op.spec.name} needs all rows at once: take pipe.signatures(table) of each, then "
                "djfast.cluster(keys, pipe) of all keys"
            )
        ran = engine.run(table, threads=self._threads)
        if self._rejected == "column":
            return self._fitted(_with_rejected(ran, table))
        self._refuse(ran)
        return self._fitted(ran.table)

    def _refuse(self, ran: _Ran) -> None:
        if self._rejected == "raise" and ran.rejected:
            first = ran.rejected[0]
            raise RowError(
                f"{first.op}: row {first.row} of the table: {first.reason} ({len(ran.rejected):,} rejected in all); "
                "rejected='column' or 'drop' lets the others pass"
            )

    def _fitted(self, table: pa.Table) -> pa.Table:
        return table if self._output is None else _with_schema(_cast(table, self._output), self._output)


def cluster(keys: Any, deduplicator: Any) -> pa.BooleanArray:
    """Tell which rows stay if of each group of duplicates the first does.

    Parameters
    ----------
    keys : array of pyarrow
        The column ``__dj__keys__`` of all rows, in their order.
    deduplicator : Pipe, OP or what `djfast.compile` takes
        Whose keys they are.

    Raises
    ------
    SchemaError
        If they are not keys of this deduplicator.
    """
    import pyarrow as pa

    pipe = deduplicator if isinstance(deduplicator, Pipe) else compile(deduplicator)
    rule = pipe._engine.deduplicator().rule()
    column = keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
    wanted = pa.binary(8 * rule.width)
    if column.type != wanted:
        raise SchemaError(f"keys of {pipe!r} have the type {wanted}, got {column.type}")
    groups = make_groups(rule)
    given = column.drop_null()
    width, data = 8 * rule.width, given.buffers()[1]
    own = memoryview(data)[width * given.offset : width * (given.offset + len(given))] if data is not None else b""
    groups.add(bytes(own), len(column), bytes(column.is_valid().to_pylist()))
    return pa.array(map(bool, bytes(groups.resolve())), pa.bool_())


class _Source(NamedTuple):
    """What a pipe is made of: the text of a recipe, or OPs that have no such text, as functions of yours."""

    recipe: str | None
    ops: tuple[Op, ...] = ()

    def recipe_or_none(self) -> Recipe | None:
        """Return the recipe."""
        return None if self.recipe is None else load_recipe(json.loads(self.recipe))


def _source_of(given: Any) -> _Source:
    if isinstance(given, Pipe):
        return given._source
    is_file = isinstance(given, os.PathLike) or (isinstance(given, str) and given.endswith((".yaml", ".yml", ".json")))
    if is_file or (isinstance(given, Mapping) and "process" in given):
        given = load_recipe(given)
    if isinstance(given, Recipe):
        if not given.can_travel() or all_safe(given.text) != given.text:
            raise RecipeError(
                "a pipe is pickled as the text of its recipe, which has no secrets; name variables for them: ${NAME}"
            )
        return _Source(json.dumps(given.text, sort_keys=True))
    return _Source(None, tuple(load_ops(*(given if isinstance(given, list | tuple) else [given]))))


class _Bad(NamedTuple):
    row: int
    op: str
    reason: str


class _Ran(NamedTuple):
    """A table after a run: what is left, which rows these were, and the rejected ones."""

    table: pa.Table
    numbers: list[int]
    rejected: list[_Bad]
    keys: pa.Array | None


class _Engine:
    """A bound plan, ready to run on tables."""

    def __init__(self, ops: Sequence[Op], plan: Plan, settings: Mapping[str, Any] | None) -> None:
        self.ops = tuple(ops)
        self.plan = plan
        self._settings = RunSettings() if settings is None else RunSettings.of(settings)
        roots = () if settings is None else settings["local_roots"]
        self._access = Access.of(roots, beside([], [os.curdir, *(getattr(op, "save_dir", None) for op in ops)]))
        self._of_one: dict[tuple[int, bool], _Engine] = {}

    @classmethod
    def of(cls, source: _Source) -> _Engine:
        """Return the engine of a pipe."""
        recipe = source.recipe_or_none()
        if recipe is None:
            return cls(source.ops, optimized(build_plan(source.ops)), None)
        return cls(recipe.ops, plan_of(recipe), recipe.settings)

    @cached_property
    def _stages(self) -> list[BoundStage]:
        with used(self._settings), holding(self._access):
            return bind_plan(self.plan)

    @property
    def waits(self) -> bool:
        """Whether rows wait for all others."""
        return any(stage.waits for stage in self.plan.stages)

    def check(self) -> None:
        """Refuse OPs that need all rows at once, but for a deduplicator at the end, whose keys can be asked for.

        Raises
        ------
        RecipeError
        """
        waiting = [op for stage in self.plan.stages for op in stage.waiting_ops]
        last = self.plan.ops[-1] if self.plan.ops else None
        if isinstance(last, Deduplicator) and [self.plan.ops[op] for op in waiting] == [last]:
            return
        if waiting:
            names = ", ".join(dict.fromkeys(self.plan.ops[op].spec.name for op in waiting))
            raise RecipeError(
                f"a pipe sees one table at a time, and these OPs need all rows at once: {names}; leave them to the host, or take "
                "the keys of one deduplicator at the end: pipe.signatures(table)"
            )

    def deduplicator(self) -> Deduplicator:
        """Return the deduplicator at the end.

        Raises
        ------
        RecipeError
            If there is none.
        """
        if not self.ops or not isinstance(self.ops[-1], Deduplicator):
            raise RecipeError(f"the last OP must be a deduplicator, got {self.ops[-1].spec.name if self.ops else 'no OP'}")
        return self.ops[-1]

    def opaque_op(self) -> str | None:
        """Return the name of an OP of which only rows tell what columns it makes."""
        for stage in self.plan.stages:
            if stage.rewrite is not None:
                return self.plan.ops[stage.rewrite.op].spec.name
        return None

    def run(self, table: pa.Table, *, threads: int, keeps_stats: bool = False) -> _Ran:
        """Run the first pass on a table."""
        from djfast.rows.arrow_rows import TableRows

        plan, stages, run = self.plan, self._stages, self.plan.passes()[0]
        batch_rows = max(1, table.num_rows * BATCH_BYTES // max(1, table.nbytes))
        rows = carried_for(plan, TableRows(table, keeps_stats=keeps_stats, keeps_hashes=False, batch_rows=batch_rows))
        layouts = rows.layouts(plan)
        work = PassWork([StageWork(stages[number], layouts[number], rows) for number in run], rows)
        pieces: list[Piece] = []
        done_rows: list[Done] = []
        with used(self._settings), holding(self._access):
            for done in in_order(rows.items(), work.run, threads=threads):
                done_rows.append(done._replace(piece=None))
                if done.piece_rows:
                    pieces.append(done.piece)
            empty = None if pieces else empty_piece(plan, stages[run.start : run.stop], rows)
        rejected = [
            _Bad(bad.place, plan.ops[bad.op].spec.name if bad.op >= 0 else "read", bad.reason)
            for done in done_rows
            for bad in done.bad_rows
        ]
        return _Ran(
            _table_of(pieces or ([empty] if empty is not None else []), rows.columns(), keeps_stats=keeps_stats),
            [number for piece in pieces for number in _numbers(piece.numbers)],
            rejected,
            _keys_of(done_rows, plan) if self.waits else None,
        )

    def annotated(self, table: pa.Table, *, threads: int) -> pa.Table:
        """Run OP after OP, and return all rows with their stats and why each is kept or not."""
        import pyarrow as pa

        left: list[tuple[list[int], pa.Table, str | None, list[str | None]]] = []
        state, numbers = table, list(range(table.num_rows))
        for index, op in enumerate(self.ops):
            is_asked_twice = isinstance(op, Filter) and op.rewrite() is None
            ran = self._alone(index, drops_rows=not is_asked_twice).run(state, threads=threads, keeps_stats=True)
            for bad in ran.rejected:
                left.append(([numbers[bad.row]], state.slice(bad.row, 1), bad.op, [bad.reason]))
            gone = sorted({*range(state.num_rows)} - {*ran.numbers} - {bad.row for bad in ran.rejected})
            if gone:
                left.append(([numbers[row] for row in gone], state.take(gone), op.spec.name, [None] * len(gone)))
            state, numbers = ran.table, [numbers[row] for row in ran.numbers]
            if is_asked_twice:
                kept = self._alone(index, drops_rows=True).run(state, threads=threads, keeps_stats=True)
                dropped = sorted({*range(state.num_rows)} - {*kept.numbers})
                if dropped:
                    out = [numbers[row] for row in dropped]
                    left.append((out, state.take(dropped), op.spec.name, [None] * len(dropped)))
                state, numbers = kept.table, [numbers[row] for row in kept.numbers]
        left.append((numbers, state, None, [None] * state.num_rows))
        parts = [
            part.append_column(KEEP, pa.array([op is None] * len(where), pa.bool_()))
            .append_column(DROPPED_BY, pa.array([op] * len(where), pa.string()))
            .append_column(REASON, pa.array(reasons, pa.string()))
            for where, part, op, reasons in left
        ]
        order = [number for where, *_ in left for number in where]
        return _joined(parts).take(sorted(range(len(order)), key=order.__getitem__))

    def _alone(self, index: int, *, drops_rows: bool) -> _Engine:
        """Return the engine of one OP."""
        key = (index, drops_rows)
        if key not in self._of_one:
            ops = self.ops[index : index + 1]
            alone = _Engine(ops, optimized(build_plan(ops, drops_rows=drops_rows)), None)
            alone._settings, alone._access = self._settings, self._access
            self._of_one[key] = alone
        return self._of_one[key]


def _numbers(numbers: bytes | Sequence[int]) -> Sequence[int]:
    return memoryview(numbers).cast("Q").tolist() if isinstance(numbers, bytes) else numbers


def _keys_of(done: Sequence[Done], plan: Plan) -> pa.Array:
    """Return the keys of the rows that are left."""
    import pyarrow as pa

    width = 8 * plan.stages[-1].dedups[0].rule.width
    parts = []
    for each in done:
        for keys, present in each.keys if each.piece_rows else ():
            given = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(keys) // width, [None, pa.py_buffer(keys)])
            if present is not None:  # the keys are those of rows that have some
                places = accumulate(present, initial=0)
                given = given.take(pa.array([place if has else None for place, has in zip(places, present)], pa.int64()))
            parts.append(given)
    return pa.concat_arrays(parts) if parts else pa.array([], pa.binary(width))


def _table_of(pieces: Sequence[Piece], columns: pa.Schema, *, keeps_stats: bool) -> pa.Table:
    """Return the rows of pieces as a table, with dictionaries as narrow as they came."""
    from djfast.io.plain_columns import plain_schema, with_narrow_dictionaries

    if not pieces:
        return plain_schema(columns, "the data").empty_table()
    for piece in pieces if pieces[0].batch is None else ():
        piece.columns = columns
    table = table_of(pieces)
    if not keeps_stats:
        table = table.drop_columns([name for name in (STATS, META) if name in table.column_names])
    return with_narrow_dictionaries(table, columns)


def _with_rejected(ran: _Ran, table: pa.Table) -> pa.Table:
    """Return the rows that are left and the rejected ones in their order, with a column that says why."""
    import pyarrow as pa

    places = [bad.row for bad in ran.rejected]
    reasons = [f"{bad.op}: {bad.reason}" for bad in ran.rejected]
    parts = [
        ran.table.append_column(REJECTED, pa.nulls(ran.table.num_rows, pa.string())),
        table.take(places).append_column(REJECTED, pa.array(reasons, pa.string())),
    ]
    order = [*ran.numbers, *places]
    joined = _joined([parts[0], parts[1].select([n for n in parts[1].column_names if n in parts[0].column_names])])
    return joined.take(sorted(range(len(order)), key=order.__getitem__))


def _joined(parts: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of tables that may have other columns each."""
    import pyarrow as pa

    from djfast.io.plain_columns import joined_schema

    schema = joined_schema(part.schema for part in parts)
    return pa.concat_tables([_with_schema(part, schema) for part in parts])


def _with_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with the columns of a schema.

    Raises
    ------
    SchemaError
        If it has another one, or a value that a type does not hold.
    """
    import pyarrow as pa

    from djfast.io.plain_columns import fitted

    try:
        return pa.Table.from_batches([fitted(batch, schema) for batch in table.to_batches()], schema)
    except pa.ArrowException as error:
        raise SchemaError(f"a result does not have the columns of the others: {error}") from error


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table whose columns have the types of those of a schema, if these hold their values.

    Raises
    ------
    SchemaError
        If one does not.
    """
    import pyarrow as pa

    for number, field in enumerate(table.schema):
        if (wanted := schema.get_field_index(field.name)) >= 0 and field.type != schema.field(wanted).type:
            try:
                table = table.set_column(number, field.name, table.column(number).cast(schema.field(wanted).type))
            except pa.ArrowException as error:
                raise SchemaError(f"column '{field.name}' does not fit into the type of output_schema: {error}") from error
    return table


def _table(data: Any) -> pa.Table:
    """Return a table of pyarrow with the rows of any other."""
    import pyarrow as pa

    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if isinstance(data, Mapping):
        try:
            return pa.table({name: pa.array(values) for name, values in data.items()})
        except (pa.ArrowException, TypeError) as error:
            raise SchemaError(f"a mapping must give a list of values of one type for each column ({error})") from error
    if not is_frame(data) and hasattr(data, "arrow"):  # a relation of DuckDB
        found = data.arrow()
        return found.read_all() if isinstance(found, pa.RecordBatchReader) else found
    return whole_table(data)


def _like(table: pa.Table, data: Any) -> Any:
    """Return a table as one of the kind of another."""
    import pyarrow as pa

    if isinstance(data, pa.RecordBatch):
        [batch] = table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
        return batch
    if isinstance(data, pa.RecordBatchReader):
        return table.to_reader()
    if isinstance(data, Mapping):
        return {name: table.column(name).to_pylist() for name in table.column_names}
    name = type_name(data)
    if name == "pandas.DataFrame":
        return table.to_pandas()
    if name == "polars.DataFrame":
        import polars

        return polars.from_arrow(table)
    return table
