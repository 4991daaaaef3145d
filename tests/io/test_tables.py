"""Tables and texts in files become rows; what cannot be read is rejected row by row."""

from __future__ import annotations

import base64
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import djfast
from djfast.errors import DjfastError, InputError
from djfast.io.read import csv_files, formats
from djfast.io.read.files import discover
from djfast.io.read.splits import splits_of
from djfast.ranks.alone import Alone
from djfast.recipe.load import load_recipe
from djfast.rows.arrow_rows import FileRows
from djfast.rows.json_rows import JsonRows
from djfast.runners.job.runner import Job
from djfast.runners.job.stopping import Stopping
from djfast.runners.progress import Progress

KEPT = {"keeps_stats": True, "keeps_hashes": True}


def run(tmp_path: Path, where: Path | str, process: list[Any] | None = None, **keys: Any) -> list[Any]:
    """Rows of a run, which are also the rows of a job in many splits."""
    recipe = {"dataset_path": str(where), "np": 2, "process": process or [{"text_length_filter": {"min_len": 0}}], **keys}
    local = {**recipe, "export_path": str(tmp_path / "local" / "out.jsonl")}
    job = {**recipe, "export_path": str(tmp_path / "job" / "out.jsonl"), "split_bytes": 100, "batch_bytes": 4096}
    djfast.run(local)
    Job(load_recipe(job), Alone(), progress=Progress(is_quiet=True), stopping=Stopping()).run()
    rows, rejects = (
        [read(tmp_path / folder / name) for folder in ("local", "job")] for name in ("out.jsonl", "out.rejected.jsonl")
    )
    assert rows[0] == rows[1]
    assert rejects[0] == rejects[1]
    return rows[0]


def read(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def rejected(tmp_path: Path) -> list[tuple[int, str]]:
    return [(entry["line"], entry["reason"]) for entry in read(tmp_path / "local" / "out.rejected.jsonl")]


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('\ufefftext,n,score,ok\n"a, b\n""c""",1,0.5,true\nplain ä,2,3,false\n', encoding="utf-8")
    assert run(tmp_path, path) == [
        {"text": 'a, b\n"c"', "n": 1, "score": 0.5, "ok": True},
        {"text": "plain ä", "n": 2, "score": 3.0, "ok": False},
    ]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["01234", "99999"], None),
        (["+4912345", "+1"], None),
        (["1.10", "2.25"], None),
        (["18446744073709551615", "18446744073709551614"], None),
        (["9223372036854775808", "18446744073709551616"], None),
        (["9007199254740993", "0.5"], None),
        (["1e5", "2e5"], None),
        (["TRUE", "FALSE"], None),
        (["1", "0"], [1, 0]),
        (["-0", "1"], None),
        (["9223372036854775807", "-9223372036854775808"], [2**63 - 1, -(2**63)]),
        (["0.1", "3", "-2.5"], [0.1, 3, -2.5]),
        (["1e-07", "1e+22"], [1e-7, 1e22]),
        (["0.30000000000000004", "1"], [0.30000000000000004, 1]),
        (["true", "false"], [True, False]),
        (["NA", "7"], [None, 7]),
        ([" 5", "6"], [5, 6]),
        (["2020-01-01", "2020-01-02"], None),
    ],
)
def test_cells_of_csv_print_back_as_they_stand(tmp_path: Path, cells: list[str], values: list[Any] | None) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,x\n" + "".join(f"a,{cell}\n" for cell in cells))
    assert [row["x"] for row in run(tmp_path, path)] == (cells if values is None else values)


@pytest.mark.parametrize(
    ("first", "second", "values"),
    [
        (["1234", "5"], ["01234", "7"], ["1234", "5", "01234", "7"]),
        (["1"], ["18446744073709551615"], ["1", "18446744073709551615"]),
        (["true"], ["1"], ["true", "1"]),
        (["", ""], ["1", "2"], [None, None, 1, 2]),
        (["1", "2"], ["", ""], [1, 2, None, None]),
        (["", ""], ["x", "NA"], [None, None, "x", "NA"]),
        (["1"], ["1.5"], [1, 1.5]),
    ],
)
def test_a_column_has_one_type_in_all_csv_files(tmp_path: Path, first: list[str], second: list[str], values: list[Any]) -> None:
    (tmp_path / "in").mkdir()
    for number, cells in enumerate((first, second)):
        (tmp_path / "in" / f"{number}.csv").write_text("text,x\n" + "".join(f"text,{cell}\n" for cell in cells))
    data = djfast.Dataset.from_files(tmp_path / "in")
    assert data["x"] == values
    for processed in (data, data.map(lambda row: row)):
        processed.export(tmp_path / "out.parquet")
        assert processed.rejected == []
        assert pq.read_table(tmp_path / "out.parquet")["x"].to_pylist() == values


