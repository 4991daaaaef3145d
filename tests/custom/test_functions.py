"""Decorated functions are OPs: over rows and over batches, with parameters, errors and stats like the others."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import djfast
from djfast import catalog
from djfast.errors import RecipeError


def _run(name: str, rows: list[dict[str, Any]], **params: Any) -> djfast.Dataset:
    return djfast.Dataset.from_list(rows).process(djfast.load_ops([{name: params}]))


def test_a_function_of_rows_is_a_mapper_with_parameters_and_docs() -> None:
    @djfast.mapper("shout_mapper")
    def shout(row: dict[str, Any], mark: str = "!", times: int | None = None, words: list[str] | None = None) -> Any:
        """Makes the text loud.

        More of it.

        Parameters
        ----------
        mark : str
            Ends the text,
            as often as it should.
        times : int
            How often.

        Returns
        -------
        dict
        """
        row["text"] = row["text"].upper() + mark * (times or 1)
        return row

    assert _run("shout_mapper", [{"text": "a"}], times=2).to_list() == [{"text": "A!!"}]
    spec = catalog.find("shout_mapper")
    assert (spec.summary, spec.description) == ("Makes the text loud.", "More of it.")
    assert [(p.name, p.type, p.doc, p.default) for p in spec.own_params] == [
        ("mark", "str", "Ends the text, as often as it should.", "!"),
        ("times", "int | None", "How often.", None),
        ("words", "list[str] | None", "Not described.", None),
    ]
    with pytest.raises(RecipeError, match="times must be an integer or null, got 'many'"):
        djfast.load_ops([{"shout_mapper": {"times": "many"}}])


def test_rows_can_become_several_or_none_and_bad_ones_are_set_aside_alone() -> None:
    @djfast.mapper("split_mapper")
    def split(row: dict[str, Any]) -> Any:
        return [{**row, "text": part, "n": 1 / len(part)} for part in row["text"].split("|")] if row["text"] else djfast.DROP

    data = _run("split_mapper", [{"id": i, "text": text} for i, text in enumerate(["a|b", "", "c||d", "e"])])
    assert [(row["id"], row["text"]) for row in data.to_list()] == [(0, "a"), (0, "b"), (3, "e")]
    [bad] = data.rejected
    assert (bad.op, bad.line, bad.row["id"]) == ("split_mapper", 3, 2)
    assert bad.reason.startswith("ZeroDivisionError: division by zero (test_functions.py:")
    assert bad.reason.endswith(" in <listcomp>)") or bad.reason.endswith(" in split)")


def test_a_function_of_rows_is_a_filter_with_stats() -> None:
    @djfast.filter("vowels_filter")
    def vowels(row: dict[str, Any], min_num: int = 1) -> Any:
        count = sum(row["text"].count(vowel) for vowel in "aeiou")
        return {"num_vowels": count}, count >= min_num

    rows = [{"text": "aei"}, {"text": "xyz"}]
    assert _run("vowels_filter", rows).to_list(stats=True) == [{"text": "aei", "__dj__stats__": {"num_vowels": 3}}]
    stats = djfast.Dataset.from_list(rows).compute_stats(djfast.load_ops(["vowels_filter"])).to_list(stats=True)
    assert [row["__dj__stats__"] for row in stats] == [{"num_vowels": 3}, {"num_vowels": 0}]


def test_functions_of_batches_get_record_batches_and_bad_rows_are_found() -> None:
    @djfast.mapper("length_mapper", over="batches")
    def length(batch: pa.RecordBatch) -> Any:
        return batch.append_column("size", pc.divide(12, pc.utf8_length(batch.column("text"))))

    @djfast.filter("short_filter", over="batches")
    def short(batch: pa.RecordBatch, most: int = 3) -> Any:
        return pc.less_equal(pc.utf8_length(batch.column("text")), most)

    data = _run("length_mapper", [{"text": "abc"}, {"text": ""}, {"text": "abcd"}])
    assert data.to_list() == [{"text": "abc", "size": 4}, {"text": "abcd", "size": 3}]
    assert len(data.rejected) == 1
    assert _run("short_filter", [{"text": "abc"}, {"text": "abcd"}]).to_list() == [{"text": "abc"}]


def test_names_of_djfast_and_unknown_types_are_refused() -> None:
    with pytest.raises(RecipeError, match="must not have the name of one of djfast's, got 'text_length_filter'"):
        djfast.filter("text_length_filter")(lambda row: True)

    def strange(row: Any, size: complex = 1j) -> Any:
        return row

    with pytest.raises(RecipeError, match="size must be annotated with"):
        djfast.mapper("strange_mapper")(strange)
    with pytest.raises(RecipeError, match="over must be one of rows, batches, got 'columns'"):
        djfast.mapper("strange_mapper", over="columns")


@pytest.mark.parametrize("answer", [None, ("row", False), "text", 5, {"text"}, [None], [({}, True)]])
def test_a_mapper_that_returns_no_row_rejects_it(answer: Any) -> None:
    @djfast.mapper
    def odd_mapper(row: Any) -> Any:
        return (row, answer[1]) if isinstance(answer, tuple) else answer

    data = _run("odd_mapper", [{"text": "a"}, {"text": "b"}])
    assert data.to_list() == []
    assert [bad.row for bad in data.rejected] == [{"text": "a"}, {"text": "b"}]
    assert "TypeError: " in data.rejected[0].reason
    assert "(test_functions.py:" in data.rejected[0].reason
    if answer is None:
        assert "is `return row` missing? To drop a row, return djfast.DROP or use a filter" in data.rejected[0].reason


@pytest.mark.parametrize("answer", [None, "yes", {}, ({"n": 1}, None), ("n", True), [True], np.array([True, False]), pd.NA])
def test_a_filter_that_decides_nothing_rejects_the_row(answer: Any) -> None:
    @djfast.filter
    def odd_filter(row: Any) -> Any:
        return answer

    data = _run("odd_filter", [{"text": "a"}])
    assert (data.to_list(), len(data.rejected)) == ([], 1)
    assert "in odd_filter)" in data.rejected[0].reason


@pytest.mark.parametrize("answer", [True, 1, 0.5, np.bool_(True), np.int64(2), pa.scalar(True), ({"n": np.float32(1)}, np.True_)])
def test_what_a_filter_may_return(answer: Any) -> None:
    @djfast.filter
    def good_filter(row: Any) -> Any:
        return answer

    assert len(_run("good_filter", [{"text": "a"}]).to_list()) == 1


VALUES = [
    (np.int64(3), 3),
    (np.float32(0.5), 0.5),
    (np.bool_(True), True),
    (np.str_("a"), "a"),
    (np.arange(3), [0, 1, 2]),
    (np.array([[1.5], [2]]), [[1.5], [2.0]]),
    (np.longdouble(2), 2.0),
    (np.datetime64("2024-01-02T03:04:05.000000006"), "2024-01-02T03:04:05.000000006"),
    (np.array(["2024-01-02", "NaT"], "datetime64[ns]"), ["2024-01-02T00:00:00.000000000", None]),
    (pd.Timestamp("2024-01-02 03:04"), "2024-01-02T03:04:00"),
    (pd.NaT, None),
    (pd.NA, None),
    (pd.Series([1, 2]), [1, 2]),
    (pa.scalar(5), 5),
    (pa.array([1, None]), [1, None]),
    ({"b", "a"}, ["a", "b"]),
    (frozenset({10, 9}), [9, 10]),
    ({1, "a", None}, ["a", 1, None]),
    (datetime.date(2024, 1, 2), "2024-01-02"),
    (datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc), "2024-01-02T00:00:00+00:00"),
    (decimal.Decimal("1.10"), 1.1),
    (decimal.Decimal(2**70), 2**70),
    (2**70, 2**70),
    (range(2), [0, 1]),
    ((1, 2), [1, 2]),
    ({"n": [np.int8(1), {"m": np.uint64(2**64 - 1)}]}, {"n": [1, {"m": 2**64 - 1}]}),
    (b"\xff", b"\xff"),
]


@pytest.mark.parametrize(("value", "expected"), VALUES, ids=[str(number) for number in range(len(VALUES))])
def test_values_of_other_libraries_become_those_of_json(value: Any, expected: Any) -> None:
    @djfast.mapper
    def value_mapper(row: Any) -> Any:
        return {**row, "value": value}

    data = _run("value_mapper", [{"text": "a"}])
    assert (data.to_list(), data.rejected) == ([{"text": "a", "value": expected}], [])


@pytest.mark.parametrize(
    ("value", "name"),
    [(object(), "object"), (1j, "complex"), (np.timedelta64(1, "s"), "numpy.timedelta64"), (pd.DataFrame(), "pandas.DataFrame"),
     (datetime.timedelta(1), "datetime.timedelta"), (Path("a"), "pathlib.PosixPath"), ((each for each in ()), "generator")],
)  # fmt: skip
def test_other_values_reject_the_row_by_their_right_name(value: Any, name: str) -> None:
    @djfast.mapper
    def value_mapper(row: Any) -> Any:
        return {**row, "value": value}

    [bad] = [_run("value_mapper", [{"text": "a"}])]
    assert bad.to_list() == []
    assert bad.rejected[0].reason.endswith(f"got {name}")


def test_a_decimal_that_no_number_of_json_keeps_rejects_the_row() -> None:
    @djfast.mapper
    def value_mapper(row: Any) -> Any:
        return {**row, "value": decimal.Decimal("0.12345678901234567890123")}

    data = _run("value_mapper", [{"text": "a"}])
    assert data.to_list() == []
    assert "must be given as a string" in data.rejected[0].reason


@pytest.mark.parametrize(
    "error", [SystemExit(0), SystemExit("no"), GeneratorExit(), StopIteration(), AssertionError(), asyncio.CancelledError()]
)
def test_a_function_that_ends_the_program_ends_its_row_only(error: BaseException) -> None:
    def stops(row: dict[str, Any]) -> Any:
        if row["text"] == "b":
            raise error
        return row

    def stops_batch(batch: pa.RecordBatch) -> Any:
        if "b" in batch.column("text").to_pylist():
            raise error
        return batch

    djfast.mapper("stops_mapper")(stops)
    djfast.filter("stops_filter")(lambda row: bool(stops(row)))
    djfast.mapper("stops_batch_mapper", over="batches")(stops_batch)
    for op in ("stops_mapper", "stops_filter", "stops_batch_mapper"):
        result = _run(op, [{"text": text} for text in "abc"])
        assert [row["text"] for row in result.to_list()] == ["a", "c"]
        assert [each.reason.startswith(type(error).__name__) for each in result.rejected] == [True]


_FORKS = """
import os, sys, djfast

