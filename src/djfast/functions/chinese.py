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
        # No dictionary has a word of ASCII alone; OpenCC ends a text at U+0000.
        if text.isascii() and "\0" not in text:
            return text
        converted: str = converter.convert(text)
        return converted

    return convert
