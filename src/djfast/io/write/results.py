"""Where result rows go: files in one piece or in shards, or a Python list.

Files are written under temporary names; whoever runs gives them their own when all of them are complete.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Container, Iterator, Mapping
from types import MappingProxyType
from typing import IO, Any, Protocol

from djfast.errors import OutputError
from djfast.io.compression import compress_file, compression_of
from djfast.io.durable import writing
from djfast.io.result_names import manifest_path, shard_paths, side_paths, stats_path
from djfast.io.write.collected import GROUP_BYTES, Collected, CollectedLines, CollectedTables, ResultRows, TableSink, Unfit
from djfast.io.write.commit import Staging, place_of
from djfast.io.write.formats import RESULT_FORMATS, ResultFormat
from djfast.records import NamedTuple
from djfast.reserved import STDOUT

_LONGEST_PATH = 4095  # bytes, of Linux
_SHOWN = 60  # code points at each end of a long path


class Result(Protocol):
    """Takes result rows in order."""

    @property
    def names_rows(self) -> bool:
        """Whether pieces must say where their rows came from."""
        ...

    def write(self, piece: ResultRows) -> None:
        """Take the next rows."""
        ...

    def expect(self, columns: Callable[[], Any], *, as_lines: bool) -> None:
        """Take what returns the Arrow schema that the rows had where they came from, None if they had none.

        `as_lines` says that they come as lines of JSON all the same.
        """
        ...

    def settle(self) -> Iterator[Unfit]:
        """Take no more rows, and yield those that the result has no place for."""
        ...

    def finish(self) -> list[str]:
        """Take no more rows, and return the paths of the result."""
        ...

    def abandon(self) -> None:
        """Leave nothing behind."""
        ...


class RowList:
    """Result rows in memory, as the carrier's pieces."""

    names_rows = True

    def __init__(self) -> None:
        self.pieces: list[Any] = []
        self.columns: Any = None
        self.first_columns: Callable[[], Any] = lambda: None

    def expect(self, columns: Callable[[], Any], *, as_lines: bool) -> None:
        """Keep what returns the schema that rows had where they came from; for rows that come as lines, keep that."""
        self.first_columns = columns
        self.columns = columns() if as_lines else None

    def tell(self, piece: Any) -> None:
        """Tell a piece of lines the columns that its rows had."""
        if self.columns is not None:
            piece.columns = self.columns

    def settle(self) -> Iterator[Unfit]:
        """Yield nothing: a list has a place for everything."""
        return iter(())

    def write(self, piece: ResultRows) -> None:
        """Take the next rows."""
        self.tell(piece)
        self.pieces.append(piece)

    def finish(self) -> list[str]:
        """Return no paths."""
        return []

    def abandon(self) -> None:
        """Forget the rows."""
        self.pieces.clear()


