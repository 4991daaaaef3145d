"""Waiting rows in a new order, in bounded memory: an external distribution sort by place in the result.

Rows go to buckets of consecutive places, each no larger than the window; then each bucket is brought into order in memory. When
everything fits one bucket, no byte goes to disk.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from djfast.runners.memory import LARGEST_WINDOW
from djfast.runners.spool import Spool

if TYPE_CHECKING:
    from djfast.rows.carrier import Piece, PieceType

_MOST_BUCKETS = 256  # each is an open file
_PIECE_BYTES = 1 << 20


class _Bucket:
    """Rows for consecutive places, from `first_place` on, in the order in which they were waiting."""

    def __init__(self, first_place: int, spool: Spool[Any]) -> None:
        self.first_place = first_place
        self.spool = spool
        self.places = array("Q")

    def add(self, piece: Piece, places: Sequence[int]) -> None:
        """Take rows and their places."""
        self.spool.append(piece)
        self.places.extend(places)


def reordered(
    waiting: Spool[Any],
    order: Sequence[int],
    row_bytes: Sequence[int],
    piece_type: PieceType,
    folder: str | None,
    *,
    window_bytes: int = LARGEST_WINDOW,
) -> Iterator[Piece]:
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
    cuts = [0] if folder is None else cuts_of(order, row_bytes, window_bytes)
    folder = folder if len(cuts) > 1 else None
    buckets = [_Bucket(place, Spool(folder, piece_type.unpack, window_bytes=0)) for place in cuts]
    by_row = places_by_row(order, len(row_bytes))
    start = 0
    for pieces, first, end in _loads(waiting, window_bytes // 4):
        stop = bisect_left(by_row, end, start, key=order.__getitem__)
        if start < stop:
            _distribute(by_row[start:stop], order, first, piece_type.gatherer(pieces), buckets)
        start = stop
    for bucket in buckets:
        pieces = list(bucket.spool.drain())
        if pieces:
            yield from in_places(pieces, bucket.places, piece_type)


def cuts_of(order: Sequence[int], row_bytes: Sequence[int], window_bytes: int) -> list[int]:
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


def places_by_row(order: Sequence[int], rows: int) -> array[int]:
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


def _loads(waiting: Spool[Any], load_bytes: int) -> Iterator[tuple[list[Piece], int, int]]:
    """Yield some waiting pieces at a time, with the number of their first row and of the one after their last."""
    pieces: list[Piece] = []
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


def by_place(places: array[int], cuts: Sequence[int]) -> Iterator[tuple[int, int, array[int]]]:
    """Cut ascending places into those of each bucket: its number, its first place, and the places."""
    start = 0
    for bucket, first_place in enumerate(cuts):
        is_last = bucket + 1 == len(cuts)
        stop = len(places) if is_last else bisect_left(places, cuts[bucket + 1], start)
        if start < stop:
            yield bucket, first_place, places[start:stop]
        start = stop


def _distribute(places: array[int], order: Sequence[int], first: int, gather: Any, buckets: list[_Bucket]) -> None:
    """Put rows into the buckets of their places; `first` is the number of the first row that `gather` knows."""
    if len(buckets) > 1:
        places = array("Q", sorted(places))
    for number, first_place, own in by_place(places, [bucket.first_place for bucket in buckets]):
        piece = gather(array("Q", (order[place] - first for place in own)))
        buckets[number].add(piece, array("Q", (place - first_place for place in own)))


def in_places(pieces: list[Piece], places: Sequence[int], piece_type: PieceType) -> Iterator[Piece]:
    """Yield the rows of pieces by their places in a bucket, all of which are taken, in pieces of about a megabyte."""
    gather = piece_type.gatherer(pieces)
    sizes = [size for piece in pieces for size in piece.row_bytes()]
    rows = array("Q", bytes(8 * len(places)))  # by place
    for row, place in enumerate(places):
        rows[place] = row
    start = filled = 0
    for stop, row in enumerate(rows, 1):
        filled += sizes[row]
        if filled >= _PIECE_BYTES or stop == len(rows):
            yield gather(rows[start:stop])
            start, filled = stop, 0
