"""Repair of broken Unicode by ftfy, for the texts and lines that native code does not settle."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

# ftfy repeats its fixes on a line until nothing changes. Most lines take a few rounds, but entities and terminal escapes can
# be nested so that each round opens one level. A line may have so many rounds times characters, and some rounds in any case.
_MOST_CHARACTERS = 200_000_000
_ALWAYS_ALLOWED_ROUNDS = 64

# An ampersand that was escaped again and again; each round takes one piece of the run away. Spelled as ftfy unescapes it.
_AMPERSAND = r"(?:amp|AMP|#0{0,20}38|#[xX]0{0,20}26);"
_NESTED = re.compile(rf"([&\uff06])((?:{_AMPERSAND}){{33,}})")
_PIECE = re.compile(_AMPERSAND)
_SETTLING_ROUNDS = 32  # after which a line changes no more but for such runs
_LONGEST_SEGMENT = 1_000_000  # characters; ftfy cuts longer lines


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
        still be unescaped (no ``<`` came in an earlier line) or a ``0``; gives each line fixed, in the same order. It raises
        ValueError for a line that takes too many rounds.
    """

    def fix_lines(lines: list[str]) -> list[str]:
        # Imported at the first hard line: most inputs of native lines only never pay for it.
        import ftfy

        config = _counting_config()(normalization=normalization, explain=False)
        fixed = []
        for line in lines:
            may_unescape = line[0] == "1"
            text = _less_nested(line[1:]) if may_unescape else line[1:]
            _rounds.left = max(_MOST_CHARACTERS // max(1, len(text)), _ALWAYS_ALLOWED_ROUNDS)
            fixed.append(ftfy.fix_text(text, config if may_unescape else config._replace(unescape_html=False)))
        return fixed

    return fix_lines


def bind_ftfy_text(normalization: str) -> Callable[[str], str]:
    """Return the function that fixes one whole text by ftfy alone: what the native functions must agree with."""
    import ftfy

    config = ftfy.TextFixerConfig(normalization=normalization, explain=False)  # type: ignore[arg-type]
    return lambda text: ftfy.fix_text(text, config)


class _Rounds(threading.local):
    """How many more rounds the line that a thread works on may take."""

    left = 0

    def take(self) -> None:
        """Begin one more."""
        self.left -= 1
        if self.left < 0:
            raise ValueError("repairing a line does not end in time: entities or terminal escapes are nested too deeply")


_rounds = _Rounds()


@cache
def _counting_config() -> Any:
    """Return ftfy's class of configurations, with a field that counts how often it is asked for: once each round."""
    import ftfy

    class Counting(ftfy.TextFixerConfig):
        @property
        def remove_control_chars(self) -> bool:
            _rounds.take()
            return True

    return Counting


def _less_nested(line: str) -> str:
    """Shorten runs of escaped ampersands so that the line has the same outcome in fewer rounds.

    Once all else has settled, a round only takes a piece away from each run. The runs must end in the same order and one
    well after the other, for what stands behind them may be fixed only then; how long they are does not matter.
    """
    if len(line) > _LONGEST_SEGMENT or "<" in line or not _NESTED.search(line):  # no entity is unescaped in a line with "<"
        return line
    pieces = sorted({0, *(len(_PIECE.findall(run[2])) for run in _NESTED.finditer(line))})
    kept = {0: 0}
    for fewer, more in pairwise(pieces):
        kept[more] = kept[fewer] + min(more - fewer, _SETTLING_ROUNDS)

    def shortened(run: re.Match[str]) -> str:
        found = _PIECE.findall(run[2])
        return run[1] + "".join(found[len(found) - kept[len(found)] :])

    return _NESTED.sub(shortened, line)
