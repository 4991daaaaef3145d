"""The first rows of an input: what a run with a `limit` reads, and where they end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from djfast.io.read.files import file_size
from djfast.io.read.formats import INPUT_FORMATS, InputFile
from djfast.io.read.splits import Split, default_split_bytes, each_split, files_up_to

if TYPE_CHECKING:
    from djfast.rows.carrier import Block, FileCarrier

_ROW_BYTES = 4096  # that a row is taken to have; only the evenness of splits hangs on it


class FirstRows:
    """The first rows of an input, in its order; in all else as the carrier that reads them. Nothing behind them is read.

    Parameters
    ----------
    rows : JsonRows, FileRows or DrawnRows
        Reads all rows.
    limit : int
        Number of rows.
    shares : mapping of Split to int, optional
        How many of them are in each split, for who reads splits.

    Attributes
    ----------
    is_cut : bool
        All of them have been read, and what is behind them has not.
    """

    def __init__(self, rows: FileCarrier, limit: int, shares: Mapping[Split, int] | None = None) -> None:
        self.is_cut = False
        self._rows = rows
        self._limit = limit
        self._shares = shares or {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    @property
    def notice(self) -> str:
        """Says that there may be more rows."""
        return f"limit: the first {self._limit:,} rows were read, and nothing behind them"

    @property
    def left_unread(self) -> str | None:
        """The notice once there may be rows that were not read."""
        return self.notice if self.is_cut else None

    def items(self) -> Iterator[Block]:
        """Read the rows. They are counted as they come."""
        return self._first(self._rows.items(), self._limit)

    def read(self, split: Split) -> Iterator[Block]:
        """Read those of a split."""
        return self._first(self._rows.read(split), self._shares[split])

    def _first(self, blocks: Iterator[Block], rows: int) -> Iterator[Block]:
        for block in blocks if rows else ():
            count, _ = self._rows.count_block(block)
            yield block if count <= rows else block.head(rows)
            rows -= count
            if rows <= 0:
                self.is_cut = True
                return


def split_bytes_of(files: Sequence[InputFile], limit: int | None) -> int:
    """Return how large splits should be of which a run reads the first rows, None for all."""
    total = sum(file_size(file.path) for file in files)
    return default_split_bytes(total if limit is None else min(total, limit * _ROW_BYTES))


def first_splits(rows: FileCarrier, files: Sequence[InputFile], split_bytes: int, limit: int) -> dict[Split, int]:
    """Return the splits that hold the first rows, and how many each holds. What is behind them is not looked at."""
    shares = {}
    for split in each_split(files, split_bytes):
        count, _ = rows.count(split, most=limit)
        shares[split] = min(count, limit)
        limit -= shares[split]
        if not limit:
            break
    return shares


def first_files(rows: FileCarrier, files: Sequence[InputFile], limit: int) -> Sequence[InputFile]:
    """Return the files that hold the first rows, where files have columns: others must not add theirs.

    Files of lines have none, so all of them are returned, and nobody reads them for this.
    """
    if all(INPUT_FORMATS[file.format].reader is None for file in files):
        return files
    *_, last = first_splits(rows, files, split_bytes_of(files, limit), limit)
    return files_up_to(files, last)


def shares_of(limit: int, counts: Mapping[Split, int]) -> dict[Split, int]:
    """Return how many of the first rows each split holds, from how many rows it has."""
    shares = {}
    for split, count in counts.items():
        shares[split] = min(count, limit)
        limit -= shares[split]
    return shares
