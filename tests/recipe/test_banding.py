from time import perf_counter

import pytest

from djfast.ops.dedup.banding import KNOWN, best_banding, search_banding

# By adaptive quadrature of both error areas for every banding.
BEST = {
    0.5: {64: (14, 4), 128: (25, 5), 256: (42, 6)},
    0.6: {64: (10, 6), 128: (18, 7), 256: (32, 8)},
    0.7: {64: (8, 8), 128: (14, 9), 256: (25, 10)},
    0.8: {64: (5, 11), 128: (9, 13), 256: (17, 15)},
    0.9: {64: (3, 21), 128: (5, 25), 256: (9, 28)},
    0.95: {128: (3, 42)},
}


@pytest.mark.parametrize(
    ("threshold", "permutations", "expected"),
    [(threshold, count, best) for threshold, bests in BEST.items() for count, best in bests.items()],
)
def test_the_best_banding_is_found(threshold, permutations, expected):
    assert search_banding(threshold, permutations) == expected


def test_what_is_known_is_what_the_search_finds():
    for (threshold, permutations), banding in KNOWN.items():
        assert search_banding(threshold, permutations) == banding


@pytest.mark.parametrize(("threshold", "expected"), [(0.0, (64, 1)), (1.0, (1, 64))])
def test_the_ends_of_the_range_are_settled_by_one_error(threshold, expected):
    assert best_banding(threshold, 64) == expected


def test_a_signature_of_one_value_has_one_band():
    assert best_banding(0.7, 1) == (1, 1)


@pytest.mark.parametrize("permutations", [2, 7, 100])
def test_bands_fit_into_the_signature(permutations):
    bands, rows = best_banding(0.8, permutations)
    assert 1 <= bands * rows <= permutations


def test_the_search_is_fast():
    search_banding(0.61, 256)
    times = []
    for threshold in (0.62, 0.63, 0.64):
        start = perf_counter()
        search_banding(threshold, 256)
        times.append(perf_counter() - start)
    assert min(times) < 0.2  # about 0.01 s; the bound leaves room for a loaded machine
