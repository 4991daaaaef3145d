"""Starting ranks by mpirun, for tests."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_FLAGS = ["--oversubscribe", "--bind-to", "none", "--mca", "pml", "ob1", "--mca", "btl", "self,sm,tcp", "--mca", "osc", "^ucx"]
_AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
_TESTS = Path(__file__).parents[2]


def run_module(size: int, module: str, *arguments: str, timeout: float = 170) -> None:
    """Run a module of the tests as `size` ranks; skips where there is no MPI.

    It must end with status 0, or the test fails with what it printed.
    """
    mpirun = shutil.which("mpirun", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if mpirun is None or importlib.util.find_spec("mpi4py") is None:
        pytest.skip("there is no mpirun or no mpi4py; pip install '.[test]'")
    # Started elsewhere, ranks would not find the tests.
    environment = {**os.environ, **_AS_ROOT, "PYTHONPATH": f"{_TESTS}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [mpirun, *_FLAGS, "-n", str(size), sys.executable, "-m", module, *arguments]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)
    assert ended.returncode == 0, ended.stderr[-5000:]
