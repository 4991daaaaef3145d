"""What comes in as Arrow data is checked: a row with a broken text is rejected alone, a broken column is one error."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import djfast
from djfast import _native
from djfast.errors import InternalError, SchemaError
from tests.fuzz.capsules import Handed, Memory, Node

BROKEN = [b"cut off \xf8", b"\xed\xa0\x80", b"\xc0\xaf", b"\xff", b"\x80 stands alone", b"\xf4\x90\x80\x80"]


def texts(values: list[bytes | None], kind: pa.DataType | None = None) -> pa.Array:
    """A column that claims to hold texts."""
    stored = pa.array(values, pa.large_binary() if kind == pa.large_string() else pa.binary())
    return pa.Array.from_buffers(kind or pa.string(), len(stored), stored.buffers())


def nested(values: list[bytes]) -> dict[str, pa.Array]:
    """Columns that hold these texts, each in another way."""
    leaves = texts(values)
    count = len(values)
    return {
        "plain": leaves,
        "large": texts(values, pa.large_string()),
        "view": leaves.cast(pa.binary()).cast(pa.binary_view()).view(pa.string_view()),
        "struct": pa.StructArray.from_arrays([leaves], ["inner"]),
        "list": pa.ListArray.from_arrays(pa.array(range(count + 1), pa.int32()), leaves),
        "fixed": pa.FixedSizeListArray.from_arrays(leaves, 1),
        "map": pa.MapArray.from_arrays(pa.array(range(count + 1), pa.int32()), leaves, pa.array([1] * count)),
        "dictionary": pa.DictionaryArray.from_arrays(pa.array(range(count), pa.int8()), leaves),
        "runs": pa.Array.from_buffers(
            pa.run_end_encoded(pa.int32(), pa.string()),
            count,
            [None],
            children=[pa.array(range(1, count + 1), pa.int32()), leaves],
        ),
        "union": pa.UnionArray.from_sparse(pa.array([0] * count, pa.int8()), [leaves]),
    }


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_text_is_found_wherever_it_stands(broken: bytes) -> None:
    for name, column in nested([b"good", broken, "größe".encode()]).items():
        batch = pa.record_batch({"id": pa.array([1, 2, 3]), name: column})
        assert _native.check_arrow(batch) == [(1, f"column '{name}' is not valid UTF-8")]
        assert _native.check_arrow(batch.slice(1)) == [(0, f"column '{name}' is not valid UTF-8")]
        assert _native.check_arrow(batch.slice(2)) == []


def test_bytes_that_two_rows_cut_are_broken_in_both() -> None:
    cut = pa.Array.from_buffers(pa.string(), 2, [None, pa.array([0, 1, 2], pa.int32()).buffers()[1], pa.py_buffer("ä".encode())])
    assert [row for row, _ in _native.check_arrow(pa.record_batch({"text": cut}))] == [0, 1]


def test_what_a_null_hides_does_not_matter() -> None:
    column = pa.Array.from_buffers(
        pa.string(), 2, [pa.py_buffer(b"\x01"), *texts([b"good", b"\xff"]).buffers()[1:]], null_count=1
    )
    assert _native.check_arrow(pa.record_batch({"text": column})) == []


def parquet(folder: Path, table: pa.Table) -> djfast.Dataset:
    pq.write_table(table, folder / "in.parquet")
    return djfast.Dataset.from_parquet(folder / "in.parquet")


def ipc(folder: Path, table: pa.Table) -> djfast.Dataset:
    with pa.ipc.new_file(folder / "in.arrow", table.schema) as writer:
        writer.write_table(table)
    return djfast.Dataset.from_files(folder / "in.arrow")


def memory(_: Path, table: pa.Table) -> djfast.Dataset:
    return djfast.Dataset.from_arrow(table)


class Stream:
    """What other packages hand over: nothing but capsules."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__()


def capsules(_: Path, table: pa.Table) -> djfast.Dataset:
    return djfast.Dataset.from_arrow(Stream(table))


WAYS_IN = [parquet, ipc, memory, capsules]


@pytest.mark.parametrize("way_in", WAYS_IN)
@pytest.mark.parametrize("column", ["text", "other"])
@pytest.mark.parametrize(
    "process",
    [["remove_repeat_sentences_mapper"], [{"python_lambda_mapper": {"lambda_str": "lambda row: row"}}], []],
    ids=["native", "whole rows", "none"],
)
def test_a_row_with_a_broken_text_is_rejected_alone(
    tmp_path: Path, way_in: Callable[[Path, pa.Table], djfast.Dataset], column: str, process: list
) -> None:
    good = texts([b"One. Two.", b"Three.", b"Four."])
    table = pa.table({"text": good, "other": good, "n": [1, 2, 3], column: texts([b"One. Two.", b"Three. \xf8", b"Four."])})
    dataset = way_in(tmp_path, table).process(*process)
    report = dataset.export(tmp_path / "out" / "out.jsonl")
    assert [json.loads(line)["n"] for line in (tmp_path / "out" / "out.jsonl").read_text().splitlines()] == [1, 3]
    [bad] = dataset.rejected
    assert (bad.reason, bad.line) == (f"column '{column}' is not valid UTF-8", 2)
    assert report.rows_written == 2


