"""Each fault ends in a clear message, a true exit status and a state that the next run goes on from; none hangs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ranks.jobs import PROCESS, SPLIT_BYTES, Result, TestJob, undisturbed, write_documents
from tests.ranks.launching import Launch, Outcome, find_mpirun, launched, run

GOES_ON = "run the same command again to go on"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_documents(tmp_path_factory.mktemp("input") / "documents.jsonl", rows=800)


@pytest.fixture(scope="module")
def expected(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return undisturbed(tmp_path_factory.mktemp("undisturbed"), source)


@pytest.fixture
def job(tmp_path: Path, source: Path) -> TestJob:
    return TestJob(tmp_path, source)


def assert_complete(job: TestJob, outcome: Outcome, expected: Result) -> None:
    assert_done(job, outcome, expected)
    assert job.leftovers() == []


def assert_done(job: TestJob, outcome: Outcome, expected: Result) -> None:
    """Look at the result alone, while an older run is still alive and holds its lock."""
    assert outcome.status == 0, outcome.output
    assert job.result() == expected


def wait_until(launch: Launch, what: Callable[[], object]) -> None:
    """Wait until something is true of a launch that is still running."""
    end = time.monotonic() + 60
    while not what():
        assert launch.process.poll() is None, launch.output()
        assert time.monotonic() < end, launch.output()
        time.sleep(0.01)


# A lost rank


@pytest.mark.parametrize(
    "faults",
    [
        "kill@begin:1",
        "kill@part:1:2",
        "kill@part:0:2",
        "kill@line:0:3",
        "kill@answer:0",
        "kill@exchange:2:4",
        "kill@exchange:0:2",
        "kill@exchange:1:3 kill@part:0:9",
        "kill@merge:0:2",
        "kill@merge:1",
        "kill@publish:0",
        "kill@removal:0",
        "kill@farewell:1",
        "kill@farewell:0",
    ],
)
def test_the_others_finish_when_a_rank_is_lost(job: TestJob, expected: Result, faults: str) -> None:
    assert_complete(job, run(job.command(), ranks=3, survives=True, faults=faults), expected)


@pytest.mark.parametrize(("faults", "ranks"), [("kill@part:1:4", 2), ("kill@exchange:0:3", 1), ("kill@merge:0:2", 4)])
def test_a_killed_job_goes_on_with_another_number_of_ranks(job: TestJob, expected: Result, faults: str, ranks: int) -> None:
    killed = run(job.command(), ranks=3, faults=faults)
    assert killed.status != 0
    assert not job.export.exists()
    finished = job.parts()
    assert finished
    assert_complete(job, run(job.command(), ranks=ranks), expected)
    assert {split: times for split, times in job.parts().items() if split in finished} == finished, "a split was done again"


def test_ranks_end_with_a_killed_mpirun(job: TestJob, expected: Result) -> None:
    with launched(job.command(), ranks=3, faults="stop@exchange:2:6") as launch:
        wait_until(launch, lambda: len(job.parts()) > 40)
        launch.process.kill()
        launch.process.wait()
        # The one that was stopped cannot notice anything; the others may not wait for it.
        end = time.monotonic() + 30
        while set(launch.ranks()) - {2} and time.monotonic() < end:
            time.sleep(0.05)
        assert set(launch.ranks()) <= {2}
        # Its journal is as it left it, and the next run needs nothing from it.
        assert_complete(job, run(job.command(), ranks=2), expected)


def test_a_rank_that_is_lost_before_all_have_started_is_not_waited_for_forever(job: TestJob, expected: Result) -> None:
    failed = run(job.command(), ranks=3, survives=True, faults="kill@start:1", DJFAST_START_SECONDS="6")
    assert not job.export.exists()
    assert "connect_mpi" in failed.output
    assert_complete(job, run(job.command(), ranks=2), expected)


# Being asked to stop


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_is_asked_to_stop_stops_all(job: TestJob, expected: Result, rank: int) -> None:
    stopped = run(job.command(), ranks=3, faults=f"term@split:{rank}:3")
    assert stopped.status == 85, stopped.output
    assert "asked to stop" in stopped.output
    finished = job.parts()
    assert finished
    assert_complete(job, run(job.command(), ranks=2), expected)
    assert max(job.parts().values()) == 1, "a split was done again"


@pytest.mark.parametrize("place", ["begin", "exchange", "merge", "publish"])
def test_stopping_where_there_is_nothing_to_finish(job: TestJob, expected: Result, place: str) -> None:
    stopped = run(job.command(), ranks=2, faults=f"term@{place}:0")
    assert stopped.status == 85, stopped.output
    assert not job.export.exists()
    assert_complete(job, run(job.command(), ranks=3), expected)


def test_mpirun_hands_on_usr1(job: TestJob, expected: Result) -> None:
    with launched(job.command(), ranks=3) as launch:
        wait_until(launch, lambda: len(job.parts()) > 3)
        launch.process.send_signal(signal.SIGUSR1)
        stopped = launch.wait()
    assert stopped.status == 85, stopped.output
    assert_complete(job, run(job.command(), ranks=2), expected)


def test_mpirun_that_is_asked_to_stop(job: TestJob, expected: Result) -> None:
    with launched(job.command(), ranks=3) as launch:
        wait_until(launch, lambda: len(job.parts()) > 3)
        launch.process.terminate()
        assert launch.wait().status != 0  # it kills its ranks soon after, whatever they do
    assert_complete(job, run(job.command(), ranks=2), expected)


def test_a_process_alone_stops_and_goes_on(job: TestJob, expected: Result) -> None:
    stopped = run(job.command("--use_checkpoint"), ranks=None, faults="term@split:0:3")
    assert stopped.status == 85
    assert GOES_ON in stopped.output
    assert_complete(job, run(job.command("--use_checkpoint"), ranks=None), expected)


# Errors in one rank


@pytest.mark.parametrize("faults", ["raise@part:1:2", "raise@exchange:1:2", "raise@merge:0:2", "raise@desk:0:5", "raise@call:1"])
def test_an_exception_in_one_rank_ends_all(job: TestJob, expected: Result, faults: str) -> None:
    failed = run(job.command(), ranks=3, faults=faults)
    assert failed.status == 1, failed.output
    assert "a fault for the test" in failed.output
    assert "of 3" in failed.output
    assert GOES_ON in failed.output
    assert not job.export.exists()
    assert_complete(job, run(job.command(), ranks=2), expected)


def test_an_exception_is_not_a_lost_rank(job: TestJob) -> None:
    failed = run(job.command(), ranks=3, survives=True, faults="raise@part:1:2")
    assert failed.status == 1, failed.output
    assert "a fault for the test" in failed.output


def test_memory_that_is_not_there(job: TestJob, expected: Result) -> None:
    failed = run(job.command(), ranks=2, faults="exhaust@part:1:2")
    assert failed.status == 1
    assert "out of memory" in failed.output
    assert "batch_bytes" in failed.output
    assert "rank 1 of 2" in failed.output
    assert_complete(job, run(job.command(), ranks=2), expected)


# Disks and inputs


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A disk of some kibibytes; it is made, and grows, where it is asked for."""
    place = tmp_path / "disk"

    def sized(kibibytes: int) -> Path:
        place.mkdir(exist_ok=True)
        options = f"size={kibibytes}k" + (",remount" if place.is_mount() else "")
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, text=True, check=False
        )
        if made.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {made.stderr.strip()}")
        return place

    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    yield sized
    if place.is_mount():
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("ranks", [None, 2])
def test_a_disk_that_is_full_of_parts(
    job: TestJob, expected: Result, small_disk: Callable[[int], Path], ranks: int | None
) -> None:
    job.settings |= {"work_dir": str(small_disk(64)), "use_checkpoint": True}
    job.save()
    job.folder = small_disk(64) / "out.job"
    failed = run(job.command(), ranks=ranks)
    assert failed.status == 1
    assert f"cannot write {job.folder}" in failed.output
    assert "No space left on device; make room there and run again, or choose another place with work_dir" in failed.output
    assert not job.export.exists()
    finished = job.parts()
    assert finished
    small_disk(16384)
    outcome = run(job.command(), ranks=2)
    assert_complete(job, outcome, expected)
    assert {split: times for split, times in job.parts().items() if split in finished} == finished, "a split was done again"


