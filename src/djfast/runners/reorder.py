"""Waiting rows in a new order, in bounded memory: an external distribution sort by place in the result.

Rows go to buckets of consecutive places, each no larger than the window; then each bucket is brought into order in memory. When
everything fits one bucket, no byte goes to disk.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from djfast.runners.spool import WINDOW_BYTES, Spool

_MOST_BUCKETS = 256  # each is an open file
_PIECE_BYTES = 1 << 20


class _Bucket:
    """Rows of consecutive places, in the order in which they were waiting."""

    def __init__(self, spool: Spool[Any]) -> None:
        self.spool = spool
        self.places = array("Q")


def reordered(
    waiting: Spool[Any],
    order: Sequence[int],
    row_bytes: Sequence[int],
    piece_type: Any,
    folder: str | None,
    *,
    window_bytes: int = WINDOW_BYTES,
) -> Iterator[Any]:
    """Yield the rows of a spool in another order, in pieces of about a megabyte.

    Parameters
    ----------
    waiting : Spool
        The rows.
    order : sequence of int
        Numbers of waiting rows, in the order to come out. Rows may be missing or be there several times.
    row_bytes : sequence of int
        About how many bytes each waiting row takes.
    piece_type : type
        Of the pieces; its ``gatherer(pieces)`` makes pieces of rows of other pieces, given as (piece, row).
    folder : str or None
        Where buckets wait on disk; None keeps everything in memory.
    """
    first_places = [0] if folder is None else _cuts(order, row_bytes, window_bytes)
    is_one = len(first_places) == 1
    buckets = [_Bucket(Spool(None if is_one else folder, piece_type.unpack, window_bytes=0)) for _ in first_places]
    for pieces, picks in _loads(waiting, order, len(row_bytes), window_bytes // 4):
        gather = piece_type.gatherer(pieces)
        picks.sort()
        start = 0
        for number, bucket in enumerate(buckets):
            end = len(picks) if number + 1 == len(buckets) else bisect_right(picks, (first_places[number + 1], -1, -1))
            if start < end:
                bucket.spool.append(gather([(piece, row) for _, piece, row in picks[start:end]]))
                bucket.places.extend(place for place, _, _ in picks[start:end])
            start = end
    for bucket in buckets:
        yield from _sorted_bucket(bucket, order, row_bytes, piece_type)


def _cuts(order: Sequence[int], row_bytes: Sequence[int], window_bytes: int) -> list[int]:
    """Return the first place of each bucket."""
    total = sum(row_bytes[row] for row in order)
    limit = max(window_bytes, -(-total // (_MOST_BUCKETS - 1)))
    cuts = [0]
    filled = 0
    for place, row in enumerate(order):
        if filled and filled + row_bytes[row] > limit:
            cuts.append(place)
            filled = 0
        filled += row_bytes[row]
    return cuts


def _places_by_row(order: Sequence[int], rows: int) -> tuple[array[int], array[int]]:
    """Sort places by the row that goes there: the places of row 0, of row 1 and so on, and where those of each row end."""
    counts = array("Q", bytes(8 * rows))
    for row in order:
        counts[row] += 1
    ends = array("Q", accumulate(counts))
    places = array("Q", bytes(8 * len(order)))
    for place, row in enumerate(order):
        places[ends[row] - counts[row]] = place
        counts[row] -= 1
    return places, ends


def _loads(
    waiting: Spool[Any], order: Sequence[int], rows: int, load_bytes: int
) -> Iterator[tuple[list[Any], list[tuple[int, int, int]]]]:
    """Yield some waiting pieces at a time, with (place, piece, row) for the rows that come out."""
    places, ends = _places_by_row(order, rows)
    at = 0
    first = 0
    pieces: list[Any] = []
    picks: list[tuple[int, int, int]] = []
    held = 0
    for piece in waiting.drain():
        before = at
        for row in range(piece.row_count):
            while at < ends[first + row]:
                picks.append((places[at], len(pieces), row))
                at += 1
        first += piece.row_count
        if at == before:
            continue
        pieces.append(piece)
        held += piece.byte_count()
        if held > load_bytes:
            yield pieces, picks
            pieces, picks, held = [], [], 0
    if pieces:
        yield pieces, picks


def _sorted_bucket(bucket: _Bucket, order: Sequence[int], row_bytes: Sequence[int], piece_type: Any) -> Iterator[Any]:
    pieces = list(bucket.spool.drain())
    gather = piece_type.gatherer(pieces)
    starts = [0, *accumulate(piece.row_count for piece in pieces)]
    picks: list[tuple[int, int]] = []
    filled = 0
    for waiting in sorted(range(len(bucket.places)), key=bucket.places.__getitem__):
        number = bisect_right(starts, waiting) - 1
        picks.append((number, waiting - starts[number]))
        filled += row_bytes[order[bucket.places[waiting]]]
        if filled >= _PIECE_BYTES:
            yield gather(picks)
            picks, filled = [], 0
    if picks:
        yield gather(picks)
