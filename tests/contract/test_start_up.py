"""Start-up is a feature: importing djfast and asking for help stay fast and light."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

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


# What a run of native OPs on lines of JSON has no use for, and would have to wait for.
UNUSED = (
    "pathlib",
    "urllib.parse",
    "shutil",
    "tempfile",
    "hashlib",
    "uuid",
    "platform",
    "djfast.rows.arrow_rows",
    "djfast.io.write.upload",
    "djfast.ranks.alone",
    "djfast.recipe.validators",
    "djfast.runners.reorder",
    "djfast.runners.spool",
)
MOST_MODULES = 84  # of djfast in such a run


def _modules_after(code: str, *arguments: str) -> set[str]:
    script = f"import sys\n{code}\nimport json; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
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


def _plain_recipe(folder: Path) -> str:
    (folder / "in.jsonl").write_text('{"text": "long enough"}\n{"text": "no"}\n')
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        f"dataset_path: {folder}/in.jsonl\nexport_path: {folder}/out.jsonl\nnp: 2\n"
        "process:\n- text_length_filter:\n    min_len: 5\n- words_num_filter:\n    min_num: 1\n"
    )
    return str(recipe)


def test_a_plain_run_loads_only_what_it_uses(tmp_path: Path) -> None:
    code = "from djfast.cli.main import main; assert main(['run', sys.argv[1], '--quiet']) == 0"
    own = _modules_after("import argparse; argparse.ArgumentParser()")  # of the standard library, before djfast asks for any
    modules = _modules_after(code, _plain_recipe(tmp_path)) - own
    assert (tmp_path / "out.jsonl").read_text().count("\n") == 1
    assert not modules & ({*HEAVY, *UNUSED} - {"yaml"})  # which reads the recipe
    assert len([name for name in modules if name.partition(".")[0] == "djfast"]) <= MOST_MODULES


def test_the_garbage_collector_works_once_a_command_has_started(tmp_path: Path) -> None:
    code = (
        "import gc, sys; from djfast.cli.main import main; from djfast.runners import local\n"
        "run_plan = local.run_plan\n"
        "def seen(*arguments, **named):\n"
        "    print(gc.isenabled(), gc.get_freeze_count() > 0)\n"
        "    return run_plan(*arguments, **named)\n"
        "local.run_plan = seen\n"
        "print(main(['run', sys.argv[1], '--quiet']), main(['run', 'no.yaml']), gc.isenabled())"
    )
    run = subprocess.run([sys.executable, "-c", code, _plain_recipe(tmp_path)], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["True True", "0 2 True"]


def test_import_takes_less_than_a_tenth_of_a_second() -> None:
    assert _seconds("-c", "import djfast") - _seconds("-c", "pass") < 0.1


def test_help_takes_less_than_three_tenths_of_a_second() -> None:
    assert _seconds("-m", "djfast", "--help") < 0.3