@pytest.mark.parametrize("ranks", [None, 2])
@pytest.mark.parametrize("export", ["out.jsonl", "out.parquet", "out.jsonl.zst"])
def test_a_disk_that_is_too_small_for_the_result(
    job: TestJob, small_disk: Callable[[int], Path], ranks: int | None, export: str
) -> None:
    if ranks is not None and export != "out.jsonl":
        pytest.skip("the merge writes all formats the same way")
    job.settings |= {"export_path": str(small_disk(24) / export), "work_dir": str(job.export.parent)}
    job.settings |= {"use_checkpoint": True}
    job.save()
    failed = run(job.command(), ranks=ranks)
    assert failed.status == 1
    assert f"cannot write {small_disk(24)}" in failed.output
    assert "make room there" in failed.output
    assert [path.name for path in small_disk(24).iterdir() if "rejected" not in path.name] == []
    small_disk(16384)
    again = run(job.command(), ranks=ranks)
    assert again.status == 0, again.output
    assert max(job.parts().values()) == 1, "a split was done again"


def test_a_full_disk_without_a_job(job: TestJob, small_disk: Callable[[int], Path]) -> None:
    job.settings |= {"export_path": str(small_disk(24) / "out.jsonl"), "work_dir": str(job.export.parent)}
    job.save()
    failed = run(job.command(), ranks=None)
    assert failed.status == 1
    assert "choose another place with export_path" in failed.output
    assert [path.name for path in small_disk(24).iterdir() if "rejected" not in path.name] == []


