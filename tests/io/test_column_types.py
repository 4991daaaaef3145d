"""Columns that no OP changes keep their types and values, whatever the OPs, the formats and the number of ranks."""

from __future__ import annotations

import io
import json
import tarfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import djfast
from djfast.errors import InputError, OutputError, SchemaError, TooManyErrors
from djfast.io.arrow_json import array_of, can_return, converter, json_lines
from djfast.ops import SpecifiedFieldFilter, TextLengthFilter

PLAIN = [{"text_length_filter": {"min_len": 1}}]
WHOLE = [{"text_chunk_mapper": {"max_len": 100, "split_pattern": None}}]
FIELD = [{"specified_field_filter": {"field_key": "text", "target_value": ["one", "two", "three"]}}]
GROUPS = {"plain": PLAIN, "whole": WHOLE, "field": FIELD}

UUIDS = pa.array([b"0" * 16, None, b"1" * 16], pa.binary(16))
TYPES: dict[str, pa.Array] = {
    "int8": pa.array([1, None, -128], pa.int8()),
    "int16": pa.array([1, None, -(1 << 15)], pa.int16()),
    "uint32": pa.array([(1 << 32) - 1, None, 0], pa.uint32()),
    "uint64": pa.array([(1 << 64) - 1, (1 << 64) - 2, None], pa.uint64()),
    "int64": pa.array([(1 << 63) - 1, (1 << 53) + 1, None], pa.int64()),
    "float16": pa.array([1.5, float("inf"), None], pa.float16()),
    "float32": pa.array([0.1, -0.0, None], pa.float32()),
    "double": pa.array([0.1, 1e300, None]),
    "bool": pa.array([True, None, False]),
    "string that looks like a date": pa.array(["2020-01-01", "2021-01-01T10:00:00+05:00", None]),
    "large_string": pa.array(["a", None, "\u0000"], pa.large_string()),
    "string_view": pa.array(["a", None, "a text that is longer than twelve bytes"], pa.string_view()),
    "binary": pa.array([b"\xff\x00", None, b""]),
    "large_binary": pa.array([b"\xff", None, b""], pa.large_binary()),
    "binary_view": pa.array([b"\xff", None, b""], pa.binary_view()),
    "fixed_size_binary": pa.array([b"\xffab", None, b"abc"], pa.binary(3)),
    "decimal128": pa.array([Decimal("1.10"), None, Decimal("-9.99")], pa.decimal128(3, 2)),
    "decimal256": pa.array([Decimal("9" * 70), None, Decimal(0)], pa.decimal256(76, 3)),
    "date32": pa.array([18262, None, -1], pa.date32()),
    "date64": pa.array([18262 * 86400000, None, 0], pa.date64()),
    "timestamp s": pa.array([1, None, -1], pa.timestamp("ms")),
    "timestamp ns": pa.array([1, None, 10**18 + 7], pa.timestamp("ns")),
    "timestamp zone": pa.array([1603587600 * 10**6, None, 1603591200 * 10**6 + 1], pa.timestamp("us", "Europe/Berlin")),
    "year 10000": pa.array([253402300800, None, -62135596801], pa.timestamp("ms")).cast(pa.timestamp("us")),
    "time32": pa.array([1, None, 86399999], pa.time32("ms")),
    "time64": pa.array([1, None, 86399999999999], pa.time64("ns")),
    "duration": pa.array([-1, None, 10**15], pa.duration("ns")),
    "list": pa.array([[0.1], None, []], pa.list_(pa.float32())),
    "large_list": pa.array([[1], None, []], pa.large_list(pa.int8())),
    "fixed_size_list": pa.array([[0.5, 1], None, [2, 3]], pa.list_(pa.float32(), 2)),
    "list of timestamps": pa.array([[1], None, []], pa.list_(pa.timestamp("ns"))),
    "struct": pa.array([{"day": 1, "ids": [2**64 - 1]}, None, {"day": None, "ids": None}],
                       pa.struct([("day", pa.date32()), ("ids", pa.list_(pa.uint64()))])),
    "map": pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int32())),
    "dictionary": pa.array(["x", None, "y"]).dictionary_encode(),
    "null": pa.nulls(3),
    "all null": pa.nulls(3, pa.date32()),
    "uuid": pa.ExtensionArray.from_storage(pa.uuid(), UUIDS),
    "struct without fields": pa.array([{}, None, {}], pa.struct([])),
    "list_view": pa.array([[1], None, []], pa.list_view(pa.int64())),
    "interval": pa.array([(1, 2, 3), None, (0, 0, 0)], pa.month_day_nano_interval()),
    "runs": pc.run_end_encode(pa.array([1, 1, None])),
}  # fmt: skip
NOT_IN_PARQUET = {"interval"}
# What a format has no type for, or its own type for: as it would come back if it were written without an OP.
CHANGED = {("parquet", "runs"), ("arrow", "dictionary"), ("parquet", "date64")}


