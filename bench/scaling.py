"""Measure runs with ranks on this machine, and simulate more ranks than it has.

    python -m bench.scaling --documents docs.jsonl --models MODELS --words WORDS [--runs 5] [--dedup-megabytes 1000]

1. recipes/web-text.yaml on documents: 1 rank x 1 thread, 2 ranks x 1 thread, 1 rank x 2 threads, and 2 threads without
   ranks, in turns, median of the runs. The bytes of all four results must be equal before a time counts.
2. The three deduplicators alone on more documents (copies with changed words): 2 ranks against 2 threads without ranks,
   which is what exchange costs.
3. A simulation of 64 to 1024 ranks on 64 million of these documents: splits with the measured compute times are handed out
   one by one; key exchange and merge move the measured bytes per row over a network and to a file system whose figures are
   parameters. It shows where the curve bends, and is no measurement.

Results go to bench/SCALING.md and bench/scaling.json.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from bench.run import HERE, RECIPE, environment, measure

MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none",
          "--mca", "pml", "ob1", "--mca", "btl", "self,sm,tcp", "--mca", "osc", "^ucx"]  # fmt: skip
DEDUPS = [
    {"document_deduplicator": {"lowercase": True, "ignore_non_character": True}},
    {"document_minhash_deduplicator": {"tokenization": "space", "window_size": 5}},
    {"document_simhash_deduplicator": {"tokenization": "space", "window_size": 6}},
]
START_SECONDS = 0.5  # of interpreter, imports and MPI, measured below as the time of an empty run


class Setting(NamedTuple):
    """One way to run a recipe. No ranks is a run without mpirun."""

    name: str
    ranks: int
    threads: int


WAYS = (
    Setting("1 rank x 1 thread", 1, 1),
    Setting("2 ranks x 1 thread", 2, 1),
    Setting("1 rank x 2 threads", 1, 2),
    Setting("2 threads, no ranks", 0, 2),
)


def main() -> None:
    """Measure, simulate and write."""
    parser = argparse.ArgumentParser(description="Measure runs with ranks, and simulate many.")
    parser.add_argument("--documents", required=True)
    parser.add_argument("--models", required=True)
    parser.add_argument("--words", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--copies", type=int, default=4, help="how often the documents are taken for the whole recipe")
    parser.add_argument("--dedup-megabytes", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recipe = {**yaml.safe_load(RECIPE.read_text()), "dataset_path": str(folder / "in.jsonl")}
        copies(Path(options.documents), folder / "in.jsonl", options.copies, 0)
        figures: dict[str, Any] = {"web-text": compare(recipe, WAYS, options, folder)}
        copies(Path(options.documents), folder / "in.jsonl", 0, options.dedup_megabytes)
        figures["deduplicators"] = compare({**recipe, "process": DEDUPS}, (WAYS[1], WAYS[3]), options, folder)
    figures["simulation"] = [simulated(figures, ranks) for ranks in (1, 16, 64, 128, 256, 512, 1024)]
    (HERE / "scaling.json").write_text(json.dumps(figures, indent=1) + "\n")
    (HERE / "SCALING.md").write_text(_page(figures))
    print(_page(figures))


def copies(source: Path, target: Path, count: int, megabytes: int) -> None:
    """Write the documents several times, every copy but the first with some words changed so that it is no duplicate."""
    size = 0
    with open(target, "w", encoding="utf-8") as out:
        copy = 0
        while copy < count or size < megabytes * 1e6:
            generator = random.Random(copy)
            with open(source, encoding="utf-8") as lines:
                for line in lines:
                    row = json.loads(line)
                    if copy:
                        words = row["text"].split(" ")
                        for at in range(generator.randrange(4), len(words), 4):
                            words[at] += str(copy)
                        row["text"] = " ".join(words)
                    size += out.write(json.dumps(row, ensure_ascii=False) + "\n")
                    if megabytes and size >= megabytes * 1e6:
                        return
            copy += 1


def compare(recipe: dict[str, Any], ways: tuple[Setting, ...], options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run a recipe in several ways, in turns."""
    seconds: dict[str, list[float]] = {way.name: [] for way in ways}
    peaks: dict[str, float] = dict.fromkeys(seconds, 0.0)
    results: dict[str, bytes] = {}
    report: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    for _ in range(options.runs + 1):
        for way in ways:
            target = folder / way.name.replace(" ", "-")
            shutil.rmtree(target, ignore_errors=True)
            path = folder / "recipe.yaml"
            path.write_text(yaml.safe_dump({**recipe, "np": way.threads, "export_path": str(target / "out.jsonl")}))
            launch = [*MPIRUN, "-n", str(way.ranks)] if way.ranks else []
            began = time.perf_counter()
            run = measure([*launch, sys.executable, "-m", "djfast", "run", str(path), "--quiet"], environment(options))
            assert run.seconds <= time.perf_counter() - began + 1
            seconds[way.name].append(run.seconds)
            peaks[way.name] = max(peaks[way.name], run.peak_mb)
            results[way.name] = (target / "out.jsonl").read_bytes()
            report = json.loads((target / "out.run.json").read_text())
            if way.ranks == 2:
                parts = _parts(target / "out.job")
    if len(set(results.values())) != 1:
        raise SystemExit("the results differ: " + ", ".join(f"{name} {len(body)} bytes" for name, body in results.items()))
    return {
        "megabytes": round(report["bytes_read"] / 1e6, 1),
        "rows": report["rows_read"],
        "rows_out": report["rows_written"],
        "bytes_out": len(next(iter(results.values()))),
        "seconds": {name: round(statistics.median(times[1:]), 3) for name, times in seconds.items()},
        "seconds_all": {name: [round(each, 3) for each in times[1:]] for name, times in seconds.items()},
        "peak_mb_all_ranks": {name: round(peak, 1) for name, peak in peaks.items()},
        **parts,
    }


