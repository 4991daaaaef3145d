"""Counts of keys among rows, and groups whose smallest number stays, against the plain way."""

from __future__ import annotations

import struct
from array import array
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djfast import _native
from djfast.errors import UserError

KEYS = st.lists(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5), max_size=6), max_size=30)


def packed(keys: list[int]) -> bytes:
    return array("Q", keys).tobytes()


@given(KEYS, st.integers(0, 4))
def test_keys_above_a_threshold_are_found(rows: list[list[int]], threshold: int) -> None:
    counts = _native.KeyCounts()
    expected: Counter[int] = Counter()
    for row in rows:
        counts.add(packed(row))
        expected.update(key for key in row if key)
    keys, numbers = counts.above(threshold)
    found = dict(zip(array("Q", keys), array("I", numbers)))
    assert found == {key: count for key, count in expected.items() if count > threshold}
    assert list(found) == sorted(found)
    assert len(counts) == len(expected)


def test_many_keys_and_counts_of_others_are_added_up() -> None:
    counts = _native.KeyCounts()
    keys = [(number * 0x9E3779B97F4A7C15) % 2**64 for number in range(1, 100_001)]
    counts.add(packed(keys))
    counts.add(packed(keys[:10]), struct.pack("10I", *[2**32 - 1] * 10))  # counts end at the largest number
    assert len(counts) == len(keys)
    found, numbers = counts.above(1)
    assert sorted(array("Q", found)) == sorted(keys[:10])
    assert set(array("I", numbers)) == {2**32 - 1}
    assert counts.used_bytes < 40 * len(keys)


def test_counts_must_fit_their_keys() -> None:
    with pytest.raises(UserError, match="there must be a count for each of the 2 keys, got 1"):
        _native.KeyCounts().add(packed([1, 2]), struct.pack("I", 1))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(-(2**63), 2**63 - 1), st.booleans()), max_size=25))
def test_the_smallest_number_of_a_group_stays(rows: list[tuple[int, int, int, bool]]) -> None:
    groups = _native.BandGroups(2, by_number=True)
    for first, second, number, _ in rows:
        groups.add(packed([first, second, (number + 2**63) % 2**64]), 1)
    alive = bytes(is_alive for *_, is_alive in rows)
    group = list(range(len(rows)))
    for _ in rows:  # join until nothing changes
        for a, one in enumerate(rows):
            for b, other in enumerate(rows):
                if one[3] and other[3] and (one[0] == other[0] or one[1] == other[1]):
                    group[a] = group[b] = min(group[a], group[b])
    best: dict[int, int] = {}
    for at, row in enumerate(rows):
        if row[3] and (group[at] not in best or row[2] < rows[best[group[at]]][2]):
            best[group[at]] = at
    assert groups.resolve(alive) == bytes(row[3] and best[group[at]] == at for at, row in enumerate(rows))
