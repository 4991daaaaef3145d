"""Kill runs while they write, and look at what is left: python tests/kills.py --kills 200 [--seed N] [--folder DIR].

Each round takes a form of result and a way of running (one process, a job, ranks under mpirun where there is one). A result of an
earlier recipe lies there. The run of the new one is killed with SIGKILL after a random time, or ends by itself before its nth
change of names. Then

- a result that has its record is whole: all files are those of the earlier run, or all are those of the new one;
- what the next run begins with, the end of a commit that was cut off, leaves one of the two whole;
- the same command again gives the new result, and nothing else lies beside it.

    python tests/kills.py --at N RECIPE     # one run, which ends before its Nth change of names
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
CALLS = ("replace", "rename", "unlink", "rmdir", "mkdir", "fsync")
ENDED = 137
FORMS: dict[str, dict[str, Any]] = {
    "docs.jsonl": {},
    "docs.jsonl.zst": {"export_shard_rows": 40},
    "docs.parquet": {},
    "docs.arrow": {"export_shard_rows": 40},
    "docs.csv.gz": {},
    "docs.tar": {},
    "docs.hf": {},
    "docs.json": {"export_shard_rows": 30},
}
WAYS = ("plain", "job", "ranks")


class Case(NamedTuple):
    """A form of result and a way of running."""

    export: str
    way: str

    def recipe(self, folder: Path, texts: str) -> Path:
        """Write the recipe that reads one of the two inputs, and return its path."""
        keys = dict(FORMS[self.export])
        if self.way == "plain":
            process: list[Any] = [{"text_length_filter": {"min_len": 5}}]
        else:
            process = [{"text_length_filter": {"min_len": 5}}, "document_deduplicator"]
            keys |= {"split_bytes": 2000, "use_checkpoint": self.way == "job"}
        path = folder / f"{texts}.json"
        recipe = {"dataset_path": str(folder / f"{texts}.jsonl"), "export_path": str(folder / "out" / self.export), "np": 1}
        path.write_text(json.dumps({**recipe, "process": process, **keys}))
        return path

    def command(self, recipe: Path, *more: str) -> list[str]:
        """Return the command that runs a recipe."""
        run = [sys.executable, "-m", "djfast", "run", "-q", str(recipe)]
        return [*_mpirun(), *run, *more] if self.way == "ranks" else [*run, *more]


def _mpirun() -> list[str]:
    path = shutil.which("mpirun", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    return [path or "mpirun", "--oversubscribe", "--bind-to", "none", "-n", "2"]


def environment() -> dict[str, str]:
    """Return the environment of a run."""
    own = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return {**os.environ, **own}


def write_inputs(folder: Path) -> None:
    """Write the inputs of the earlier run and of the new one."""
    for name, count, word in (("old", 100, "earlier"), ("new", 160, "newer")):
        rows = [{"id": i, "text": f"{word} document number {i} of some length"} for i in range(count)]
        rows += [{"id": count, "text": None}] if name == "old" else []
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a result, but for the record, which holds times."""
    found = {}
    for path in sorted((folder / "out").rglob("*")):
        name = path.relative_to(folder / "out")
        hidden = any(part.startswith(".") or part.endswith(".job") for part in name.parts)
        if path.is_file() and not hidden and not path.name.endswith((".run.json", ".failed.rejected.jsonl")):
            found[str(name)] = path.read_bytes()
    return found


def run(command: list[str]) -> None:
    """Run to the end. On a loaded machine mpirun itself may fail before it starts anything, which is no fault of a run."""
    for _ in range(3):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment())
        if "listener thread failed to start" not in done.stderr:
            break
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"


def kill_one(case: Case, chance: random.Random, folder: Path) -> str:
    """Make an earlier result, kill the run that replaces it, look at what is there, and run again. Return what was seen."""
    from djfast.io.write.commit import finish_commit

    write_inputs(folder)
    result = folder / "out" / case.export
    expected = {}
    began = 0.0
    for name in ("new", "old"):
        shutil.rmtree(folder / "out", ignore_errors=True)
        began = time.monotonic()
        run(case.command(case.recipe(folder, name)))
        expected[name] = files_of(folder)
    usual = time.monotonic() - began
    command = case.command(case.recipe(folder, "new"), "--fresh")
    if case.way != "ranks" and chance.random() < 0.6:
        number = chance.randint(0, 60)
        command = [sys.executable, str(Path(__file__).resolve()), "--at", str(number), str(folder / "new.json")]
        how = subprocess.run(command, capture_output=True, check=False, timeout=120, env=environment()).returncode
        assert how in (0, ENDED), how
    else:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, env=environment()
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.3, 1.1) * usual)
        _kill_all(process.pid, str(folder))
        process.wait()
    left = files_of(folder)
    if (folder / "out" / "docs.run.json").exists():
        assert left in expected.values(), f"{case}: a result with a record is not whole: {sorted(left)}"
    finish_commit(str(result))
    left = files_of(folder)
    assert left in expected.values(), f"{case}: neither the earlier result nor the new one: {sorted(left)}"
    seen = "new" if left == expected["new"] else "old"
    run(case.command(folder / "new.json", "--fresh"))
    assert files_of(folder) == expected["new"], f"{case}: other bytes after running again: {sorted(files_of(folder))}"
    names = {path.name for path in (folder / "out").iterdir()} - {"docs.job"}
    assert not [name for name in names if name.startswith(".") or "failed" in name], f"{case}: left behind: {names}"
    return seen


def _kill_all(leader: int, folder: str) -> None:
    """Kill a process, its group, and whatever else works in a folder: ranks have groups of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            with contextlib.suppress(OSError):
                if folder.encode() in Path("/proc", entry, "cmdline").read_bytes():
                    os.kill(int(entry), signal.SIGKILL)


def run_until(number: int, recipe: str) -> int:
    """Run a recipe in this process, and end before its nth change of names."""
    calls = 0

    def ending(name: str) -> Any:
        real = getattr(os, name)

        def call(*arguments: Any, **keys: Any) -> Any:
            nonlocal calls
            if calls == number:
                os._exit(ENDED)
            calls += 1
            return real(*arguments, **keys)

        return call

    for name in CALLS:
        setattr(os, name, ending(name))
    from djfast.cli.main import main as djfast

    return djfast(["run", "-q", recipe, "--fresh"])


def main(arguments: list[str] | None = None) -> int:
    """Kill as often as asked, and say what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--at", type=int)
    parser.add_argument("recipe", nargs="?")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args(arguments)
    if options.at is not None:
        return run_until(options.at, options.recipe)
    chance = random.Random(options.seed)
    ways = WAYS if shutil.which(_mpirun()[0]) else WAYS[:2]
    seen: Counter[str] = Counter()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        for number in range(options.kills):
            case = Case(chance.choice([*FORMS]), chance.choice(ways))
            folder = Path(place) / str(number)
            folder.mkdir()
            seen[f"{case.way}: {kill_one(case, chance, folder)}"] += 1
            shutil.rmtree(folder)
    print(f"{options.kills} kills in {time.monotonic() - began:.0f} s, all whole; found afterwards: {dict(sorted(seen.items()))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
