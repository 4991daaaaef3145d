"""Rows and OPs from Python: ``Dataset.from_jsonl(path).process(op).export(path)``."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, overload

from djfast.access import Access, beside, holding
from djfast.catalog import flattened, load_ops
from djfast.declare import Op
from djfast.display import SHOWN_ROWS, as_html, as_text
from djfast.errors import DjfastError, InputError, MissingExtraError, RecipeError, RowError, SchemaError
from djfast.frames import FileSource, FrameSource, ListSource, frame_source, is_frame
from djfast.io.read.overlap import refuse_overlap
from djfast.io.result_names import earlier_files
from djfast.io.write.commit import Staging
from djfast.io.write.formats import result_format_of
from djfast.io.write.results import Output, Result, ResultFile, RowList
from djfast.io.write.upload import Address, replace_files
from djfast.json_bytes import parsed
from djfast.plan.build import build_plan
from djfast.plan.rules import optimized
from djfast.plan.steps import Plan
from djfast.pulling import pulled
from djfast.ranks.cores import usable_cores
from djfast.recipe.outputs import is_remote
from djfast.records import NamedTuple
from djfast.reserved import META, STATS
from djfast.rows.line_rows import carried_for, restored
from djfast.rows.list_rows import MISSING, lookup, without_stats
from djfast.runners.local import run_plan
from djfast.runners.progress import Progress
from djfast.runners.rejected import READING, Rejected, RejectedRows, reject_unfit
from djfast.runners.report import Report
from djfast.tables import columns_of, table_of, table_of_rows
from djfast.type_names import spoken_type

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from djfast.io.read.formats import InputFile

Row = dict[str, Any]
Source = ListSource | FileSource | FrameSource


class Computed(NamedTuple):
    """The rows of a data set once its OPs have run."""

    pieces: list[Any]
    report: Report
    source: Source
    columns: Callable[[], pa.Schema | None]  # where the rows came from

    def rows(self) -> Iterator[Row]:
        """Yield the rows as dictionaries that nobody else has."""
        for piece in self.pieces:
            yield from map(dict, _rows_in(piece, self.source))


class Dataset:
    """Rows and the OPs to run on them. Immutable: every method returns a new data set; OPs run when rows are asked for.

    They run once: rows that were computed stay in memory, for `len`, `columns` and all ``to_...``. Iterating and `head` keep
    nothing, and `export` writes results of any size.

    Parameters
    ----------
    data
        Rows as dictionaries, a table of another package (`from_arrow`), or the path of files (`from_files`).
    threads : int, optional
        Threads that run OPs; by default one for each core that this process may use, for rows of a list one.

    Attributes
    ----------
    rejected : list of Rejected
        Rows that could not be processed when this data set was last computed, with OP and reason.
    report : Report or None
        What the last computation did.
    """

    def __init__(self, data: Any, *, threads: int | None = None) -> None:
        made = _dataset_of(data, threads)
        self.__dict__.update(made.__dict__)

    @classmethod
    def _of(cls, source: Source, ops: tuple[Op, ...] = (), *, drops_rows: bool = True, threads: int | None = None) -> Dataset:
        made = object.__new__(cls)
        made._source = source
        made._ops = ops
        made._drops_rows = drops_rows
        made._threads = threads or usable_cores(os.environ)
        made._computed = {}
        made.rejected = []
        made.report = None
        return made

    _source: Source
    _ops: tuple[Op, ...]
    _drops_rows: bool
    _threads: int
    _computed: dict[bool, Computed]  # by whether stats are in the rows
    rejected: list[Rejected]
    report: Report | None

    # Rows in.

    @classmethod
    def from_list(cls, rows: Sequence[Mapping[str, Any]], *, threads: int = 1) -> Dataset:
        """Rows as dictionaries. They are not changed; values that no OP touches come out as the same objects.

        Raises
        ------
        SchemaError
            If these are no dictionaries.
        """
        return cls._of(ListSource(_checked_rows(rows)), threads=threads)

    @classmethod
    def from_jsonl(
        cls, path: str | os.PathLike[str] | Sequence[str], *, limit: int | None = None, threads: int | None = None
    ) -> Dataset:
        """Rows of JSON Lines files, all or the first `limit` ones: a file, a folder, a glob, or several; also compressed."""
        return cls._of(FileSource(_files(path, family="json"), limit=_checked_limit(limit)), threads=threads)

    @classmethod
    def from_parquet(
        cls, path: str | os.PathLike[str] | Sequence[str], *, limit: int | None = None, threads: int | None = None
    ) -> Dataset:
        """Rows of Parquet files, all or the first `limit` ones: a file, a folder, a glob, or several of them."""
        return cls._of(FileSource(_files(path, family="parquet"), limit=_checked_limit(limit)), threads=threads)

    @classmethod
    def from_files(
        cls,
        path: str | os.PathLike[str] | Sequence[str],
        *,
        texts: Sequence[str] = ("text",),
        limit: int | None = None,
        threads: int | None = None,
    ) -> Dataset:
        """Rows of files of any format that can be read: a file, a folder, a glob, an address, or several of them.

        Parameters
        ----------
        texts : sequence of str
            Columns that hold texts where a format does not say so, as CSV does not.
        limit : int, optional
            Read the first so many rows only; what is behind them is not looked at.
        """
        return cls._of(FileSource(_files(path), tuple(texts), _checked_limit(limit)), threads=threads)

    @classmethod
    def from_arrow(cls, data: Any, *, threads: int | None = None) -> Dataset:
        """Rows of a table: of pyarrow, polars, pandas, datasets, DuckDB, or anything with ``__arrow_c_stream__``.

        A ``RecordBatchReader`` and a streaming data set are read batch by batch while the OPs run, and a reader only once. The
        index of a pandas data frame becomes columns if it has names.

        Raises
        ------
        SchemaError
            If it is no table.
        """
        return cls._of(frame_source(data), threads=threads)

    # OPs.

    def process(self, *ops: Any) -> Dataset:
        """Run one OP or several, in order; each is what `djfast.load_ops` takes."""
        if not self._drops_rows:
            raise RecipeError("process cannot follow compute_stats, which drops no row; call process first")
        return self._with(load_ops(*ops))

    def compute_stats(self, *ops: Any) -> Dataset:
        """Compute the stats of filters for every row and drop none."""
        return self._with(load_ops(*ops), drops_rows=False)

    def map(self, function: Callable[..., Any], *, over: str = "rows", **arguments: Any) -> Dataset:
        """Apply a plain function, which returns what a function decorated with `djfast.mapper` does.

        Parameters
        ----------
        function : callable
        over : {"rows", "batches"}
            What it takes: a row as a dictionary, or a ``pyarrow.RecordBatch``.
        **arguments
            Handed to the function with each call.
        """
        from djfast.custom.functions import FunctionMapper, arguments_of

        arguments_of(function)
        return self.process(FunctionMapper(function=partial(function, **arguments) if arguments else function, over=over))

    def filter(self, function: Callable[..., Any], *, over: str = "rows", **arguments: Any) -> Dataset:
        """Keep the rows for which a plain function says so, as one decorated with `djfast.filter` does."""
        from djfast.custom.functions import FunctionFilter, arguments_of

        arguments_of(function)
        return self.process(FunctionFilter(function=partial(function, **arguments) if arguments else function, over=over))

    def select_columns(self, *names: Any) -> Dataset:
        """Keep some fields of each row, in this order; a row that has none of them is rejected."""
        wanted = tuple(name for each in names for name in ([each] if isinstance(each, str) else each))
        from djfast.custom.functions import FunctionMapper

        return self._with([FunctionMapper(function=partial(selected, names=wanted))])

    def _with(self, ops: Sequence[Op], *, drops_rows: bool = True) -> Dataset:
        return self._of(self._source, (*self._ops, *flattened(ops)), drops_rows=drops_rows, threads=self._threads)

    # Rows out.

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows as dictionaries, while the OPs run; memory does not grow with the data."""
        computed = self._known(keeps_stats=False)
        pieces = pulled(self._run_without_stats) if computed is None else iter(computed.pieces)
        for piece in pieces:
            for row in _rows_in(piece, self._source):
                yield without_stats(row)

    def head(self, n: int = SHOWN_ROWS) -> list[Row]:
        """Return the first rows; OPs run on no more rows than that takes."""
        rows = iter(self)
        try:
            return list(islice(rows, n))
        finally:
            rows.close()  # type: ignore[attr-defined]

    def to_list(self, *, stats: bool = False) -> list[Row]:
        """Return the rows as dictionaries; with `stats`, each with its stats under ``__dj__stats__``."""
        rows = self._compute(keeps_stats=stats).rows()
        return list(rows) if stats else [without_stats(row) for row in rows]

    def to_arrow(self, *, stats: bool = False) -> pa.Table:
        """Return the rows as an Arrow table; a field that a row lacks is null there.

        Raises
        ------
        SchemaError
            If the values of a field have no type in common.
        """
        from djfast.io.plain_columns import with_narrow_dictionaries

        pieces, *_, columns = self._compute(keeps_stats=stats)
        if not pieces or (pieces[0].batch is None and pieces[0].columns is None):
            return table_of_rows(self.to_list(stats=stats))
        table = table_of(pieces)
        if not stats:
            table = table.drop_columns([name for name in (STATS, META) if name in table.column_names])
        return with_narrow_dictionaries(table, columns())

    def to_pandas(self, *, stats: bool = False) -> pd.DataFrame:
        """Return the rows as a data frame of pandas."""
        _require("pandas")
        table = self.to_arrow(stats=stats)
        try:
            return table.to_pandas()
        except TypeError:  # pandas cannot read what it said about the types of nested columns
            return table.to_pandas(ignore_metadata=True)

    def to_polars(self, *, stats: bool = False) -> pl.DataFrame:
        """Return the rows as a data frame of polars."""
        _require("polars")
        import polars

        made = polars.from_arrow(self.to_arrow(stats=stats))
        assert isinstance(made, polars.DataFrame)
        return made

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hand the rows to another package: ``polars.DataFrame(data)``, ``pyarrow.table(data)``, DuckDB's ``FROM data``."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    @property
    def columns(self) -> list[str]:
        """Names of the fields, in the order in which they first come."""
        computed = self._compute(keeps_stats=False)
        if computed.pieces and computed.pieces[0].batch is not None:
            return list(self.to_arrow().column_names)
        return list(dict.fromkeys(name for row in computed.rows() for name in without_stats(row)))

    def __len__(self) -> int:
        """Return the number of rows."""
        return sum(piece.row_count for piece in self._compute(keeps_stats=False).pieces)

    @overload
    def __getitem__(self, key: int) -> Row: ...
    @overload
    def __getitem__(self, key: str | slice) -> list[Any]: ...
    def __getitem__(self, key: int | str | slice) -> Any:
        """Return a row, the rows of a slice, or the values of a field; ``data["meta.lang"]`` reaches into nested fields.

        Raises
        ------
        KeyError
            If no row has the field. One that only some rows have is None in the others.
        """
        if not isinstance(key, str):
            return self.to_list()[key]
        is_stat = key.partition(".")[0] in (STATS, META)
        values = [lookup(row, key) for row in self._compute(keeps_stats=is_stat).rows()]
        if values and all(value is MISSING for value in values):
            from djfast.spelling import did_you_mean

            raise KeyError(f"no row has this field{did_you_mean(key, self.columns)}, got {key!r}")
        return [None if value is MISSING else value for value in values]

    def export(
        self, path: str | os.PathLike[str], *, keep_stats: bool = False, keep_hashes: bool = False, **arguments: Any
    ) -> Report:
        """Write the rows to a file or folder; stats of filters go to a file beside it.

        Parameters
        ----------
        path : path
            Or an address, such as ``s3://bucket/key.jsonl``. Its suffix names the format: ``.jsonl``, ``.json``, ``.csv``
            and ``.tsv``, also compressed, ``.parquet``, ``.arrow``, ``.feather``, ``.tar`` for WebDataset, ``.hf`` for
            ``datasets.load_from_disk``, ``.lance``.
        keep_stats, keep_hashes : bool
            Keep stats, and the hash columns of deduplicators, in the rows.
        **arguments
            Of the format's writer: ``compression``, ``field_mapping``.
        """
        target = os.fspath(path)
        try:
            kind = result_format_of(target)
        except RecipeError as error:
            raise RecipeError(f"the path {error}") from None
        output = Output(target, kind.name, arguments=kind.checked(arguments))
        self._refuse_own_input(output)
        if not is_remote(target):
            return self._written(output, keeps_stats=keep_stats, keeps_hashes=keep_hashes)
        address = Address(target)
        address.file_system()  # which may be missing
        with tempfile.TemporaryDirectory() as folder:
            local = output._replace(path=os.path.join(folder, os.path.basename(target)))
            report = self._written(local, keeps_stats=keep_stats, keeps_hashes=keep_hashes)
            replace_files(earlier_files(local.path, output.suffix), address, output.suffix)
        return report._replace(export_paths=(target,))

    def _written(self, output: Output, *, keeps_stats: bool, keeps_hashes: bool) -> Report:
        """Write the rows in place of an earlier result."""
        with Staging(output.path) as staging:
            report = self._write(ResultFile(output, staging), keeps_stats=keeps_stats, keeps_hashes=keeps_hashes)
            staging.commit(earlier_files(output.path, output.suffix))
            return report

    def _refuse_own_input(self, output: Output) -> None:
        """Refuse to write over a file that is read."""
        files = self._source.carrier(keeps_stats=False, keeps_hashes=False).files
        paths = [file.path for file in files]
        refuse_overlap(output.path, output.suffix, in_shards=False, places=paths, files=paths)

    # What a person sees.

    def __repr__(self) -> str:
        """Return what it is, its fields and its first rows."""
        return as_text(*self._shown())

    def _repr_html_(self) -> str:
        """Return the same as a table, for notebooks."""
        return as_html(*self._shown())

    def _shown(self) -> tuple[str, list[Row] | None, str]:
        computed = self._known(keeps_stats=False)
        count = "" if computed is None else f", {sum(piece.row_count for piece in computed.pieces):,} rows"
        title = f"Dataset of {self._source}{count}"
        if self._ops:
            title += f", processed by {', '.join(op.spec.name for op in self._ops)}"
        if computed is None and not self._is_cheap():
            return title, None, "head() and len() run its OPs"
        try:
            return title, self.head(), ""
        except DjfastError as error:
            return title, None, f"its rows cannot be computed: {error}"

    def _is_cheap(self) -> bool:
        """Tell whether the first rows can be shown without reading all, asking anybody, or using up a reader."""
        if getattr(self._source, "is_once", False) or any(op.acts_outside for op in self._ops):
            return False
        return not any(stage.waits for stage in self._plan().stages)

    # Running.

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what was computed: another process computes for itself."""
        return {**self.__dict__, "_computed": {}}

    def _known(self, *, keeps_stats: bool) -> Computed | None:
        return self._computed.get(keeps_stats) or (None if keeps_stats else self._computed.get(True))

    def _compute(self, *, keeps_stats: bool) -> Computed:
        """Run the OPs, unless they have run."""
        known = self._known(keeps_stats=keeps_stats)
        if known is None:
            result = RowList()
            report = self._run(result, keeps_stats=keeps_stats, keeps_hashes=False)
            known = self._computed[keeps_stats] = Computed(result.pieces, report, self._source, result.first_columns)
        return known

    def _write(self, result: Result, *, keeps_stats: bool, keeps_hashes: bool) -> Report:
        """Write the rows, computed ones if they are just those."""
        computed = None if keeps_hashes else self._computed.get(keeps_stats)
        if computed is None:
            return self._run(result, keeps_stats=keeps_stats, keeps_hashes=keeps_hashes)
        columns = columns_of(computed.pieces)
        unfit = RejectedRows(None, max_errors=None, is_fatal=self._is_fatal)
        try:
            result.expect(lambda: columns, as_lines=bool(computed.pieces) and computed.pieces[0].batch is None)
            for piece in computed.pieces:
                result.write(piece)
            reject_unfit(result, unfit)
            paths = result.finish()
        except BaseException:
            result.abandon()
            raise
        self.rejected = [*self.rejected, *(_as_given(bad, self._source) for bad in unfit.rows)]
        self.report = computed.report._replace(
            export_paths=tuple(paths),
            rows_written=computed.report.rows_written - unfit.count,
            rows_rejected=computed.report.rows_rejected + unfit.count,
        )
        return self.report

    def _run_without_stats(self, result: Result) -> Report:
        return self._run(result, keeps_stats=False, keeps_hashes=False)

    def _plan(self, *, keeps_hashes: bool = False) -> Plan:
        return optimized(build_plan(self._ops, keep_hashes=keeps_hashes, drops_rows=self._drops_rows))

    def _run(self, result: Result, *, keeps_stats: bool, keeps_hashes: bool) -> Report:
        plan = self._plan(keeps_hashes=keeps_hashes)
        rejected = RejectedRows(None, max_errors=None, is_fatal=self._is_fatal)
        rows = self._source.carrier(keeps_stats=keeps_stats, keeps_hashes=keeps_hashes)
        with holding(self._access(rows)):
            self.report = run_plan(
                plan,
                rows,
                result,
                threads=self._threads,
                rejected=rejected,
                progress=Progress(is_quiet=True),
                spool_folder=None,
            )
        is_as_lines = carried_for(plan, rows) is not rows
        self.rejected = [_as_given(bad, self._source) for bad in rejected.rows] if is_as_lines else rejected.rows
        return self.report

    def _access(self, rows: Any) -> Access:
        """Return which files rows may name: those beside their own, in the working folder, and what OPs save."""
        files = [file.path for file in rows.files if not is_remote(file.path)]
        return Access.of((), beside(files, [os.curdir, *(getattr(op, "save_dir", None) for op in self._ops)]))

    def _is_fatal(self, op: int) -> bool:
        return op >= 0 and self._ops[op].skip_op_error is False


def rows_of_one(op: Op, row: Mapping[str, Any], *, drops_rows: bool = True, keeps_hashes: bool = False) -> list[Row]:
    """Run an OP on one row alone, and return what becomes of it, with its stats, and with its hashes if they are to be kept.

    Raises
    ------
    SchemaError
        If it is no row.
    RowError
        If it is rejected.
    """
    data = Dataset.from_list([row])._with([op], drops_rows=drops_rows)
    result = RowList()
    data._run(result, keeps_stats=True, keeps_hashes=keeps_hashes)
    rows = [each for piece in result.pieces for each in _rows_in(piece, data._source)]
    if data.rejected:
        raise RowError(f"{op.spec.name}: {data.rejected[0].reason}")
    return rows


def selected(row: Row, names: Sequence[str]) -> Row:
    """Return a row with some of its fields.

    Raises
    ------
    KeyError
        If it has none of them.
    """
    kept = {name: value for name in names if (value := lookup(row, name)) is not MISSING}
    if names and not kept:
        raise KeyError(f"the row has none of the fields {', '.join(names)}")
    return kept


def _dataset_of(data: Any, threads: int | None) -> Dataset:
    """Return a data set of whatever rows come as."""
    if isinstance(data, Dataset):
        return data
    if isinstance(data, str | os.PathLike):
        return Dataset.from_files(data, threads=threads)
    if is_frame(data):
        return Dataset.from_arrow(data, threads=threads)
    return Dataset.from_list(data, threads=threads or 1)


def _checked_rows(rows: Any) -> Sequence[Mapping[str, Any]]:
    if is_frame(rows):
        raise SchemaError(f"rows must be dictionaries; Dataset.from_arrow takes tables, got {spoken_type(rows)}")
    if isinstance(rows, str | bytes | Mapping) or not hasattr(rows, "__iter__"):
        raise SchemaError(f"rows must be a list of dictionaries, got {spoken_type(rows)}")
    listed: Sequence[Mapping[str, Any]] = rows if isinstance(rows, Sequence) else list(rows)
    for number, row in enumerate(listed):
        if not isinstance(row, Mapping):
            raise SchemaError(f"row {number} must be a dictionary, got {spoken_type(row)}")
    return listed


def _rows_in(piece: Any, source: Source) -> list[Row]:
    """Return the rows of a piece as dictionaries."""
    rows: list[Row] = piece.to_rows()
    if isinstance(source, ListSource) and isinstance(piece.numbers, bytes):  # the rows were carried as lines
        return restored(rows, piece.numbers, source.rows)
    return rows


def _require(package: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise MissingExtraError(f"not installed: {package}; pip install {package}")


def _files(path: str | os.PathLike[str] | Sequence[str], *, family: str | None = None) -> list[InputFile]:
    """Find files, only those of one family of formats if it is given."""
    from djfast.io.read.files import discover
    from djfast.io.read.formats import INPUT_FORMATS, suffixes_of

    paths = [os.fspath(path)] if isinstance(path, str | os.PathLike) else [os.fspath(p) for p in path]
    files = [file for each in paths for file in discover(each, suffixes_of(family) if family else [])]
    for file in files:
        if family is not None and INPUT_FORMATS[file.format].family != family:
            raise InputError(f"the files must be {family}, Dataset.from_files reads any format, got {file.path!r}")
    return files


def _checked_limit(limit: int | None) -> int | None:
    """Return how many rows are read, which a recipe's key of this name says, too.

    Raises
    ------
    RecipeError
    """
    from djfast.recipe.keys import KEYS

    return None if limit is None else int(KEYS["limit"].check(limit))


def _as_given(bad: Rejected, source: Source) -> Rejected:
    """Return a rejected row that was carried as a line as the dictionary it was."""
    if not isinstance(bad.row, bytes):
        return bad
    row: Any
    if isinstance(source, ListSource) and bad.op_index == READING:
        row = source.rows[bad.line - 1]
    else:
        try:
            row = parsed(bad.row)
        except (ValueError, RecursionError):  # it holds a text that is not valid UTF-8
            row = bad.row
    return bad._replace(row=row, file=bad.file or None)
