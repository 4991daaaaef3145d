"""Groups of duplicate rows against brute force."""

import itertools
import random
import signal
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djfast import _native
from djfast.errors import UserError


def pack(numbers):
    return struct.pack(f"={len(numbers)}Q", *numbers)


def brute_force(rows, alive, linked):
    """First rows of the connected components among rows that are alive; rows that are None link nothing."""
    parent = list(range(len(rows)))

    def root(i):
        while parent[i] != i:
            i = parent[i]
        return i

    for i, j in itertools.combinations(range(len(rows)), 2):
        if alive[i] and alive[j] and rows[i] is not None and rows[j] is not None and linked(rows[i], rows[j]):
            low, high = sorted((root(i), root(j)))
            parent[high] = low
    return bytes(alive[i] and root(i) == i for i in range(len(rows)))


def feed(groups, rows, width, batch):
    """Adds rows in batches; every other batch leaves out the keys of absent rows."""
    for number, start in enumerate(range(0, len(rows), batch)):
        part = rows[start : start + batch]
        present = bytes(row is not None for row in part)
        stored = [row for row in part if row is not None] if number % 2 else [row or (0,) * width for row in part]
        groups.add(pack([key for row in stored for key in row]), len(part), None if all(present) else present)


def optional_rows(keys, width):
    return st.lists(st.one_of(st.none(), st.tuples(*[keys] * width)), max_size=40)


@given(optional_rows(st.integers(0, 3), 2), st.integers(1, 9), st.randoms(use_true_random=False))
def test_digests_keep_their_first_row(rows, batch, rng):
    alive = [rng.random() < 0.8 for _ in rows]
    groups = _native.DigestGroups()
    feed(groups, rows, 2, batch)
    assert groups.rows == len(rows)
    assert groups.resolve(bytes(alive)) == brute_force(rows, alive, lambda a, b: a == b)
    assert groups.resolve() == brute_force(rows, [True] * len(rows), lambda a, b: a == b)


@given(optional_rows(st.integers(0, 12), 3), st.integers(1, 9), st.randoms(use_true_random=False))
def test_bands_unite_rows_through_others(rows, batch, rng):
    alive = [rng.random() < 0.8 for _ in rows]
    groups = _native.BandGroups(3)
    feed(groups, rows, 3, batch)

    def linked(a, b):
        return any(x == y for x, y in zip(a, b, strict=True))

    assert groups.resolve(bytes(alive)) == brute_force(rows, alive, linked)


@given(optional_rows(st.integers(0, 255) | st.integers(0, 2**64 - 1), 1), st.integers(0, 9), st.integers(1, 9))
def test_hamming_distance_links_hashes(rows, distance, batch):
    groups = _native.HammingGroups(distance)
    feed(groups, rows, 1, batch)
    expected = brute_force(rows, [True] * len(rows), lambda a, b: (a[0] ^ b[0]).bit_count() <= distance)
    assert groups.resolve() == expected


@pytest.mark.parametrize("distance", [1, 3, 4, 6, 8])
@pytest.mark.parametrize("varied_bits", [64, 24])
def test_hamming_search_misses_no_pair(distance, varied_bits):
    rng = random.Random(distance * 100 + varied_bits)
    hashes = [rng.getrandbits(varied_bits) for _ in range(900)]
    for _ in range(600):
        hashes.append(rng.choice(hashes))
        for bit in rng.sample(range(64), rng.randint(distance - 1, distance + 1)):
            hashes[-1] ^= 1 << bit
    groups = _native.HammingGroups(distance)
    groups.add(pack(hashes), len(hashes))
    rows = [(value,) for value in hashes]
    assert groups.resolve() == brute_force(rows, [True] * len(rows), lambda a, b: (a[0] ^ b[0]).bit_count() <= distance)


@pytest.mark.parametrize("isa", ["serial", "avx2"])
def test_crowded_hashes_form_one_component(isa):
    before = _native.active_isa()
    _native.force_isa(isa)
    try:
        rng = random.Random(5)
        ball = [sum(1 << bit for bit in rng.sample(range(64), 2)) for _ in range(3000)]
        far = [2**64 - 1 - value for value in ball]
        hashes = [value for pair in zip(ball, far, strict=True) for value in pair] + [7] * 20000
        groups = _native.HammingGroups(4)
        groups.add(pack(hashes), len(hashes))
        kept = groups.resolve()
        assert [row for row, value in enumerate(kept) if value] == [0, 1]
    finally:
        _native.force_isa(before)


