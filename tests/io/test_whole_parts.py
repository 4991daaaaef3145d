"""What can only be read as a whole, a page of Parquet or a compressed batch of Arrow, fits into memory or is refused."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import djfast
from djfast import _native
from djfast.errors import InputError, UserError
from djfast.io import remote
from djfast.io.read import parquet_files
from djfast.io.read.formats import ReadOptions, input_file_of, reader_of
from djfast.io.remote import RemoteFile

MIB = 1 << 20
RANDOM = random.Random(5)
TEXTS = [RANDOM.randbytes(MIB // 16).hex() for _ in range(64)]  # an eighth of a MiB each, and half of it compressed


def parquet(path: Path, texts: list[str] = TEXTS, **options: Any) -> str:
    """One page for each row group, unless options say otherwise."""
    settings = {"use_dictionary": False, "compression": "zstd", "data_page_size": 1 << 30, "row_group_size": 32, **options}
    pq.write_table(pa.table({"n": range(len(texts)), "text": texts}), path, **settings)
    return str(path)


def arrow(path: Path, texts: list[str] = TEXTS, *, compression: str | None = "zstd", has_dictionary: bool = False) -> str:
    """Two batches, as a stream if the suffix is that of one."""
    table = pa.table({"text": pa.array(texts).dictionary_encode() if has_dictionary else texts, "n": range(len(texts))})
    make = pa.ipc.new_stream if path.suffix == ".arrows" else pa.ipc.new_file
    with make(path, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, max_chunksize=len(texts) // 2)
    return str(path)


def rows_of(path: str, memory: int | None) -> list[int]:
    file = input_file_of(path)
    assert file is not None
    blocks = reader_of(file).blocks(file, 0, None, ReadOptions(MIB, memory=memory))
    return [number for block in blocks for number in block.batch["n"].to_pylist()]


@pytest.mark.parametrize(
    "options", [{}, {"compression": "none"}, {"compression": "snappy"}, {"data_page_version": "2.0"}], ids=str
)
def test_a_page_that_takes_more_than_half_of_memory_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    """A page of 4 MiB, of which 2 to 4 are read and 4 are unpacked."""
    path = parquet(tmp_path / "a.parquet", **options)
    assert rows_of(path, None) == rows_of(path, 18 * MIB) == list(range(64))
    with pytest.raises(InputError, match=r"column 'text' in row group 0 takes \dMiB .* set memory: 1\dMiB.*, got memory: 11MiB"):
        rows_of(path, 11 * MIB)


def test_the_memory_that_is_asked_for_is_enough(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError) as error:
        rows_of(path, 2 * MIB)
    asked = str(error.value).partition("set memory: ")[2].partition("MiB")[0]
    assert len(rows_of(path, int(asked) * MIB)) == 64
    with pytest.raises(InputError):
        rows_of(path, (int(asked) - 2) * MIB)


@pytest.mark.parametrize("options", [{"data_page_size": 65536}, {"row_group_size": 2}], ids=str)
def test_small_pages_fit_however_large_the_file_is(tmp_path: Path, options: dict[str, Any]) -> None:
    path = parquet(tmp_path / "a.parquet", write_batch_size=1, **options)
    assert rows_of(path, 2 * MIB) == list(range(64))


def test_only_row_groups_that_are_read_count(tmp_path: Path) -> None:
    columns = pa.schema({"text": pa.string(), "n": pa.int64()})
    with pq.ParquetWriter(tmp_path / "a.parquet", columns, use_dictionary=False) as writer:
        for texts in (["a"], TEXTS):
            writer.write_table(pa.table({"text": texts, "n": range(len(texts))}))
    file = input_file_of(str(tmp_path / "a.parquet"))
    assert file is not None
    options = ReadOptions(MIB, memory=4 * MIB)
    assert [block.batch.num_rows for block in reader_of(file).blocks(file, 0, 1, options)] == [1]
    with pytest.raises(InputError, match="in row group 1 takes"):
        list(reader_of(file).blocks(file, 1, 2, options))
    with pytest.raises(InputError, match="in row group 1 takes"):  # before the work, where the columns of all files are asked for
        reader_of(file).schema(file, options)


def test_pages_of_dictionaries_take_several_times_their_bytes(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", TEXTS * 2, use_dictionary=True, dictionary_pagesize_limit=1 << 30, row_group_size=128)
    assert len(rows_of(path, 90 * MIB)) == 128
    with pytest.raises(InputError, match=r"a page of column 'text' in row group 0 takes 4[45]MiB"):
        rows_of(path, 64 * MIB)


def test_statistics_may_stand_in_the_head_of_a_page(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", write_page_index=False, write_statistics=True, data_page_version="1.0")
    chunk = parquet_files._Chunk(*_native.parquet_row_groups(footer_of(path))[0][1])
    data = Path(path).read_bytes()
    size, is_dictionary, plain, stored = _native.parquet_page(data[chunk.pages_start :])
    assert (is_dictionary, size + stored, size + plain) == (False, chunk.compressed_bytes, chunk.uncompressed_bytes)


def footer_of(path: str) -> bytes:
    data = Path(path).read_bytes()
    size = int.from_bytes(data[-8:-4], "little")
    return data[-8 - size : -8]


def test_damaged_heads_of_pages_are_errors(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", ["a", "b"])
    start = parquet_files._Chunk(*_native.parquet_row_groups(footer_of(path))[0][1]).pages_start
    data = Path(path).read_bytes()
    head = data[start : start + _native.parquet_page(data[start:])[0]]
    for size in range(len(head)):
        with pytest.raises(UserError):
            _native.parquet_page(head[:size])
    for _ in range(2000):
        damaged = bytearray(head + b"\0" * 20)
        for _ in range(RANDOM.randint(1, 4)):
            damaged[RANDOM.randrange(len(head))] = RANDOM.randrange(256)
        with contextlib.suppress(UserError):
            assert 0 < _native.parquet_page(bytes(damaged))[0] <= len(damaged)


def test_pages_of_negative_size_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet(tmp_path / "a.parquet")
    monkeypatch.setattr(_native, "parquet_page", lambda head: (1, False, -5, -(1 << 40)))
    assert len(rows_of(path, 2 * MIB)) == 64  # Arrow reads what is there


@pytest.mark.parametrize("name", ["a.arrow", "a.arrows"])
@pytest.mark.parametrize(("compression", "has_dictionary"), [("zstd", False), ("lz4", False), ("zstd", True)])
def test_a_compressed_batch_that_takes_more_than_half_of_memory_is_refused(
    tmp_path: Path, name: str, compression: str, has_dictionary: bool
) -> None:
    path = arrow(tmp_path / name, compression=compression, has_dictionary=has_dictionary)
    assert rows_of(path, None) == rows_of(path, 32 * MIB) == list(range(64))
    with pytest.raises(InputError, match=r"the batch at byte \d+ takes \d+MiB while it is read.* set memory: .*got memory: 8MiB"):
        rows_of(path, 8 * MIB)


@pytest.mark.parametrize("name", ["a.arrow", "a.arrows"])
def test_batches_that_are_not_compressed_take_the_pages_of_the_file(tmp_path: Path, name: str) -> None:
    assert len(rows_of(arrow(tmp_path / name, compression=None), MIB)) == 64


def test_streams_one_behind_the_other_are_looked_at_one_by_one(tmp_path: Path) -> None:
    small, large = Path(arrow(tmp_path / "a.arrows", ["a"] * 4)), Path(arrow(tmp_path / "b.arrows"))
    both = tmp_path / "c.arrows"
    both.write_bytes(small.read_bytes() * 2 + large.read_bytes())
    assert len(rows_of(str(both), 32 * MIB)) == 72
    with pytest.raises(InputError, match=r"the batch at byte \d+"):
        rows_of(str(both), 8 * MIB)


def test_damaged_heads_of_batches_are_errors_of_their_file(tmp_path: Path) -> None:
    """Whatever the sizes are, there are rows or one error; nothing of them is believed."""
    data = Path(arrow(tmp_path / "a.arrows", ["some", "texts"] * 40)).read_bytes()
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(RANDOM.randint(1, 8)):
            damaged[RANDOM.randrange(len(data))] = RANDOM.randrange(256)
        (tmp_path / "b.arrows").write_bytes(damaged)
        with contextlib.suppress(InputError, KeyError, pa.ArrowInvalid):  # the last for texts, checked later
            rows_of(str(tmp_path / "b.arrows"), 1 << 40)


@pytest.mark.parametrize(("write", "name", "rows"), [(parquet, "a.parquet", 140), (arrow, "a.arrow", 280)], ids=["page", "batch"])
def test_a_run_says_what_would_help_and_leaves_nothing(tmp_path: Path, write: Any, name: str, rows: int) -> None:
    path = write(tmp_path / name, ["a" * MIB] * rows, **({"row_group_size": rows} if write is parquet else {}))
    recipe = {
        "dataset_path": path,
        "export_path": str(tmp_path / "out" / "o.jsonl"),
        "memory": "256MiB",
        "process": ["text_length_filter"],
    }
    with pytest.raises(InputError, match=rf"cannot read .*{name}: .* set memory: 28\dMiB"):
        djfast.run(recipe)
    assert not (tmp_path / "out").exists()
    assert djfast.run({**recipe, "memory": "300MiB"}).rows_read == rows


def test_only_row_groups_of_repeated_texts_are_read_as_dictionaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dictionary is built anew for each batch; that a short last row group may repeat its texts says nothing of the others."""
    path = tmp_path / "a.parquet"
    groups = [TEXTS, ["a" * (MIB // 2)] * 40, TEXTS]
    with pq.ParquetWriter(path, pa.schema({"text": pa.string(), "n": pa.int64()}), write_batch_size=1) as writer:
        for texts in groups:
            writer.write_table(pa.table({"text": texts, "n": range(len(texts))}))
    monkeypatch.setattr(parquet_files, "_MOST_REPEATED_BYTES", 2 * MIB)
    readers: list[list[str]] = []
    reader = parquet_files._Content.reader

    def noted(content: Any, repeated: list[str], **reading: bool) -> Any:
        readers.append(repeated)
        return reader(content, repeated, **reading)

    monkeypatch.setattr(parquet_files._Content, "reader", noted)
    assert rows_of(str(path), None) == [*range(64), *range(40), *range(64)]
    assert readers == [[], ["text"], []]


def test_row_groups_over_a_network_are_fetched_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec")
    texts = TEXTS * 2
    data = Path(parquet(tmp_path / "a.parquet", texts, row_group_size=8, compression="none")).read_bytes()
    fsspec.filesystem("memory").pipe_file("/whole/a.parquet", data)
    monkeypatch.setattr(remote, "BLOCK_BYTES", MIB)
    monkeypatch.setattr(parquet_files, "BLOCK_BYTES", MIB)
    monkeypatch.setattr(remote, "AHEAD", 1)
    fetched: list[int] = []
    fetch = RemoteFile._fetch
    monkeypatch.setattr(RemoteFile, "_fetch", lambda self, number: fetched.append(number) or fetch(self, number))
    file = input_file_of("memory://whole/a.parquet")
    assert file is not None
    for memory in (8 * 3 * MIB, 7 * MIB):  # of which an eighth is fetched at once: three row groups, none as a whole
        fetched.clear()
        seen = []
        for block in reader_of(file).blocks(file, 0, None, ReadOptions(MIB, memory=memory)):
            if not seen:
                assert max(set(fetched) - {16, 15}) <= 4, "all was fetched for the first rows"
            seen += block.batch["n"].to_pylist()
        assert seen == list(range(128))
        assert len(fetched) < 2 * 17 + 8
