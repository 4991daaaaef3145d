"""Compare the memory that `djfast plan` predicts with the peak of the run, over kinds of recipes, rows and threads.

    python -m bench.forecast [--megabytes 40] [--cases filters,large-rows] [--np 1,2,8]

The documents are made here, from a seed. Prints a table in Markdown: bytes of the input, `memory`, `np`, what was predicted and
measured, their ratio, and the peak without what a process takes that reads one short row.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from bench.run import measure

MIB = 1 << 20
_FILTERS = [{"words_num_filter": {"min_num": 1}}, {"word_repetition_filter": {"max_ratio": 1}}]
_REPETITION = [*_FILTERS, {"character_repetition_filter": {"max_ratio": 1}}]
_MAPPERS = [{"fix_unicode_mapper": {}}, {"whitespace_normalization_mapper": {}}, {"clean_links_mapper": {}}]
_ROWS = [{"python_lambda_mapper": {"lambda_str": "lambda row: row"}}]
_EXACT = [{"document_deduplicator": {}}]
_MINHASH = [{"document_minhash_deduplicator": {}}]


class Case(NamedTuple):
    """A recipe, and the input that it is run on."""

    process: list[dict[str, Any]]
    suffix: str = ".jsonl"
    row_bytes: int = 5_000
    memory: str = "8GiB"
    result: str = ".jsonl"


CASES = {
    "filters": Case(_REPETITION),
    "mappers": Case(_MAPPERS),
    "whole rows": Case(_ROWS),
    "exact": Case(_EXACT),
    "minhash": Case(_MINHASH),
    "minhash, 256 MiB": Case(_MINHASH, memory="256MiB"),
    "filters, gzip": Case(_FILTERS, ".jsonl.gz"),
    "filters, Parquet": Case(_FILTERS, ".parquet"),
    "filters, Parquet to Parquet": Case(_FILTERS, ".parquet", result=".parquet"),
    "whole rows, Parquet": Case(_ROWS, ".parquet"),
    "filters, 8 MiB rows": Case(_REPETITION, row_bytes=8 * MIB, memory="256MiB"),
    "mappers, 8 MiB rows": Case(_MAPPERS, row_bytes=8 * MIB, memory="256MiB"),
    "whole rows, 8 MiB rows": Case(_ROWS, row_bytes=8 * MIB, memory="256MiB"),
    "minhash, 8 MiB rows": Case(_MINHASH, row_bytes=8 * MIB, memory="256MiB"),
    "filters, 2 MiB rows": Case(_FILTERS, row_bytes=2 * MIB, memory="256MiB"),
}


class Outcome(NamedTuple):
    """Bytes that were predicted, and measured."""

    predicted: int
    measured: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Compare predicted and measured memory.")
    parser.add_argument("--megabytes", type=int, default=40)
    parser.add_argument("--cases", type=lambda text: text.split(";"), default=list(CASES), help="names, separated by ';'")
    parser.add_argument("--np", type=lambda text: [*map(int, text.split(","))], default=[1, 2, 8])
    options = parser.parse_args()
    print("| recipe | memory | np | predicted, MiB | measured, MiB | ratio | without the process, MiB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.cases:
            case = CASES[name]
            idle = outcome(case, Path(folder), threads=1, megabytes=0).measured
            for threads in options.np:
                predicted, measured = outcome(case, Path(folder), threads=threads, megabytes=options.megabytes)
                figures = [predicted / MIB, measured / MIB, (measured - idle) / MIB]
                predicted_mib, measured_mib, beside = (f"{figure:.0f}" for figure in figures)
                ratio = f"{predicted / measured:.2f}"
                cells = [name, case.memory, str(threads), predicted_mib, measured_mib, ratio, beside]
                print("|", " | ".join(cells), "|", flush=True)


def outcome(case: Case, folder: Path, *, threads: int, megabytes: float) -> Outcome:
    """Plan and run a case on so many megabytes, at least one short row."""
    source = folder / f"{case.row_bytes}-{megabytes}{case.suffix}"
    if not source.exists():
        write_documents(source, int(megabytes * 1e6), case.row_bytes)
    recipe = folder / "recipe.yaml"
    keys = {"dataset_path": str(source), "export_path": str(folder / f"out{case.result}"), "np": threads, "memory": case.memory}
    recipe.write_text(yaml.safe_dump({**keys, "process": case.process}))
    command = [sys.executable, "-m", "djfast"]
    plan = json.loads(subprocess.run([*command, "plan", str(recipe), "--json"], check=True, capture_output=True).stdout)
    run = measure([*command, "run", str(recipe), "--quiet"], dict(os.environ))
    return Outcome(int(plan["probe"]["memory"]), int(run.peak_mb * 1e6))


def write_documents(path: Path, size: int, row_bytes: int) -> None:
    """Write rows of about so many bytes, of words that are as frequent as those of a language."""
    chance = random.Random(1)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 9))) for _ in range(20_000)]
    words += ["\n", "\n", "naïve", "größer", "文本", "\U0001f600", "https://example.com/a?b=c"]
    weights = [1 / (1 + place) for place in range(20_000)] + [0.2] * (len(words) - 20_000)
    texts: list[str] = []
    written = 0
    while written < size or not texts:
        pieces = chance.choices(words, weights, k=max(1, min(row_bytes, size) // 6))
        texts.append(" ".join(pieces))
        written += len(texts[-1])
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"id": [*range(len(texts))], "text": texts}), path, row_group_size=max(1, 16 * MIB // row_bytes))
        return
    with gzip.open(path, "wb", 1) if path.suffix == ".gz" else open(path, "wb") as file:
        for number, text in enumerate(texts):
            file.write(json.dumps({"id": number, "text": text}, ensure_ascii=False).encode() + b"\n")


if __name__ == "__main__":
    main()