class Output(NamedTuple):
    """Where a result goes, and how it is written.

    Attributes
    ----------
    path : str
        The result; shards get names derived from it.
    kind : str
        Name of its format.
    shard_bytes : int
        Cut the result into ``floor(bytes / shard_bytes) + 1`` shards of nearly equal row counts; 0 does not.
    shard_rows : int or None
        Cut the result into shards of so many rows; None does not.
    arguments : mapping
        Of the format's writer.
    group_bytes : int
        Bytes of rows that are written to a table at once.
    """

    path: str
    kind: str
    shard_bytes: int = 0
    shard_rows: int | None = None
    arguments: Mapping[str, Any] = MappingProxyType({})
    group_bytes: int = GROUP_BYTES

    @property
    def format(self) -> ResultFormat:
        """The format."""
        return RESULT_FORMATS[self.kind]

    @property
    def is_lines(self) -> bool:
        """Whether the result is uncompressed lines, each of which can be written on its own."""
        return self.kind == "jsonl" and compression_of(self.path) is None

    @property
    def suffix(self) -> str:
        """What is behind the point in the names of shards."""
        packed = compression_of(self.path) if self.format.is_compressible else None
        return self.format.suffix + (packed or "")

    def files(self, count: int) -> list[str] | None:
        """Return the names of so many shards; None where the result is one file of its own name.

        A single shard has a shard's name where a size was asked for, as Data-Juicer has it.
        """
        return shard_paths(self.path, self.suffix, count) if count > 1 or self.shard_bytes else None

    def shards(self, rows: int, size: int) -> list[int]:
        """Row counts of the shards of a result of so many rows and bytes."""
        if self.shard_rows is not None:
            whole, rest = divmod(rows, self.shard_rows)
            return [self.shard_rows] * whole + [rest] * bool(rest or not whole)
        if not self.shard_bytes:
            return [rows]
        count = max(1, min(rows, size // self.shard_bytes + 1))
        base, extra = divmod(rows, count)
        return [base + (i < extra) for i in range(count)]


class ResultFile:
    """A result, its stats file, and its manifest if it is cut into shards; under temporary names until they are committed.

    Raises
    ------
    OutputError
        If something else than a result is in its place.
    """

    def __init__(self, output: Output, staging: Staging) -> None:
        self.output = output
        self.path = output.path
        self._staging = staging
        self._side_path = stats_path(self.path)
        self._side: IO[bytes] | None = None
        self._rows: CollectedLines | CollectedTables | None = None
        self._is_whole = False  # what is collected is the result itself
        self._columns: Callable[[], Any] = lambda: None
        check_place(output)

    @property
    def names_rows(self) -> bool:
        """Whether pieces must say where their rows came from: there may be rows that the result has no place for."""
        return self.output.kind not in ("jsonl", "json")

    def expect(self, columns: Callable[[], Any], *, as_lines: bool) -> None:
        """Take what returns the schema that the rows had where they came from.

        Raises
        ------
        OutputError
            If the format has no type for one of its columns.
        """
        self._columns = columns
        check_columns(self.output, columns, as_lines=as_lines)

    def settle(self) -> Iterator[Unfit]:
        """Take no more rows, and yield those that the format has no place for."""
        with self._writing():
            if self._rows is None:
                self._rows = self._collected_lines()
            unfit = set()
            for row in self._rows.settle(self.output.format.shape) if self.names_rows else ():
                unfit.add(row.row)
                yield row
            if unfit and self._side is not None:
                self._side.close()
                self._leave_out_stats(unfit)

    def _leave_out_stats(self, rows: Container[int]) -> None:
        """Take the lines of some rows out of the stats file, which has a line for each."""
        path, rest = self._staging.of(self._side_path), self._staging.scratch("stats")
        with open(path, "rb") as old, open(rest, "wb") as new:
            new.writelines(line for row, line in enumerate(old) if row not in rows)
        os.replace(rest, path)

    def write(self, piece: ResultRows) -> None:
        """Take the next rows.

        Raises
        ------
        OutputError
        """
        with self._writing():
            if self._rows is None:
                self._rows = self._collected(piece)
            self._rows.write(piece)
            if piece.side:
                if self._side is None:
                    self._side = self._staging.open(self._side_path)
                self._side.write(piece.side)

    def _writing(self) -> contextlib.AbstractContextManager[None]:
        return writing(self.path, setting="export_path")

    def _collected(self, piece: ResultRows) -> CollectedLines | CollectedTables:
        """Open what takes the rows: the result itself, if one file is enough and needs no second look at the rows."""
        output = self.output
        if output.format.shape == "lines" or piece.batch is None:
            return self._collected_lines()
        if output.format.shape == "table" and not output.shard_bytes and output.shard_rows is None:
            self._is_whole = True
            path, sink = self._prepared(self.path), self._sink
        else:
            path, sink = self._staging.prepare(self._staging.scratch("rows")), None
        return CollectedTables(path, self._schema_of(piece.batch), sink, group_bytes=output.group_bytes)

    def _schema_of(self, batch: Any) -> Any:
        """Return the schema of a result: that of its first rows, with columns and types that others have."""
        from djfast.io.plain_columns import result_schema

        columns = self._columns()
        return batch.schema if columns is None else result_schema(batch.schema, columns)

    def _prepared(self, path: str) -> str:
        return self._staging.prepare(self._staging.of(path))

    def _collected_lines(self) -> CollectedLines:
        self._is_whole = self.output.is_lines
        path = self._prepared(self.path) if self._is_whole else self._staging.prepare(self._staging.scratch("rows"))
        # What is expected may be told later.
        return CollectedLines(path, lambda: self._columns(), names_rows=self.names_rows)

    def _sink(self, path: str, schema: Any) -> TableSink:
        from djfast.io.plain_columns import Restoring, as_they_were  # no plain run of lines needs it

        kept = as_they_were(schema, self._columns())
        sink: TableSink = self.output.format.write()(path, kept, self.output.arguments)
        return sink if kept is schema else Restoring(sink, kept)

    def finish(self) -> list[str]:
        """Close, and cut into shards if asked.

        Raises
        ------
        OutputError
        """
        with self._writing():
            return self._finish()

    def _finish(self) -> list[str]:
        rows = self._rows
        if rows is None:
            rows = self._rows = self._collected_lines()
        rows.close()
        counts = self.output.shards(rows.count, rows.size)
        paths = [self.path]
        if self.output.format.is_folder:
            self.output.format.write()(rows, self._prepared(self.path), counts, self.output.arguments)
            self._staging.complete(self.path)
        elif self._is_whole and self.output.files(len(counts)) is None:
            self._staging.complete(self.path)
        else:
            paths = self._write_files(rows, counts)
        if not self._is_whole or paths != [self.path]:
            os.unlink(rows.path)
        rows.remove()
        if self._side is not None:
            self._side.close()
            self._staging.complete(self._side_path)
        return paths

    def _write_files(self, rows: Collected, counts: list[int]) -> list[str]:
        """Write one file or several from collected rows."""
        output = self.output
        shards = output.files(len(counts))
        paths = shards or [self.path]
        write_next = self._table_files(rows) if output.format.shape == "table" else output.format.write()(rows, output.arguments)
        packing = compression_of(output.path) if output.format.is_compressible else None
        for path, count in zip(paths, counts):
            if not packing:
                write_next(self._prepared(path), count)
            elif output.kind == "jsonl" and not shards:
                compress_file(rows.path, self._prepared(path), packing)
            else:
                plain = self._staging.scratch("plain")
                write_next(plain, count)
                compress_file(plain, self._prepared(path), packing)
                os.unlink(plain)
            self._staging.complete(path)
        if shards:
            records = [file_record(self._staging.of(path), path, count) for path, count in zip(paths, counts)]
            write_manifest(self._staging, records)
        return paths

    def _table_files(self, rows: Collected) -> Callable[[str, int], None]:
        from djfast.io.write.table_files import TableCutter

        tables = TableCutter(rows)

        def write(path: str, count: int) -> None:
            sink = self._sink(path, rows.schema)
            try:
                for table in tables.take(count):
                    sink.write_table(table)
            finally:
                sink.close()

        return write

    def abandon(self) -> None:
        """Take no more rows. What was written goes with its folder."""
        with contextlib.suppress(OSError):  # closing writes what is held, and the disk may be full
            if self._rows is not None:
                self._rows.abandon()
        with contextlib.suppress(OSError):
            if self._side is not None:
                self._side.close()


def check_columns(output: Output, columns: Callable[[], Any], *, as_lines: bool) -> None:
    """Make sure, before anything runs, that a result can hold the columns that the rows have.

    Raises
    ------
    OutputError
        If the format has no type for one, or if rows `as_lines` lose it.
    """
    if output.format.shape not in ("table", "folder"):
        return
    schema = columns()
    if schema is None:
        return
    from djfast.io.arrow_json import can_return
    from djfast.io.plain_columns import has_type

    for field in schema:
        if not has_type(output.kind, field.type):
            raise OutputError(
                f"column '{field.name}' cannot be written: {output.kind} has no such type; export arrow or jsonl instead, got "
                f"{field.type}"
            )
        if as_lines and not can_return(field.type):
            raise OutputError(
                f"column '{field.name}' cannot be written: an OP of the recipe takes whole rows, which lose this type; export "
                f"jsonl instead, or leave the column out, got {field.type}"
            )


def check_reach(path: str) -> None:
    """Make sure that the file system can have a result of this path, with the names that a run gives to what lies beside it.

    Raises
    ------
    OutputError
        If the path leads through a file, or a name in it is too long.
    """
    if path == STDOUT:
        return
    folder, name = os.path.split(os.path.abspath(path))
    there = folder
    with contextlib.suppress(OSError):  # whose path is too long, as is said below
        while not os.path.lexists(there):
            there = os.path.dirname(there)
    if not os.path.isdir(there):
        raise OutputError(f"export_path leads through a file, {there} is no folder; choose another export_path, got {path!r}")
    longest = os.pathconf(there, "PC_NAME_MAX")
    added = max(len(os.path.basename(each)) - len(name) for each in [*side_paths(path), place_of(path)])
    sizes = [len(os.fsencode(each)) for each in folder.split(os.sep)] + [len(os.fsencode(name)) + max(added, 0)]
    if max(sizes) > longest or sum(sizes) + len(sizes) > _LONGEST_PATH:
        raise OutputError(
            f"export_path is too long: a name may have {longest} bytes and a path {_LONGEST_PATH:,}, with the {max(added, 0)} "
            f"that a run adds for what lies beside the result; choose a shorter export_path, got {_shortened(path)!r}"
        )


def _shortened(path: str) -> str:
    return path if len(path) <= 2 * _SHOWN else f"{path[:_SHOWN]}...{path[-_SHOWN:]}"


def check_place(output: Output) -> None:
    """Make sure that what a result replaces was a result of its kind, too.

    Raises
    ------
    OutputError
        If it is something else.
    """
    if output.path == STDOUT:
        return
    check_reach(output.path)
    for path in side_paths(output.path):
        if os.path.isdir(path):
            raise OutputError(f"a file beside the result would replace a folder; choose another export_path, got {path!r}")
    if not os.path.lexists(output.path):
        return
    if os.path.exists(output.path) and not os.path.isfile(output.path) and not os.path.isdir(output.path):
        raise OutputError(
            "export_path is a device or pipe, which the result would replace; '-' writes to standard output, got "
            f"{output.path!r}"
        )
    if not output.format.is_folder:
        if os.path.isdir(output.path):
            raise OutputError(f"export_path is a folder; choose another export_path, got {output.path!r}")
        return
    marker = str(output.format.marker)
    is_result = os.path.isdir(output.path) and (os.path.exists(os.path.join(output.path, marker)) or not os.listdir(output.path))
    if not is_result:
        raise OutputError(
            f"the result would replace what is not a result of the format {output.kind}: it has no {marker} in it; remove it or "
            f"choose another export_path, got {output.path!r}"
        )


def file_record(path: str, name: str, rows: int) -> dict[str, Any]:
    """Return the manifest's record of a file that lies at `path` and will be called `name`."""
    import hashlib  # loads OpenSSL

    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256") if hasattr(hashlib, "file_digest") else _sha256(file)
    return {"file": os.path.basename(name), "rows": rows, "bytes": os.path.getsize(path), "sha256": digest.hexdigest()}


def _sha256(file: IO[bytes]) -> Any:
    import hashlib

    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest


def write_manifest(staging: Staging, records: list[dict[str, Any]]) -> None:
    """Write the manifest of a sharded result: files in order, their rows, bytes and checksums."""
    path = manifest_path(staging.path)
    content = {"rows": sum(record["rows"] for record in records), "files": records}
    with staging.open(path) as file:
        file.write((json.dumps(content, indent=1) + "\n").encode())
    staging.complete(path)
