"""Which vector instructions are used can be lowered, and only lowered."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("level", ["serial", "avx2"])
def test_the_environment_lowers_the_level(level: str) -> None:
    code = "from djfast import _native; print(_native.active_isa())"
    best = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    lowered = {**os.environ, "DJFAST_ISA": level}
    run = subprocess.run([sys.executable, "-c", code], env=lowered, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ("serial" if best == "serial" else level)
