"""What ranks say to each other, whatever carries it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from djfast.errors import DjfastError


class RankLost(DjfastError, RuntimeError):
    """A rank is gone. The others may go on after `Ranks.regroup`, where the MPI library can do that."""


class Ranks(Protocol):
    """The processes of one job. One thread uses it at a time, but for `serve`, which answers from a thread of its own."""

    rank: int
    size: int
    can_regroup: bool

    def gather_all(self, body: bytes, meanwhile: Callable[[], None] | None = None) -> list[bytes]:
        """Give every rank the bytes of all ranks, by rank. All ranks call it; none leaves before all came.

        `meanwhile` is called again and again while this rank waits.
        """
        ...

    def stream(self, outgoing: Iterator[tuple[int, Any]], take: Callable[[int, Any], None]) -> None:
        """Send record batches to ranks and take those of others, until all ranks have sent all.

        Parameters
        ----------
        outgoing : iterator of (rank, record batch)
            What this rank sends. It is asked for more only while receivers keep up.
        take : callable
            ``take(source, batch)``. Batches of one source come in the order in which it sent them.
        """
        ...

    def ask(self, body: bytes) -> bytes:
        """Ask rank 0 and wait for its answer."""
        ...

    def tell(self, body: bytes) -> None:
        """Tell rank 0 something that needs no answer."""
        ...

    def serve(self, answer: Callable[[int, bytes], bytes | None]) -> None:
        """On rank 0: answer what ranks ask and tell, from now on; None says nothing."""
        ...

    def stop_serving(self) -> None:
        """End what `serve` began."""
        ...

    def open_channel(self) -> Any:
        """Return a `Channel` for calls between ranks, which one more thread may use; None where there are no others."""
        ...

    def abort(self, status: int) -> None:
        """End all ranks at once with this exit status. Does not return where there are others."""
        ...

    def regroup(self) -> Ranks:
        """Return the ranks that are left, renumbered. All of them call it."""
        ...

    def close(self, status: int) -> None:
        """Leave in peace, as all ranks do, with this exit status if the process must end here."""
        ...


def swap(ranks: Ranks, parts: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Send record batches, ``parts[destination]``, and return what came, by source."""
    came: list[list[Any]] = [[] for _ in range(ranks.size)]
    outgoing = ((destination, batch) for destination, batches in enumerate(parts) for batch in batches)
    ranks.stream(outgoing, lambda source, batch: came[source].append(batch))
    return came