def run(tmp_path: Path, table: pa.Table, process: list[Any], kind: str, **settings: Any) -> Any:
    with pa.ipc.new_file(tmp_path / "in.arrow", table.schema) as file:
        file.write_table(table)
    return run_file(tmp_path, tmp_path / "in.arrow", process, kind, **settings)


def run_file(tmp_path: Path, path: Path, process: list[Any], kind: str, **settings: Any) -> Any:
    target = tmp_path / "result" / f"out.{kind}"
    recipe = {"dataset_path": str(path), "export_path": str(target), "np": 1, "process": process, **settings}
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    djfast.run(str(tmp_path / "recipe.yaml"))
    return target


def read(path: Path) -> pa.Table:
    if path.suffix == ".parquet":
        return pq.read_table(path)
    with pa.OSFile(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def rejected(target: Path) -> list[dict[str, Any]]:
    path = target.with_name("out.rejected.jsonl")
    return lines(path) if path.exists() else []


def values_of(column: pa.ChunkedArray | pa.Array) -> list[str]:
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return [line for chunk in chunks for line in json_lines(pa.record_batch([chunk], ["x"]))]


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("kind", ["jsonl", "parquet", "arrow"])
def test_columns_keep_type_and_value(tmp_path: Path, name: str, kind: str) -> None:
    table = pa.table({"text": ["one", "two", "three"], "x": TYPES[name]})
    if kind == "parquet" and name in NOT_IN_PARQUET:
        with pytest.raises(OutputError, match=r"column 'x' .*parquet has no such type.*month_day_nano_interval"):
            run(tmp_path, table, PLAIN, kind)
        return
    for process in GROUPS.values():
        target = run(tmp_path, table, process, kind)
        if kind == "jsonl":
            assert [json.dumps({"x": row["x"]}, ensure_ascii=False) for row in lines(target)] == values_of(TYPES[name])
            continue
        column = read(target).column("x")
        if (kind, name) == ("parquet", "struct without fields"):
            assert column.is_null().to_pylist() == TYPES[name].is_null().to_pylist()
            continue
        assert [json.loads(value) for value in values_of(column)] == [json.loads(value) for value in values_of(TYPES[name])]
        if (kind, name) not in CHANGED:
            assert column.type == TYPES[name].type
            assert column.combine_chunks().equals(TYPES[name]) or name in ("runs", "string_view", "binary_view")


@pytest.mark.parametrize("name", [name for name, array in TYPES.items() if can_return(array.type)])
def test_json_gives_values_back(name: str) -> None:
    array = TYPES[name]
    convert = converter(array.type)
    from djfast.json_bytes import parsed

    back = array_of([convert(parsed(line.encode())["x"]) for line in values_of(array)], array.type)
    assert back.type == array.type
    assert values_of(back) == values_of(array)


def test_a_changed_column_keeps_its_type_while_values_fit(tmp_path: Path) -> None:
    table = pa.table({"text": ["one", "two"], "n": pa.array([1, 2], pa.int8()), "day": pa.array([1, 2], pa.date32())})
    for added, kind in ((1, pa.int8()), (1000, pa.int64())):
        code = f"lambda row: {{**row, 'n': row['n'] + {added}, 'day': '2020-01-0' + str(row['n'])}}"
        found = read(run(tmp_path, table, [{"python_lambda_mapper": {"lambda_str": code}}], "parquet"))
        assert found.schema.field("n").type == kind
        assert found.column("n").to_pylist() == [1 + added, 2 + added]
        assert found.schema.field("day").type == pa.date32()
    code = "lambda row: {'text': row['text'], 'day': 'unknown' if row['n'] == 1 else row['day'], 'new': [row['n']]}"
    found = read(run(tmp_path, table, [{"python_lambda_mapper": {"lambda_str": code}}], "parquet"))
    assert found.schema.field("day").type == pa.string()
    assert found.schema.field("new").type.value_type == pa.int64()


def test_a_result_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    table = pa.table({"text": ["one"], "day": pa.array([1], pa.date32())})
    none = {"specified_field_filter": {"field_key": "text", "target_value": ["other"]}}
    long = {"text_length_filter": {"min_len": 1000}}
    for process in ([none], [long]):
        assert read(run(tmp_path, table, process, "parquet")).schema.equals(table.schema)
        assert run(tmp_path, table, process, "csv").read_text() == "text,day\n"
    (tmp_path / "in.jsonl").write_text('{"id": 1, "text": "a"}\n')
    found = read(run_file(tmp_path, tmp_path / "in.jsonl", [long], "parquet"))
    assert found.schema == pa.schema([("id", pa.int64()), ("text", pa.string())])
    assert run_file(tmp_path, tmp_path / "in.jsonl", [long], "csv").read_text() == "id,text\n"


def test_grouped_columns_are_lists_of_their_types(tmp_path: Path) -> None:
    table = pa.table({"text": ["one", "two"], "day": pa.array([1, None], pa.date32())})
    found = read(run(tmp_path, table, [{"naive_grouper": {}}], "parquet"))
    assert found.schema.field("day").type.value_type == pa.date32()
    assert found.column("day").to_pylist() == [table.column("day").to_pylist()]


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        (["18446744073709551600", "18446744073709551601"], pa.uint64()),
        (["9223372036854775807", "9223372036854775808"], pa.uint64()),
        (["-1", "9223372036854775808"], pa.decimal128(38, 0)),
        (["1" * 30, "2" * 30], pa.decimal128(38, 0)),
        (["1" * 70, "-1"], pa.decimal256(76, 0)),
        (["1", "0.5"], pa.float64()),
        (["9007199254740992", "0.5"], pa.float64()),
        (['"2020-01-01"', '"2021-12-31"'], pa.string()),
        (['"2020-01-01T10:00:00+05:00"', '"2020-01-01 10:00"'], pa.string()),
        (['["2020-01-01"]', '["2020-01-02T00:00:00Z"]'], pa.list_(pa.string())),
        (['{"d": "2020-01-01"}', '{"d": "2020-01-02"}'], pa.struct([("d", pa.string())])),
        (["null", "null"], pa.null()),
    ],
)
def test_json_is_not_guessed_at(tmp_path: Path, written: list[str], kind: pa.DataType) -> None:
    (tmp_path / "in.jsonl").write_text("".join(f'{{"text": "a", "x": {value}}}\n' for value in written))
    for suffix in ("parquet", "arrow"):
        column = read(run_file(tmp_path, tmp_path / "in.jsonl", PLAIN, suffix)).column("x")
        assert column.type == kind
        assert [json.loads(value) for value in written] == [
            int(value) if isinstance(value, Decimal) else value for value in column.to_pylist()
        ]


