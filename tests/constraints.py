"""Write constraints.txt, the versions that the tests are known to pass with: python tests/constraints.py.

A new environment gets the newest packages that the extra `test` allows. Packages of other versions of Python are not named, so
elsewhere a constraint that does not fit is an error of pip's; `make latest` installs without them.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAD = """\
# The versions that the tests pass with, on CPython {version} and Linux. Written by tests/constraints.py; what djfast itself
# allows stands in pyproject.toml. `make latest` runs the tests without this file.
"""


def main() -> int:
    """Install, freeze, write."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"{ROOT}[test]"], check=True)
        frozen = subprocess.run([python, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
    lines = [line for line in frozen.splitlines() if "==" in line and not line.startswith("djfast")]
    head = HEAD.format(version=".".join(platform.python_version_tuple()[:2]))
    (ROOT / "constraints.txt").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"constraints.txt: {len(lines)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
