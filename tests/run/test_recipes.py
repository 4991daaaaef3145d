"""Whole recipes from the command line's side: files in, files out."""

from __future__ import annotations

import errno
import gzip
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import OutputError, RecipeError, TooManyErrors

TEXTS = [
    "A first document with enough words to be kept by every filter here.",
    "short",
    "A first document with enough words to be kept by every filter here.",
    "Write to someone@example.com or look at https://example.com/a for more of the same text.",
    "Ein Text mit Umlauten: äöü, “Anführungszeichen” und mehr Wörtern als nötig wären.",
]


def write_lines(path: Path, rows: list[Any]) -> Path:
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows),
        encoding="utf-8",
    )
    return path


def read_lines(path: Path | str) -> list[Any]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def recipe(tmp_path: Path, process: list[Any], **keys: Any) -> dict[str, Any]:
    return {
        "dataset_path": str(tmp_path / "in.jsonl"),
        "export_path": str(tmp_path / "out" / "result.jsonl"),
        "np": 1,
        "process": process,
        **keys,
    }


def test_untouched_fields_are_written_back_byte_for_byte(tmp_path: Path) -> None:
    line = '{"n": 1.10, "big": 123456789012345678901234567890, "text" : "long enough text", "x":[1, {"a":null}], "e": "\\u00e9"}'
    write_lines(tmp_path / "in.jsonl", [line])
    djfast.run(recipe(tmp_path, ["text_length_filter"]))
    assert (tmp_path / "out" / "result.jsonl").read_text() == line + "\n"


def test_changed_fields_are_spliced_into_their_line(tmp_path: Path) -> None:
    write_lines(tmp_path / "in.jsonl", ['{"a": 1.0, "text": "mail a@b.de \\u0041", "z": [ ]}'])
    djfast.run(recipe(tmp_path, ["clean_email_mapper"]))
    assert (tmp_path / "out" / "result.jsonl").read_text() == '{"a": 1.0, "text": "mail  A", "z": [ ]}\n'


def test_stats_stand_in_a_file_beside_the_result(tmp_path: Path) -> None:
    write_lines(tmp_path / "in.jsonl", [{"text": text} for text in TEXTS])
    report = djfast.run(recipe(tmp_path, ["text_length_filter", {"words_num_filter": {"min_num": 2}}]))
    assert read_lines(tmp_path / "out" / "result.jsonl") == [{"text": t} for t in TEXTS if t != "short"]
    stats = read_lines(tmp_path / "out" / "result_stats.jsonl")
    assert stats[0] == {"__dj__stats__": {"text_len": len(TEXTS[0]), "num_words": 13}}
    assert len(stats) == 4
    assert report.stats_path == str(tmp_path / "out" / "result_stats.jsonl")


def test_stats_and_hashes_stay_in_the_rows_when_asked(tmp_path: Path) -> None:
    import hashlib

    write_lines(tmp_path / "in.jsonl", [{"text": text} for text in TEXTS])
    keys = {"keep_stats_in_res_ds": True, "keep_hashes_in_res_ds": True}
    djfast.run(recipe(tmp_path, ["text_length_filter", "document_deduplicator"], **keys))
    first = read_lines(tmp_path / "out" / "result.jsonl")[0]
    assert first == {
        "text": TEXTS[0],
        "__dj__hash": hashlib.md5(TEXTS[0].encode()).hexdigest(),
        "__dj__stats__": {"text_len": len(TEXTS[0])},
    }


def test_the_first_of_equal_rows_survives_and_order_is_kept(tmp_path: Path) -> None:
    rows = [{"id": i, "text": f"text number {i % 7}"} for i in range(100)]
    write_lines(tmp_path / "in.jsonl", rows)
    djfast.run(recipe(tmp_path, ["document_deduplicator"], batch_bytes=4096))
    assert [row["id"] for row in read_lines(tmp_path / "out" / "result.jsonl")] == list(range(7))


