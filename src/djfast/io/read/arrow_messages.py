"""What the messages of Arrow's files and streams say of their sizes, read without trust.

A message is the bytes of its head, a flatbuffer, and a body. What is damaged counts as 0 or as any number: Arrow itself says what
is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from djfast.records import NamedTuple

_DICTIONARY, _BATCH = 2, 3  # types of messages
_CONTINUES = b"\xff\xff\xff\xff"
_BLOCK = 24  # bytes of a place in a footer: where a message begins, bytes of its head, of its body
_NEVER = 1 << 63
_LARGEST_HEAD = 1 << 28


class Message(NamedTuple):
    """A message of a stream.

    Attributes
    ----------
    is_batch : bool
        Whether it has rows; else it has a schema or a dictionary.
    end : int
        Where it ends in the source.
    body_bytes : int
        Bytes of its columns as they are stored.
    unpacked_bytes : int
        Bytes of its columns once they are decompressed; 0 if they are stored as they are.
    """

    is_batch: bool
    end: int
    body_bytes: int
    unpacked_bytes: int


def message_at(source: Any, place: int) -> Message | None:
    """Read the head of the message at a place of a file of Arrow's, and the sizes in its body; None if there is none."""
    start = _read(source, place, 8)
    head = place + (8 if start[:4] == _CONTINUES else 4)
    size = int.from_bytes(start[-4:] if start[:4] == _CONTINUES else start[:4], "little")
    if not 0 < size <= _LARGEST_HEAD:
        return None
    table = _Table.root(_read(source, head, size))
    kind, content, body = table.number(1, 1), table.table(2), head + size
    stored = min(table.number(3, 8), _NEVER)
    batch = content.table(1) if kind == _DICTIONARY else content
    is_packed = kind in (_DICTIONARY, _BATCH) and batch.has(3)
    unpacked = sum(_unpacked(source, body, each) for each in batch.structs(2, 16)) if is_packed else 0
    return Message(kind == _BATCH, body + stored, stored, unpacked)


def places_of(footer: bytes, *, dictionaries: bool = False) -> list[int]:
    """Return where the batches of a file begin that its footer names, in their order, or the dictionaries."""
    return [_number(block, 0, 8) for block in _Table.root(footer).structs(2 if dictionaries else 3, _BLOCK)]


def messages_end(footer: bytes) -> int:
    """Return where the last of the messages that a footer names ends, or the end of the address space if it names none."""
    table = _Table.root(footer)
    blocks = (block for field in (2, 3) for block in table.structs(field, _BLOCK))
    return max((_number(block, 0, 8) + _number(block, 8, 4) + _number(block, 16, 8) for block in blocks), default=_NEVER)


def _unpacked(source: Any, body: int, buffer: bytes) -> int:
    """Return the bytes of a compressed buffer in memory: they stand before it, or -1 if it is not compressed after all."""
    place, length = _number(buffer, 0, 8), _number(buffer, 8, 8)
    if length < 8:
        return 0
    size = int.from_bytes(_read(source, body + place, 8), "little", signed=True)
    return length - 8 if size < 0 else size


def _read(source: Any, place: int, size: int) -> bytes:
    if not 0 <= place < _NEVER:
        return b""
    source.seek(min(place, source.size()))
    return bytes(source.read(size))


def _number(data: bytes, place: int, size: int) -> int:
    return int.from_bytes(data[place : place + size], "little")


class _Table:
    """A table of a flatbuffer: fields are found through a list of their places, and one that is not there is 0 or empty."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data = data
        self._place = place
        self._fields = place - int.from_bytes(data[place : place + 4], "little", signed=True)

    @classmethod
    def root(cls, data: bytes) -> _Table:
        """Return the table that a flatbuffer is."""
        return cls(data, _number(data, 0, 4))

    def has(self, field: int) -> bool:
        """Tell whether a field is there."""
        return self._at(field) > 0

    def number(self, field: int, size: int) -> int:
        """Return an integer that is not negative."""
        place = self._at(field)
        return _number(self._data, place, size) if place else 0

    def table(self, field: int) -> _Table:
        """Return the table in a field."""
        place = self._at(field)
        return _Table(self._data, place + _number(self._data, place, 4)) if place else _Table(b"", 0)

    def structs(self, field: int, size: int) -> Iterator[bytes]:
        """Yield the elements of a vector, each of `size` bytes."""
        place = self._at(field)
        if not place:
            return
        vector = place + _number(self._data, place, 4)
        count = min(_number(self._data, vector, 4), len(self._data) // size)
        for start in range(vector + 4, vector + 4 + size * count, size):
            yield self._data[start : start + size]

    def _at(self, field: int) -> int:
        """Return where a field stands, 0 if it does not."""
        entry = 4 + 2 * field
        if self._fields < 0 or entry >= _number(self._data, self._fields, 2):
            return 0
        offset = _number(self._data, self._fields + entry, 2)
        return self._place + offset if offset else 0
