"""Rows come from standard input and go to standard output: ``djfast run recipe.yaml --dataset_path - --export_path -``."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import OutputError

COMMAND = [sys.executable, "-c", "import sys; from djfast.cli.main import main; sys.exit(main())", "run", "r.yaml"]
ROWS = [{"text": f"the text of row {number}", "id": number} for number in range(50)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    recipe = {"process": [{"text_length_filter": {"min_len": 1}}], "dataset_path": "in.jsonl", "export_path": "out.jsonl"}
    (tmp_path / "r.yaml").write_text(json.dumps(recipe))
    (tmp_path / "in.jsonl").write_text(LINES)
    return tmp_path


def run(folder: Path, *flags: str, given: str | bytes = b"", **settings: Any) -> subprocess.CompletedProcess[bytes]:
    data = given.encode() if isinstance(given, str) else given
    return subprocess.run([*COMMAND, *flags], cwd=folder, input=data, capture_output=True, timeout=60, **settings)


BOTH = ("--dataset_path", "-", "--export_path", "-")


@pytest.mark.parametrize(
    "given",
    [
        LINES,
        LINES[:-1],
        LINES.encode("utf-16"),
        "\ufeff" + LINES,
        json.dumps(ROWS, indent=1),
        LINES.replace("\n", "\n\n"),
        "".join(json.dumps(row, indent=1) for row in ROWS),
    ],
    ids=["lines", "unfinished", "utf-16", "mark", "array", "blank lines", "values"],
)
def test_rows_pass_through(folder: Path, given: str | bytes) -> None:
    ended = run(folder, *BOTH, given=given)
    assert ended.returncode == 0, ended.stderr
    assert [json.loads(line) for line in ended.stdout.splitlines()] == ROWS
    assert b"50 rows in, 50 out, 0 rejected" in ended.stderr
    assert sorted(os.listdir(folder)) == ["in.jsonl", "r.yaml"]


def test_each_end_may_be_a_file(folder: Path) -> None:
    assert run(folder, "--dataset_path=-", given=LINES).returncode == 0
    assert (folder / "out.jsonl").read_text() == LINES
    assert json.loads((folder / "out.run.json").read_text())["inputs"] == [{"path": "/dev/stdin", "bytes": 0}]
    assert run(folder, "--export_path", "-").stdout.decode() == LINES


def test_more_than_is_held_of_the_input_comes_through(folder: Path) -> None:
    lines = "".join(json.dumps({"text": "x" * 997, "id": number}) + "\n" for number in range(4000))
    ended = run(folder, *BOTH, "--np", "3", "--batch_bytes", "8192", given=lines)
    assert ended.stdout.decode() == lines


@pytest.mark.parametrize("op", ["document_deduplicator", {"topk_specified_field_selector": {"field_key": "id", "topk": 7}}])
def test_ops_that_need_all_rows_keep_them_meanwhile(folder: Path, op: Any) -> None:
    recipe = json.loads((folder / "r.yaml").read_text())
    (folder / "r.yaml").write_text(json.dumps({**recipe, "process": [op]}))
    assert run(folder, "--dataset_path=in.jsonl", "--export_path=same.jsonl").returncode == 0
    assert run(folder, *BOTH, given=LINES).stdout == (folder / "same.jsonl").read_bytes()


def test_a_limit_stops_reading(folder: Path) -> None:
    endless = subprocess.Popen(["yes", '{"text": "a"}'], stdout=subprocess.PIPE)
    ended = subprocess.run([*COMMAND, *BOTH, "--limit", "3"], cwd=folder, stdin=endless.stdout, capture_output=True, timeout=60)
    endless.kill()
    endless.communicate()
    assert ended.stdout == b'{"text": "a"}\n' * 3


def test_a_reader_that_has_enough_ends_the_run_quietly(folder: Path) -> None:
    line = 'yes \'{"text": "a"}\' | "$@" | head -2; echo ${PIPESTATUS[1]}'
    command = ["bash", "-c", line, "-", *COMMAND, *BOTH, "--np", "2"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert ended.stdout == '{"text": "a"}\n{"text": "a"}\n0\n'
    assert [line.split()[1] for line in ended.stderr.splitlines()] == ["djfast"]  # what runs, which begins every log


def test_what_code_of_the_user_prints_does_not_get_among_the_rows(folder: Path) -> None:
    (folder / "ops.py").write_text(
        "import os\nimport djfast\nprint('at import')\n\n@djfast.mapper()\ndef talks(row):\n    print('in the OP')\n"
        "    os.system('echo in a shell')\n    return row\n"
    )
    recipe = json.loads((folder / "r.yaml").read_text())
    (folder / "r.yaml").write_text(json.dumps({**recipe, "process": ["talks"], "custom_operator_paths": "ops.py"}))
    ended = run(folder, *BOTH, "--json", "--limit", "1", given=LINES)
    assert ended.stdout.decode() == LINES.splitlines()[0] + "\n"
    for said in (b"at import", b"in the OP", b"in a shell", b'"rows_read": 1'):
        assert said in ended.stderr


def test_rejected_rows_are_counted_and_named(folder: Path) -> None:
    ended = run(folder, *BOTH, given=LINES + "broken\n")
    assert ended.returncode == 0
    assert b"(/dev/stdin:51)" in ended.stderr
    assert b"rejected rows are kept nowhere" in ended.stderr
    assert run(folder, *BOTH, given="broken\n").returncode == 1


@pytest.mark.parametrize(
    ("flags", "given", "status", "message"),
    [
        (["--dataset_path", "-", "--use_checkpoint", "true"], LINES, 2, "goes on where it was interrupted"),
        (["--export_path", "-", "--use_checkpoint", "true"], "", 2, "got standard output"),
        (["--export_path", "-", "--export_type", "parquet"], "", 2, "must be jsonl or null if the result goes to standard"),
        (["--export_path", "-", "--export_shard_rows", "2"], "", 2, "export_shard_rows cannot cut"),
        (["--dataset_path", "- in.jsonl"], "", 2, "must be the only input"),
        (["--dataset_path", "0.5 -"], "", 2, "must be the only input"),
        (["--dataset_path", "-", "--validators", "[{type: swift_messages}]"], "", 2, "validators read rows before"),
        (["--dataset_path", "-"], gzip.compress(LINES.encode()), 1, "got gzip"),
        (["--dataset_path", "-"], b"PAR1", 1, "give its path, got Parquet"),
    ],
)
def test_what_a_stream_cannot_do_is_said(folder: Path, flags: list[str], given: str | bytes, status: int, message: str) -> None:
    ended = run(folder, *flags, given=given)
    assert ended.returncode == status
    assert message in ended.stderr.decode()
    assert ended.stderr.splitlines()[-1].startswith(b"djfast: error: ")
    assert b"Traceback" not in ended.stderr
    assert not (folder / "out.jsonl").exists()


def test_a_file_is_not_read_and_written_at_once(folder: Path) -> None:
    for line in ('"$@" --export_path - >> in.jsonl', '"$@" --dataset_path - --export_path in.jsonl < in.jsonl'):
        ended = subprocess.run(["bash", "-c", line, "-", *COMMAND], cwd=folder, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 2, ended.stderr
        assert (folder / "in.jsonl").read_text() == LINES


def test_a_full_disk_is_an_error(folder: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "wb") as full:
        ended = subprocess.run([*COMMAND, "--export_path", "-"], cwd=folder, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert ended.returncode == 1
    assert b"cannot write standard output: No space left on device" in ended.stderr


def test_a_plan_leaves_standard_input_alone(folder: Path) -> None:
    command = [*COMMAND[:-2], "plan", "r.yaml", "--dataset_path", "-"]
    ended = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert "no prediction of time and memory: standard input can be read once" in ended.stdout


def test_no_row_is_left_for_a_table(folder: Path) -> None:
    ended = run(folder, "--dataset_path=-", "--export_path=out.parquet", "--text_length_filter.min_len", "900", given=LINES)
    assert ended.returncode == 0, ended.stderr
    assert (folder / "out.parquet").exists()


def test_a_pipe_or_device_is_never_replaced_by_a_result(folder: Path) -> None:
    os.mkfifo(folder / "pipe.jsonl")
    for flags in (["--export_path", "pipe.jsonl"], ["--dataset_path", "pipe.jsonl"]):
        ended = run(folder, *flags)
        assert ended.returncode == 1
        assert b"device or pipe" in ended.stderr
    assert (folder / "pipe.jsonl").is_fifo()
    with pytest.raises(OutputError, match="export_path is a device or pipe"):
        djfast.Dataset.from_list(ROWS).export(folder / "pipe.jsonl")
    assert (folder / "pipe.jsonl").is_fifo()


def test_a_dash_in_a_recipe_needs_quotes_and_the_message_says_so(folder: Path) -> None:
    (folder / "r.yaml").write_text("dataset_path: -\nprocess: []\n")
    assert b"put it in quotes: '-'" in run(folder).stderr
    (folder / "r.yaml").write_text("dataset_path: '-'\nexport_path: '-'\nprocess: []\n")
    assert run(folder, given=LINES).stdout.decode() == LINES
