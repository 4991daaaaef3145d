"""How a MinHash signature is best cut into bands."""

from __future__ import annotations

from functools import lru_cache
from math import cos, pi
from operator import mul

# What nearly every recipe asks for, so that loading one does not search; a test compares it with the search.
KNOWN = {(0.7, 256): (25, 10)}

# Nodes per side of the threshold. The curve is a polynomial with one steep bend; more nodes move no integral by 1e-9.
_NODES = 40


def best_banding(threshold: float, permutations: int) -> tuple[int, int]:
    """Choose the bands and rows per band that separate pairs best at a Jaccard similarity.

    Two rows with similarity s share a band with probability ``1 - (1 - s**rows)**bands``. The area below this curve
    left of the threshold (false positives) plus the area above it on the right (false negatives) is minimal; of equal
    settings the one with the fewest bands wins, then that with the fewest rows.

    Parameters
    ----------
    threshold : float
        Similarity from which pairs should count as duplicates, 0 to 1.
    permutations : int
        Length of the signature; bands times rows is at most this.

    Returns
    -------
    tuple of int
        Bands, rows per band.
    """
    return KNOWN.get((threshold, permutations)) or search_banding(threshold, permutations)


@lru_cache(maxsize=64)
def search_banding(threshold: float, permutations: int) -> tuple[int, int]:
    """Find the best banding by looking at every one."""
    # The two errors differ from a constant by a signed integral of (1 - s**rows)**bands, so one weighted sum over the
    # nodes of both sides ranks the settings.
    left = _scaled_nodes(0.0, threshold)
    right = _scaled_nodes(threshold, 1.0)
    similarities = [node for node, _ in left + right]
    weights = [-weight for _, weight in left] + [weight for _, weight in right]
    best = (float("inf"), 0, 0)
    powers = [1.0] * len(similarities)
    for rows in range(1, permutations + 1):
        powers = list(map(mul, powers, similarities))
        missed_once = [1.0 - power for power in powers]
        missed = weights
        for bands in range(1, permutations // rows + 1):
            missed = list(map(mul, missed, missed_once))
            # Differences below the accuracy of the quadrature are ties.
            best = min(best, (round(sum(missed), 12), bands, rows))
    return best[1], best[2]


def _scaled_nodes(low: float, high: float) -> list[tuple[float, float]]:
    """Nodes and weights of Gauss-Legendre quadrature on an interval."""
    half = (high - low) / 2
    return [(low + half * (1 + node), half * weight) for node, weight in _gauss_legendre(_NODES)]


@lru_cache(maxsize=1)
def _gauss_legendre(count: int) -> list[tuple[float, float]]:
    """Nodes and weights on [-1, 1]: the roots of the Legendre polynomial, found by Newton's method."""
    found = []
    for index in range(count):
        x = cos(pi * (index + 0.75) / (count + 0.5))
        for _ in range(100):
            value, before = x, 1.0
            for degree in range(2, count + 1):
                value, before = ((2 * degree - 1) * x * value - (degree - 1) * before) / degree, value
            slope = count * (x * value - before) / (x * x - 1)
            step = value / slope
            x -= step
            if abs(step) < 1e-15:
                break
        found.append((x, 2 / ((1 - x * x) * slope * slope)))
    return found
