"""The input cut into parts that can be read one without the other: byte ranges of lines, frames, row groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from djfast.io.compression import frame_borders
from djfast.io.neighbours import group_starts
from djfast.io.read.documents import MOST_DOCUMENTS, document_runs
from djfast.io.read.files import file_size
from djfast.io.read.formats import INPUT_FORMATS, InputFile, reader_of
from djfast.io.read.json_forms import form_of
from djfast.records import NamedTuple

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
    members: where they begin is only seen by decompressing; so do ``.bz2`` and ``.xz`` files, JSON whose rows are
    not one a line, and text in other encodings than UTF-8.

    Raises
    ------
    InputError
        If a file cannot be looked at.
    """
    return list(each_split(files, split_bytes))


def each_split(files: Sequence[InputFile], split_bytes: int) -> Iterator[Split]:
    """Yield what `splits_of` returns; a file is looked at when its turn comes."""
    for number, count in document_runs(files):
        file = files[number]
        if INPUT_FORMATS[file.format].is_document:
            sizes = [file_size(each.path) for each in files[number : number + count]]
            starts = [*group_starts(sizes, split_bytes, most=MOST_DOCUMENTS), count]
            yield from (Split(number + start, 0, end - start) for start, end in pairwise(starts))
        else:
            yield from (Split(number, *ends) for ends in pairwise(_borders(file, split_bytes)))


def files_up_to(files: Sequence[InputFile], last: Split) -> Sequence[InputFile]:
    """Return the files of a split and those before it."""
    return files[: last.file + (last.end if INPUT_FORMATS[files[last.file].format].is_document else 1)]


def uncut_files(files: Sequence[InputFile], splits: Sequence[Split], split_bytes: int) -> list[InputFile]:
    """Return the files that are one split though they are larger than one should be."""
    counts = Counter(split.file for split in splits)
    return [file for number, file in enumerate(files) if counts[number] == 1 and file_size(file.path) > split_bytes]


def bytes_of_splits(files: Sequence[InputFile], splits: Sequence[Split]) -> list[float]:
    """Return how many bytes of the files each split is, about: what a file can be cut at is taken to be of one size."""
    lengths: Counter[int] = Counter()
    for split in splits:
        lengths[split.file] += split.end - split.start
    sizes = []
    for split in splits:
        if INPUT_FORMATS[files[split.file].format].is_document:
            sizes.append(float(sum(file_size(file.path) for file in files[split.file : split.file + split.end])))
        else:
            sizes.append(file_size(files[split.file].path) * (split.end - split.start) / max(1, lengths[split.file]))
    return sizes


def _borders(file: InputFile, split_bytes: int) -> list[int]:
    """Where the splits of a file begin, and where the last one ends."""
    if INPUT_FORMATS[file.format].reader is not None:
        return reader_of(file).borders(file, split_bytes)
    if file.compression not in (None, ".zst"):
        return [0, file_size(file.path)]
    borders = _frame_groups(file.path, split_bytes) if file.compression else _ranges(file.path, split_bytes)
    if len(borders) > 2 and not form_of(file.path).can_be_cut:
        return [borders[0], borders[-1]]
    return borders


def _ranges(path: str, split_bytes: int) -> list[int]:
    size = file_size(path)
    return [*range(0, max(1, size), split_bytes), size]


def _frame_groups(path: str, split_bytes: int) -> list[int]:
    frames = frame_borders(path)
    sizes = [end - start for start, end in pairwise(frames)]
    return [*(frames[i] for i in group_starts(sizes, split_bytes // ASSUMED_RATIO)), frames[-1]]
