"""What became of a block as bytes, when it was worked on by another process."""

from __future__ import annotations

import json

from djfast import errors
from djfast.errors import InternalError
from djfast.runners.rejected import RowMember, row_member
from djfast.runners.stage_work import BadRow, Compared, Done

_ERROR = b"error"


def packed_done(done: Done) -> list[bytes]:
    """Return what became of a block as bytes; its piece must be packed."""
    head = {
        "file": done.file,
        "is_numbered": done.is_numbered,
        "byte_count": done.byte_count,
        "row_count": done.row_count,
        "line_count": done.line_count,
        "piece_rows": done.piece_rows,
        "piece_parts": len(done.piece),
        "counts": done.counts,
        "bad_rows": [[bad.file, bad.place, bad.op, bad.reason] for bad in done.bad_rows],
        "compared": done.compared,
        "present": [present is not None for _, present in done.keys],
    }
    keys = [part for key, present in done.keys for part in (key, present or b"")]
    return [json.dumps(head).encode(), *done.piece, *keys, *(row_member(bad.row) for bad in done.bad_rows)]


def packed_error(error: Exception, where: str) -> list[bytes]:
    """Return an error as bytes; it is raised where the block came from."""
    return [_ERROR, type(error).__name__.encode(), f"{error} ({where})".encode()]


def unpacked_done(parts: list[bytes]) -> Done:
    """Return what `packed_done` packed.

    Raises
    ------
    Exception
        That `packed_error` packed.
    """
    if parts[0] == _ERROR:
        name, message = parts[1].decode(), parts[2].decode()
        kind = getattr(errors, name, MemoryError if name == "MemoryError" else None)
        raise kind(message) if kind is not None else InternalError(f"{name}: {message}")
    head = json.loads(parts[0])
    piece_end = 1 + head.pop("piece_parts")
    present = head.pop("present")
    keys_end = piece_end + 2 * len(present)
    keys = [(parts[piece_end + 2 * i], parts[piece_end + 2 * i + 1] if has else None) for i, has in enumerate(present)]
    places = zip(head.pop("bad_rows"), parts[keys_end:])
    bad = [BadRow(file, place, op, reason, RowMember(row)) for (file, place, op, reason), row in places]
    compared = head.pop("compared")
    counts = [tuple(count) for count in head.pop("counts")]
    return Done(
        piece=parts[1:piece_end],
        keys=keys,
        compared=None if compared is None else Compared(*compared),
        counts=counts,
        bad_rows=bad,
        **head,
    )
