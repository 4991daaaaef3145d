"""WebDataset archives as record batches: neighbouring members of a tar file with one key are one row.

The key is a member's name up to the first dot after its folder, and stands in ``__key__``; the rest is the name of the field.
Texts and numbers are decoded, ``json`` is parsed, all else stays bytes.
"""

from __future__ import annotations

import contextlib
import json
import tarfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from djfast.errors import InputError
from djfast.io.arrow_json import json_field
from djfast.io.compression import DecompressedFile, open_bytes
from djfast.io.plain_columns import joined_schema
from djfast.io.read.arrow_block import ArrowBlock, UnreadRow
from djfast.io.read.files import file_size
from djfast.io.read.formats import InputFile, ReadOptions
from djfast.json_bytes import as_json
from djfast.records import NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa


KEY = "__key__"
MAX_MEMBER_BYTES = 256 << 20
_HEADER_BYTES = 1 << 20  # that may stand before a member
# A batch ends here and nowhere else: the fields of a JSON member get their types from the rows of a batch.
_BATCH_ROWS = 256
_BATCH_BYTES = 16 << 20
_NO_LINES = str.maketrans("\r\n", "  ")
_TEXTS = frozenset({"txt", "text", "caption", "transcript", "transcription", "md", "html", "xml", "srt", "vtt"})
_NUMBERS = frozenset({"cls", "cls2", "class", "count", "index", "inx", "id"})


class _Sample(NamedTuple):
    key: str
    fields: dict[str, Any]
    problems: list[str]


def borders(file: InputFile, split_bytes: int) -> list[int]:
    """Return one split: members are only found one after the other."""
    del split_bytes
    return [0, file_size(file.path)]


def blocks(file: InputFile, start: int, end: int | None, options: ReadOptions) -> Iterator[ArrowBlock]:
    """Read an archive batch by batch.

    Raises
    ------
    InputError
        If the archive is damaged or cut off.
    """
    del start, end
    first = 0
    for samples in _batches(_samples(file.path)):
        yield _block(file.path, samples, first, keeps_json=options.keeps_json)
        first += len(samples)


def schema(file: InputFile, options: ReadOptions) -> pa.Schema:
    """Return the fields of all rows."""
    import pyarrow as pa

    return joined_schema([pa.schema([(KEY, pa.string())]), *(block.batch.schema for block in blocks(file, 0, None, options))])


def _batches(samples: Iterator[_Sample]) -> Iterator[list[_Sample]]:
    held: list[_Sample] = []
    size = 0
    for sample in samples:
        held.append(sample)
        size += sum(len(value) for value in sample.fields.values() if isinstance(value, bytes | str))
        if len(held) == _BATCH_ROWS or size >= _BATCH_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def _samples(path: str) -> Iterator[_Sample]:
    """Group neighbouring members by their key."""
    sample: _Sample | None = None
    with open_bytes(path) as stream:
        try:
            for archive, member in _members(_Forward(stream, path)):
                if not member.isreg():
                    continue
                key, field = _name(member.name)
                if sample is None or key != sample.key or field in sample.fields:
                    if sample is not None:
                        yield sample
                    sample = _Sample(key, {}, [])
                sample.problems.extend(_problems_of_name(member.name))
                sample.fields[field] = None
                data = b""
                try:
                    data = _content(archive, member)
                    sample.fields[field] = _value(data, field)
                except ValueError as error:
                    sample.fields[field] = data
                    sample.problems.append(f"member '{field}' {error}")
        except InputError:
            raise
        except (tarfile.TarError, EOFError, RecursionError) as error:
            raise InputError(f"cannot read {path}: {error}") from error
        except (ValueError, OverflowError, LookupError) as error:  # of the library, for headers that say what cannot be
            raise InputError(f"cannot read {path}: a header of the archive is damaged: {error}") from error
    if sample is not None:
        yield sample


def _members(stream: _Forward) -> Iterator[tuple[Any, tarfile.TarInfo]]:
    """Yield the members of all archives that stand one behind the other in a file."""
    while True:
        archive: Any = tarfile.TarFile(fileobj=cast(Any, stream))
        with archive:
            member: tarfile.TarInfo | None = archive.next()
            while member is not None:
                stream.left = _HEADER_BYTES + member.size
                yield archive, member
                archive.members.clear()  # the archive would remember all of them
                stream.left += _HEADER_BYTES
                member = archive.next()
        if not stream.skip_zeros():
            return


