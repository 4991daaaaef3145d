"""Keys that were chosen to fall on each other in a table cost no more than others, and answers do not hang on places."""

from __future__ import annotations

import subprocess
import sys
import time
from array import array
from collections.abc import Callable
from typing import Any

import pytest

from djfast import Dataset, _native, load_ops

GOLDEN = 0x9E3779B97F4A7C15
INVERSE = pow(GOLDEN, -1, 1 << 64)


def cpu_seconds(work: Callable[[], Any]) -> float:
    def once() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return min(once() for _ in range(3))


def words_key(text: bytes) -> int:
    """The unseeded hash of a short text that tables were once keyed by."""
    low, high = (int.from_bytes(text.ljust(16, b"\0")[at : at + 8], "little") for at in (0, 8))
    product = (low ^ GOLDEN ^ len(text) << 56 & (1 << 64) - 1) * (high ^ 0xD1B54A32D192ED03)
    return (product ^ product >> 64) & (1 << 64) - 1


def sentences(count: int, *, wanted: Callable[[int], bool]) -> str:
    found: list[str] = []
    number = 0
    while len(found) < count:
        number += 1
        text = f"s{number:011d}"
        if wanted(words_key(text.encode())):
            found.append(text)
    return "\n".join(found)


def without_repeats(text: str) -> str:
    ops = load_ops([{"remove_repeat_sentences_mapper": {"ignore_special_character": False}}])
    return str(Dataset.from_list([{"text": text}]).process(*ops).to_list()[0]["text"])


def test_sentences_that_share_a_run_of_places() -> None:
    crafted = sentences(40_000, wanted=lambda key: key & 0xFFFF < 4096)
    plain = sentences(40_000, wanted=lambda key: True)
    assert without_repeats(crafted) == crafted
    assert cpu_seconds(lambda: without_repeats(crafted)) < 5 * cpu_seconds(lambda: without_repeats(plain)) + 0.05


def count(keys: array[int]) -> None:
    counts = _native.KeyCounts()
    counts.add(keys)
    assert len(counts) == len(keys)


def resolve(groups: Any, keys: array[int], *, width: int = 1) -> None:
    groups.add(keys.tobytes(), len(keys) // width)
    assert set(groups.resolve()) == {1}


@pytest.mark.parametrize("shift", [24, 32, 40])
def test_counted_keys_with_equal_low_bits(shift: int) -> None:
    crafted = array("Q", (key << shift | 1 for key in range(1, 24_001)))
    plain = array("Q", (key * GOLDEN % 2**64 for key in range(1, len(crafted) + 1)))
    assert cpu_seconds(lambda: count(crafted)) < 5 * cpu_seconds(lambda: count(plain)) + 0.05


def test_band_keys_with_equal_places() -> None:
    crafted = array("Q", (key * INVERSE % 2**64 for key in range(40_000)))
    plain = array("Q", range(40_000))
    assert cpu_seconds(lambda: resolve(_native.BandGroups(1), crafted)) < (
        5 * cpu_seconds(lambda: resolve(_native.BandGroups(1), plain)) + 0.05
    )


def test_digests_with_an_equal_half() -> None:
    crafted = array("Q", (word for key in range(40_000) for word in (7, key)))
    plain = array("Q", (word for key in range(40_000) for word in (key * GOLDEN % 2**64, key)))
    assert cpu_seconds(lambda: resolve(_native.DigestGroups(), crafted, width=2)) < (
        5 * cpu_seconds(lambda: resolve(_native.DigestGroups(), plain, width=2)) + 0.05
    )


def test_links_are_told_in_the_same_order_by_every_process() -> None:
    script = (
        "from array import array; from djfast import _native; import hashlib;"
        "keys = array('Q', (n * n % 70_001 for n in range(100_000)));"
        "print(hashlib.md5(b''.join(_native.links_of_equal(keys, 1))).hexdigest())"
    )
    told = {subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout for _ in range(3)}
    assert len(told) == 1
