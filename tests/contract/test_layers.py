"""Imports point down, types hold, style holds: the checks of `make lint`, as tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("ruff", ["check", "src", "tests", "bench", "docs", "recipes"]),
        ("mypy", []),
        ("importlinter.cli", []),
    ],
    ids=["ruff", "mypy", "import-linter"],
)
def test_check_passes(module: str, arguments: list[str]) -> None:
    pytest.importorskip(module.partition(".")[0])
    code = (
        f"import sys; sys.argv = ['{module}', *{arguments!r}]; "
        + {
            "ruff": "import runpy; runpy.run_module('ruff', run_name='__main__')",
            "mypy": "import runpy; runpy.run_module('mypy', run_name='__main__')",
            "importlinter.cli": "from importlinter.cli import lint_imports_command; lint_imports_command()",
        }[module]
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
