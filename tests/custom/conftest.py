from __future__ import annotations

from collections.abc import Iterator

import pytest

from djfast.declare import REGISTRY
from djfast.functions.custom import CUSTOM


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Leave no OP of a test behind."""
    before = set(CUSTOM)
    yield
    for name in set(CUSTOM) - before:
        del CUSTOM[name], REGISTRY[name]
