"""Parquet results depend on the rows and not on the batches that brought them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import djfast
from djfast.errors import TooManyErrors
from djfast.io.write import collected
from djfast.runners import memory

TEXT_TYPES = [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]


def write_input(folder: Path, texts: list[str | None], text_type: pa.DataType = TEXT_TYPES[0], *, group: int = 40) -> str:
    column = pa.nulls(len(texts)) if pa.types.is_null(text_type) else pa.array(texts, pa.string()).cast(text_type)
    table = pa.table({"id": range(len(texts)), "text": column})
    pq.write_table(table, folder / "in.parquet", row_group_size=group)
    return str(folder / "in.parquet")


def run(source: str, target: Path, process: list[Any], **settings: Any) -> list[bytes]:
    report = djfast.run({"dataset_path": source, "export_path": str(target), "process": process, **settings})
    return [Path(path).read_bytes() for path in report.export_paths]


@pytest.mark.parametrize("text_type", TEXT_TYPES, ids=str)
@pytest.mark.parametrize("process", [[], [{"whitespace_normalization_mapper": {}}, {"text_length_filter": {"min_len": 9}}]])
def test_batches_leave_no_trace(tmp_path: Path, text_type: pa.DataType, process: list[Any]) -> None:
    texts = [f" number {i % 90} " + "x " * (i % 60) if i % 7 else "short" for i in range(600)]
    source = write_input(tmp_path, texts, text_type)
    for shard_bytes in (0, 3000):
        small = run(source, tmp_path / "small.parquet", process, batch_bytes=4096, export_shard_size=shard_bytes)
        large = run(source, tmp_path / "large.parquet", process, batch_bytes=1 << 20, export_shard_size=shard_bytes)
        assert small == large
        assert (len(large) > 1) == (shard_bytes > 0)


def test_the_size_that_decides_on_shards_knows_no_batches(tmp_path: Path) -> None:
    notes = ["note"] * 700 + [None] * 100 + ["note"] * 700
    table = pa.table({"text": ["words"] * 1500, "note": notes, "list": [[None, i] for i in range(1500)]})
    sizes = set()
    for batch_rows in (1, 7, 100, 1500):
        writer = collected.CollectedTables(str(tmp_path / "out.rows"), table.schema)
        for batch in table.to_batches(max_chunksize=batch_rows):
            writer.write(SimpleNamespace(batch=batch, row_count=batch.num_rows))
        writer.close()
        sizes.add(writer.size)
    assert len(sizes) == 1


@pytest.mark.parametrize("text_type", [*TEXT_TYPES, pa.null()], ids=str)
def test_a_batch_that_loses_all_rows_has_the_columns_of_the_others(tmp_path: Path, text_type: pa.DataType) -> None:
    texts = ["some words" if i < 500 else "x" * 30 for i in range(1000)]
    source = write_input(tmp_path, texts, text_type)
    process = [{"whitespace_normalization_mapper": {}}, {"character_repetition_filter": {"rep_len": 3, "max_ratio": 0.5}}]
    target = tmp_path / "out.parquet"
    if pa.types.is_null(text_type):
        with pytest.raises(TooManyErrors, match="every one of the 1,000 rows was rejected"):
            run(source, target, process, batch_bytes=4096, keep_stats_in_res_ds=True)
        return
    run(source, target, process, batch_bytes=4096, keep_stats_in_res_ds=True)
    assert pq.read_table(target)["text"].to_pylist() == texts[:500]


@pytest.mark.parametrize("rows", [0, 300])
@pytest.mark.parametrize("dedup", [[], [{"document_deduplicator": {}}]])
def test_a_result_without_rows_has_its_columns(tmp_path: Path, rows: int, dedup: list[Any]) -> None:
    source = write_input(tmp_path, ["too short"] * rows)
    target = tmp_path / "out.parquet"
    process = [*dedup, {"text_length_filter": {"min_len": 100}}, *dedup, {"words_num_filter": {}}]
    run(source, target, process, keep_stats_in_res_ds=True)
    table = pq.read_table(target)
    assert table.num_rows == 0
    assert table.schema.names == ["id", "text", "__dj__stats__"]
    assert [field.name for field in table.schema.field("__dj__stats__").type] == ["text_len", "num_words"]


def test_row_groups_end_where_their_rows_reach_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GROUP_BYTES", 100_000)
    source = write_input(tmp_path, ["x" * 100] * 5000)
    run(source, tmp_path / "out.parquet", [])
    metadata = pq.read_metadata(tmp_path / "out.parquet")
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert sum(groups) == 5000
    assert groups[0] % collected._UNIT_ROWS == 0
    assert 100_000 / 120 < groups[0] < 100_000 / 100 + collected._UNIT_ROWS


def test_row_groups_of_large_rows_end_where_their_texts_reach_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GROUP_BYTES", 100_000)
    source = write_input(tmp_path, ["x" * 30_000] * 25)
    contents = set()
    for batch_bytes in ("64KiB", "100KiB", "1MiB"):
        run(source, tmp_path / "out.parquet", [], batch_bytes=batch_bytes)
        metadata = pq.read_metadata(tmp_path / "out.parquet")
        assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [4, 4, 4, 4, 4, 4, 1]
        contents.add((tmp_path / "out.parquet").read_bytes())
    assert len(contents) == 1


def test_rows_whose_columns_do_not_fit_the_first_file_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"text": ["a"], "id": [1]}), tmp_path / "in" / "a.parquet")
    pq.write_table(pa.table({"text": ["a"], "id": ["2"]}), tmp_path / "in" / "b.parquet")
    run(str(tmp_path / "in"), tmp_path / "out" / "out.parquet", [])
    assert pq.read_table(tmp_path / "out" / "out.parquet").to_pylist() == [{"text": "a", "id": 1}]
    [rejected] = map(json.loads, (tmp_path / "out" / "out.rejected.jsonl").read_text().splitlines())
    assert rejected["reason"] == "column 'id' must be int64, as in the first file that has it, got string"
    assert (rejected["file"], rejected["line"]) == (str(tmp_path / "in" / "b.parquet"), 1)
