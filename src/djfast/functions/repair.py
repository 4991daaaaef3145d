"""Repair of broken Unicode by ftfy, for the texts and lines that native code does not settle."""

from __future__ import annotations

from collections.abc import Callable


def bind_ftfy_lines(normalization: str) -> Callable[[list[str]], list[str]]:
    """Return the function that fixes the hard lines of one text.

    Parameters
    ----------
    normalization : {"NFC", "NFD", "NFKC", "NFKD"}
        Unicode normalization form of the result.

    Returns
    -------
    Callable[[list[str]], list[str]]
        Takes the lines as the native function ``hard_lines`` lists them, each after a ``1`` when HTML entities may
        still be unescaped (no ``<`` came in an earlier line) or a ``0``; gives each line fixed, in the same order.
    """

    def fix_lines(lines: list[str]) -> list[str]:
        # Imported at the first hard line: most inputs of native lines only never pay for it.
        import ftfy

        with_entities = ftfy.TextFixerConfig(normalization=normalization, explain=False)  # type: ignore[arg-type]
        without_entities = with_entities._replace(unescape_html=False)
        return [ftfy.fix_text(line[1:], with_entities if line[0] == "1" else without_entities) for line in lines]

    return fix_lines


def bind_ftfy_text(normalization: str) -> Callable[[str], str]:
    """Return the function that fixes one whole text by ftfy alone: what the native functions must agree with."""
    import ftfy

    config = ftfy.TextFixerConfig(normalization=normalization, explain=False)  # type: ignore[arg-type]
    return lambda text: ftfy.fix_text(text, config)
