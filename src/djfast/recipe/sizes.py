"""Sizes in bytes, as people write them."""

from __future__ import annotations

import re

from djfast.errors import RecipeError

_UNITS = {
    "": 1, "b": 1,
    "k": 1000, "kb": 1000, "m": 1000**2, "mb": 1000**2, "g": 1000**3, "gb": 1000**3, "t": 1000**4, "tb": 1000**4,
    "ki": 1024, "kib": 1024, "mi": 1024**2, "mib": 1024**2, "gi": 1024**3, "gib": 1024**3,
    "ti": 1024**4, "tib": 1024**4,
}  # fmt: skip


def size_in_bytes(value: int | str) -> int:
    """Read `4096`, `"4MiB"` or `"1.5 GB"`; units are binary with an i and decimal without.

    Raises
    ------
    RecipeError
        If it is no size; the message has no subject.
    """
    if isinstance(value, int):
        return value
    match = re.fullmatch(r"\s*(\d{1,18}(?:\.\d{1,18})?)\s*([a-z]*)\s*", value.lower(), re.ASCII)
    if match is None or match[2] not in _UNITS:
        raise RecipeError(f"must be a number of bytes such as 1048576 or '4MiB', got {value!r}")
    return int(float(match[1]) * _UNITS[match[2]])


def spoken_size(size: int) -> str:
    """Return a size as a recipe has it, in the largest unit that leaves an integer: ``256MiB``."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        whole, rest = divmod(size, _UNITS.get(unit.lower(), 1024))
        if whole and not rest:
            return f"{whole}{unit}"
    return str(size)