def test_types_are_the_same_over_many_blocks(tmp_path: Path) -> None:
    with open(tmp_path / "in.jsonl", "w") as file:
        for number in range(9000):
            file.write(json.dumps({"text": "2020-01-01", "id": number, "x": 0.5 if number else 1, "fill": "x" * 1000}) + "\n")
        file.write('{"text": "unknown", "id": 18446744073709551615, "x": 9007199254740993, "fill": "y"}\n')
    target = run_file(tmp_path, tmp_path / "in.jsonl", PLAIN, "parquet")
    found = read(target)
    assert found.schema.field("text").type == pa.string()
    assert found.schema.field("id").type == pa.uint64()
    assert found.num_rows == 9000
    [bad] = rejected(target)
    assert (bad["op"], bad["line"]) == ("export", 9001)
    assert "field 'x' must be a number that double holds exactly, as in most rows, got 9007199254740993" in bad["reason"]


@pytest.mark.parametrize("kind", ["parquet", "arrow", "feather", "hf", "csv"])
@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ('"x": "\\ud83d"', "lone surrogate"),
        ('"x": "a", "x": "b"', "a key occurs twice in one object: 'x'"),
        ('"x": 1e999', "too large for a double: 1e999"),
        ('"x": ' + "9" * 5000, "more than 4300 digits"),
        ('"x": {"__dj__bytes__": "not b64!"}', "must be base64, got 'not b64!'"),
        ('"x": [{"y": "\\udc00"}]', "lone surrogate"),
    ],
)
def test_a_row_without_a_place_is_rejected_alone(tmp_path: Path, kind: str, member: str, reason: str) -> None:
    good = '{"text": "one", "x": "fine"}\n'
    (tmp_path / "in.jsonl").write_text(good * 3 + '{"text": "one", ' + member + "}\n" + good)
    target = run_file(tmp_path, tmp_path / "in.jsonl", PLAIN, kind)
    [bad] = rejected(target)
    assert (bad["op"], bad["file"], bad["line"]) == ("export", str(tmp_path / "in.jsonl"), 4)
    assert reason in bad["reason"]
    if kind in ("parquet", "arrow", "feather"):
        assert read(target).column("x").to_pylist() == ["fine"] * 4


