"""Data sets: what they show, that OPs run once, and rows as dictionaries, columns and iterators."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import sys
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import djfast
from djfast.declare import REGISTRY
from djfast.errors import InputError, RecipeError, RowError, SchemaError
from djfast.functions.custom import CUSTOM

ROWS: list[dict[str, Any]] = [
    {"id": number, "text": "t" * number, "meta": {"lang": "en" if number % 2 else "de"}} for number in range(12)
]
LONG = djfast.ops.TextLengthFilter(min_len=3)


def test_a_data_set_shows_its_fields_and_first_rows() -> None:
    data = djfast.Dataset(ROWS).process(LONG)
    shown = repr(data).splitlines()
    assert shown[:3] == [
        "Dataset of a list, processed by text_length_filter",
        "id: integer, text: string, meta: object",
        "{'id': 3, 'text': 'ttt', 'meta': {'lang': 'en'}}",
    ]
    assert len(shown) == 2 + 5
    assert "<td>&#x27;ttt&#x27;</td>" in data._repr_html_()
    assert len(data) == 9
    assert repr(data).startswith("Dataset of a list, 9 rows, processed by text_length_filter\n")
    assert repr(djfast.Dataset([])) == "Dataset of a list"


def test_looking_at_a_data_set_asks_nobody_and_waits_for_nothing() -> None:
    for process in ("document_deduplicator", "llm_quality_score_filter"):
        data = djfast.Dataset(ROWS).process(process)
        assert repr(data) == f"Dataset of a list, processed by {process}\nhead() and len() run its OPs"
    data = djfast.Dataset.from_arrow(pa.Table.from_pylist(ROWS).to_reader())
    assert "head() and len()" in repr(data)
    assert len(data) == 12
    assert "{'id': 0, 'text': ''" in repr(data)


def test_ops_run_once() -> None:
    calls = []

    def counted(row: dict[str, Any]) -> dict[str, Any]:
        calls.append(row["id"])
        return row

    data = djfast.Dataset(ROWS).map(counted)
    assert (len(data), data.to_list(), list(data), data.head(1), data["id"], data.columns) == (
        12, ROWS, ROWS, ROWS[:1], list(range(12)), ["id", "text", "meta"],
    )  # fmt: skip
    assert data.to_arrow().num_rows == 12
    assert len(calls) == 12
    data.to_list()[0]["id"] = "changed"
    assert data[0] == ROWS[0]


def test_rows_come_while_ops_run_and_stop_when_nobody_wants_more(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"text": "x" * 1000, "n": n}) + "\n" for n in range(20_000)))
    calls = []

    def counted(row: dict[str, Any]) -> dict[str, Any]:
        calls.append(1)
        return row

    data = djfast.Dataset.from_jsonl(source, threads=1).map(counted)
    assert [row["n"] for row in data.head(3)] == [0, 1, 2]
    assert 3 <= len(calls) < 15_000
    rows = iter(data)
    assert next(rows)["n"] == 0
    del rows
    assert sum(1 for _ in data) == 20_000


def test_what_an_op_raises_reaches_who_iterates() -> None:
    data = djfast.Dataset(ROWS).process({"words_num_filter": {"tokenization": True, "lang": "xx"}})
    with pytest.raises(djfast.errors.DjfastError):
        next(iter(data))
    assert "its rows cannot be computed" in repr(data)


def test_rows_and_columns_by_name_and_number() -> None:
    data = djfast.Dataset(ROWS)
    assert data["meta.lang"][:2] == ["de", "en"]
    assert (data[3], data[-1], data[1:3]) == (ROWS[3], ROWS[-1], ROWS[1:3])
    assert djfast.Dataset([{"a": 1}, {"b": 2}])["a"] == [1, None]
    with pytest.raises(KeyError, match="did you mean 'text'"):
        data["txt"]
    with pytest.raises(IndexError):
        data[12]


def test_plain_functions_map_and_filter() -> None:
    def mark(row: dict[str, Any], end: str) -> dict[str, Any]:
        return {**row, "text": row["text"] + end}

    data = djfast.Dataset(ROWS).map(mark, end="!").filter(lambda row: row["id"] > 10).select_columns("text", "meta.lang")
    assert data.to_list() == [{"text": "t" * 11 + "!", "meta.lang": "en"}]
    assert djfast.Dataset(ROWS).filter(lambda batch: [True] * batch.num_rows, over="batches").to_list() == ROWS
    assert djfast.Dataset(ROWS[:1]).map(lambda row, of: {"n": of(row)}, of=len).to_list() == [{"n": 3}]
    bad = djfast.Dataset(ROWS[:1]).map(lambda row: row["nope"])
    assert bad.to_list() == []
    assert (bad.rejected[0].op, bad.rejected[0].reason.split(" (")[0]) == ("map", "KeyError: 'nope'")
    missing = djfast.Dataset(ROWS[:1]).select_columns(["txt"])
    assert missing.to_list() == []
    assert "the row has none of the fields txt" in missing.rejected[0].reason
    with pytest.raises(RecipeError, match="a function or a callable object"):
        djfast.Dataset(ROWS).map("shout")  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="over must be one of rows, batches, got 'columns'"):
        djfast.Dataset(ROWS).filter(lambda row: True, over="columns")


def test_computed_rows_are_exported_and_stats_with_them(tmp_path: Path) -> None:
    calls = []
    data = djfast.Dataset(ROWS).map(lambda row: calls.append(1) or row).process(LONG)
    first = data.export(tmp_path / "a.jsonl")
    assert len(data) == 9
    second = data.export(tmp_path / "b.jsonl")
    assert len(calls) == 24
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert (tmp_path / "a_stats.jsonl").read_bytes() == (tmp_path / "b_stats.jsonl").read_bytes()
    assert (first.rows_written, second.rows_written) == (9, 9)
    assert second.export_paths == (str(tmp_path / "b.jsonl"),)


def test_fields_that_only_later_rows_have_are_columns() -> None:
    table = djfast.Dataset([{"a": 1}, {"a": 2, "b": "x"}]).to_arrow()
    assert table.to_pylist() == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]
    with pytest.raises(SchemaError, match="field 'a' has values that no single Arrow type can hold"):
        djfast.Dataset([{"a": 1}, {"a": "x"}]).to_arrow()


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (["a"], SchemaError, "row 0 must be a dictionary, got string"),
        ({"text": ["a"]}, SchemaError, "rows must be a list of dictionaries, got mapping"),
        (5, SchemaError, "rows must be a list of dictionaries, got integer"),
        (None, SchemaError, "rows must be a list of dictionaries, got null"),
        ("no-such-file.jsonl", InputError, "no-such-file.jsonl"),
    ],
)
def test_what_holds_no_rows_is_one_error(data: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        djfast.Dataset(data)
    if error is SchemaError:
        with pytest.raises(SchemaError):
            djfast.Dataset.from_list(data)


def test_rows_of_a_generator_and_of_a_path(tmp_path: Path) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield from ROWS

    assert djfast.Dataset(rows()).to_list() == ROWS
    djfast.Dataset(ROWS).export(tmp_path / "rows.jsonl")
    assert djfast.Dataset(tmp_path / "rows.jsonl").to_list() == ROWS


def lengths(data: djfast.Dataset) -> list[int]:
    return [len(row["text"]) for row in data]


def test_data_sets_are_arguments_of_other_processes(tmp_path: Path) -> None:
    djfast.Dataset(ROWS).export(tmp_path / "rows.jsonl")
    sets = [
        djfast.Dataset(ROWS).process(LONG),
        djfast.Dataset.from_jsonl(tmp_path / "rows.jsonl").process(LONG).map(unchanged),
        djfast.Dataset.from_arrow(pa.Table.from_pylist(ROWS)).process(LONG),
    ]
    assert len(sets[0]) == 9
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(lengths, sets) == [list(range(3, 12))] * 3


def unchanged(row: dict[str, Any]) -> dict[str, Any]:
    return row


def test_ops_of_the_user_are_pickled_by_name() -> None:
    from tests.python_api.own_ops import pickled_mapper

    [op] = djfast.load_ops({"pickled_mapper": {"end": "?"}})
    assert djfast.Dataset([{"text": "a"}]).process(pickled_mapper).to_list() == [{"text": "a!"}]
    made = pickle.loads(pickle.dumps(op))
    assert (made, made.given()) == (op, {"end": "?"})
    del REGISTRY["pickled_mapper"], CUSTOM["pickled_mapper"], sys.modules["tests.python_api.own_ops"]  # as in another process
    assert pickle.loads(pickle.dumps(op)).given() == {"end": "?"}


def test_ops_run_on_one_row() -> None:
    row = {"text": "ab"}
    assert LONG.compute_stats(row) == {"text": "ab", "__dj__stats__": {"text_len": 2}}
    assert (LONG.process(row), LONG.process({"text": "abc"})) == (False, True)
    assert LONG.process({"text": "ab", "__dj__stats__": {"text_len": 5}}) is True
    assert djfast.ops.CleanEmailMapper().process({"text": "a@b.co x"}) == {"text": " x"}
    [chunks] = [djfast.ops.TextChunkMapper(split_pattern=" ").process({"text": "a b"})]
    assert [each["text"] for each in chunks] == ["a", "b"]
    assert row == {"text": "ab"}
    assert LONG.run(ROWS).to_list() == LONG.run(djfast.Dataset(ROWS)).to_list() == ROWS[3:]
    with pytest.raises(RowError, match="text_length_filter: field 'text' is missing"):
        LONG.process({"txt": "a"})
    with pytest.raises(SchemaError, match="row 0 must be a dictionary, got string"):
        LONG.compute_stats("text")  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="a deduplicator needs all rows"):
        djfast.ops.DocumentDeduplicator().process(row)


GIVEN: list[Any] = [
    date(2020, 1, 1),
    datetime(2020, 1, 1, 12, tzinfo=timezone.utc),
    time(1, 2, 3),
    timedelta(seconds=-1.5),
    Decimal("1.10"),
    Decimal("0.1000000000000000055511151231257827"),
    b"\xff",
    UUID(int=5),
    {3, 1, 2},
    (1, "a"),
    np.float32(0.1),
    np.int64(5),
    np.arange(3),
    pd.Timestamp("2020-01-01"),
    pd.NaT,
    {"day": date(2020, 1, 1), "prices": [Decimal("2.50"), b"x"]},
    {1: "one"},
    Path("a"),
]


@pytest.mark.parametrize("value", GIVEN, ids=str)
def test_values_that_no_op_touches_come_out_as_the_same_objects(value: Any) -> None:
    data = djfast.Dataset([{"text": "hello", "value": value, "n": 1}])
    for processed in (
        data.process(LONG),
        data.map(lambda row: row),
        data.process("clean_email_mapper", {"text_chunk_mapper": {"max_len": 100}}, "document_deduplicator"),
    ):
        [row] = processed.to_list()
        assert row["value"] is value
        assert next(iter(processed))["value"] is value


def test_values_that_a_function_changes_are_what_it_returned() -> None:
    rows = [{"text": "a", "ids": [1], "day": date(2020, 1, 1), "flags": [1]}]
    data = djfast.Dataset(rows).map(lambda row: {**row, "ids": [*row["ids"], 2], "day": row["day"][:4], "flags": [True]})
    assert data.to_list() == [{"text": "a", "ids": [1, 2], "day": "2020", "flags": [True]}]
    assert data.to_list()[0]["flags"][0] is True


def test_numbers_of_numpy_are_numbers_in_files_and_for_functions(tmp_path: Path) -> None:
    rows = [{"text": "a", "id": np.int64(5), "score": np.float32(0.5), "tags": {"b", "a"}, "missing": pd.NaT, "x": np.arange(2)}]
    plain = {"text": "a", "id": 5, "score": 0.5, "tags": ["a", "b"], "missing": None, "x": [0, 1]}
    seen = []
    data = djfast.Dataset(rows)
    for processed in (data, data.map(lambda row: seen.append(row) or row)):
        processed.export(tmp_path / "out.jsonl")
        assert json.loads((tmp_path / "out.jsonl").read_text()) == plain
    assert seen == [plain]


def test_a_row_that_json_has_no_values_for_is_rejected_alone_if_an_op_takes_it_as_a_whole(tmp_path: Path) -> None:
    odd: dict[Any, Any] = {"text": "b", "value": object()}
    endless: dict[Any, Any] = {"text": "c"}
    endless["value"] = endless
    keys: dict[Any, Any] = {"text": "d", (1, 2): 3}
    data = djfast.Dataset([{"text": "a"}, odd, endless, keys])
    assert data.process(LONG.__class__(min_len=1)).to_list()[1]["value"] is odd["value"]
    mapped = data.map(lambda row: row)
    assert mapped.to_list() == [{"text": "a"}]
    assert [(bad.line, bad.row) for bad in mapped.rejected] == [(2, odd), (3, endless), (4, keys)]
    assert mapped.rejected[0].reason.endswith("got object")
    with pytest.raises(SchemaError, match="row 2 cannot be written: a value must be one that JSON has"):
        data.export(tmp_path / "out.jsonl")


@pytest.mark.parametrize("is_whole", [False, True], ids=["plain", "whole"])
def test_files_with_other_columns_are_one_table(tmp_path: Path, is_whole: bool) -> None:
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"text": ["a"], "x": [1]}), tmp_path / "in" / "0.parquet")
    pq.write_table(pa.table({"y": ["u"], "x": [1.5], "text": ["b"]}), tmp_path / "in" / "1.parquet")
    data = djfast.Dataset.from_files(tmp_path / "in")
    data = data.map(lambda row: row) if is_whole else data
    rows = [{"text": "a", "x": 1.0, "y": None}, {"text": "b", "x": 1.5, "y": "u"}]
    assert data.to_arrow().to_pylist() == rows
    assert data.columns == ["text", "x", "y"]
    data.export(tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == rows
    pq.write_table(pa.table({"text": ["c"], "x": ["three"]}), tmp_path / "in" / "2.parquet")
    data = djfast.Dataset.from_files(tmp_path / "in")
    with pytest.raises(SchemaError, match="column 'x' must be double, as in the first file that has it, got string"):
        data.to_arrow()