def test_later_cells_of_csv_are_never_other_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    head = "text,n,x\n" + f"{'good ' * 10_000},1,0.5\n" * 30  # more than the bytes that types are taken from
    path.write_text(head + "a,007,1\nb,2,1.10\nc,3,9007199254740993\nd,18446744073709551615,1\ne,4,1e2\n")
    assert [(row["text"], row["n"], row["x"]) for row in run(tmp_path, path)[30:]] == [("b", 2, 1.1), ("e", 4, 100.0)]
    assert [line for line, _ in rejected(tmp_path)] == [31, 33, 34]


@pytest.mark.parametrize("name", ["a.parquet", "plain.parquet", "a.arrow"])
def test_a_small_dictionary_that_stands_for_gigabytes_is_read_in_parts(tmp_path: Path, name: str) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 2000, pa.int32()), ["x" * (1 << 20), "y"])
    table = pa.table({"text": texts, "n": range(4000)})
    path = tmp_path / name
    if name == "a.arrow":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    else:
        pq.write_table(table, path, store_schema=name == "a.parquet")
    rows = FileRows(discover(str(path), []), batch_bytes=1 << 20, keeps_stats=True, keeps_hashes=True)
    blocks = list(rows.items())
    assert max(block.batch.num_rows for block in blocks) <= 16
    assert {block.batch.schema for block in blocks} == {rows.columns()}
    assert [number for block in blocks for number in block.numbers] == list(range(4000))
    assert [number for block in blocks for number in block.batch["n"].to_pylist()] == list(range(4000))


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_compressed_tsv(tmp_path: Path, suffix: str, pack: Any) -> None:
    path = tmp_path / f"a.tsv{suffix}"
    path.write_bytes(pack(b"id\ttext\n1\tone, two\n2\tthree\n"))
    assert run(tmp_path, path) == [{"id": 1, "text": "one, two"}, {"id": 2, "text": "three"}]


def test_a_text_column_of_csv_holds_texts_whatever_they_look_like(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,n\n1,1\n2.50,\nNA,3\n")
    assert [row["text"] for row in run(tmp_path, path)] == ["1", "2.50", "NA"]


def test_bad_rows_of_csv_are_set_aside_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    text = "good " * 10_000
    head = b"text,n\n" + b"%s,1\n" % text.encode() * 30  # more than the bytes that types are taken from
    path.write_bytes(head + b"short\nlong,1,2\ngood,x\n\xff\xfe,2\n,3\n" + b"last,4\n" + b"end")
    rows = run(tmp_path, path)
    assert rows == [{"text": text, "n": 1}] * 30 + [{"text": "last", "n": 4}]
    assert rejected(tmp_path) == [
        (31, "the row must have 2 cells, got 1"),
        (32, "the row must have 2 cells, got 3"),
        (33, "column 'n' must be int64 like the first rows of the file, got 'x'"),
        (34, "column 'text' must be UTF-8, got '\\\\xff\\\\xfe'"),
        (35, "field 'text' is null"),
        (37, "the row must have 2 cells, got 1"),
    ]
    bad = read(tmp_path / "local" / "out.rejected.jsonl")
    misfit = {"text": "good", "n": "x"}
    assert [row.get("row") for row in bad] == ["short", "long,1,2", misfit, None, {"text": None, "n": 3}, "end"]
    assert base64.b64decode(bad[3]["row_base64"]) == b'{"text": "\xff\xfe", "n": "2"}'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"text,text\na,b\n", "'text' more than once"),
        (b'text,"n\na,1\n', "line 1: a quote of the header is not closed"),
        (b"text,\xff\na,1\n", "the header is not UTF-8"),
        (b"", "no column for field 'text'"),
    ],
)
def test_csv_that_cannot_be_read_says_why(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    with pytest.raises(DjfastError, match=message):
        run(tmp_path, path)


def test_a_long_row_of_csv_is_read_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "_CHUNK_BYTES", 1 << 12)
    lines = [f"text {i},{i}" if i % 7 else f"bad {i}" for i in range(2000)]
    lines[1500] = "long " * 10_000 + ",1500"
    (tmp_path / "a.csv").write_text("text,n\n" + "\n".join(lines) + "\n")
    rows = run(tmp_path, tmp_path / "a.csv")
    assert [row["n"] for row in rows] == [i for i in range(2000) if i % 7]
    assert len(rows[[row["n"] for row in rows].index(1500)]["text"]) == 50_000
    assert [line for line, _ in rejected(tmp_path)] == [i + 1 for i in range(0, 2000, 7)]


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
@pytest.mark.parametrize(
    ("name", "separator", "broken"),
    [
        ("a.csv", ",", '5,"an unclosed quote'),
        ("a.tsv", "\t", '5\t"Quote starts a title'),
        ("a.csv", ",", '"5,another'),
        ("a.csv", ",", '5,"'),
        ("a.tsv", "\t", '5\t"two ""quotes"" in one'),
    ],
)
@pytest.mark.parametrize("quoted", ["plain", '"several\nlines, quoted"', '""'])
def test_a_quote_that_is_not_closed_costs_its_line(
    tmp_path: Path, name: str, separator: str, broken: str, quoted: str, line_end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"{i}{separator}{quoted}" for i in range(200)]
    lines[5] = broken
    text = quoted.strip('"')
    want = [{"id": i, "text": text} for i in range(200) if i != 5]
    monkeypatch.setattr(csv_files, "_CHUNK_BYTES", 64)
    (tmp_path / name).write_bytes(line_end.join([f"id{separator}text", *lines, ""]).encode())
    assert run(tmp_path, tmp_path / name) == want
    [(line, reason)] = rejected(tmp_path)
    assert line == 6
    assert reason.endswith("a quote that opens a cell is not closed")
    [entry] = read(tmp_path / "local" / "out.rejected.jsonl")
    assert entry["row"] == broken


