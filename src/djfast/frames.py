"""Tables of other packages as rows: pyarrow, polars, pandas, datasets, DuckDB, and readers that stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from djfast.errors import SchemaError
from djfast.io.read.arrow_entry import reader_of_capsules
from djfast.records import NamedTuple
from djfast.rows.list_rows import ListRows
from djfast.type_names import type_name

if TYPE_CHECKING:
    import pyarrow as pa

    from djfast.io.read.formats import InputFile

BATCH_BYTES = 1 << 20
_BATCH_ROWS = 4096

_DATASETS = ("datasets.Dataset", "datasets.IterableDataset")
_SPLITS = ("datasets.DatasetDict", "datasets.IterableDatasetDict")
_COLUMNS = (".Series", "Array", ".Column")  # what names of types of single columns end in


class ListSource(NamedTuple):
    """Rows of a Python list."""

    rows: Sequence[Mapping[str, Any]]

    def carrier(self, **kept: bool) -> Any:
        """Return what carries the rows."""
        return ListRows(self.rows, **kept)

    def __str__(self) -> str:
        return "a list"


class FileSource(NamedTuple):
    """Rows of files, the first ones where there is a `limit`."""

    files: Sequence[InputFile]
    texts: tuple[str, ...] = ("text",)
    limit: int | None = None

    def carrier(self, **kept: bool) -> Any:
        """Return what carries the rows."""
        from djfast.runners.first_rows import FirstRows, first_files
        from djfast.runners.inputs import carrier_of

        def carrier(files: Sequence[InputFile]) -> Any:
            return carrier_of(files, batch_bytes=BATCH_BYTES, texts=self.texts, **kept)

        if self.limit is None:
            return carrier(self.files)
        return FirstRows(carrier(first_files(carrier(self.files), self.files, self.limit)), self.limit)

    def __str__(self) -> str:
        more = f" and {len(self.files) - 1} more files" if len(self.files) > 1 else ""
        return f"{self.files[0].path}{more}" if self.files else "no files"


class FrameSource:
    """Rows of a table, or of an object that gives Arrow batches, read batch by batch whenever they are asked for.

    Parameters
    ----------
    data
        What `frame_source` takes. A reader gives its batches once.
    """

    def __init__(self, data: Any) -> None:
        self.data = data
        self._is_read = False

    @property
    def is_once(self) -> bool:
        """Whether the rows can be read only once."""
        return hasattr(self.data, "read_next_batch")

    def carrier(self, **kept: bool) -> Any:
        """Return what carries the rows.

        Raises
        ------
        SchemaError
            If it is a reader that has been read already.
        """
        from djfast.rows.arrow_rows import TableRows

        if self._is_read:
            raise SchemaError("the rows of a reader can be read once, and they have been; read them into a table first")
        self._is_read = self.is_once
        return TableRows(_Batches(_reader(self.data)), **kept)

    def __str__(self) -> str:
        return type_name(self.data)


class _Batches:
    """As much of a table as a carrier of rows needs, without having all rows in memory."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader = reader
        self.schema = reader.schema

    def to_batches(self, *, max_chunksize: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches of at most so many."""
        for batch in self._read():
            for start in range(0, batch.num_rows, max_chunksize):
                yield batch.slice(start, max_chunksize)

    def _read(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        try:
            yield from self._reader
        except pa.ArrowException as error:
            raise SchemaError(f"the data cannot be read: {error}") from error


def frame_source(data: Any) -> FrameSource:
    """Return the rows of a table of pyarrow, polars, pandas, datasets or DuckDB, or of a reader.

    Raises
    ------
    SchemaError
        If it is none, or not read yet, as lazy frames of polars are.
    """
    name = type_name(data)
    if name == "polars.LazyFrame":
        raise SchemaError("a lazy frame has no rows yet; call its collect() first, got polars.LazyFrame")
    if name in _SPLITS:
        raise SchemaError(f"choose one of its splits, such as data['train'], got {name}")
    if not is_frame(data) or name.endswith(_COLUMNS):
        raise SchemaError(
            "data must be a table of pyarrow, polars, pandas, datasets or DuckDB, or another object with columns and "
            f"__arrow_c_stream__ or __arrow_c_array__, got {name}"
        )
    return FrameSource(_of_pandas(data) if name == "pandas.DataFrame" else data)  # which may be changed later


def whole_table(data: Any) -> pa.Table:
    """Return the rows of what `frame_source` takes as a table.

    Raises
    ------
    SchemaError
        If it is no table, or cannot be read.
    """
    import pyarrow as pa

    try:
        return _reader(frame_source(data).data).read_all()
    except pa.ArrowException as error:
        raise SchemaError(f"the data cannot be read: {error}") from error


def is_frame(data: Any) -> bool:
    """Tell whether this is a table of another package, or is meant as one."""
    is_arrow = hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__")
    return is_arrow or type_name(data) in ("polars.LazyFrame", *_DATASETS, *_SPLITS)


def _of_pandas(data: Any) -> pa.Table:
    """Return a data frame as a table, with its index as columns if that has names."""
    import pyarrow as pa

    has_names = any(name is not None for name in data.index.names)
    try:
        return pa.Table.from_pandas(data, preserve_index=has_names)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise SchemaError(f"the data frame cannot be read as a table: {error}") from error


def _batches_of_dataset(data: Any) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a data set of the package `datasets`, all with the columns of the first ones.

    Raises
    ------
    SchemaError
        If that cannot be: the package guesses types for each row of some streaming data sets, and fails on a null.
    """
    import pyarrow as pa

    from djfast.io.plain_columns import fitted

    schema = None
    try:
        for table in data.with_format("arrow").iter(batch_size=_BATCH_ROWS):
            for batch in table.to_batches():
                schema = batch.schema if schema is None else schema
                yield fitted(batch, schema)
    except pa.ArrowException as error:
        said = " ".join(str(error).split())
        raise SchemaError(f"the rows of the data set cannot be read as a table ({said}); use Dataset(list(data))") from error


def _reader(data: Any) -> pa.RecordBatchReader:
    """Return what reads the record batches of a table."""
    import pyarrow as pa

    if isinstance(data, pa.Table):
        return data.to_reader()
    if type_name(data) in _DATASETS:
        batches = _batches_of_dataset(data)
        first = next(batches, None)
        if first is None:
            return pa.RecordBatchReader.from_batches(data.features.arrow_schema if data.features else pa.schema([]), [])
        return pa.RecordBatchReader.from_batches(first.schema, chain([first], batches))
    return reader_of_capsules(data)
