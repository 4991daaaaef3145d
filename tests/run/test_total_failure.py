"""A run in which nothing worked fails, says why, and leaves the earlier result as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.cli.main import main
from djfast.errors import ModelError, RecipeError, TooManyErrors
from djfast.runners.reasons import ReasonCounts
from djfast.runners.rejected import Rejected

EARLIER = '{"text": "of an earlier run"}\n'


def _recipe(folder: Path, rows: list[Any], process: list[Any], **keys: Any) -> dict[str, Any]:
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "out.jsonl").write_text(EARLIER)
    return {"dataset_path": str(folder / "in.jsonl"), "export_path": str(folder / "out.jsonl"), "process": process, **keys}


@pytest.mark.parametrize("keys", [{}, {"use_checkpoint": True}, {"max_errors": None}, {"max_errors": 1.0}])
def test_a_wrong_text_key_fails_the_run(tmp_path: Path, keys: dict[str, Any]) -> None:
    recipe = _recipe(tmp_path, [{"id": 1, "text": "a"}] * 3, ["fix_unicode_mapper"], text_keys="txt", **keys)
    with pytest.raises(TooManyErrors) as raised:
        djfast.run(recipe)
    first, reason = str(raised.value).splitlines()
    assert first.startswith("every one of the 3 rows was rejected")
    assert reason.startswith("  3 x read: field 'txt' is missing; the fields of this row are 'id', 'text' (")
    assert reason.endswith("in.jsonl:1)")
    assert (tmp_path / "out.jsonl").read_text() == EARLIER


def test_an_op_that_rejects_what_filters_left_fails_the_run(tmp_path: Path) -> None:
    rows = [{"text": "short"}, {"text": "long enough for the filter", "n": "x"}, {"text": "long enough, too", "n": "y"}]
    process: list[Any] = [{"text_length_filter": {"min_len": 10}}]
    process.append({"python_lambda_mapper": {"lambda_str": "lambda row: {'half': row['absent'] / 2}"}})
    with pytest.raises(TooManyErrors, match=r"no row is left: python_lambda_mapper rejected every one of the 2 rows"):
        djfast.run(_recipe(tmp_path, rows, process))
    assert (tmp_path / "out.jsonl").read_text() == EARLIER


def test_rows_that_filters_drop_are_no_failure(tmp_path: Path) -> None:
    report = djfast.run(_recipe(tmp_path, [{"text": "a"}, {"text": None}], [{"text_length_filter": {"min_len": 10}}]))
    assert (report.rows_read, report.rows_written, report.rows_rejected) == (2, 0, 1)
    assert (tmp_path / "out.jsonl").read_text() == ""


@pytest.mark.parametrize(("rows", "bad", "passes"), [(999, 900, True), (1000, 500, True), (1000, 501, False)])
def test_half_of_many_rows_may_be_rejected_by_default(tmp_path: Path, rows: int, bad: int, passes: bool) -> None:
    data = [{"text": None if number < bad else "some text"} for number in range(rows)]
    recipe = _recipe(tmp_path, data, [{"text_length_filter": {"min_len": 0}}])
    if passes:
        assert djfast.run(recipe).rows_rejected == bad
        return
    with pytest.raises(TooManyErrors, match="501 of 1,000 rows were rejected, more than max_errors allows: auto, half of them"):
        djfast.run(recipe)
    assert djfast.run({**recipe, "max_errors": None}).rows_rejected == bad


def test_rows_in_memory_replace_nothing() -> None:
    dataset = djfast.Dataset.from_list([{"text": None}]).process(djfast.load_ops(["fix_unicode_mapper"]))
    assert dataset.to_list() == []
    assert dataset.rejected[0].reason == "field 'text' is null"


def test_the_summary_names_the_most_frequent_reasons(tmp_path: Path, capsys: Any) -> None:
    rows = [{"text": "fine"}, *[{"text": None}] * 3, *[{"id": 1}] * 2, {"text": 7}, {"text": [1]}]
    recipe = _recipe(tmp_path, rows, [{"text_length_filter": {"min_len": 0}}])
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe))
    assert main(["run", str(path)]) == 0
    lines = capsys.readouterr().err.splitlines()
    place = str(tmp_path / "in.jsonl")
    begin = lines.index("rejected 7:")
    assert lines[begin + 1 : begin + 3] == [
        f"  3 x read: field 'text' is null ({place}:2)",
        f"  2 x read: field 'text' is missing; the fields of this row are 'id' ({place}:5)",
    ]
    assert lines[begin + 4] == "  1 x other reasons"
    [record] = tmp_path.glob("*run.json")
    reasons = json.loads(record.read_text())["rejected_reasons"]
    assert [(each["op"], each["rows"]) for each in reasons] == [("read", 3), ("read", 2), ("read", 1)]


def test_reasons_that_differ_in_numbers_are_one_and_their_number_is_bounded() -> None:
    counts = ReasonCounts()
    for number in range(3000):
        counts.add(Rejected("op", 0, f"bad byte {number}", "a.jsonl", number + 1, b"{}"))
    assert [(each.reason, each.rows, each.example) for each in counts.most_frequent()] == [("bad byte 0", 3000, "a.jsonl:1")]
    for number in range(3000):
        word = "".join(chr(ord("a") + int(digit)) for digit in str(number))
        counts.add(Rejected("op", 0, f"KeyError: {word}", "a.jsonl", number + 1, b"{}"))
    assert [(each.reason, each.rows) for each in counts.most_frequent(2)] == [("bad byte 0", 3000), ("other reasons", 2001)]


@pytest.mark.parametrize(
    ("op", "params", "message"),
    [
        ("words_num_filter", {"min_num": 100, "max_num": 10}, "min_num must be <= max_num, got min_num 100 and max_num 10"),
        ("alphanumeric_filter", {"min_ratio": 0.5, "max_ratio": 0.25}, "min_ratio must be <= max_ratio"),
        ("text_length_filter", {"max_len": 5}, "min_len must be <= max_len, got min_len 10 and max_len 5"),
    ],
)
def test_a_lower_bound_above_the_upper_one_is_a_recipe_error(op: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=f"{op}: {message}"):
        djfast.load_ops([{op: params}])


def _said(*arguments: str) -> tuple[int, str]:
    """Run a command in a process of its own, as a user does: what it predicts is of that process."""
    done = subprocess.run([sys.executable, "-m", "djfast", *arguments], capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout


def test_plan_and_doctor_say_what_their_probe_rejected(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, [{"id": 1, "text": "a"}] * 3, [{"text_length_filter": {"min_len": 0}}], text_keys="txt")
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe))
    reason = f"3 x read: field 'txt' is missing; the fields of this row are 'id', 'text' ({tmp_path / 'in.jsonl'})"
    status, plan = _said("plan", str(path))
    assert status == 0
    assert "3 rows; the first pass drops 100% of the rows" in plan
    assert f"  rejected 3 of the 3 rows:\n    {reason}\n" in plan
    status, plan = _said("plan", "--json", str(path))
    probe = json.loads(plan)["probe"]
    assert (status, probe["probed_rows"], probe["rejected"]) == (0, 3, 3)
    status, findings = _said("doctor", str(path))
    assert status == 1
    assert f"FAILS    a probe of the input rejected 3 of the 3 rows:\nnote       {reason}\n" in findings
    path.write_text(json.dumps({**recipe, "text_keys": "text"}))
    status, findings = _said("doctor", str(path))
    assert status == 0
    assert "rejected" not in findings


def test_what_rows_and_code_say_cannot_move_the_cursor(tmp_path: Path, capfd: Any) -> None:
    rows = [{"text": "5"}, {"text": "\x1b[2J\nforged: line"}]
    recipe = _recipe(tmp_path, rows, [{"python_lambda_mapper": {"lambda_str": "lambda row: {'x': int(row['text'])}"}}])
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe))
    assert main(["run", str(path)]) == 0
    said = capfd.readouterr()
    assert "\x1b" not in said.err + said.out
    assert not any(line.startswith("forged") for line in said.err.splitlines())
    assert "\\x1b[2J" in said.err


def test_a_run_that_lacks_a_word_list_names_the_op_and_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "a b c"}\n')
    recipe = {
        "dataset_path": str(tmp_path / "in.jsonl"),
        "export_path": str(tmp_path / "new" / "deep" / "out.jsonl"),
        "process": [{"stopwords_filter": {"stopwords_dir": str(tmp_path)}}],
    }
    with pytest.raises(ModelError, match="stopwords_filter: no word list"):
        djfast.run(recipe)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