def test_a_row_that_no_function_can_take_is_rejected_alone(tmp_path: Path) -> None:
    bad = ['"x": 1e999', '"x": 1, "x": 2', '"x": ' + "9" * 5000, '"x": {"__dj__bytes__": "!!!"}']
    (tmp_path / "in.jsonl").write_text("".join('{"text": "one", ' + each + "}\n" for each in ['"x": 1', *bad]))
    process = [{"python_lambda_mapper": {"lambda_str": "lambda row: row"}}]
    target = run_file(tmp_path, tmp_path / "in.jsonl", process, "jsonl")
    assert lines(target) == [{"text": "one", "x": 1}]
    assert [row["line"] for row in rejected(target)] == [2, 3, 4, 5]


def test_most_rows_decide_about_mixed_types(tmp_path: Path) -> None:
    values = ['"7"', "1", "2", "3", "[1]", "4"]
    (tmp_path / "in.jsonl").write_text("".join(f'{{"text": "a", "x": {value}}}\n' for value in values))
    target = run_file(tmp_path, tmp_path / "in.jsonl", PLAIN, "parquet")
    assert read(target).column("x").to_pylist() == [1, 2, 3, 4]
    assert [(row["line"], row["reason"]) for row in rejected(target)] == [
        (1, "field 'x' must be an integer (int64), as in most rows, got '7'"),
        (5, "field 'x' must be an integer (int64), as in most rows, got a list"),
    ]


def test_rejected_rows_are_named_after_deduplication_and_with_checkpoints(tmp_path: Path) -> None:
    rows = ['{"text": "one", "x": 1}', '{"text": "one", "x": 1}', '{"text": "two", "x": "\\ud83d"}', '{"text": "three", "x": 2}']
    (tmp_path / "in.jsonl").write_text("\n".join(rows) + "\n")
    for settings in ({}, {"use_checkpoint": True, "work_dir": str(tmp_path / "work")}):
        target = run_file(tmp_path, tmp_path / "in.jsonl", [{"document_deduplicator": {}}], "parquet", **settings)
        assert read(target).column("x").to_pylist() == [1, 2]
        assert [(row["op"], row["line"], row["row"]["text"]) for row in rejected(target)] == [("export", 3, "two")]


def test_types_are_kept_with_checkpoints(tmp_path: Path) -> None:
    table = pa.table({"text": ["one", "two", "three"], "x": TYPES["decimal128"], "y": TYPES["timestamp zone"]})
    settings = {"use_checkpoint": True, "work_dir": str(tmp_path / "work")}
    assert read(run(tmp_path, table, FIELD, "parquet", **settings)).equals(table)


@pytest.mark.parametrize("row", ['{"text": "a", "x": {}}', '{"text": "a", "x": {"y": {}}}', '{"text": "a", "x": [{}]}'])
def test_empty_objects_come_back_from_parquet(tmp_path: Path, row: str) -> None:
    (tmp_path / "in.jsonl").write_text(row + "\n" + '{"text": "b", "x": null}\n')
    target = run_file(tmp_path, tmp_path / "in.jsonl", PLAIN, "parquet")
    (tmp_path / "again").mkdir()
    again = run_file(tmp_path / "again", target, PLAIN, "jsonl")
    assert lines(again)[0] == json.loads(row)
    assert lines(again)[1]["x"] is None


