import json
from pathlib import Path

import pytest

from djfast.errors import RecipeError
from djfast.ops.text.lengths import TextLengthFilter
from djfast.recipe import load_recipe

RECIPE = """\
project_name: demo
dataset_path: in.jsonl
export_path: out/result.jsonl
np: 2
process:
  - clean_email_mapper:
  - text_length_filter:
      min_len: 5
      max_len: 9223372036854775807
  - words_num_filter: {min_num: 1e1}
  - document_deduplicator
"""


def test_a_recipe_becomes_settings_and_ops(load):
    recipe = load(RECIPE)

    assert recipe.source == "recipe.yaml"
    assert [op.spec.name for op in recipe.ops] == [
        "clean_email_mapper", "text_length_filter", "words_num_filter", "document_deduplicator",
    ]  # fmt: skip
    assert recipe.op_lines == (6, 7, 10, 11)
    assert recipe.ops[1] == TextLengthFilter(min_len=5, max_len=2**63 - 1)
    assert recipe.ops[2].min_num == 10
    assert recipe.settings["np"] == 2
    assert recipe.settings["inputs"] == ["in.jsonl"]
    assert recipe.settings["export_format"] == "jsonl"
    assert recipe.settings["work_dir"] == "out"
    assert recipe.settings["text_key"] == "text"
    assert recipe.settings["batch_bytes"] == 2**20
    assert recipe.notices == ()


def test_json_is_a_recipe_too(load):
    recipe = load('{"export_path": "x.parquet", "process": [{"text_length_filter": {"min_len": 3}}]}')

    assert recipe.settings["export_format"] == "parquet"
    assert recipe.ops == (TextLengthFilter(min_len=3),)


def test_a_mapping_is_a_recipe_too():
    recipe = load_recipe({"np": 3, "process": ["clean_email_mapper", {"text_length_filter": None}]}, ["np=5"])

    assert recipe.source is None
    assert recipe.settings["np"] == 5
    assert recipe.op_lines == (None, None)


def test_a_mapping_is_checked_like_a_file_and_not_changed():
    given = {"np": 0, "process": [{"text_length_filter": {"min_len": -1}}]}
    with pytest.raises(RecipeError) as raised:
        load_recipe(given, ["process.0.max_len=3"])

    assert str(raised.value).splitlines() == [
        "recipe: np must be >= 1, got 0",
        "process.0: text_length_filter: min_len must be >= 0, got -1",
    ]
    assert given == {"np": 0, "process": [{"text_length_filter": {"min_len": -1}}]}


def test_the_resolved_recipe_is_json_and_loads_to_the_same(load):
    recipe = load(
        RECIPE + "  - clean_links_mapper: {pattern: '$${NAME} ${HOST:-x}', repl: y}\nmax_errors: 0.25\n", environment={}
    )

    again = load_recipe(json.loads(json.dumps(recipe.text)), environment={})

    assert recipe.ops[-1].pattern == "${NAME} x"
    assert again.ops == recipe.ops
    assert again.settings == recipe.settings
    assert again.text == recipe.text


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(RecipeError, match=r"the recipe cannot be read: No such file or directory, got '.*none\.yaml'"):
        load_recipe(tmp_path / "none.yaml")


def test_an_empty_process_is_remarked(load):
    assert load("np: 1\nprocess: []\n").notices == ("recipe.yaml:2: process is empty, so rows are only copied",)
    assert load("process:\n").ops == ()


def test_parameters_without_effect_are_remarked(load):
    recipe = load("process:\n  - text_length_filter:\n      num_proc: 8\n      turbo: false\n")

    assert recipe.notices == (
        "recipe.yaml:3: text_length_filter: num_proc has no effect: threads of one process take batches from one queue",
    )


def test_a_stat_taken_over_from_another_op_is_remarked(load):
    recipe = load(
        "process:\n"
        "  - character_repetition_filter: {rep_len: 3}\n"
        "  - alphanumeric_filter:\n"
        "  - character_repetition_filter: {rep_len: 5}\n"
        "  - alphanumeric_filter: {tokenization: true}\n"
        "  - clean_email_mapper:\n"
        "  - alphanumeric_filter: {min_ratio: 0.5}\n"
    )

    assert recipe.notices == (
        "recipe.yaml:4: character_repetition_filter: char_rep_ratio is taken over from recipe.yaml:2, although its "
        "parameters differ since",
        "recipe.yaml:7: alphanumeric_filter: alnum_ratio is taken over from recipe.yaml:3, although the text may have "
        "changed since",
    )


def test_merge_keys_and_anchors_work(load):
    recipe = load(
        "process:\n"
        "  - text_length_filter: &limits {min_len: 3, max_len: 9}\n"
        "  - average_line_length_filter: {<<: *limits, max_len: 7}\n"
    )

    assert (recipe.ops[1].min_len, recipe.ops[1].max_len) == (3, 7)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1e3", 1000), ("+1E+3", 1000), ("1_000", 1000), ("0x10", 16), (".5e1", 5), ("null", None), ("~", None)],
)
def test_numbers_are_read_as_people_write_them(load, text, expected):
    assert load(f"process:\n- text_length_filter: {{min_len: 0, max_len: {text}}}").ops[0].max_len == expected


def test_quoted_numbers_stay_texts(problems):
    assert problems("np: '4'\nprocess: []") == ["recipe.yaml:1: np must be an integer or auto, got '4'"]


def test_dates_stay_texts(load):
    assert load("project_name: 2024-01-31").settings["project_name"] == "2024-01-31"


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("export_shard_size: 256MiB", "export_shard_size", 256 * 2**20),
        ("export_shard_size: 1.5 GB", "export_shard_size", 1_500_000_000),
        ("export_shard_size: 4096", "export_shard_size", 4096),
        ("batch_bytes: 4MiB", "batch_bytes", 4 * 2**20),
        ("max_errors: 0.5", "max_errors", 0.5),
        ("max_errors: 7", "max_errors", 7),
        ("suffixes: JSONL", "suffixes", [".jsonl"]),
        ("suffixes: [.jsonl, json]", "suffixes", [".jsonl", ".json"]),
        ("text_keys: [a, b]", "text_key", "a"),
        ("text_keys: a", "text_keys", ["a"]),
        ("dataset_path: 1.0 a.jsonl 1 'b c.jsonl'", "inputs", ["a.jsonl", "b c.jsonl"]),
        ("dataset: {configs: [{type: local, path: a.jsonl}, {path: [b.jsonl, 'c*.jsonl']}]}", "inputs",
         ["a.jsonl", "b.jsonl", "c*.jsonl"]),
        ("export_path: a/b.JSON", "export_format", "json"),
        ("export_path: b.jsonl.zst", "export_format", "jsonl"),
        ("{export_path: b, export_type: parquet}", "export_format", "parquet"),
        ("work_dir: elsewhere", "work_dir", "elsewhere"),
        ("export_path: b.json", "work_dir", "."),
    ],
)  # fmt: skip
def test_settings_are_resolved(load, line, key, value):
    resolved = load(line).settings[key]
    assert resolved == value
    assert type(resolved) is type(value)


def test_a_path_with_spaces_that_exists_is_one_path(load):
    Path("my data.jsonl").write_text("")
    assert load("dataset_path: my data.jsonl").settings["inputs"] == ["my data.jsonl"]
