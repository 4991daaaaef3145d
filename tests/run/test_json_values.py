"""Values of any JSON type: fields, stats and tags that OPs give, read back by later OPs, in every carrier of rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import djfast
from djfast import functions
from djfast.declare import REGISTRY, Filter, Mapper, param
from djfast.expr import Expr, call, col, field, member, row
from djfast.functions import PythonFunction

NAMES = ("taught_mapper", "lengths_filter", "whole_mapper")


def bind_taught(key: str) -> Callable[[str, str], str]:
    """Make an object of a text and of a tag."""

    def taught(text: str, extra: str) -> str:
        if "bad" in text:
            raise ValueError("it is bad")
        return json.dumps({"words": text.split(), "extra": json.loads(extra) if extra else None, "key": key})

    return taught


def bind_lengths() -> Callable[[list[str]], list[Any]]:
    """Give the lengths of words, of a batch at once; an empty text is an error."""
    return lambda texts: [
        json.dumps([len(word) for word in text.split()]) if text else ValueError("it is empty") for text in texts
    ]


def bind_is_long() -> Callable[[str], bool]:
    """Tell whether any length is above 3."""
    return lambda lengths: max(json.loads(lengths), default=0) > 3


def bind_whole() -> Callable[[dict[str, Any]], Any]:
    """Change a row as a whole."""
    return lambda row: {**row, "tags": row.get("__dj__meta__"), "n": 1 / len(row["text"])}


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """OPs that are there for these tests only."""
    here = PythonFunction("", __name__, ("text",), "json", (), "")
    for made in (
        here._replace(name="taught", inputs=("text", "json")),
        here._replace(name="lengths", batched=True),
        here._replace(name="is_long", inputs=("json",), output="boolean"),
        here._replace(name="whole", inputs=("row",), output="rows"),
    ):
        monkeypatch.setitem(functions.PYTHON_FUNCTIONS, made.name, made)
    class TaughtMapper(Mapper, name=NAMES[0]):
        """Teaches."""

        key: str = param("Any.", default="k")

        def _taught(self) -> Expr:
            return call("taught", col("text"), field("extra"), key=self.key)

        def assign(self) -> dict[str, Expr]:
            return {"words": member(self._taught(), "words"), "absent": member(self._taught(), "nothing")}

        def tags(self) -> dict[str, Expr]:
            return {"extra": member(self._taught(), "extra"), "again": field("__dj__meta__.extra")}

    class LengthsFilter(Filter, name=NAMES[1]):
        """Keeps long words."""

        def stats(self) -> dict[str, Expr]:
            return {"lengths": call("lengths", col("text"))}

        def keep(self) -> Expr:
            return call("is_long", col("lengths"))

    class WholeMapper(Mapper, name=NAMES[2]):
        """Shows tags."""

        def rewrite(self) -> Expr:
            return call("whole", row())

    yield
    for name in NAMES:
        del REGISTRY[name]


ROWS = [
    {"text": "one three", "extra": {"a": [1, None]}},
    {"text": "a bad one", "extra": 1},
    {"text": "no", "extra": "x"},
    {"text": "four five", "extra": 2.5, "__dj__meta__": {"extra": "own"}},
    {"text": "", "extra": None},
]
PROCESS: list[Any] = ["taught_mapper", "lengths_filter", "whole_mapper"]
EXPECTED = [
    {
        "text": "one three",
        "extra": {"a": [1, None]},
        "words": ["one", "three"],
        "tags": {"extra": {"a": [1, None]}, "again": None},
        "n": 1 / 9,
        "__dj__stats__": {"lengths": [3, 5]},
    },
    {
        "text": "four five",
        "extra": 2.5,
        "words": ["four", "five"],
        "tags": {"extra": "own", "again": "own"},
        "n": 1 / 9,
        "__dj__stats__": {"lengths": [4, 4]},
    },
]


def _bare(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the meta, which `tags` repeats, and nulls."""
    shown = [{key: value for key, value in each.items() if key != "__dj__meta__" and value is not None} for each in rows]
    for each in shown:
        each["tags"] = {"again": None, **each["tags"]}
    return shown


def test_in_a_list() -> None:
    data = djfast.Dataset.from_list(ROWS).process(djfast.load_ops(PROCESS))
    assert _bare(data.to_list(stats=True)) == EXPECTED
    assert [(bad.op, bad.row["text"]) for bad in data.rejected] == [("taught_mapper", "a bad one"), ("lengths_filter", "")]