@pytest.mark.parametrize("process", [PLAIN, WHOLE], ids=["plain", "whole"])
def test_objects_without_members_stand_beside_values_of_any_type(tmp_path: Path, process: list[Any]) -> None:
    kind = pa.struct([("empty", pa.struct([])), ("price", pa.decimal128(5, 2)), ("at", pa.timestamp("ns", "UTC"))])
    table = pa.table({"text": ["one", "two"], "x": pa.array([{"empty": {}, "price": Decimal("1.10"), "at": 5}, None], kind)})
    target = run(tmp_path, table, process, "parquet")
    (tmp_path / "again").mkdir()
    assert read(run_file(tmp_path / "again", target, process, "arrow")).equals(table)


@pytest.mark.parametrize("process", [PLAIN, WHOLE], ids=["plain", "whole"])
def test_decimals_that_count_in_thousands_count_in_units_in_parquet(tmp_path: Path, process: list[Any]) -> None:
    thousands = pa.array([Decimal("1E+3"), None], pa.decimal128(5, -3))
    lists = pa.array([[Decimal("9E+20")], None], pa.list_(pa.decimal128(38, -20)))
    table = pa.table({"text": ["one", "two"], "x": thousands, "y": lists})
    written = read(run(tmp_path, table, process, "parquet"))
    assert written.schema.types[1:] == [pa.decimal128(8, 0), pa.list_(pa.field("element", pa.decimal256(58, 0)))]
    assert written.to_pylist() == table.to_pylist()
    assert read(run(tmp_path, table, process, "arrow")).equals(table)


@pytest.mark.parametrize("data", ["null\n", " null\n", 'null\n{"text": 1}\n', "null null\n"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_first_line_that_is_null_is_a_bad_row_like_any_other(tmp_path: Path, data: str, kind: str) -> None:
    (tmp_path / "in.jsonl").write_text(data)
    with pytest.raises(TooManyErrors, match=r"not a JSON object: null|is not a text|not valid JSON"):
        run_file(tmp_path, tmp_path / "in.jsonl", PLAIN, kind)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "arrow"])
@pytest.mark.parametrize("process", list(GROUPS.values()), ids=list(GROUPS))
def test_texts_that_are_not_unicode_are_rejected_alone(tmp_path: Path, kind: str, process: list[Any]) -> None:
    bad = pa.Array.from_buffers(pa.string(), 3, pa.array([b"a", b"\xf8\xff", b"c"]).buffers())
    for column in (bad, pa.ListArray.from_arrays([0, 1, 2, 3], bad), bad.dictionary_encode()):
        table = pa.table({"text": ["one", "two", "three"], "x": column})
        target = run(tmp_path, table, process, kind)
        [row] = rejected(target)
        assert (row["op"], row["line"], row["reason"]) == ("read", 2, "column 'x' is not valid UTF-8")


TOKYO = pa.timestamp("ms", "Asia/Tokyo")


