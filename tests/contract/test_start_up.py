"""Start-up is a feature: importing djfast and asking for help stay fast and light."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

HEAVY = (
    "torch",
    "pandas",
    "datasets",
    "transformers",
    "aiohttp",
    "asyncio",
    "numpy",
    "pyarrow",
    "regex",
    "ftfy",
    "zstandard",
    "dataclasses",
    "yaml",
)


def _modules_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nimport json; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout.splitlines()[-1]))


def _seconds(*arguments: str) -> float:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def test_importing_djfast_imports_nothing_heavy() -> None:
    modules = _modules_after("import djfast")
    assert not modules & {*HEAVY, "djfast._native"}


def test_loading_ops_imports_nothing_heavy() -> None:
    modules = _modules_after("import djfast; djfast.load_ops([{'text_length_filter': {}}, {'fix_unicode_mapper': {}}])")
    assert not modules & set(HEAVY)


def test_a_native_run_imports_no_library() -> None:
    """A recipe whose OPs are all native needs neither Arrow nor the regular-expression engines."""
    code = (
        "import djfast\n"
        "[op] = djfast.load_ops([{'text_length_filter': {'min_len': 1}}])\n"
        "assert djfast.Dataset.from_list([{'text': 'a'}]).process(op).to_list() == [{'text': 'a'}]"
    )
    assert not _modules_after(code) & set(HEAVY)


def test_import_takes_less_than_a_tenth_of_a_second() -> None:
    assert _seconds("-c", "import djfast") - _seconds("-c", "pass") < 0.1


def test_help_takes_less_than_three_tenths_of_a_second() -> None:
    assert _seconds("-m", "djfast", "--help") < 0.3
