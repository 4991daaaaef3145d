"""What can only be read as a whole, a page of a Parquet file or a compressed batch of Arrow, may take half of a run's memory."""

from __future__ import annotations

_SHARE = 2


def room_for_whole(memory: int) -> int:
    """Return the bytes that one part may take."""
    return memory // _SHARE


def check_whole(what: str, needed: int, memory: int, fix: str) -> None:
    """Make sure that a part of a file fits.

    Raises
    ------
    OSError
        If it does not; the message says what would help.
    """
    if needed > room_for_whole(memory):
        raise OSError(
            f"{what} takes {_mebibytes(needed)} while it is read, and what can only be read as a whole may take half of "
            f"`memory`; set memory: {_mebibytes(_SHARE * needed)}, or {fix}, got memory: {_mebibytes(memory)}"
        )


def _mebibytes(size: int) -> str:
    return f"{-(-size >> 20)}MiB"
