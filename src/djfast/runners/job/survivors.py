"""Which rows stay: the answer to the deduplicators of a stage, from the keys in its parts.

A process alone feeds the keys to the same native groups as a run without a job. Several ranks own the rows of
neighbouring splits, and *links* (pairs of rows that are duplicates) are found where equal keys meet:

1. Every key has an owner, the rank in whose range its hash lies. Rows' owners send it 32 bits of the hash only, and learn
   which of these were met twice: a Bloom filter cut by range. What is unique, nearly everything, does not travel further.
2. The other keys travel with their row numbers; their owners link rows with equal keys.
3. Links become connected components with the smallest row number as root; all other rows go.

Every step streams record batches between ranks, a few bands at a time, so that memory is bounded by the budget.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from djfast import _native
from djfast.declare import DuplicateRule
from djfast.errors import MissingExtraError
from djfast.io.durable import written_whole
from djfast.plan.steps import Dedup
from djfast.ranks import Ranks
from djfast.records import NamedTuple
from djfast.runners.job.components import non_roots
from djfast.runners.job.exchange import Columns, exchange
from djfast.runners.job.parts import BatchKeys, PartFile
from djfast.runners.keyed_groups import make_groups

if TYPE_CHECKING:
    import numpy as np

# Bytes that one key of a pass takes in arrays and their copies on its way through the three exchanges.
_PASS_BYTES = 64


class Answer(NamedTuple):
    """What stays of some parts. `masks` has one byte per row, by split; `counts` rows in and out, by deduplicator."""

    masks: dict[int, bytes]
    counts: list[tuple[int, int]]


def answer_alone(dedups: Sequence[Dedup], parts: Sequence[PartFile]) -> Answer:
    """Return the rows that stay, in one process."""
    total = sum(part.entry.rows for part in parts)
    mask = b"\x01" * total
    counts = []
    for number, dedup in enumerate(dedups):
        groups = make_groups(dedup.rule)
        for part in parts:
            for batch in part.keys(number, len(dedups)):
                groups.add(batch.keys, batch.rows, batch.present)
        before = mask.count(1)
        mask = groups.resolve(mask)
        counts.append((before, mask.count(1)))
    masks = {}
    first = 0
    for part in parts:
        masks[part.entry.split] = mask[first : first + part.entry.rows]
        first += part.entry.rows
    return Answer(masks, counts)


def owned(rows: Sequence[int], ranks: Ranks) -> list[range]:
    """Cut parts of so many rows into one run of neighbours for each rank, of about equally many rows."""
    total = sum(rows) or 1
    bounds = [0]
    seen = 0
    for number, part_rows in enumerate(rows):
        while len(bounds) < ranks.size and seen * ranks.size >= len(bounds) * total:
            bounds.append(number)
        seen += part_rows
    bounds += [len(rows)] * (ranks.size + 1 - len(bounds))
    return [range(bounds[rank], bounds[rank + 1]) for rank in range(ranks.size)]


def answer_together(dedups: Sequence[Dedup], parts: Sequence[PartFile], ranks: Ranks, *, budget: int) -> Answer:
    """Return the rows that stay of the parts that this rank owns; all ranks call it."""
    try:
        import numpy as np
    except ImportError as error:
        raise MissingExtraError("deduplication between ranks needs numpy; pip install 'djfast[mpi]'") from error
    shares = owned([part.entry.rows for part in parts], ranks)
    rows_before = np.cumsum([0] + [sum(parts[i].entry.rows for i in share) for share in shares])
    mine = [parts[i] for i in shares[ranks.rank]]
    rows = _Rows(ranks, rows_before)
    counts = []
    for number, dedup in enumerate(dedups):
        before = int(np.count_nonzero(rows.alive))
        _OwnKeys(rows, mine, number, len(dedups), dedup.rule, budget).resolve()
        counts.append((before, int(np.count_nonzero(rows.alive))))
    totals = [json.loads(body) for body in ranks.gather_all(json.dumps(counts).encode())]
    summed = [(sum(each[i][0] for each in totals), sum(each[i][1] for each in totals)) for i in range(len(dedups))]
    masks = {}
    first = 0
    for part in mine:
        masks[part.entry.split] = rows.alive[first : first + part.entry.rows].tobytes()
        first += part.entry.rows
    return Answer(masks, summed)


class _Rows:
    """Numbers of all rows of a stage: every rank owns a range, and knows which of its rows are alive."""

    def __init__(self, ranks: Ranks, rows_before: np.ndarray[Any, Any]) -> None:
        import numpy as np

        self.ranks = ranks
        self.first = int(rows_before[ranks.rank])
        self.alive = np.ones(int(rows_before[ranks.rank + 1]) - self.first, np.uint8)
        self._ends = rows_before[1:]

    def owners(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Rank that owns each row."""
        import numpy as np

        return np.searchsorted(self._ends, rows, side="right")

    def drop(self, rows: np.ndarray[Any, Any]) -> None:
        """Drop rows of any rank, here or where they are owned; all ranks call it."""
        came = exchange(self.ranks, [("", {"row": rows}, self.owners(rows))])
        for columns in came.get("", []):
            self.alive[columns["row"] - self.first] = 0


