"""What the passes of a job have left so far, and where it lies: parts, masks, rows in a new order."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from djfast.io.read.splits import Split, bytes_of_splits
from djfast.io.write.results import Result
from djfast.plan.bind import BoundStage
from djfast.plan.steps import Plan, Stage
from djfast.runners.grouping import joined
from djfast.runners.job.folder import JobFolder
from djfast.runners.job.journal import Journal, PartEntry
from djfast.runners.job.parts import PartFile
from djfast.runners.job.selecting import bucket_pieces
from djfast.runners.job.survivors import read_mask
from djfast.runners.report import Tally
from djfast.runners.stage_work import empty_piece

if TYPE_CHECKING:
    from djfast.rows.carrier import FileCarrier


class Passes:
    """The passes of a plan over the splits of its input, as far as the journal knows them.

    A pass is a run of stages without a global answer between them. Its splits are those of the input or, behind a selector
    that gave rows a new order, buckets of rows.

    Parameters
    ----------
    plan, stages
        What to run, and its bound stages.
    rows : JsonRows or FileRows
        How rows are read and carried.
    splits : sequence of Split
        Of the input.
    """

    def __init__(
        self,
        plan: Plan,
        stages: Sequence[BoundStage],
        rows: FileCarrier,
        splits: Sequence[Split],
        folder: JobFolder,
        journal: Journal,
    ) -> None:
        self.plan = plan
        self.stages = stages
        self.rows = rows
        self.splits = splits
        self.folder = folder
        self.journal = journal
        self.runs = plan.passes()
        self.given = 0  # rows that went through `result`, with those that a mask leaves out
        self._masks: dict[int, dict[int, list[Any]]] = {}

    def end(self, number: int) -> Stage:
        """Return the last stage of a pass, whose deduplicators or selector all rows wait for."""
        return self.plan.stages[self.runs[number].stop - 1]

    def waits(self, number: int) -> bool:
        """Whether rows wait for a global answer at the end of a pass."""
        return self.end(number).waits

    def is_masked(self, number: int) -> bool:
        """Whether the answer at the end of a pass tells which rows stay in their places."""
        return self.waits(number) and self.end(number).survey is None and not self.is_moved(number)

    def know_frequent(self, number: int) -> None:
        """Tell a pass what the survey before it has found."""
        if number > 0 and self.end(number - 1).survey is not None:
            self.stages[self.runs[number].start].frequent.update(self._numbers(number - 1))

    def is_moved(self, number: int) -> bool:
        """Whether the selector of a pass gave rows a new order."""
        return number in self.journal.answers and bool(self.journal.answers[number].order)

    def split_count(self, number: int) -> int:
        """Return the number of splits of a pass; that of the result for the number after the last pass."""
        for earlier in range(number - 1, -1, -1):
            if self.is_moved(earlier):
                return len(self.journal.answers[earlier].cuts) - 1
        return len(self.splits)

    def split_bytes(self) -> list[float]:
        """Return how many bytes of its file each split of the input is, about."""
        return bytes_of_splits(self.rows.files, self.splits)

    def part(self, number: int, split: int) -> PartFile:
        """Return what a split left in a pass."""
        entry = self.journal.parts[number, split]
        self.journal.check(entry)
        return PartFile(self.folder.path, entry)

    def parts(self, number: int) -> list[PartFile]:
        """Return what all splits left in a pass."""
        return [self.part(number, split) for split in range(self.split_count(number))]

    def blocks(self, number: int, split: int) -> Iterator[Any]:
        """Yield the input of a split in a pass, block by block."""
        if number == 0:
            yield from self.rows.read(self.splits[split])
            return
        if self.end(number - 1).group is not None:
            for piece in self._joined(number - 1, split):
                yield self.rows.reopen(piece, b"\x01", 0)
            return
        select = self.end(number - 1).select
        key = select.selection.number_key if select is not None else None
        before = sum(self.part(number - 1, each).entry.rows for each in range(split)) if key is not None else 0
        for piece, mask, first in self._left(number - 1, split):
            if mask.count(1, first, first + piece.row_count):
                block = self.rows.reopen(piece, mask, first)
                yield block if key is None else block.numbered(key, before + first)

    def _joined(self, number: int, split: int) -> Iterator[Any]:
        """Rows of a bucket joined by groups, which no bucket cuts."""
        cuts = self.journal.answers[number].cuts
        place = 0
        sizes = []
        for size in self._numbers(number):
            if cuts[split] <= place < cuts[split + 1]:
                sizes.append(size)
            place += size
        return joined((piece for piece, _, _ in self._left(number, split)), sizes)

    def _numbers(self, number: int) -> array[int]:
        self.journal.check(self.journal.answers[number])
        return array("Q", (self.folder.path / self.journal.answers[number].numbers).read_bytes())

    def result(self, splits: Sequence[int]) -> Iterator[Any]:
        """Yield the rows of the result that some of its splits hold."""
        last = len(self.runs) - 1
        is_masked = self.is_masked(last)
        for split in splits:
            for piece, mask, first in self._left(last, split):
                self.given += piece.row_count
                yield piece.select(mask, first) if is_masked else piece

    def whole_result(self, result: Result) -> Iterator[Any]:
        """Yield all rows of the result, at least their columns, as `result` needs them."""
        last = len(self.runs) - 1
        lines = self.lines_before(last) if result.names_rows and not self.is_moved(last) else None
        result.expect(self.rows.columns, as_lines=self.rows.holds_lines)
        rows = 0
        for split in range(self.split_count(len(self.runs))):
            for piece in self.result([split]):
                rows += piece.row_count
                yield piece if lines is None else piece.counted_from(lines[split])
        if rows == 0:
            if (piece := empty_piece(self.plan, self.stages, self.rows)) is not None:
                yield piece
            elif result.names_rows and self.rows.columns() is None:
                result.expect(self.rows.first_columns, as_lines=True)

    def result_rows(self) -> list[int]:
        """Return how many rows each split of the result holds, or held before a mask."""
        last = len(self.runs) - 1
        if self.is_moved(last):
            return [end - begin for begin, end in pairwise(self.journal.answers[last].cuts)]
        return [self.journal.parts[last, split].rows for split in range(self.split_count(last))]

    def _left(self, number: int, split: int) -> Iterator[tuple[Any, bytes, int]]:
        """Rows that a pass left for a split of the next one, or of the result: pieces, a mask, and where they begin in it."""
        if self.is_moved(number):
            moved = [self.journal.moved[number, each] for each in range(self.split_count(number))]
            for entry in moved:
                self.journal.check(entry)
            for piece in bucket_pieces(self.folder.path, moved, split, self.rows.piece):
                yield piece, b"\x01" * piece.row_count, 0
            return
        part = self.part(number, split)
        mask = self._mask(number, split) if self.is_masked(number) else b"\x01" * part.entry.rows
        first = 0
        for piece in part.pieces(self.rows.piece.unpack):
            yield piece, mask, first
            first += piece.row_count

    def _mask(self, number: int, split: int) -> bytes:
        if number not in self._masks:
            self.journal.check(self.journal.answers[number])
            self._masks[number] = {entry[0]: entry for entry in self.journal.answers[number].masks}
        return read_mask(self.folder.path, self._masks[number][split])

    def lines_before(self, number: int) -> list[int]:
        """Return the lines of the same file before each split of a pass.

        Rows in a new order have numbers that count in their files: nothing is before them.
        """
        if any(self.is_moved(earlier) for earlier in range(number)):
            return [0] * self.split_count(number)
        return _first_lines(self.splits, [self.journal.parts.get((0, split)) for split in range(len(self.splits))])

    def finished(self) -> Tally:
        """Return the counts of everything that is in the journal."""
        total = Tally(self.plan.op_names)
        for part in self.journal.parts.values():
            total.add(Tally.of(total.names, part.tally))
        for answer in self.journal.answers.values():
            for op, rows_in, rows_out in answer.ops:
                total.add_op(op, rows_in, rows_out)
        return total


def _first_lines(splits: Sequence[Split], parts: Sequence[PartEntry | None]) -> list[int]:
    """Lines of the same file before each split."""
    bases = []
    file, lines = -1, 0
    for split, part in zip(splits, parts):
        if split.file != file:
            file, lines = split.file, 0
        bases.append(lines)
        lines += part.lines if part is not None else 0
    return bases
