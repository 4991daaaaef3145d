"""Compare what a pipe costs with what a run costs on the same rows: from Parquet, and to Parquet.

    python -m bench.embedding --documents docs.jsonl [--pairs 5]

Checks first that both give the same rows. Prints the processor time of both, and the median of the ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import djfast

PROCESS = [
    {"fix_unicode_mapper": None},
    {"whitespace_normalization_mapper": None},
    {"text_length_filter": {"min_len": 100}},
    {"words_num_filter": {"min_num": 20}},
    {"word_repetition_filter": {"max_ratio": 0.5}},
    {"character_repetition_filter": {"max_ratio": 0.5}},
]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Compare a pipe with a run.")
    parser.add_argument("--documents", required=True)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        source, ran, piped = (Path(name) / each for each in ("in.parquet", "ran.parquet", "piped.parquet"))
        texts = [json.loads(line)["text"] for line in Path(options.documents).read_text(encoding="utf-8").splitlines()]
        pq.write_table(pa.table({"text": texts, "id": range(len(texts))}), source, row_group_size=5000)
        pipe = djfast.compile({"process": PROCESS})

        def run() -> None:
            djfast.run({"dataset_path": str(source), "export_path": str(ran), "np": 1, "process": PROCESS})

        def stream() -> None:
            with pq.ParquetFile(source) as file, pq.ParquetWriter(piped, file.schema_arrow) as writer:
                for batch in pipe.stream(file.iter_batches(batch_size=4096)):
                    writer.write_batch(batch)

        pairs = [(seconds(run), seconds(stream)) for _ in range(options.pairs + 1)][1:]
        if not pq.read_table(ran).equals(pq.read_table(piped)):
            raise SystemExit("the pipe and the run give different rows")
    ratio = statistics.median(pipe_seconds / run_seconds for run_seconds, pipe_seconds in pairs)
    run_median, pipe_median = (statistics.median(each) for each in zip(*pairs))
    print(f"{len(texts):,} rows: run {run_median:.3f} s, pipe {pipe_median:.3f} s, x{ratio:.3f}")


def seconds(work: Callable[[], None]) -> float:
    """Return the processor time of some work."""
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
