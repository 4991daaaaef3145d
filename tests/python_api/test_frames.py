"""Tables of other packages go in and come out with equal values."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import djfast
from djfast.errors import SchemaError

ROWS: list[dict[str, Any]] = [
    {
        "id": 2**60 + number,
        "text": "é" * number,
        "score": number / 3,
        "good": bool(number % 2),
        "tags": ["a"] * (number % 3),
        "meta": {"lang": "en", "n": None if number % 2 else number},
        "day": datetime.date(2024, 1, 1 + number % 28),
        "raw": bytes([number % 256]),
    }
    for number in range(5000)
]
KEPT = ROWS[10:]


def _polars() -> Any:
    return pytest.importorskip("polars", reason="polars is not installed").DataFrame(ROWS)


def _pandas() -> Any:
    return pytest.importorskip("pandas", reason="pandas is not installed").DataFrame(ROWS)


def _datasets() -> Any:
    return pytest.importorskip("datasets", reason="datasets is not installed").Dataset.from_list(ROWS)


def _shuffled() -> Any:
    data = _datasets().shuffle(seed=1)
    places = sorted(range(len(ROWS)), key=list(data["id"]).__getitem__)
    return data.select(places)


def _duckdb() -> Any:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    return duckdb.connect().from_arrow(pa.Table.from_pylist(ROWS))


class Producer:
    """What only speaks Arrow's protocol."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return pa.Table.from_pylist(ROWS).__arrow_c_stream__(requested_schema)


FRAMES: dict[str, Callable[[], Any]] = {
    "pyarrow": lambda: pa.Table.from_pylist(ROWS),
    "record batch": lambda: pa.RecordBatch.from_pylist(ROWS),
    "reader": lambda: pa.Table.from_pylist(ROWS).to_reader(max_chunksize=700),
    "polars": _polars,
    "pandas": _pandas,
    "datasets": _datasets,
    "shuffled datasets": _shuffled,
    "streaming datasets": lambda: _datasets().to_iterable_dataset(),
    "duckdb": _duckdb,
    "producer": Producer,
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_go_in(name: str) -> None:
    for make in (djfast.Dataset, djfast.Dataset.from_arrow):
        data = make(FRAMES[name]()).process({"text_length_filter": {"min_len": 10}})
        assert data.to_list() == KEPT
        assert [kind for kind in data.to_arrow().schema.types if "view" in str(kind)] == []


def test_frames_come_out() -> None:
    data = djfast.Dataset(pa.Table.from_pylist(ROWS)).process({"text_length_filter": {"min_len": 10}})
    assert pa.table(data).to_pylist() == KEPT
    polars = pytest.importorskip("polars", reason="polars is not installed")
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    assert polars.DataFrame(data).to_dicts() == data.to_polars().to_dicts() == KEPT
    assert data.to_pandas()["id"].tolist() == [row["id"] for row in KEPT]
    assert pandas.DataFrame(list(data)).shape == (4990, 8)
    assert duckdb.sql("select max(id), count(*) from data").fetchall() == [(2**60 + 4999, 4990)]
    assert datasets.Dataset(pa.table(data))["meta"][0] == KEPT[0]["meta"]


def test_a_reader_is_read_batch_by_batch_and_once() -> None:
    read = []

    def batches() -> Any:
        for number in range(50):
            read.append(number)
            yield pa.RecordBatch.from_pydict({"text": [f"{number} {each}" for each in range(1000)]})

    reader = pa.RecordBatchReader.from_batches(pa.schema([("text", pa.string())]), batches())
    data = djfast.Dataset(reader, threads=1)
    assert data.head(2) == [{"text": "0 0"}, {"text": "0 1"}]
    assert len(read) < 25
    with pytest.raises(SchemaError, match="can be read once"):
        data.to_list()
    data = djfast.Dataset(pa.Table.from_pylist(ROWS).to_reader())
    assert data.to_list() == data.to_list() == ROWS
    with pytest.raises(SchemaError, match="can be read once"):
        data.process("text_length_filter").to_list()


def test_the_index_of_a_data_frame_is_a_column_if_it_has_a_name() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"text": ["a", "b", "c"]})
    assert djfast.Dataset(frame[frame.text > "a"]).to_list() == [{"text": "b"}, {"text": "c"}]
    assert djfast.Dataset(frame.rename_axis("n")).columns == ["text", "n"]
    data = djfast.Dataset(frame)
    frame.loc[0, "text"] = "changed"
    assert data.head(1) == [{"text": "a"}]


