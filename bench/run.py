"""Measure djfast, and Data-Juicer beside it, on real documents.

    python -m bench.run --documents docs.jsonl --models MODELS --words WORDS [--peer PEER/bin/dj-process] [--cases a,b]

`docs.jsonl` is plain JSON Lines with a field ``text``. MODELS holds lid.176.bin (and en.sp.model, en.arpa.bin and the
tokenizer for the case with models), WORDS holds stopwords.json and flagged_words.json. Every case runs as whole processes;
with a peer, the rows that are kept must be equal before a time counts. Results go to bench/results.json and bench/RESULTS.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import yaml

HERE = Path(__file__).resolve().parent
RECIPE = HERE.parent / "recipes" / "web-text.yaml"


class Run(NamedTuple):
    """One process from start to end."""

    seconds: float
    cpu_seconds: float
    peak_mb: float  # resident memory of the process and its children together, sampled


def measure(command: list[str], environment: dict[str, str]) -> Run:
    """Run a command and account for all its processes."""
    started = time.perf_counter()
    before = os.times()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = [0.0]
    sampler = threading.Thread(target=_sample, args=(process, peak))
    sampler.start()
    _, errors = process.communicate()
    seconds = time.perf_counter() - started
    sampler.join()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{errors.decode(errors='replace')[-2000:]}")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(seconds, cpu, peak[0])


def _sample(process: subprocess.Popen[bytes], peak: list[float]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], sum(_resident_mb(pid) for pid in _family(process.pid)))
        time.sleep(0.02)


def _family(pid: int) -> list[int]:
    found = [pid]
    for member in found:
        for task in Path(f"/proc/{member}/task").glob("*/children"):  # any thread may have started some
            with contextlib.suppress(OSError):
                found += map(int, task.read_text().split())
    return found


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, IndexError):
        return 0.0


def steps_of(case: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the OPs of a case."""
    from djfast import catalog

    if "only" in case:
        return list(case["only"])
    steps = []
    for item in yaml.safe_load(RECIPE.read_text())["process"]:
        [(name, params)] = item.items()
        if catalog.find(name).kind in case.get("drop", ()):
            continue
        if catalog.find(name).kind == "deduplicator" and steps and not any("dedup" in next(iter(s)) for s in steps):
            steps += case.get("also", [])
        steps.append({name: None if case.get("defaults") else params})
    return steps