class _Forward:
    """A stream that is only read forward, and gives at most `left` more bytes: an endless header must not fill the memory."""

    def __init__(self, stream: DecompressedFile, path: str) -> None:
        self._stream = stream
        self._path = path
        self._position = 0
        self._held = b""
        self._ends_in_zeros = False
        self.left = _HEADER_BYTES

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes."""
        held, self._held = self._held[:size], self._held[size:]
        data = held + self._stream.read(size - len(held)) if len(held) < size else held
        self._position += len(data)
        self.left -= len(data)
        if self.left < 0:
            raise InputError(f"cannot read {self._path}: a header of the archive is longer than {_HEADER_BYTES} bytes")
        self._ends_in_zeros = data.count(0) == len(data) == tarfile.BLOCKSIZE
        return data

    def tell(self) -> int:
        """Return the place."""
        return self._position

    def seek(self, position: int) -> None:
        """Go forward to a place."""
        while self._position < position and self.read(min(position - self._position, 1 << 20)):
            pass

    def skip_zeros(self) -> bool:
        """Pass over the blocks of zeros that end an archive; tell whether another one follows.

        Raises
        ------
        InputError
            If there are none, so that members may be missing.
        """
        if not self._ends_in_zeros:
            raise InputError(
                f"{self._path} is cut off or damaged behind byte {self._position}, or was not closed by its writer: the two "
                "empty blocks that end an archive are missing. If all of it is there, add them: head -c 1024 /dev/zero >> FILE"
            )
        while True:
            self.left = _HEADER_BYTES
            block = self.read(tarfile.BLOCKSIZE)
            if block.strip(b"\0"):
                self._held = block + self._held
                self._position -= len(block)
                return True
            if not block:
                return False


def _name(name: str) -> tuple[str, str]:
    """Return key and field of a member; bytes that are no UTF-8 stand escaped."""
    folder, slash, base = name.encode("utf-8", "backslashreplace").decode().rpartition("/")
    stem, _, extension = base.partition(".")
    return folder + slash + stem, extension.lower() or "file"


def _problems_of_name(name: str) -> list[str]:
    try:
        name.encode()
    except UnicodeEncodeError:
        return [f"the name of a member must be UTF-8, got {name[:200]!r}"]
    if name.startswith("/") or ".." in name.split("/"):
        return [f"the name of a member must not lead out of the archive, got {name[:200]!r}"]
    return []


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > MAX_MEMBER_BYTES or member.issparse():
        raise ValueError(f"must not be longer than {MAX_MEMBER_BYTES} bytes, got {member.size}")
    content = archive.extractfile(member)
    assert content is not None
    data = content.read()
    if len(data) < member.size:
        raise tarfile.ReadError("the archive is cut off")
    return data


def _value(data: bytes, field: str) -> Any:
    kind = field.rpartition(".")[2]
    if kind in _TEXTS:
        return data.decode()
    if kind in _NUMBERS:
        number = int(data)
        if not -(2**63) <= number < 2**63:
            raise ValueError("is a number that 64 bits cannot hold")
        return number
    if kind == "json":
        try:
            json.loads(data)
            # Between values a line feed is white space, and inside texts there is none.
            return data.decode().translate(_NO_LINES)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"is not valid JSON: {error}") from None
    return data


def _block(path: str, samples: list[_Sample], first: int, *, keeps_json: bool) -> ArrowBlock:
    import pyarrow as pa

    bad = ((position, sample) for position, sample in enumerate(samples) if sample.problems)
    unread = {position: UnreadRow(sample.problems[0], _as_it_stands(sample)) for position, sample in bad}
    fields: dict[str, pa.Field] = {}
    columns: dict[str, pa.Array] = {KEY: pa.array([sample.key for sample in samples], pa.string())}
    for field in sorted({field for sample in samples for field in sample.fields}):
        values = [None if position in unread else sample.fields.get(field) for position, sample in enumerate(samples)]
        kind = field.rpartition(".")[2]
        if kind == "json" and keeps_json:
            columns[field] = pa.array(values, pa.string())
            fields[field] = json_field(field)
        elif kind == "json":
            columns[field] = _parsed(field, [None if text is None else json.loads(text) for text in values], unread)
        else:
            type_ = pa.string() if kind in _TEXTS else pa.int64() if kind in _NUMBERS else pa.binary()
            columns[field] = pa.array(values, type_)
    listed = [fields.get(name) or pa.field(name, column.type) for name, column in columns.items()]
    batch = pa.RecordBatch.from_arrays(list(columns.values()), schema=pa.schema(listed))
    return ArrowBlock(batch, path, range(first, first + len(samples)), unread)


def _as_it_stands(sample: _Sample) -> str:
    """Return a sample as JSON, its members as texts where they are some."""
    members = {KEY: sample.key}
    for field, value in sample.fields.items():
        with contextlib.suppress(UnicodeDecodeError):
            members[field] = value.decode() if isinstance(value, bytes) else value
            continue
        members[field] = value
    return json.dumps(members, ensure_ascii=False, default=as_json)


def _parsed(field: str, values: list[Any], unread: dict[int, Any]) -> pa.Array:
    """Return parsed values as a column; rows whose values do not go with those before them become unread."""
    import pyarrow as pa

    errors = (pa.ArrowException, OverflowError, UnicodeEncodeError)
    try:
        return pa.array(values)
    except errors:
        pass
    fitting: list[Any] = []
    for position, value in enumerate(values):
        try:
            pa.array([*fitting, value])
            fitting.append(value)
        except errors as error:
            unread.setdefault(position, UnreadRow(f"member '{field}' has other types than the rows before it: {error}"))
            fitting.append(None)
    return pa.array(fitting)
