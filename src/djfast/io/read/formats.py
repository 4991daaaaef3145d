"""Every format that can be read: its suffixes, whether it may be compressed, and the module that reads it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, cast

from djfast.errors import MissingExtraError
from djfast.io.compression import SUFFIXES, compression_of
from djfast.records import NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

    from djfast.io.read.arrow_block import ArrowBlock


class InputFile(NamedTuple):
    """One file to read, or a folder that is read like one. `compression` is a suffix such as ``.zst``, or None."""

    path: str
    format: str
    compression: str | None


class ReadOptions(NamedTuple):
    """How files are read.

    Attributes
    ----------
    batch_bytes : int
        Uncompressed bytes per batch, about.
    texts : tuple of str
        Columns that hold texts, whatever their values look like.
    keeps_json : bool
        Columns of JSON stand as they are, each row with types of its own; else they get the types that rows have in common.
    kinds : mapping of str to pyarrow.DataType
        What columns are in all files together, if each file alone can only be guessed at: a string in all that are strings in
        some, a type for those that are empty in this one.
    memory : int, optional
        Bytes that a run may use. A file is refused if what can only be read as a whole takes more than half of it.
    """

    batch_bytes: int
    texts: tuple[str, ...] = ()
    keeps_json: bool = False
    kinds: Mapping[str, pa.DataType] = MappingProxyType({})
    memory: int | None = None


class Reader(Protocol):
    """What a module has that reads a format."""

    def borders(self, file: InputFile, split_bytes: int) -> list[int]:
        """Return where the splits of a file begin, and where the last one ends."""
        ...

    def blocks(self, file: InputFile, start: int, end: int | None, options: ReadOptions) -> Iterator[ArrowBlock]:
        """Read a split batch by batch; rows are numbered from its first one. `end` is None for all from `start` on.

        Raises
        ------
        InputError
            If the file cannot be read.
        """
        ...

    def schema(self, file: InputFile, options: ReadOptions) -> pa.Schema:
        """Return the columns of a file."""
        ...

    # A module may also have ``count(file, start, end)``: the rows of a split, from what the format says about them; and
    # ``guess(file, options)``: the columns as the first rows suggest them, null where they are empty.


class InputFormat(NamedTuple):
    """One format.

    Attributes
    ----------
    family : str
        Formats of one family are read together; of a folder with several, the one with most files.
    reader : str or None
        Module below ``djfast.io.read`` that reads record batches; None is lines of JSON.
    is_stream : bool
        Files are read from the first byte to the last, so they may be compressed.
    is_document : bool
        A file is one row.
    is_folder : bool
        The suffix is that of a folder.
    extra, packages
        Optional dependency that is needed, and the modules to look for.
    """

    name: str
    suffixes: tuple[str, ...]
    family: str
    reader: str | None = None
    is_stream: bool = False
    is_document: bool = False
    is_folder: bool = False
    extra: str | None = None
    packages: tuple[str, ...] = ()


_TEXTS = (
    ".txt", ".md", ".markdown", ".rst", ".tex", ".html", ".htm", ".xml",
    ".asm", ".bash", ".bat", ".c", ".c++", ".cc", ".cmake", ".cmd", ".command", ".cpp", ".cs", ".css", ".cu", ".cuh",
    ".dart", ".dockerfile", ".ex", ".exs", ".f", ".f03", ".f08", ".f77", ".f90", ".f95", ".for", ".fpp", ".go", ".h",
    ".h++", ".hh", ".hpp", ".hs", ".java", ".jl", ".js", ".jsx", ".kt", ".lua", ".m", ".mjs", ".perl", ".php", ".php3",
    ".php4", ".php5", ".phps", ".phpt", ".pl", ".pm", ".pod", ".ps1", ".psd1", ".psm1", ".py", ".r", ".rb", ".rs",
    ".scala", ".sh", ".smali", ".sql", ".swift", ".ts", ".tsx", ".vb", ".zsh",
)  # fmt: skip

_FORMATS = (
    InputFormat("jsonl", (".jsonl", ".ndjson"), "json", is_stream=True),
    InputFormat("json", (".json",), "json", is_stream=True),
    InputFormat("parquet", (".parquet",), "parquet", "parquet_files"),
    InputFormat("csv", (".csv",), "csv", "csv_files", is_stream=True),
    InputFormat("tsv", (".tsv",), "tsv", "csv_files", is_stream=True),
    InputFormat("text", _TEXTS, "text", "text_files", is_stream=True, is_document=True),
    InputFormat("arrow", (".arrow", ".feather", ".ipc", ".arrows"), "arrow", "arrow_files"),
    InputFormat("webdataset", (".tar",), "webdataset", "webdataset_files", is_stream=True),
    InputFormat("docx", (".docx",), "text", "docx_files", is_document=True, extra="documents", packages=("docx",)),
    InputFormat("pdf", (".pdf",), "text", "pdf_files", is_document=True, extra="documents", packages=("pdfplumber",)),
    InputFormat(
        "warc", (".warc", ".wet"), "warc", "warc_files", is_stream=True, extra="warc", packages=("warcio", "webencodings")
    ),
    InputFormat("lance", (".lance",), "lance", "lance_files", is_folder=True, extra="lance", packages=("lance",)),
    InputFormat("generated", (), "generated", "generated_rows"),
)

INPUT_FORMATS: dict[str, InputFormat] = {each.name: each for each in _FORMATS}

_BY_SUFFIX = {suffix: each for each in _FORMATS for suffix in each.suffixes}
# Files that are known by their whole name.
_BY_NAME = {"dockerfile": INPUT_FORMATS["text"], "makefile": INPUT_FORMATS["text"]}


def input_file_of(path: str, *, is_folder: bool = False) -> InputFile | None:
    """Return a file with its format, which its name tells; None if none does."""
    plain = _without_query(path)
    compression = compression_of(plain)
    base = plain[: -len(compression)] if compression else plain
    name = base.replace("\\", "/").rpartition("/")[2].lower()
    found = _BY_SUFFIX.get(os.path.splitext(name)[1]) or _BY_NAME.get(name)
    if found is None or found.is_folder != is_folder or (compression and not found.is_stream):
        return None
    return InputFile(path, found.name, compression)


def suffix_of(file: InputFile) -> str:
    """Return a file's suffix in lower case, with that of its compression: ``.jsonl.zst``; the name where it has none."""
    compression = file.compression or ""
    plain = _without_query(file.path)
    name = (plain[: -len(compression)] if compression else plain).rpartition("/")[2]
    return (os.path.splitext(name)[1] or name).lower() + compression.lower()