def test_unclosed_quotes_and_other_bad_rows_keep_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = ["good,{}", "few", "", 'a,"open {}', "too,many,{}", '"two\nlines",{}', '"open,{}', "good,{}"]
    lines = [kinds[i * 7 % 8].format(i) for i in range(500)]
    (tmp_path / "a.csv").write_text("text,n\n" + "\n".join(lines))
    numbered = [(i, line) for i, line in enumerate(lines) if line]
    good = [i for i, line in numbered if line.startswith(("good", '"two'))]
    bad = [place for place, (_, line) in enumerate(numbered, 1) if not line.startswith(("good", '"two'))]
    for chunk in (1 << 21, 50, 1000):
        monkeypatch.setattr(csv_files, "_CHUNK_BYTES", chunk)
        assert [row["n"] for row in run(tmp_path, tmp_path / "a.csv")] == good
        assert [line for line, _ in rejected(tmp_path)] == bad


def test_a_row_that_is_too_long_is_rejected_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "_CHUNK_BYTES", 1000)
    monkeypatch.setattr(csv_files, "_MAX_ROW_BYTES", 5000)
    lines = ["text,n", "before,1", "x" * 20_000 + ",2", '"never closed,3', *["between,4"] * 1000, '"closed"",5', "behind,6"]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert [row["n"] for row in run(tmp_path, tmp_path / "a.csv")] == [1, *[4] * 1000, 6]
    found = rejected(tmp_path)
    assert [line for line, _ in found] == [2, 3, 1004]
    assert "line 3: a row must not be longer than 5000 bytes; is a quote not closed?" in found[0][1]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz"])
def test_line_ends_in_cells_are_whole_wherever_a_block_ends(tmp_path: Path, name: str, line_end: str) -> None:
    separator = "\t" if ".tsv" in name else ","
    head = f"id{separator}text{line_end}"
    chunk = csv_files._CHUNK_BYTES
    for shift in (0, 1, 2):
        text = "x" * (chunk - len(head) - len('0,"') - shift) + "\r\nTAIL"
        data = (head + f'0{separator}"{text}"{line_end}1{separator}"a\r\nb"{line_end}').encode()
        (tmp_path / name).write_bytes(gzip.compress(data, 1) if name.endswith(".gz") else data)
        rows = run(tmp_path, tmp_path / name)
        assert [row["text"] for row in rows] == [text, "a\r\nb"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_csv_and_texts_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress('\ufefftext\tn\n"ä\r\n𝄞"\t1\n'.encode(encoding)))
    assert run(tmp_path, tmp_path / "a.tsv.gz") == [{"text": "ä\r\n𝄞", "n": 1}]
    (tmp_path / "a.txt").write_bytes("\ufeffä\r\n𝄞".encode(encoding))
    assert run(tmp_path, tmp_path / "a.txt") == [{"text": "ä\r\n𝄞"}]


