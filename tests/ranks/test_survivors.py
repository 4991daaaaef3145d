"""Ranks together find the rows that one process finds, whatever the keys, the ranks and the memory."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from djfast.declare import DuplicateRule
from djfast.plan.steps import Dedup
from djfast.runners.job import exchange
from djfast.runners.job.components import non_roots
from djfast.runners.job.parts import PartFile
from djfast.runners.job.survivors import Answer, answer_alone, answer_together, block_masks, owned, read_mask, write_masks
from tests.ranks.made_parts import Keys, keyed_part
from tests.ranks.threads import Threads, run_threads

WIDTHS = {"equal": 2, "hamming": 1}
SIZES = range(1, 8)
Row = tuple[int, ...] | None  # the words of a row's key; None has no key


@pytest.fixture(scope="module", autouse=True)
def _small_batches() -> Iterator[None]:
    """Let tables of some thousand rows travel in several batches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange, "_BATCH_ROWS", 1000)
        yield


def union_find_non_roots(links: Sequence[tuple[int, int]]) -> list[int]:
    parent = {row: row for link in links for row in link}

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for a, b in links:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return sorted(row for row in parent if root(row) != row)


def non_roots_of_ranks(links: Sequence[tuple[int, int]], size: int, rng: random.Random) -> list[int]:
    """Find the rows with links dealt to ranks at random, some to two of them."""
    shares: list[list[tuple[int, int]]] = [[] for _ in range(size)]
    for link in links:
        for rank in rng.sample(range(size), min(size, rng.choice([1, 1, 1, 2]))):
            shares[rank].append(link if rng.random() < 0.5 else (link[1], link[0]))

    def work(ranks: Threads) -> list[int]:
        pairs = np.array(shares[ranks.rank], np.int64).reshape(-1, 2)
        return [int(row) for row in non_roots(ranks, pairs[:, 0], pairs[:, 1])]

    return sorted(row for rows in run_threads(size, work) for row in rows)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(lambda link: link[0] != link[1]), max_size=40),
    st.sampled_from(SIZES),
    st.randoms(use_true_random=False),
)
def test_components_of_random_links(links: list[tuple[int, int]], size: int, rng: random.Random) -> None:
    assert non_roots_of_ranks(links, size, rng) == union_find_non_roots(links)


def chain(rows: Sequence[int]) -> list[tuple[int, int]]:
    return list(pairwise(rows))


def shuffled(count: int) -> list[int]:
    rows = list(range(count))
    random.Random(count).shuffle(rows)
    return rows


