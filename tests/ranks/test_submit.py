"""What `djfast submit` writes, what the written file does, and what `djfast status` says."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from djfast.cli.main import main
from djfast.ranks.slurm import BatchFile
from djfast.runners.job.journal import PartEntry, entry_of

HOSTILE = "a b'; touch pwned; $(touch pwned) `touch pwned` \"\n#SBATCH --nodes=9\n.yaml"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "in.jsonl").write_text('{"text": "a text that is long enough"}\n')
    return write_recipe(tmp_path / "recipe.yaml", tmp_path)


def write_recipe(path: Path, folder: Path, **keys: Any) -> Path:
    content = {"dataset_path": str(folder / "in.jsonl"), "export_path": str(folder / "out.jsonl"), "np": 3}
    path.write_text(json.dumps({**content, "process": ["text_length_filter"], **keys}))
    return path


def submit(recipe: Path, *arguments: str) -> str:
    assert main(["submit", str(recipe), "--mpi", "openmpi", *arguments]) == 0
    return recipe.with_name("out.sbatch").read_text()


def test_the_file_asks_for_what_the_recipe_needs(recipe: Path) -> None:
    text = submit(
        recipe, "--nodes", "4", "--ranks-per-node", "2", "--memory", "3GiB", "--time", "1-12:00:00",
        "--partition", "long,short", "--account", "lab_7", "--job-name", "clean",
    )  # fmt: skip
    options = {line.removeprefix("#SBATCH ") for line in text.splitlines() if line.startswith("#SBATCH ")}
    assert options == {
        "--job-name=clean", "--nodes=4", "--ntasks-per-node=2", "--cpus-per-task=3", "--mem=6144M", "--time=1-12:00:00",
        "--partition=long,short", "--account=lab_7", f'--output="{recipe.parent}/out-%j.log"', "--open-mode=append",
        "--signal=B:USR1@120", "--requeue", "--export=ALL",
    }  # fmt: skip
    assert "mpirun -n 8 --bind-to none --with-ft ulfm" in text


def test_a_number_of_cpus_must_be_given(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", str(recipe), "--mpi", "openmpi", "--np", "auto"]) == 2
    assert "np must be an integer here, the CPUs that Slurm gives each rank: --np 16, got auto" in capsys.readouterr().err


@pytest.mark.parametrize(("library", "interface"), [("openmpi", "pmix"), ("mpich", "pmi2")])
def test_srun_speaks_the_language_of_the_library(recipe: Path, library: str, interface: str) -> None:
    text = submit(recipe, "--mpi", library, "--launcher", "srun")
    assert f"\nsrun --mpi={interface} --ntasks 1 --cpus-per-task=3 " in text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--nodes", "0"], "--nodes: must be an integer from 1 to 100000, got '0'"),
        (["--ranks-per-node", "two"], "--ranks-per-node: must be an integer from 1 to 4096, got 'two'"),
        (["--time", "1h"], "--time: must be minutes, MM:SS, HH:MM:SS, D-HH, D-HH:MM or D-HH:MM:SS, got '1h'"),
        (["--job-name", "$(id)"], "--job-name: must be letters, digits and . _ + @ -, at most 64, got '$(id)'"),
        (["--partition", "a\n#SBATCH --nodes=9"], "--partition: must be names separated by commas, got"),
        (["--account", "a b"], "--account: must be letters"),
        (["--output", 'a"b'], "--output: must be a path without quotes, backslashes and control characters, got"),
        (["--env", "HF_TOKEN=abc"], "--env: must be the name of a variable, without a value, got 'HF_TOKEN=abc'"),
        (["--sbatch-arg=--qos=high\n#SBATCH --nodes=9"], "--sbatch-arg: must be one option of sbatch on one line, got"),
        (["--sbatch-arg=qos"], "--sbatch-arg: must be one option of sbatch on one line, got 'qos'"),
        (["--mpi", "lam"], "--mpi: invalid choice: 'lam'"),
    ],
)
def test_wrong_values_are_named(recipe: Path, arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["submit", str(recipe), *arguments])
    assert stop.value.code == 2
    assert complaint in capsys.readouterr().err
    assert not recipe.with_name("out.sbatch").exists()


def test_secrets_go_by_name(recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    text = submit(recipe, "--env", "HF_TOKEN")
    assert "hf_very_secret" not in text
    assert " -x HF_TOKEN " in text
    recipe.with_name("out.sbatch").unlink()
    assert main(["submit", str(recipe), "--set", "process.text_length_filter.api_key=hf_very_secret"]) == 2
    said = capsys.readouterr().err
    assert "--set process.text_length_filter.api_key is a secret and would be written into the batch file" in said
    assert "hf_very_secret" not in said
    assert not recipe.with_name("out.sbatch").exists()


def test_further_options_of_sbatch_stand_last_and_as_given(recipe: Path) -> None:
    text = submit(recipe, "--time", "60", "--sbatch-arg=--qos=high", "--sbatch-arg=--constraint=a100&ib", "--sbatch-arg=-x node7")
    options = [line.removeprefix("#SBATCH ") for line in text.splitlines() if line.startswith("#SBATCH ")]
    assert options[-4:] == ["--time=60", "--qos=high", "--constraint=a100&ib", "-x node7"]


def test_lines_of_the_setup_stand_before_the_run(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    setup = tmp_path / "setup.sh"
    setup.write_bytes(b'module load openmpi\r\nexport WHO="{braces} %j"')
    text = submit(recipe, "--setup", str(setup))
    assert 'module load openmpi\nexport WHO="{braces} %j"\n\ncd ' in text
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
    recipe.with_name("out.sbatch").unlink()
    assert main(["submit", str(recipe), "--mpi", "openmpi", "--setup", str(tmp_path / "absent.sh")]) == 2
    assert "--setup must be a readable file of shell lines" in capsys.readouterr().err
    assert not recipe.with_name("out.sbatch").exists()


def test_send_hands_the_file_to_sbatch(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["submit", str(recipe), "--mpi", "mpich", "--send"]) == 1
    assert "--send needs sbatch, which is not in PATH" in capfd.readouterr().err
    program(tmp_path / "sbatch", '[ "$1" = -- ] && echo "Submitted batch job 7 of $2"')
    assert main(["submit", str(recipe), "--mpi", "mpich", "--send"]) == 0
    assert f"Submitted batch job 7 of {tmp_path}/out.sbatch\n" in capfd.readouterr().out
    program(tmp_path / "sbatch", "echo no such account >&2; exit 1")
    assert main(["submit", str(recipe), "--mpi", "mpich", "--send"]) == 1
    assert "sbatch did not accept" in capfd.readouterr().err


# What the file does


class Played:
    """The file run by bash with a launcher, a Slurm and a djfast that only play their parts."""

    def __init__(self, folder: Path, *, run: int, standings: list[int], recipe: tuple[str, ...] = ("r.yaml",), **options: Any):
        self.folder = folder
        programs = folder / "programs"
        programs.mkdir()
        calls = shlex.quote(str(folder / "calls"))
        record = f'printf "%s\\0" "$@" >> {calls}; printf "\\1" >> {calls}\n'
        (folder / "standings").write_text("".join(f"{standing}\n" for standing in standings))
        program(
            programs / "python",
            record + f'cd {shlex.quote(str(folder))}\n[ "$3" = run ] && exit {run}\n'
            "read -r standing < standings; sed -i 1d standings; exit $standing",
        )
        program(programs / "srun", 'shift 4; exec "$@"')
        program(programs / "scontrol", record)
        batch = BatchFile(
            recipe=recipe, folder=str(folder), python=str(programs / "python"), nodes=1, ranks_per_node=1, threads=1,
            memory_bytes=2**30, job_name="job", output="log", library="openmpi", launcher="srun", mpirun="mpirun", requeues=2,
            **options,
        )  # fmt: skip
        batch.write(folder / "job.sbatch")
        path = f"{programs}:{os.environ['PATH']}"
        restarts = {"SLURM_RESTART_COUNT": os.environ["RESTARTS"]} if "RESTARTS" in os.environ else {}
        environment = {**os.environ, "PATH": path, "SLURM_JOB_ID": "7", **restarts}
        self.status = subprocess.run(["bash", str(folder / "job.sbatch")], env=environment, check=False, timeout=30).returncode
        called = (folder / "calls").read_text() if (folder / "calls").exists() else ""
        self.calls = [call.split("\0")[:-1] for call in called.split("\1")[:-1]]

    @property
    def is_requeued(self) -> bool:
        return ["requeue", "7"] in self.calls


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


def test_nothing_in_a_name_reaches_the_shell(tmp_path: Path) -> None:
    folder = tmp_path / "a b'$(touch pwned)"
    folder.mkdir()
    arguments = (f"/{HOSTILE}", f"--set=export_path={HOSTILE}", "--np", "2")
    played = Played(folder, run=0, standings=[1, 0], recipe=arguments)
    assert played.status == 0
    assert played.calls == [["-m", "djfast", verb, *arguments] for verb in ("status", "run", "status")]
    assert not list(tmp_path.rglob("pwned"))


def test_a_complete_job_is_left_alone(tmp_path: Path) -> None:
    played = Played(tmp_path, run=0, standings=[0])
    assert (played.status, len(played.calls)) == (0, 1)


@pytest.mark.parametrize("run", [0, 85])
def test_an_unfinished_run_is_put_back_even_if_its_launcher_returns_0(tmp_path: Path, run: int) -> None:
    played = Played(tmp_path, run=run, standings=[1, 85])
    assert (played.status, played.is_requeued) == (85, True)


@pytest.mark.parametrize("run", [1, 2, 137])
def test_a_failed_run_is_not_put_back(tmp_path: Path, run: int) -> None:
    played = Played(tmp_path, run=run, standings=[1, 85])
    assert (played.status, played.is_requeued) == (run, False)


def test_a_job_is_put_back_a_limited_number_of_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTARTS", "2")
    played = Played(tmp_path, run=0, standings=[85, 85])
    assert (played.status, played.is_requeued) == (85, False)


def test_a_missing_variable_is_said_before_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    played = Played(tmp_path, run=0, standings=[1, 0], environment=("HF_TOKEN",))
    assert (played.status, played.calls) == (2, [])


# Status


def test_status_tells_not_begun_from_complete(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(recipe)]) == 1
    assert capsys.readouterr().out.startswith("not begun: there is no job in ")
    run_with_checkpoints(recipe)
    assert main(["status", str(recipe)]) == 0
    assert capsys.readouterr().out == f"complete: {recipe.parent}/out.jsonl\n"


def test_a_complete_job_of_another_recipe_or_without_its_result_is_none(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_with_checkpoints(recipe)
    assert main(["status", str(recipe), "--text_length_filter.min_len", "7"]) == 1
    assert "holds another job: process[0] text_length_filter min_len" in capsys.readouterr().out
    recipe.with_name("out.jsonl").unlink()
    assert main(["status", str(recipe)]) == 1
    assert "is gone or has changed since" in capsys.readouterr().out


def test_status_counts_the_splits_of_a_stage(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_with_checkpoints(recipe)
    folder = recipe.parent / "out.job"
    journal = next((folder / "journal").glob("*.jsonl"))
    [line] = [line for line in journal.read_bytes().splitlines(True) if b'"entry":"part"' in line]
    journal.write_bytes(line)
    part = entry_of(line[:-1])
    assert isinstance(part, PartEntry)
    (folder / part.path).parent.mkdir(parents=True)
    (folder / part.path).write_bytes(bytes(part.size))
    assert main(["status", str(recipe)]) == 85
    assert capsys.readouterr().out == "unfinished: all stages, but not the result\n"
    (folder / part.path).unlink()
    assert main(["status", str(recipe)]) == 85
    assert capsys.readouterr().out == "unfinished: 0 of 1 splits of stage 1 of 1\n"


def run_with_checkpoints(recipe: Path) -> None:
    command = [sys.executable, "-m", "djfast", "run", "-q", str(recipe), "--use_checkpoint", "true"]
    subprocess.run(command, check=True, timeout=60)


@pytest.mark.parametrize("name", ["a\ntouch injected\n#", 'a"b', "a\x1b[2J"])
def test_a_folder_whose_name_would_be_lines_of_the_batch_file_is_refused(
    recipe: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    assert main(["submit", str(recipe), "--mpi", "openmpi", "--output", "rel.log", "--file", str(tmp_path / "x.sbatch")]) == 2
    assert "--output must have no line feeds" in capsys.readouterr().err
    assert not (tmp_path / "x.sbatch").exists()