@pytest.mark.parametrize("is_job", [False, True], ids=["run", "job"])
def test_in_lines(tmp_path: Path, is_job: bool) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    recipe = {"dataset_path": str(source), "export_path": str(tmp_path / "out.jsonl"), "process": PROCESS}
    djfast.run({**recipe, "use_checkpoint": is_job})
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    side = [json.loads(line) for line in (tmp_path / "out_stats.jsonl").read_text().splitlines()]
    assert _bare([{**row, "__dj__stats__": each["__dj__stats__"]} for row, each in zip(rows, side)]) == EXPECTED
    assert [each["__dj__meta__"]["extra"] for each in side] == [{"a": [1, None]}, "own"]
    rejected = [json.loads(line) for line in (tmp_path / "out.rejected.jsonl").read_text().splitlines()]
    assert [(bad["op"], bad["line"], bad["row"]["text"]) for bad in rejected] == [
        ("taught_mapper", 2, "a bad one"),
        ("lengths_filter", 5, ""),
    ]


def test_in_tables(tmp_path: Path) -> None:
    rows = [{"text": row["text"], "extra": [1], "day": pa.scalar(0, pa.date32()).as_py()} for row in ROWS]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in.parquet")
    data = djfast.Dataset.from_parquet(str(tmp_path / "in.parquet")).process(djfast.load_ops(PROCESS))
    assert [(row["words"], row["day"]) for row in data.to_list()] == [
        (["one", "three"], date(1970, 1, 1)),
        (["four", "five"], date(1970, 1, 1)),
    ]


def test_bytes_stay_bytes(tmp_path: Path) -> None:
    rows = [{"text": "long enough", "image": b"\xff", "more": [b"", None], "inside": {"b": b"x"}}]
    code = "lambda row: {'size': len(row['image']), 'copy': row['image']}"
    ops = djfast.load_ops([{"python_lambda_mapper": {"lambda_str": code}}])
    expected = [{**rows[0], "size": 1, "copy": b"\xff"}]
    assert djfast.Dataset.from_list(rows).process(ops).to_list() == expected
    table = djfast.Dataset.from_arrow(pa.Table.from_pylist(rows)).process(ops).to_arrow()
    assert table.to_pylist() == expected
    assert table.schema.field("copy").type == pa.binary()
    djfast.Dataset.from_list(rows).process(ops).export(tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == expected
    djfast.Dataset.from_list(rows).process(ops).export(tmp_path / "out.jsonl")
    assert '"image": {"__dj__bytes__": "/w=="}' in (tmp_path / "out.jsonl").read_text()
    assert djfast.Dataset.from_jsonl(tmp_path / "out.jsonl").to_list() == expected


def test_a_value_that_is_no_text_rejects_the_rows_that_need_one() -> None:
    rows = [{"text": "ab"}, {"text": "abcdef"}]
    ops = djfast.load_ops(["taught_mapper", {"text_length_filter": {"text_key": "words"}}])
    data = djfast.Dataset.from_list(rows).process(ops)
    assert data.to_list() == []
    assert {bad.reason for bad in data.rejected} == {
        "field 'words' is not a string, got [\"ab\"]",
        "field 'words' is not a string, got [\"abcdef\"]",
    }


def test_numbers_stay_as_they_are_spelled_in_fields_that_an_op_leaves_alone(tmp_path: Path) -> None:
    line = '{"text": "a", "x": 0.1000000000000000055511151231257827, "y": [1E5, {"z":1.10}], "a.b": 1.50, "n": NaN, "k": 2.0}'
    (tmp_path / "in.jsonl").write_text(line + '\n{"text": "b", "x": 0.25}\n')

    def rows_of(code: str) -> list[str]:
        data = djfast.Dataset.from_jsonl(tmp_path / "in.jsonl").process({"python_lambda_mapper": {"lambda_str": code}})
        data.export(tmp_path / "out.jsonl")
        return (tmp_path / "out.jsonl").read_text().splitlines()

    assert rows_of("lambda row: row") == [line, '{"text": "b", "x": 0.25}']
    changed = rows_of("lambda row: {**row, 'x': 0.1 * 3, 'k': row['x']}")
    assert changed[0] == line.replace("0.1000000000000000055511151231257827", "0.30000000000000004").replace("2.0", "0.1")
    inside = rows_of("lambda row: (row['y'].append(1) if 'y' in row else None) or row")
    assert inside[0] == line.replace('[1E5, {"z":1.10}]', '[100000.0, {"z": 1.1}, 1]')
    assert rows_of("lambda row: {1: row['x']}")[0].endswith('"1": 0.1}')
