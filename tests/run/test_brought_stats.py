"""Stats and meta that rows bring along leave the result for the stats file, whatever the OPs are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import djfast

ROWS = [{"text": f"text {i}", "__dj__stats__": {"a": i}, "__dj__meta__": {"c": "t"}, "n": i} for i in range(20)]
SIDE = [{"__dj__stats__": {"a": i}, "__dj__meta__": {"c": "t"}} for i in range(20)]


def lines(path: Path) -> list[Any]:
    return list(map(json.loads, path.read_text().splitlines()))


@pytest.mark.parametrize("use_checkpoint", [True, False])
@pytest.mark.parametrize("source", ["a.jsonl", "a.parquet"])
@pytest.mark.parametrize(
    "process",
    [
        [],
        ["whitespace_normalization_mapper"],
        [{"python_lambda_mapper": {"lambda_str": "lambda row: row"}}],
        ["document_deduplicator"],
        [{"topk_specified_field_selector": {"field_key": "n", "topk": 20, "reverse": False}}],
    ],
)
def test_brought_stats_leave_the_rows(tmp_path: Path, process: list[Any], source: str, use_checkpoint: bool) -> None:
    path = tmp_path / source
    if source.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    recipe = {"dataset_path": str(path), "process": process, "use_checkpoint": use_checkpoint}
    report = djfast.run({**recipe, "export_path": str(tmp_path / "res.jsonl")})
    assert lines(tmp_path / "res.jsonl") == [{"text": row["text"], "n": row["n"]} for row in ROWS]
    assert lines(tmp_path / "res_stats.jsonl") == SIDE
    assert report.stats_path == str(tmp_path / "res_stats.jsonl")
    djfast.run({**recipe, "export_path": str(tmp_path / "kept.jsonl"), "keep_stats_in_res_ds": True})
    assert lines(tmp_path / "kept.jsonl") == ROWS
    assert lines(tmp_path / "kept_stats.jsonl") == SIDE


def test_without_them_there_is_no_file_of_stats(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "the field \"__dj__stats__\": of others", "x": "__dj__meta__"}) + "\n")
    djfast.run({"dataset_path": str(tmp_path / "a.jsonl"), "export_path": str(tmp_path / "res.jsonl"), "process": []})
    assert (tmp_path / "res.jsonl").read_text() == (tmp_path / "a.jsonl").read_text()
    assert not (tmp_path / "res_stats.jsonl").exists()