def test_cut_off_csv_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"text\n" + b"".join(b"%d\n" % i for i in range(10**6)))[:-100])
    with pytest.raises(InputError, match=r"a\.csv\.gz.*cut off"):
        run(tmp_path, path)


def test_texts_are_one_row_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("first\r\nline", newline="")
    (folder / "b.md").write_text("")
    (folder / "c.py").write_bytes("\ufeffprint('ä')\n".encode())
    (folder / "deep" / "Dockerfile").write_text("FROM scratch\n")
    (folder / "d.c.gz").write_bytes(gzip.compress(b"int x;"))
    (folder / "e.txt").write_bytes(b"latin \xe4")
    (folder / "z.bin").write_bytes(b"\0")
    rows = run(tmp_path, folder)
    assert [row["text"] for row in rows] == ["first\r\nline", "", "print('ä')\n", "int x;", "FROM scratch\n"]
    [entry] = read(tmp_path / "local" / "out.rejected.jsonl")
    assert (entry["file"], entry["line"]) == (str(folder / "e.txt"), 1)
    assert entry["reason"].endswith("is not UTF-8, got byte 0xe4 at 6")


def test_many_texts_are_few_splits(tmp_path: Path) -> None:
    for i in range(2500):
        (tmp_path / f"{i:05}.txt").write_text("x")
    files = discover(str(tmp_path), [])
    assert [split.end for split in splits_of(files, 1 << 20)] == [1000, 1000, 500]
    assert [split.end for split in splits_of(files[:10], 4)] == [4, 4, 2]
    rows = FileRows(files, batch_bytes=1 << 20, **KEPT)
    assert sum(block.batch.num_rows for block in rows.items()) == 2500


@pytest.mark.parametrize("is_file", [True, False])
@pytest.mark.parametrize("suffix", [".arrow", ".feather"])
def test_arrow_files_and_streams(tmp_path: Path, suffix: str, is_file: bool) -> None:
    table = pa.table({"text": [f"text {i}" for i in range(1000)], "n": range(1000)})
    path = tmp_path / f"a{suffix}"
    new = pa.ipc.new_file if is_file else pa.ipc.new_stream
    with pa.OSFile(str(path), "wb") as sink, new(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=64)
    assert run(tmp_path, path) == table.to_pylist()
    assert len(splits_of(discover(str(path), []), 1000)) == (16 if is_file else 1)


@pytest.mark.parametrize("keep", [0, 5, 100, -20])
def test_damaged_arrow_files_are_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "a.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, pa.schema([("text", pa.string())])) as writer:
        writer.write_batch(pa.record_batch({"text": ["a"] * 100}))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="cannot read"):
        run(tmp_path, path)


def arrow_bytes(texts: list[str], *, is_file: bool, batches: int = 2) -> bytes:
    table = pa.table({"text": texts})
    sink = pa.BufferOutputStream()
    with (pa.ipc.new_file if is_file else pa.ipc.new_stream)(sink, table.schema) as writer:
        for _ in range(batches):
            writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data


@pytest.mark.parametrize("suffix", [".arrow", ".ipc"])
def test_arrow_streams_one_behind_the_other_are_one(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"".join(arrow_bytes([word], is_file=False) for word in "abc"))
    assert [row["text"] for row in run(tmp_path, path)] == list("aabbcc")
    path.write_bytes(arrow_bytes(["a"], is_file=False) + b"something else")
    with pytest.raises(InputError, match=r"what follows the stream that ends at byte \d+ is no stream"):
        run(tmp_path, path)


@pytest.mark.parametrize("batches", [1, 5])
def test_files_of_tables_put_one_behind_the_other_are_an_error(tmp_path: Path, batches: int) -> None:
    import pyarrow.parquet as pq

    (tmp_path / "a.arrow").write_bytes(b"".join(arrow_bytes([word], is_file=True, batches=batches) for word in "ab"))
    with pytest.raises(InputError, match=r"a\.arrow: its footer does not account for \d+ bytes before it"):
        run(tmp_path, tmp_path / "a.arrow")
    parts = []
    for word in "ab":
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"text": [word] * batches}), sink, row_group_size=1, write_page_index=True)
        parts.append(sink.getvalue().to_pybytes())
    (tmp_path / "a.parquet").write_bytes(parts[0])
    assert len(run(tmp_path, tmp_path / "a.parquet")) == batches
    (tmp_path / "a.parquet").write_bytes(b"".join(parts))
    with pytest.raises(InputError, match=r"a\.parquet: another file begins after the end of the first one"):
        run(tmp_path, tmp_path / "a.parquet")


