"""The formats that results are written in: names, suffixes, what writes them. A new format is one more entry here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal

from djfast.declare import Param
from djfast.errors import RecipeError
from djfast.records import NamedTuple
from djfast.spelling import did_you_mean

_EXTENSION = r"(?a)\w+(\.\w+)*"
COMPRESSIONS = (".gz", ".zst", ".bz2", ".xz")


class ResultFormat(NamedTuple):
    """One format.

    `writer` is ``module:function``. What the function takes depends on `shape`:

    - ``lines``: the rows as lines of JSON; ``function(rows, arguments)`` returns ``write(path, count)``, which writes the next
      `count` rows to a file. Such files may be compressed.
    - ``rows``: the same, of rows as dictionaries.
    - ``table``: ``function(path, schema, arguments)`` opens a file that Arrow tables of this schema are written to.
    - ``folder``: ``function(rows, path, counts, arguments)`` writes a folder with a file for each of the `counts` of rows.
    """

    name: str
    suffix: str
    shape: Literal["lines", "rows", "table", "folder"]
    writer: str
    doc: str
    arguments: tuple[Param, ...] = ()  # that export_extra_args may hold
    package: str | None = None  # that must be there
    extra: str | None = None  # and what brings it
    marker: str | None = None  # of a folder of this format: the name of something in it

    @property
    def is_folder(self) -> bool:
        """Whether a result is a folder."""
        return self.shape == "folder"

    @property
    def is_compressible(self) -> bool:
        """Whether a result may be compressed as a whole."""
        return self.shape == "lines"

    def write(self) -> Any:
        """Return the function that writes."""
        module, _, function = self.writer.partition(":")
        return getattr(import_module(f"djfast.io.write.{module}"), function)

    def checked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return all arguments of the writer, with defaults filled in.

        Raises
        ------
        RecipeError
            If one is unknown or wrong.
        """
        known = {param.name: param for param in self.arguments}
        for name in arguments:
            if name not in known:
                takes = f"it takes {', '.join(known)}" if known else "it takes none"
                raise RecipeError(f"{self.name} has no such argument: {takes}{did_you_mean(str(name), known)}, got {name!r}")
        values = {name: param.check(arguments.get(name, param.default)) for name, param in known.items()}
        _check_mapping(values.get("field_mapping") or {})
        return values


def _check_mapping(mapping: Mapping[Any, Any]) -> None:
    for extension, field in mapping.items():
        if not isinstance(extension, str) or not re.fullmatch(_EXTENSION, extension):
            raise RecipeError(f"field_mapping must map extensions such as txt to fields, got the extension {extension!r}")
        if not isinstance(field, str):
            raise RecipeError(f"field_mapping.{extension} must be the name of a field, got {field!r}")


_PARQUET_COMPRESSION = Param(
    "compression", "str", "Compression of columns.", "zstd", choices=("zstd", "snappy", "gzip", "lz4", "none")
)
_FEATHER_COMPRESSION = Param("compression", "str", "Compression of columns.", "lz4", choices=("lz4", "zstd", "none"))
_FIELD_MAPPING = Param(
    "field_mapping",
    "dict | None",
    "Files of each sample: extension to field. By default the whole row is one .json file.",
    None,
)

_FORMATS = (
    ResultFormat("jsonl", "jsonl", "lines", "line_files:json_lines", "A row a line."),
    ResultFormat("json", "json", "lines", "line_files:json_array", "One array, a row a line."),
    ResultFormat("csv", "csv", "lines", "line_files:csv", "A header and a row a record; lists and mappings as JSON."),
    ResultFormat("tsv", "tsv", "lines", "line_files:tsv", "The same with tabs."),
    ResultFormat("parquet", "parquet", "table", "table_files:parquet", "Parquet.", (_PARQUET_COMPRESSION,)),
    ResultFormat("arrow", "arrow", "table", "table_files:arrow", "An Arrow IPC file, which is read without copying."),
    ResultFormat("feather", "feather", "table", "table_files:feather", "A compressed Arrow IPC file.", (_FEATHER_COMPRESSION,)),
    ResultFormat("webdataset", "tar", "rows", "webdataset:tar", "A tar file with the files of each row.", (_FIELD_MAPPING,)),
    ResultFormat("hf", "hf", "folder", "folders:saved_dataset", "A folder for `datasets.load_from_disk`.", marker="state.json"),
    ResultFormat(
        "lance", "lance", "folder", "folders:lance_dataset", "A Lance data set.",
        package="lance", extra="lance", marker="_versions",
    ),
)  # fmt: skip

RESULT_FORMATS: Mapping[str, ResultFormat] = {each.name: each for each in _FORMATS}


def result_format_of(path: str) -> ResultFormat:
    """Return the format that a path's suffix names.

    Raises
    ------
    RecipeError
        If it names none, or a compression that the format does not have. The message has no subject.
    """
    name = path.lower()
    compression = next((each for each in COMPRESSIONS if name.endswith(each)), "")
    suffix = name[: len(name) - len(compression)].rpartition("/")[2].rpartition(".")[2]
    found = next((each for each in _FORMATS if each.suffix == suffix), None)
    if found is None or (compression and not found.is_compressible):
        packed = ", ".join(f".{each.suffix}" for each in _FORMATS if each.is_compressible)
        rest = ", ".join(f".{each.suffix}" for each in _FORMATS if not each.is_compressible)
        raise RecipeError(f"must end in {packed} (these also in {', '.join(COMPRESSIONS)}), {rest}, got {path!r}")
    return found