def run_parts(tmp_path: Path, parts: list[pa.Table], process: list[Any], kind: str, **settings: Any) -> Any:
    (tmp_path / "parts").mkdir()
    for number, part in enumerate(parts):
        pq.write_table(part, tmp_path / "parts" / f"{number}.parquet")
    return run_file(tmp_path, tmp_path / "parts", process, kind, **settings)


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (pa.array([1, -1]), pa.array([(1 << 64) - 1, 0], pa.uint64()), pa.decimal128(20, 0)),
        (pa.array([(1 << 64) - 1, 0], pa.uint64()), pa.array([None, -1], pa.int8()), pa.decimal128(20, 0)),
        (pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", "c"]), pa.string()),
        (pa.array(["a", "b"]), pa.array(["b", "c"]).dictionary_encode(), pa.string()),
        (pa.array([1, 2], TOKYO), pa.array([3, 4], pa.timestamp("us", "UTC")), pa.timestamp("us", "Asia/Tokyo")),
        (pa.nulls(2), pa.array([{"a": [1]}, None]), pa.struct([("a", pa.list_(pa.int64()))])),
        (pa.array([1, (1 << 53) - 1]), pa.array([0.5, None]), pa.float64()),
    ],
)
@pytest.mark.parametrize("process", [PLAIN, WHOLE], ids=["plain", "whole"])
def test_columns_of_several_files_get_a_type_for_the_values_of_all(
    tmp_path: Path, first: pa.Array, second: pa.Array, kind: pa.DataType, process: list[Any]
) -> None:
    parts = [pa.table({"text": ["one", "two"], "x": column}) for column in (first, second)]
    written = read(run_parts(tmp_path, parts, process, "arrow"))
    assert written.schema.field("x").type == kind
    assert written["x"].to_pylist() == first.to_pylist() + second.to_pylist()


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize("settings", [{}, {"export_shard_rows": 3}, {"use_checkpoint": True}], ids=["file", "shards", "job"])
def test_rows_of_a_file_with_other_types_are_rejected_alone_and_their_stats_with_them(
    tmp_path: Path, kind: str, settings: dict[str, Any]
) -> None:
    parts = [
        pa.table({"text": ["1", "22"], "x": [1, 2]}),
        pa.table({"text": ["333", None, "55555"], "x": ["a", "b", None]}),
        pa.table({"text": ["666666"], "x": pa.array([6], pa.uint8())}),
    ]
    settings = {**settings, "work_dir": str(tmp_path / "work")}
    target = run_parts(tmp_path, parts, PLAIN, kind, **settings)
    files = sorted(target.parent.glob(f"out*.{kind}"))
    assert [row for file in files for row in read(file).to_pylist()] == [
        {"text": "1", "x": 1},
        {"text": "22", "x": 2},
        {"text": "55555", "x": None},
        {"text": "666666", "x": 6},
    ]
    assert [(row["op"], row["line"], row["row"]["x"]) for row in rejected(target)] == [("read", 2, "b"), ("export", 1, "a")]
    assert rejected(target)[1]["reason"] == "column 'x' must be int64, as in the first file that has it, got string"
    stats = [row["__dj__stats__"]["text_len"] for row in lines(target.parent / "out_stats.jsonl")]
    assert stats == [1, 2, 5, 6]


def test_stats_stand_beside_the_rows_that_the_format_has_a_place_for(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "1", "x": 1}\n{"text": "22", "x": 1e999}\n{"text": "333", "x": 3}\n')
    for kind in ("csv", "parquet"):
        target = run_file(tmp_path, tmp_path / "in.jsonl", PLAIN, kind)
        assert [row["__dj__stats__"]["text_len"] for row in lines(target.parent / "out_stats.jsonl")] == [1, 3]


@pytest.mark.parametrize("settings", [{}, {"use_checkpoint": True}], ids=["alone", "job"])
def test_rows_of_files_with_other_columns_come_into_a_new_order_as_they_are(tmp_path: Path, settings: dict[str, Any]) -> None:
    parts = [
        pa.table({"text": ["b", "d"], "x": [1, 2]}),
        pa.table({"text": ["a"], "x": ["three"]}),
        pa.table({"y": [5], "x": pa.array([(1 << 64) - 1], pa.uint64()), "text": ["c"]}),
    ]
    select = [{"topk_specified_field_selector": {"field_key": "text", "top_ratio": 1.0, "reverse": False}}]
    target = run_parts(tmp_path, parts, select, "jsonl", **settings, work_dir=str(tmp_path / "work"))
    assert sorted(lines(target), key=lambda row: row["text"]) == [
        {"text": "a", "x": "three"},
        {"text": "b", "x": 1},
        {"y": 5, "x": (1 << 64) - 1, "text": "c"},
        {"text": "d", "x": 2},
    ]


@pytest.mark.parametrize("column", [None, pa.array([1, 2]), pa.array([["a"], None]), pa.array([b"a", b"b"])], ids=str)
@pytest.mark.parametrize("is_first", [True, False])
def test_rows_of_a_file_without_texts_are_rejected_alone(tmp_path: Path, column: pa.Array | None, is_first: bool) -> None:
    good = pa.table({"text": ["one", "two"], "x": [1, 2]})
    bad = pa.table({"x": [3, 4]} if column is None else {"text": column, "x": [3, 4]})
    target = run_parts(tmp_path, [bad, good] if is_first else [good, bad], PLAIN, "jsonl")
    assert lines(target) == good.to_pylist()
    reason = "field 'text' is missing" if column is None else "field 'text' must be a column of strings, got "
    assert [row["reason"].startswith(reason) for row in rejected(target)] == [True, True]


