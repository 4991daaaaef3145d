"""Python functions run in processes with `np` above 1: the same bytes, and whatever ends a process costs one row."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.children import Children
from djfast.errors import TooManyErrors, UserCodeError
from djfast.runners import worker_processes
from djfast.runners.worker_processes import WorkerProcesses

OPS = """
import os, sys, time
import djfast


@djfast.mapper
def measured_mapper(row):
    if row["text"].startswith("bad"):
        raise ValueError(f"row {row['n']} is bad")
    print("said by a function")
    os.write(1, b"written below Python")
    return {**row, "size": len(row["text"])}


@djfast.filter
def even_filter(row):
    return row["n"] % 2 == 0


@djfast.mapper
def deadly_mapper(row):
    if row["n"] in (7, 300, 301):
        os.kill(os.getpid(), 9)
    if row["n"] == 555:
        os._exit(0)
    return {**row, "seen": True}


@djfast.mapper
def lingering_mapper(row):
    while row["n"] == 42:
        time.sleep(0.01)
    return row


@djfast.mapper(over="batches")
def batch_mapper(batch):
    return batch
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own_ops.py").write_text(OPS)
    lines = []
    for n in range(600):
        text = f"{'bad' if n % 97 == 5 else 'good'} text {n}. It has a sentence. Mail me at a{n}@example.com! "
        lines.append(json.dumps({"text": text + "word " * (n % 60), "n": n}))
    lines[100] = "{not JSON"
    lines[200] = ""
    lines[450] = json.dumps({"n": 450})
    (tmp_path / "in.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


Rows = list[dict[str, Any]]


def run(folder: Path, process: list[Any], np: int, name: str = "", **keys: Any) -> tuple[Rows, Rows]:
    """Return the rows of the result, and the rejected ones."""
    export = folder / f"{name or np}" / "o.jsonl"
    recipe = {
        "dataset_path": str(folder / "in.jsonl"),
        "export_path": str(export),
        "custom_operator_paths": [str(folder / "own_ops.py")],
        "np": np,
        "batch_bytes": 8192,
        "process": process,
        **keys,
    }
    djfast.run(recipe)
    rejected = export.parent / "o.rejected.jsonl"
    read = [json.loads(line) for line in rejected.read_text().splitlines()] if rejected.exists() else []
    return [json.loads(line) for line in export.read_text().splitlines()], read


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often a process was asked."""
    asked: list[str] = []
    ask = Children.ask

    def noted(children: Children, name: str, body: bytes) -> tuple[bool, bytes]:
        asked.append(name)
        return ask(children, name, body)

    monkeypatch.setattr(Children, "ask", noted)
    return asked


@pytest.mark.parametrize(
    "process",
    [
        ["measured_mapper"],
        ["even_filter", {"text_length_filter": {"min_len": 60}}],
        ["batch_mapper"],
        [{"python_lambda_mapper": {"lambda_str": "lambda row: {**row, 'x': row['n'] * 2}"}}],
        [{"text_length_filter": {"min_len": 60}}, "measured_mapper", "document_deduplicator", "even_filter"],
        ["pii_redaction_mapper"],
        [{"sentence_split_mapper": {"lang": "en"}}, {"words_num_filter": {"min_num": 10}}],
    ],
    ids=str,
)
def test_the_bytes_are_those_of_one_thread(folder: Path, asked: list[str], process: list[Any], capfd: Any) -> None:
    if "sentence_split_mapper" in str(process):
        pytest.importorskip("nltk")
    run(folder, process, 1)
    assert not asked
    run(folder, process, 2)
    assert len(asked) >= 5, "no process was asked"
    for name in ("o.jsonl", "o.rejected.jsonl"):
        assert (folder / "1" / name).read_bytes() == (folder / "2" / name).read_bytes()
    assert "written below Python" not in (folder / "2" / "o.jsonl").read_text()


def test_a_row_that_ends_its_process_is_rejected_alone(folder: Path, asked: list[str]) -> None:
    rows, rejected = run(folder, ["deadly_mapper"], 2)
    ended = [each for each in rejected if "ended" in each["reason"]]
    assert [(each["op"], each["line"]) for each in ended] == [("deadly_mapper", n + 1) for n in (7, 300, 301, 555)]
    assert [each["row"]["n"] for each in ended] == [7, 300, 301, 555]
    assert {row["n"] for row in rows} == {*range(600)} - {7, 300, 301, 555, 100, 200, 450}
    assert all(row["seen"] for row in rows)
    assert sorted(each["line"] for each in rejected) == [8, 101, 301, 302, 451, 556]


def test_a_text_that_ends_its_process_is_rejected_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    """A function of a text runs in a stage with others, whose lines are numbered by their places."""
    pytest.importorskip("nltk")
    package = folder / "nltk_that_dies"
    package.mkdir()
    (package / "sitecustomize.py").write_text(
        "import os, djfast.functions.sentences as sentences\nbind = sentences.bind_sentence_lines\n"
        "def deadly(**params):\n    split = bind(**params)\n"
        "    return lambda text: os._exit(9) if ' text 300.' in text else split(text)\n"
        "sentences.bind_sentence_lines = deadly\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{package}{os.pathsep}{os.pathsep.join(sys.path)}")
    process = [{"text_length_filter": {"min_len": 10}}, {"sentence_split_mapper": {"lang": "en"}}]
    rows, rejected = run(folder, process, 2)
    assert {row["n"] for row in rows} == {*range(600)} - {300, 100, 200, 450}
    assert [(each["op"], each["line"]) for each in rejected if "ended" in each["reason"]] == [("sentence_split_mapper", 301)]
    assert sorted(each["line"] for each in rejected) == [101, 301, 451]


def test_a_function_that_ends_every_process_ends_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_processes, "_MOST_ENDED", 2)
    with pytest.raises(UserCodeError, match=r"deadly_mapper has ended \d processes, the last on the row \{.text"):
        run(folder, ["deadly_mapper"], 2)
    assert not (folder / "2" / "o.jsonl").exists()


def test_a_row_that_does_not_come_back_is_rejected_alone(folder: Path) -> None:
    command = [sys.executable, "-m", "djfast", "run", "recipe.yaml", "--quiet"]
    (folder / "recipe.yaml").write_text(
        f"dataset_path: {folder}/in.jsonl\nexport_path: {folder}/o.jsonl\ncustom_operator_paths: [{folder}/own_ops.py]\n"
        "np: 2\nbatch_bytes: 8192\nrow_timeout: 1\nprocess: [lingering_mapper]\n"
    )
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    rows = {json.loads(line)["n"] for line in (folder / "o.jsonl").read_text().splitlines()}
    assert rows == {*range(600)} - {42, 100, 200, 450}
    [slow] = [each for each in map(json.loads, (folder / "o.rejected.jsonl").read_text().splitlines()) if each["line"] == 43]
    assert "1" in slow["reason"]
    assert slow["op"] == "lingering_mapper"


def test_a_signal_does_not_wait_for_a_process(folder: Path) -> None:
    command = [sys.executable, "-m", "djfast", "run", "recipe.yaml", "--quiet"]
    (folder / "recipe.yaml").write_text(
        f"dataset_path: {folder}/in.jsonl\nexport_path: {folder}/o.jsonl\ncustom_operator_paths: [{folder}/own_ops.py]\n"
        "np: 2\nbatch_bytes: 8192\nprocess: [lingering_mapper]\n"
    )
    said = "print('hangs', file=sys.stderr, flush=True) or time.sleep(60)"
    (folder / "own_ops.py").write_text(OPS.replace("time.sleep(0.01)", said))
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as started:
        assert started.stderr is not None
        while "hangs" not in (line := started.stderr.readline()):
            assert line, "it ended"
        began = time.monotonic()
        started.terminate()
        started.wait(timeout=20)
    assert time.monotonic() - began < 10
    assert not (folder / "o.jsonl").exists()


def test_functions_that_only_this_process_has_run_here(folder: Path, asked: list[str]) -> None:
    @djfast.mapper
    def only_here_mapper(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "here": True}

    rows, _ = run(folder, ["only_here_mapper"], 2)
    assert all(row["here"] for row in rows)
    assert len(asked) <= 2  # each thread may ask before it is known that no process can get ready


def test_secrets_in_a_recipe_stay_in_this_process(folder: Path, asked: list[str]) -> None:
    (folder / "own_ops.py").write_text(
        "import djfast\n\n\n@djfast.mapper\ndef signed_mapper(row, options={}):\n"
        "    return {**row, 'length': len(options['api_key'])}\n"
    )
    rows, _ = run(folder, [{"signed_mapper": {"options": {"api_key": "sk-0123456789abcdef"}}}], 2)
    assert {row["length"] for row in rows} == {19}
    assert not asked


def test_where_no_process_can_be_started_threads_do_the_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: Any, **named: Any) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    expected, _ = run(folder, ["even_filter"], 1)
    monkeypatch.setattr("djfast.children.subprocess.Popen", refused)
    assert run(folder, ["even_filter"], 2)[0] == expected


def test_a_short_input_starts_no_process(folder: Path, asked: list[str]) -> None:
    run(folder, ["even_filter"], 2, batch_bytes=1 << 20)
    assert not asked


def test_no_process_is_left_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[WorkerProcesses] = []
    init = WorkerProcesses.__init__

    def noted(processes: WorkerProcesses, *arguments: Any, **named: Any) -> None:
        init(processes, *arguments, **named)
        made.append(processes)

    monkeypatch.setattr(WorkerProcesses, "__init__", noted)
    run(folder, ["even_filter"], 2, "good")
    with pytest.raises(TooManyErrors):
        run(folder, ["measured_mapper"], 2, "failed", max_errors=0)
    assert len(made) == 2
    assert all(not processes.children._all for processes in made)
