"""What MPI ranks send arrives, once, in order, and no faster than it is taken."""

from __future__ import annotations

import pytest

from tests.ranks.launching import run_module

CHECKS = ["random_batches", "nothing", "slow_taker", "desk"]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_messages_between_ranks(size: int) -> None:
    run_module(size, "tests.ranks.streams", *CHECKS)


def test_big_batches_cross_each_other() -> None:
    run_module(3, "tests.ranks.streams", "big_batches")
