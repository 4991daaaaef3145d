"""A recipe whose runs can be disturbed, and the bytes that an undisturbed run gives."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

COMPLETE, UNFINISHED = 0, 85
DJFAST = [sys.executable, "-m", "djfast"]
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


class Case(NamedTuple):
    """A recipe for ranks, and the bytes that a run of one process gives."""

    recipe: Path
    result: Path
    expected: bytes

    def finished_splits(self) -> int:
        journal = self.result.with_name("ranks.job") / "journal"
        return sum(path.read_bytes().count(b'"entry":"part"') for path in journal.glob("*.jsonl"))

    def status(self) -> int:
        return subprocess.run([*DJFAST, "status", "-q", str(self.recipe)], check=False, timeout=30).returncode


def make_case(folder: Path) -> Case:
    """Write documents and a recipe with all deduplicators, and run it in one process."""
    write_documents(folder / "in.jsonl", count=4000)
    recipe = {
        "dataset_path": str(folder / "in.jsonl"),
        "export_path": str(folder / "alone.jsonl"),
        "np": 1,
        "split_bytes": 65536,
        "process": [
            {"whitespace_normalization_mapper": None},
            {"document_deduplicator": None},
            {"words_num_filter": {"min_num": 30}},
            {"document_minhash_deduplicator": {"jaccard_threshold": 0.5}},
            {"document_simhash_deduplicator": None},
        ],
    }
    path = folder / "recipe.json"
    path.write_text(json.dumps(recipe))
    subprocess.run([*DJFAST, "run", "-q", str(path)], check=True, timeout=60)
    path.write_text(json.dumps({**recipe, "export_path": str(folder / "ranks.jsonl")}))
    return Case(path, folder / "ranks.jsonl", (folder / "alone.jsonl").read_bytes())


def write_documents(path: Path, *, count: int) -> None:
    """Write texts of which some are the same and some nearly."""
    chance = random.Random(5)
    words = ["".join(chance.choices("abcdefghiklmnoprstuvwy", k=chance.randint(2, 9))) for _ in range(3000)]
    texts: list[str] = []
    for _ in range(count):
        kind = chance.random()
        if kind < 0.1 and texts:
            text = chance.choice(texts)
        elif kind < 0.2 and texts:
            text = chance.choice(texts) + " " + chance.choice(words)
        else:
            text = " ".join(chance.choices(words, k=chance.randint(10, 400)))
        texts.append(text)
    path.write_text("".join(json.dumps({"id": i, "text": text}) + "\n" for i, text in enumerate(texts)))
