"""Writes the result of a job from the parts of its last pass, by all ranks at once where the format allows it.

Lines of JSON are bytes that can be written anywhere: every rank writes the rows of its splits to a file of its own, then all
know how long each is, and every rank copies its bytes to their place in the result. Other formats are one stream of bytes,
which rank 0 writes alone: the result is that of a single process in any case.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from djfast.io.durable import writing
from djfast.io.result_names import stats_path
from djfast.io.write.commit import Staging
from djfast.io.write.results import Output, Result, file_record, write_manifest
from djfast.ranks import Ranks
from djfast.records import NamedTuple
from djfast.runners.rejected import RejectedRows

if TYPE_CHECKING:
    from djfast.rows.carrier import Piece

_COPY_BYTES = 16 << 20


def merge_alone(
    pieces: Iterator[Piece], result: Result, write_rejected: Callable[[Result], RejectedRows], may_publish: Callable[[], None]
) -> tuple[list[str], int, RejectedRows]:
    """Write all pieces and return the paths, the number of rows, and the rejected ones.

    Parameters
    ----------
    write_rejected : callable
        Writes the rejected rows, with those that the result has no place for.
    may_publish : callable
        Raises if another run has taken over.
    """
    rows = 0
    try:
        for piece in pieces:
            result.write(piece)
            rows += piece.row_count
        rejected = write_rejected(result)
        may_publish()
        return result.finish(), rows - rejected.unfit, rejected
    except BaseException:
        result.abandon()
        raise


class _Share(NamedTuple):
    """What one rank has of the result: rows, bytes of lines, bytes of stats."""

    rows: int
    bytes: int
    side_bytes: int


def merge_together(
    pieces: Iterator[Piece], output: Output, staging: Staging, ranks: Ranks, scratch: Path, may_publish: Callable[[], None]
) -> tuple[list[str], int]:
    """Write this rank's pieces to their place in the result; all ranks call it and get the paths and the number of rows.

    Parameters
    ----------
    pieces : iterator
        Rows of this rank. Ranks have neighbouring rows, in their order.
    scratch : Path
        Folder for this rank's own files.
    may_publish : callable
        Raises if another run has taken over.
    """
    lines_path, side_path = scratch / f"{ranks.rank}.lines", scratch / f"{ranks.rank}.stats"
    with writing(lines_path, setting="work_dir"):
        scratch.mkdir(parents=True, exist_ok=True)
        mine = _write_share(pieces, lines_path, side_path)
    shares = [_Share(*share) for share in _gathered(ranks, list(mine))]
    rows = sum(share.rows for share in shares)
    counts = output.shards(rows, sum(share.bytes for share in shares))
    shards = output.files(len(counts))
    paths = shards or [output.path]
    first_row = sum(share.rows for share in shares[: ranks.rank])
    side_paths = [stats_path(output.path)] if any(share.side_bytes for share in shares) else []
    with writing(output.path, setting="export_path"):
        _place(lines_path, list(_segments(lines_path, first_row, counts)), paths, staging, ranks)
        records = _hashed(paths, counts, staging, ranks) if shards else []
        if side_paths:
            _place(side_path, [(0, 0, mine.side_bytes)], side_paths, staging, ranks)
        if ranks.rank == 0:
            may_publish()
            _publish([*paths, *side_paths], staging, records)
    lines_path.unlink()
    side_path.unlink()
    ranks.gather_all(b"")
    return paths, rows


def _publish(paths: Sequence[str], staging: Staging, records: list[dict[str, Any]]) -> None:
    for path in paths:
        staging.complete(path)
    if records:
        write_manifest(staging, records)


def _write_share(pieces: Iterator[Piece], lines_path: Path, side_path: Path) -> _Share:
    rows = size = side_size = 0
    with open(lines_path, "wb") as lines, open(side_path, "wb") as side:
        for piece in pieces:
            assert piece.lines is not None, "shares are of lines"
            lines.write(piece.lines)
            side.write(piece.side)
            rows += piece.row_count
            size += len(piece.lines)
            side_size += len(piece.side)
    return _Share(rows, size, side_size)


def _segments(path: Path, first_row: int, counts: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Cut this rank's lines at the borders of shards: ``(shard, first byte, end)``."""
    if len(counts) == 1:
        yield 0, 0, path.stat().st_size
        return
    end_row = begin = 0
    position = 0
    row = first_row
    with open(path, "rb") as file:
        for shard, count in enumerate(counts):
            end_row += count
            while row < end_row and (line := file.readline()):
                position += len(line)
                row += 1
            if position > begin:
                yield shard, begin, position
            begin = position


def _place(source: Path, segments: list[tuple[int, int, int]], paths: Sequence[str], staging: Staging, ranks: Ranks) -> None:
    """Copy segments of a rank's file behind those of the ranks before it."""
    sizes = _gathered(ranks, [[shard, end - begin] for shard, begin, end in segments])
    totals = [0] * len(paths)
    offsets = [0] * len(paths)
    for rank, rank_sizes in enumerate(sizes):
        for shard, size in rank_sizes:
            offsets[shard] += size if rank < ranks.rank else 0
            totals[shard] += size
    if ranks.rank == 0:
        for path, total in zip(paths, totals):
            with staging.open(path) as file:
                file.truncate(total)
    ranks.gather_all(b"")  # the files are there
    with open(source, "rb") as file:
        for shard, begin, end in segments:
            # Write-only: an NFS client that has read a page writes the whole page back and would overwrite another rank's bytes.
            with open(os.open(staging.of(paths[shard]), os.O_WRONLY), "wb") as target:
                _copy(file, begin, end, target, offsets[shard])
                target.flush()
                os.fsync(target.fileno())
    ranks.gather_all(b"")  # the bytes are there


def _copy(source: IO[bytes], begin: int, end: int, target: IO[bytes], offset: int) -> None:
    source.seek(begin)
    target.seek(offset)
    left = end - begin
    while left:
        chunk = source.read(min(_COPY_BYTES, left))
        target.write(chunk)
        left -= len(chunk)


def _hashed(paths: Sequence[str], counts: Sequence[int], staging: Staging, ranks: Ranks) -> list[dict[str, Any]]:
    """Return the records of all shards for the manifest; every rank sums up some."""
    mine = range(ranks.rank, len(paths), ranks.size)
    records = _gathered(ranks, [[i, file_record(staging.of(paths[i]), paths[i], counts[i])] for i in mine])
    return [record for _, record in sorted((entry for each in records for entry in each), key=lambda entry: entry[0])]


def _gathered(ranks: Ranks, value: Any) -> list[Any]:
    return [json.loads(body) for body in ranks.gather_all(json.dumps(value).encode())]
