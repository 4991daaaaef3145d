"""Ranks on several hosts: the same bytes over a network, and what is left when a host or the link to it is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ranks.cases import COMPLETE, DJFAST, ENVIRONMENT, UNFINISHED, Case, make_case
from tests.ranks.hosts import Hosts, two_hosts, why_no_hosts
from tests.ranks.launching import find_mpirun

REASON = why_no_hosts()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with two_hosts() as hosts:
        yield hosts


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return make_case(tmp_path)


def start(hosts: Hosts, case: Case, *, each: int) -> subprocess.Popen[bytes]:
    command = hosts.mpirun([*DJFAST, "run", "-q", str(case.recipe)], each=each)
    return subprocess.Popen(command, env=ENVIRONMENT, start_new_session=True)


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for_splits(case: Case, process: subprocess.Popen[bytes], *, count: int) -> None:
    deadline = time.monotonic() + 30
    while case.finished_splits() < count:
        assert process.poll() is None, "the run ended before it could be disturbed"
        assert time.monotonic() < deadline, "the run does not get on"
        time.sleep(0.01)


def test_two_hosts_give_the_bytes_of_one_process(hosts: Hosts, case: Case) -> None:
    process = start(hosts, case, each=2)
    try:
        assert process.wait(timeout=60) == 0
    finally:
        end(process)
    assert case.result.read_bytes() == case.expected
    assert case.status() == COMPLETE
    journal = case.result.with_name("ranks.job") / "journal"
    writers = [path.name for path in journal.glob("*.jsonl")]
    assert all(any(f"-{name}-" in writer for writer in writers) for name in hosts.names), writers
    received, sent = hosts.bytes_over_link()
    # Only Open MPI can be told to use nothing but TCP; MPICH finds out that both hosts share their memory.
    assert min(received, sent) > (100_000 if find_mpirun().is_open_mpi else 5_000)


def test_a_lost_host_leaves_a_run_that_another_finishes(hosts: Hosts, case: Case) -> None:
    process = start(hosts, case, each=2)
    try:
        wait_for_splits(case, process, count=5)
        hosts.crash(hosts.names[1])
        process.wait(timeout=30)  # Open MPI says 0 here
        assert case.status() == UNFINISHED
        assert not case.result.exists()
        before = case.finished_splits()
        process = start(hosts, case, each=1)
        assert process.wait(timeout=60) == 0
    finally:
        end(process)
    assert case.status() == COMPLETE
    assert case.result.read_bytes() == case.expected
    assert before > 0


def test_hosts_that_cannot_reach_each_other_do_not_hang(hosts: Hosts, case: Case) -> None:
    if not find_mpirun().is_open_mpi:
        pytest.skip("only Open MPI has a failure detector; with MPICH the launcher or the batch system must notice")
    process = start(hosts, case, each=2)
    try:
        wait_for_splits(case, process, count=5)
        hosts.cut()
        # The ranks that are left finish the run, on either side; mpirun itself waits for ever.
        deadline = time.monotonic() + 40
        while process.poll() is None and case.status() != COMPLETE:
            assert time.monotonic() < deadline, "the ranks hang"
            time.sleep(0.5)
        end(process)
        for name in hosts.names:
            hosts.crash(name)
        if case.status() != COMPLETE:
            subprocess.run([*DJFAST, "run", "-q", str(case.recipe), "--use_checkpoint", "true"], check=True, timeout=60)
    finally:
        end(process)
    assert case.status() == COMPLETE
    assert case.result.read_bytes() == case.expected
