"""Calls of functions fit their declarations, natively and in Python: checked when the plan is built, not when it crashes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast import _native, catalog, functions
from djfast.cli.main import main
from djfast.declare import Example, Filter, Mapper, OpSpec
from djfast.errors import InternalError, UserError
from djfast.expr import Expr, call, col, field
from djfast.plan.build import build_plan
from djfast.plan.steps import Compute

NATIVE = sorted(_native.functions())
CASES = [(spec, example) for spec in catalog.all_specs() if spec.kind != "fused" for example in spec.examples]
VALUES: dict[str, list[Any]] = {
    "text": ["a"],
    "json": ["{}"],
    "int64": [1],
    "double": [1.5],
    "boolean": [True],
    "text_list": [["a"]],
    "number_list": [[1]],
    "counted_words": [["a"]],
}


@pytest.mark.parametrize(("spec", "example"), CASES, ids=[spec.name for spec, _ in CASES])
def test_the_plan_of_an_example_fits(spec: OpSpec, example: Example) -> None:
    build_plan(catalog.flattened(djfast.load_ops([{spec.name: example.params}])))


@pytest.mark.parametrize("name", NATIVE)
def test_a_native_function_refuses_another_number_of_arguments(name: str) -> None:
    inputs = [each.split(" | ")[0] for each in _native.functions()[name]["inputs"]]
    for wrong in (inputs[:-1], [*inputs, inputs[-1]], []):
        with pytest.raises(UserError, match=f"{name} takes {len(inputs)} arguments, got {len(wrong)}"):
            _native.evaluate(name, [VALUES[each] for each in wrong], {})
        with pytest.raises(UserError, match=f"{name} takes {len(inputs)} arguments, got {len(wrong)}"):
            _native.Program([(name, list(range(len(wrong))), {}, len(wrong), 0)])
        with pytest.raises(InternalError, match=f"op: the function '{name}' takes {len(inputs)} arguments, got {len(wrong)}"):
            functions.signature(name).check(wrong, op="op")


@pytest.mark.parametrize("name", NATIVE)
def test_a_native_function_refuses_arguments_of_another_type(name: str) -> None:
    inputs = _native.functions()[name]["inputs"]
    for number, wanted in enumerate(inputs):
        taken = wanted.split(" | ")
        right = [each.split(" | ")[0] for each in inputs]
        for wrong in VALUES:
            if wrong in taken or {wrong, *taken} >= {"text", "json"} or {wrong, *taken} >= {"text_list", "counted_words"}:
                continue  # the same Python values
            with pytest.raises(InternalError, match=f"argument {number} of the function '{name}' must be"):
                functions.signature(name).check([*right[:number], wrong, *right[number + 1 :]], op="op")


@pytest.mark.parametrize("name", NATIVE)
def test_a_native_function_refuses_bytes_that_are_no_text(name: str) -> None:
    inputs = [each.split(" | ") for each in _native.functions()[name]["inputs"]]
    if "text" in inputs[0]:
        with pytest.raises(UserError, match="UTF-8"):
            _native.evaluate(name, [[b"\xf8"], *([VALUES[each[0]] for each in inputs[1:]])], {})


def test_any_number_of_the_last_input() -> None:
    signature = functions.Signature("f", ("text", "json | text", "..."), "json", is_native=False)
    for types in (["text"], ["text", "json"], ["text", "text", "json", "json"]):
        signature.check(types, op="op")
    for types in ([], ["json"], ["text", "int64"], ["text", "json", "double"]):
        with pytest.raises(InternalError):
            signature.check(types, op="op")


class _Ratio(Filter, name="ratio_of_one_filter", is_listed=False):
    """Keep by a ratio of nothing."""

    def stats(self) -> dict[str, Expr]:
        return {"ratio": call("ratio", call("text_length", col("text")))}


class _Copy(Mapper, name="copy_mapper", is_listed=False):
    """Copy a field of any type."""

    def assign(self) -> dict[str, Expr]:
        return {"copy": field("meta")}


def test_an_op_with_a_wrong_call_is_refused_when_it_is_planned() -> None:
    with pytest.raises(InternalError, match="ratio_of_one_filter: the function 'ratio' takes 2 arguments, got 1"):
        build_plan([_Ratio()])


@pytest.mark.parametrize("value", [{"A": 1}, [1, "x"], 3, None, True, "text"])
def test_a_field_of_any_type_is_assigned_as_it_is(value: object, tmp_path: Path) -> None:
    row = {"text": "t", "meta": value}
    assert djfast.Dataset.from_list([row]).process(_Copy()).to_list() == [{**row, "copy": value}]
    (tmp_path / "in.jsonl").write_text(json.dumps(row) + "\n")
    assert djfast.Dataset.from_jsonl(tmp_path / "in.jsonl").process(_Copy()).to_list() == [{**row, "copy": value}]


def _batch(rows: int) -> tuple[_native.Batch, Compute]:
    batch = _native.batch_of_texts([["x"] * rows], rows, 2)
    return batch, Compute(1, "made_up", (0,), (), 0, native=False, type="text")


@pytest.mark.parametrize("answers", [[], ["a"], ["a"] * 5])
def test_a_batch_function_must_answer_for_each_row(answers: list[str]) -> None:
    from djfast.plan.bind import BatchStep

    batch, step = _batch(4)
    with pytest.raises(InternalError, match=f"'made_up' must give an answer for each of 4 rows, got {len(answers)}"):
        BatchStep(step, lambda texts: answers).run(batch)


@pytest.mark.parametrize("extra", [-1, 1])
def test_a_function_that_rewrites_batches_must_answer_for_each_row(extra: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from djfast.plan import bind
    from djfast.plan.steps import Rewrite

    monkeypatch.setattr(functions, "bind", lambda name, params: lambda rows: ([*rows, {}])[: len(rows) + extra])
    monkeypatch.setattr(functions, "takes_batches", lambda name: True)
    rewrite = bind._bound_rewrite(Rewrite("made_up", (), 0, has_side=False), "op")
    with pytest.raises(InternalError, match=f"'made_up' must give an answer for each of 4 rows, got {4 + extra}"):
        rewrite([{}] * 4, None)


def test_answers_of_another_type_reject_their_rows() -> None:
    from djfast.plan.bind import BatchStep

    answers = ["good", 3, None, b"bytes", "\ud800", "größe"]
    batch, step = _batch(len(answers))
    BatchStep(step, lambda texts: answers).run(batch)
    assert batch.alive == [0, 5]
    assert batch.values(1) == ["good", "größe"]
    assert [reason for _, _, _, reason, _ in batch.rejections] == [
        "the answer must be a string, got integer",
        "the answer must be a string, got null",
        "the answer must be a string, got bytes",
        "the answer contains a lone surrogate, which is not a Unicode character",
    ]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("int64", [3, True], [1 << 63, "3", None, 2.5]),
        ("double", [2.5, 3], ["x", None]),
        ("text_list", [["a"], ()], ["a", [1], ["\ud800"], None]),
        ("json", ["{}", "", " [1, null] ", '"x"'], ["{", "no", '{"a": 1}\n', "\ud800", 5, "[1] [2]"]),
    ],
)
def test_values_are_checked_where_they_enter(kind: str, good: list, bad: list) -> None:
    values = [*good, *bad]
    batch = _native.batch_of_texts([], len(values), 1)
    wrong = batch.set_values(0, kind, list(range(len(values))), values)
    assert [row for row, _ in wrong] == list(range(len(good), len(values)))


def test_values_of_rows_that_are_not_there_are_refused() -> None:
    batch = _native.batch_of_texts([], 3, 1)
    for rows, values in (([3], ["a"]), ([1, 0], ["a", "b"]), ([0], []), ([0, 0], ["a", "b"])):
        with pytest.raises(InternalError):
            batch.set_values(0, "text", rows, values)


def test_masks_and_line_ends_are_checked() -> None:
    for arguments in ((b"a\n", b"\x02" + bytes(7), b"\1", 1 << 63), (b"a\n", b"\x02" + bytes(6), b"\1", 0)):
        with pytest.raises(InternalError):
            _native.select_lines(*arguments)
    with pytest.raises(InternalError):
        _native.LinePool([(b"a\n", b"\x02" + bytes(6))])


def test_rejecting_many_rows_is_linear(tmp_path: Path) -> None:
    import time

    count = 200_000
    batch = _native.batch_of_texts([], count, 1)
    began = time.process_time()
    batch.reject([(row, "bad") for row in reversed(range(count))] + [(0, "twice")], 0)
    assert time.process_time() - began < 2  # it took 9 s
    assert batch.alive == []
    assert [row for row, _, _, reason, _ in batch.rejections if reason == "bad"] == list(range(count))


def test_a_damaged_model_is_one_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_JUICER_EXTERNAL_MODELS_HOME", str(tmp_path))
    (tmp_path / "lid.176.bin").write_bytes(b"not a model")
    (tmp_path / "in.jsonl").write_text('{"text": "x"}\n')
    recipe = {
        "dataset_path": str(tmp_path / "in.jsonl"),
        "export_path": str(tmp_path / "out.jsonl"),
        "process": ["language_id_score_filter"],
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    assert main(["run", str(tmp_path / "recipe.yaml")]) == 1
    said = capsys.readouterr().err
    assert "lid.176.bin: not a fastText model file" in said
    assert "Traceback" not in said
