"""Rows and OPs from Python: ``Dataset.from_jsonl(path).process(op).export(path)``."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from djfast.access import Access, beside, holding
from djfast.catalog import flattened, load_ops
from djfast.declare import Op
from djfast.errors import InputError, RecipeError, SchemaError
from djfast.formats import format_of
from djfast.io.line_rows import carried_for
from djfast.io.list_rows import ListRows, without_stats
from djfast.io.results import Output, Result, ResultFile, RowList, stats_path
from djfast.io.upload import Address, upload
from djfast.json_bytes import parsed
from djfast.plan.build import build_plan
from djfast.plan.rules.order_filters import order_filters
from djfast.recipe.outputs import is_remote
from djfast.runners.local import run_plan
from djfast.runners.progress import Progress
from djfast.runners.rejected import Rejected, RejectedRows
from djfast.runners.report import Report

if TYPE_CHECKING:
    import pyarrow as pa

    from djfast.io.formats import InputFile

DEFAULT_BATCH_BYTES = 1 << 20


class Dataset:
    """Rows and the OPs to run on them. Immutable: every method returns a new data set; OPs run when rows are asked for.

    Attributes
    ----------
    rejected : list of Rejected
        Rows that could not be processed when this data set was last computed, with OP and reason.
    report : Report or None
        What the last computation did.
    """

    def __init__(
        self,
        source: Callable[..., Any],
        ops: tuple[Op, ...] = (),
        *,
        drops_rows: bool = True,
        threads: int | None = None,
    ) -> None:
        self._source = source
        self._ops = ops
        self._drops_rows = drops_rows
        self._threads = threads or os.cpu_count() or 1
        self.rejected: list[Rejected] = []
        self.report: Report | None = None

    @classmethod
    def from_list(cls, rows: Sequence[Mapping[str, Any]], *, threads: int = 1) -> Dataset:
        """Rows as dictionaries. They are not changed; values that no OP touches come out as the same objects."""
        return cls(lambda **kept: ListRows(rows, **kept), threads=threads)

    @classmethod
    def from_jsonl(cls, path: str | os.PathLike[str] | Sequence[str], *, threads: int | None = None) -> Dataset:
        """Rows of JSON Lines files: a file, a folder, a glob, or several of them; also ``.gz`` and ``.zst``."""
        from djfast.io.json_rows import JsonRows

        files = _files(path, family="json")
        return cls(lambda **kept: JsonRows(files, batch_bytes=DEFAULT_BATCH_BYTES, **kept), threads=threads)

    @classmethod
    def from_parquet(cls, path: str | os.PathLike[str] | Sequence[str], *, threads: int | None = None) -> Dataset:
        """Rows of Parquet files: a file, a folder, a glob, or several of them."""
        from djfast.io.arrow_rows import FileRows

        files = _files(path, family="parquet")
        return cls(lambda **kept: FileRows(files, batch_bytes=DEFAULT_BATCH_BYTES, **kept), threads=threads)

    @classmethod
    def from_files(
        cls,
        path: str | os.PathLike[str] | Sequence[str],
        *,
        texts: Sequence[str] = ("text",),
        threads: int | None = None,
    ) -> Dataset:
        """Rows of files of any format that can be read: a file, a folder, a glob, an address, or several of them.

        Parameters
        ----------
        texts : sequence of str
            Columns that hold texts where a format does not say so, as CSV does not.
        """
        from djfast.runners.inputs import carrier_of

        files = _files(path)
        return cls(
            lambda **kept: carrier_of(files, batch_bytes=DEFAULT_BATCH_BYTES, texts=tuple(texts), **kept), threads=threads
        )

    @classmethod
    def from_arrow(cls, data: Any, *, threads: int | None = None) -> Dataset:
        """Rows of anything with ``__arrow_c_stream__`` or ``__arrow_c_array__``: pyarrow, polars, pandas, datasets."""
        import pyarrow as pa

        from djfast.io.arrow_rows import TableRows

        if not hasattr(data, "__arrow_c_stream__") and not hasattr(data, "__arrow_c_array__"):
            raise SchemaError(f"data must have __arrow_c_stream__ or __arrow_c_array__, got {type(data).__name__}")
        table = data if isinstance(data, pa.Table) else pa.table(data)
        return cls(lambda **kept: TableRows(table, **kept), threads=threads)

    def process(self, *ops: Any) -> Dataset:
        """Run one OP or several, in order; each is what `load_ops` takes."""
        if not self._drops_rows:
            raise RecipeError("process cannot follow compute_stats, which drops no row; call process first")
        return Dataset(self._source, (*self._ops, *flattened(load_ops(*ops))), threads=self._threads)

    def compute_stats(self, *ops: Any) -> Dataset:
        """Compute the stats of filters for every row and drop none."""
        return Dataset(self._source, (*self._ops, *flattened(load_ops(*ops))), drops_rows=False, threads=self._threads)

    def to_list(self, *, stats: bool = False) -> list[dict[str, Any]]:
        """Return the rows as dictionaries; with `stats`, each with its stats under ``__dj__stats__``."""
        rows = [row for piece in self._pieces(keeps_stats=stats) for row in piece.to_rows()]
        return rows if stats else [without_stats(row) for row in rows]

    def to_arrow(self, *, stats: bool = False) -> pa.Table:
        """Return the rows as an Arrow table; fields that are null in all rows get the null type."""
        import pyarrow as pa

        pieces = self._pieces(keeps_stats=stats)
        if pieces and hasattr(pieces[0], "batch"):
            return pa.Table.from_batches([piece.batch for piece in pieces])
        rows = [row for piece in pieces for row in piece.to_rows()]
        return pa.Table.from_pylist(rows if stats else [without_stats(row) for row in rows])

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
            kind = format_of(target)
        except RecipeError as error:
            raise RecipeError(f"the path {error}") from None
        output = Output(target, kind.name, arguments=kind.checked(arguments))
        if not is_remote(target):
            return self._run(ResultFile(output), keeps_stats=keep_stats, keeps_hashes=keep_hashes)
        address = Address(target)
        address.file_system()  # which may be missing
        with tempfile.TemporaryDirectory() as folder:
            local = output._replace(path=os.path.join(folder, os.path.basename(target)))
            report = self._run(ResultFile(local), keeps_stats=keep_stats, keeps_hashes=keep_hashes)
            stats = stats_path(local.path)
            upload([*report.export_paths, *([stats] if os.path.exists(stats) else [])], address)
        return report._replace(export_paths=(target,))

    def __len__(self) -> int:
        """Return the number of rows."""
        self._pieces(keeps_stats=False)
        assert self.report is not None
        return self.report.rows_written

    def _pieces(self, *, keeps_stats: bool) -> list[Any]:
        result = RowList()
        self._run(result, keeps_stats=keeps_stats, keeps_hashes=False)
        return result.pieces

    def _run(self, result: Result, *, keeps_stats: bool, keeps_hashes: bool) -> Report:
        plan = order_filters(build_plan(self._ops, keep_hashes=keeps_hashes, drops_rows=self._drops_rows))
        rejected = RejectedRows(None, max_errors=None, is_fatal=self._is_fatal)
        rows = self._source(keeps_stats=keeps_stats, keeps_hashes=keeps_hashes)
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
        self.rejected = [_as_given(bad) for bad in rejected.rows] if carried_for(plan, rows) is not rows else rejected.rows
        return self.report

    def _access(self, rows: Any) -> Access:
        """Return which files rows may name: those beside their own, in the working folder, and what OPs save."""
        files = [file.path for file in getattr(rows, "files", ()) if not is_remote(file.path)]
        return Access.of((), beside(files, [os.curdir, *(getattr(op, "save_dir", None) for op in self._ops)]))

    def _is_fatal(self, op: int) -> bool:
        return op >= 0 and self._ops[op].skip_op_error is False


def _files(path: str | os.PathLike[str] | Sequence[str], *, family: str | None = None) -> list[InputFile]:
    """Find files, only those of one family of formats if it is given."""
    from djfast.io.files import discover
    from djfast.io.formats import FORMATS, suffixes_of

    paths = [os.fspath(path)] if isinstance(path, str | os.PathLike) else [os.fspath(p) for p in path]
    files = [file for each in paths for file in discover(each, suffixes_of(family) if family else [])]
    for file in files:
        if family is not None and FORMATS[file.format].family != family:
            raise InputError(f"the files must be {family}, Dataset.from_files reads any format, got {file.path!r}")
    return files


def _as_given(bad: Rejected) -> Rejected:
    """Return a rejected row that was carried as a line as the dictionary it was."""
    return bad._replace(row=parsed(bad.row), file=bad.file or None) if isinstance(bad.row, bytes) else bad