class _OwnKeys:
    """The keys of one deduplicator in the parts that this rank owns."""

    def __init__(
        self, rows: _Rows, parts: Sequence[PartFile], dedup: int, dedups: int, rule: DuplicateRule, budget: int
    ) -> None:
        self._rows = rows
        self._ranks = rows.ranks
        self._parts = parts
        self._dedup = dedup
        self._dedups = dedups
        self._rule = rule
        self._budget = budget

    def resolve(self) -> None:
        """Drop what is not the first row of its group."""
        import numpy as np

        kind = self._rule.kind
        if kind == "equal":
            self._drop_repeats([[0, 1]])
            return
        if kind == "bands":
            found = self._links([[band] for band in range(self._rule.bands)])
            links = [np.concatenate(sides) for sides in zip(*found)]
        else:
            self._drop_repeats([[0]])
            links = list(self._near_links(self._rule.distance))
        self._rows.drop(non_roots(self._ranks, *links))

    def _drop_repeats(self, keys: list[list[int]]) -> None:
        import numpy as np

        self._rows.drop(np.concatenate([others for _, others in self._links(keys)]))

    def _batches(self) -> Iterator[tuple[int, BatchKeys]]:
        first = 0
        for part in self._parts:
            for batch in part.keys(self._dedup, self._dedups):
                yield first, batch
                first += batch.rows

    def _load(self, columns: Sequence[int]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Rows of this rank that are alive and have keys, and these columns of their keys, a column a line."""
        import numpy as np

        width = self._rule.width
        rows, keys = [], []
        for first, batch in self._batches():
            numbers = np.arange(first, first + batch.rows)
            table = np.frombuffer(batch.keys, np.uint64).reshape(-1, width)
            if batch.present is not None:
                present = np.frombuffer(batch.present, np.uint8) != 0
                table = table if len(table) == np.count_nonzero(present) else table[present]
                numbers = numbers[present]
            alive = self._rows.alive[numbers] != 0
            rows.append(numbers[alive])
            keys.append(table[alive][:, columns].T)
        if not rows:
            return np.zeros(0, np.int64), np.zeros((len(columns), 0), np.uint64)
        return np.concatenate(rows) + self._rows.first, np.concatenate(keys, axis=1)

    def _links(self, keys: list[list[int]]) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """First rows and other rows with equal keys. A key is one or two columns; as many at a time as the budget allows."""
        most_rows = max(json.loads(body) for body in self._ranks.gather_all(json.dumps(len(self._rows.alive)).encode()))
        key_bytes = max(1, most_rows * _PASS_BYTES)
        at_once = max(1, self._budget // key_bytes)
        ranges = -(-key_bytes // self._budget)  # of hashes, where not even one key of all rows fits
        found = []
        for begin in range(0, len(keys), at_once):
            for number in range(ranges):
                found += self._pass(keys[begin : begin + at_once], number, ranges)
        return found

    def _pass(
        self, keys: list[list[int]], number: int, ranges: int
    ) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """Link rows with equal keys, in one slice of the hash space: the hashes that are `number` modulo `ranges`."""
        import numpy as np

        all_rows, columns = self._load([column for key in keys for column in key])
        words = len(keys[0])
        values, hashes, rows = [], [], []
        for i in range(len(keys)):
            value = columns[i * words : (i + 1) * words]
            each = _spread(value[0] ^ (value[1] if words == 2 else np.uint64(0)))
            chosen = each % np.uint64(ranges) == np.uint64(number) if ranges > 1 else np.ones(len(each), bool)
            values.append(value[:, chosen])
            hashes.append(each[chosen])
            rows.append(all_rows[chosen])
        owners = [_owner_of_hash(each, self._ranks.size) for each in hashes]
        # 32 bits of each hash there, and one bit back.
        prints = [each.astype(np.uint32) for each in hashes]
        met = exchange(self._ranks, [(str(i), {"print": p}, o) for i, (p, o) in enumerate(zip(prints, owners))], by_source=True)
        replies = []
        for name, by_source in met.items():
            sizes = [sum(len(c["print"]) for c in columns) for columns in by_source]
            flags = _met_twice([c["print"] for columns in by_source for c in columns])
            for source, part in enumerate(np.split(flags, np.cumsum(sizes)[:-1])):
                if sizes[source]:
                    replies.append((name, {"flag": part}, np.full(len(part), source)))
        answers = exchange(self._ranks, replies, by_source=True)
        outgoing = []
        for i, owner in enumerate(owners):
            twice = np.zeros(len(owner), bool)
            for source, columns in enumerate(answers.get(str(i), [])):
                if columns:
                    twice[owner == source] = np.concatenate([c["flag"] for c in columns])
            sent = {"row": rows[i][twice], **{f"word{w}": values[i][w][twice] for w in range(words)}}
            outgoing.append((str(i), sent, owner[twice]))
        came = exchange(self._ranks, outgoing, by_source=True)
        return [_equal_links(came.get(str(i), []), words) for i in range(len(keys))]

    def _near_links(self, distance: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Rows whose 64-bit hashes differ in few bits.

        Two such hashes agree on at least one of `distance` + 1 blocks of bits (pigeonhole): for each block, those that agree
        on it meet at one rank.
        """
        import numpy as np

        rows, columns = self._load([0])
        firsts, others = [], []
        for mask in block_masks(distance + 1):
            owner = _owner_of_hash(_spread(columns[0] & np.uint64(mask)), self._ranks.size)
            came = exchange(self._ranks, [("", {"row": rows, "hash": columns[0]}, owner)], by_source=True)
            table = _joined(came.get("", []), {"row": np.int64, "hash": np.uint64})
            first, other = _native.links_within(np.ascontiguousarray(table["hash"]), distance, mask)
            firsts.append(table["row"][np.frombuffer(first, np.uint32)])
            others.append(table["row"][np.frombuffer(other, np.uint32)])
        return np.concatenate(firsts), np.concatenate(others)


def block_masks(blocks: int) -> list[int]:
    """Cut 64 bits into blocks of about equally many bits."""
    bounds = [64 * i // blocks for i in range(blocks + 1)]
    return [(1 << high) - (1 << low) for low, high in pairwise(bounds)]


def _spread(keys: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Hash of 64-bit keys whose upper and lower halves are both good."""
    import numpy as np

    mixed = keys * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0xD1B54A32D192ED03)
    mixed ^= mixed >> np.uint64(29)
    return mixed


def _owner_of_hash(hashes: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    """Rank in whose range each hash lies."""
    import numpy as np

    return ((hashes >> np.uint64(40)) * np.uint64(size) >> np.uint64(24)).astype(np.int64)


def _met_twice(prints: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    import numpy as np

    values = np.concatenate(prints).astype(np.uint64) if prints else np.zeros(0, np.uint64)
    flags = np.zeros(len(values), bool)
    for side in _native.links_of_equal(values, 1):
        flags[np.frombuffer(side, np.uint32)] = True
    return flags


def _equal_links(by_source: list[list[Columns]], words: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    import numpy as np

    # Sources own ascending ranges of rows, so that the first of equal keys is the smallest row.
    names = [f"word{w}" for w in range(words)]
    table = _joined(by_source, {"row": np.int64, **dict.fromkeys(names, np.uint64)})
    first, other = _native.links_of_equal(np.ascontiguousarray(np.stack([table[n] for n in names], axis=1)), words)
    return table["row"][np.frombuffer(first, np.uint32)], table["row"][np.frombuffer(other, np.uint32)]


def _joined(by_source: list[list[Columns]], types: dict[str, Any]) -> Columns:
    import numpy as np

    chunks = [columns for source in by_source for columns in source]
    return {
        name: np.concatenate([c[name] for c in chunks]) if chunks else np.zeros(0, kind) for name, kind in types.items()
    }


def write_masks(masks: dict[int, bytes], folder: Path, path: str) -> list[list[Any]]:
    """Write masks and return ``[split, path, offset, size, rows that stay]`` of each."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=1)
    entries: list[list[Any]] = []
    with written_whole(folder / path, setting="work_dir") as file:
        for split, mask in masks.items():
            packed = compressor.compress(mask)
            entries.append([split, path, file.tell(), len(packed), mask.count(1)])
            file.write(packed)
    return entries


def read_mask(folder: Path, entry: Sequence[Any]) -> bytes:
    """Read one mask back."""
    import zstandard

    _, path, offset, size, _ = entry
    with open(folder / path, "rb") as file:
        file.seek(offset)
        return bytes(zstandard.ZstdDecompressor().decompress(file.read(size)))


