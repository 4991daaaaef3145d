"""Build the native module with AddressSanitizer and UndefinedBehaviorSanitizer and run the native tests or a module with it.

    python tests/sanitize.py [pytest arguments]
    python tests/sanitize.py -m tests.fuzz.arrow_campaign [its arguments]

Needs g++ (or clang++) with its sanitizer runtimes, cmake, ninja or make, pybind11, regex and ftfy; takes some minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = [f"tests/{name}" for name in ("kernels", "dedup", "io", "functions", "models/test_language.py", "run", "fuzz")]


def main() -> int:
    """Build, then run the tests against the instrumented module."""
    import pybind11

    build = ROOT / "build" / "sanitize"
    configure = [
        "cmake",
        "-S",
        str(ROOT),
        "-B",
        str(build),
        "-DDJFAST_SANITIZE=ON",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
    ]
    if shutil.which("ninja"):
        configure += ["-G", "Ninja"]
    subprocess.run(configure, check=True)
    subprocess.run(["cmake", "--build", str(build), "--parallel"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "djfast"
        shutil.copytree(ROOT / "src" / "djfast", package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        for module in build.glob("_native*.so"):
            shutil.copy(module, package)
        compiler = os.environ.get("CXX", "g++")
        runtimes = [_runtime(compiler, name) for name in ("libasan.so", "libubsan.so")]
        environment = {
            **os.environ,
            "PYTHONPATH": folder,
            "LD_PRELOAD": " ".join(runtimes),
            # Python keeps memory until it exits; only errors in use are looked for.
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "PYTHONMALLOC": "malloc",
            "ARROW_DEFAULT_MEMORY_POOL": "system",  # whose blocks are watched
            "HYPOTHESIS_PROFILE": os.environ.get("HYPOTHESIS_PROFILE", "default"),
        }
        arguments = sys.argv[1:] or ["-q", "-x", *TESTS]
        if arguments[0] != "-m":
            arguments = ["-m", "pytest", *arguments]
        return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=False).returncode


def _runtime(compiler: str, name: str) -> str:
    found = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return found.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