def test_ops_after_a_deduplicator_see_the_survivors(tmp_path: Path) -> None:
    write_lines(tmp_path / "in.jsonl", [{"text": text} for text in TEXTS])
    process = [
        {"text_length_filter": {"min_len": 10}},
        "document_deduplicator",
        "clean_email_mapper",
        {"words_num_filter": {"min_num": 1}},
    ]
    report = djfast.run(recipe(tmp_path, process))
    assert [(op.rows_in, op.rows_out) for op in report.ops] == [(5, 4), (4, 3), (3, 3), (3, 3)]
    assert set(read_lines(tmp_path / "out" / "result_stats.jsonl")[0]["__dj__stats__"]) == {"text_len", "num_words"}


def test_bad_rows_are_set_aside_with_reason_and_place(tmp_path: Path) -> None:
    bad = ['{"text": null}', '{"text": "cut off', '{"other": 1}', "[1]", '{"text": 5}']
    (tmp_path / "in.jsonl").write_bytes(
        "\n".join([json.dumps({"text": TEXTS[0]}), *bad]).encode()
        + b'\n{"text": "\xff\xfe"}\n'
        + json.dumps({"text": TEXTS[3]}).encode()
    )
    report = djfast.run(recipe(tmp_path, ["text_length_filter"]))
    assert (report.rows_read, report.rows_written, report.rows_rejected) == (8, 2, 6)
    rejected = read_lines(tmp_path / "out" / "result.rejected.jsonl")
    assert [entry["line"] for entry in rejected] == [2, 3, 4, 5, 6, 7]
    assert {entry["file"] for entry in rejected} == {str(tmp_path / "in.jsonl")}
    assert rejected[0]["row"] == {"text": None}
    assert rejected[0]["reason"] == "field 'text' is null"
    assert rejected[1]["row"] == '{"text": "cut off'
    assert "row_base64" in rejected[5]
    assert "6 rejected" in report.last_line()
    assert json.loads((tmp_path / "out" / "result.run.json").read_text())["rows_rejected"] == 6


def test_a_line_number_is_right_in_later_stages_too(tmp_path: Path) -> None:
    """The text that a regular expression cannot handle is named by its line in the input."""
    rows = [{"text": "same"}, {"text": "same"}, {"text": "a" * 30 + "!"}, {"text": "other"}]
    write_lines(tmp_path / "in.jsonl", rows)
    process = ["document_deduplicator", {"clean_email_mapper": {"pattern": "other", "repl": "x"}}]
    report = djfast.run(recipe(tmp_path, process))
    assert report.rows_written == 3
    assert [row["text"] for row in read_lines(tmp_path / "out" / "result.jsonl")] == ["same", "a" * 30 + "!", "x"]


@pytest.mark.parametrize(("limit", "passes"), [(1, True), (0, False), (0.5, True), (0.2, False), (None, True)])
def test_too_many_bad_rows_fail_the_run(tmp_path: Path, limit: Any, passes: bool) -> None:
    write_lines(tmp_path / "in.jsonl", [{"text": "long enough"}, {"text": None}, {"text": "long enough too"}])
    settings = recipe(tmp_path, ["text_length_filter"], max_errors=limit)
    if passes:
        assert djfast.run(settings).rows_rejected == 1
        return
    with pytest.raises(TooManyErrors, match="max_errors"):
        djfast.run(settings)
    assert not (tmp_path / "out" / "result.jsonl").exists()
    assert not list((tmp_path / "out").glob("*.tmp-*"))
    assert (tmp_path / "out" / "result.failed.rejected.jsonl").exists()


def test_the_first_bad_row_stops_a_strict_run(tmp_path: Path) -> None:
    write_lines(tmp_path / "in.jsonl", [{"text": "long enough"}, {"text": None}])
    with pytest.raises(TooManyErrors, match=r"in\.jsonl:2: field 'text' is null"):
        djfast.run(recipe(tmp_path, ["text_length_filter"], skip_op_error=False))


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
def test_compressed_input(tmp_path: Path, suffix: str) -> None:
    plain = write_lines(tmp_path / "plain.jsonl", [{"text": text} for text in TEXTS]).read_bytes()
    packed = tmp_path / f"in{suffix}"
    if suffix.endswith("gz"):
        packed.write_bytes(gzip.compress(plain[:50]) + gzip.compress(plain[50:]))
    else:
        zstandard = pytest.importorskip("zstandard")
        packed.write_bytes(zstandard.ZstdCompressor().compress(plain[:50]) + zstandard.ZstdCompressor().compress(plain[50:]))
    djfast.run(recipe(tmp_path, [], dataset_path=str(packed)))
    assert (tmp_path / "out" / "result.jsonl").read_bytes() == plain


