"""Compare peak memory on an input and on ten times as much of it.

    python -m bench.memory --documents docs.jsonl [--recipe recipe.yaml]

Writes inputs of about 200 MB and 2 GB (rows repeated, their ids different) to a temporary folder and runs filters over
both; state of deduplicators grows with the rows and is left out. Prints both peaks and their ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import yaml

from bench.run import measure

PROCESS = [
    {"fix_unicode_mapper": None},
    {"whitespace_normalization_mapper": None},
    {"character_repetition_filter": {"max_ratio": 0.9}},
    {"words_num_filter": {"min_num": 1}},
    {"word_repetition_filter": {"max_ratio": 0.9}},
]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Compare peak memory on two sizes of input.")
    parser.add_argument("--documents", required=True)
    parser.add_argument("--np", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peaks = {}
        for megabytes in (200, 2000):
            source = folder / f"{megabytes}.jsonl"
            _repeat(Path(options.documents), source, megabytes)
            recipe = folder / "recipe.yaml"
            keys = {"dataset_path": str(source), "export_path": str(folder / "out.jsonl"), "np": options.np, "process": PROCESS}
            recipe.write_text(yaml.safe_dump(keys))
            run = measure([sys.executable, "-m", "djfast", "run", str(recipe), "--quiet"], dict(os.environ))
            size = source.stat().st_size / 1e6
            peaks[megabytes] = run.peak_mb
            print(json.dumps({"input_mb": round(size), "seconds": round(run.seconds, 2), "peak_mb": round(run.peak_mb, 1)}))
            source.unlink()
        print(json.dumps({"ratio": round(peaks[2000] / peaks[200], 3)}))


def _repeat(source: Path, target: Path, megabytes: int) -> None:
    with open(target, "wb") as out:
        while out.tell() < megabytes * 1e6:
            with open(source, "rb") as lines:
                for line in lines:
                    out.write(line)
                    if out.tell() >= megabytes * 1e6:
                        break


if __name__ == "__main__":
    main()
