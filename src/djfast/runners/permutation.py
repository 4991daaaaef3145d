"""The shuffle of ``numpy.random.default_rng(42).permutation(count)``, without numpy.

It is a Fisher-Yates shuffle from the end, over the 32-bit halves of a 64-bit PCG generator.

References
----------
O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for Random Number Generation", 2014.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

# What seed 42 expands to: numpy's SeedSequence hashes a seed into the state and the increment.
_STATE = 274674114334540486603088602300644985544
_INCREMENT = 332724090758049132448979897138935081983
_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645

_32_BITS = (1 << 32) - 1
_64_BITS = (1 << 64) - 1
_128_BITS = (1 << 128) - 1


def permutation(count: int) -> array[int]:
    """Return the numbers below `count`, at most ``2**32`` of them, shuffled; always the same way."""
    shuffled = array("Q", range(count))
    halves = _random_halves()
    for last in range(count - 1, 0, -1):
        mask = (1 << last.bit_length()) - 1
        # Numbers that are too large are drawn again: taking remainders would make some more likely than others.
        while (other := next(halves) & mask) > last:
            pass
        shuffled[last], shuffled[other] = shuffled[other], shuffled[last]
    return shuffled


def _random_halves() -> Iterator[int]:
    """Yield 32-bit numbers: the low half of each 64-bit output first."""
    state = _STATE
    while True:
        state = (state * _MULTIPLIER + _INCREMENT) & _128_BITS
        mixed = (state >> 64) ^ (state & _64_BITS)
        turn = state >> 122
        number = (mixed >> turn | mixed << (64 - turn)) & _64_BITS
        yield number & _32_BITS
        yield number >> 32
