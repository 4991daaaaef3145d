"""A recipe as a function of tables: what comes out is what a run gives, whoever calls it."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import djfast
from djfast.errors import RecipeError, RowError, SchemaError

WORDS = ["long enough to stay", "no", "another text that stays", "x" * 30, "many small words in one text " * 3]
TEXTS = [f"{WORDS[i % len(WORDS)]} {i}  " for i in range(300)]
TABLE = pa.table({"text": TEXTS, "n": range(300), "tags": [{"a": [i, None], "b": f"{i}"} for i in range(300)]})
PROCESS: list[Any] = [
    {"whitespace_normalization_mapper": None},
    {"text_length_filter": {"min_len": 10}},
    {"words_num_filter": {"min_num": 4}},
]


def shortened(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "short": row["text"][:5]}


def result_of_run(tmp_path: Path, process: list[Any], table: pa.Table = TABLE) -> pa.Table:
    pq.write_table(table, tmp_path / "in.parquet")
    djfast.run({"dataset_path": str(tmp_path / "in.parquet"), "export_path": str(tmp_path / "o.parquet"), "process": process})
    return pq.read_table(tmp_path / "o.parquet")


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("size", [7, 100, 300])
def test_the_rows_are_those_of_a_run(tmp_path: Path, size: int, threads: int) -> None:
    pipe = djfast.compile({"process": PROCESS}, threads=threads)
    parts = list(pipe.stream(TABLE.to_batches(max_chunksize=size)))
    assert {type(part) for part in parts} == {pa.RecordBatch}
    assert pa.Table.from_batches(parts).equals(result_of_run(tmp_path, PROCESS))


def test_rows_that_are_carried_as_lines_keep_their_types(tmp_path: Path) -> None:
    process = [{"python_lambda_mapper": {"lambda_str": "lambda row: {**row, 'size': len(row['text'])}"}}]
    got = djfast.compile({"process": process})(TABLE)
    assert got.equals(result_of_run(tmp_path, process))
    assert got.schema.names == ["text", "n", "tags", "size"]
    assert got.schema.field("tags").type == TABLE.schema.field("tags").type


def test_a_table_stays_what_it_was() -> None:
    table = pa.table({"text": ["  a b  ", "c"]})
    before = table.column("text").chunk(0).buffers()[2].to_pybytes()
    assert djfast.compile("whitespace_normalization_mapper")(table).column("text").to_pylist() == ["a b", "c"]
    assert table.column("text").chunk(0).buffers()[2].to_pybytes() == before


def test_the_kind_of_table_is_that_which_came() -> None:
    pipe = djfast.compile(PROCESS)
    kept = pipe(TABLE).to_pylist()
    assert pipe(TABLE.to_batches()[0]).to_pylist() == kept
    assert pipe(TABLE.to_reader()).read_all().to_pylist() == kept
    flat = TABLE.select(["text", "n"])
    kept = pipe(flat).to_pylist()
    assert pipe(flat.to_pydict()) == {"text": [row["text"] for row in kept], "n": [row["n"] for row in kept]}
    pandas = pytest.importorskip("pandas")
    frame = pipe(flat.to_pandas())
    assert isinstance(frame, pandas.DataFrame)
    assert frame.to_dict("records") == kept
    polars = pytest.importorskip("polars")
    frame = pipe(polars.from_arrow(flat))
    assert isinstance(frame, polars.DataFrame)
    assert frame.to_dicts() == kept


def test_hosts_that_are_here_call_it_as_it_is() -> None:
    pipe, flat = djfast.compile(PROCESS), TABLE.select(["text", "n"])
    kept = pipe(flat).to_pylist()
    datasets = pytest.importorskip("datasets")
    mapped = datasets.Dataset(flat).with_format("arrow").map(pipe, batched=True, batch_size=64, load_from_cache_file=False)
    assert mapped.with_format(None).to_list() == kept
    polars = pytest.importorskip("polars")
    lazy = polars.from_arrow(flat).lazy().map_batches(pipe, schema=polars.from_arrow(pipe(flat)).schema)
    assert lazy.collect().to_dicts() == kept
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.from_arrow(flat).filter("n < 100")
    assert len(pipe(relation)) == sum(row["n"] < 100 for row in kept)


def test_rejected_rows_are_never_lost() -> None:
    table = pa.table({"text": ["long enough", None, "short", None], "n": [1, 2, 3, 4]})
    with pytest.raises(RowError, match=r"read: row 1 of the table: field 'text' is null \(2 rejected in all\)"):
        djfast.compile("text_length_filter")(table)
    kept = djfast.compile({"process": [{"text_length_filter": {"min_len": 6}}]}, rejected="column")(table)
    assert kept.to_pylist() == [
        {"text": "long enough", "n": 1, "__dj__rejected__": None},
        {"text": None, "n": 2, "__dj__rejected__": "read: field 'text' is null"},
        {"text": None, "n": 4, "__dj__rejected__": "read: field 'text' is null"},
    ]
    outcome = djfast.compile([{"text_length_filter": {"min_len": 5}}], rejected="drop").run(table)
    assert outcome.rows.column("n").to_pylist() == [1, 3]
    assert outcome.rejected.to_pylist() == [{"row": row, "op": "read", "reason": "field 'text' is null"} for row in (1, 3)]
    with pytest.raises(RecipeError, match="rejected must be one of raise, column, drop, got 'ignore'"):
        djfast.compile("text_length_filter", rejected="ignore")


def test_all_rows_can_be_had_with_what_became_of_them() -> None:
    table = pa.table({"text": ["long enough to stay", "no", None, "x" * 30, "another that stays"], "n": range(5)})
    got = djfast.compile({"process": PROCESS}).annotate(table).to_pylist()
    said = [(row["n"], row["__dj__keep__"], row["__dj__op__"], row["__dj__reason__"]) for row in got]
    assert said == [
        (0, True, None, None),
        (1, False, "text_length_filter", None),
        (2, False, "read", "field 'text' is null"),
        (3, False, "words_num_filter", None),
        (4, False, "words_num_filter", None),
    ]
    assert [row["__dj__stats__"] and row["__dj__stats__"]["text_len"] for row in got] == [19, 2, None, 30, 18]
    assert got[3]["__dj__stats__"]["num_words"] == 1


def test_a_filter_of_ones_own_is_annotated_too() -> None:
    pipe = djfast.compile([djfast.ops.TextLengthFilter(min_len=3)])
    assert pipe.annotate(pa.table({"text": ["abc", "ab", "abcd"]})).column("__dj__keep__").to_pylist() == [True, False, True]


def test_columns_of_results_are_known_before_there_are_rows() -> None:
    schema = pa.schema([("text", pa.large_string()), ("n", pa.int32()), ("kind", pa.dictionary(pa.int8(), pa.string()))])
    pipe = djfast.compile({"process": PROCESS}, schema)
    assert pipe.output_schema.names == schema.names
    assert pipe(schema.empty_table()).schema == pipe.output_schema
    with pytest.raises(SchemaError, match=r"give them: djfast\.compile\(\.\.\., schema=\.\.\.\)"):
        _ = djfast.compile({"process": PROCESS}).output_schema
    process = [{"python_lambda_mapper": {"lambda_str": "lambda row: {**row, 'size': len(row['text'])}"}}]
    with pytest.raises(SchemaError, match="only rows tell which columns python_lambda_mapper makes"):
        _ = djfast.compile({"process": process}, TABLE.schema).output_schema
    wanted = pa.schema([*TABLE.schema, ("size", pa.int32())])
    assert djfast.compile({"process": process}, output_schema=wanted)(TABLE).schema == wanted
    with pytest.raises(SchemaError, match="column 'size' does not fit into the type of output_schema"):
        djfast.compile({"process": process}, output_schema=pa.schema([*TABLE.schema, ("size", pa.date32())]))(TABLE)


def test_results_of_a_stream_have_the_columns_of_the_first() -> None:
    process = [{"python_lambda_mapper": {"lambda_str": "lambda row: {**row, 'x': 1 if row['n'] < 2 else 'y'}"}}]
    pipe = djfast.compile({"process": process})
    with pytest.raises(SchemaError, match="a result does not have the columns of the others"):
        list(pipe.stream(TABLE.to_batches(max_chunksize=2)))


def test_pickling_gives_the_text_of_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("process:\n- text_length_filter: {min_len: 10}\n- words_num_filter: {min_num: 4}\n")
    data = pickle.dumps(djfast.compile(path, threads=2))
    assert data == pickle.dumps(djfast.compile(str(path), threads=2)) == pickle.dumps(pickle.loads(data))
    script = (
        "import pickle, sys, pyarrow\npipe = pickle.load(sys.stdin.buffer)\n"
        "print(pipe({'text': ['long enough to stay', 'no']})['text'])"
    )
    run = subprocess.run([sys.executable, "-c", script], input=data, capture_output=True, check=True)
    assert run.stdout.decode().strip() == "['long enough to stay']"
    assert json.loads(djfast.compile(path)._source.recipe)["process"][1] == {"words_num_filter": {"min_num": 4}}


def test_a_recipe_with_a_secret_in_it_is_refused() -> None:
    for options in ({"model_params": {"api_key": "sk-0123456789abcdef"}}, {"api_endpoint": "https://me:secret@host/v1"}):
        process = [{"calibrate_query_mapper": {"api_model": "m", **options}}]
        with pytest.raises(RecipeError, match="the text of its recipe, which has no secrets; name variables"):
            djfast.compile({"process": process})


def test_ops_that_need_all_rows_are_refused_by_name() -> None:
    for ops in (["document_deduplicator", "text_length_filter"], [{"random_selector": {"select_num": 1}}]):
        with pytest.raises(RecipeError, match=r"all rows at once: (document_deduplicator|random_selector); leave them to"):
            djfast.compile(ops)
    with pytest.raises(RecipeError, match=r"document_deduplicator needs all rows at once: take pipe\.signatures\(table\)"):
        djfast.compile("document_deduplicator")(TABLE)
    with pytest.raises(RecipeError, match="the last OP must be a deduplicator, got text_length_filter"):
        djfast.compile("text_length_filter").signatures(TABLE)


DUPLICATES = [
    *["the same text as that one here it is long"] * 2, "something else that is long enough to have a key", "", "short",
    "The same text as that one here it is long!", "something else that is long enough to have a key indeed",
]  # fmt: skip


@pytest.mark.parametrize(
    "op",
    [
        {"document_deduplicator": {"lowercase": True, "ignore_non_character": True}},
        {"document_minhash_deduplicator": {"jaccard_threshold": 0.5}},
        {"document_minhash_deduplicator": {"short_texts": "keep"}},
        {"document_simhash_deduplicator": {"hamming_distance": 5}},
        {"document_simhash_deduplicator": {"short_texts": "keep"}},
    ],
    ids=str,
)
def test_keys_of_all_tables_find_the_duplicates_of_a_run(tmp_path: Path, op: dict[str, Any]) -> None:
    table = pa.table({"text": DUPLICATES * 3, "n": range(3 * len(DUPLICATES))})
    pipe = djfast.compile([{"text_length_filter": {"max_len": 100}}, op])
    signed = pa.concat_tables([pipe.signatures(part) for part in (table.slice(0, 5), table.slice(5, 9), table.slice(14))])
    keep = djfast.cluster(signed.column("__dj__keys__"), pipe)
    expected = result_of_run(tmp_path, [{"text_length_filter": {"max_len": 100}}, op], table)
    assert signed.filter(keep).drop_columns(["__dj__keys__"]).equals(expected)
    assert djfast.cluster(signed.column("__dj__keys__").combine_chunks().slice(3), op).to_pylist() == djfast.cluster(
        pa.array(signed.column("__dj__keys__").to_pylist()[3:], signed.schema.field("__dj__keys__").type), op
    ).to_pylist()
    with pytest.raises(SchemaError, match="have the type"):
        djfast.cluster(pa.array([b"x"]), pipe)
    assert djfast.cluster(signed.column("__dj__keys__").slice(0, 0), pipe).to_pylist() == []


def test_exact_keys_can_be_grouped_by_the_host() -> None:
    signed = djfast.compile("document_deduplicator").signatures(pa.table({"text": ["a", "b", "a"]}))
    counted = signed.group_by("__dj__keys__").aggregate([("text", "count")])
    assert sorted(counted.column("text_count").to_pylist()) == [1, 2]


def test_what_is_no_table_is_named() -> None:
    pipe = djfast.compile("text_length_filter")
    with pytest.raises(SchemaError, match="data must be a table of pyarrow"):
        pipe([1, 2])
    with pytest.raises(SchemaError, match="a mapping must give a list of values"):
        pipe({"text": ["a", 1]})
    with pytest.raises(SchemaError, match="no column for field 'text'"):
        pipe({"other": ["a"]})
