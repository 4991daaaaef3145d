"""How many threads `np: auto` takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import djfast
from djfast.ranks import cores
from djfast.ranks.cores import usable_cores
from djfast.ranks.launcher import detect_launch
from djfast.runners.memory import budget_of, threads_of


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return what makes this a machine of some cores, of which some are bound, with control groups as files say."""

    def make(count: int, *, bound: int | None = None, groups: str = "", **files: str) -> None:
        monkeypatch.setattr(os, "cpu_count", lambda: count)
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(bound or count)))
        (tmp_path / "cgroup").write_text(groups)
        for name, text in files.items():
            place = tmp_path / "tree" / name.replace("__", "/").replace("_dot_", ".")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text + "\n")
        monkeypatch.setattr(cores, "_CGROUPS", str(tmp_path / "tree"))
        monkeypatch.setattr(cores, "_OF_PROCESS", str(tmp_path / "cgroup"))

    return make


def test_all_cores_are_used_where_nothing_limits_them(machine) -> None:
    machine(16)
    assert usable_cores({}) == 16


def test_a_process_uses_the_cores_that_it_is_bound_to(machine) -> None:
    machine(16, bound=3)
    assert usable_cores({}) == 3


@pytest.mark.parametrize(("quota", "usable"), [("200000", 2), ("150000", 2), ("50000", 1), ("max", 16)])
def test_a_container_limits_the_time(machine, quota: str, usable: int) -> None:
    machine(16, groups="0::/a/b\n", a__b__cpu_dot_max=f"{quota} 100000")
    assert usable_cores({}) == usable


def test_limits_of_the_groups_around_count(machine) -> None:
    machine(16, groups="0::/a/b\n", a__b__cpu_dot_max="max 100000", a__cpu_dot_max="400000 100000")
    assert usable_cores({}) == 4


def test_a_container_that_sees_its_group_as_the_root_is_limited(machine) -> None:
    machine(16, groups="0::/docker/1234\n", cpu_dot_max="300000 100000")
    assert usable_cores({}) == 3


def test_control_groups_of_the_first_version_count(machine) -> None:
    files = {"cpu,cpuacct__job__cpu_dot_cfs_quota_us": "250000", "cpu,cpuacct__job__cpu_dot_cfs_period_us": "100000"}
    machine(16, groups="4:memory:/job\n3:cpu,cpuacct:/job\n", **files)
    assert usable_cores({}) == 3
    machine(16, groups="4:memory:/job\n3:cpu,cpuacct:/job\n", **{**files, "cpu,cpuacct__job__cpu_dot_cfs_quota_us": "-1"})
    assert usable_cores({}) == 16


def test_slurm_says_what_a_task_may_use(machine) -> None:
    machine(16)
    assert [usable_cores({"SLURM_CPUS_PER_TASK": text}) for text in ("6", "64", "", "x", "0")] == [6, 16, 16, 16, 16]


def test_ranks_of_a_host_share_it(machine) -> None:
    machine(16)
    ranks = {"OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_LOCAL_SIZE": "4"}
    assert usable_cores(ranks) == 4
    assert usable_cores({**ranks, "OMPI_COMM_WORLD_LOCAL_SIZE": "64"}) == 1
    machine(16, bound=4)  # each to its own
    assert usable_cores(ranks) == 4


def test_ranks_of_a_part_of_a_host_share_that(machine) -> None:
    machine(64, bound=16, groups="0::/job\n", job__cpuset_dot_cpus_dot_effective="0-7,16-23")
    ranks = {"PMI_SIZE": "4", "PMI_RANK": "0", "MPI_LOCALNRANKS": "4"}
    assert usable_cores(ranks) == 4


@pytest.mark.parametrize(("host", "here"), [("0", 4), ("1", 4), ("2", 3), ("7", 3)])
def test_slurm_lists_the_tasks_of_each_host(host: str, here: int) -> None:
    step = {"SLURM_STEP_NUM_TASKS": "11", "SLURM_PROCID": "0", "SLURM_STEP_ID": "0", "SLURM_NODEID": host}
    launch = detect_launch({**step, "SLURM_STEP_TASKS_PER_NODE": "4(x2),3"})
    assert launch is not None
    assert launch.here == here


def test_memory_limits_the_threads_whose_batches_it_holds(machine) -> None:
    machine(4096)
    settings = {"np": "auto", "memory": 256 << 20, "batch_bytes": 1 << 20}
    assert threads_of({**settings, "np": 300}) == 300
    threads = threads_of(settings)
    assert threads == 84
    assert budget_of(settings, workers=threads).batches_bytes <= 64 << 20


def test_a_run_takes_the_cores_that_it_may_use(machine, tmp_path: Path) -> None:
    machine(3)
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    recipe = {"dataset_path": str(tmp_path / "in.jsonl"), "export_path": str(tmp_path / "out.jsonl"), "process": []}
    assert djfast.run(recipe).threads == 3
    assert djfast.run(recipe, np="auto").threads == 3
    assert djfast.run(recipe, np=2).threads == 2
