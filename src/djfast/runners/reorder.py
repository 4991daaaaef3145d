"""Waiting rows in a new order, in bounded memory: an external distribution sort by place in the result.

Rows go to buckets of consecutive places, each no larger than the window; then each bucket is brought into order in memory. When
everything fits one bucket, no byte goes to disk.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from djfast.runners.memory import LARGEST_WINDOW
from djfast.runners.spool import Spool

_MOST_BUCKETS = 256  # each is an open file
_PIECE_BYTES = 1 << 20


class _Bucket:
    """Rows for consecutive places, from `first_place` on, in the order in which they were waiting."""

    def __init__(self, first_place: int, spool: Spool[Any]) -> None:
        self.first_place = first_place
        self.spool = spool
        self.places = array("Q")

    def add(self, piece: Any, places: Sequence[int]) -> None:
        """Take rows and their places."""
        self.spool.append(piece)
        self.places.extend(places)


def reordered(
    waiting: Spool[Any],
    order: Sequence[int],
    row_bytes: Sequence[int],
    piece_type: Any,
    folder: str | None,
    *,
    window_bytes: int = LARGEST_WINDOW,
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
        Of the pieces; its ``gatherer(pieces)`` makes pieces of some rows of other pieces, numbered through.
    folder : str or None
        Where buckets wait on disk; None keeps everything in memory.
    """
    cuts = [0] if folder is None else _cuts(order, row_bytes, window_bytes)
    folder = folder if len(cuts) > 1 else None
    buckets = [_Bucket(place, Spool(folder, piece_type.unpack, window_bytes=0)) for place in cuts]
    by_row = _places_by_row(order, len(row_bytes))
    start = 0
    for pieces, first, end in _loads(waiting, window_bytes // 4):
        stop = bisect_left(by_row, end, start, key=order.__getitem__)
        if start < stop:
            _distribute(by_row[start:stop], order, first, piece_type.gatherer(pieces), buckets)
        start = stop
    for bucket in buckets:
        yield from _sorted_bucket(bucket, order, row_bytes, piece_type)


def _cuts(order: Sequence[int], row_bytes: Sequence[int], window_bytes: int) -> list[int]:
    """Return the first place of each bucket."""
    total = sum(map(row_bytes.__getitem__, order))
    if total <= window_bytes:
        return [0]
    limit = max(window_bytes, -(-total // (_MOST_BUCKETS - 1)))
    cuts = [0]
    filled = 0
    for place, row in enumerate(order):
        if filled and filled + row_bytes[row] > limit:
            cuts.append(place)
            filled = 0
        filled += row_bytes[row]
    return cuts


def _places_by_row(order: Sequence[int], rows: int) -> array[int]:
    """Sort places by the row that goes there, by counting; the places of one row ascend."""
    counts = array("Q", bytes(8 * rows))
    for row in order:
        counts[row] += 1
    next_of_row = array("Q", [0, *accumulate(counts)])
    places = array("Q", bytes(8 * len(order)))
    for place, row in enumerate(order):
        places[next_of_row[row]] = place
        next_of_row[row] += 1
    return places


def _loads(waiting: Spool[Any], load_bytes: int) -> Iterator[tuple[list[Any], int, int]]:
    """Yield some waiting pieces at a time, with the number of their first row and of the one after their last."""
    pieces: list[Any] = []
    first = end = held = 0
    for piece in waiting.drain():
        pieces.append(piece)
        end += piece.row_count
        held += piece.byte_count()
        if held > load_bytes:
            yield pieces, first, end
            pieces, first, held = [], end, 0
    if pieces:
        yield pieces, first, end


def _distribute(places: array[int], order: Sequence[int], first: int, gather: Any, buckets: list[_Bucket]) -> None:
    """Put rows into the buckets of their places; `first` is the number of the first row that `gather` knows."""
    if len(buckets) > 1:
        places = array("Q", sorted(places))
    start = 0
    for number, bucket in enumerate(buckets):
        is_last = number + 1 == len(buckets)
        stop = len(places) if is_last else bisect_left(places, buckets[number + 1].first_place, start)
        if start < stop:
            own = places[start:stop]
            bucket.add(gather(array("Q", (order[place] - first for place in own))), own)
        start = stop


def _sorted_bucket(bucket: _Bucket, order: Sequence[int], row_bytes: Sequence[int], piece_type: Any) -> Iterator[Any]:
    gather = piece_type.gatherer(list(bucket.spool.drain()))
    count = len(bucket.places)
    rows = array("Q", bytes(8 * count))  # of the bucket, by place; every place is somebody's
    for row, place in enumerate(bucket.places):
        rows[place - bucket.first_place] = row
    start = filled = 0
    for stop in range(1, count + 1):
        filled += row_bytes[order[bucket.first_place + stop - 1]]
        if filled >= _PIECE_BYTES or stop == count:
            yield gather(rows[start:stop])
            start, filled = stop, 0
