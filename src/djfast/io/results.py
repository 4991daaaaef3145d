"""Where result rows go: JSONL, JSON and Parquet files, in one piece or in shards, or a Python list.

Files are written under a temporary name and renamed when they are complete: a reader never sees half a result.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import IO, Any, Protocol

from djfast.errors import InputError
from djfast.io.compression import compress_file, compression_of

# Of a Parquet file.
_UNIT_ROWS = 256
_GROUP_BYTES = 64 << 20


class Piece(Protocol):
    """Result rows as a carrier hands them over."""

    row_count: int
    side: bytes

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries."""
        ...


class Result(Protocol):
    """Takes result rows in order."""

    def write(self, piece: Any) -> None:
        """Take the next rows."""
        ...

    def finish(self) -> list[str]:
        """Make the result visible and return its paths."""
        ...

    def abandon(self) -> None:
        """Leave nothing behind."""
        ...


class RowList:
    """Result rows in memory, as the carrier's pieces."""

    def __init__(self) -> None:
        self.pieces: list[Any] = []

    def write(self, piece: Any) -> None:
        """Take the next rows."""
        self.pieces.append(piece)

    def finish(self) -> list[str]:
        """Return no paths."""
        return []

    def abandon(self) -> None:
        """Forget the rows."""
        self.pieces.clear()