def _parts(job: Path) -> dict[str, Any]:
    """Compute seconds of every split, and bytes of rows and keys, from the journal."""
    entries = []
    for path in (job / "journal").glob("*.jsonl"):
        entries += [json.loads(line.partition(b" ")[2]) for line in path.read_bytes().splitlines()]
    parts = [entry for entry in entries if entry["entry"] == "part"]
    return {
        "split_seconds": [round(sum(s for _, s in part["tally"]["seconds"]), 4) for part in parts],
        "part_bytes": sum(part["keys_at"] for part in parts),
        "key_bytes": sum(part["rejected_at"] - part["keys_at"] for part in parts),
    }


# Of a cluster: what one rank can send a second, the latency of a message, and what the file system takes from all ranks.
NETWORK_BYTES = 1.0e9
LATENCY = 20e-6
FILE_SYSTEM_BYTES = 20e9
RANKS_A_FILE_SYSTEM_STREAM = 1.0e9  # what one rank gets of it at most
SIMULATED_ROWS = 64_000_000
STREAMS = 3 + 2 * 4 * 8  # of the key exchange, and of four rounds of components


def simulated(figures: dict[str, Any], ranks: int) -> dict[str, Any]:
    """Time of the whole recipe on many ranks of one thread, from measured splits and volumes."""
    case = figures["web-text"]
    factor = SIMULATED_ROWS / case["rows"]
    # What is no compute time of an OP (reading, writing, Python) is spread over the splits.
    measured = case["seconds"]["1 rank x 1 thread"] - START_SECONDS
    overhead = measured / sum(case["split_seconds"])
    generator = random.Random(0)
    splits = [generator.choice(case["split_seconds"]) * overhead for _ in range(int(len(case["split_seconds"]) * factor))]
    free = [0.0] * ranks
    for seconds in splits:
        heapq.heapreplace(free, free[0] + seconds + 2 * LATENCY)
    compute = max(free)
    network = ranks if ranks > 1 else 0
    exchange = 0.0
    if network:
        bytes_a_rank = case["key_bytes"] * factor / ranks / 2  # 32 bits of every 64
        exchange = bytes_a_rank / NETWORK_BYTES + STREAMS * ranks * 2 * LATENCY
    bandwidth = min(FILE_SYSTEM_BYTES, RANKS_A_FILE_SYSTEM_STREAM * ranks)
    merge = (case["part_bytes"] + 3 * case["bytes_out"]) * factor / bandwidth
    total = START_SECONDS + compute + exchange + merge
    return {
        "ranks": ranks,
        "splits": len(splits),
        "compute_seconds": round(compute, 1),
        "exchange_seconds": round(exchange, 2),
        "merge_seconds": round(merge, 1),
        "total_seconds": round(total, 1),
        "efficiency": round(sum(splits) / (total * ranks), 3),
    }


def _page(figures: dict[str, Any]) -> str:
    web, dedup = figures["web-text"], figures["deduplicators"]
    one, two = web["seconds"][WAYS[0].name], web["seconds"][WAYS[1].name]
    threads = web["seconds"][WAYS[2].name]
    lines = ["# Runs with ranks", "", "Written by bench/scaling.py; whole processes, mpirun included; equal results.", ""]
    for name, case in (("recipes/web-text.yaml", web), ("the three deduplicators", dedup)):
        lines += [f"## {name}, {case['megabytes']} MB, {case['rows']} rows", ""]
        lines += ["| way | s | peak MB, all ranks |", "| --- | --- | --- |"]
        lines += [f"| {way} | {seconds} | {case['peak_mb_all_ranks'][way]} |" for way, seconds in case["seconds"].items()]
        lines += [""]
    exchange = dedup["seconds"][WAYS[1].name] / dedup["seconds"][WAYS[3].name]
    lines += [
        f"- 2 ranks are {one / two:.2f} times as fast as 1 rank (target 1.8), and take {two / threads:.3f} of the time of 1 rank "
        "x 2 threads (target 1.05).",
        f"- Deduplication with 2 ranks takes {exchange:.3f} of the time of 2 threads without ranks (target 1.15).",
        "",
        f"## Simulated: {SIMULATED_ROWS:,} rows, ranks of one thread",
        "",
        "| ranks | compute s | exchange s | merge s | total s | efficiency |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {s['ranks']} | {s['compute_seconds']} | {s['exchange_seconds']} | {s['merge_seconds']} | {s['total_seconds']} | "
        f"{s['efficiency']:.0%} |"
        for s in figures["simulation"]
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    os.environ.setdefault("OMPI_ALLOW_RUN_AS_ROOT", "1")
    main()