def test_an_input_that_is_cut_off(tmp_path: Path, source: Path) -> None:
    import zstandard

    packed = zstandard.ZstdCompressor().compress(source.read_bytes())
    cut = tmp_path / "documents.jsonl.zst"
    cut.write_bytes(packed[: len(packed) // 2])
    failed = run(TestJob(tmp_path, cut).command(), ranks=2)
    assert failed.status == 1
    assert f"{cut} is cut off" in failed.output


def test_an_input_that_disappears(tmp_path: Path, source: Path) -> None:
    first, second = tmp_path / "in" / "a.jsonl", tmp_path / "in" / "b.jsonl"
    first.parent.mkdir()
    for path in (first, second):
        path.write_bytes(source.read_bytes())
    job = TestJob(tmp_path, first.parent)
    with launched(job.command(), ranks=2, faults="stop@split:0:2") as launch:
        wait_until(launch, lambda: "T" in _states(launch))
        second.unlink()
        second.mkdir()
        os.kill(launch.ranks()[0], signal.SIGCONT)
        failed = launch.wait()
    assert failed.status == 1
    assert str(second) in failed.output
    assert "Traceback" not in failed.output
    resumed = run(job.command(), ranks=2)
    assert resumed.status == 1
    assert f"inputs {second} is no longer there" in resumed.output


def _states(launch: Launch) -> list[str]:
    states = []
    for process in [*launch.ranks().values()] or [launch.process.pid]:
        with contextlib.suppress(OSError):
            states.append(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0])
    return states


# Going on with something else


@pytest.fixture
def unfinished(job: TestJob) -> TestJob:
    """A job that was killed in its second stage."""
    job.settings["use_checkpoint"] = True
    job.save()
    assert run(job.command(), ranks=None, faults="kill@part:0:40").status == -9
    assert {stage for stage, _ in job.parts()} == {0, 1}
    return job


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("process", [*PROCESS[:1], {"text_length_filter": {"min_len": 60}}, *PROCESS[2:]], "min_len was 50, is 60"),
        ("process", PROCESS[:-1], "process was"),
        ("keep_stats_in_res_ds", True, "settings keep_stats_in_res_ds was false, is true"),
    ],
)
def test_another_recipe_does_not_go_on(unfinished: TestJob, setting: str, value: object, message: str) -> None:
    unfinished.settings[setting] = value
    unfinished.save()
    refused = run(unfinished.command(), ranks=None)
    assert refused.status == 1
    assert message in refused.output
    assert "--fresh" in refused.output
    again = run(unfinished.command("--fresh"), ranks=None)
    assert again.status == 0
    assert unfinished.leftovers() == []