def test_a_folder_and_a_glob(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, text in (("b", "second file text"), ("a", "first file text")):
        write_lines(tmp_path / "in" / f"{name}.jsonl", [{"text": text}])
    for path in (tmp_path / "in", tmp_path / "in" / "*.jsonl"):
        djfast.run(recipe(tmp_path, ["text_length_filter"], dataset_path=str(path)))
        assert [row["text"] for row in read_lines(tmp_path / "out" / "result.jsonl")] == [
            "first file text",
            "second file text",
        ]


def test_parquet_in_and_out(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"id": range(5), "text": TEXTS}), tmp_path / "in.parquet")
    process = ["text_length_filter", "clean_email_mapper", "document_deduplicator"]
    djfast.run(recipe(tmp_path, process, dataset_path=str(tmp_path / "in.parquet"), export_path=str(tmp_path / "out.parquet")))
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column("id").to_pylist() == [0, 3, 4]
    assert "someone" not in table.column("text").to_pylist()[1]
    assert read_lines(tmp_path / "out_stats.jsonl")[0] == {"__dj__stats__": {"text_len": len(TEXTS[0])}}


def test_jsonl_to_parquet_and_back(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    rows = [{"text": "long enough one", "n": 1}, {"text": "long enough two", "n": 2.5, "more": {"a": [1]}}]
    write_lines(tmp_path / "in.jsonl", rows)
    djfast.run(recipe(tmp_path, ["text_length_filter"], export_path=str(tmp_path / "out.parquet")))
    assert pq.read_table(tmp_path / "out.parquet").to_pylist()[1] == rows[1]
    again = recipe(tmp_path, [], dataset_path=str(tmp_path / "out.parquet"), export_path=str(tmp_path / "again.jsonl"))
    djfast.run(again)
    assert read_lines(tmp_path / "again.jsonl")[1] == rows[1]


def test_a_json_array_in_and_out(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps([{"text": text} for text in TEXTS]))
    djfast.run(
        recipe(
            tmp_path,
            ["text_length_filter"],
            dataset_path=str(tmp_path / "in.json"),
            export_path=str(tmp_path / "out.json"),
        )
    )
    assert json.loads((tmp_path / "out.json").read_text()) == [{"text": t} for t in TEXTS if t != "short"]


def test_shards_have_equal_row_counts_and_names_of_data_juicer(tmp_path: Path) -> None:
    write_lines(tmp_path / "in.jsonl", [{"text": f"a text of row {i:04d}"} for i in range(100)])
    report = djfast.run(recipe(tmp_path, [], export_shard_size=1500))
    names = [Path(path).name for path in report.export_paths]
    assert names[0] == "result-00-of-03.jsonl"
    assert [len(read_lines(path)) for path in report.export_paths] == [34, 33, 33]
    assert [row["text"][-4:] for path in report.export_paths for row in read_lines(path)] == [f"{i:04d}" for i in range(100)]


def test_nested_text_keys(tmp_path: Path) -> None:
    write_lines(tmp_path / "in.jsonl", ['{"answer": {"body": "mail a@b.de", "n": 1}, "text": "x"}'])
    djfast.run(recipe(tmp_path, [{"clean_email_mapper": {"text_key": "answer.body"}}]))
    assert (tmp_path / "out" / "result.jsonl").read_text() == '{"answer": {"body": "mail ", "n": 1}, "text": "x"}\n'


def test_a_stat_that_a_row_brings_along_is_kept(tmp_path: Path) -> None:
    write_lines(tmp_path / "in.jsonl", [{"text": "abc", "__dj__stats__": {"text_len": 50, "mine": 1}}, {"text": "abc"}])
    djfast.run(recipe(tmp_path, ["text_length_filter"]))
    assert read_lines(tmp_path / "out" / "result.jsonl") == [{"text": "abc"}]
    assert read_lines(tmp_path / "out" / "result_stats.jsonl") == [{"__dj__stats__": {"text_len": 50, "mine": 1}}]


def test_rows_that_wait_on_disk_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from djfast.runners import spool

    monkeypatch.setattr(spool.Spool.__init__, "__kwdefaults__", {"window_bytes": 0})
    rows = [{"id": i, "text": f"text number {i % 50} of some rows"} for i in range(500)]
    write_lines(tmp_path / "in.jsonl", rows)
    djfast.run(recipe(tmp_path, ["document_deduplicator", "text_length_filter"], batch_bytes=4096))
    assert [row["id"] for row in read_lines(tmp_path / "out" / "result.jsonl")] == list(range(50))


def test_errors_come_before_any_data_is_read(tmp_path: Path) -> None:
    settings = recipe(tmp_path, [{"text_length_filter": {"min_len": -1}}], dataset_path="does-not-exist.jsonl")
    with pytest.raises(RecipeError, match="min_len must be >= 0, got -1"):
        djfast.run(settings)


def test_the_command_ends_with_a_funnel_and_a_summary(tmp_path: Path) -> None:
    write_lines(tmp_path / "in.jsonl", [{"text": text} for text in TEXTS])
    (tmp_path / "r.yaml").write_text(
        f"dataset_path: {tmp_path}/in.jsonl\nexport_path: {tmp_path}/o.jsonl\nprocess:\n- text_length_filter: {{min_len: 3}}\n"
    )
    command = [
        sys.executable,
        "-m",
        "djfast",
        "run",
        str(tmp_path / "r.yaml"),
        "--set",
        "process.0.min_len=10",
        "--np",
        "2",
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1].startswith("5 rows in, 4 out, 0 rejected in ")
    assert "text_length_filter" in run.stderr
    assert len(read_lines(tmp_path / "o.jsonl")) == 4


def test_the_command_says_what_is_wrong_and_exits_with_two(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("dataset_path: x\nproces: []\n")
    run = subprocess.run(
        [sys.executable, "-m", "djfast", "run", str(tmp_path / "r.yaml")], capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert "r.yaml:2" in run.stderr
    assert "process" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("content", ["", "\n\n", '{"text": "no"}\n'])
def test_inputs_that_leave_nothing_give_an_empty_result(tmp_path: Path, content: str) -> None:
    (tmp_path / "in.jsonl").write_text(content)
    process = [
        {"text_length_filter": {"min_len": 5}},
        "document_deduplicator",
        "document_minhash_deduplicator",
        "clean_email_mapper",
    ]
    report = djfast.run(recipe(tmp_path, process, np=2))
    assert report.rows_written == 0
    assert (tmp_path / "out" / "result.jsonl").read_bytes() == b""


SHORT = ["too short", "short too", "short too", "the only text that is long enough for one window of tokens", "同じ"]
NEAR = ["document_minhash_deduplicator", "document_simhash_deduplicator", "ray_bts_minhash_deduplicator"]


@pytest.mark.parametrize("op", NEAR)
@pytest.mark.parametrize("keys", [{}, {"use_checkpoint": True}], ids=["plain", "job"])
def test_short_texts_are_merged_or_compared_or_kept(tmp_path: Path, op: str, keys: dict[str, Any]) -> None:
    write_lines(tmp_path / "in.jsonl", [{"text": text} for text in SHORT])
    for mode, rows in (("merge", 2), ("exact", 4), ("keep", 5)):
        report = djfast.run(recipe(tmp_path, [{op: {"short_texts": mode}}], **keys))
        assert report.rows_written == rows
        notices = [notice for notice in report.notices if "taken for duplicates" in notice]
        assert (report.ops[0].short_texts, len(notices)) == ((4, 1) if mode == "merge" else (0, 0))
        if notices:
            window = 6 if "simhash" in op else 5
            assert notices[0].startswith(f"{op}: 4 texts have fewer than {window} tokens and were taken for duplicates of each")


def test_short_texts_are_counted_whatever_makes_their_tokens(tmp_path: Path) -> None:
    rows = [{"text": text, "__dj__uid": number} for number, text in enumerate(SHORT)]
    write_lines(tmp_path / "in.jsonl", rows)
    for process, count in (
        [[{"document_minhash_deduplicator_with_uid": {}}], 4],
        [[{"document_minhash_deduplicator": {"tokenization": "character"}}], 1],
        [[{"document_minhash_deduplicator": {"tokenization": "punctuation", "window_size": 2}}], 5],
        [[{"document_minhash_deduplicator": {"window_size": 1}}], 0],
        [["document_deduplicator"], 0],
    ):
        assert djfast.run(recipe(tmp_path, process)).ops[0].short_texts == count


def test_crlf_bom_and_a_missing_last_line_feed(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "first long text"}\r\n\r\n{"text": "second long text"}')
    djfast.run(recipe(tmp_path, ["text_length_filter"]))
    assert [row["text"] for row in read_lines(tmp_path / "out" / "result.jsonl")] == ["first long text", "second long text"]


def test_lines_longer_than_a_batch(tmp_path: Path) -> None:
    rows = [{"text": "word " * 5000}, {"text": "a short enough text"}, {"text": "other " * 9000}]
    write_lines(tmp_path / "in.jsonl", rows)
    djfast.run(recipe(tmp_path, ["text_length_filter"], batch_bytes=4096, np=2))
    assert read_lines(tmp_path / "out" / "result.jsonl") == rows


def test_rows_that_a_filter_drops_are_not_computed_further(tmp_path: Path) -> None:
    write_lines(tmp_path / "in.jsonl", [{"text": "kept kept kept"}, {"text": "x"}, {"text": "y"}])
    mapper = {"clean_email_mapper": {"pattern": "kept"}}
    process = [{"text_length_filter": {"min_len": 5}}, mapper, {"words_num_filter": {"min_num": 0}}]
    report = djfast.run(recipe(tmp_path, process))
    assert [(op.rows_in, op.rows_out) for op in report.ops] == [(3, 1), (1, 1), (1, 1)]


def test_a_row_rejected_after_a_deduplicator_is_named_by_its_line_in_the_file(tmp_path):
    rows = [{"text": f"row number {i} with some words", "b": None if i == 4321 else "x"} for i in range(5000)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    process = [{"document_deduplicator": {}}, {"text_length_filter": {"text_key": "b", "min_len": 1}}]
    paths = {"dataset_path": str(tmp_path / "in.jsonl"), "export_path": str(tmp_path / "out.jsonl")}
    report = djfast.run({**paths, "process": process, "batch_bytes": 8192, "np": 2})
    (entry,) = map(json.loads, (tmp_path / "out.rejected.jsonl").read_text().splitlines())
    assert (report.rows_rejected, entry["line"]) == (1, 4322)


def test_functions_in_python_are_accounted_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bind_slow_lines(normalization: str) -> Any:
        def fix(lines: list[str]) -> list[str]:
            time.sleep(0.02)
            if "bad" in lines[0]:
                raise ValueError("no repair")
            return ["repaired"]

        return fix

    monkeypatch.setattr("djfast.functions.repair.bind_ftfy_lines", bind_slow_lines)
    write_lines(tmp_path / "in.jsonl", [{"text": text} for text in ("plain", "âœ” mojibake", "âœ” bad mojibake")])
    report = djfast.run(recipe(tmp_path, [{"fix_unicode_mapper": None}, {"text_length_filter": {"min_len": 6}}]))
    repair, length = report.ops
    assert (repair.rows_in, repair.rows_out, repair.rejected) == (3, 2, 1)
    assert (length.rows_in, length.rows_out) == (2, 1)
    assert 0.04 <= repair.seconds < 10
    assert read_lines(report.export_paths[0]) == [{"text": "repaired"}]



def test_a_full_disk_for_waiting_rows_is_named_with_its_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from djfast.runners.spool import Spool

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    class Waiting:
        def byte_count(self) -> int:
            return 1

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    spool: Any = Spool(str(tmp_path), lambda *parts: parts, window_bytes=0)
    with pytest.raises(OutputError, match=r"cannot write rows that wait in .*: No space left on device; .* with work_dir"):
        spool.append(Waiting())
