"""fastText model files written from scratch, and a slow predictor in double precision to hold against native code."""

from __future__ import annotations

import heapq
import itertools
import math
import re
import struct
from pathlib import Path
from typing import NamedTuple

HIERARCHICAL_SOFTMAX, NEGATIVE_SAMPLING, SOFTMAX, ONE_VS_ALL = 1, 2, 3, 4
MAGIC = 793712314


class Quantised(NamedTuple):
    """A product-quantised matrix: codes per row and part, centroids per part, and optionally coded norms."""

    rows: int
    columns: int
    part_width: int
    codes: bytes
    centroids: list[float]
    norm_codes: bytes | None = None
    norms: list[float] | None = None

    def expand(self) -> list[list[float]]:
        parts = -(-self.columns // self.part_width)
        out = []
        for row in range(self.rows):
            norm = 1.0 if self.norm_codes is None else self.norms[self.norm_codes[row]]
            values = []
            for part in range(parts):
                width = min(self.part_width, self.columns - part * self.part_width)
                start = part * 256 * self.part_width + self.codes[row * parts + part] * width
                values += [norm * value for value in self.centroids[start : start + width]]
            out.append(values)
        return out

    def to_bytes(self) -> bytes:
        parts = -(-self.columns // self.part_width)
        last = self.columns - (parts - 1) * self.part_width
        data = struct.pack("<?qqi", self.norm_codes is not None, self.rows, self.columns, len(self.codes)) + self.codes
        data += struct.pack("<4i", self.columns, parts, self.part_width, last) + floats(self.centroids)
        if self.norm_codes is not None:
            data += self.norm_codes + struct.pack("<4i", 1, 1, 1, 1) + floats(self.norms)
        return data


class FasttextModel(NamedTuple):
    """Everything a supervised model file holds."""

    dim: int
    loss: int
    words: list[str]
    labels: list[tuple[str, int]]
    input: list[list[float]] | Quantised
    output: list[list[float]] | Quantised
    buckets: int = 0
    minn: int = 0
    maxn: int = 0
    word_ngrams: int = 1
    pruned: dict[int, int] | None = None
    version: int = 12

    def to_bytes(self) -> bytes:
        data = struct.pack("<ii", MAGIC, self.version)
        data += struct.pack("<12id", self.dim, 5, 5, 1, 5, self.word_ngrams, self.loss, 3, self.buckets, self.minn,
                            self.maxn, 100, 1e-4)  # fmt: skip
        data += struct.pack("<3iqq", len(self.words) + len(self.labels), len(self.words), len(self.labels), 1000,
                            -1 if self.pruned is None else len(self.pruned))  # fmt: skip
        for word in self.words:
            data += word.encode() + b"\0" + struct.pack("<qb", 7, 0)
        for label, count in self.labels:
            data += label.encode() + b"\0" + struct.pack("<qb", count, 1)
        for bucket, row in (self.pruned or {}).items():
            data += struct.pack("<ii", bucket, row)
        is_quantised = isinstance(self.input, Quantised)
        data += struct.pack("<?", is_quantised) + matrix_bytes(self.input, self.dim)
        return data + struct.pack("<?", isinstance(self.output, Quantised)) + matrix_bytes(self.output, self.dim)

    def write(self, path: Path) -> str:
        path.write_bytes(self.to_bytes())
        return str(path)


def floats(values: list[float]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def matrix_bytes(matrix: list[list[float]] | Quantised, dim: int) -> bytes:
    if isinstance(matrix, Quantised):
        return matrix.to_bytes()
    return struct.pack("<qq", len(matrix), dim) + floats([value for row in matrix for value in row])


def read_floats(values: list[float]) -> list[float]:
    """Values as they are after a trip through 32 bits."""
    return list(struct.unpack(f"<{len(values)}f", floats(values)))


def fnv(data: bytes) -> int:
    value = 2166136261
    for byte in data:
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619) & 0xFFFFFFFF
    return value


class SlowPredictor:
    """fastText's predict(text, k=1) with exact sums."""

    def __init__(self, model: FasttextModel) -> None:
        self.model = model
        as_rows = lambda m: m.expand() if isinstance(m, Quantised) else [read_floats(row) for row in m]  # noqa: E731
        self.input, self.output = as_rows(model.input), as_rows(model.output)
        self.entries = {text: at for at, text in enumerate(itertools.chain(model.words, (x for x, _ in model.labels)))}

    def predict(self, text: str) -> tuple[str, float] | None:
        rows = self.rows(text)
        if not rows:
            return None
        mean = [math.fsum(self.input[row][i] for row in rows) / len(rows) for i in range(self.model.dim)]
        scores = self.tree_scores(mean) if self.model.loss == HIERARCHICAL_SOFTMAX else self.flat_scores(mean)
        best = max(range(len(scores)), key=lambda label: scores[label])
        return self.model.labels[best][0].replace("__label__", ""), scores[best]

    def rows(self, text: str) -> list[int]:
        model, rows, hashes = self.model, [], []
        for word in [*filter(None, re.split("[ \t\n\v\f\r\0]", text)), "</s>"]:
            entry = self.entries.get(word)
            if word.startswith("__label__") if entry is None else entry >= len(model.words):
                continue
            if entry is not None:
                rows.append(entry)
            hashes.append(fnv(word.encode()))
            if word == "</s>":
                break
            framed = f"<{word}>"
            for start in range(len(framed)):
                for length in range(1, (model.maxn if model.version > 11 else 0) + 1):
                    gram = framed[start : start + length]
                    is_frame = length == 1 and start in (0, len(framed) - 1)
                    if len(gram) == length >= model.minn and not is_frame:
                        rows += self.bucket_row(fnv(gram.encode()) % model.buckets)
        signed = [h - (1 << 32) if h >= 1 << 31 else h for h in hashes]
        for first in range(len(signed)):
            value = signed[first]
            for last in range(first + 1, min(first + model.word_ngrams, len(signed))):
                value = (value * 116049371 + signed[last]) & 0xFFFFFFFFFFFFFFFF
                rows += self.bucket_row(value % model.buckets)
        return rows

    def bucket_row(self, bucket: int) -> list[int]:
        if self.model.pruned is None:
            return [len(self.model.words) + bucket]
        return [len(self.model.words) + self.model.pruned[bucket]] if bucket in self.model.pruned else []

    def activations(self, mean: list[float]) -> list[float]:
        return [math.fsum(a * b for a, b in zip(row, mean)) for row in self.output]

    def flat_scores(self, mean: list[float]) -> list[float]:
        activations = self.activations(mean)
        if self.model.loss == SOFTMAX:
            total = math.fsum(math.exp(a) for a in activations)
            return [math.exp(a) / total + 1e-5 for a in activations]
        steps = [0 if a < -8 else 512 if a > 8 else int((a + 8) * 32) for a in activations]
        return [(s / 512 if s in (0, 512) else 1 / (1 + math.exp(8 - s / 32))) + 1e-5 for s in steps]

    def tree_scores(self, mean: list[float]) -> list[float]:
        # Huffman's algorithm; of equal counts fastText prefers merged nodes, then the later label.
        labels = self.model.labels
        heap = [(count, 1, -at, at) for at, (_, count) in enumerate(labels)]
        heapq.heapify(heap)
        children = {}
        for node in range(len(labels), 2 * len(labels) - 1):
            left, right = heapq.heappop(heap), heapq.heappop(heap)
            children[node] = left[3], right[3]
            heapq.heappush(heap, (left[0] + right[0], 0, node, node))
        activations, scores = self.activations(mean), [0.0] * len(labels)
        ways = [(2 * len(labels) - 2, 1.0)]
        while ways:
            node, score = ways.pop()
            if node < len(labels):
                scores[node] = score
                continue
            right = 1 / (1 + math.exp(-activations[node - len(labels)]))
            ways += [(children[node][0], score * (1 - right + 1e-5)), (children[node][1], score * (right + 1e-5))]
        return scores


def read_model(data: bytes) -> FasttextModel:
    """The inverse of `FasttextModel.to_bytes`."""
    at = 0

    def take(form: str) -> tuple:
        nonlocal at
        values = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return values

    def take_bytes(size: int) -> bytes:
        nonlocal at
        at += size
        return data[at - size : at]

    def take_quantised() -> Quantised:
        has_norms, rows, columns, code_bytes = take("?qqi")
        codes = take_bytes(code_bytes)
        _, _, part_width, _ = take("4i")
        centroids = list(take(f"{256 * columns}f"))
        if not has_norms:
            return Quantised(rows, columns, part_width, codes, centroids)
        norm_codes = take_bytes(rows)
        take("4i")
        return Quantised(rows, columns, part_width, codes, centroids, norm_codes, list(take("256f")))

    def take_dense() -> list[list[float]]:
        rows, columns = take("qq")
        return [list(take(f"{columns}f")) for _ in range(rows)]

    _, version = take("ii")
    dim, _, _, _, _, word_ngrams, loss, _, buckets, minn, maxn, _, _ = take("12id")
    size, word_count, _, _, pruned_count = take("3iqq")
    entries = []
    for _ in range(size):
        end = data.index(b"\0", at)
        text = take_bytes(end - at).decode()
        take_bytes(1)
        entries.append((text, take("qb")[0]))
    pruned = None if pruned_count < 0 else dict(take("ii") for _ in range(pruned_count))
    (is_quantised,) = take("?")
    input_matrix = take_quantised() if is_quantised else take_dense()
    (output_is_quantised,) = take("?")
    output_matrix = take_quantised() if is_quantised and output_is_quantised else take_dense()
    return FasttextModel(dim, loss, [word for word, _ in entries[:word_count]], entries[word_count:], input_matrix,
                         output_matrix, buckets, minn, maxn, word_ngrams, pruned, version)  # fmt: skip