def environment(options: argparse.Namespace) -> dict[str, str]:
    """Return the environment of both engines: models and word lists from folders, no network."""
    return {
        **os.environ,
        "DATA_JUICER_MODELS_CACHE": options.models,
        "DATA_JUICER_EXTERNAL_MODELS_HOME": options.models,
        "DATA_JUICER_ASSETS_CACHE": options.words,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def run_case(case: dict[str, Any], options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run one case and return its figures."""
    documents = Path(options.documents)
    if "rows" in case:
        documents = folder / "rows.jsonl"
        with open(options.documents, encoding="utf-8") as source, open(documents, "w", encoding="utf-8") as target:
            target.writelines(source.readline() for _ in range(case["rows"]))
    megabytes = documents.stat().st_size / 1e6
    ours = _recipe(folder / "ours", case, documents, options.np)
    command = [sys.executable, "-m", "djfast", "run", str(ours), "--quiet"]
    runs = []
    for _ in range(options.runs + 1):
        # As for the peer, nothing is there before: freeing a large file takes a part of the run that replaces it.
        for left in ours.parent.glob("result*"):
            left.unlink()
        runs.append(measure(command, environment(options)))
    runs = runs[1:]
    report = json.loads((folder / "ours" / "result.run.json").read_text())
    seconds = statistics.median(run.seconds for run in runs)
    figures: dict[str, Any] = {
        "case": case["name"],
        "says": case["says"],
        "megabytes": round(megabytes, 3),
        "rows_in": report["rows_read"],
        "rows_out": report["rows_written"],
        "seconds": round(seconds, 3),
        "best_seconds": round(min(run.seconds for run in runs), 3),
        "seconds_all": [round(run.seconds, 3) for run in runs],
        "cpu_seconds": round(statistics.median(run.cpu_seconds for run in runs), 3),
        "megabytes_per_second": round(megabytes / seconds, 1),
        "megabytes_per_second_and_core": round(megabytes / seconds / options.np, 1),
        "peak_mb": round(max(run.peak_mb for run in runs), 1),
        "op_seconds": {op["name"]: op["seconds"] for op in report["ops"]},
    }
    if options.peer and case.get("has_peer", True):
        figures |= _beside_peer(case, options, folder, documents, seconds)
    return figures


def _recipe(folder: Path, case: dict[str, Any], documents: Path, workers: int) -> Path:
    folder.mkdir(exist_ok=True)
    recipe = {
        "dataset_path": str(documents),
        "export_path": str(folder / "result.jsonl"),
        "np": workers,
        "process": steps_of(case),
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


def _beside_peer(
    case: dict[str, Any], options: argparse.Namespace, folder: Path, documents: Path, seconds: float
) -> dict[str, Any]:
    """Run the peer on the same recipe and compare the rows."""
    theirs = _recipe(folder / "theirs", case, documents, options.np)
    cold = {**environment(options), "HF_HOME": str(folder / "cache"), "HF_DATASETS_CACHE": str(folder / "cache")}
    run = measure([options.peer, "--config", str(theirs), "--use_cache", "false"], cold)
    expected = _rows(folder / "theirs" / "result.jsonl")
    got = _rows(folder / "ours" / "result.jsonl")
    differing = sum(a != b for a, b in zip(expected, got)) + abs(len(expected) - len(got))
    if differing:
        raise SystemExit(f"{case['name']}: {differing} rows differ from the peer's ({len(got)} here, {len(expected)} there)")
    return {
        "peer_seconds": round(run.seconds, 2),
        "peer_cpu_seconds": round(run.cpu_seconds, 2),
        "peer_peak_mb": round(run.peak_mb, 1),
        "times_peer": round(run.seconds / seconds, 1),
        "rows_equal_peer": True,
    }


def _rows(path: Path) -> list[dict[str, Any]]:
    with open(path, encoding="utf-8") as lines:
        return [_without_nulls(json.loads(line)) for line in lines]


def _without_nulls(value: Any) -> Any:
    """Drop nulls: the peer's columnar rows fill absent keys with them."""
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return value


def verdict(case: dict[str, Any], figures: dict[str, Any]) -> str:
    """Say whether the targets of a case are met."""
    missed = []
    if figures["megabytes_per_second_and_core"] < case.get("megabytes_per_core", 0):
        missed.append(f"{case['megabytes_per_core']} MB/s per core")
    if figures["megabytes_per_second"] < case.get("megabytes_per_second", 0):
        missed.append(f"{case['megabytes_per_second']} MB/s")
    if figures["megabytes"] < case.get("op_megabytes_per_second", 0) * sum(figures["op_seconds"].values()):
        missed.append(f"{case['op_megabytes_per_second']} MB/s in the OPs alone")
    if "times_peer" in figures and figures["times_peer"] < case.get("times_peer", 0):
        missed.append(f"{case['times_peer']}x")
    if figures["seconds"] > case.get("seconds", float("inf")):
        missed.append(f"{case['seconds']} s")
    if case["kind"] == "info":
        return "watched"
    return f"misses {', '.join(missed)}" if missed else "met"


def written(results: list[dict[str, Any]], options: argparse.Namespace) -> str:
    """Return the figures as a page."""
    columns = {
        "case": "case",
        "rows in": "rows_in",
        "rows out": "rows_out",
        "s": "seconds",
        "best s": "best_seconds",
        "MB/s": "megabytes_per_second",
        "MB/s per core": "megabytes_per_second_and_core",
        "peak MB": "peak_mb",
        "Data-Juicer s": "peer_seconds",
        "its peak MB": "peer_peak_mb",
        "times faster": "times_peer",
        "target": "verdict",
    }
    lines = [
        "# Results",
        "",
        f"Whole processes, {options.np} workers, median of {options.runs} runs after a warm-up (the peer runs once, no cache);",
        f"{os.cpu_count()} cores of {_processor()}, Python {platform.python_version()}. Written by bench/run.py.",
        "",
        f"| {' | '.join(columns)} |",
        "| --- " * len(columns) + "|",
        *(f"| {' | '.join(str(r.get(key, '-')) for key in columns.values())} |" for r in results),
    ]
    lines += ["", *(f"- **{r['case']}**: {r['says']}." for r in results)]
    return "\n".join(lines) + "\n"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"


def main() -> None:
    """Measure the cases that are asked for."""
    parser = argparse.ArgumentParser(description="Measure djfast, and Data-Juicer beside it.")
    parser.add_argument("--documents", required=True)
    parser.add_argument("--models", default="")
    parser.add_argument("--words", default="")
    parser.add_argument("--peer", default="", help="dj-process of an environment with py-data-juicer==1.6.1")
    parser.add_argument("--np", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cases", default="", help="names, separated by commas; all by default")
    options = parser.parse_args()
    results_path = HERE / "results.json"
    kept = {r["case"]: r for r in json.loads(results_path.read_text())} if results_path.exists() else {}
    cases = yaml.safe_load((HERE / "cases.yaml").read_text())
    asked = set(filter(None, options.cases.split(",")))
    for case in cases:
        if asked and case["name"] not in asked:
            continue
        with tempfile.TemporaryDirectory() as folder:
            figures = run_case(case, options, Path(folder))
        figures["verdict"] = verdict(case, figures)
        # A peer's figures stay when only djfast is measured again.
        old = kept.get(case["name"], {})
        if "peer_seconds" not in figures and "peer_seconds" in old:
            figures |= {k: old[k] for k in ("peer_seconds", "peer_cpu_seconds", "peer_peak_mb", "rows_equal_peer") if k in old}
            figures["times_peer"] = round(old["peer_seconds"] / figures["seconds"], 1)
            figures["verdict"] = verdict(case, figures)
        kept[case["name"]] = figures
        print(json.dumps(figures, ensure_ascii=False))
    results = [kept[case["name"]] for case in cases if case["name"] in kept]
    results_path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (HERE / "RESULTS.md").write_text(written(results, options))


if __name__ == "__main__":
    main()