def test_sums_of_pages_are_checked_where_there_are_some(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    texts = [f"text number {i:05}" for i in range(1000)]
    path = tmp_path / "a.parquet"
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    pq.write_table(pa.table({"text": texts}), path, write_page_checksum=True, **plain)
    assert len(run(tmp_path, path)) == 1000
    path.write_bytes(path.read_bytes().replace(b"number 00500", b"number 00501"))
    with pytest.raises(InputError, match=r"cannot read .*a\.parquet: .*(?i:crc|checksum)"):
        run(tmp_path, path)


def test_feather_of_version_1_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.feather").write_bytes(b"FEA1" + bytes(64) + b"FEA1")
    with pytest.raises(InputError, match=r"a\.feather: it has Feather version 1; convert it"):
        run(tmp_path, tmp_path / "a.feather")


def test_rows_of_tables_survive_export_as_parquet_without_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,n\nlong enough,1\n")
    djfast.run(
        {
            "dataset_path": str(tmp_path / "a.csv"),
            "export_path": str(tmp_path / "out.parquet"),
            "process": [{"text_length_filter": {"min_len": 100}}],
        }
    )
    import pyarrow.parquet as pq

    assert pq.read_schema(tmp_path / "out.parquet").names == ["text", "n"]


def test_any_files_from_python(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("content,n\n1,1\nb,2\n")
    [op] = djfast.load_ops([{"text_length_filter": {"min_len": 0, "text_key": "content"}}])
    data = djfast.Dataset.from_files(tmp_path / "a.csv", texts=["content"]).process(op)
    assert data.to_list() == [{"content": "1", "n": 1}, {"content": "b", "n": 2}]
    (tmp_path / "b.jsonl").write_text('{"text": "c"}\n')
    assert djfast.Dataset.from_files([str(tmp_path / "b.jsonl")] * 2).to_list() == [{"text": "c"}] * 2


def test_a_method_for_one_format_refuses_others(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\nx\n")
    (tmp_path / "b.csv").write_text("text\nx\n")
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b'{"text": "x"}\n'))
    assert djfast.Dataset.from_jsonl(tmp_path).to_list() == [{"text": "x"}]
    for read_files in (djfast.Dataset.from_jsonl, djfast.Dataset.from_parquet):
        with pytest.raises(InputError, match=r"from_files reads any format, got '.*a\.csv'"):
            read_files(tmp_path / "a.csv")


def test_rows_of_tables_are_taken_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,n\na,1\nb\nc,3\n")
    process = [{"python_lambda_mapper": {"lambda_str": "lambda row: {**row, 'm': row['n'] + 1}"}}]
    assert run(tmp_path, tmp_path / "a.csv", process, add_suffix=True) == [
        {"text": "a", "n": 1, "__dj__suffix__": ".csv", "m": 2},
        {"text": "c", "n": 3, "__dj__suffix__": ".csv", "m": 4},
    ]
    [entry] = read(tmp_path / "local" / "out.rejected.jsonl")
    assert entry["line"] == 2
    assert (entry["reason"], entry["row"]) == ("the row must have 2 cells, got 1", "b")
    assert len(run(tmp_path, f"2 {tmp_path / 'a.csv'}", process)) == 4
    (tmp_path / "a.jsonl").write_text('{"text": "a", "n": 1}\n\n{"text": "b", "n": 2}\n')
    assert [row["m"] for row in run(tmp_path, f"2 {tmp_path / 'a.jsonl'}", process)] == [2, 2, 3, 3]


def test_a_row_of_another_length_that_is_no_text_is_rejected_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_bytes(b'text,n\na,1\nb\xf8,2,3\nc,3\n"d\xff",4\n"open,5\ne\xf8\nf,6\n')
    assert [row["n"] for row in run(tmp_path, tmp_path / "a.csv")] == [1, 3, 6]
    assert [(entry["line"], entry["reason"]) for entry in read(tmp_path / "local" / "out.rejected.jsonl")] == [
        (2, "the row must have 2 cells, got 3"),
        (4, "column 'text' must be UTF-8, got 'd\\\\xff'"),
        (5, "line 6: a quote that opens a cell is not closed"),
        (6, "the row must have 2 cells, got 1"),
    ]
    assert "Traceback" not in capfd.readouterr().err


def test_rows_get_the_suffix_of_their_file(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("one")
    (folder / "Makefile").write_text("two")
    (folder / "b.PY.gz").write_bytes(gzip.compress(b"three"))
    rows = run(tmp_path, folder, add_suffix=True)
    assert [row["__dj__suffix__"] for row in rows] == ["makefile", ".txt", ".py.gz"]
    (tmp_path / "a.csv").write_text("text\na\nb\n")
    assert run(tmp_path, tmp_path / "a.csv", add_suffix=True) == [{"text": t, "__dj__suffix__": ".csv"} for t in "ab"]


def test_lines_get_the_suffix_of_their_file_and_stay_what_they_were(tmp_path: Path) -> None:
    lines = [
        b'{"text": "a", "n": 1.0}',
        b'  {"text": "}"} \r',
        b'{"text": "b", "__dj__suffix__": ".x", "m": {"__dj__suffix__": 1}}',
        b"",
        b'{"text": "c"',
        b"[{}]",
        b'{"text": "d"}',
    ]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    rows = run(tmp_path, tmp_path / "a.jsonl", add_suffix=True)
    suffix = {"__dj__suffix__": ".jsonl"}
    assert rows == [
        {"text": "a", "n": 1.0, **suffix},
        {"text": "}", **suffix},
        {"text": "b", "m": {"__dj__suffix__": 1}, **suffix},
        {"text": "d", **suffix},
    ]
    assert '"n": 1.0, "__dj__suffix__"' in (tmp_path / "local" / "out.jsonl").read_text()
    assert [line for line, _ in rejected(tmp_path)] == [5, 6]
    (tmp_path / "b.jsonl").write_bytes(b"{}\n{ }\n")
    [block] = JsonRows(discover(str(tmp_path / "b.jsonl"), []), batch_bytes=4096, adds_suffix=True, **KEPT).items()
    assert [json.loads(line) for line in block.data.splitlines()] == [suffix, suffix]


@pytest.mark.parametrize(
    ("names", "family"),
    [
        (["README.md", "train.jsonl"], "json"),
        (["README.md", "notes.txt", "data.jsonl"], "json"),
        (["README.md", "LICENSE.txt", "docs/a.html", "a.csv"], "csv"),
        (["README.md", "a.parquet", "b.json"], "parquet"),
        (["README.md", "a.pdf", "b.tar"], "webdataset"),
        (["README.md", "a.tsv.gz"], "tsv"),
        (["README.md", "notes.txt"], "text"),
        ([f"{i}.py" for i in range(20)] + ["package.json"], "text"),
        (["a.jsonl", "b.jsonl", "c.csv"], "json"),
    ],
)
def test_texts_beside_data_are_not_the_data(tmp_path: Path, names: list[str], family: str) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * (100 if name.endswith("parquet") else 10))
    notices: list[str] = []
    found = discover(str(tmp_path), [], notices)
    assert {formats.INPUT_FORMATS[file.format].family for file in found} == {family}
    assert len(notices) == (len(found) < len(names))


def test_files_without_a_byte_are_left_out_and_named(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    for suffix in (".parquet", ".arrow", ".tar", ".jsonl", ".csv"):
        folder = tmp_path / suffix[1:]
        folder.mkdir()
        (folder / f"a{suffix}").touch()
        (folder / f"b{suffix}").touch()
        notices: list[str] = []
        assert len(discover(str(folder), [], notices)) == 2  # whoever reads them says what is wrong
        (folder / f"c{suffix}").write_bytes(b"something")
        [file] = discover(str(folder), [], notices)
        assert file.path.endswith(f"c{suffix}")
        assert notices[-1].startswith(f"{folder}: files without a byte hold no rows, 2: {folder}/a{suffix}, ")
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "parquet" / "c.parquet")
    assert run(tmp_path, tmp_path / "parquet") == [{"text": "a"}]
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").touch()
    (tmp_path / "texts" / "b.txt").write_text("b")
    assert run(tmp_path, tmp_path / "texts") == [{"text": ""}, {"text": "b"}]
