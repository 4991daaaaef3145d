from __future__ import annotations

from tests.custom.conftest import forget

__all__ = ["forget"]
