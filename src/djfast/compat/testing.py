"""What unit tests of OPs written for Data-Juicer import."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from djfast.compat.datasets import NestedDataset
from djfast.custom.data_juicer import IgnoredRegistry


class DataJuicerTestCaseBase(unittest.TestCase):
    """The base of such tests."""

    maxDiff = None

    @classmethod
    def generate_dataset(cls, data: Sequence[Mapping[str, Any]]) -> NestedDataset:
        """Return a data set of rows."""
        return NestedDataset.from_list(data)  # type: ignore[return-value]


def test_tag(*_: str) -> Callable[[Any], Any]:
    """Leave a test as it is: tags name engines that djfast has none of."""
    return lambda test: test


TESTING = {
    "DataJuicerTestCaseBase": DataJuicerTestCaseBase,
    "SKIPPED_TESTS": IgnoredRegistry(),
    "TEST_TAG": test_tag,
    "FROM_FORK": False,
}
