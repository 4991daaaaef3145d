"""Every format holds the rows that were written, whatever brought them, and leaves nothing half done."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import djfast
from djfast.errors import OutputError
from djfast.io.write import webdataset
from djfast.io.write.formats import RESULT_FORMATS
from djfast.recipe.load import load_recipe
from djfast.runners.job.runner import Job
from djfast.runners.job.stopping import Stopping
from djfast.runners.progress import Progress
from djfast.runners.report import Report
from tests.ranks.threads import Threads, run_threads

ROWS: list[dict[str, Any]] = [
    {"id": 0, "text": "plain words", "tags": ["a", "b"], "score": 0.5, "ok": True},
    {"id": 1, "text": 'quotes " and, commas\nand lines\r\n\tand tabs', "tags": [], "score": None, "ok": False},
    {"id": 2, "text": "", "tags": None, "score": -1e300, "ok": None},
    {"id": 3, "text": "Grüße 你好 🎉", "tags": ["ü"], "score": 3.0, "ok": True},
    {"id": 2**53 + 1, "text": "=1+1", "tags": ["c"], "score": 0.1, "ok": True},
]
SUFFIXES = {each.suffix: name for name, each in RESULT_FORMATS.items()}
FILES = [name for name, each in RESULT_FORMATS.items() if not each.is_folder]
EQUAL_BYTES = [name for name in RESULT_FORMATS if name != "lance"]


def write_rows(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def export(source: Path, target: Path | str, **keys: Any) -> Any:
    return djfast.run({"dataset_path": str(source), "export_path": str(target), "process": [], "np": 1, **keys})


def cell(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text or None


def read_separated(text: str, separator: str) -> list[dict[str, Any]]:
    rows = [dict(row) for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)]
    return [{name: value if name == "text" else cell(value) for name, value in row.items()} for row in rows]


def read_tar(path: str) -> list[dict[str, Any]]:
    with tarfile.open(path) as tar:
        return [json.loads(tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]


def read_lance(path: str) -> list[dict[str, Any]]:
    lance = pytest.importorskip("lance")
    rows: list[dict[str, Any]] = lance.dataset(path).to_table().to_pylist()
    return rows


def read_saved(path: str) -> list[dict[str, Any]]:
    datasets = pytest.importorskip("datasets")
    return list(datasets.load_from_disk(path))


def decompressed(path: str) -> bytes:
    read = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress, ".zst": _unzstd}
    data = Path(path).read_bytes()
    return read.get(Path(path).suffix, bytes)(data)


def _unzstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


READERS: dict[str, Any] = {
    "jsonl": lambda path: [json.loads(line) for line in decompressed(path).decode().splitlines()],
    "json": lambda path: json.loads(decompressed(path)),
    "csv": lambda path: read_separated(decompressed(path).decode(), ","),
    "tsv": lambda path: read_separated(decompressed(path).decode(), "\t"),
    "parquet": lambda path: pq.read_table(path).to_pylist(),
    "arrow": lambda path: pa.ipc.open_file(path).read_all().to_pylist(),
    "feather": lambda path: pyarrow.feather.read_table(path).to_pylist(),
    "webdataset": read_tar,
    "hf": read_saved,
    "lance": read_lance,
}


def read_all(report: Any, kind: str) -> list[dict[str, Any]]:
    return [row for path in report.export_paths for row in READERS[kind](path)]


def content(paths: tuple[str, ...]) -> list[bytes]:
    files = [each for path in paths for each in ([Path(path)] if os.path.isfile(path) else sorted(Path(path).iterdir()))]
    return [file.read_bytes() for file in files]


def test_every_format_is_tested() -> None:
    assert READERS.keys() == RESULT_FORMATS.keys()
    for name, each in RESULT_FORMATS.items():
        assert callable(each.write()), name


@pytest.mark.parametrize("source", ["in.jsonl", "in.parquet"])
@pytest.mark.parametrize("kind", RESULT_FORMATS)
def test_rows_are_read_back(tmp_path: Path, kind: str, source: str) -> None:
    suffix = RESULT_FORMATS[kind].suffix
    report = export(write_rows(tmp_path / "in" / source, ROWS), tmp_path / "out" / f"result.{suffix}")
    assert report.export_paths == (str(tmp_path / "out" / f"result.{suffix}"),)
    assert read_all(report, kind) == ROWS
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([f"result.{suffix}", "result.run.json"])


@pytest.mark.parametrize("compression", ["gz", "zst", "bz2", "xz"])
@pytest.mark.parametrize("kind", [name for name, each in RESULT_FORMATS.items() if each.is_compressible])
def test_lines_may_be_compressed(tmp_path: Path, kind: str, compression: str) -> None:
    source = write_rows(tmp_path / "in.jsonl", ROWS)
    report = export(source, tmp_path / "out" / f"result.{kind}.{compression}")
    assert read_all(report, kind) == ROWS
    sharded = export(source, tmp_path / "cut" / f"result.{kind}.{compression}", export_shard_rows=2)
    assert [Path(path).name for path in sharded.export_paths] == [f"result-{i:02d}-of-03.{kind}.{compression}" for i in range(3)]
    assert read_all(sharded, kind) == ROWS
    again = export(source, tmp_path / "again" / f"result.{kind}.{compression}")
    assert content(again.export_paths) == content(report.export_paths)


@pytest.mark.parametrize("source", ["in.jsonl", "in.parquet"])
@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(("key", "value", "counts"), [("rows", 2, [2, 2, 1]), ("rows", 5, [5]), ("size", 250, [3, 2])])
def test_shards(tmp_path: Path, kind: str, source: str, key: str, value: int, counts: list[int]) -> None:
    if key == "size":  # of JSON, or of Arrow data
        value = {"in.jsonl": 250, "in.parquet": 600}[source if RESULT_FORMATS[kind].shape != "lines" else "in.jsonl"]
    path = tmp_path / "out" / f"result.{RESULT_FORMATS[kind].suffix}"
    report = export(write_rows(tmp_path / source, ROWS), path, **{f"export_shard_{key}": value})
    assert [len(READERS[kind](each)) for each in report.export_paths] == counts
    assert read_all(report, kind) == ROWS
    manifest = path.with_name("result.manifest.json")
    assert manifest.exists() == (len(counts) > 1)
    if len(counts) > 1:
        assert [each["rows"] for each in json.loads(manifest.read_text())["files"]] == counts
    assert not [each for each in path.parent.iterdir() if ".tmp" in each.name]


@pytest.mark.parametrize("use_checkpoint", [True, False])
@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_single_shard_of_a_size_has_the_name_of_a_shard(tmp_path: Path, kind: str, use_checkpoint: bool) -> None:
    path = tmp_path / "out" / f"result.{kind}"
    source = write_rows(tmp_path / "in.jsonl", ROWS)
    report = export(source, path, export_shard_size=1 << 20, use_checkpoint=use_checkpoint)
    assert [Path(each).name for each in report.export_paths] == [f"result-00-of-01.{kind}"]
    assert read_all(report, kind) == ROWS
    manifest = json.loads((tmp_path / "out" / "result.manifest.json").read_text())
    assert [each["file"] for each in manifest["files"]] == [f"result-00-of-01.{kind}"]


@pytest.mark.parametrize("kind", ["hf", "lance"])
def test_shards_of_a_folder_are_files_in_it(tmp_path: Path, kind: str) -> None:
    source = write_rows(tmp_path / "in.jsonl", ROWS)
    report = export(source, tmp_path / f"result.{kind}", export_shard_rows=2)
    assert read_all(report, kind) == ROWS
    place = Path(report.export_paths[0]) / ("data" if kind == "lance" else ".")
    assert len([path for path in place.iterdir() if path.suffix in (".lance", ".arrow")]) == 3


@pytest.mark.parametrize("source", ["in.jsonl", "in.parquet"])
@pytest.mark.parametrize("kind", EQUAL_BYTES)
@pytest.mark.parametrize("shard_rows", [None, 250])
def test_threads_batches_and_checkpoints_leave_no_trace(tmp_path: Path, kind: str, source: str, shard_rows: int | None) -> None:
    rows = [{"id": i, "text": f"row {i} " * (i % 40), "label": "even" if i % 2 else None} for i in range(800)]
    path = write_rows(tmp_path / source, rows)
    name = f"result.{RESULT_FORMATS[kind].suffix}"
    ways: list[dict[str, Any]] = [
        {"batch_bytes": 1 << 20},
        {"batch_bytes": 4096, "np": 3},
        {"batch_bytes": 4096, "use_checkpoint": True, "split_bytes": 5000},
    ]
    results = []
    for number, way in enumerate(ways):
        report = export(path, tmp_path / str(number) / name, export_shard_rows=shard_rows, **way)
        results.append(content(report.export_paths))
    recipe = load_recipe(
        {
            "dataset_path": str(path),
            "export_path": str(tmp_path / "ranks" / name),
            "export_shard_rows": shard_rows,
            "split_bytes": 5000,
        }
    )

    def work(ranks: Threads) -> Report | None:
        return Job(recipe, ranks, progress=Progress(is_quiet=True), stopping=Stopping()).run()

    together = run_threads(3, work)[0]
    assert together is not None
    results.append(content(together.export_paths))
    assert all(each == results[0] for each in results)


@pytest.mark.parametrize("kind", RESULT_FORMATS)
@pytest.mark.parametrize("source", ["in.jsonl", "in.parquet"])
def test_a_result_without_rows_can_be_read(tmp_path: Path, kind: str, source: str) -> None:
    path = write_rows(tmp_path / source, [{"id": 1, "text": "short"}])
    target = tmp_path / f"result.{RESULT_FORMATS[kind].suffix}"
    for keys in ({}, {"export_shard_rows": 3}):
        report = export(path, target, process=[{"text_length_filter": {"min_len": 100}}], **keys)
        assert report.rows_written == 0
        if kind == "lance" and source == "in.jsonl":  # which has no data sets without columns
            continue
        assert read_all(report, kind) == []


@pytest.mark.parametrize("kind", ["parquet", "arrow", "feather", "hf", "lance"])
def test_rows_that_fit_no_schema_are_rejected(tmp_path: Path, kind: str) -> None:
    source = write_rows(tmp_path / "in.jsonl", [{"text": "a", "x": [1]}, {"text": "b", "x": "one"}])
    rows = read_all(export(source, tmp_path / "out" / f"result.{RESULT_FORMATS[kind].suffix}"), kind)
    assert [row["x"] for row in rows] == [[1]]


@pytest.mark.parametrize("kind", ["parquet", "arrow", "hf", "csv", "json"])
def test_fields_that_some_rows_lack_are_null(tmp_path: Path, kind: str) -> None:
    source = write_rows(tmp_path / "in.jsonl", [{"text": "a"}, {"text": "b", "x": 1}, {"text": "c", "x": 2.5}])
    rows = read_all(export(source, tmp_path / f"result.{kind}"), kind)
    assert [row.get("x") for row in rows] == [None, 1, 2.5]


@pytest.mark.parametrize("kind", ["arrow", "feather", "hf", "lance"])
def test_texts_of_dictionaries_are_written_out(tmp_path: Path, kind: str) -> None:
    labels = pa.array([["x", "y", None][i % 3] for i in range(600)]).dictionary_encode()
    table = pa.table({"text": ["words"] * 600, "label": labels, "inner": pa.StructArray.from_arrays([labels], ["label"])})
    pq.write_table(table, tmp_path / "in.parquet")
    rows = read_all(export(tmp_path / "in.parquet", tmp_path / f"result.{kind}"), kind)
    assert [row["label"] for row in rows] == labels.to_pylist()
    assert [row["inner"]["label"] for row in rows] == labels.to_pylist()


def test_a_null_and_an_empty_text_differ_in_csv(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", [{"text": "", "x": None}, {"text": "a"}])
    export(source, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == b'text,x\n"",\na,\n'
    export(write_rows(tmp_path / "one.jsonl", [{"text": "", "x": 1}]), tmp_path / "one.csv")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5).filter(lambda name: name != "text")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=5), kind=st.sampled_from(["csv", "tsv"]))
def test_any_value_stands_in_its_cell(tmp_path: Path, rows: list[dict[str, Any]], kind: str) -> None:
    rows = [{"text": "words", **row} for row in rows]
    export(write_rows(tmp_path / "in.jsonl", rows), tmp_path / f"out.{kind}")
    text = (tmp_path / f"out.{kind}").read_bytes().decode()
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter="," if kind == "csv" else "\t")
    read = list(reader)
    assert set(reader.fieldnames or ()) == {name for row in rows for name in row}
    for row, cells in zip(rows, read, strict=True):
        for name, shown in cells.items():
            value = row.get(name)
            if isinstance(value, str):
                assert shown == value
            elif value is None:
                assert shown == ""
            else:
                assert json.loads(shown) == value


def test_too_many_columns_are_refused(tmp_path: Path) -> None:
    rows = [{"text": "a", **{f"{i}-{j}": 1 for j in range(1000)}} for i in range(11)]
    with pytest.raises(OutputError, match="more than 10000 fields"):
        export(write_rows(tmp_path / "in.jsonl", rows), tmp_path / "out" / "result.csv")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("compression", ["zstd", "gzip", "none"])
@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_compression_of_columns(tmp_path: Path, kind: str, compression: str) -> None:
    if (kind, compression) == ("feather", "gzip"):
        pytest.skip("Arrow IPC has no gzip")
    source = write_rows(tmp_path / "in.jsonl", ROWS)
    report = export(source, tmp_path / f"result.{kind}", export_extra_args={"compression": compression})
    assert read_all(report, kind) == ROWS
    if kind == "parquet":
        shown = pq.read_metadata(report.export_paths[0]).row_group(0).column(0).compression
        assert shown == {"zstd": "ZSTD", "gzip": "GZIP", "none": "UNCOMPRESSED"}[compression]


# WebDataset.


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def test_a_mapping_says_which_files_a_sample_has(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG" * 200)
    (tmp_path / "b.png").write_bytes(b"")
    rows = [
        {"text": "ü", "n": 5, "meta": {"a": 1}, "images": [str(tmp_path / "a.png"), str(tmp_path / "b.png")], "one": None},
        {"text": "b", "n": None, "meta": None, "images": [], "one": str(tmp_path / "a.png")},
    ]
    mapping = {"txt": "text", "cls": "n", "json": "meta", "png": "images", "cover.png": "one", "npy": "missing"}
    source = write_rows(tmp_path / "in.jsonl", rows)
    export(source, tmp_path / "out.tar", export_extra_args={"field_mapping": mapping})
    assert members(tmp_path / "out.tar") == {
        "000000000.txt": "ü".encode(),
        "000000000.cls": b"5",
        "000000000.json": b'{"a": 1}',
        "000000000.0.png": b"\x89PNG" * 200,
        "000000000.1.png": b"",
        "000000001.txt": b"b",
        "000000001.cover.png": b"\x89PNG" * 200,
    }


def test_bytes_of_tables_are_files(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "image_bytes": [[b"\x00\xff", b"two"]], "raw": [b"\xfe"]}), tmp_path / "in.parquet")
    mapping = {"jpg": "image_bytes", "dat": "raw"}
    export(tmp_path / "in.parquet", tmp_path / "out.tar", export_extra_args={"field_mapping": mapping})
    assert members(tmp_path / "out.tar") == {
        "000000000.0.jpg": b"\x00\xff", "000000000.1.jpg": b"two", "000000000.dat": b"\xfe",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("missing.png", r"the file of 000000000\.png cannot be read: No such file or directory, got 'missing\.png'"),
        (".", r"the file of 000000000\.png cannot be read: .*, got '\.'"),
        ("/dev/zero", r"the file of 000000000\.png cannot be read: it is no regular file, got '/dev/zero'"),
        ("a\x00b", r"the file of 000000000\.png cannot be read: .*embedded null"),
        (3, r"row 1 of the result has no path and no bytes in image for \.png, got integer"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, value: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJFAST_LOCAL_ROOTS", "*")
    source = write_rows(tmp_path / "in.jsonl", [{"text": "a", "image": value}])
    with pytest.raises(OutputError, match=message):
        export(source, tmp_path / "out" / "result.tar", export_extra_args={"field_mapping": {"png": "image"}})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["000000001.json", "a" * 100, "a" * 101, "a" * 3000])
@pytest.mark.parametrize("size", [0, 1, 511, 8**11 - 1, 8**11])
def test_heads_are_those_of_the_library(name: str, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    assert webdataset._head(name, size) == member.tobuf(tarfile.GNU_FORMAT)


# Folders.


@pytest.mark.parametrize("kind", ["hf", "lance"])
def test_a_result_replaces_an_earlier_one_and_nothing_else(tmp_path: Path, kind: str) -> None:
    source = write_rows(tmp_path / "in.jsonl", ROWS)
    export(source, tmp_path / f"result.{kind}", export_shard_rows=1)
    assert read_all(export(source, tmp_path / f"result.{kind}"), kind) == ROWS
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    for keys in ({}, {"use_checkpoint": True}):
        with pytest.raises(OutputError, match=f"would replace what is not a result of the format {kind}"):
            export(source, mine, export_type=kind, **keys)
    assert not list(tmp_path.glob("*.job"))
    assert (mine / "thesis.txt").read_text() == "years of work"
    assert not [path for path in tmp_path.iterdir() if ".tmp" in path.name]


def test_a_saved_dataset_has_its_types(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    source = write_rows(tmp_path / "in.jsonl", ROWS)
    export(source, tmp_path / "result.hf")
    loaded = datasets.load_from_disk(str(tmp_path / "result.hf"))
    assert [getattr(loaded.features[name], "dtype", None) for name in ("id", "text", "score", "ok")] == [
        "int64", "string", "float64", "bool",
    ]  # fmt: skip
    assert loaded.filter(lambda row: row["id"] == 3)["text"][:] == ["Grüße 你好 🎉"]


# From Python.


@pytest.mark.parametrize("kind", RESULT_FORMATS)
def test_a_dataset_is_exported_by_its_suffix(tmp_path: Path, kind: str) -> None:
    report = djfast.Dataset.from_list(ROWS).export(tmp_path / f"result.{RESULT_FORMATS[kind].suffix}")
    assert read_all(report, kind) == ROWS


def test_stats_of_python_rows_stand_beside_the_result(tmp_path: Path) -> None:
    [op] = djfast.load_ops([{"text_length_filter": {"min_len": 5}}])
    data = djfast.Dataset.from_list([{"text": "some words"}, {"text": "no"}]).process(op)
    data.export(tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text() == '{"text": "some words"}\n'
    assert (tmp_path / "out_stats.jsonl").read_text() == '{"__dj__stats__": {"text_len": 10}}\n'
    data.export(tmp_path / "kept.jsonl", keep_stats=True)
    assert (tmp_path / "kept.jsonl").read_text() == '{"text": "some words", "__dj__stats__": {"text_len": 10}}\n'


def test_every_format_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "results.md").read_text(encoding="utf-8")
    for name, each in RESULT_FORMATS.items():
        assert f"`{name}`" in text
        assert f"`.{each.suffix}`" in text
        for param in each.arguments:
            assert f"`{param.name}`" in text
