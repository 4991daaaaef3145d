"""Compressed input is read to its end, and what is damaged is named."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import pytest

from djfast.errors import InputError
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
    with pytest.raises(InputError, match=r"in\.jsonl.* is damaged or cut off after \d+ decompressed bytes"):
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
        compress_file(str(tmp_path / "plain"), str(tmp_path / f"{name}{suffix}"))
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    assert read_all(tmp_path / f"a{suffix}") == DATA
