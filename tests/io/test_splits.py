"""The splits of an input together are the input: every line once, in order, however it is cut."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import struct
import time
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

import djfast
from djfast.errors import InputError
from djfast.io import remote
from djfast.io.compression import frame_borders
from djfast.io.read.formats import InputFile
from djfast.io.read.splits import ASSUMED_RATIO, Split, default_split_bytes, splits_of, uncut_files
from djfast.rows import json_rows
from djfast.rows.arrow_rows import FileRows
from djfast.rows.json_rows import PROBE_BYTES, JsonRows

lines = st.sampled_from([b"", b"a", b"{}", b'{"text": "some words"}', b"\r", b"long " * 30, b"x" * (PROBE_BYTES + 1)])
texts = st.builds(
    lambda pieces, feed, has_last_feed: feed.join(pieces) + (feed if has_last_feed else b""),
    st.lists(lines, max_size=30),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
)
split_sizes = st.integers(1, 40) | st.integers(40, 3 * PROBE_BYTES)
skippable = struct.pack("<II", 0x184D2A57, 5) + b"extra"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("splits")


def written(path: Path, data: bytes) -> InputFile:
    path.write_bytes(data)
    compression = path.suffix if path.suffix in (".gz", ".bz2", ".xz", ".zst") else None
    kind = path.name.split(".")[1]
    return InputFile(str(path), kind, compression)


def rows_of(file: InputFile, batch_bytes: int = 1 << 16) -> JsonRows:
    return JsonRows([file], batch_bytes=batch_bytes, keeps_stats=True, keeps_hashes=True)


def bytes_of(rows: JsonRows, split: Split) -> bytes:
    return b"".join(block.data[: block.end] for block in rows.read(split))


def lines_by_the_rule(data: bytes, start: int, end: int) -> bytes:
    """Lines that a line feed in [start, end) precedes."""
    borders = [0 if at == 0 else data.find(b"\n", at) + 1 or len(data) for at in (start, end)]
    return data[borders[0] : borders[1]]


def frame(data: bytes, *, has_checksum: bool = False, has_size: bool = True) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=has_checksum, write_content_size=has_size).compress(data)


@given(texts, split_sizes, st.sampled_from([1, 7, 100, 1 << 20]))
@example(b"", 1, 1)
@example(b"\n", 1, 1)
@example(b"a\nb\n", 2, 1)
def test_splits_of_plain_lines_are_the_whole(folder: Path, data: bytes, split_bytes: int, batch_bytes: int) -> None:
    file = written(folder / "in.jsonl", data)
    rows = rows_of(file, batch_bytes)
    splits = splits_of([file], max(split_bytes, len(data) // 100))
    assert [bytes_of(rows, split) for split in splits] == [lines_by_the_rule(data, s.start, s.end) for s in splits]
    assert b"".join(bytes_of(rows, split) for split in splits) == data
    assert b"".join(block.data[: block.end] for block in rows.items()) == data


@given(texts, st.lists(st.integers(0, 1 << 16), max_size=8), split_sizes, st.data())
def test_splits_of_frames_are_the_whole(
    folder: Path, data: bytes, cuts: list[int], split_bytes: int, draw: st.DataObject
) -> None:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    parts = [data[a:b] for a, b in pairwise(places)] or [data]
    packed = b""
    for part in parts:
        packed += draw.draw(st.sampled_from([b"", skippable, frame(b"")]))
        packed += frame(part, has_checksum=draw.draw(st.booleans()), has_size=draw.draw(st.booleans()))
    packed += draw.draw(st.sampled_from([b"", skippable]))
    file = written(folder / "in.jsonl.zst", packed)
    rows = rows_of(file, draw.draw(st.sampled_from([1, 100, 1 << 20])))
    splits = splits_of([file], split_bytes)
    assert b"".join(bytes_of(rows, split) for split in splits) == data
    assert b"".join(block.data[: block.end] for block in rows.items()) == data


@pytest.mark.parametrize("suffix", ["", ".zst"])
@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([b"a\n", b"b\n", b"c\n"], [b"a\nb\n", b"c\n", b""]),  # a line after the border belongs to the split before it
        ([b"a\nb", b"c\nd"], [b"a\nbc\n", b"d"]),
        ([b"a", b"b", b"c\nd\n"], [b"abc\n", b"", b"d\n"]),
        ([b"a\n", b"\n", b"\n"], [b"a\n\n", b"\n", b""]),
        ([b"a\r", b"\nb"], [b"a\r\n", b"b"]),
    ],
)
def test_who_holds_which_line(tmp_path: Path, suffix: str, parts: list[bytes], expected: list[bytes]) -> None:
    packed = [frame(part) if suffix else part for part in parts]
    file = written(tmp_path / f"in.jsonl{suffix}", b"".join(packed))
    borders = [sum(map(len, packed[:i])) for i in range(len(packed) + 1)]
    rows = rows_of(file)
    assert [bytes_of(rows, Split(0, a, b)) for a, b in pairwise(borders)] == expected


@given(st.lists(st.integers(0, 20), min_size=1, max_size=12), st.integers(1, 5000), st.sampled_from([1, 200, 1 << 20]))
def test_splits_of_row_groups_are_the_whole(folder: Path, sizes: list[int], split_bytes: int, batch_bytes: int) -> None:
    path = str(folder / "in.parquet")
    schema = pa.schema([("n", pa.int64()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for size in sizes:
            writer.write_table(pa.table({"n": range(size), "text": [f"row {i}" for i in range(size)]}, schema))
    rows = FileRows([InputFile(path, "parquet", None)], batch_bytes=batch_bytes, keeps_stats=True, keeps_hashes=True)
    splits = splits_of(rows.files, split_bytes)
    found = []
    for split in splits:
        blocks = list(rows.read(split))
        assert [n for block in blocks for n in block.numbers] == list(range(sum(b.batch.num_rows for b in blocks)))
        found += [row for block in blocks for row in block.batch.to_pylist()]
    assert found == pq.read_table(path).to_pylist()
    assert found == [row for block in rows.items() for row in block.batch.to_pylist()]


def test_row_groups_are_joined_up_to_the_size_of_a_split(tmp_path: Path) -> None:
    path = str(tmp_path / "in.parquet")
    pq.write_table(pa.table({"n": range(1000)}), path, row_group_size=100, use_dictionary=False, compression="none")
    size = pq.read_metadata(path).row_group(0).total_byte_size
    file = InputFile(path, "parquet", None)
    assert splits_of([file], 3 * size) == [Split(0, 0, 3), Split(0, 3, 6), Split(0, 6, 9), Split(0, 9, 10)]
    assert splits_of([file], 1) == [Split(0, i, i + 1) for i in range(10)]
    assert splits_of([file], 1 << 30) == [Split(0, 0, 10)]


def test_frames_are_joined_up_to_the_size_of_a_split(tmp_path: Path) -> None:
    one = frame(b"abc\n")
    file = written(tmp_path / "in.jsonl.zst", one * 5)
    at = [i * len(one) for i in range(6)]
    assert frame_borders(file.path) == at
    assert splits_of([file], 2 * len(one) * ASSUMED_RATIO) == [
        Split(0, at[0], at[2]),
        Split(0, at[2], at[4]),
        Split(0, at[4], at[5]),
    ]


def test_blocks_of_every_kind_are_walked(tmp_path: Path) -> None:
    repeated = b"\x28\xb5\x2f\xfd\x20\x07" + struct.pack("<I", 7 << 3 | 1 << 1 | 1)[:3] + b"\n"
    raw = b"\x28\xb5\x2f\xfd\x20\x03" + struct.pack("<I", 3 << 3 | 1)[:3] + b"{}\n"
    incompressible = bytes(i * i * 7919 >> 5 & 0xFF for i in range(300_000))
    packed = [repeated, raw, frame(incompressible, has_checksum=True), frame(b"words " * 100_000, has_size=False), skippable]
    file = written(tmp_path / "in.jsonl.zst", b"".join(packed))
    assert frame_borders(file.path) == [sum(map(len, packed[:i])) for i in range(6)]
    whole = b"\n" * 7 + b"{}\n" + incompressible + b"words " * 100_000
    assert b"".join(block.data[: block.end] for block in rows_of(file).items()) == whole


def test_a_damaged_archive_is_one_split_and_its_reader_says_why(tmp_path: Path) -> None:
    whole = frame(b"a\n" * 1000) + frame(b"b\n" * 1000)
    for damaged in (whole[:-1], whole + b"?", whole + b"no frame at all", whole[: len(whole) // 2] + b"?" * 100):
        file = written(tmp_path / "in.jsonl.zst", damaged)
        assert splits_of([file], 1) == [Split(0, 0, len(damaged))]
        with pytest.raises(InputError, match=r"in\.jsonl\.zst is (damaged|cut off) after \d+ decompressed bytes"):
            list(rows_of(file).items())


def test_a_damaged_frame_is_named_by_its_place(tmp_path: Path) -> None:
    first, second = frame(b"a\n" * 1000), bytearray(frame(b"b\n" * 1000, has_checksum=True))
    second[-1] ^= 1
    file = written(tmp_path / "in.jsonl.zst", first + second)
    with pytest.raises(InputError, match=rf"in\.jsonl\.zst is damaged .* bytes from byte {len(first)} on"):
        list(rows_of(file).read(splits_of([file], 1)[1]))


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_what_cannot_be_cut_is_one_split(tmp_path: Path, suffix: str) -> None:
    data = b"".join(b'{"n": %d}\n' % i for i in range(1000))
    pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[suffix]
    file = written(tmp_path / f"in.jsonl{suffix}", pack(data[:77]) + pack(data[77:]))
    assert splits_of([file], 10) == [Split(0, 0, Path(file.path).stat().st_size)]
    assert bytes_of(rows_of(file, 100), splits_of([file], 10)[0]) == data


@pytest.mark.parametrize("name", ["in.json", "in.json.zst"])
def test_an_array_of_rows_is_one_split_but_lines_in_a_json_file_are_cut(tmp_path: Path, name: str) -> None:
    def pack(data: bytes) -> bytes:
        return frame(data[:20]) + frame(data[20:]) if name.endswith(".zst") else data

    rows = [{"n": i} for i in range(10)]
    array = written(tmp_path / name, pack(json.dumps(rows).encode()))
    assert len(splits_of([array], 10)) == 1
    assert [json.loads(line) for line in bytes_of(rows_of(array), splits_of([array], 10)[0]).splitlines()] == rows
    file = written(tmp_path / name, pack(b"".join(json.dumps(row).encode() + b"\n" for row in rows)))
    splits = splits_of([file], 10)
    assert len(splits) > 1
    found = b"".join(bytes_of(rows_of(file), split) for split in splits)
    assert [json.loads(line) for line in found.splitlines()] == rows


def test_files_keep_their_order_and_empty_ones_have_a_split(tmp_path: Path) -> None:
    files = [written(tmp_path / name, data) for name, data in (("b.jsonl", b"12345"), ("a.jsonl", b""), ("c.jsonl.zst", b""))]
    assert splits_of(files, 3) == [Split(0, 0, 3), Split(0, 3, 5), Split(1, 0, 0), Split(2, 0, 0)]
    rows = JsonRows(files, batch_bytes=10, keeps_stats=True, keeps_hashes=True)
    assert [bytes_of(rows, split) for split in splits_of(files, 3)] == [b"12345", b"", b"", b""]


def test_the_usual_size_of_a_split_is_bounded() -> None:
    assert [default_split_bytes(total) for total in (0, 2 << 30, 1 << 50)] == [4 << 20, 8 << 20, 128 << 20]


def test_a_split_reads_little_past_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "in.jsonl", (b"x" * 99 + b"\n") * 10_000)
    farthest = 0
    pread = remote.os.pread

    def watched(descriptor: int, size: int, position: int) -> bytes:
        nonlocal farthest
        farthest = max(farthest, position + size)
        return pread(descriptor, size, position)

    monkeypatch.setattr(remote.os, "pread", watched)
    assert len(bytes_of(rows_of(file, 1 << 20), Split(0, 1000, 2000))) == 1000
    assert farthest <= 2000 + PROBE_BYTES


@pytest.mark.parametrize("name", ["in.jsonl", "in.jsonl.zst", "in.jsonl.gz"])
@pytest.mark.parametrize("split_bytes", [100, 1000, 1 << 20])
@pytest.mark.parametrize("batch_bytes", [3000, 1 << 20])
def test_a_line_past_all_bounds_is_set_aside_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, split_bytes: int, batch_bytes: int
) -> None:
    monkeypatch.setattr(json_rows, "MAX_LINE_BYTES", 50_000)
    long = [b"x" * 50_001, b"\xc3" + b"y" * 180_000, b"z" * 50_001]
    data = b"{}\n" + b"x" * 50_000 + b"\n" + long[0] + b"\n{}\n{}\n" + long[1] + b"\n" + long[2]
    packed = {"in.jsonl": data, "in.jsonl.zst": frame(data[:300]) + frame(data[300:]), "in.jsonl.gz": gzip.compress(data)}[name]
    file = written(tmp_path / name, packed)
    rows = rows_of(file, batch_bytes)
    blocks = [block for split in splits_of([file], split_bytes) for block in rows.read(split)]
    assert b"".join(block.data[: block.end] for block in blocks if not block.unread) == (
        b"{}\n" + b"x" * 50_000 + b"\n{}\n{}\n"
    )
    refused = [block for block in blocks if block.unread]
    assert [block.byte_count for block in refused] == [50_002, 180_002, 50_001]
    assert [rows.count_block(block) for block in refused] == [(1, 1)] * 3
    assert "at most 50000 bytes, got 180002" in refused[1].unread[0]
    assert max(block.end for block in refused) < 4100
    assert json_rows.JsonBlock.unpack(*refused[0].pack()) == refused[0]


@pytest.mark.parametrize("batch_bytes", [4096, 1 << 20])
def test_a_run_goes_on_past_a_line_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_bytes: int) -> None:
    monkeypatch.setattr(json_rows, "MAX_LINE_BYTES", 50_000)
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n{"text": "' + "b" * 60_000 + '"}\n\n{"text": "c"}\n[]\n')
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        f"dataset_path: {tmp_path}/in.jsonl\nexport_path: {tmp_path}/out/o.jsonl\nbatch_bytes: {batch_bytes}\n"
        "process: [{text_length_filter: {min_len: 1}}]\n"
    )
    report = djfast.run(recipe)
    assert (report.rows_read, report.rows_written, report.rows_rejected) == (4, 2, 2)
    rejected = [json.loads(line) for line in (tmp_path / "out/o.rejected.jsonl").read_text().splitlines()]
    assert [row["line"] for row in rejected] == [2, 5]
    assert "at most 50000 bytes, got 60013" in rejected[0]["reason"]
    assert len(rejected[0]["row"]) < 1100


@pytest.mark.parametrize("name", ["in.jsonl", "in.jsonl.zst", "in.jsonl.gz"])
def test_a_file_that_shrank_is_named_with_the_place(tmp_path: Path, name: str) -> None:
    pack = {"in.jsonl": bytes, "in.jsonl.zst": frame, "in.jsonl.gz": gzip.compress}[name]
    file = written(tmp_path / name, pack(b"{}\n") + pack(b"{}\n"))
    [split] = splits_of([file], 1 << 20)
    written(tmp_path / name, pack(b"{}\n"))
    size = Path(file.path).stat().st_size
    with pytest.raises(InputError, match=rf"{name} has become shorter: it ends at byte {size}, before byte {2 * size}"):
        list(rows_of(file).read(split))


def test_a_file_that_shrinks_while_it_is_read_is_named_with_the_place(tmp_path: Path) -> None:
    file = written(tmp_path / "in.jsonl", b"{}\n" * 100)
    blocks = rows_of(file, 30).read(Split(0, 0, 300))
    next(blocks)
    written(tmp_path / "in.jsonl", b"{}\n" * 15)
    with pytest.raises(InputError, match=r"in\.jsonl was cut off at byte 45 while it was read"):
        list(blocks)


def test_frames_that_vanish_while_they_are_read_are_missed(tmp_path: Path) -> None:
    packed = [frame(bytes([65 + i]) * 40_000 + b"\n") for i in range(3)]
    file = written(tmp_path / "in.jsonl.zst", b"".join(packed))
    blocks = rows_of(file, 10_000).read(Split(0, 0, len(packed[0])))
    next(blocks)
    written(tmp_path / "in.jsonl.zst", packed[0])
    with pytest.raises(InputError, match=rf"is (damaged|cut off) after 0 decompressed bytes from byte {len(packed[0])} on"):
        list(blocks)


def test_fewer_row_groups_than_before_are_named(tmp_path: Path) -> None:
    path = str(tmp_path / "in.parquet")
    pq.write_table(pa.table({"n": range(10)}), path)
    rows = FileRows([InputFile(path, "parquet", None)], batch_bytes=1, keeps_stats=True, keeps_hashes=True)
    with pytest.raises(InputError, match=r"cannot read .*in\.parquet: it has become shorter: 1 row groups, fewer than 2"):
        list(rows.read(Split(0, 1, 2)))


@pytest.mark.parametrize("name", ["in.jsonl", "in.jsonl.zst", "in.jsonl.gz", "in.parquet", "in.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    file = written(tmp_path / name, b"")
    Path(file.path).unlink()
    with pytest.raises(InputError, match=name):
        splits_of([file], 1)


def test_a_gigabyte_of_frames_is_walked_at_once(tmp_path: Path) -> None:
    # Blocks of 40 kB, frames of 4 MB; the bytes between headers are never looked at, so a sparse file will do.
    block = struct.pack("<I", 40_000 << 3 | 2 << 1)[:3]
    with open(tmp_path / "in.jsonl.zst", "wb") as file:
        for number in range(256):
            start = number * (100 * 40_003 + 9)
            file.seek(start)
            file.write(b"\x28\xb5\x2f\xfd\x00\x58")
            for i in range(100):
                file.seek(start + 6 + i * 40_003)
                file.write(block)
            file.seek(start + 6 + 100 * 40_003)
            file.write(struct.pack("<I", 1)[:3])
    path = str(tmp_path / "in.jsonl.zst")
    started = time.process_time()
    splits = splits_of([InputFile(path, "jsonl", ".zst")], 12 << 20)
    assert time.process_time() - started < 1
    assert (len(splits), splits[-1].end) == (256, 256 * (100 * 40_003 + 9))


def test_files_that_cannot_be_cut_are_named(tmp_path: Path) -> None:
    lines = b'{"text": "some words"}\n' * 1000
    plain = written(tmp_path / "a.jsonl", lines)
    whole = written(tmp_path / "b.jsonl.gz", gzip.compress(lines))
    frames = written(tmp_path / "c.jsonl.zst", b"".join(frame(lines) for _ in range(40)))
    one = written(tmp_path / "d.jsonl.zst", frame(lines))
    files = [plain, whole, frames, one]
    assert uncut_files(files, splits_of(files, 10), 10) == [whole, one]
    assert uncut_files(files, splits_of(files, 10), 1 << 20) == []
