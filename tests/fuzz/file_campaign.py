"""Mutated files through a run: no crash, no traceback, and each row that is read comes out, is dropped or is rejected.

    python tests/sanitize.py -m tests.fuzz.file_campaign [files] [seed]

Files are cut off, spliced, and changed in bytes and numbers. Work is done in child processes, so that a crash of any package, a
file that is waited for without an end and one that takes gigabytes are noted with their number, and the campaign goes on.
"""

from __future__ import annotations

import gzip
import io
import json
import lzma
import random
import resource
import subprocess
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import djfast
from djfast.errors import DjfastError

_TEXTS = [
    *(
        "One. Two! One.",
        "größe 中文。文本",
        "a b c d e f",
        "",
        "http://x.y/z 10.0.0.1 a@b.example",
        "&amp;amp; â€œ\n\nline\n",
        "x" * 300,
    )
]
_PROCESS = [
    "fix_unicode_mapper",
    "remove_repeat_sentences_mapper",
    "clean_links_mapper",
    {"text_length_filter": {"min_len": 2}},
    {"words_num_filter": {"min_num": 1}},
    {"character_repetition_filter": {"rep_len": 2, "max_ratio": 0.9}},
    {"document_minhash_deduplicator": {"tokenization": "punctuation", "window_size": 1}},
]
_CHUNK = 250  # files for each child process
_CHUNK_SECONDS = 900  # some ten times what it takes under the sanitizers
_MOST_BYTES = 3 << 30  # of memory, of which sanitizers take a part


def _rows() -> list[dict[str, object]]:
    return [{"text": text, "n": number, "meta": {"a": [text, None]}} for number, text in enumerate(_TEXTS)]


def _json() -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=bool(i % 2)).encode() + b"\n" for i, row in enumerate(_rows()))


def _zst() -> bytes:
    import zstandard

    return b"".join(zstandard.ZstdCompressor(write_checksum=True).compress(line) for line in _json().splitlines(keepends=True))


def _array() -> bytes:
    return json.dumps(_rows(), indent=1).encode()


