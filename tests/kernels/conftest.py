from __future__ import annotations

import pytest

from djfast import _native


@pytest.fixture(params=("serial", "avx2", "avx512"))
def level(request: pytest.FixtureRequest):
    """Run the test once per instruction set."""
    before = _native.active_isa()
    _native.force_isa(request.param)
    yield request.param
    _native.force_isa(before)
