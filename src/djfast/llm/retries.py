"""When to ask a server again: longer waits after each failure, the server's own wish, and no two clients in step."""

from __future__ import annotations

import datetime
import email.utils
import hashlib
import re
import time

from djfast.records import NamedTuple


class Retries(NamedTuple):
    """How often and how long.

    Parameters
    ----------
    most : int
        Retries after the first try.
    first_seconds, longest_seconds : float
        Wait before the first retry; it doubles up to the longest, which also caps what a server asks for.
    """

    most: int = 6
    first_seconds: float = 0.5
    longest_seconds: float = 60.0

    def wait(self, seed: bytes, number: int, asked: float | None = None) -> float:
        """Return the seconds before retry `number`, counted from 0.

        The wait is between a half and the whole of the doubled time, chosen by the request: the same request waits the
        same in every run, and requests that failed together come back apart. `asked` is the server's wish, in seconds,
        which is never undercut.
        """
        digest = hashlib.sha256(seed + number.to_bytes(4, "little")).digest()
        share = int.from_bytes(digest[:8], "little") / 2**64
        doubled = min(self.longest_seconds, self.first_seconds * 2.0 ** min(number, 60))
        if asked is not None and asked > 0:
            return min(asked, self.longest_seconds) + self.first_seconds * share
        return doubled * (0.5 + 0.5 * share)


DEFAULT_RETRIES = Retries()


def is_passing(status: int) -> bool:
    """Whether an HTTP status may be another one next time."""
    return status in (408, 425, 429) or status >= 500


def retry_after(header: str | None, *, now: float | None = None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, given as seconds or as a date; None if it cannot be read.

    `now` is in seconds since the epoch. A date in the past is 0.
    """
    if header is None:
        return None
    text = header.strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=datetime.timezone.utc)
    return max(0.0, date.timestamp() - (time.time() if now is None else now))