def _csv() -> bytes:
    import csv

    out = io.StringIO()
    writer = csv.DictWriter(out, ["text", "n"], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(_rows())
    return out.getvalue().encode()


def _table(write: Callable[..., None], **options: object) -> bytes:
    import pyarrow as pa

    table = pa.Table.from_pylist(_rows())
    out = io.BytesIO()
    if options.pop("dictionary", False):
        table = table.set_column(0, "text", table["text"].combine_chunks().dictionary_encode())
    if options.pop("nested", False):
        columns = {"struct": pa.array([{"a": text, "b": [1, None]} for text in _TEXTS])}
        columns["map"] = pa.array([[(text, 1.5)] for text in _TEXTS], pa.map_(pa.string(), pa.float64()))
        columns["time"] = pa.array(range(len(_TEXTS)), pa.timestamp("ms", "UTC"))
        for name, column in columns.items():
            table = table.append_column(name, column)
    write(table, out, **options)
    return out.getvalue()


def _parquet(**options: object) -> bytes:
    import pyarrow.parquet as pq

    return _table(pq.write_table, **options)


def _arrow(*, stream: bool = False, compression: str | None = None, **columns: bool) -> bytes:
    import pyarrow as pa

    def write(table: pa.Table, out: io.BytesIO) -> None:
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with (pa.ipc.new_stream if stream else pa.ipc.new_file)(out, table.schema, options=options) as writer:
            writer.write_table(table, 3)

    return _table(write, **columns)


def _warc() -> bytes:
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter

    out = io.BytesIO()
    writer = WARCWriter(out, gzip=False)
    for number, text in enumerate(_TEXTS):
        page = f"<html><body><p>{text}</p></body></html>".encode()
        headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
        record = writer.create_warc_record(f"http://x.y/{number}", "response", payload=io.BytesIO(page), http_headers=headers)
        writer.write_record(record)
    return out.getvalue()


def _tar(form: int = tarfile.PAX_FORMAT, folder: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for number, text in enumerate(_TEXTS):
            for suffix, content in (("text", text.encode()), ("json", json.dumps({"n": number}).encode())):
                member = tarfile.TarInfo(f"{folder}{number:04}.{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


SEEDS: dict[str, list[tuple[str, Callable[[], bytes]]]] = {
    "parquet": [
        (".parquet", _parquet),
        (".parquet", lambda: _parquet(compression="none", use_dictionary=False)),
        (".parquet", lambda: _parquet(compression="zstd", data_page_version="2.0", dictionary=True)),
        (".parquet", lambda: _parquet(row_group_size=2, write_page_index=True)),
        (".parquet", lambda: _parquet(nested=True, write_page_checksum=True, data_page_size=64)),
        (".parquet", lambda: _parquet(use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY"}, compression="gzip")),
    ],
    "arrow": [
        (".arrow", _arrow),
        (".arrow", lambda: _arrow(stream=True, dictionary=True)),
        (".feather", lambda: _arrow(compression="lz4")),
        (".arrow", lambda: _arrow(compression="zstd", nested=True)),
    ],
    "csv": [(".csv", _csv)],
    "warc": [(".warc", _warc), (".warc.gz", lambda: gzip.compress(_warc(), mtime=0))],
    "tar": [
        (".tar", _tar),
        (".tar", lambda: _tar(folder="é" * 200 + "/")),
        (".tar", lambda: _tar(tarfile.GNU_FORMAT, "x" * 200 + "/")),
    ],
    "json": [
        (".jsonl", _json),
        (".jsonl.gz", lambda: gzip.compress(_json(), mtime=0)),
        (".jsonl.xz", lambda: lzma.compress(_json())),
        (".jsonl.zst", _zst),
        (".jsonl", lambda: _json().decode().encode("utf-16")),
        (".json", _array),
    ],
}  # fmt: skip


def mutated(data: bytes, pick: random.Random) -> bytes:
    """Return bytes with a few changes of one kind or another."""
    changed = bytearray(data)
    for _ in range(pick.choice([1, 1, 2, 4, 8])):
        at = pick.randrange(len(changed) + 1)
        match pick.randrange(7):
            case 0:
                del changed[at:]
            case 1:
                changed[at : at + pick.randrange(20)] = b""
            case 2:
                changed[at:at] = data[pick.randrange(len(data)) :][: pick.randrange(200)]
            case 3:
                changed[at : at + 4] = pick.choice([b"\xff" * 4, b"\0" * 4, b"\0\0\0\x80", b"\xff\xff\xff\x7f", b"\1\0\0\0"])
            case 4:
                changed[at:at] = pick.choice(
                    [b"\xf8", b"\xed\xa0\x80", b"\0", b'"', b"\n", b"\\", b"{", b"\xef\xbb\xbf", b"\xff\xfe"]
                )
            case _:
                if at < len(changed):
                    changed[at] ^= 1 << pick.randrange(8)
    return bytes(changed)


def check_file(seed: str, folder: Path, made: dict[tuple[str, int], tuple[str, bytes]]) -> tuple[str, str]:
    """Run the OPs on one mutated file; return its format and what became of it.

    Raises
    ------
    AssertionError
        If a row is nowhere.
    """
    pick = random.Random(seed)
    kind = pick.choice(sorted(SEEDS))
    number = pick.randrange(len(SEEDS[kind]))
    if (kind, number) not in made:
        suffix, make = SEEDS[kind][number]
        made[kind, number] = suffix, make()
    suffix, data = made[kind, number]
    path = folder / f"in{suffix}"
    path.write_bytes(mutated(data, pick))
    process = [*_PROCESS, {"python_lambda_mapper": {"lambda_str": "lambda row: row"}}] if pick.random() < 0.2 else _PROCESS
    try:
        dataset = djfast.Dataset.from_files(path).process(*process)
        report = dataset.export(folder / ("out" + pick.choice([".jsonl", ".jsonl", ".parquet", ".csv"])))
    except DjfastError:
        return kind, "refused"
    dropped = sum(op.rows_in - op.rows_out - op.rejected for op in report.ops)
    rejected = len(dataset.rejected)
    assert report.rows_written + dropped + rejected == report.rows_read, f"{report.rows_read} rows in, {report}, {rejected}"
    return kind, "rejected" if rejected else "passed"


def check_files(first: int, count: int, seed: int) -> None:
    """Check some files and print a line for each."""
    warnings.simplefilter("ignore")
    made: dict[tuple[str, int], tuple[str, bytes]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, first + count):
            result = check_file(f"{seed}.{number}", Path(folder), made)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
            assert peak < _MOST_BYTES, f"{peak} bytes of memory"
            print(number, *result, flush=True)


def _run_child(first: int, count: int, seed: int) -> tuple[list[list[str]], str]:
    """Check some files in another process; return what became of them, up to the one that failed, and how it failed."""
    arguments = [sys.executable, "-m", "tests.fuzz.file_campaign", "--child", *map(str, (first, count, seed))]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        try:
            status = str(subprocess.run(arguments, stdout=out, stderr=errors, check=False, timeout=_CHUNK_SECONDS).returncode)
        except subprocess.TimeoutExpired:
            status = f"not done after {_CHUNK_SECONDS} seconds"
        out.seek(0)
        errors.seek(0)
        lines = [line.split() for line in out.read().decode().splitlines() if line[:1].isdigit()]
        problem = errors.read().decode(errors="replace")[-3000:]
    if status != "0" or len(lines) < count:
        return lines, f"status {status}\n{problem}"
    return lines, problem if "Traceback" in problem else ""


def main(count: int = 20_000, seed: int = 1) -> int:
    """Run the campaign and print what became of the files."""
    became: dict[str, int] = {}
    failures = done = told = 0
    while done < count:
        size = min(_CHUNK, count - done)
        lines, problem = _run_child(done, size, seed)
        for _, *result in lines:
            became[" ".join(result)] = became.get(" ".join(result), 0) + 1
        if problem:
            failures += 1
            last = done + min(len(lines), size - 1)  # where all have a result, it is one of this child's
            print(f"file {seed}.{last}: {problem}", flush=True)
        done += len(lines) + (len(lines) < size)  # past the one that failed
        if done - told >= 8 * _CHUNK:
            told = done
            print(done, became, flush=True)
    print(f"{count} files, {failures} failures: {dict(sorted(became.items()))}")
    return 1 if failures else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        check_files(*map(int, sys.argv[2:]))
    else:
        sys.exit(main(*map(int, sys.argv[1:])))
