"""A Slurm of one node for a test: its daemons run with files and ports of their own and end with the test."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "squeue", "sinfo")
_SETTINGS = """\
ClusterName=test
SlurmctldHost={host}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
NodeName={host} CPUs=8 RealMemory=4096
PartitionName=main Nodes=ALL Default=YES MaxTime=60 State=UP
"""


def why_no_slurm() -> str | None:
    """Return why this machine cannot run Slurm's daemons, None if it can."""
    missing = [program for program in _PROGRAMS if _find(program) is None]
    if missing:
        return f"Slurm is not installed: no {', '.join(missing)}"
    return None if os.geteuid() == 0 else "Slurm's daemons need root"


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Mapping[str, str]]:
    """Run Slurm; gives the environment in which its commands find it."""
    host = socket.gethostname()
    settings = folder / "slurm.conf"
    settings.write_text(_SETTINGS.format(host=host, folder=folder, ports=_free_ports(2)))
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    environment = {**os.environ, "SLURM_CONF": str(settings)}
    munge = [f"--{name}={folder}/munge.{name}" for name in ("pid-file", "log-file", "seed-file")]
    with contextlib.ExitStack() as running:
        for command in (
            ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge", *munge],
            ["slurmctld", "-D"],
            ["slurmd", "-D", "-N", host],
        ):
            log = running.enter_context(open(folder / f"{command[0]}.log", "wb"))
            program = str(_find(command[0]))
            daemon = subprocess.Popen([program, *command[1:]], env=environment, stdout=log, stderr=log)
            running.callback(_end, daemon)
            if command[0] == "munged":
                _wait(lambda: (folder / "munge").exists(), "munged does not start")
        _wait(lambda: "idle" in ask(environment, "sinfo", "-h", "-o", "%t"), "the node does not come up")
        running.callback(ask, environment, "scancel", "--user=root")
        yield environment


def ask(environment: Mapping[str, str], *command: str) -> str:
    """Return what one of Slurm's commands prints."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30).stdout.strip()


def wait_for_state(environment: Mapping[str, str], job: str, *states: str, seconds: float = 40) -> None:
    """Wait until a job is in one of some states."""
    _wait(lambda: _state(environment, job) in states, f"job {job} is not {' or '.join(states)}", seconds)


def _state(environment: Mapping[str, str], job: str) -> str:
    shown = ask(environment, "scontrol", "show", "job", "-o", job)
    return next((word.removeprefix("JobState=") for word in shown.split() if word.startswith("JobState=")), "")


def _wait(is_so: object, complaint: str, seconds: float = 20) -> None:
    assert callable(is_so)
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.1)


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(timeout=10)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("", 0))
        return [each.getsockname()[1] for each in sockets]
