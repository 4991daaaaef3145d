"""A limit reads exactly the first rows, whatever the runner, and nothing behind them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import djfast
from djfast.errors import RecipeError, ResumeError
from djfast.ranks.alone import Alone
from djfast.recipe.load import load_recipe
from djfast.runners.job.runner import Job
from djfast.runners.job.stopping import Stopping
from djfast.runners.planning import plan_recipe
from djfast.runners.probe import predict
from djfast.runners.progress import Progress
from tests.ranks.threads import run_threads

ROWS = [{"text": f"the text of row {number}", "id": number} for number in range(100)]
KEEP_ALL = [{"text_length_filter": {"min_len": 0}}]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows in the format of the suffix; lines have blank ones and broken ones among them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=7)
    elif path.suffix == ".csv":
        pyarrow.csv.write_csv(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows, indent=1))
    else:
        text = "".join(json.dumps(row) + ("\n\n" if row["id"] % 7 == 0 else "\n") for row in rows)
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def read(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def outcomes(tmp_path: Path, **keys: Any) -> list[tuple[list[Any], list[Any]]]:
    """Rows and rejected rows of runs that differ in threads, batches, splits and ranks only."""
    made = []
    recipe = {"process": KEEP_ALL, "max_errors": None, **keys}
    for number, (np, batch_bytes) in enumerate([(1, 4096), (3, 1 << 20)]):
        folder = tmp_path / f"plain-{number}"
        djfast.run({**recipe, "np": np, "batch_bytes": batch_bytes, "export_path": str(folder / "out.jsonl")})
        made.append((read(folder / "out.jsonl"), read(folder / "out.rejected.jsonl")))
    for ranks, split_bytes in ((1, 300), (3, 1000), (2, None)):
        folder = tmp_path / f"job-{ranks}-{split_bytes}"
        job = {**recipe, "np": 2, "split_bytes": split_bytes, "export_path": str(folder / "out.jsonl")}

        def work(rank: Any, job: dict[str, Any] = job) -> Any:
            return Job(load_recipe(job), rank, progress=Progress(is_quiet=True), stopping=Stopping()).run()

        _ = run_threads(ranks, work) if ranks > 1 else work(Alone())
        made.append((read(folder / "out.jsonl"), read(folder / "out.rejected.jsonl")))
    return made


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".json", ".parquet", ".csv"])
@pytest.mark.parametrize("limit", [1, 40, 41, 1000])
def test_every_runner_reads_exactly_the_first_rows(tmp_path: Path, suffix: str, limit: int) -> None:
    for name, rows in (("a", ROWS[:40]), ("b", ROWS[40:])):
        write(tmp_path / "in" / f"{name}{suffix}", rows)
    for rows, rejected in outcomes(tmp_path, dataset_path=str(tmp_path / "in"), limit=limit):
        assert [row["id"] for row in rows] == list(range(min(limit, 100)))
        assert rejected == []


def test_a_line_that_cannot_be_read_is_a_row_and_a_blank_one_is_none(tmp_path: Path) -> None:
    lines = ['{"text": "a"}', "", "broken", "  ", '{"text": "b"}', '{"text": "c"}', "also broken"]
    (tmp_path / "in.jsonl").write_text("\n".join(lines) + "\n")
    for rows, rejected in outcomes(tmp_path, dataset_path=str(tmp_path / "in.jsonl"), limit=3):
        assert [row["text"] for row in rows] == ["a", "b"]
        assert [row["line"] for row in rejected] == [3]


def test_documents_are_counted_as_rows(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(9):
        (tmp_path / "in" / f"{number}.txt").write_text(f"text {number}")
    for rows, _ in outcomes(tmp_path, dataset_path=str(tmp_path / "in"), limit=4):
        assert [row["text"] for row in rows] == [f"text {number}" for number in range(4)]


def test_of_a_mixture_the_first_drawn_rows_are_read(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.jsonl", ROWS[:10]), write(tmp_path / "b.jsonl", ROWS[10:20])
    for rows, _ in outcomes(tmp_path, dataset_path=f"2 {a} {b}", limit=23):
        assert [row["id"] for row in rows] == [*(each for number in range(10) for each in (number, number)), 10, 11, 12]


SMALLEST = {"range_specified_field_selector": {"field_key": "id", "lower_rank": 1, "upper_rank": 5}}


@pytest.mark.parametrize("op", ["document_deduplicator", SMALLEST])
def test_ops_that_need_all_rows_see_the_first_ones_only(tmp_path: Path, op: Any) -> None:
    write(tmp_path / "in.jsonl", [*ROWS[:10], *ROWS[5:15], *ROWS])
    same = outcomes(tmp_path, dataset_path=str(tmp_path / "in.jsonl"), limit=16, process=[op])
    assert same == [same[0]] * len(same)
    assert {row["id"] for row in same[0][0]} <= {*range(11)}


def test_nothing_behind_the_first_rows_is_opened(tmp_path: Path) -> None:
    for suffix in (".jsonl", ".parquet"):
        folder = tmp_path / suffix
        write(folder / f"a{suffix}", ROWS[:40])
        (folder / f"b{suffix}").write_bytes(b"\xff\xfe what nobody can read")
        for rows, rejected in outcomes(folder / "out", dataset_path=str(folder / f"*{suffix}"), limit=40):
            assert len(rows) == 40
            assert rejected == []


def test_columns_of_files_that_are_not_read_do_not_come_into_the_result(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.parquet", ROWS[:40])
    write(tmp_path / "in" / "b.parquet", [{**row, "more": 1} for row in ROWS[40:]])
    recipe = {"process": KEEP_ALL, "dataset_path": str(tmp_path / "in"), "export_path": str(tmp_path / "out.parquet")}
    djfast.run(recipe, limit=40)
    assert pq.read_table(tmp_path / "out.parquet").column_names == ["text", "id"]


def test_the_record_and_a_notice_say_that_there_was_a_limit(tmp_path: Path) -> None:
    recipe = {"process": KEEP_ALL, "dataset_path": str(write(tmp_path / "in.jsonl", ROWS)), "limit": 5}
    report = djfast.run(recipe, export_path=str(tmp_path / "out.jsonl"))
    assert report.notices == ("limit: the first 5 rows were read, and nothing behind them",)
    record = json.loads((tmp_path / "out.run.json").read_text())
    assert record["recipe"]["limit"] == 5
    assert record["rows_read"] == 5
    assert djfast.run(recipe, export_path=str(tmp_path / "all.jsonl"), limit=101).notices == ()


def test_an_unfinished_job_with_another_limit_is_another_job(tmp_path: Path) -> None:
    recipe = {"process": KEEP_ALL, "dataset_path": str(write(tmp_path / "in.jsonl", ROWS)), "use_checkpoint": True}
    recipe["export_path"] = str(tmp_path / "out.jsonl")
    first = Job(load_recipe({**recipe, "limit": 5}), Alone(), progress=Progress(is_quiet=True), stopping=Stopping())
    first._look_around()
    with pytest.raises(ResumeError, match="settings limit was 5, is 6"):
        djfast.run(recipe, limit=6)


@pytest.mark.parametrize(("limit", "message"), [(0, ">= 1, got 0"), (-3, ">= 1, got -3"), ("ten", "integer"), (2.5, "integer")])
def test_other_limits_are_refused(tmp_path: Path, limit: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        djfast.run({"process": []}, limit=limit)
    if not isinstance(limit, str):
        with pytest.raises(RecipeError, match=message):
            djfast.Dataset.from_files(str(write(tmp_path / "in.jsonl", ROWS)), limit=limit)


def test_a_prediction_is_about_the_first_rows(tmp_path: Path) -> None:
    recipe = load_recipe({"process": KEEP_ALL, "dataset_path": str(write(tmp_path / "in.jsonl", ROWS)), "limit": 25})
    found = predict(recipe, plan_recipe(recipe), ranks=1)
    assert (found.rows, found.probed_rows) == (25, 25)
    assert found.input < (tmp_path / "in.jsonl").stat().st_size / 3


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_data_set_of_files_has_the_first_rows(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"in{suffix}", ROWS)
    made = djfast.Dataset.from_jsonl(path, limit=12) if suffix == ".jsonl" else djfast.Dataset.from_parquet(path, limit=12)
    assert [row["id"] for row in made] == list(range(12))
    assert len(djfast.Dataset.from_files(path, limit=1000)) == 100


def test_validators_look_at_the_first_rows_only(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "a"}\n{"other": 1}\n')
    checks = [{"type": "required_fields", "required_fields": ["text"]}]
    recipe = {"process": KEEP_ALL, "dataset_path": str(path), "validators": checks, "export_path": str(tmp_path / "out.jsonl")}
    assert djfast.run(recipe, limit=1).rows_written == 1
