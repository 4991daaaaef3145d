"""Rows drawn from several sources by weight, and data sets that are generated."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import djfast
from djfast import _native
from djfast.errors import InputError, RecipeError, TooManyErrors
from djfast.io.read.files import discover
from djfast.ranks.alone import Alone
from djfast.recipe.load import load_recipe
from djfast.recipe.sources import Source, Sources
from djfast.rows.json_rows import JsonRows
from djfast.runners.inputs import shares_of
from djfast.runners.job.runner import Job
from djfast.runners.job.stopping import Stopping
from djfast.runners.progress import Progress
from tests.ranks.threads import Threads, run_threads


def lines(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def read(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def run(tmp_path: Path, process: list[Any] | None = None, **keys: Any) -> list[Any]:
    """Rows of a run, which are also those of jobs with any splits and ranks."""
    recipe = {"np": 2, "process": process or [{"text_length_filter": {"min_len": 0}}], **keys}
    djfast.run({**recipe, "export_path": str(tmp_path / "local" / "out.jsonl")})
    rows = read(tmp_path / "local" / "out.jsonl")
    for ranks, split_bytes in ((1, 50), (3, 333)):
        folder = tmp_path / f"job-{ranks}"
        job = {**recipe, "export_path": str(folder / "out.jsonl"), "split_bytes": split_bytes}

        def work(rank: Threads, job: dict[str, Any] = job) -> Any:
            return Job(load_recipe(job), rank, progress=Progress(is_quiet=True), stopping=Stopping()).run()

        _ = run_threads(ranks, work) if ranks > 1 else work(Alone())  # type: ignore[arg-type]
        assert read(folder / "out.jsonl") == rows
        assert read(folder / "out.rejected.jsonl") == read(tmp_path / "local" / "out.rejected.jsonl")
    return rows


def test_rows_are_drawn_by_weight_as_the_other_engine_draws_them(tmp_path: Path) -> None:
    a = lines(tmp_path / "a.jsonl", [f"a{i}" for i in range(100)])
    b = lines(tmp_path / "b.jsonl", [f"b{i}" for i in range(20)])
    configs = [{"path": str(a), "weight": 1}, {"path": str(b), "weight": 3}]
    rows = [row["text"] for row in run(tmp_path, dataset={"configs": configs, "max_sample_num": 60})]
    chosen = sorted(np.random.default_rng(42).permutation(100)[:15])
    assert rows[:15] == [f"a{i}" for i in chosen]
    more = set(np.random.default_rng(42).permutation(20)[:5])
    assert Counter(rows[15:]) == {f"b{i}": 2 + (i in more) for i in range(20)}
    assert rows[15:] == sorted(rows[15:], key=lambda text: int(text[1:]))


def test_a_number_before_a_path_is_the_share_of_its_rows(tmp_path: Path) -> None:
    a = lines(tmp_path / "a.jsonl", [f"a{i}" for i in range(10)])
    b = lines(tmp_path / "b.jsonl", ["b"])
    c = lines(tmp_path / "c.jsonl", ["c", "d"])
    rows = [row["text"] for row in run(tmp_path, dataset_path=f"0.25 {a} {b} 0 {a} 2 {c}")]
    assert rows == [f"a{i}" for i in sorted(np.random.default_rng(42).permutation(10)[:3])] + ["b", "c", "c", "d", "d"]


def test_shares_never_exceed_the_number_of_rows() -> None:
    def shares(most: int, weights: list[float], sizes: list[int]) -> list[int]:
        return shares_of(Sources(tuple(Source((), weight) for weight in weights), most), sizes)

    assert shares(100, [0.5, 0.5], [10, 20]) == [50, 50]
    assert shares(10, [1, 1, 1], [5, 5, 5]) == [4, 4, 2]
    assert shares(1, [1, 1], [5, 5]) == [1, 0]
    assert shares(10, [1, 0], [5, 5]) == [10, 0]
    assert shares(10, [1, 1], [0, 5]) == [0, 10]
    assert shares(10, [1, 2, 1], [6, 0, 5]) == [5, 0, 5]
    assert shares(10, [1, 0, 1], [0, 9, 0]) == [0, 0, 0]


def test_the_share_of_a_source_without_rows_goes_to_the_others(tmp_path: Path) -> None:
    full = lines(tmp_path / "full.jsonl", [f"text {i}" for i in range(5)])
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    mixture = {"configs": [{"path": str(empty), "weight": 1}, {"path": str(full), "weight": 1}], "max_sample_num": 4}
    assert len(run(tmp_path, dataset=mixture)) == 4
    for folder in ("local", "job-3"):
        notices = json.loads((tmp_path / folder / "out.run.json").read_text())["notices"]
        assert [note for note in notices if "without rows; the others have its share" in note and str(empty) in note]


def test_bad_rows_that_are_drawn_have_their_numbers(tmp_path: Path) -> None:
    texts = [f'{{"text": "{i}"}}' if i % 3 else "broken" for i in range(30)]
    (tmp_path / "a.jsonl").write_text("\n".join(f"{text}\n " for text in texts))  # every other line is blank
    run(tmp_path, dataset={"configs": [{"path": str(tmp_path / "a.jsonl")}], "max_sample_num": 60})
    numbers = [entry["line"] for entry in read(tmp_path / "local" / "out.rejected.jsonl")]
    assert numbers == [line for i in range(0, 30, 3) for line in [2 * i + 1] * 2]


def test_tables_are_drawn_from_too(tmp_path: Path) -> None:
    table = pa.table({"text": [None if i == 7 else f"text {i}" for i in range(50)], "n": range(50)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=8)
    (tmp_path / "b.csv").write_text("text,n\n" + "".join(f"line {i},{i}\n" for i in range(10)) + "bad\n")
    rows = run(tmp_path, dataset_path=f"3 {tmp_path / 'a.parquet'} 0.5 {tmp_path / 'b.csv'}")
    assert [row["n"] for row in rows][:147] == [i for i in range(50) for _ in range(3) if i != 7]
    assert [row["n"] for row in rows][147:] == [i for i in sorted(np.random.default_rng(42).permutation(11)[:6]) if i < 10]
    assert [entry["line"] for entry in read(tmp_path / "local" / "out.rejected.jsonl")][:3] == [8, 8, 8]


@pytest.mark.parametrize("data", [b"", b"\n", b"a", b"a\n", b" \n\r\n a\n", b"a\n \t", b"\n\na\n\n", b"\xef\xbb\xbf{}\n"])
def test_rows_are_counted_as_they_are_read(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(data)
    rows = JsonRows(discover(str(tmp_path / "a.jsonl"), []), batch_bytes=4096, keeps_stats=True, keeps_hashes=True)
    batches = [_native.read_json_batch(block.data, block.end, [], 0, 0) for block in rows.items()]
    found = [rows.count_block(block) for block in rows.items()]
    assert found == [(batch.row_count, batch.line_count) for batch in batches]


def test_a_changed_weight_is_another_job(tmp_path: Path) -> None:
    a = lines(tmp_path / "a.jsonl", [f"a{i}" for i in range(10)])
    for weight, count in ((0.5, 5), (0.3, 3), (0.3, 3)):
        recipe = {"dataset_path": f"{weight} {a}", "export_path": str(tmp_path / "out.jsonl"), "use_checkpoint": True}
        recipe["process"] = [{"text_length_filter": {"min_len": 0}}]
        Job(load_recipe(recipe), Alone(), progress=Progress(is_quiet=True), stopping=Stopping(), is_fresh=count == 3).run()
        assert len(read(tmp_path / "out.jsonl")) == count


def test_a_generated_data_set_has_null_texts(tmp_path: Path) -> None:
    config = {"type": "EmptyFormatter", "length": 2500, "feature_keys": ["a", "b"]}
    rows = run(tmp_path, [{"random_selector": {"select_num": 2000}}], generated_dataset_config=config)
    assert rows == [{"a": None, "b": None}] * 2000
    assert run(tmp_path / "0", [{"random_selector": {}}], generated_dataset_config={**config, "length": 0}) == []


def test_generated_rows_have_numbers_where_they_are_wanted(tmp_path: Path) -> None:
    config = {"type": "EmptyFormatter", "length": 2500, "feature_keys": ["a"], "number_key": "id"}
    assert run(tmp_path, [{"random_selector": {}}], generated_dataset_config=config) == [
        {"id": number, "a": None} for number in range(2500)
    ]
    config = {"type": "EmptyFormatter", "length": 2, "number_key": "id"}
    assert run(tmp_path / "alone", [{"random_selector": {}}], generated_dataset_config=config) == [{"id": 0}, {"id": 1}]
    for wrong in ("", 3, "a"):
        with pytest.raises(RecipeError, match="needs the name of a field of its own under number_key, got "):
            load_recipe({"generated_dataset_config": {**config, "feature_keys": "a", "number_key": wrong}, "process": []})


def test_generated_nulls_are_rejected_by_an_op_that_reads_them(tmp_path: Path) -> None:
    config = {"type": "RayEmptyFormatter", "length": 3, "feature_keys": "text"}
    with pytest.raises(TooManyErrors, match=r"3 x read: field 'text' is null \(row 1\)"):
        run(tmp_path, generated_dataset_config=config)


def test_a_formatter_of_files_reads_its_suffixes(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    lines(tmp_path / "in" / "a.jsonl", ["x"])
    lines(tmp_path / "in" / "b.jsonl", ["x"])
    (tmp_path / "in" / "a.csv").write_text("text\ny\n")
    config = {"type": "CsvFormatter", "dataset_path": str(tmp_path / "in")}
    assert run(tmp_path, generated_dataset_config=config) == [{"text": "y"}]


def test_nothing_to_draw_from_is_no_error_but_a_missing_file_is(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("")
    assert run(tmp_path, dataset={"configs": [{"path": str(tmp_path / "a.jsonl")}], "max_sample_num": 5}) == []
    with pytest.raises(InputError, match="there is no file"):
        djfast.run({"dataset_path": f"0.5 {tmp_path / 'b.jsonl'}", "export_path": str(tmp_path / "x.jsonl"), "process": []})
