"""An OP of a module that other processes can import."""

from __future__ import annotations

from typing import Any

import djfast


@djfast.mapper
def pickled_mapper(row: Any, end: str = "!") -> Any:
    return {**row, "text": row["text"] + end}