def test_empty_frames_keep_their_columns() -> None:
    empty = pa.Table.from_pylist(ROWS).slice(0, 0)
    assert djfast.Dataset(empty).to_list() == []
    polars = pytest.importorskip("polars", reason="polars is not installed")
    assert djfast.Dataset(polars.DataFrame({"text": []})).process("text_length_filter").to_list() == []


def test_what_is_no_table_says_what_to_do() -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    for data, message in (
        (polars.DataFrame(ROWS).lazy(), "call its collect.. first, got polars.LazyFrame"),
        (datasets.DatasetDict(), "choose one of its splits"),
        (polars.Series([1]), "must be a table of pyarrow, polars, .* got polars.Series"),
        (pandas.Series([1]), "got pandas.Series"),
        (pa.array([1]), "got pyarrow.Int64Array"),
    ):
        for make in (djfast.Dataset, djfast.Dataset.from_arrow):
            with pytest.raises(SchemaError, match=message):
                make(data)
    with pytest.raises(SchemaError, match=r"Dataset.from_arrow takes tables, got pandas.DataFrame"):
        djfast.Dataset.from_list(pandas.DataFrame(ROWS))


def test_types_that_only_the_package_knows_come_back() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    polars = pytest.importorskip("polars", reason="polars is not installed")
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    frame = pandas.DataFrame({"text": ["long enough"], "n": pandas.array([None], dtype="Int64"), "c": pandas.Categorical(["a"])})
    made = djfast.Dataset(frame).process("text_length_filter").to_pandas()
    assert made.dtypes.to_dict() == frame.dtypes.to_dict()
    columns = {"e": polars.Enum(["a"]), "i": polars.Int8, "a": polars.Array(polars.Int64, 2), "d": polars.Decimal(5, 2)}
    values = [{"text": "long enough", "e": "a", "i": 1, "a": [1, 2], "d": "1.10"}]
    table = polars.DataFrame(values).with_columns(*(polars.col(name).cast(kind) for name, kind in columns.items()))
    assert djfast.Dataset(table).process("text_length_filter", "clean_email_mapper").to_polars().equals(table)
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["a", "b"])})
    labelled = datasets.Dataset.from_dict({"text": ["long enough"], "label": [1]}, features=features)
    assert datasets.Dataset(pa.table(djfast.Dataset(labelled).process("text_length_filter"))).features == features


@pytest.mark.parametrize("process", [["clean_email_mapper"], [{"text_chunk_mapper": {"max_len": 100}}]], ids=["plain", "whole"])
def test_categories_of_polars_and_pandas_go_in_and_come_out(tmp_path: Path, process: list[Any]) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = polars.DataFrame(
        {
            "text": ["one", "two"],
            "x": polars.Series(["a category that is longer than a view", None], dtype=polars.Categorical),
            "y": polars.Series(["u", "v"], dtype=polars.Enum(["v", "u"])),
            "z": polars.Series([["a"], None], dtype=polars.List(polars.Categorical)),
        }
    )
    data = djfast.Dataset(frame).process(*process)
    assert data.to_polars().equals(frame)
    for kind in ("jsonl", "parquet", "arrow"):
        data.export(tmp_path / f"out.{kind}")
        assert djfast.Dataset(str(tmp_path / f"out.{kind}")).to_list() == frame.to_dicts()
    categories = pandas.DataFrame({"text": ["one", "two"], "x": pandas.Categorical(["a", None])})
    data = djfast.Dataset(categories).process(*process)
    assert data.to_arrow().schema.field("x").type.index_type == pa.int8()
    assert data.to_pandas().equals(categories)


def test_frames_of_arrow_types_come_out_although_pandas_cannot_read_their_names() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = pa.table({"text": ["one"], "x": [[1]]})
    frame = table.to_pandas(types_mapper=pandas.ArrowDtype)
    assert djfast.Dataset(frame).process("clean_email_mapper").to_pandas()["x"].tolist()[0].tolist() == [1]


@pytest.mark.filterwarnings("ignore")  # of the package
def test_a_streaming_data_set_whose_rows_differ_in_types_is_one_error() -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    for rows in ([{"text": "a", "x": 1}, {"text": "b", "x": None}], [{"text": "a", "x": 1}] * 4096 + [{"text": "b", "x": "c"}]):
        stream = datasets.IterableDataset.from_generator(rows.__iter__)
        with pytest.raises(SchemaError, match=r"cannot be read as a table \(.*\); use Dataset\(list\(data\)\)"):
            djfast.Dataset(stream).to_list()
        assert djfast.Dataset(list(stream)).to_list() == rows
