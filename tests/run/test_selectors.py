"""Selectors in recipes: where their values come from, rows in a new order, in memory and from disk."""

from __future__ import annotations

import json
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import djfast
from djfast.errors import RecipeError, SchemaError, TooManyErrors
from djfast.rows.json_rows import JsonPiece
from djfast.runners import reorder
from djfast.runners.permutation import permutation
from djfast.runners.spool import Spool
from tests.run.test_recipes import read_lines, recipe, write_lines

TOPK = "topk_specified_field_selector"
LENGTH = {"text_length_filter": {"min_len": 1}}


def select(rows: list[dict[str, Any]], *process: Any) -> list[Any]:
    """Return the ids of the rows that come out."""
    rows = [{"text": "", **row} for row in rows]
    return [row["id"] for row in djfast.Dataset.from_list(rows).process(djfast.load_ops(process)).to_list()]


def select_lines(tmp_path: Path, rows: list[Any], *process: Any, **keys: Any) -> list[Any]:
    write_lines(tmp_path / "in.jsonl", rows)
    djfast.run(recipe(tmp_path, list(process), **keys))
    return [row["id"] for row in read_lines(tmp_path / "out" / "result.jsonl")]


@pytest.fixture
def small_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make rows wait on disk, and bring them into order by buckets of a few rows."""
    monkeypatch.setattr(Spool.__init__, "__kwdefaults__", {"window_bytes": 0})
    monkeypatch.setattr(reorder.reordered, "__kwdefaults__", {"window_bytes": 2000})


def test_a_stat_of_the_same_stage(tmp_path: Path) -> None:
    rows = [{"id": i, "text": "x" * (7 * i % 10)} for i in range(10)]
    process = [{"text_length_filter": {"min_len": 2}}, {TOPK: {"field_key": "__dj__stats__.text_len", "topk": 3}}]
    assert select_lines(tmp_path, rows, *process) == [7, 4, 1]
    assert [line["__dj__stats__"] for line in read_lines(tmp_path / "out" / "result_stats.jsonl")] == [
        {"text_len": 9},
        {"text_len": 8},
        {"text_len": 7},
    ]
    assert select(rows, *process) == [7, 4, 1]


def test_a_stat_of_an_earlier_stage(tmp_path: Path) -> None:
    rows = [{"id": i, "text": "x" * (7 * i % 10)} for i in range(10)] * 2
    process = [
        {"text_length_filter": {"min_len": 2}},
        "document_deduplicator",
        {TOPK: {"field_key": "__dj__stats__.text_len", "topk": 3, "reverse": False}},
    ]
    assert select_lines(tmp_path, rows, *process) == [6, 9, 2]
    assert select(rows, *process) == [6, 9, 2]


def test_the_text_that_a_mapper_made_counts(tmp_path: Path) -> None:
    rows = [{"id": 0, "text": "b a@b.de"}, {"id": 1, "text": "zz@zz.de a"}, {"id": 2, "text": "c"}]
    process = ["clean_email_mapper", {TOPK: {"field_key": "text", "topk": 2}}]
    assert select_lines(tmp_path, rows, *process) == [2, 0]
    tags = {"tags_specified_field_selector": {"field_key": "text", "target_tags": ["c", " a"]}}
    assert select_lines(tmp_path, rows, "clean_email_mapper", tags) == [1, 2]


@pytest.mark.parametrize("carrier", ["list", "lines", "arrow"])
def test_nested_fields(tmp_path: Path, carrier: str) -> None:
    rows: list[dict[str, Any]] = [
        {"id": 0, "text": "", "m": {"v": 1.5, "l": [{"k": 1}, {"k": 2}]}},
        {"id": 1, "text": "", "m": {"v": None, "l": [{"k": 9}]}},
        {"id": 2, "text": "", "m": {"v": 3.5, "l": []}},
    ]
    for key, expected in (("m.v", [2, 0, 1]), ("m.l.k", [1, 0, 2])):
        op = {TOPK: {"field_key": key, "topk": 3}}
        if carrier == "list":
            assert select(rows, op) == expected
        elif carrier == "lines":
            assert select_lines(tmp_path, rows, op) == expected
        else:
            pa = pytest.importorskip("pyarrow")
            table = djfast.Dataset.from_arrow(pa.Table.from_pylist(rows)).process(djfast.load_ops([op])).to_arrow()
            assert table.column("id").to_pylist() == expected


def test_a_key_that_has_the_dots_goes_first(tmp_path: Path) -> None:
    rows = [{"id": 0, "text": "", "m.v": 1, "m": {"v": 9}}, {"id": 1, "text": "", "m": {"v": 5}}]
    assert select_lines(tmp_path, rows, {TOPK: {"field_key": "m.v", "topk": 1}}) == [1]
    assert select(rows, {TOPK: {"field_key": "m.v", "topk": 1}}) == [1]


def test_whole_numbers_that_doubles_confuse_keep_their_order() -> None:
    rows = [{"id": i, "n": 2**60 + i % 3} for i in range(6)]
    assert select(rows, {TOPK: {"field_key": "n", "topk": 3}}) == [2, 5, 1]


def test_a_number_of_more_digits_than_python_converts(tmp_path: Path) -> None:
    lines = ['{"text": "", "n": 5}\n', '{"text": "", "n": ' + "9" * 5000 + "}\n"]
    (tmp_path / "in.jsonl").write_text("".join(lines))
    djfast.run(recipe(tmp_path, [{TOPK: {"field_key": "n", "topk": 2}}]))
    assert (tmp_path / "out" / "result.jsonl").read_text() == lines[1] + lines[0]


@pytest.mark.parametrize("descending", [True, False])
def test_null_comes_last(descending: bool) -> None:
    for values in ([None, 1, None, 2], [None, "a", None, "b"]):
        rows = [{"id": i, "v": value} for i, value in enumerate(values)] + [{"id": 4}]
        expected = [3, 1, 0, 2, 4] if descending else [1, 3, 0, 2, 4]
        assert select(rows, {TOPK: {"field_key": "v", "topk": 9, "reverse": descending}}) == expected


def test_texts_and_numbers_have_no_common_order() -> None:
    with pytest.raises(SchemaError, match="topk_specified_field_selector: field 'v' has strings and numbers"):
        select([{"id": 0, "v": 1}, {"id": 1, "v": "1"}], {TOPK: {"field_key": "v", "topk": 1}})


def test_a_field_that_no_row_has_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"no row has the field 'm\.scroe'"):
        select_lines(tmp_path, [{"text": "", "m": {"score": 1}}] * 2, {TOPK: {"field_key": "m.scroe", "topk": 1}})
    assert not (tmp_path / "out" / "result.jsonl").exists()


def test_a_row_that_cannot_be_compared_is_set_aside(tmp_path: Path) -> None:
    rows = [
        {"id": 0, "text": "", "v": 1},
        {"id": 1, "text": "", "v": [1]},
        {"id": 2, "text": "", "v": {}},
        {"id": 3, "text": "", "v": 2},
    ]
    frequent = {"frequency_specified_field_selector": {"field_key": "v", "topk": 9}}
    tags = {"tags_specified_field_selector": {"field_key": "v", "target_tags": [1, 2]}}
    for process, expected in (([frequent], [0, 3]), ([tags], [0, 3]), ([{TOPK: {"field_key": "v", "topk": 9}}], [3, 0])):
        assert select_lines(tmp_path, rows, *process) == expected
        rejected = read_lines(tmp_path / "out" / "result.rejected.jsonl")
        assert [(entry["line"], entry["row"]) for entry in rejected] == [(2, rows[1]), (3, rows[2])]
    with pytest.raises(TooManyErrors, match=r"in\.jsonl:2"):
        select_lines(tmp_path, rows, frequent, skip_op_error=False)


def test_the_funnel_counts_what_a_selector_takes(tmp_path: Path) -> None:
    write_lines(tmp_path / "in.jsonl", [{"id": i, "text": f"text {i % 4}", "v": i} for i in range(8)])
    process = [
        "document_deduplicator",
        {TOPK: {"field_key": "v", "topk": 3}},
        {"tags_specified_field_selector": {"field_key": "v", "target_tags": [1.0, 3.0]}},
        {"random_selector": {"select_num": 5}},
        {"words_num_filter": {"min_num": 1}},
    ]
    report = djfast.run(recipe(tmp_path, process))
    assert [(op.rows_in, op.rows_out) for op in report.ops] == [(8, 4), (4, 3), (3, 2), (2, 5), (5, 5)]
    assert [row["id"] for row in read_lines(tmp_path / "out" / "result.jsonl")] == [1, 3, 1, 3, 1]


def test_parameters_that_select_nothing_let_all_rows_pass_at_once() -> None:
    ops = djfast.load_ops([TOPK, "range_specified_field_selector", "random_selector", "text_length_filter"])
    dataset = djfast.Dataset.from_list([{"text": "long enough text"}] * 3).process(ops)
    assert len(dataset) == 3
    assert dataset.report is not None
    assert "topk_specified_field_selector: its parameters select nothing, so all rows pass" in dataset.report.notices


def test_stats_are_computed_for_all_rows() -> None:
    ops = djfast.load_ops(["text_length_filter", {"random_selector": {"select_num": 1}}, "words_num_filter"])
    assert len(djfast.Dataset.from_list([{"text": "a"}] * 5).compute_stats(ops)) == 5


def test_what_must_be_given() -> None:
    with pytest.raises(RecipeError, match="target_tags must be given"):
        djfast.load_ops([{"tags_specified_field_selector": {"field_key": "a"}}])
    with pytest.raises(RecipeError, match="select_ratio must be > 0"):
        djfast.load_ops([{"random_selector": {"select_ratio": 0}}])


def test_a_plan_with_selectors_is_json() -> None:
    from djfast.plan.build import build_plan
    from djfast.plan.explain import explain, plan_record

    plan = build_plan(
        djfast.load_ops(["text_length_filter", {TOPK: {"field_key": "__dj__stats__.text_len", "topk": 3}}, "random_selector"])
    )
    assert len(plan.stages) == 2
    assert json.loads(json.dumps(plan_record(plan)))["stages"][0]["selector"]["selection"]["limit"] == 3
    assert "  wait    topk_specified_field_selector: rows of the whole input (top) by json_of" in explain(plan)


ORDERS = [
    {TOPK: {"field_key": "v", "top_ratio": 0.8}},
    {"range_specified_field_selector": {"field_key": "v", "lower_percentile": 0.1, "upper_percentile": 0.9}},
    {"frequency_specified_field_selector": {"field_key": "w", "topk": 5}},
    {"random_selector": {"select_ratio": 0.9}},
    {"random_selector": {"select_num": 700}},
]


@pytest.mark.parametrize("op", ORDERS, ids=lambda op: next(iter(op)))
@pytest.mark.usefixtures("small_window")
def test_rows_that_wait_on_disk_come_back_in_their_new_order(tmp_path: Path, op: Any) -> None:
    rows = [{"id": i, "text": f"text {i} " + "x" * (i % 90), "v": i * 37 % 101, "w": i % 7} for i in range(300)]
    expected = select(rows, op)
    assert select_lines(tmp_path, rows, op, LENGTH, batch_bytes=4096, np=2) == expected
    stats = [line["__dj__stats__"]["text_len"] for line in read_lines(tmp_path / "out" / "result_stats.jsonl")]
    assert stats == [len(rows[i]["text"]) for i in expected]
    assert select_lines(tmp_path, rows, LENGTH, op, batch_bytes=4096) == expected
    assert [line["__dj__stats__"]["text_len"] for line in read_lines(tmp_path / "out" / "result_stats.jsonl")] == stats
    assert not [path for path in (tmp_path / "out").iterdir() if "spool" in path.name]


@pytest.mark.parametrize("op", ORDERS, ids=lambda op: next(iter(op)))
@pytest.mark.usefixtures("small_window")
def test_parquet_rows_come_back_in_their_new_order(tmp_path: Path, op: Any) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    rows = [{"id": i, "text": f"text {i} " + "x" * (i % 90), "v": i * 37 % 101, "w": i % 7} for i in range(300)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in.parquet", row_group_size=40)
    paths = {"dataset_path": str(tmp_path / "in.parquet"), "export_path": str(tmp_path / "out.parquet")}
    djfast.run(recipe(tmp_path, [LENGTH, op, {"words_num_filter": {"min_num": 1}}], batch_bytes=4096, **paths))
    assert pq.read_table(tmp_path / "out.parquet").column("id").to_pylist() == select(rows, op)


@pytest.mark.usefixtures("small_window")
def test_a_bad_row_is_named_by_its_file_after_rows_were_mixed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rows = [{"id": i, "text": "x", "v": -i, "w": [] if i in (3, 17) else 1} for i in range(20)]
    write_lines(tmp_path / "in" / "a.jsonl", rows[::2])
    write_lines(tmp_path / "in" / "b.jsonl", rows[1::2])
    process = [
        {TOPK: {"field_key": "v", "topk": 19}},
        {"frequency_specified_field_selector": {"field_key": "w", "topk": 1}},
        {"text_length_filter": {"min_len": 1}},
    ]
    djfast.run(recipe(tmp_path, process, dataset_path=str(tmp_path / "in")))
    rejected = read_lines(tmp_path / "out" / "result.rejected.jsonl")
    assert [(Path(entry["file"]).name, entry["line"], entry["row"]["id"]) for entry in rejected] == [
        ("b.jsonl", 2, 3),
        ("b.jsonl", 9, 17),
    ]


def test_the_shuffle_is_the_one_of_numpy() -> None:
    numpy = pytest.importorskip("numpy")
    for count in (0, 1, 2, 3, 7, 100, 4096, 4097, 70001):
        assert permutation(count).tolist() == numpy.random.default_rng(42).permutation(count).tolist()


@given(st.lists(st.lists(st.binary(max_size=30), max_size=4), max_size=8), st.data())
def test_any_order_of_rows_comes_out(rows: list[list[bytes]], data: Any) -> None:
    """Rows are lines of bytes here; a folder of None is replaced by the system's for the buckets."""
    import tempfile

    pieces = []
    lines = [line.hex().encode() + b"\n" for piece in rows for line in piece]
    at = 0
    for number, piece in enumerate(rows):
        own = lines[at : at + len(piece)]
        at += len(piece)
        ends = array("Q")
        for line in own:
            ends.append((ends[-1] if ends else 0) + len(line))
        pieces.append(JsonPiece(b"".join(own), ends.tobytes(), b"", b"", array("Q", range(len(own))).tobytes(), b"%d" % number))
    order = data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=60)) if lines else []
    for folder in (None, tempfile.gettempdir()):
        spool = Spool(folder, JsonPiece.unpack, window_bytes=0)
        for piece in pieces:
            spool.append(piece)
        sizes = [size for piece in pieces for size in piece.row_bytes()]
        got = list(reorder.reordered(spool, order, sizes, JsonPiece, folder, window_bytes=100))
        assert b"".join(piece.lines for piece in got) == b"".join(lines[row] for row in order)