@pytest.mark.parametrize("process", [PLAIN, WHOLE], ids=["plain", "whole"])
def test_dictionaries_of_several_files_may_have_more_values_than_their_indices_can_tell_apart(
    tmp_path: Path, process: list[Any]
) -> None:
    narrow = pa.dictionary(pa.int8(), pa.string())
    values = [[f"{part} {number}" for number in range(100)] for part in range(3)]
    parts = [
        pa.table(
            {
                "text": each,
                "x": pa.array(each).dictionary_encode().cast(narrow),
                "y": pa.array([[one] for one in each]).cast(pa.list_(narrow)),
            }
        )
        for each in values
    ]
    written = read(run_parts(tmp_path, parts, process, "parquet"))
    assert written["x"].type == narrow
    assert written["x"].to_pylist() == [one for each in values for one in each]
    assert written["y"].to_pylist() == [[one] for each in values for one in each]
    assert read(run(tmp_path, parts[0], process, "parquet")).schema.field("x").type == narrow


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array([1]), pa.array([2])], names=["text", "x", "x"])
    with pytest.raises((InputError, SchemaError), match="every column needs a name of its own, got 'x' more than once"):
        run(tmp_path, table, PLAIN, "jsonl")


def test_unions_are_written_where_they_can_be(tmp_path: Path) -> None:
    union = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["x", "y"])])
    table = pa.table({"text": ["one", "two"], "x": union})
    assert read(run(tmp_path, table, PLAIN, "arrow")).column("x").type == union.type
    assert [row["x"] for row in lines(run(tmp_path, table, WHOLE, "jsonl"))] == [1, "y"]
    for process, kind in ((PLAIN, "parquet"), (WHOLE, "arrow")):
        with pytest.raises((OutputError, SchemaError), match="column 'x'"):
            run(tmp_path, table, process, kind)


@pytest.mark.parametrize("name", TYPES)
def test_data_sets_give_tables_with_the_same_types(name: str) -> None:
    table = pa.table({"text": ["one", "two", "three"], "x": TYPES[name]})
    if not can_return(TYPES[name].type):
        return
    for op in (TextLengthFilter(min_len=1), SpecifiedFieldFilter(field_key="text", target_value=["one", "two", "three"])):
        data = djfast.Dataset.from_arrow(table).process(op)
        found = data.to_arrow()
        assert values_of(found.column("x")) == values_of(TYPES[name])
        if name not in ("runs", "string_view", "binary_view"):
            assert found.schema.field("x").type == TYPES[name].type
            if name != "year 10000":
                expected = [str(value) for value in TYPES[name].to_pylist()]
                assert [str(row["x"]) for row in data.to_list()] == expected
                assert [str(row["x"]) for row in data] == expected


@pytest.mark.parametrize("package", ["polars", "pandas", "datasets", "duckdb"])
def test_data_frames_keep_their_types(package: str) -> None:
    frames = pytest.importorskip(package)
    table = pa.table({
        "text": ["one", "two"], "id": pa.array([(1 << 64) - 1, 1], pa.uint64()), "small": pa.array([1, -1], pa.int8()),
        "day": pa.array([1, 2], pa.date32()), "at": pa.array([1, 2], pa.timestamp("us")),
        "emb": pa.array([[0.1], []], pa.list_(pa.float32())),
    })  # fmt: skip
    made = {
        "polars": lambda: frames.from_arrow(table),
        "pandas": lambda: table.drop_columns(["day"]).to_pandas(),
        "datasets": lambda: frames.Dataset(table),
        "duckdb": lambda: frames.connect().from_arrow(table),
    }[package]
    plain = djfast.Dataset.from_arrow(made()).process(TextLengthFilter(min_len=1)).to_arrow()
    whole = djfast.Dataset.from_arrow(made()).process(SpecifiedFieldFilter(field_key="text", target_value=["one", "two"]))
    assert whole.to_arrow().schema.equals(plain.schema)
    assert whole.to_arrow().equals(plain)
    assert plain.column("id").to_pylist() == [(1 << 64) - 1, 1]
    assert plain.schema.field("small").type == pa.int8()


