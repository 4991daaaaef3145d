"""A batch job of `djfast submit` in a real Slurm: stopped in the middle, put back into the queue, complete in the end."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.ranks.cases import COMPLETE, DJFAST, ENVIRONMENT, make_case
from tests.ranks.launching import installed_mpirun
from tests.ranks.slurm import ask, cluster, wait_for_state, why_no_slurm

REASON = why_no_slurm() or (None if installed_mpirun() else "there is no mpirun")
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


@pytest.fixture
def slurm() -> Iterator[Mapping[str, str]]:
    # Not in pytest's own folder: paths of sockets must be short.
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:
        Path(folder).chmod(0o755)  # munge wants its socket reachable
        with cluster(Path(folder)) as environment:
            yield environment


def test_a_stopped_job_goes_back_into_the_queue_and_completes(slurm: Mapping[str, str], tmp_path: Path) -> None:
    case = make_case(tmp_path)
    submit = [*DJFAST, "submit", str(case.recipe), "--ranks-per-node", "2", "--time", "5", "--memory", "1GiB", "--send"]
    sent = subprocess.run(submit, env={**ENVIRONMENT, **slurm}, check=True, capture_output=True, text=True, timeout=30).stdout
    job = sent.split()[-1]
    deadline = time.monotonic() + 30
    while case.finished_splits() < 5:
        assert time.monotonic() < deadline, "the job does not get on"
        time.sleep(0.01)
    ask(slurm, "scancel", "--batch", "--signal=USR1", job)
    wait_for_state(slurm, job, "PENDING")
    assert not case.result.exists()
    time.sleep(2)  # Slurm lets a job wait for two minutes; in the same second it would not take it
    ask(slurm, "scontrol", "update", f"JobId={job}", "StartTime=now")
    wait_for_state(slurm, job, "COMPLETED", "FAILED")
    log = case.result.with_name(f"ranks-{job}.log").read_text()
    assert case.status() == COMPLETE, log
    assert case.result.read_bytes() == case.expected
    assert "unfinished: " in log
    assert "Restarts=1 " in ask(slurm, "scontrol", "show", "job", "-o", job)
