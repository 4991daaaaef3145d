"""The footer of a Parquet file is read without trust."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import djfast
from djfast import _native
from djfast.errors import InputError, UserError

TABLE = pa.table({"text": ["a", "größe", None] * 9, "n": range(27), "deep": [{"a": [[1.5], []], "b": {"c": True}}] * 27})


def footer_of(file: bytes) -> bytes:
    size = int.from_bytes(file[-8:-4], "little")
    return file[-8 - size : -8]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zstd", "row_group_size": 5, "data_page_version": "2.0"},
        {"use_dictionary": False, "write_page_index": True, "compression": "none"},
        {"write_statistics": False, "store_schema": False, "row_group_size": 1},
    ],
    ids=str,
)
def test_the_end_of_the_data_is_that_of_the_last_column(options: dict) -> None:
    out = io.BytesIO()
    pq.write_table(TABLE, out, **options)
    metadata = pq.ParquetFile(out).metadata
    group = metadata.row_group(metadata.num_row_groups - 1)
    columns = [group.column(number) for number in range(metadata.num_columns)]
    ends = [(c.dictionary_page_offset or c.data_page_offset) + c.total_compressed_size for c in columns]
    assert _native.end_of_parquet_data(footer_of(out.getvalue())) == max(ends)


def test_columns_of_row_groups_are_read_as_pyarrow_reads_them() -> None:
    out = io.BytesIO()
    pq.write_table(TABLE, out, row_group_size=5)
    metadata = pq.ParquetFile(out).metadata
    expected = [
        [
            (c.num_values, c.total_uncompressed_size, c.total_compressed_size, c.data_page_offset, c.dictionary_page_offset or 0)
            for c in map(group.column, range(group.num_columns))
        ]
        for group in map(metadata.row_group, range(metadata.num_row_groups))
    ]
    assert _native.parquet_row_groups(footer_of(out.getvalue())) == expected


def test_a_table_without_row_groups_has_no_data() -> None:
    out = io.BytesIO()
    with pq.ParquetWriter(out, TABLE.schema):
        pass
    assert _native.end_of_parquet_data(footer_of(out.getvalue())) == 0


def test_numbers_of_fields_are_small() -> None:
    largest = b"\xfe" + b"\xff" * 8 + b"\x01"  # as a 64-bit number
    for field in (largest, b"\x80\x80\x04"):
        with pytest.raises(UserError, match="damaged"):
            _native.end_of_parquet_data(b"\x05" + field + b"\x00" + b"\x15\x00" + b"\x00")


def test_damaged_footers_are_errors() -> None:
    out = io.BytesIO()
    pq.write_table(TABLE, out)
    footer = footer_of(out.getvalue())
    pick = random.Random(4)
    refused = 0
    for size in range(len(footer) - 1):
        with pytest.raises(UserError, match="damaged"):
            _native.end_of_parquet_data(footer[:size])
    for _ in range(3000):
        damaged = bytearray(footer)
        for _ in range(pick.choice([1, 2, 5])):
            damaged[pick.randrange(len(damaged))] = pick.randrange(256)
        try:
            assert _native.end_of_parquet_data(bytes(damaged)) >= 0
        except UserError:
            refused += 1
    assert refused > 300
    with pytest.raises(UserError, match="damaged"):
        _native.end_of_parquet_data(b"\x1c" * 100)  # structs in structs


def test_a_column_whose_name_is_no_text_is_one_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["x"], "odd name": [1]}), tmp_path / "in.parquet", store_schema=False)
    file = (tmp_path / "in.parquet").read_bytes()
    (tmp_path / "in.parquet").write_bytes(file.replace(b"odd name", b"odd\xffname"))
    with pytest.raises(InputError, match=r"cannot read .*in\.parquet: "):
        djfast.Dataset.from_parquet(tmp_path / "in.parquet").to_list()
