"""What the engine knows of rows whatever they are: blocks to work on, pieces that have left a stage, carriers of both."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from djfast import _native
from djfast.io.read.formats import InputFile
from djfast.io.read.splits import Split
from djfast.io.write.collected import ResultRows
from djfast.plan.steps import Plan, Stage


class Block(Protocol):
    """Rows that are worked on at once."""

    @property
    def file(self) -> str | None:
        """The file that the rows came from, or one for each (`Origins`); None for rows of no file."""
        ...

    @property
    def numbers(self) -> bytes | Sequence[int] | None:
        """The rows' numbers in their file, 64 bits each if they are bytes; None for lines that count from the block's first."""
        ...

    @property
    def batch(self) -> Any:
        """The rows as a record batch of Arrow, None if they are something else."""
        ...

    @property
    def lines(self) -> int | None:
        """Lines of the file that the block stands for, if some are not in it."""
        ...

    @property
    def byte_count(self) -> int:
        """Bytes of the input that the rows are, about."""
        ...

    def row(self, position: int) -> bytes | Mapping[str, Any]:
        """Return one row as a line of JSON or as what it was given as, for those who reject it."""
        ...

    def counted_from(self, first: int) -> Any:
        """Return these rows with numbers that count from `first`."""
        ...

    def numbered(self, key: str, first: int) -> Any:
        """Return these rows with numbers from `first` on in a field."""
        ...

    def head(self, rows: int) -> Any:
        """Return the first so many rows."""
        ...

    def pack(self) -> list[bytes]:
        """Return the parts as bytes, of which `unpack` makes the same block."""
        ...


class Piece(ResultRows, Protocol):
    """Rows that have left a stage: they wait, move, or are written.

    Attributes
    ----------
    columns : pyarrow.Schema or None
        What the rows had before they became lines, if they did and somebody asked.
    """

    columns: Any

    def pack(self) -> list[bytes]:
        """Return the parts as bytes, of which `unpack` makes the same piece."""
        ...

    def byte_count(self) -> int:
        """Return the bytes that the rows take in memory."""
        ...

    def counted_from(self, first_line: int) -> Any:
        """Return these rows with line numbers that count from `first_line`."""
        ...

    def select(self, mask: bytes, first: int) -> Any:
        """Keep the rows whose byte in ``mask[first:]`` is set."""
        ...

    def row_bytes(self) -> list[int]:
        """Return about how many bytes each row takes."""
        ...


class BlockType(Protocol):
    """The class of a carrier's blocks."""

    def unpack(self, *parts: Any, **named: Any) -> Any:
        """Return the block that was packed to these parts."""
        ...


class PieceType(BlockType, Protocol):
    """The class of a carrier's pieces."""

    def gatherer(self, *pieces: Any, **named: Any) -> Callable[[array[int]], Any]:
        """Take a list of pieces, and return what makes a piece of some of their rows, numbered through."""
        ...


class Carrier(Protocol):
    """What reads rows and takes them through the stages of a plan.

    Blocks and pieces go back to the carrier that they came from, so it takes them as its own.

    Attributes
    ----------
    files : sequence of InputFile
        Where the rows come from; empty for rows of no file.
    holds_lines, needs_lines : bool
        Whether rows are lines of JSON, and whether they must become lines whatever the plan is.
    has_other_columns : bool
        Whether files differ in their columns, so that one batch cannot hold rows of all as they are.
    longest_row : int or None
        Bytes of the longest row that is not rejected, if the carrier leaves that to those who make lines of its rows.
    notices : sequence of str
        What may surprise about the rows.
    left_unread : str or None
        Once rows were read: what is said of those behind them that were not.
    """

    @property
    def files(self) -> Sequence[InputFile]: ...  # noqa: D102 - as above
    @property
    def left_unread(self) -> str | None: ...  # noqa: D102
    @property
    def holds_lines(self) -> bool: ...  # noqa: D102
    @property
    def needs_lines(self) -> bool: ...  # noqa: D102
    @property
    def has_other_columns(self) -> bool: ...  # noqa: D102
    @property
    def longest_row(self) -> int | None: ...  # noqa: D102
    @property
    def notices(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def piece(self) -> PieceType: ...  # noqa: D102
    @property
    def keeps_stats(self) -> bool: ...  # noqa: D102
    @property
    def keeps_hashes(self) -> bool: ...  # noqa: D102

    def items(self) -> Iterator[Block]:
        """Read all rows."""
        ...

    def columns(self) -> Any:
        """Return the Arrow schema that the rows have where they come from, None if they have none."""
        ...

    def first_columns(self) -> Any:
        """Return the columns of the first rows, for a result that no row is left for; None if they have none."""
        ...

    def empty_block(self) -> Block | None:
        """Return a block without rows that a result without rows gets its columns from; None if it needs none."""
        ...

    def layouts(self, plan: Plan) -> Sequence[Any]:
        """Return how the rows of each stage are written, for `close`."""
        ...

    def open(self, block: Any, stage: Stage) -> _native.Batch:
        """Hand the fields that a stage touches to native code."""
        ...

    def close(self, block: Any, batch: _native.Batch, layout: Any) -> Piece:
        """Write the rows that a stage left alive, with what it changed."""
        ...

    def reopen(self, piece: Any, mask: bytes, first: int) -> Block:
        """Make the kept rows of a piece the input of the next stage."""
        ...


class FileCarrier(Carrier, Protocol):
    """A carrier whose input can be read split by split, and whose blocks travel between ranks."""

    @property
    def block(self) -> BlockType: ...  # noqa: D102 - the class of its blocks

    def read(self, split: Split) -> Iterator[Block]:
        """Read a split; the rows' numbers count from its first row."""
        ...

    def count(self, split: Split, *, most: int | None = None) -> tuple[int, int]:
        """Return the rows and the lines of a split; with `most`, it need not be read on if it has so many."""
        ...

    def count_block(self, block: Any) -> tuple[int, int]:
        """Return the rows and the lines of a block."""
        ...

    def pick(self, block: Any, rows: Sequence[int], first: int) -> Block:
        """Take some rows of a block; `first` is the number of its split's lines before it."""
        ...
