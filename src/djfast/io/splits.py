"""The input cut into parts that can be read one without the other: byte ranges of lines, frames, row groups."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from djfast.io.compression import frame_borders
from djfast.io.documents import MOST_DOCUMENTS, document_runs
from djfast.io.files import file_size, holds_array
from djfast.io.formats import FORMATS, InputFile, reader_of
from djfast.io.grouping import group_starts

# What a byte of a .zst file is taken to become. Only the evenness of the splits hangs on it.
ASSUMED_RATIO = 3


class Split(NamedTuple):
    """A part of one input file, or some files of one row each.

    `start` and `end` (exclusive) are bytes of a plain file, bytes of a ``.zst`` file at which frames begin, or what the
    format can be cut at, such as row groups of a Parquet file. What cannot be cut is one split from 0 to the file's size.
    Of files that are one row each, `file` is the first and `end` their number.

    A line belongs to the split that holds the line feed before it, and a file's first line to the split at 0. So a split
    finds its lines without looking back, reads past its end to complete the last one, and is empty inside a long line.
    Bytes of a split of frames are the decompressed ones.
    """

    file: int
    start: int
    end: int


def default_split_bytes(total_bytes: int) -> int:
    """Split the input into a few hundred parts, none of them too small to be worth the bookkeeping or too large to repeat."""
    return min(max(total_bytes // 256, 4 << 20), 128 << 20)


def splits_of(files: Sequence[InputFile], split_bytes: int) -> list[Split]:
    """Cut files into splits of about `split_bytes` uncompressed bytes, in the order of the input.

    Every file has at least one split. The same files give the same splits. A gzip file stays whole even when it has several
    members: where they begin is only seen by decompressing; so do ``.bz2`` and ``.xz`` files and JSON arrays.

    Raises
    ------
    InputError
        If a file cannot be looked at.
    """
    splits = []
    for number, count in document_runs(files):
        file = files[number]
        if FORMATS[file.format].is_document:
            sizes = [file_size(each.path) for each in files[number : number + count]]
            starts = [*group_starts(sizes, split_bytes, most=MOST_DOCUMENTS), count]
            splits += [Split(number + start, 0, end - start) for start, end in pairwise(starts)]
        else:
            splits += [Split(number, *ends) for ends in pairwise(_borders(file, split_bytes))]
    return splits


def _borders(file: InputFile, split_bytes: int) -> list[int]:
    """Where the splits of a file begin, and where the last one ends."""
    if FORMATS[file.format].reader is not None:
        return reader_of(file).borders(file, split_bytes)
    size = file_size(file.path)
    if holds_array(file):
        return [0, size]
    if file.compression is None:
        return [*range(0, max(1, size), split_bytes), size]
    if file.compression == ".zst":
        frames = frame_borders(file.path)
        sizes = [end - start for start, end in pairwise(frames)]
        return [*(frames[i] for i in group_starts(sizes, split_bytes // ASSUMED_RATIO)), frames[-1]]
    return [0, size]