def test_another_input_does_not_go_on(tmp_path: Path, source: Path) -> None:
    own = tmp_path / "own.jsonl"
    own.write_bytes(source.read_bytes())
    job = TestJob(tmp_path, own)
    assert run(job.command(), ranks=2, faults="kill@part:1:4").status != 0
    with open(own, "a") as file:
        file.write('{"text": "one more"}\n')
    refused = run(job.command(), ranks=2)
    assert refused.status == 1
    assert f"inputs {own} has changed" in refused.output
    assert run(job.command("--fresh"), ranks=2).status == 0


def test_another_version_does_not_go_on(unfinished: TestJob) -> None:
    manifest = unfinished.folder / "job.json"
    record = json.loads(manifest.read_text())
    record["identity"]["version"] = "0.0.9"
    manifest.write_text(json.dumps(record))
    refused = run(unfinished.command(), ranks=None)
    assert refused.status == 1
    assert 'version was "0.0.9"' in refused.output


# What a crash leaves behind


def test_a_torn_line_of_the_journal_does_not_count(unfinished: TestJob, expected: Result) -> None:
    (journal,) = unfinished.folder.glob("journal/*.jsonl")
    journal.write_bytes(journal.read_bytes()[:-30])
    assert_complete(unfinished, run(unfinished.command(), ranks=None), expected)


@pytest.mark.parametrize("damage", [os.unlink, lambda path: os.truncate(path, 100)])
@pytest.mark.parametrize("what", ["stage-0/000000/000000003-*.part", "stage-1/000000/000000003-*.part", "stage-0/*.masks"])
def test_a_file_that_is_lost_or_cut_off_is_made_again(
    unfinished: TestJob, expected: Result, what: str, damage: Callable[[Path], None]
) -> None:
    for path in unfinished.folder.glob(f"parts/{what}"):
        damage(path)
    assert_complete(unfinished, run(unfinished.command(), ranks=2), expected)


def test_a_damaged_description_of_the_job(unfinished: TestJob) -> None:
    os.truncate(unfinished.folder / "job.json", 10)
    refused = run(unfinished.command(), ranks=None)
    assert refused.status == 1
    assert "job.json is damaged" in refused.output
    assert run(unfinished.command("--fresh"), ranks=None).status == 0


def test_leftovers_of_a_crash_in_the_merge_are_removed(job: TestJob, expected: Result) -> None:
    job.settings["use_checkpoint"] = True
    job.save()
    for place in ("merge:0:3", "publish"):
        assert run(job.command(), ranks=None, faults=f"kill@{place}").status == -9
        assert job.leftovers() != []
    assert_complete(job, run(job.command(), ranks=None), expected)


# A job that is complete


@pytest.mark.parametrize("ranks", [None, 2])
def test_a_complete_job_says_so(job: TestJob, expected: Result, ranks: int | None) -> None:
    job.settings["use_checkpoint"] = True
    job.save()
    # The kill comes when all is done but the cleaning up.
    assert run(job.command(), ranks=ranks, faults="kill@removal:0").status != 0
    before = job.export.stat().st_mtime_ns
    again = run(job.command(), ranks=ranks)
    assert "already complete" in again.output
    assert "--fresh" in again.output
    assert_complete(job, again, expected)
    assert job.export.stat().st_mtime_ns == before
    assert_complete(job, run(job.command("--fresh"), ranks=ranks), expected)
    assert job.export.stat().st_mtime_ns > before