def suffixes_of(family: str) -> list[str]:
    """Return the suffixes of the formats of a family, with those of compressed files."""
    formats = [each for each in _FORMATS if each.family == family]
    return [suffix + end for each in formats for suffix in each.suffixes for end in ("", *(SUFFIXES if each.is_stream else ()))]


def _without_query(path: str) -> str:
    return path.partition("?")[0] if path.startswith(("http://", "https://")) else path


def reader_of(file: InputFile) -> Reader:
    """Return the module that reads a file.

    Raises
    ------
    MissingExtraError
        If an optional package is not installed.
    """
    format_ = INPUT_FORMATS[file.format]
    assert format_.reader is not None, "lines of JSON are read by JsonRows"
    require(format_.extra, format_.packages, f"to read {format_.name} files")
    return cast(Reader, importlib.import_module(f"djfast.io.read.{format_.reader}"))


def require(extra: str | None, packages: Sequence[str], purpose: str) -> None:
    """Look for optional packages.

    Raises
    ------
    MissingExtraError
        If one is not installed; the message says how to install it.
    """
    import importlib.util

    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"not installed: {', '.join(missing)}; pip install 'djfast[{extra}]' {purpose}")


def readable_suffixes() -> str:
    """Return what can be read, in words."""
    listed = [suffix for each in _FORMATS for suffix in each.suffixes[: 5 if each.name == "text" else None]]
    compressed = ".gz, .zst, .bz2 or .xz"
    return f"{', '.join(listed)}, a suffix of source code; lines and texts also followed by {compressed}"
