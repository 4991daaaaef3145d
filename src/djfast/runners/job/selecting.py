"""Which rows a selector takes, from the values in the parts of a pass, and how rows get into their new order.

Every rank reads the values of its share of the parts and sends rank 0 what may be taken: of the largest values, no rank needs
to send more than are taken in all. Rank 0 chooses as a run without ranks does.

A new order is made like an external sort by place: the result is cut into buckets of consecutive places, each split's rows
are written bucket by bucket, and whoever works on a bucket next reads its rows from all splits.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from djfast.declare import Selection
from djfast.errors import SchemaError
from djfast.io.durable import written_whole
from djfast.plan.steps import Select
from djfast.ranks import Ranks
from djfast.ranks.messages import swap
from djfast.runners.job.journal import MovedEntry
from djfast.runners.job.parts import PartFile
from djfast.runners.job.survivors import owned
from djfast.runners.reorder import by_place, in_places, places_by_row
from djfast.runners.selection import RowCount, RowGroups, RowValues, chosen, chosen_of_many, limit_of, values_for
from djfast.runners.spool import packed, read_parts, unpacked, write_parts

if TYPE_CHECKING:
    from djfast.rows.carrier import Piece, PieceType


def choose(select: Select, parts: Sequence[PartFile], ranks: Ranks, op: str) -> tuple[int, Sequence[int]]:
    """Return rows in and, on rank 0, the rows that are taken in their order; all ranks call it.

    Raises
    ------
    SchemaError
        If values have no common order, or no row has the field.
    """
    share = owned([part.entry.rows for part in parts], ranks)[ranks.rank]
    first = sum(part.entry.rows for part in parts[: share.start])
    values = values_for(select.selection, select.field)
    rows_in, has_field = 0, False
    try:
        for part in parts[share.start : share.stop]:
            for compared in part.compared():
                rows_in += compared.rows_in
                has_field = has_field or compared.has_field
                values.add(compared.values)
        news = json.dumps([rows_in, has_field, len(values)]).encode()
        all_news = [json.loads(body) for body in ranks.gather_all(news)]
        total = sum(each[2] for each in all_news)
        if total > 1 and not any(each[1] for each in all_news) and select.slot >= 0:
            raise SchemaError(f"no row has the field '{select.field}'")
        order = _chosen_together(select, values, first, total, ranks)
    except SchemaError as error:
        raise SchemaError(f"{op}: {error}") from None
    return sum(each[0] for each in all_news), order


def _chosen_together(
    select: Select, values: RowValues | RowGroups | RowCount, first: int, total: int, ranks: Ranks
) -> Sequence[int]:
    selection = select.selection
    if isinstance(values, RowCount):
        everything = RowCount()
        everything.add(range(total))
        return chosen(selection, everything)
    if isinstance(values, RowGroups):
        return _frequent_together(selection, values, ranks)
    # NaN has no order: where any rank has it, what is taken depends on all values.
    has_nan = any(value != value for value in values.items)
    is_ordered = b"1" not in ranks.gather_all(b"1" if has_nan else b"")
    rows, sent, selection = _candidates(selection, values, first, total, is_ordered=is_ordered)
    batches = [_batch(rows, sent)] if rows else []
    came = swap(ranks, [batches if rank == 0 else [] for rank in range(ranks.size)])
    if ranks.rank != 0:
        return ()
    numbers = array("Q")
    candidates = RowValues(select.field)
    for source in came:
        for batch in source:
            numbers.extend(batch.column("row").to_pylist())
            candidates.add(_values_of(batch))
    taken = range(total) if total < 2 else chosen_of_many(selection, candidates)
    return array("Q", (numbers[at] for at in taken))


def _candidates(
    selection: Selection, values: RowValues, first: int, total: int, *, is_ordered: bool
) -> tuple[list[int], list[Any], Selection]:
    """Rows of this rank that may be taken, with their values, and the selection among all ranks' candidates."""
    low, high = limit_of(selection, total)
    rows: Sequence[int] = range(len(values))
    if high < len(values) and is_ordered:
        leading = selection._replace(
            kind="top", share=None, limit=high, descending=selection.descending and selection.kind == "top"
        )
        rows = sorted(chosen(leading, values))
    absent = set(values.absent)
    sent = [None if row in absent else values.items[row] for row in rows]
    return [first + row for row in rows], sent, selection._replace(share=None, limit=high, low_share=None, low_limit=low)


