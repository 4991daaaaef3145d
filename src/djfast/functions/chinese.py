"""Conversion between the scripts of Chinese by OpenCC."""

from __future__ import annotations

from collections.abc import Callable


def bind_convert_chinese(mode: str) -> Callable[[str], str]:
    """Return the function that converts a text.

    Parameters
    ----------
    mode : str
        Name of one of OpenCC's own configurations: ``s2t``.
    """
    from opencc import OpenCC

    converter = OpenCC(mode)

    def convert(text: str) -> str:
        # No dictionary has a word of ASCII alone. OpenCC ends a text at U+0000, which no word of its dictionaries holds.
        return text if text.isascii() else "\0".join(map(converter.convert, text.split("\0")))

    return convert
