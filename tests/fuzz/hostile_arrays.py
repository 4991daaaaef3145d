"""Random Arrow arrays of texts, some of them with a lie in their structure, some with texts that are not UTF-8."""

from __future__ import annotations

import random
import struct

from tests.fuzz.capsules import Node

_PIECES = [
    *("the quick brown fox. ", "größe ", "中文。文本！", "😀", "\u0130 Σίσυφος ΣΑΣ ", "\u00a0\u2028\t\r\n\n\n", "\0", "e\u0301"),
    *("<p class='a'>x</p>", "http://a.b/c?d=e ", "a@b.example ", "10.0.0.1 ", "\\begin{document} % c\n", '{}[]"\\', "x" * 70),
    *("&amp;amp; â€œ Ã¤ ", "\ufeff", "|a|b|\n|-|-|\n|1|2|\n", "/* Copyright 2020 */\n# x\n", "Hong Kong! Really? Yes; no: (ok)"),
]
_BROKEN = [
    b"\xf8",
    b"\xe4\xb8",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\xf0\x9f\x98",
    b"\x80",
    b"\xff\xfe",
    b"\xf4\x90\x80\x80",
]


class Arrays:
    """Makes arrays from a seed.

    Attributes
    ----------
    breaks, lies : bool
        Whether texts may be no UTF-8, and whether one thing about an array may be wrong. No lie tells of a buffer that it
        is larger than it is: the interface does not say how large they are, so nobody could notice.
    """

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self.breaks = self.random.random() < 0.5
        self.lies = self.random.random() < 0.5

    def value(self) -> bytes:
        """Return a text."""
        pick = self.random
        text = "".join(pick.choices(_PIECES, k=pick.choice([0, 1, 1, 2, 3, 6]))).encode()
        if not self.breaks or pick.random() < 0.5:
            return text
        at = pick.choice([0, len(text), pick.randrange(len(text) + 1)])
        return text[:at] + pick.choice(_BROKEN) + text[at + pick.randrange(2) :]

    def texts(self, rows: int, name: str = "text") -> Node:
        """Return an array of texts."""
        pick = self.random
        offset = pick.choice([0, 0, 1, 3, 9])
        values = [self.value() for _ in range(offset + rows)]
        node = self._views(values) if pick.random() < 0.3 else self._runs(values)
        node.name, node.offset, node.length = name, offset, rows
        self._hide(node)
        if self.lies and pick.random() < 0.7:
            self._lie(node)
        return node

    def nested(self, rows: int, name: str) -> Node:
        """Return an array with texts somewhere in it."""
        pick = self.random
        make = pick.choice([self._struct, self._list, self._map, self._fixed, self._dictionary, self._union, self._run_ends])
        node = make(rows) if pick.random() < 0.8 else self.texts(rows)
        node.name = name
        if self.lies and pick.random() < 0.3:
            self._lie_of_all(node)
        return node

    def _runs(self, values: list[bytes]) -> Node:
        kind, code = self.random.choice([("u", "i"), ("U", "q")])
        skipped = self.random.choice([0, 0, 5])  # bytes before the first text
        ends = [skipped]
        for value in values:
            ends.append(ends[-1] + len(value))
        is_missing = ends[-1] == (skipped if self.lies else 0)
        data = None if is_missing else b"".join([bytes(skipped), *values])
        return Node(kind, len(values), [None, struct.pack(f"={len(ends)}{code}", *ends), data])

    def _views(self, values: list[bytes]) -> Node:
        held = [b"", b""]
        views = []
        for value in values:
            which = self.random.randrange(2)
            if len(value) <= 12:
                views.append(struct.pack("=i12s", len(value), value))
            else:
                views.append(struct.pack("=i4sii", len(value), value[:4], which, len(held[which])))
                held[which] += value
        return Node("vu", len(values), [None, b"".join(views), *held, struct.pack("=2q", *map(len, held))])

    def _hide(self, node: Node) -> None:
        """Make some rows null."""
        if self.random.random() < 0.5:
            return
        bits = [self.random.random() < 0.7 for _ in range(node.offset + node.length)]
        node.buffers[0] = (
            bytes(sum(bit << i for i, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8)) or b"\0"
        )
        node.null_count = self.random.choice([-1, node.length - sum(bits[node.offset :])])

    def _lie(self, node: Node) -> None:
        """Say one thing about texts that is not so."""
        if node.format == "vu":
            return self._change(node, 1, struct.Struct("=i"), [-1, 13, 1 << 30, -(1 << 31), 2, 7])
        if self.random.random() < 0.3:
            return self._lie_of_all(node)
        # The last offset stays: how far the bytes reach, nobody else tells.
        return self._change(
            node, 1, struct.Struct("=i" if node.format == "u" else "=q"), [-1, 1, 1 << 30, -(1 << 31), 5], spare=1
        )

    def _change(self, node: Node, buffer: int, number: struct.Struct, values: list[int], spare: int = 0) -> None:
        data = bytearray(node.buffers[buffer] or b"")
        count = len(data) // number.size - spare
        if count > 0:
            number.pack_into(data, self.random.randrange(count) * number.size, self.random.choice(values))
            node.buffers[buffer] = bytes(data)

    def _lie_of_all(self, node: Node) -> None:
        pick = self.random
        match pick.randrange(9):
            case 0:
                node.length = pick.choice([-1, -(1 << 63), 1 << 62, (1 << 63) - 1])
            case 1:
                node.offset = pick.choice([-1, -(1 << 63), (1 << 63) - 1, 1 << 62])
            case 2:
                node.null_count = pick.choice([-2, 1, node.length + 1, 1 << 40])
            case 3:
                node.n_buffers = pick.choice([-1, 0, max(0, node.n_buffers - 1)])
            case 4:
                node.buffers = [None] * len(node.buffers)
            case 5:
                node.is_released = True
            case 6:
                node.format = pick.choice(["", "?", "+", "+s", "+u", "+us:", "+ud:0,0,900", "+w:", "+w:-1", "tz", "e", None])
            case 7:
                node.children = [*node.children, None]
            case _:
                node.dictionary = Node("u", 0, [None, struct.pack("=i", 0), b""])

    def _struct(self, rows: int) -> Node:
        short = self.random.randrange(rows + 1) if self.lies and self.random.random() < 0.3 else rows
        node = Node("+s", rows, [None], [self.texts(short, "a"), self.texts(rows, "b")])
        self._hide(node)
        return node

    def _offsets(self, rows: int, most: int) -> bytes:
        ends = sorted(self.random.randrange(most + 1) for _ in range(rows + 1))
        if self.lies and self.random.random() < 0.4:
            ends[self.random.randrange(rows + 1)] = self.random.choice([-1, most + 1, 1 << 30, 0])
        return struct.pack(f"={rows + 1}i", *ends)

    def _list(self, rows: int) -> Node:
        node = Node("+l", rows, [None, self._offsets(rows, 5)], [self.texts(5, "item")])
        self._hide(node)
        return node

    def _map(self, rows: int) -> Node:
        entries = Node("+s", 5, [None], [self.texts(5, "key"), self.texts(5, "value")], "entries")
        return Node("+m", rows, [None, self._offsets(rows, 5)], [entries])

    def _fixed(self, rows: int) -> Node:
        short = self.random.randrange(2 * rows + 1) if self.lies and self.random.random() < 0.4 else 2 * rows
        return Node("+w:2", rows, [None], [self.texts(short, "item")])

    def _dictionary(self, rows: int) -> Node:
        size = self.random.randrange(1, 5)
        indices = [self.random.randrange(size) for _ in range(rows)]
        if rows and self.lies and self.random.random() < 0.5:
            indices[self.random.randrange(rows)] = self.random.choice([-1, size, 127, -128])
        node = Node("c", rows, [None, struct.pack(f"={rows}b", *indices)])
        node.dictionary = self.texts(size, "")
        self._hide(node)
        return node

    def _union(self, rows: int) -> Node:
        is_dense = self.random.random() < 0.5
        children = [self.texts(rows, "a"), self.texts(rows, "b")]
        ids = [self.random.randrange(2) for _ in range(rows)]
        places = list(range(rows))
        if rows and self.lies and self.random.random() < 0.5:
            ids[self.random.randrange(rows)] = self.random.choice([2, -1, 127, 0])
            places[self.random.randrange(rows)] = self.random.choice([-1, rows, 1 << 30, 0])
        held: list[bytes | None] = [struct.pack(f"={rows}b", *ids)]
        return Node(
            "+ud:0,1" if is_dense else "+us:0,1", rows, held + ([struct.pack(f"={rows}i", *places)] if is_dense else []), children
        )

    def _run_ends(self, rows: int) -> Node:
        ends = sorted({self.random.randrange(1, rows + 1) for _ in range(3)} | {rows}) if rows else []
        if ends and self.lies and self.random.random() < 0.5:
            ends[self.random.randrange(len(ends))] = self.random.choice([0, -1, rows - 1, rows + 5])
        children = [Node("i", len(ends), [None, struct.pack(f"={len(ends)}i", *ends)], name="run_ends")]
        return Node("+r", rows, [], [*children, self.texts(len(ends), "values")])