def _frequent_together(selection: Selection, values: RowGroups, ranks: Ranks) -> Sequence[int]:
    import pyarrow as pa

    names = json.dumps(list(values.groups))
    schema = pa.schema([pa.field("group", pa.uint64())], metadata={"values": names})
    batch = pa.RecordBatch.from_arrays([pa.array(values.rows, pa.uint64())], schema=schema)
    came = swap(ranks, [[batch] if rank == 0 else [] for rank in range(ranks.size)])
    if ranks.rank != 0:
        return ()
    everything = RowGroups()
    for source in came:
        for batch in source:
            groups = json.loads(batch.schema.metadata[b"values"])
            everything.add(groups[group] for group in batch.column("group").to_pylist())
    return chosen(selection, everything)


def _batch(rows: Sequence[int], values: Sequence[Any]) -> Any:
    import pyarrow as pa

    if all(value is None or isinstance(value, float) for value in values):
        column = pa.array(values, pa.float64())
    else:
        column = pa.array([json.dumps(value) for value in values], pa.large_string())
    return pa.RecordBatch.from_arrays([pa.array(rows, pa.uint64()), column], names=["row", "value"])


def _values_of(batch: Any) -> list[Any]:
    values = batch.column("value").to_pylist()
    return [json.loads(value) for value in values] if str(batch.schema.field("value").type) == "large_string" else values


def write_order(order: Sequence[int], path: Path) -> None:
    """Write chosen rows where all ranks find them."""
    with written_whole(path, setting="work_dir") as file:
        file.write(array("Q", order).tobytes())


def read_order(path: Path) -> array[int]:
    """Read them back."""
    order = array("Q")
    order.frombytes(path.read_bytes())
    return order


class Mover:
    """Writes the rows of splits bucket by bucket.

    Parameters
    ----------
    folder : Path
        The job's folder.
    order : sequence of int
        Rows of the pass, by place.
    cuts : sequence of int
        First place of each bucket.
    row_count : int
        Rows of the pass.
    """

    def __init__(self, folder: Path, writer: str, order: Sequence[int], cuts: Sequence[int], row_count: int) -> None:
        self._folder = folder
        self._writer = writer
        self._order = order
        self._cuts = cuts
        self._by_row = places_by_row(order, row_count)

    def move(self, stage: int, split: int, pieces: Sequence[Piece], first_row: int, piece_type: PieceType) -> MovedEntry:
        """Write one split, whose rows are numbered from `first_row` on."""
        rows = sum(piece.row_count for piece in pieces)
        begin = bisect_left(self._by_row, first_row, key=self._order.__getitem__)
        end = bisect_left(self._by_row, first_row + rows, begin, key=self._order.__getitem__)
        places = array("Q", sorted(self._by_row[begin:end]))
        gather: Any = piece_type.gatherer(pieces) if places else None  # no pieces have no columns to gather
        path = f"parts/stage-{stage}/{split // 1000:06d}/{split:09d}-{self._writer}.moved"
        index = []
        with written_whole(self._folder / path, setting="work_dir") as file:
            for bucket, first_place, own in by_place(places, self._cuts):
                piece = gather(array("Q", (self._order[place] - first_row for place in own)))
                offset = file.tell()
                relative = array("Q", (place - first_place for place in own)).tobytes()
                write_parts(file, [*packed(piece), relative])
                index.append([bucket, offset])
            size = file.tell()
        return MovedEntry(stage, split, path, size, index)


def bucket_pieces(folder: Path, moved: Sequence[MovedEntry], bucket: int, piece_type: PieceType) -> Iterator[Piece]:
    """Yield the rows of a bucket in their order, in pieces of about a megabyte."""
    pieces: list[Any] = []
    places = array("Q")
    for entry in moved:
        for number, offset in entry.buckets:
            if number == bucket:
                with open(folder / entry.path, "rb") as file:
                    file.seek(offset)
                    *parts, own = read_parts(file)
                pieces.append(piece_type.unpack(*unpacked(parts)))
                places.frombytes(own)
    if pieces:
        yield from in_places(pieces, places, piece_type)