def test_files_with_columns_in_other_order_or_types_are_read_together(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    parts = [
        pa.table({"text": ["one"], "n": pa.array([1], pa.int32()), "x": pa.nulls(1)}),
        pa.table({"n": pa.array([2**40], pa.int64()), "text": pa.array(["two"], pa.large_string()), "x": [0.5]}),
        pa.table({"text": pa.array(["three"]).dictionary_encode(), "n": pa.array([3], pa.int8()), "y": [True]}),
    ]
    for number, part in enumerate(parts):
        pq.write_table(part, folder / f"{number}.parquet")
    for process in (PLAIN, FIELD):
        for kind in ("parquet", "arrow"):
            found = read(run_file(tmp_path, folder, process, kind))
            assert found.schema.field("n").type == pa.int64()
            assert found.to_pylist() == [
                {"text": "one", "n": 1, "x": None, "y": None},
                {"text": "two", "n": 2**40, "x": 0.5, "y": None},
                {"text": "three", "n": 3, "x": None, "y": True},
            ]


def test_members_that_some_samples_lack_are_null(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for number in range(600):
            members = [("txt", b"t")] + ([("cls", b"7")] if number == 599 else [])
            for name, data in members:
                member = tarfile.TarInfo(f"{number:04}.{name}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    found = read(run_file(tmp_path, tmp_path / "a.tar", [{"text_length_filter": {"min_len": 1}}], "parquet", text_keys="txt"))
    assert found.column("cls").to_pylist() == [None] * 599 + [7]


@pytest.mark.parametrize("form", ["jsonl", "parquet", "arrow"])
@pytest.mark.parametrize("op", ["clean_email_mapper", {"python_lambda_mapper": {"lambda_str": "lambda row: row"}}])
@pytest.mark.parametrize("is_file", [True, False])
def test_dictionaries_of_views_are_written_out(form: str, op: Any, is_file: bool, tmp_path: Path) -> None:
    """Files of polars have them for categories; no library casts or writes them."""
    views = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0], pa.uint32()), pa.array(["a", "b"], pa.string_view()))
    narrow = pa.DictionaryArray.from_arrays(pa.array([1, 0, 1, None], pa.int8()), pa.array(["c", "d"], pa.string_view()))
    lists = pa.LargeListArray.from_arrays(pa.array([0, 1, 1, 3, 4]), views)
    structs = pa.StructArray.from_arrays([narrow], ["n"], mask=pa.array([False, False, True, False]))
    table = pa.table({"text": ["w", "x", "y", "z"], "v": views, "n": narrow, "l": lists, "s": structs}).slice(1)
    result = tmp_path / f"o.{form}"
    if is_file:
        with pa.OSFile(str(tmp_path / "i.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        djfast.run({"dataset_path": str(tmp_path / "i.arrow"), "export_path": str(result), "process": [op]})
    else:
        djfast.Dataset.from_arrow(table).process(op).export(result)
    assert djfast.Dataset.from_files(result).to_list() == table.to_pylist()


@pytest.mark.parametrize("process", [PLAIN, [{"python_lambda_mapper": {"lambda_str": "lambda row: row"}}]])
@pytest.mark.parametrize("values", [[], ["unused"]])
@pytest.mark.parametrize("result", ["parquet", "arrow"])
def test_dictionaries_without_a_value_in_use_stay_null_wherever_they_are(
    tmp_path: Path, result: str, values: list[str], process: list[Any]
) -> None:
    empty = pa.DictionaryArray.from_arrays(pa.array([None, None], pa.int32()), pa.array(values, pa.string()))
    table = pa.table(
        {
            "text": ["one", "two"],
            "plain": empty,
            "null": pa.StructArray.from_arrays([empty], ["k"], mask=pa.array([True, True])),
            "part": pa.StructArray.from_arrays([empty], ["k"], mask=pa.array([True, False])),
            "list": pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), empty),
        }
    )
    path = str(tmp_path / f"out.{result}")
    djfast.Dataset.from_arrow(table).process(djfast.load_ops(process)).export(path)
    written = pq.read_table(path) if result == "parquet" else pa.ipc.open_file(path).read_all()
    assert written.select(table.column_names).to_pylist() == table.to_pylist()
