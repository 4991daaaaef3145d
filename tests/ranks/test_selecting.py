"""Ranks together choose the rows that one process chooses, whatever the values and whoever has them."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from djfast.declare import Selection
from djfast.errors import SchemaError
from djfast.plan.steps import Select
from djfast.runners.job.selecting import choose
from djfast.runners.selection import Value, chosen, values_for
from djfast.runners.stage_work import Compared
from tests.ranks.threads import run_threads

SHARE = st.sampled_from([None, 0.0, 0.1, 0.5, 0.9, 1.0])
LIMIT = st.sampled_from([None, 1, 2, 5, 30])
TOP = st.builds(Selection, st.sampled_from(["top", "frequent"]), SHARE, LIMIT, descending=st.booleans()).filter(
    lambda selection: bool(selection.share or selection.limit)
)
RANGE = st.builds(Selection, st.just("range"), SHARE, LIMIT, SHARE, LIMIT)
RANDOM = st.builds(Selection, st.just("random"), st.sampled_from([None, 0.3, 1.0]), st.sampled_from([1, 7, 100]))
POOLS: list[list[Value]] = [
    [0.5, 1.0, -2.0, 3.25, 1e300],
    [1, 2, 3, 1.0, True, None],
    [2**53, 2**53 + 1, 2**60, -(2**60), 0.5],
    ["a", "b", "Ä", "", None],
    [math.inf, -math.inf, math.nan, 1.0, 2.0, 3.0, 4.0, 5.0],
    [None],
    [1.0, "a"],
]


class MadePart(NamedTuple):
    """What `choose` reads of a part."""

    entry: Any
    batches: list[Compared]

    def compared(self) -> Iterator[Compared]:
        yield from self.batches


def made_parts(values: Sequence[Value], rng: random.Random) -> list[MadePart]:
    """Cut values into parts of batches at random places."""
    cuts = sorted(rng.randint(0, len(values)) for _ in range(rng.randint(0, 6)))
    parts = []
    for begin, end in zip([0, *cuts], [*cuts, len(values)]):
        middle = rng.randint(begin, end)
        batches = [Compared(b - a, b > a, list(values[a:b]), array("Q")) for a, b in ((begin, middle), (middle, end))]
        parts.append(MadePart(SimpleNamespace(rows=end - begin), batches))
    return parts


@settings(max_examples=300)
@given(
    st.one_of(TOP, RANGE, RANDOM),
    st.sampled_from(POOLS),
    st.sampled_from([0, 1, 2, 9, 60]),
    st.integers(1, 5),
    st.randoms(use_true_random=False),
)
def test_ranks_together_choose_what_one_chooses(
    selection: Selection, pool: list[Value], count: int, size: int, rng: random.Random
) -> None:
    assume(selection.kind != "range" or all(type(value) is float for value in pool))  # it compares numbers only
    values = [rng.choice(pool) for _ in range(count)]
    select = Select(slot=0, op=0, selection=selection, field="f")
    parts: Any = made_parts(values, rng)
    together = values_for(selection, "f")
    try:
        together.add(values)
        expected = list(chosen(selection, together))
    except SchemaError as error:
        with pytest.raises(SchemaError, match=f"^op: {error}$"):
            run_threads(size, lambda ranks: choose(select, parts, ranks, "op"))
        return
    answers = run_threads(size, lambda ranks: choose(select, parts, ranks, "op"))
    assert list(answers[0][1]) == expected
    assert all(rows_in == len(values) for rows_in, _ in answers)