def fork(row, end):
    if row["id"] == 1 and os.fork() == 0:
        if end == "exits":
            sys.exit(3)
        if end == "raises":
            raise ValueError("in the child")
    return row

@djfast.mapper
def fork_mapper(row, end: str):
    return fork(row, end)

@djfast.filter
def fork_filter(row, end: str):
    return bool(fork(row, end))

@djfast.mapper(over="batches")
def fork_batch_mapper(batch, end: str):
    fork({"id": 1}, end)
    return batch
"""


@pytest.mark.parametrize("op", ["fork_mapper", "fork_filter", "fork_batch_mapper"])
@pytest.mark.parametrize("end", ["exits", "raises", "returns"])
def test_a_process_that_a_function_forks_does_not_go_on_with_the_run(op: str, end: str, tmp_path: Path) -> None:
    (tmp_path / "ops.py").write_text(_FORKS)
    rows = "".join(f'{{"id": {i}, "text": "a"}}\n' for i in range(4))
    (tmp_path / "in.jsonl").write_text(rows)
    (tmp_path / "r.yaml").write_text(
        f"dataset_path: in.jsonl\nexport_path: out.jsonl\ncustom_operator_paths: [ops.py]\nprocess: [{{{op}: {{end: {end}}}}}]\n"
    )
    command = [sys.executable, "-m", "djfast", "run", "r.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)  # waits for children, too
    assert done.returncode == 0
    assert (tmp_path / "out.jsonl").read_text() == rows
    assert done.stdout.count("4 rows in, 4 out") == 1
    assert ("ValueError: in the child" in done.stderr) == (end == "raises")


def test_the_working_folder_stays_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def away(row: dict[str, Any]) -> Any:
        os.chdir("/")
        return row

    djfast.mapper("away_mapper")(away)
    djfast.filter("away_filter")(lambda row: bool(away(row)))
    djfast.mapper("away_batch_mapper", over="batches")(away)
    for op in ("away_mapper", "away_filter", "away_batch_mapper"):
        result = _run(op, [{"text": "a"}])
        assert result.to_list() == []
        assert "the function changed the working folder" in result.rejected[0].reason
        assert Path.cwd() == tmp_path
    (tmp_path / "ops.py").write_text("import os, djfast\nos.chdir('/')\n@djfast.mapper\ndef stay_mapper(row):\n    return row\n")
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "r.yaml").write_text(
        "dataset_path: in.jsonl\nexport_path: out.jsonl\ncustom_operator_paths: [ops.py]\nprocess: [stay_mapper: {}]\n"
    )
    assert djfast.run("r.yaml").rows_written == 1
    assert (tmp_path / "out.jsonl").read_text() == '{"text": "a"}\n'


def test_a_generator_gives_rows() -> None:
    @djfast.mapper
    def parts_mapper(row: Any) -> Iterator[Any]:
        for part in row["text"].split():
            yield {"text": part}

    assert _run("parts_mapper", [{"text": "a b"}, {"text": ""}]).to_list() == [{"text": "a"}, {"text": "b"}]


def _ends(row: Any, mark: str = "!") -> Any:
    return {**row, "text": row["text"] + mark}


class _Ender:
    """Ends texts."""

    def __call__(self, row: Any, mark: str = "?") -> Any:
        return _ends(row, mark)

    def method(self, row: Any, *, mark: str = ".") -> Any:
        return _ends(row, mark)


@pytest.mark.parametrize(
    ("function", "end"),
    [(functools.partial(_ends, mark="#"), "#"), (_Ender(), "?"), (_Ender().method, "."), (functools.partial(_Ender()), "?")],
)
def test_partials_methods_and_objects_are_ops(function: Callable[..., Any], end: str) -> None:
    djfast.mapper("ending_mapper")(function)
    assert _run("ending_mapper", [{"text": "a"}]).to_list() == [{"text": "a" + end}]
    assert _run("ending_mapper", [{"text": "a"}], mark="+").to_list() == [{"text": "a+"}]
    assert [p.name for p in catalog.find("ending_mapper").own_params] == ["mark"]


def test_functions_with_kwargs_take_parameters_of_any_name() -> None:
    @djfast.mapper
    def open_mapper(row: Any, *rest: Any, known: int = 1, **kwargs: Any) -> Any:
        return {**row, "given": {"known": known, **kwargs}}

    [op] = djfast.load_ops({"open_mapper": {"known": 2, "other": [1]}})
    assert djfast.Dataset.from_list([{}]).process(op).to_list() == [{"given": {"known": 2, "other": [1]}}]
    assert repr(op) == "OpenMapper(known=2, other=[1])"
    with pytest.raises(RecipeError, match="known must be an integer"):
        djfast.load_ops({"open_mapper": {"known": "many"}})


async def _waiting(row: Any) -> Any:
    return row


@pytest.mark.parametrize(
    ("name", "function", "message"),
    [
        ("", _ends, "the name of an OP must be letters, digits and underscores, beginning with a letter, got ''"),
        ("a b", _ends, "must be letters, digits and underscores"),
        ("has.dot", _ends, "must be letters, digits and underscores"),
        (7, _ends, "must be letters, digits and underscores"),
        (None, functools.partial(_ends), "must be letters, digits and underscores"),
        ("odd_mapper", _waiting, "_waiting must not be async"),
        ("odd_mapper", 5, "must be a function or a callable object, got 5"),
        ("odd_mapper", _Ender, "must be a function or a callable object"),
        ("odd_mapper", lambda row, kind: row, "odd_mapper: an argument must not have a name that OPs use themselves, got 'kind'"),
        ("odd_mapper", lambda row, given=1: row, "an argument must not have a name that OPs use themselves, got 'given'"),
        ("odd_mapper", lambda: None, "must take the row as its first argument"),
        ("odd_mapper", dict.update, "cannot be read|must"),
    ],
)
def test_what_cannot_be_an_op_is_one_recipe_error(name: Any, function: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        djfast.mapper(name)(function)


def test_bare_decorators_take_the_name_of_the_function() -> None:
    @djfast.mapper
    def bare_mapper(row: Any) -> Any:
        return row

    @djfast.filter()
    def bare_filter(row: Any, most: int = 3) -> Any:
        return len(row["text"]) <= most

    @djfast.filter(over="batches")
    def bare_batch_filter(batch: pa.RecordBatch) -> Any:
        return [True] * batch.num_rows

    rows = [{"text": "abc"}, {"text": "abcd"}]
    process = [bare_mapper, {"bare_filter": {"most": 4}}, bare_batch_filter]
    assert djfast.Dataset.from_list(rows).process(process).to_list() == rows


def test_annotations_that_only_type_checkers_read_allow_any_value() -> None:
    def annotated(row: NotHere, words: list = (), way: AlsoNotHere = None) -> Any:  # type: ignore[name-defined,type-arg]  # noqa: F821
        return {**row, "given": [words, way]}

    djfast.mapper("first_mapper")(djfast.mapper("second_mapper")(annotated))
    assert [(p.name, p.type) for p in catalog.find("first_mapper").own_params] == [("words", "list"), ("way", "any")]
    assert _run("first_mapper", [{}], words=["a", 1], way={"b": 2}).to_list() == [{"given": [["a", 1], {"b": 2}]}]
    assert djfast.load_ops(annotated)[0].spec.name == "first_mapper"  # the last name that it got


def test_what_load_ops_and_process_take() -> None:
    @djfast.mapper
    def own_mapper(row: Any) -> Any:
        return row

    short = {"text_length_filter": {"min_len": 1}}
    [op] = djfast.load_ops(short)
    assert op.given() == {"min_len": 1}
    assert djfast.load_ops("text_length_filter") == [type(op)()]
    assert djfast.load_ops(type(op)) == [type(op)()]
    both = djfast.load_ops({"text_length_filter": {"min_len": 1}, "clean_email_mapper": None})
    assert [each.spec.name for each in both] == ["text_length_filter", "clean_email_mapper"]
    many = djfast.load_ops(op, "clean_email_mapper", short, own_mapper, [op, [own_mapper]], (each for each in [op]))
    assert [each.spec.name.split("_")[0] for each in many] == ["text", "clean", "text", "own", "text", "own", "text"]
    data = djfast.Dataset.from_list([{"text": "a"}, {"text": ""}])
    for given in (op, short, [short], (short, own_mapper)):
        assert data.process(given).to_list() == [{"text": "a"}]
    assert data.process(own_mapper, short, "clean_email_mapper").to_list() == [{"text": "a"}]


@pytest.mark.parametrize("given", [None, 5, {}, [None], b"text_length_filter", {"text_length_filter": 5}, {5: {}}, _ends])
def test_what_is_no_op_is_one_recipe_error(given: Any) -> None:
    with pytest.raises(RecipeError):
        djfast.load_ops(given)
    with pytest.raises(RecipeError):
        djfast.Dataset.from_list([]).process(given)


def test_the_first_traceback_of_each_op_is_shown_once(tmp_path: Path) -> None:
    (tmp_path / "ops.py").write_text(
        "import djfast\n\n@djfast.mapper\ndef bad_mapper(row):\n    return helper(row)\n\n"
        "def helper(row):\n    return row['nope']\n"
    )
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n' * 3 + '{"text": "a", "nope": {}}\n')
    code = "import djfast; djfast.run({'dataset_path': 'in.jsonl', 'export_path': 'out.jsonl', 'np': 2, " \
        "'custom_operator_paths': ['ops.py'], 'process': ['bad_mapper']})"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stderr.count("Traceback") == 1
    assert "bad_mapper: the first row is rejected: KeyError: 'nope' (ops.py:8 in helper)" in run.stderr
    assert "return row['nope']" in run.stderr
    assert "functions/failures.py" not in run.stderr
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "out.rejected.jsonl").read_text().splitlines()]
    assert reasons == ["KeyError: 'nope' (ops.py:8 in helper)"] * 3


MIXED: list[dict[str, Any]] = [
    {"id": 0, "text": "a", "z": None},
    {"id": 1, "text": "b", "meta": {"k": 1}},
    {"text": "c", "id": 2, "meta": {"l": [1.5, 2]}},
    {"id": 2**70, "text": "d"},
    {"id": "x", "text": "e", "mixed": [1, "a", None], "none": []},
    {"id": 1.0, "text": "f", "meta": [{"a": 1}, {"b": 2}]},
    {"id": 2, "text": "g", "z": "\ud83d"},
    {},
    {"id": 3, "text": "h", "meta": {"k": 2}},
]


MANY = [MIXED[number * number % 101 % len(MIXED)] for number in range(400)]
WITH_TEXTS = [row for row in MANY if "text" in row]


def _cut(op: Any, folder: Path) -> list[bytes]:
    """Run an OP over batches of several sizes."""
    source = folder / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in MANY))
    recipe = {"dataset_path": str(source), "export_path": str(folder / "out.jsonl"), "process": [op]}
    results = []
    for batch_bytes in (4096, 5000, 1 << 20):
        djfast.run(recipe, batch_bytes=batch_bytes, np=2)
        results.append((folder / "out.jsonl").read_bytes())
    return results


def _same(results: list[bytes]) -> list[Any]:
    """Return the rows that all results have."""
    assert results[1:] == results[:-1]
    return [json.loads(line) for line in results[0].splitlines()]


def test_a_function_over_batches_that_changes_nothing_changes_nothing(tmp_path: Path) -> None:
    @djfast.mapper(over="batches")
    def same_mapper(batch: pa.RecordBatch) -> Any:
        return batch

    @djfast.filter(over="batches")
    def same_filter(batch: pa.RecordBatch) -> Any:
        return pa.array([True] * batch.num_rows)

    assert _same(_cut("same_mapper", tmp_path)) == WITH_TEXTS
    assert _same(_cut("same_filter", tmp_path)) == WITH_TEXTS
    assert djfast.Dataset.from_list(MIXED).process(same_mapper).to_list() == MIXED


def test_what_a_function_over_batches_makes_of_a_row_does_not_depend_on_its_batch(tmp_path: Path) -> None:
    @djfast.mapper(over="batches")
    def doubled_mapper(batch: pa.RecordBatch) -> Any:
        ids = batch.column("id")
        return batch.set_column(batch.schema.get_field_index("id"), "id", pc.multiply(ids, 2)).append_column("was", ids)

    @djfast.mapper(over="batches")
    def even_mapper(batch: pa.RecordBatch) -> Any:
        return batch.filter(pc.equal(pc.bit_wise_and(batch.column("id"), 1), 0))

    assert {"text": "b", "id": 2, "meta": {"k": 1}, "was": 1} in _same(_cut("doubled_mapper", tmp_path))
    assert {row["text"] for row in _same(_cut("even_mapper", tmp_path))} == {"a", "c", "g"}


def test_a_lambda_over_batches_makes_up_no_fields(tmp_path: Path) -> None:
    assert _same(_cut({"python_lambda_mapper": {"lambda_str": "lambda rows: rows", "batched": True}}, tmp_path)) == WITH_TEXTS


def test_what_a_lambda_over_batches_changed_before_it_failed_is_undone() -> None:
    source = "lambda rows: {'tags': [tags.append(1) or tags if tags != ['bad'] else 1 / 0 for tags in rows['tags']]}"
    rows = [{"tags": ["a"]}, {"tags": ["bad"]}]
    data = djfast.Dataset.from_list(rows).process({"python_lambda_mapper": {"lambda_str": source, "batched": True}})
    assert data.to_list() == [{"tags": ["a", 1]}]
    assert data.rejected[0].reason == "ZeroDivisionError: division by zero (lambda_str:1 in <listcomp>)" or (
        "(lambda_str:1 in <lambda>)" in data.rejected[0].reason
    )


@pytest.mark.parametrize("answer", [None, (pa.array([True]), 1), [True, False, True], "yes", pa.array([None], pa.bool_())])
def test_a_filter_over_batches_that_decides_nothing_rejects_rows(answer: Any) -> None:
    @djfast.filter(over="batches")
    def odd_filter(batch: pa.RecordBatch) -> Any:
        return answer

    data = _run("odd_filter", [{"text": "a"}, {"text": "b"}])
    assert (data.to_list(), len(data.rejected)) == ([], 2)


@pytest.mark.parametrize("answer", [None, 5, [{"text": "a"}], pa.array([1])])
def test_a_mapper_over_batches_that_returns_no_batch_rejects_rows(answer: Any) -> None:
    @djfast.mapper(over="batches")
    def odd_mapper(batch: pa.RecordBatch) -> Any:
        return answer

    data = _run("odd_mapper", [{"text": "a"}])
    assert data.to_list() == []
    assert "must return a record batch or a table" in data.rejected[0].reason