SKEWED_LINKS = {
    "chain": chain(range(3000)),
    "chain in any order": chain(shuffled(3000)),
    "star of the smallest": [(0, row) for row in range(1, 3000)],
    "star of the largest": [(row, 2999) for row in range(2999)],
    "all with all": [(a, b) for a in range(60) for b in range(a)],
    "two giants that meet once": [*chain(range(0, 2000, 2)), *chain(range(1, 2000, 2)), (1000, 1999)],
    "tree": [(row, (row - 1) // 2) for row in range(1, 3000)],
    "pairs": [(2 * row, 2 * row + 1) for row in range(1500)],
    "far apart": [(row, row + (1 << 40)) for row in range(100)],
    "none": [],
}


@pytest.mark.parametrize("name", SKEWED_LINKS)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_components_of_skewed_links(name: str, size: int) -> None:
    links = SKEWED_LINKS[name]
    assert non_roots_of_ranks(links, size, random.Random(size)) == union_find_non_roots(links)


def packed_keys(rows: Sequence[Row], width: int, *, keeps_places: bool) -> tuple[bytes, bytes | None]:
    """Keys of a batch; those of rows without are left out, or are zeros in their place."""
    stored = [row or (0,) * width for row in rows if keeps_places or row is not None]
    present = bytes(row is not None for row in rows)
    keys = np.array([word for row in stored for word in row], np.uint64).tobytes()
    return keys, None if all(present) else present


def made_parts(folder: Path, columns: Sequence[Sequence[Row]], widths: Sequence[int], rng: random.Random) -> list[PartFile]:
    """Cut rows into parts of batches at random places; `columns` has the rows' keys for each deduplicator."""
    total = len(columns[0])

    def batches(begin: int, end: int) -> Iterator[tuple[int, Keys]]:
        while begin < end:
            stop = min(end, begin + rng.randint(1, max(1, total // 4)))
            yield (
                stop - begin,
                [packed_keys(rows[begin:stop], width, keeps_places=rng.random() < 0.5) for rows, width in zip(columns, widths)],
            )
            begin = stop

    borders = sorted(rng.randint(0, total) for _ in range(rng.randint(0, 9)))
    return [keyed_part(folder, split, list(batches(*ends))) for split, ends in enumerate(zip([0, *borders], [*borders, total]))]


def together(dedups: Sequence[Dedup], parts: Sequence[PartFile], size: int, budget: int) -> Answer:
    answers = run_threads(size, lambda ranks: answer_together(dedups, parts, ranks, budget=budget))
    assert all(answer.counts == answers[0].counts for answer in answers)
    masks = {split: mask for answer in answers for split, mask in answer.masks.items()}
    assert sum(len(answer.masks) for answer in answers) == len(masks), "a part has two owners"
    return Answer(dict(sorted(masks.items())), answers[0].counts)


def dedups_of(rules: Sequence[DuplicateRule]) -> list[Dedup]:
    return [Dedup(op=number, slot=number, rule=rule) for number, rule in enumerate(rules)]


def width_of(rule: DuplicateRule) -> int:
    return WIDTHS.get(rule.kind, rule.bands)


GROUPINGS = st.one_of(
    st.just(DuplicateRule("equal")),
    st.integers(1, 5).map(lambda bands: DuplicateRule("bands", bands=bands)),
    st.integers(0, 8).map(lambda distance: DuplicateRule("hamming", distance=distance)),
)


def random_rows(rule: DuplicateRule, count: int, rng: random.Random) -> list[Row]:
    """Keys with many repeats, and hashes with a few flipped bits; some rows have none."""
    alphabet = [rng.choice([rng.getrandbits(64), rng.getrandbits(3), 0, 2**64 - 1]) for _ in range(max(1, count // 2))]
    missing = rng.choice([0, 0, 0.2, 1])
    rows: list[Row] = []
    for _ in range(count):
        words = [rng.choice(alphabet) for _ in range(width_of(rule))]
        if rule.kind == "hamming":
            for _ in range(rng.randint(0, 2 * rule.distance)):
                words[0] ^= 1 << rng.randrange(64)
        rows.append(None if rng.random() < missing else tuple(words))
    return rows


@settings(max_examples=60)
@given(
    st.lists(GROUPINGS, min_size=1, max_size=3),
    st.integers(0, 60),
    st.sampled_from(SIZES),
    st.sampled_from([500, 3000, 1 << 40]),
    st.randoms(use_true_random=False),
)
def test_ranks_together_find_what_one_finds(
    rules: list[DuplicateRule], count: int, size: int, budget: int, rng: random.Random
) -> None:
    dedups = dedups_of(rules)
    columns = [random_rows(rule, count, rng) for rule in rules]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange, "_BATCH_ROWS", 7)
        parts = made_parts(Path(folder), columns, [width_of(rule) for rule in rules], rng)
        assert together(dedups, parts, size, budget) == answer_alone(dedups, parts)


def gray_code(number: int) -> int:
    return number ^ number >> 1


SKEWED_KEYS: dict[str, tuple[DuplicateRule, list[Row]]] = {
    "equal digests": (DuplicateRule("equal"), [(1, 2)] * 4000),
    "digests of equal halves": (DuplicateRule("equal"), [(row // 3, row // 3) for row in range(3000)]),
    "equal bands": (DuplicateRule("bands", bands=4), [(1, 2, 3, 4)] * 4000),
    "one band of all": (DuplicateRule("bands", bands=3), [(row, 7, 2 * row + 1) for row in range(4000)]),
    "chain of bands": (DuplicateRule("bands", bands=2), [((row + 1) // 2, row // 2) for row in range(3000)]),
    "chain of bands in any order": (DuplicateRule("bands", bands=2), [((row + 1) // 2, row // 2) for row in shuffled(3000)]),
    "equal hashes": (DuplicateRule("hamming", distance=4), [(5,)] * 4000),
    "chain of hashes": (DuplicateRule("hamming", distance=1), [(gray_code(row),) for row in range(2000)]),
    "chain of hashes in any order": (DuplicateRule("hamming", distance=2), [(gray_code(row) << 9,) for row in shuffled(2000)]),
    "close hashes": (DuplicateRule("hamming", distance=8), [(row,) for row in range(2000)]),
    "strangers": (DuplicateRule("hamming", distance=3), [(random.Random(row).getrandbits(64),) for row in range(2000)]),
    "no keys": (DuplicateRule("bands", bands=2), [None] * 500),
}


@pytest.mark.parametrize("name", SKEWED_KEYS)
@pytest.mark.parametrize(("size", "budget"), [(2, 60_000), (5, 1 << 40)])
def test_skewed_keys(tmp_path: Path, name: str, size: int, budget: int) -> None:
    rule, rows = SKEWED_KEYS[name]
    parts = made_parts(tmp_path, [rows], [width_of(rule)], random.Random(name))
    dedups = dedups_of([rule])
    assert together(dedups, parts, size, budget) == answer_alone(dedups, parts)


@given(st.lists(st.integers(0, 20), max_size=12), st.sampled_from(SIZES))
def test_every_part_has_one_owner_and_neighbours_stay_together(rows: list[int], size: int) -> None:
    shares = run_threads(size, lambda ranks: owned(rows, ranks))
    assert all(share == shares[0] for share in shares)
    assert [part for share in shares[0] for part in share] == list(range(len(rows)))
    assert len(shares[0]) == size


@pytest.mark.parametrize("blocks", range(1, 65))
def test_blocks_are_all_bits_once(blocks: int) -> None:
    masks = block_masks(blocks)
    assert sum(masks) == 2**64 - 1
    assert all(masks)
    assert max(mask.bit_count() for mask in masks) - min(mask.bit_count() for mask in masks) <= 1


@given(st.dictionaries(st.integers(0, 1000), st.lists(st.sampled_from([0, 1]), max_size=50).map(bytes), max_size=5))
def test_masks_are_read_as_they_were_written(masks: dict[int, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        entries = write_masks(masks, Path(folder), "parts/stage-0/rank.masks")
        assert {entry[0]: read_mask(Path(folder), entry) for entry in entries} == masks
        assert [entry[4] for entry in entries] == [mask.count(1) for mask in masks.values()]
