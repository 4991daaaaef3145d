"""Tables of numbers between ranks, as record batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from djfast.ranks import Ranks

Columns = dict[str, Any]  # arrays of one length, by name

_BATCH_ROWS = 1 << 18


def exchange(ranks: Ranks, tables: Iterable[tuple[str, Columns, Any]], *, by_source: bool = False) -> dict[str, Any]:
    """Send the rows of named tables to ranks, as record batches; all ranks call it.

    Parameters
    ----------
    tables : iterable of (name, columns, destinations)
        Columns are arrays of one length, and `destinations` has the rank of each row.
    by_source : bool
        Return lists of chunks by source rank instead of one list of chunks.

    Chunks of one source come in the order in which they were sent, and rows keep their order.
    """
    import numpy as np
    import pyarrow as pa

    came: dict[str, Any] = {}

    def outgoing() -> Iterator[tuple[int, Any]]:
        for name, columns, destinations in tables:
            order = np.argsort(destinations, kind="stable")
            bounds = np.searchsorted(destinations[order], np.arange(ranks.size + 1))
            for step in range(ranks.size):
                rank = (ranks.rank + step) % ranks.size  # not all ranks send to the same one first
                for begin in range(bounds[rank], bounds[rank + 1], _BATCH_ROWS):
                    chosen = order[begin : min(begin + _BATCH_ROWS, bounds[rank + 1])]
                    arrays = [pa.array(values[chosen]) for values in columns.values()]
                    schema = pa.schema(
                        [pa.field(key, array.type) for key, array in zip(columns, arrays)], metadata={"table": name}
                    )
                    yield rank, pa.RecordBatch.from_arrays(arrays, schema=schema)

    def take(source: int, batch: Any) -> None:
        name = batch.schema.metadata[b"table"].decode()
        columns = {key: batch.column(key).to_numpy(zero_copy_only=False) for key in batch.schema.names}
        if by_source:
            came.setdefault(name, [[] for _ in range(ranks.size)])[source].append(columns)
        else:
            came.setdefault(name, []).append(columns)

    ranks.stream(outgoing(), take)
    return came
