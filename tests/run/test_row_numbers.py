"""An OP's `index_key` numbers the rows that come to it, whatever carries them and however they are cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import djfast
from djfast.ranks.alone import Alone
from djfast.recipe.load import load_recipe
from djfast.runners.job.runner import Job
from djfast.runners.job.stopping import Stopping
from djfast.runners.progress import Progress

ROWS = [{"text": "x" * (i % 5 + 1), "id": i} for i in range(200)]
KEPT = [row["id"] for row in ROWS if len(str(row["text"])) >= 3]
PROCESS = [
    {"text_length_filter": {"min_len": 3}},
    {"whitespace_normalization_mapper": {"index_key": "n"}},
    {"python_lambda_mapper": {"lambda_str": "lambda row: {**row, 'twice': 2 * row['n']}"}},
    {"text_length_filter": {"min_len": 5, "index_key": "id"}},
]
WANT = [{"text": "xxxxx", "id": n, "n": n, "twice": 2 * n} for n in range(2, len(KEPT), 3)]


def write(path: Path) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=7)
    else:
        lines = [json.dumps(row) for row in ROWS]
        lines.insert(50, "no JSON")
        path.write_text("\n".join(lines) + "\n\n")
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_rows_are_numbered_as_they_come(tmp_path: Path, name: str) -> None:
    recipe: dict[str, Any] = {"dataset_path": str(write(tmp_path / name)), "batch_bytes": 4096, "np": 3, "process": PROCESS}
    djfast.run({**recipe, "export_path": str(tmp_path / "run" / "out.jsonl")})
    job = {**recipe, "export_path": str(tmp_path / "job" / "out.jsonl"), "split_bytes": 500}
    Job(load_recipe(job), Alone(), progress=Progress(is_quiet=True), stopping=Stopping()).run()
    for folder in ("run", "job"):
        lines = (tmp_path / folder / "out.jsonl").read_text().splitlines()
        assert list(map(json.loads, lines)) == WANT


def test_rows_in_memory_are_numbered(tmp_path: Path) -> None:
    ops = djfast.load_ops([{"text_length_filter": {"min_len": 3}}, {"text_length_filter": {"min_len": 5, "index_key": "id"}}])
    for data in (djfast.Dataset.from_list(ROWS), djfast.Dataset.from_arrow(pa.Table.from_pylist(ROWS))):
        assert [row["id"] for row in data.process(ops).to_list()] == list(range(2, len(KEPT), 3))
    assert len(djfast.Dataset.from_list(ROWS).compute_stats(ops).to_list()) == len(ROWS)
