"""What a recipe asks of its input is looked at before the run, and all that is wrong is said at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import OutputError, RecipeError, SchemaError
from djfast.ranks.alone import Alone
from djfast.recipe.load import load_recipe
from djfast.runners.job.runner import Job
from djfast.runners.job.stopping import Stopping
from djfast.runners.progress import Progress


def problems(tmp_path: Path, validators: list[Any], *sources: list[Any]) -> list[str]:
    paths = []
    for number, rows in enumerate(sources):
        path = tmp_path / f"{number}.jsonl"
        path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        paths.append(str(path))
    recipe = {
        "dataset_path": " ".join(paths),
        "export_path": str(tmp_path / "out.jsonl"),
        "validators": validators,
        "process": [{"general": None}] if not paths else [],
        "text_keys": "text",
    }
    said = []
    for run in (
        djfast.run,
        lambda recipe: Job(
            load_recipe({**recipe, "work_dir": str(tmp_path / "job")}),
            Alone(),
            progress=Progress(is_quiet=True),
            stopping=Stopping(),
        ).run(),
    ):
        try:
            run(recipe)
            said.append([])
        except SchemaError as error:
            said.append(str(error).replace(f"{tmp_path}/", "").splitlines())
    assert said[0] == said[1]
    return said[0][1:]


def test_required_fields(tmp_path: Path) -> None:
    good = {"text": "a", "n": 1, "ok": True}
    rows = [good, {"text": "b", "n": None}, "broken", {"text": "c", "n": True, "ok": 1}, "", {"text": "d", "ok": False}]
    validator = {
        "type": "required_fields",
        "required_fields": ["n", "ok"],
        "allow_missing": 0.25,
        "field_types": {"n": "int", "text": str, "ok": "bool"},
    }
    assert problems(tmp_path, [validator], [good] * 3, rows) == [
        "1.jsonl: required_fields: field 'n' is wrong in 2 of the first 4 rows, allowed are 25%: 1.jsonl:2 is null; "
        "1.jsonl:6 is missing",
        "1.jsonl: required_fields: type of field 'n' is wrong in 1 of the first 4 rows: 1.jsonl:4 must be int, got boolean",
        "1.jsonl: required_fields: type of field 'ok' is wrong in 1 of the first 4 rows: 1.jsonl:4 must be bool, got integer",
    ]


def test_only_the_first_rows_are_looked_at(tmp_path: Path) -> None:
    validator = {"type": "required_fields", "required_fields": ["n"], "sample_size": 2}
    assert problems(tmp_path, [validator], [{"text": "a", "n": 1}] * 2 + [{"text": "a"}]) == []
    [line] = problems(tmp_path, [{**validator, "sample_size": 1000}], [{"text": "a"}] * 900)
    assert line.endswith(
        "wrong in 900 of the first 900 rows: 0.jsonl:1 is missing; 0.jsonl:2 is missing; 0.jsonl:3 is missing; ..."
    )


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([{"role": "system", "content": ""}, {"role": "user", "content": "q"}], None),
        (None, "must be a list, got null"),
        ([], "must have 1 to 2 turns, got 0"),
        ([{"role": "user", "content": "q"}] * 3, "must have 1 to 2 turns, got 3"),
        (["text"], "message 0 must be a mapping, got string"),
        ([{"role": "bot", "content": "q"}], "message 0 must have a role of system, user, assistant, got 'bot'"),
        ([{"role": "user", "content": None}], "message 0 must have a content, got none"),
    ],
)
def test_swift_messages(tmp_path: Path, messages: Any, problem: str | None) -> None:
    row = {"text": "t", "messages": messages}
    found = problems(tmp_path, [{"type": "swift_messages", "max_turns": 2}], [row])
    where = "0.jsonl: swift_messages: field 'messages' is wrong in 1 of the first 1 rows: 0.jsonl:1 "
    assert found == ([] if problem is None else [where + problem])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"system": "s", "history": [["q", "r"]]}, None),
        ({"query": 1}, "query must be a string, got integer"),
        ({"system": 1}, "system must be a string, got integer"),
        ({"history": "h"}, "history must be a list, got string"),
        ({"history": [["q"]]}, "history must hold pairs of strings, turn 0 is none"),
        ({"history": [["q", "r"]] * 3}, "must have 1 to 3 turns, got 4"),
    ],
)
def test_conversations(tmp_path: Path, change: dict[str, Any], problem: str | None) -> None:
    row = {"text": "t", "instruction": "", "query": "q", "response": "r", **change}
    found = problems(tmp_path, [{"type": "dj_conversation", "max_turns": 3}, {"type": "code"}], [row])
    where = "0.jsonl: dj_conversation: conversation is wrong in 1 of the first 1 rows: 0.jsonl:1 "
    assert found == ([] if problem is None else [where + problem])


@pytest.mark.parametrize(
    ("validator", "message"),
    [
        ({}, "validators.0 must have a type of required_fields, swift_messages, dj_conversation, code, got None"),
        ({"type": "code", "min_turns": 1}, "validators.0 has no such key, got 'min_turns'"),
        ({"type": "required_fields"}, "validators.0 needs a list of names as required_fields, got None"),
        (
            {"type": "required_fields", "required_fields": ["a"], "field_types": {"a": "text"}},
            "validators.0 must have types out of str, int, float, bool, list, dict in field_types, got 'text'",
        ),
        ({"type": "swift_messages", "sample_size": 0}, "an integer of at least 1 as sample_size, got 0"),
        ({"type": "swift_messages", "min_turns": 5, "max_turns": 4}, r"max_turns >= min_turns \(5\), got 4"),
    ],
)
def test_a_wrong_validator_is_said_when_the_recipe_is_loaded(validator: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe({"validators": [validator], "process": []})


def test_tables_are_checked_too(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,n\na,1\nb,\n")
    recipe = {
        "dataset_path": str(tmp_path / "a.csv"),
        "export_path": str(tmp_path / "out.jsonl"),
        "validators": [{"type": "required_fields", "required_fields": ["text", "n"], "field_types": {"n": "str"}}],
        "process": [],
    }
    said = r"(?s)field 'n' is wrong in 1 of the first 2.*a\.csv:2 is null.*must be str, got integer"
    with pytest.raises(SchemaError, match=said):
        djfast.run(recipe)


@pytest.mark.parametrize("key", ["work_dir", "export_path"])
def test_places_are_looked_at_before_rows(tmp_path: Path, key: str) -> None:
    (tmp_path / "in.jsonl").write_text("{}\n")
    (tmp_path / "file").write_text("")
    recipe = {
        "dataset_path": str(tmp_path / "in.jsonl"),
        "export_path": str(tmp_path / "out.jsonl"),
        "validators": [{"type": "required_fields", "required_fields": ["text"]}],
    }
    with pytest.raises(OutputError, match=rf"(Not a directory|no folder); choose another .*{key}"):
        djfast.run({**recipe, key: str(tmp_path / "file" / "o.jsonl")})


@pytest.mark.parametrize("kind", [["str"], {"a": 1}, 5, None, "strng"])
def test_types_of_fields_are_names_of_types(tmp_path: Path, kind: object) -> None:
    validator = {"type": "required_fields", "required_fields": ["text"], "field_types": {"text": kind}}
    recipe = {"dataset_path": str(tmp_path), "export_path": str(tmp_path / "out.jsonl"), "validators": [validator]}
    with pytest.raises(RecipeError, match="must have types out of str, int, float, bool, list, dict in field_types, got "):
        djfast.run(recipe)
