"""Files of a job that are not what the job wrote any more: what they hold is made again, and said; nothing is silent."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import djfast
import djfast.runners.job.runner as runner
from djfast.cli.main import main
from djfast.errors import EXIT_RESUMABLE, Preempted
from djfast.plan.build import build_plan
from djfast.runners.job.folder import code_digest


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A job of three passes that was stopped before it wrote its result, and what its result must be."""
    folder = tmp_path_factory.mktemp("damage")
    rows = [{"text": f"row {i % 90}\nsome line that comes often\nword {i}"} for i in range(300)] + [{"text": None}, {"text": 5}]
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    process = [
        {"document_line_deduplicator": {"frequency_threshold": 50, "min_line_length": 0}},
        {"document_deduplicator": {"lowercase": True}},
        {"topk_specified_field_selector": {"field_key": "text", "top_ratio": 0.5}},
    ]
    recipe = {
        "dataset_path": str(folder / "in.jsonl"), "export_path": str(folder / "out" / "o.jsonl"), "process": process,
        "split_bytes": 4096, "use_checkpoint": True,
    }  # fmt: skip
    (folder / "r.json").write_text(json.dumps(recipe))
    assert main(["run", str(folder / "r.json"), "-q"]) == 0
    expected = {path.name: path.read_bytes() for path in (folder / "out").glob("o*.jsonl")}
    shutil.rmtree(folder / "out")
    with pytest.MonkeyPatch.context() as patch:

        def stop(*arguments):
            raise Preempted

        patch.setattr(runner, "write_outcome", stop)
        assert main(["run", str(folder / "r.json"), "-q"]) == EXIT_RESUMABLE
    shutil.copytree(folder / "out", folder / "stopped")
    return folder, expected


def _files(folder: Path) -> list[Path]:
    found = [path for path in (folder / "o.job").rglob("*") if path.is_file()]
    return sorted(path.relative_to(folder) for path in found if path.stat().st_size and path.suffix not in (".json", ".prom"))


@pytest.mark.parametrize("suffix", [".part", ".frequent", ".masks", ".order", ".moved", ".jsonl"])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_a_damaged_file_is_made_again(stopped, capsys, suffix, place):
    folder, expected = stopped
    shutil.rmtree(folder / "out", ignore_errors=True)
    shutil.copytree(folder / "stopped", folder / "out")
    files = [path for path in _files(folder / "out") if path.suffix == suffix]
    if not files:
        pytest.skip(f"the job has no file {suffix}")
    victim = folder / "out" / files[len(files) // 2]
    data = bytearray(victim.read_bytes())
    if suffix == ".jsonl":
        place = min(place, 0.6)  # a cut-off last line of a journal is what every crash leaves
    at = min(int(len(data) * place), len(data) - 1)
    data[at] ^= 0x10
    victim.write_bytes(data)
    assert main(["run", str(folder / "r.json")]) == 0
    assert f"damaged, so what they hold is made again: {victim}" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in (folder / "out").glob("o*.jsonl")} == expected


def test_an_input_of_the_same_size_and_time_but_other_content_is_another_input(stopped, capsys):
    folder, _ = stopped
    shutil.rmtree(folder / "out", ignore_errors=True)
    shutil.copytree(folder / "stopped", folder / "out")
    source = folder / "in.jsonl"
    data, status = source.read_bytes(), source.stat()
    try:
        source.write_bytes(data.replace(b"row", b"ROW"))
        os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert main(["run", str(folder / "r.json"), "-q"]) == 1
        assert f"inputs {source} has changed" in capsys.readouterr().err
    finally:
        source.write_bytes(data)
        os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_damage_while_a_job_runs_is_one_error_that_names_the_file(stopped, capsys, monkeypatch):
    folder, expected = stopped
    shutil.rmtree(folder / "out", ignore_errors=True)
    shutil.copytree(folder / "stopped", folder / "out")
    victim = folder / "out" / next(path for path in _files(folder / "out") if path.suffix == ".part")
    outcome = runner.write_outcome

    def damaging(*arguments):
        data = bytearray(victim.read_bytes())
        data[-1] ^= 1
        victim.write_bytes(data)
        return outcome(*arguments)

    monkeypatch.setattr(runner, "write_outcome", damaging)
    assert main(["run", str(folder / "r.json"), "-q"]) == 1
    assert f"{victim} is damaged: it is not what this job wrote. Run the same command again" in capsys.readouterr().err
    monkeypatch.undo()
    assert main(["run", str(folder / "r.json"), "-q"]) == 0
    assert {path.name: path.read_bytes() for path in (folder / "out").glob("o*.jsonl")} == expected


def test_status_finds_a_changed_byte_of_the_result_when_it_is_asked_to(stopped, capsys):
    folder, _ = stopped
    shutil.rmtree(folder / "out", ignore_errors=True)
    assert main(["run", str(folder / "r.json"), "-q"]) == 0
    assert main(["status", str(folder / "r.json"), "--verify"]) == 0
    result = folder / "out" / "o.jsonl"
    data = bytearray(result.read_bytes())
    data[len(data) // 2] ^= 1
    result.write_bytes(data)
    assert main(["status", str(folder / "r.json")]) == 0
    capsys.readouterr()
    assert main(["status", str(folder / "r.json"), "--verify"]) == 1
    assert f"{result} is damaged: it is not what was written" in capsys.readouterr().out


def test_ranks_with_other_code_are_told_apart_by_its_content(tmp_path):
    def digest(place: str, code: str) -> str:
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / "code.py").write_text(code)
        op = {"python_file_mapper": {"file_path": str(tmp_path / place / "code.py"), "function_name": "change"}}
        return code_digest(build_plan(djfast.load_ops([op])))

    assert digest("a", "def change(row): return row") == digest("b", "def change(row): return row")
    assert digest("a", "def change(row): return row") != digest("b", "def change(row): return {}")


def test_a_job_in_the_working_folder_keeps_its_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text('{"text": "a"}\n')
    djfast.run({"dataset_path": "in.jsonl", "export_path": "o.jsonl", "process": [], "use_checkpoint": True})
    assert Path("o.run.json").exists()
