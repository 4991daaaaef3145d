"""Jobs: what a run that keeps parts and a journal says and leaves behind."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from djfast.cli.run import _prepared
from djfast.ranks.alone import Alone
from djfast.recipe.load import load_recipe
from djfast.runners.job.runner import Job
from djfast.runners.job.stopping import Stopping
from djfast.runners.progress import Progress
from djfast.runners.report import Report
from tests.ranks.threads import Threads, run_threads


def job_of(recipe: dict[str, Any], ranks: Any) -> Report | None:
    return Job(load_recipe(recipe), ranks, progress=Progress(is_quiet=True), stopping=Stopping()).run()


def test_rejected_rows_of_tables_have_the_numbers_that_they_have_in_their_file(tmp_path: Path) -> None:
    table = pa.table({"text": [None if i % 10 == 7 else f"text {i}" for i in range(100)]})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=8)
    recipe = {
        "dataset_path": str(tmp_path / "in.parquet"),
        "export_path": str(tmp_path / "out.jsonl"),
        "process": [{"document_deduplicator": {}}, {"text_length_filter": {}}],
        "split_bytes": 1,
    }
    job_of(recipe, Alone())
    lines = (tmp_path / "out.rejected.jsonl").read_text().splitlines()
    assert [json.loads(line)["line"] for line in lines] == list(range(8, 101, 10))


@pytest.mark.parametrize("stages", [1, 3])
def test_the_report_says_what_each_rank_read_in_any_stage(tmp_path: Path, stages: int) -> None:
    rows = [json.dumps({"text": f"text {i}"}) + "\n" for i in range(1000)]
    (tmp_path / "in.jsonl").write_text("".join(rows))
    recipe = {
        "dataset_path": str(tmp_path / "in.jsonl"),
        "export_path": str(tmp_path / "out.jsonl"),
        "process": [{"document_deduplicator": {}}, {"text_length_filter": {}}] * stages,
        "split_bytes": 1000,
    }

    def work(ranks: Threads) -> Report | None:
        return job_of(recipe, ranks)

    report = run_threads(3, work)[0]
    assert report is not None
    assert [rank.rank for rank in report.ranks] == [0, 1, 2]
    assert sum(rank.rows_read for rank in report.ranks) == report.rows_read == 1000
    assert sum(rank.bytes_read for rank in report.ranks) == report.bytes_read


@pytest.mark.parametrize(
    ("others", "problem"),
    [
        (["--text_length_filter.min_len=6"], "the recipe, or the version of djfast, is not that of rank 0"),
        (["--keep_stats_in_res_ds=true"], "the recipe, or the version of djfast, is not that of rank 0"),
        (["--export_shard_rows=3"], "the recipe, or the version of djfast, is not that of rank 0"),
        (["--np=1", "--project_name=other", "--batch_bytes=8192"], None),
    ],
)
def test_a_rank_with_another_recipe_is_noticed(
    tmp_path: Path, others: list[str], problem: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "r.json").write_text(
        json.dumps(
            {
                "dataset_path": str(tmp_path / "in.jsonl"),
                "export_path": str(tmp_path / "out.jsonl"),
                "process": [{"text_length_filter": {"min_len": 5}}],
            }
        )
    )
    options = argparse.Namespace(recipe=str(tmp_path / "r.json"), config=None, set=[], quiet=True, fresh=False)

    def work(ranks: Threads) -> int:
        given = others if ranks.rank == 1 else []
        return _prepared(options, given, ranks, Stopping())[0]

    assert run_threads(3, work) == [2 if problem else 0] * 3
    assert capsys.readouterr().err == (f"djfast: error: {problem}; all ranks need the same one (on rank 1)\n" if problem else "")
