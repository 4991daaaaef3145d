"""Results that are folders: data sets saved for the package `datasets`, and Lance data sets."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from djfast.io.write.collected import Collected
from djfast.io.write.table_files import TableCutter, without_dictionaries


def saved_dataset(rows: Collected, path: str, counts: Sequence[int], arguments: Mapping[str, Any]) -> None:
    """Write what ``datasets.load_from_disk`` reads: Arrow streams, and two files of JSON that describe them.

    Features are left out, since readers take them from the schema of the streams.
    """
    del arguments
    import pyarrow as pa

    schema = without_dictionaries(rows.schema)
    tables = TableCutter(rows)
    os.mkdir(path)
    names = [f"data-{number:05d}-of-{len(counts):05d}.arrow" for number in range(len(counts))]
    digest = hashlib.sha256()
    for name, count in zip(names, counts):
        with pa.ipc.new_stream(os.path.join(path, name), schema) as stream:
            for table in tables.take(count):
                stream.write_table(table.cast(schema))
        with open(os.path.join(path, name), "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    info: dict[str, Any] = {"citation": "", "description": "", "features": None, "homepage": "", "license": ""}
    state: dict[str, Any] = {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": digest.hexdigest()[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    for name, content in (("dataset_info.json", info), ("state.json", state)):
        with open(os.path.join(path, name), "w", encoding="utf-8") as text:
            json.dump(content, text, indent=2, sort_keys=True)


def lance_dataset(rows: Collected, path: str, counts: Sequence[int], arguments: Mapping[str, Any]) -> None:
    """Write a Lance data set of one version. Its rows are those of any run; names inside are drawn by the library."""
    del arguments
    import lance
    import pyarrow as pa

    schema = without_dictionaries(rows.schema)
    batches = (batch for table in rows.tables() for batch in table.cast(schema).to_batches())
    reader = pa.RecordBatchReader.from_batches(schema, batches)
    sizes: dict[str, Any] = {"max_rows_per_file": max(counts)} if len(counts) > 1 else {}
    lance.write_dataset(reader, path, schema=schema, mode="create", **sizes)