class ResultFile:
    """A result file and its stats file.

    Parameters
    ----------
    path : str
        The result; shards get names derived from it.
    kind : {"jsonl", "json", "parquet"}
    shard_bytes : int
        Cut the result into ``floor(bytes / shard_bytes) + 1`` shards of nearly equal row counts; 0 is one file.
    """

    def __init__(self, path: str, kind: str, *, shard_bytes: int = 0) -> None:
        self.path = path
        self.kind = kind
        self.shard_bytes = shard_bytes
        self._temporary = f"{path}.tmp-{os.getpid()}"
        self._side_path = stats_path(path)
        self._side: IO[bytes] | None = None
        self._writer: _LineWriter | _ParquetWriter | None = None
        Path(path).parent.mkdir(parents=True, exist_ok=True)

    def write(self, piece: Any) -> None:
        """Take the next rows."""
        if self._writer is None:
            self._writer = self._open(piece)
        self._writer.write(piece)
        if piece.side:
            if self._side is None:
                self._side = open(f"{self._side_path}.tmp-{os.getpid()}", "wb")  # noqa: SIM115 - closed in finish
            self._side.write(piece.side)

    def _open(self, piece: Any) -> _LineWriter | _ParquetWriter:
        if self.kind == "parquet" and hasattr(piece, "batch"):
            return _ParquetWriter(self._temporary, piece.batch.schema)
        return _LineWriter(self._temporary)

    def finish(self) -> list[str]:
        """Close, cut into shards if asked, and rename."""
        writer = self._writer or _LineWriter(self._temporary)
        writer.close()
        is_lines = isinstance(writer, _LineWriter)
        shards = shard_rows(writer.rows, writer.bytes, self.shard_bytes)
        if is_lines and self.kind == "parquet":
            _lines_to_parquet(self._temporary, f"{self._temporary}.parquet")
            os.replace(f"{self._temporary}.parquet", self._temporary)
        paths = [self.path]
        if len(shards) > 1:
            paths = shard_paths(self.path, self.kind + (compression_of(self.path) or ""), len(shards))
            (_cut_parquet if self.kind == "parquet" else _cut_lines)(self._temporary, paths, shards, self.kind)
            os.unlink(self._temporary)
            write_manifest(self.path, [file_record(path, path, rows) for path, rows in zip(paths, shards)])
        else:
            if self.kind == "json":
                _lines_to_array(self._temporary)
            _publish(self._temporary, self.path)
        if self._side is not None:
            self._side.close()
            os.replace(self._side.name, self._side_path)
        return paths

    def abandon(self) -> None:
        """Remove what was written so far."""
        if self._writer is not None:
            self._writer.abandon()
        if self._side is not None:
            self._side.close()
        for path in (self._temporary, f"{self._temporary}.parquet", f"{self._side_path}.tmp-{os.getpid()}"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _publish(temporary: str, path: str) -> None:
    """Give a complete file its name, compressed if the name says so."""
    if compression_of(path):
        packed = f"{temporary}{compression_of(path)}"
        compress_file(temporary, packed)
        os.unlink(temporary)
        temporary = packed
    os.replace(temporary, path)


def stem(path: str) -> str:
    """Return a result's path without its suffixes."""
    compression = compression_of(path)
    return os.path.splitext(path[: -len(compression)] if compression else path)[0]


def stats_path(path: str) -> str:
    """Name of the stats file beside a result."""
    return f"{stem(path)}_stats.jsonl"


def rejected_path(path: str) -> str:
    """Name of the rejected rows beside a result."""
    return f"{stem(path)}.rejected.jsonl"


def shard_paths(path: str, suffix: str, count: int) -> list[str]:
    """Names of shards: ``<base>-<i>-of-<n>.<suffix>``, zero-padded to one digit more than the count has."""
    folder, name = os.path.split(path)
    base = name.split(".", 1)[0]
    width = len(str(count)) + 1
    return [os.path.join(folder, f"{base}-{i:0{width}d}-of-{count:0{width}d}.{suffix}") for i in range(count)]


def shard_rows(rows: int, size: int, shard_bytes: int) -> list[int]:
    """Row counts of the shards of a result of so many rows and bytes."""
    if not shard_bytes:
        return [rows]
    count = max(1, min(rows, size // shard_bytes + 1))
    base, extra = divmod(rows, count)
    return [base + (i < extra) for i in range(count)]


def file_record(path: str, name: str, rows: int) -> dict[str, Any]:
    """Return the manifest's record of a file that lies at `path` and will be called `name`."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256") if hasattr(hashlib, "file_digest") else _sha256(file)
    return {"file": os.path.basename(name), "rows": rows, "bytes": os.path.getsize(path), "sha256": digest.hexdigest()}


def _sha256(file: IO[bytes]) -> Any:
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest


def manifest_path(path: str) -> str:
    """Name of the manifest beside a sharded result."""
    return f"{stem(path)}.manifest.json"


def write_manifest(path: str, records: list[dict[str, Any]]) -> None:
    """Write the manifest of a sharded result: files in order, their rows, bytes and checksums."""
    target = manifest_path(path)
    temporary = f"{target}.tmp-{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump({"rows": sum(record["rows"] for record in records), "files": records}, file, indent=1)
        file.write("\n")
    os.replace(temporary, target)


class _LineWriter:
    """Rows as JSON lines."""

    def __init__(self, path: str) -> None:
        self.rows = 0
        self.bytes = 0
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - closed by its owner

    def write(self, piece: Any) -> None:
        lines = getattr(piece, "lines", None)
        if lines is None:
            lines = b"".join(
                json.dumps(row, ensure_ascii=False, default=_json_value).encode("utf-8", "backslashreplace") + b"\n"
                for row in piece.to_rows()
            )
        self.rows += piece.row_count
        self.bytes += len(lines)
        view = memoryview(lines)
        while view:
            view = view[self._file.write(view) :]

    def close(self) -> None:
        self._file.close()

    def abandon(self) -> None:
        self._file.close()


def _json_value(value: Any) -> Any:
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


class _ParquetWriter:
    """Record batches as Parquet.

    Row groups end after a whole number of units, a unit being so many rows, where the units' sizes reach a limit: where
    batches end leaves no trace in the file.
    """

    def __init__(self, path: str, schema: Any) -> None:
        import pyarrow.parquet as pq

        self.rows = 0
        self.bytes = 0
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._loose: list[Any] = []  # batches that do not fill a unit yet
        self._loose_rows = 0
        self._units: list[Any] = []
        self._units_bytes = 0

    def write(self, piece: Any) -> None:
        if not piece.batch.schema.equals(self._schema):
            raise InputError(
                f"the input files have different columns, which do not fit one Parquet file; export jsonl instead. The first "
                f"rows have {_shown(self._schema)}, others {_shown(piece.batch.schema)}"
            )
        self.rows += piece.batch.num_rows
        self._loose.append(piece.batch)
        self._loose_rows += piece.batch.num_rows
        if self._loose_rows >= _UNIT_ROWS:
            self._take_units()

    def _take_units(self, *, rest: bool = False) -> None:
        """Cut loose rows into units."""
        import pyarrow as pa

        table = pa.Table.from_batches(self._loose, self._schema).combine_chunks()
        whole = self._loose_rows if rest else self._loose_rows // _UNIT_ROWS * _UNIT_ROWS
        for first in range(0, whole, _UNIT_ROWS):
            # Rows that are taken, and not cut out, have forgotten what they were part of; and the size of a message, unlike
            # `nbytes`, leaves out bits for nulls where there are none. So both depend on nothing but the rows.
            unit = table.take(pa.array(range(first, min(first + _UNIT_ROWS, whole)), pa.int64()))
            self._units_bytes += sum(map(pa.ipc.get_record_batch_size, unit.to_batches()))
            self._units.append(unit)
            if self._units_bytes >= _GROUP_BYTES:
                self._write_group()
        self._loose = table.slice(whole).to_batches()
        self._loose_rows -= whole

    def _write_group(self) -> None:
        import pyarrow as pa

        group = pa.concat_tables(self._units).combine_chunks()
        for number, field in enumerate(group.schema):
            if pa.types.is_dictionary(field.type):  # its order, and what no row uses, come from the batches
                values = group.column(number).cast(field.type.value_type)
                group = group.set_column(number, field, values.combine_chunks().dictionary_encode().cast(field.type))
        self._writer.write_table(group, row_group_size=max(1, group.num_rows))
        self.bytes += self._units_bytes
        self._units, self._units_bytes = [], 0

    def close(self) -> None:
        if self._loose_rows:
            self._take_units(rest=True)
        if self._units:
            self._write_group()
        self._writer.close()

    def abandon(self) -> None:
        self._writer.close()


def _shown(schema: Any) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)


def _cut_lines(path: str, paths: list[str], shards: list[int], kind: str) -> None:
    with open(path, "rb") as source:
        for shard_path, count in zip(paths, shards):
            temporary = f"{shard_path}.tmp-{os.getpid()}"
            with open(temporary, "wb") as shard:
                for _ in range(count):
                    shard.write(source.readline())
            if kind == "json":
                _lines_to_array(temporary)
            _publish(temporary, shard_path)


def _lines_to_array(path: str) -> None:
    """Turn lines into one JSON array, a row a line."""
    with open(path, "rb") as source, open(f"{path}.array", "wb") as target:
        target.write(b"[")
        separator = b"\n"
        for line in source:
            target.write(separator + line.rstrip(b"\n"))
            separator = b",\n"
        target.write(b"\n]\n")
    os.replace(f"{path}.array", path)


def _cut_parquet(path: str, paths: list[str], shards: list[int], kind: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as source:
        batches = source.iter_batches()
        rest: Any = None
        for shard_path, count in zip(paths, shards):
            temporary = f"{shard_path}.tmp-{os.getpid()}"
            with pq.ParquetWriter(temporary, source.schema_arrow, compression="zstd") as shard:
                while count:
                    batch = rest if rest is not None and rest.num_rows else next(batches)
                    part, rest = batch.slice(0, count), batch.slice(count)
                    shard.write_table(pa.Table.from_batches([part], schema=source.schema_arrow))
                    count -= part.num_rows
            os.replace(temporary, shard_path)


def _lines_to_parquet(path: str, target: str) -> None:
    """Give JSON rows one Arrow schema: a first pass widens the types of all blocks, a second one writes.

    Raises
    ------
    InputError
        If a field has types in different rows that no Arrow type holds.
    """
    import pyarrow as pa
    import pyarrow.json
    import pyarrow.parquet as pq

    if os.path.getsize(path) == 0:
        pq.write_table(pa.table({}), target)
        return
    options = pyarrow.json.ReadOptions(block_size=8 << 20)
    schema: Any = None
    try:
        for table in _line_tables(path, options, None):
            schema = table.schema if schema is None else pa.unify_schemas([schema, table.schema], promote_options="permissive")
        parse = pyarrow.json.ParseOptions(explicit_schema=schema)
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for table in _line_tables(path, options, parse):
                writer.write_table(table.select(schema.names).cast(schema))
    except pa.ArrowException as error:
        raise InputError(f"the rows do not fit one Parquet schema ({error}); export jsonl instead") from error


def _line_tables(path: str, options: Any, parse: Any) -> Any:
    """Parse blocks of whole lines, each on its own, so that every block may have its own types."""
    import pyarrow as pa
    import pyarrow.json

    with open(path, "rb") as source:
        while lines := source.readlines(8 << 20):
            block = b"".join(lines)
            sized = pyarrow.json.ReadOptions(block_size=max(options.block_size, len(block) + 1), use_threads=False)
            yield pyarrow.json.read_json(pa.BufferReader(block), read_options=sized, parse_options=parse)
