"""Arrow arrays made by hand: buffers have exactly the bytes that they need, so that a sanitizer sees a step beyond."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from typing import Any

_LIBC = ctypes.CDLL(None)
_LIBC.malloc.restype = ctypes.c_void_p
_LIBC.malloc.argtypes = [ctypes.c_size_t]
_LIBC.free.argtypes = [ctypes.c_void_p]
_CAPSULE = ctypes.PyDLL(None).PyCapsule_New  # an object of our own: libraries set other types of arguments on the shared one
_CAPSULE.restype = ctypes.py_object
_CAPSULE.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
_SCHEMA_NAME, _ARRAY_NAME = (ctypes.create_string_buffer(name) for name in (b"arrow_schema", b"arrow_array"))

# As in the Arrow C data interface; pointers are plain numbers.
SCHEMA = struct.Struct("=QQQqqQQQQ")  # format, name, metadata, flags, n_children, children, dictionary, release, private_data
ARRAY = struct.Struct("=qqqqqQQQQQ")  # length, null_count, offset, n_buffers, n_children, buffers, children, dictionary, ...


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def _release_schema(schema: int) -> None:
    ctypes.c_uint64.from_address(schema + SCHEMA.size - 16).value = 0


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def _release_array(array: int) -> None:
    ctypes.c_uint64.from_address(array + ARRAY.size - 16).value = 0


_RELEASES = [ctypes.cast(release, ctypes.c_void_p).value or 0 for release in (_release_schema, _release_array)]


class Memory:
    """Blocks of exact size that live until `free`."""

    def __init__(self) -> None:
        self._blocks: list[int] = []

    def block(self, data: bytes) -> int:
        """Return the address of a copy of some bytes."""
        address = int(_LIBC.malloc(max(1, len(data))))
        ctypes.memmove(address, data, len(data))
        self._blocks.append(address)
        return address

    def pointers(self, addresses: Sequence[int]) -> int:
        """Return the address of an array of pointers."""
        return self.block(struct.pack(f"={len(addresses)}Q", *addresses))

    def free(self) -> None:
        """Give all blocks back."""
        for block in self._blocks:
            _LIBC.free(block)
        self._blocks.clear()


class Node:
    """An array and its type; every member may be set to a lie."""

    def __init__(
        self, kind: str, length: int, buffers: list[bytes | None], children: Sequence[Node] = (), name: str = ""
    ) -> None:
        self.format: str | None = kind
        self.name = name
        self.length = length
        self.null_count = 0
        self.offset = 0
        self.buffers = buffers
        self.children: list[Node | None] = list(children)
        self.dictionary: Node | None = None
        self.n_buffers = len(buffers)
        self.n_children: int | None = None
        self.is_released = False

    def write(self, memory: Memory) -> tuple[int, int]:
        """Write both structs and return their addresses."""
        written = [(0, 0) if child is None else child.write(memory) for child in self.children]
        inner = (0, 0) if self.dictionary is None else self.dictionary.write(memory)
        count = len(written) if self.n_children is None else self.n_children
        schemas, arrays = (memory.pointers([pair[side] for pair in written]) if written else 0 for side in (0, 1))
        names = [memory.block(text.encode() + b"\0") if text is not None else 0 for text in (self.format, self.name)]
        held = memory.pointers([0 if data is None else memory.block(data) for data in self.buffers])
        releases = (0, 0) if self.is_released else _RELEASES
        schema = SCHEMA.pack(*names, 0, 2, count, schemas, inner[0], releases[0], 0)
        array = ARRAY.pack(
            self.length, self.null_count, self.offset, self.n_buffers, count, held, arrays, inner[1], releases[1], 0
        )
        return memory.block(schema), memory.block(array)


class Handed:
    """Hands an array out as capsules."""

    def __init__(self, node: Node, memory: Memory) -> None:
        self._addresses = node.write(memory)

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[Any, Any]:
        schema, array = self._addresses
        return (
            _CAPSULE(schema, ctypes.addressof(_SCHEMA_NAME), None),
            _CAPSULE(array, ctypes.addressof(_ARRAY_NAME), None),
        )
