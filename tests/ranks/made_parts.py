"""Part files of a job, made from keys or lines instead of a recipe."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from djfast.rows.json_rows import JsonPiece
from djfast.runners.job.journal import PartEntry
from djfast.runners.job.parts import PartFile, PartWriter
from djfast.runners.rejected import Rejected
from djfast.runners.report import Tally
from djfast.runners.spool import packed
from djfast.runners.stage_work import Done

Keys = list[tuple[bytes, bytes | None]]


class MadeBatch(NamedTuple):
    """Lines that a batch leaves, the keys of its deduplicators, and the rows that it rejects."""

    lines: list[bytes]
    keys: Keys
    rejected: Sequence[Rejected] = ()


def done_of(batch: MadeBatch) -> Done:
    """Return the outcome that a stage has for a batch."""
    data = b"".join(batch.lines)
    count = len(batch.lines)
    ends = array("Q", accumulate(map(len, batch.lines))).tobytes()
    piece: Any = packed(JsonPiece(data, ends, b"", b"", array("Q", range(count)).tobytes(), b"in.jsonl"))
    lines = count + len(batch.rejected)
    return Done(
        file="in.jsonl",
        is_numbered=False,
        byte_count=len(data),
        row_count=lines,
        line_count=lines,
        piece=piece,
        piece_rows=count,
        keys=batch.keys,
        compared=None,
        counts=[],
        bad_rows=[],
    )


def write_part(folder: Path, split: int, batches: Iterator[MadeBatch] | Sequence[MadeBatch], *, stage: int = 0) -> PartEntry:
    """Write a part as a rank does."""
    writer = PartWriter(folder, stage, split, "rank", Tally({}))
    for batch in batches:
        writer.add(done_of(batch), iter(batch.rejected), is_first_stage=stage == 0)
    return writer.finish()


def keyed_part(folder: Path, split: int, batches: Sequence[tuple[int, Keys]]) -> PartFile:
    """Write a part of rows that matter for their keys only: ``(rows, keys)`` of each batch."""
    return PartFile(folder, write_part(folder, split, [MadeBatch([b"{}\n"] * rows, keys) for rows, keys in batches]))
