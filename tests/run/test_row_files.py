"""Rows that are written on their way, in their order: before a filter with their stats, and what aggregators found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import djfast

ROWS = [{"text": "x" * (i % 5 + 1), "id": i} for i in range(100)]


def lines(path: Path) -> list[Any]:
    return list(map(json.loads, path.read_text().splitlines()))


def run(tmp_path: Path, source: str, process: list[Any], *, use_checkpoint: bool) -> list[Any]:
    path = tmp_path / source
    if source.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=7)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    out = tmp_path / "out.jsonl"
    djfast.run(
        {
            "dataset_path": str(path), "export_path": str(out), "process": process, "np": 2, "batch_bytes": 4096,
            "use_checkpoint": use_checkpoint, "split_bytes": 500,
        }
    )  # fmt: skip
    return lines(out)


@pytest.mark.parametrize("use_checkpoint", [True, False])
@pytest.mark.parametrize("source", ["a.jsonl", "a.parquet"])
def test_rows_before_a_filter_are_written_with_their_stats(tmp_path: Path, source: str, use_checkpoint: bool) -> None:
    stats = tmp_path / "deep" / "stats.jsonl"
    process = [
        {"text_length_filter": {"min_len": 2}},
        {"alphanumeric_filter": {"min_ratio": 2, "stats_export_path": str(stats)}},
    ]
    assert run(tmp_path, source, process, use_checkpoint=use_checkpoint) == []
    want = [
        {**row, "__dj__stats__": {"text_len": len(str(row["text"])), "alnum_ratio": 1.0}} for row in ROWS if row["text"] != "x"
    ]
    assert lines(stats) == want
    assert [path.name for path in stats.parent.iterdir()] == ["stats.jsonl"]


@pytest.mark.parametrize("use_checkpoint", [True, False])
def test_what_aggregators_found_is_written(tmp_path: Path, use_checkpoint: bool) -> None:
    meta = tmp_path / "meta.jsonl"
    add = "lambda row: {**row, '__dj__batch_meta__': {'first': row['id'][0], 'rows': len(row['id'])}}"
    process = [
        {"key_value_grouper": {"group_by_keys": ["text"]}},
        {"python_lambda_mapper": {"lambda_str": add}},
        {"naive_reverse_grouper": {"batch_meta_export_path": str(meta)}},
    ]
    rows = run(tmp_path, "a.jsonl", process, use_checkpoint=use_checkpoint)
    assert sorted(row["id"] for row in rows) == list(range(100))
    assert lines(meta) == [{"first": i, "rows": 20} for i in range(5)]


def test_rows_in_memory_are_written(tmp_path: Path) -> None:
    path = tmp_path / "stats.jsonl"
    ops = djfast.load_ops([{"text_length_filter": {"min_len": 3, "stats_export_path": str(path)}}])
    for data in (djfast.Dataset.from_list(ROWS), djfast.Dataset.from_arrow(pa.Table.from_pylist(ROWS))):
        assert len(data.process(ops).to_list()) == 60
        assert lines(path) == [{**row, "__dj__stats__": {"text_len": len(str(row["text"]))}} for row in ROWS]
        path.unlink()