def test_the_rejected_row_is_kept_with_its_bytes(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": texts([b"good", b"\xf8!"]), "n": [1, 2]}), tmp_path / "in.parquet")
    recipe = {
        "dataset_path": str(tmp_path / "in.parquet"),
        "export_path": str(tmp_path / "out" / "out.jsonl"),
        "process": ["whitespace_normalization_mapper"],
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    djfast.run(str(tmp_path / "recipe.yaml"))
    [entry] = map(json.loads, (tmp_path / "out" / "out.rejected.jsonl").read_text().splitlines())
    assert base64.b64decode(entry["row_base64"]) == b'{"text": "\xf8!", "n": 2}'
    assert entry["line"] == 2


def with_offsets(offsets: list[int], data: bytes = b"some text") -> pa.Array:
    buffers = [None, pa.array(offsets, pa.int32()).buffers()[1], pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers)


def view_at(buffer: int, offset: int, size: int = 13) -> pa.Array:
    view = (
        size.to_bytes(4, "little", signed=True)
        + b"some"
        + buffer.to_bytes(4, "little", signed=True)
        + offset.to_bytes(4, "little", signed=True)
    )
    return pa.Array.from_buffers(pa.string_view(), 1, [None, pa.py_buffer(view), pa.py_buffer(b"some long text")])


def union_of(types: list[int], offsets: list[int]) -> pa.Array:
    buffers = [None, pa.array(types, pa.int8()).buffers()[1], pa.array(offsets, pa.int32()).buffers()[1]]
    kind = pa.dense_union([pa.field("a", pa.string())])
    return pa.Array.from_buffers(kind, len(types), buffers, children=[pa.array(["x"])])


HOSTILE = {
    "descending offsets": lambda: with_offsets([0, 5, 2]),
    "offsets past the bytes in between": lambda: with_offsets([0, 1 << 20, 4]),
    "a view past its buffer": lambda: view_at(0, 5),
    "a view before its buffer": lambda: view_at(0, -1),
    "a view of no buffer": lambda: view_at(7, 0),
    "a view of negative size": lambda: view_at(0, 0, -1),
    "a view with another beginning": lambda: view_at(0, 1),
    "an index past the dictionary": lambda: pa.DictionaryArray.from_arrays(pa.array([0, 9], pa.int8()), ["a"], safe=False),
    "a negative index": lambda: pa.DictionaryArray.from_arrays(pa.array([-1], pa.int8()), ["a"], safe=False),
    "lists that descend": lambda: pa.ListArray.from_arrays(pa.array([0, 2, 1], pa.int32()), ["a", "b"]),
    "a union of no type": lambda: union_of([3], [0]),
    "a union past its values": lambda: union_of([0], [4]),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_broken_column_is_one_clear_error(hostile: str) -> None:
    column = HOSTILE[hostile]()
    table = pa.table({"text": pa.array(["x"] * len(column)), "column": column})
    with pytest.raises(SchemaError, match="cannot be read"):
        djfast.Dataset.from_arrow(table).process("words_num_filter").to_list()


@pytest.mark.parametrize("hostile", ["descending offsets", "an index past the dictionary", "a view past its buffer"])
def test_a_broken_column_of_a_stranger_is_refused_before_it_is_imported(hostile: str) -> None:
    column = HOSTILE[hostile]()
    with pytest.raises(SchemaError, match="no valid Arrow data"):
        djfast.Dataset.from_arrow(Stream(pa.table({"text": column}))).process("words_num_filter").to_list()


def test_columns_of_native_batches_are_checked() -> None:
    batch = _native.batch_of_arrow([texts([b"good", b"\xf8", None])], 3, 1)
    assert batch.alive == [0, 2]
    assert batch.values(0) == ["good", ""]
    with pytest.raises(SchemaError, match="another number of rows"):
        _native.batch_of_arrow([texts([b"good"])], 2, 1)
    with pytest.raises(SchemaError, match="format l"):
        _native.batch_of_arrow([pa.array([1])], 1, 1)
    for hostile in (with_offsets([0, 5, 2]), with_offsets([0, 1 << 20, 4]), view_at(0, 5)):
        with pytest.raises(SchemaError):
            _native.batch_of_arrow([hostile], len(hostile), 1)


@pytest.mark.parametrize("code", ["i", "q"])
def test_texts_that_begin_past_missing_bytes_are_refused(code: str) -> None:
    memory = Memory()
    for offset in (0, 5):
        offsets = struct.pack(f"=3{code}", offset, offset, offset)
        column = Handed(Node("u" if code == "i" else "U", 2, [None, offsets, None]), memory)
        if offset == 0:
            assert _native.batch_of_arrow([column], 2, 1).values(0) == ["", ""]
        else:
            with pytest.raises(SchemaError, match="its bytes are missing"):
                _native.batch_of_arrow([column], 2, 1)
    memory.free()


def test_a_slot_that_was_never_set_is_not_read() -> None:
    batch = _native.batch_of_texts([["a"]], 1, 3)
    with pytest.raises(InternalError, match="never computed"):
        batch.values(2)
    with pytest.raises(djfast.errors.UserError, match="for 1 rows, got text for 0"):
        _native.Program([("text_length", [2], {}, 1, 0)]).run(batch)
