"""The cores that this process may use: what the system, its container, Slurm and the other ranks of its host leave it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from djfast.ranks.launcher import detect_launch

_CGROUPS = "/sys/fs/cgroup"
_OF_PROCESS = "/proc/self/cgroup"


def usable_cores(environment: Mapping[str, str]) -> int:
    """Return how many threads this process can run at a time.

    These are the cores that it is bound to, at most those that ``SLURM_CPUS_PER_TASK`` names, and at most its part of what its
    host or container has: ranks on one host share it evenly.
    """
    bound = _bound_cores()
    launch = detect_launch(environment)
    share = _cores_of_container(bound) // (launch.here if launch is not None else 1)
    given = environment.get("SLURM_CPUS_PER_TASK", "")
    return max(1, min(bound, share, int(given) if given.isdecimal() and int(given) else bound))


def _bound_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cores_of_container(bound: int) -> int:
    """Return the cores of the host, cut by what control groups allow: the cores that they name, and their share of time."""
    cores = max(bound, os.cpu_count() or 1)
    for folder in _control_groups():
        for name in ("cpuset.cpus.effective", "cpuset.effective_cpus"):
            if named := _listed(_text(f"{folder}/{name}")):
                cores = min(cores, named)
        quota, period = [*_text(f"{folder}/cpu.max").split(), "", ""][:2]
        if not quota:
            quota, period = _text(f"{folder}/cpu.cfs_quota_us"), _text(f"{folder}/cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal() and int(period):
            cores = min(cores, max(1, -(-int(quota) // int(period))))  # part of a core is worth a thread
    return cores


def _control_groups() -> Iterator[str]:
    """Yield the folders of this process's control groups, of version 1 and 2, and of all groups around them."""
    for line in _text(_OF_PROCESS).splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and not {"cpu", "cpuset"} & set(controllers.split(",")):
            continue
        # A container may see its own group as the root of the tree, whatever its path is outside.
        while True:
            yield f"{_CGROUPS}/{controllers}{path.rstrip('/')}" if controllers else f"{_CGROUPS}{path.rstrip('/')}"
            if path in ("", "/"):
                break
            path = path.rpartition("/")[0]


def _listed(text: str) -> int:
    """Count what a list such as ``0-3,8`` names."""
    count = 0
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            return 0
        count += int(last or first) - int(first) + 1
    return count


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