@pytest.mark.parametrize("damage", [os.unlink, lambda path: os.truncate(path, 100)])
def test_a_complete_job_whose_result_is_gone_starts_over(
    job: TestJob, expected: Result, damage: Callable[[Path], None]
) -> None:
    assert run(job.command("--use_checkpoint"), ranks=None).status == 0
    damage(job.export)
    again = run(job.command("--use_checkpoint"), ranks=None)
    assert "starting over" in again.output
    assert_complete(job, again, expected)


def test_a_complete_job_is_no_obstacle(job: TestJob) -> None:
    assert run(job.command("--use_checkpoint"), ranks=None).status == 0
    job.settings["export_path"] = str(job.export.with_name("out.parquet"))
    job.save()
    assert run(job.command("--use_checkpoint"), ranks=None).status == 0
    assert job.export.with_name("out.parquet").exists()
    job.settings["process"] = PROCESS[:2]
    job.save()
    assert run(job.command("--use_checkpoint"), ranks=None).status == 0


# Two runs at the same time


@pytest.mark.parametrize("place", ["part:0:3", "answer", "merge:0:3"])
def test_a_second_run_takes_over(job: TestJob, expected: Result, place: str) -> None:
    job.settings["use_checkpoint"] = True
    job.save()
    with launched(job.command(), ranks=None, faults=f"stop@{place}") as first:
        wait_until(first, lambda: _states(first) == ["T"])
        assert_done(job, run(job.command(), ranks=None), expected)
        first.process.send_signal(signal.SIGCONT)
        stopped = first.wait()
    assert stopped.status == 1
    assert "another run has taken over" in stopped.output
    assert_complete(job, run(job.command(), ranks=None), expected)


@pytest.mark.parametrize("place", ["part:0:3", "part:0:40", "answer", "merge:0:3"])
def test_a_second_run_with_another_recipe_is_not_mixed_with_the_first(job: TestJob, expected: Result, place: str) -> None:
    process = job.settings["process"]
    job.settings |= {"use_checkpoint": True, "process": PROCESS[2:]}
    job.save()
    with launched(job.command(), ranks=None, faults=f"stop@{place}") as first:
        wait_until(first, lambda: _states(first) == ["T"])
        job.settings["process"] = process
        job.save()
        with launched(job.command("--fresh"), ranks=None, faults="stop@part:0:3") as second:
            wait_until(second, lambda: _states(second) == ["T"])
            first.process.send_signal(signal.SIGCONT)
            stopped = first.wait()
            second.process.send_signal(signal.SIGCONT)
            outcome = second.wait()
    assert stopped.status == 1
    assert "another run" in stopped.output
    assert_complete(job, outcome, expected)


def test_ranks_give_way_to_a_second_run(job: TestJob, expected: Result) -> None:
    with launched(job.command(), ranks=3, faults="stop@part:1:3") as first:
        wait_until(first, lambda: "T" in _states(first))
        assert_done(job, run(job.command(), ranks=2), expected)
        os.kill(first.ranks()[1], signal.SIGCONT)
        stopped = first.wait()
    assert stopped.status == 1
    assert "another run has taken over" in stopped.output
    assert job.result() == expected


# Starting


def test_ranks_that_do_not_know_each_other(job: TestJob) -> None:
    find_mpirun()
    failed = run(job.command(), ranks=None, SLURM_STEP_NUM_TASKS="2", SLURM_PROCID="0", SLURM_STEP_ID="0")
    assert failed.status == 1
    assert "do not know each other" in failed.output
    assert "--mpi=" in failed.output
    assert not job.export.exists()


def test_there_is_enough_to_do(source: Path) -> None:
    assert source.stat().st_size > 15 * SPLIT_BYTES
