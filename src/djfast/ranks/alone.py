"""One process that is all ranks of its job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from djfast.ranks.calls import Channel
from djfast.ranks.messages import Ranks


class Alone:
    """Ranks of a single process: every message is for itself."""

    rank = 0
    size = 1
    can_regroup = False

    def __init__(self) -> None:
        self._answer: Callable[[int, bytes], bytes | None] | None = None

    def gather_all(self, body: bytes) -> list[bytes]:
        """Return the bytes."""
        return [body]

    def stream(self, outgoing: Iterator[tuple[int, Any]], take: Callable[[int, Any], None]) -> None:
        """Take every batch at once."""
        for _, batch in outgoing:
            take(0, batch)

    def ask(self, body: bytes) -> bytes:
        """Answer itself."""
        assert self._answer is not None, "nobody serves"
        return self._answer(0, body) or b""

    def tell(self, body: bytes) -> None:
        """Listen to itself."""
        assert self._answer is not None, "nobody serves"
        self._answer(0, body)

    def serve(self, answer: Callable[[int, bytes], bytes | None]) -> None:
        """Keep the answers."""
        self._answer = answer

    def stop_serving(self) -> None:
        """Forget them."""
        self._answer = None

    def open_channel(self) -> Channel | None:
        """Return None: there is nobody to call."""
        return None

    def abort(self, status: int) -> None:
        """Do nothing: the caller ends this process."""

    def regroup(self) -> Ranks:
        """Return this process."""
        return self

    def close(self, status: int) -> None:
        """Do nothing."""
