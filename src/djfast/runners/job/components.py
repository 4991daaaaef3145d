"""Connected components of links between rows, over ranks, by rounds; the root of each is its smallest row.

Alternating "large star" and "small star" steps, which need only the neighbours of one row at a time and about log n rounds:
R. Kiveris, S. Lattanzi, V. Mirrokni, V. Rastogi, S. Vassilvitskii, "Connected Components in MapReduce and Beyond", SoCC 2014.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from djfast.ranks import Ranks
from djfast.runners.job.exchange import exchange

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]


def non_roots(ranks: Ranks, a: Array, b: Array) -> Array:
    """Return rows that are not the root of their component: each on one rank, not always its owner; all ranks call it.

    Parameters
    ----------
    ranks : Ranks
    a, b : array of int64
        Links of this rank: row ``a[i]`` and row ``b[i]`` belong together.
    """
    import numpy as np

    large, small = _unique(np.maximum(a, b), np.minimum(a, b))
    before = None
    while True:
        large, small = _large_star(ranks, large, small)
        large, small = _small_star(ranks, large, small)
        state = _state(ranks, large, small)
        if state == before or state[0] == 0:
            return large
        before = state


def _large_star(ranks: Ranks, large: Array, small: Array) -> tuple[Array, Array]:
    """Link every larger neighbour of a row to the smallest row that the row knows."""
    import numpy as np

    rows, neighbours = _meet(ranks, np.concatenate([large, small]), np.concatenate([small, large]))
    least = np.minimum(_least_of_runs(rows, neighbours), rows)
    is_larger = neighbours > rows
    return _unique(neighbours[is_larger], least[is_larger])


def _small_star(ranks: Ranks, large: Array, small: Array) -> tuple[Array, Array]:
    """Link a row and its smaller neighbours to the smallest of them."""
    import numpy as np

    rows, neighbours = _meet(ranks, large, small)
    least = _least_of_runs(rows, neighbours)
    linked, roots = np.concatenate([rows, neighbours]), np.concatenate([least, least])
    differ = linked != roots
    linked, roots = _unique(linked[differ], roots[differ])
    # The next step brings links together again: the same link may come from two ranks until then.
    return _unique(*_meet(ranks, linked, roots))


def _meet(ranks: Ranks, rows: Array, neighbours: Array) -> tuple[Array, Array]:
    """Bring the links of each row together at one rank, sorted by row."""
    import numpy as np

    came = exchange(ranks, [("", {"row": rows, "neighbour": neighbours}, rows % ranks.size)]).get("", [])
    empty = np.zeros(0, np.int64)
    rows = np.concatenate([columns["row"] for columns in came]) if came else empty
    neighbours = np.concatenate([columns["neighbour"] for columns in came]) if came else empty
    return _unique(rows, neighbours)


def _unique(rows: Array, neighbours: Array) -> tuple[Array, Array]:
    """Return links sorted, each once."""
    import numpy as np

    order = np.lexsort((neighbours, rows))
    rows, neighbours = rows[order], neighbours[order]
    is_new = np.ones(len(rows), bool)
    is_new[1:] = (rows[1:] != rows[:-1]) | (neighbours[1:] != neighbours[:-1])
    return rows[is_new], neighbours[is_new]


def _least_of_runs(rows: Array, neighbours: Array) -> Array:
    """Return the smallest neighbour of each link's row; links are sorted, so it stands first in its run."""
    import numpy as np

    starts = np.ones(len(rows), bool)
    starts[1:] = rows[1:] != rows[:-1]
    first: Array = neighbours[starts][np.cumsum(starts) - 1]
    return first


def _state(ranks: Ranks, large: Array, small: Array) -> tuple[int, int]:
    """Return the number of links of all ranks, and a sum over them that changes when they do."""
    import numpy as np

    factor = np.uint64(0x9E3779B97F4A7C15)
    mixed = (large.astype(np.uint64) * factor) ^ (small.astype(np.uint64) + np.uint64(1)) * factor * factor
    mixed = (mixed ^ mixed >> np.uint64(31)) * factor
    bodies = ranks.gather_all(json.dumps([len(large), int(np.sum(mixed, dtype=np.uint64))]).encode())
    states = [json.loads(body) for body in bodies]
    return sum(state[0] for state in states), sum(state[1] for state in states) % 2**64