def test_many_rows_pass_through_partitions():
    rng = random.Random(3)
    keys = [rng.getrandbits(64) for _ in range(60_000)]
    rows = [rng.choice(keys) for _ in range(100_000)]
    first = {}
    expected = bytes(first.setdefault(key, row) == row for row, key in enumerate(rows))
    bands = _native.BandGroups(1)
    bands.add(pack(rows), len(rows))
    assert bands.resolve() == expected
    digests = _native.DigestGroups()
    digests.add(pack([word for key in rows for word in (key, key ^ 1)]), len(rows))
    assert digests.resolve() == expected
    hashes = _native.HammingGroups(0)
    hashes.add(pack(rows), len(rows))
    assert hashes.resolve() == expected


def test_rows_that_are_not_alive_neither_stay_nor_link():
    groups = _native.BandGroups(2)
    groups.add(pack([1, 10, 1, 20, 2, 20]), 3)
    assert groups.resolve() == b"\1\0\0"
    assert groups.resolve(b"\1\0\1") == b"\1\0\1"
    assert groups.resolve(b"\0\1\1") == b"\0\1\0"


def test_no_rows_give_an_empty_mask():
    assert _native.DigestGroups().resolve() == b""
    assert _native.BandGroups(3).resolve(b"") == b""
    assert _native.HammingGroups(3).resolve() == b""


def test_sizes_that_disagree_are_refused():
    groups = _native.DigestGroups()
    with pytest.raises(UserError, match="16 bytes for each of 2 rows"):
        groups.add(bytes(16), 2)
    with pytest.raises(UserError, match="present"):
        groups.add(bytes(32), 2, b"\1")
    groups.add(bytes(32), 2)
    with pytest.raises(UserError, match="alive"):
        groups.resolve(b"\1")
    with pytest.raises(UserError, match="distance"):
        _native.HammingGroups(64)
    with pytest.raises(UserError, match="bands"):
        _native.BandGroups(0)


def test_long_work_tells_how_much_is_done():
    rows, bands = 300_000, 20
    groups = _native.BandGroups(bands)
    groups.add(random.Random(1).randbytes(8 * bands * rows), rows)
    told = []
    assert groups.resolve(None, told.append).count(1) == rows
    assert told == sorted(told)
    assert all(0 <= share < 1 for share in told)


def test_a_signal_ends_long_work():
    class Ended(Exception):
        pass

    def end(number, frame):
        raise Ended

    groups = _native.HammingGroups(16)  # half a minute of comparisons
    groups.add(random.Random(1).randbytes(8 * 100_000), 100_000)
    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    began = time.monotonic()
    try:
        with pytest.raises(Ended):
            groups.resolve()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < 10


def test_who_is_told_may_end_the_work():
    groups = _native.HammingGroups(16)
    groups.add(random.Random(1).randbytes(8 * 20_000), 20_000)
    with pytest.raises(ZeroDivisionError):
        groups.resolve(None, lambda share: 1 / 0)


def test_keys_that_begin_with_a_word_are_counted() -> None:
    keys = pack([7, 1, 2, 7, 7, 9, 7, 2**64 - 1])
    assert _native.keys_that_begin_with(keys, 2, 7) == 3
    assert _native.keys_that_begin_with(keys, 4, 2**64 - 1) == 0
    assert _native.keys_that_begin_with(keys, 1, 2**64 - 1) == 1
    assert _native.keys_that_begin_with(b"", 3, 7) == 0
    with pytest.raises(RuntimeError, match="width"):
        _native.keys_that_begin_with(keys, 3, 7)


def test_numbers_are_selected_by_their_part_of_a_mask() -> None:
    numbers = pack([10, 2**64 - 1, 30])
    assert _native.select_numbers(numbers, b"\1\1\0\1\0", 1) == pack([10, 30])
    assert _native.select_numbers(numbers, b"\0\0\0", 0) == b""
    assert _native.select_numbers(b"", b"", 0) == b""
    with pytest.raises(RuntimeError, match="shorter"):
        _native.select_numbers(numbers, b"\1\1\1", 1)
