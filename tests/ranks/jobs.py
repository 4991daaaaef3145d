"""A small job for tests: its input, its recipe, what it must give, and what it has finished so far."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import djfast
from djfast.runners.job.journal import PartEntry, entry_of

SPLIT_BYTES = 8192
PROCESS: list[Any] = [
    {"whitespace_normalization_mapper": {}},
    {"text_length_filter": {"min_len": 50}},
    {"document_deduplicator": {}},
    {"words_num_filter": {"min_num": 8}},
    {"document_minhash_deduplicator": {"jaccard_threshold": 0.5}},
    {"document_simhash_deduplicator": {}},
    {"special_characters_filter": {"max_ratio": 0.9}},
]


class Result(NamedTuple):
    """What users have after a run."""

    rows: bytes
    stats: bytes
    rejected: bytes
    counts: list[Any]

    @classmethod
    def of(cls, export: Path) -> Result:
        """Read it from where it was written."""
        files = [export, export.with_name("out_stats.jsonl"), export.with_name("out.rejected.jsonl")]
        report = json.loads(export.with_name("out.run.json").read_text())
        ops = [[op["name"], op["rows_in"], op["rows_out"], op["rejected"]] for op in report["ops"]]
        counts = [report["rows_read"], report["rows_written"], report["rows_rejected"], report["bytes_read"], *ops]
        return cls(*(path.read_bytes() if path.exists() else b"" for path in files), counts)


def write_documents(path: Path, *, rows: int, seed: int = 7) -> Path:
    """Write rows with equal and similar texts, and some that no OP can read."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("abcdefghijklmnop", k=chance.randint(2, 9))) for _ in range(400)]
    texts: list[list[str]] = []
    with open(path, "w") as file:
        for number in range(rows):
            if texts and chance.random() < 0.3:
                text = list(chance.choice(texts))
                if chance.random() < 0.6:
                    text[chance.randrange(len(text))] = chance.choice(words)
            else:
                text = chance.choices(words, k=chance.randint(5, 60))
            texts.append(text)
            row = json.dumps({"text": " ".join(text), "number": number})
            file.write({5: '{"text": 3}', 7: "not JSON"}.get(number % 97, row) + "\n")
    return path


class TestJob:
    """A recipe in a folder of its own."""

    __test__ = False

    def __init__(self, folder: Path, source: Path, **settings: Any) -> None:
        self.export = folder / "out.jsonl"
        self.folder = folder / "out.job"
        self.recipe = folder / "recipe.json"
        self.settings = {
            "dataset_path": str(source),
            "export_path": str(self.export),
            "split_bytes": SPLIT_BYTES,
            "process": PROCESS,
            **settings,
        }
        self.save()

    def save(self) -> None:
        """Write the recipe, after a change."""
        self.recipe.write_text(json.dumps(self.settings))

    def command(self, *more: str) -> list[str]:
        """Return the arguments of ``djfast``."""
        return ["run", str(self.recipe), *more]

    def result(self) -> Result:
        """Return what users have."""
        return Result.of(self.export)

    def parts(self) -> Counter[tuple[int, int]]:
        """Count how often each split of each stage was finished, after the journal."""
        entries = [entry_of(line) for path in self.folder.glob("journal/*.jsonl") for line in path.read_bytes().splitlines()]
        return Counter((entry.stage, entry.split) for entry in entries if isinstance(entry, PartEntry))

    def leftovers(self) -> list[Path]:
        """Return what should not be there after a complete run."""
        places = [self.folder, self.export.parent]
        found = [path for place in places for path in place.iterdir()]
        return [path for path in found if path.name == "parts" or ".tmp" in path.name or ".djfast" in path.name]


def undisturbed(folder: Path, source: Path, process: list[Any] = PROCESS) -> Result:
    """Return what a run in one process gives."""
    export = folder / "out.jsonl"
    djfast.run({"dataset_path": str(source), "export_path": str(export), "process": process})
    return Result.of(export)
