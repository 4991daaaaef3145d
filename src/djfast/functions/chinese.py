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
        # OpenCC ends a text at U+0000. No dictionary has a word with it, so the parts are converted one by one; no word of
        # ASCII alone is in a dictionary either, and such texts are what the recorded answers of Data-Juicer say.
        if text.isascii():
            return text.partition("\0")[0]
        return "\0".join(map(converter.convert, text.split("\0")))

    return convert
