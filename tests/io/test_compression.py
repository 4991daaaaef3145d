"""Compressed input is read to its end, and what is damaged is named."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
from pathlib import Path

import pytest

from djfast.errors import InputError
from djfast.io import compression
from djfast.io.compression import compress_file, open_bytes

zstandard = pytest.importorskip("zstandard")
DATA = b"".join(b"line %d of some text\n" % i for i in range(20000))


def packed(suffix: str, data: bytes) -> bytes:
    return {
        ".gz": gzip.compress,
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
        ".zst": zstandard.ZstdCompressor().compress,
        "": bytes,
    }[suffix](data)


def read_all(path: Path, size: int = 1 << 16) -> bytes:
    with open_bytes(str(path)) as stream:
        return b"".join(iter(lambda: stream.read(size), b""))


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_every_form_is_read_whole(tmp_path: Path, suffix: str, size: int) -> None:
    path = tmp_path / f"in.jsonl{suffix}"
    path.write_bytes(packed(suffix, DATA))
    assert read_all(path, size) == DATA


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_members_one_after_the_other_are_one_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in.jsonl{suffix}"
    path.write_bytes(packed(suffix, DATA[:100]) + packed(suffix, b"") + packed(suffix, DATA[100:]))
    assert read_all(path) == DATA


def test_frames_without_a_size(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl.zst"
    with open(path, "wb") as file, zstandard.ZstdCompressor().stream_writer(file) as writer:
        writer.write(DATA)
    assert read_all(path) == DATA


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_a_stream_that_is_cut_off_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in.jsonl{suffix}"
    whole = packed(suffix, DATA)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"in\.jsonl.* is (damaged|cut off) after \d+ decompressed bytes"):
        read_all(path)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_bytes_that_are_no_archive_are_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in.jsonl{suffix}"
    path.write_bytes(DATA)
    with pytest.raises(InputError, match=r"in\.jsonl"):
        read_all(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        open_bytes(str(tmp_path / "absent.jsonl"))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_the_same_rows_give_the_same_archive(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "plain").write_bytes(DATA)
    for name in ("a", "b"):
        compress_file(str(tmp_path / "plain"), str(tmp_path / f"{name}{suffix}"), suffix)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    assert read_all(tmp_path / f"a{suffix}") == DATA


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("behind", [b"\n", b"not compressed", DATA])
def test_what_is_behind_the_last_member_is_not_passed_over(tmp_path: Path, suffix: str, behind: bytes) -> None:
    path = tmp_path / f"in.jsonl{suffix}"
    path.write_bytes(packed(suffix, DATA) + behind)
    with pytest.raises(InputError, match=rf"in\.jsonl.* is (damaged|cut off) after {len(DATA)} decompressed bytes"):
        read_all(path)


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_padding_between_and_behind_members_is_none_of_the_data(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in.jsonl{suffix}"
    path.write_bytes(packed(suffix, DATA) + bytes(512) + packed(suffix, b"more") + bytes(1 << 19))
    assert read_all(path) == DATA + b"more"


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_an_empty_file_holds_nothing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in.jsonl{suffix}"
    path.write_bytes(b"")
    assert read_all(path) == b""


@pytest.mark.parametrize("missing", [1, 7, 12])
def test_the_end_of_a_gzip_member_is_missed_where_it_is_missing(tmp_path: Path, missing: int) -> None:
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(gzip.compress(DATA)[:-missing])
    with pytest.raises(InputError, match=r"cut off after (\d{6}) decompressed bytes: its last member is not complete"):
        read_all(path, -1)


def test_little_is_read_of_a_small_archive_that_unpacks_to_much(tmp_path: Path) -> None:
    for suffix in (".gz", ".bz2", ".xz", ".zst"):
        path = tmp_path / f"in.jsonl{suffix}"
        path.write_bytes(packed(suffix, bytes(64 << 20)))
        with open_bytes(str(path)) as stream:
            assert len(stream.read(1000)) == 1000
            assert len(stream._stream._output) < 1 << 20


def long_window(path: Path, log: int) -> None:
    """A frame without a size in its header, as `zstd --long` writes to a pipe."""
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=log, enable_ldm=True)
    with open(path, "wb") as file, zstandard.ZstdCompressor(compression_params=parameters).stream_writer(file) as writer:
        writer.write(b'{"text": "of a long window"}\n')


@pytest.mark.parametrize("log", [28, 31])
def test_a_long_window_is_named_and_can_be_allowed(tmp_path: Path, log: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import djfast

    monkeypatch.setattr(compression, "_zst_window", compression._zst_window)
    path = tmp_path / "in.jsonl.zst"
    long_window(path, log)
    recipe = {"dataset_path": str(path), "export_path": str(tmp_path / "out.jsonl"), "process": []}
    size = 1 << log - 20
    with pytest.raises(InputError, match=rf"needs a window of {size} MiB \(zstd --long={log}\).* set zst_window: {size}MiB"):
        djfast.run(recipe)
    djfast.run({**recipe, "zst_window": f"{size}MiB"})
    assert (tmp_path / "out.jsonl").read_text() == '{"text": "of a long window"}\n'


def test_a_large_dictionary_is_named_and_can_be_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in.jsonl.xz"
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 3 << 20}]
    path.write_bytes(lzma.compress(DATA, filters=filters))
    monkeypatch.setattr(compression, "_zst_window", 1 << 20)
    with pytest.raises(InputError, match="needs a dictionary of more than the 1 MiB that are allowed; set zst_window"):
        read_all(path)
    compression.allow_window(3 << 20)
    assert read_all(path) == DATA


@pytest.mark.parametrize("seed", range(20))
def test_frames_of_any_kind_are_read_in_any_pieces(tmp_path: Path, seed: int) -> None:
    pick = random.Random(seed)
    path = tmp_path / "in.jsonl.zst"
    whole, frames = [], []
    for _ in range(pick.randrange(1, 5)):
        data = pick.choice([b"", b"x" * pick.randrange(1 << 20), pick.randbytes(pick.randrange(1 << 18)), DATA])
        compressor = zstandard.ZstdCompressor(
            level=pick.choice([-5, 1, 9]),
            write_checksum=pick.random() < 0.5,
            write_content_size=pick.random() < 0.5,
        )
        skipped = pick.choice([b"", (0x184D2A50).to_bytes(4, "little") + (7).to_bytes(4, "little") + b"skipped"])
        frames.append(skipped + compressor.compress(data))
        whole.append(data)
    packed = b"".join(frames)
    path.write_bytes(packed)
    assert read_all(path, pick.choice([10, 1 << 14, 1 << 22])) == b"".join(whole)
    path.write_bytes(packed[:-1])
    with pytest.raises(InputError, match="is cut off after"):
        read_all(path)
