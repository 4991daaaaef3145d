"""Forms that recipes of Data-Juicer have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import ModelError, RecipeError
from djfast.models.word_lists import word_list_files
from djfast.recipe.load import load_recipe


@pytest.mark.parametrize(
    ("op", "params"),
    [
        ("pii_redaction_mapper", {"messages_key": None}),
        ("pii_llm_suspect_mapper", {"messages_key": None}),
        ("dialog_sentiment_intensity_mapper", {"intensities_key": None, "analysis_key": None}),
        ("dialog_intent_detection_mapper", {"labels_key": None, "analysis_key": None}),
        ("dialog_topic_detection_mapper", {"labels_key": None}),
        ("dialog_sentiment_detection_mapper", {"analysis_key": None}),
        (
            "ray_bts_minhash_deduplicator",
            {
                "union_threshold": None, "max_pending_edge_buffer_task": None, "num_edge_buffer_task_returns": None,
                "max_pending_filter_tasks": None, "num_filter_task_returns": None, "merge_batch_size": None,
                "minhash_batch_size": None, "memory_per_sample": None,
            },
        ),
        ("ray_bts_minhash_cpp_deduplicator", {"union_threshold": None, "merge_batch_size": None}),
    ],
)  # fmt: skip
def test_null_stands_for_what_is_usual(op: str, params: dict[str, Any]) -> None:
    [made] = djfast.load_ops([{op: params}])
    if op.startswith("dialog_"):
        [usual] = djfast.load_ops([op])
        assert made.tags().keys() == usual.tags().keys()


def test_without_a_key_no_messages_are_redacted() -> None:
    row = {"text": "mail a@example.com", "messages": [{"role": "user", "content": "mail a@example.com"}]}
    for key, content in ((None, "mail a@example.com"), ("messages", "mail [EMAIL_REDACTED]")):
        [op] = djfast.load_ops([{"pii_redaction_mapper": {"messages_key": key}}])
        [got] = djfast.Dataset.from_list([row]).process(op).to_list()
        assert got == {"text": "mail [EMAIL_REDACTED]", "messages": [{"role": "user", "content": content}]}


def recipe(text: str, folder: Path, **environment: str) -> Any:
    path = folder / "r.yaml"
    path.write_text(f"dataset_path: x.jsonl\nexport_path: {folder}/o.jsonl\n{text}\n")
    return load_recipe(path, environment={"DJFAST_RECIPE_ENV": "ML A B", **environment})


@pytest.mark.parametrize(
    "form",
    [
        "process: [text_length_filter: {min_len: ${ML:-5}}]",
        "process: [text_length_filter: {min_len: '${ML:-5}', max_len: 99}]",
        'process: [{text_length_filter: {max_len: 99, min_len: "${oc.env:ML,5}"}}]',
        "process:\n  - text_length_filter: {min_len: ${oc.env:ML, 5}}",
        'process:\n  - text_length_filter:\n      min_len: "${ML:-5}"',
    ],
)
@pytest.mark.parametrize(("environment", "length"), [({}, 5), ({"ML": "12"}, 12)])
def test_variables_stand_anywhere(form: str, environment: dict[str, str], length: int, tmp_path: Path) -> None:
    assert recipe(form, tmp_path, **environment).ops[0].min_len == length


def test_braces_that_are_no_reference_stay_what_they_are(tmp_path: Path) -> None:
    text = "process: [{replace_content_mapper: {pattern: 'a{2}${2},', repl: \"$${A} {B}, ${A:-x, y}\"}}]"
    [op] = recipe(text, tmp_path).ops
    assert (op.pattern, op.repl) == ("a{2}${2},", "${A} {B}, x, y")
    with pytest.raises(RecipeError, match="min_len must be"):
        recipe("process: [text_length_filter: {min_len: '${ML:-five}'}]", tmp_path)
    with pytest.raises(RecipeError, match="min_len must be"):
        recipe("process: [text_length_filter: {min_len: '5'}]", tmp_path)


@pytest.mark.parametrize("value", ["off", "false", "'off'", "no"])
def test_an_answer_cache_is_switched_off_as_yaml_reads_it(value: str, tmp_path: Path) -> None:
    from djfast.llm.run_settings import RunSettings

    assert RunSettings.of(recipe(f"llm_cache: {value}\nprocess: []", tmp_path).settings)[1] in ("off", "no")


def test_validators_may_require_no_fields(tmp_path: Path) -> None:
    checks = recipe("validators: [{type: required_fields, required_fields: []}]\nprocess: []", tmp_path).settings["checks"]
    assert [check.checks for check in checks] == [()]


@pytest.mark.parametrize("dataset", ["dataset_path: -0.5 x.jsonl 1 y.jsonl", "dataset: {configs: [{path: x, weight: -1}]}"])
def test_weights_are_not_negative(dataset: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(f"{dataset}\nexport_path: o.jsonl\nprocess: []\n")
    with pytest.raises(RecipeError, match=r"must have weights of at least 0, got -"):
        load_recipe(tmp_path / "r.yaml")


def test_a_folder_of_word_lists_that_is_not_there_is_the_usual_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    usual = tmp_path / "usual"
    usual.mkdir()
    (usual / "stopwords.json").write_text(json.dumps({"en": ["the"]}))
    monkeypatch.setenv("DATA_JUICER_ASSETS_CACHE", str(usual))
    assert word_list_files("stopwords", "./assets") == [str(usual / "stopwords.json")]
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "stopwords_mine.json").write_text(json.dumps({"en": ["a"]}))
    assert word_list_files("stopwords", "./assets") == ["./assets/stopwords_mine.json"]
    with pytest.raises(ModelError, match=r"no word list.*/nowhere"):
        word_list_files("stopwords", "/nowhere")


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("executor", ["ray", "ray_partitioned"])
def test_ray_writes_to_paths_without_a_suffix(executor: str, slash: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    named = f"export_path: {tmp_path}/out/processed{slash}\nexecutor_type: {executor}"
    path.write_text(f"dataset_path: x.jsonl\n{named}\nprocess: []\n")
    loaded = load_recipe(path)
    assert loaded.settings["export_format"] == "jsonl"
    assert any("export_path has no suffix" in notice for notice in loaded.notices)
    (tmp_path / "x.jsonl").write_text('{"text": "a"}\n')
    djfast.run(path, dataset_path=str(tmp_path / "x.jsonl"))
    assert (tmp_path / "out" / "processed").read_text() == '{"text": "a"}\n'
    path.write_text(f"dataset_path: x.jsonl\nexport_path: {tmp_path}/out/processed\nprocess: []\n")
    with pytest.raises(RecipeError, match="export_path must end in"):
        load_recipe(path)


def test_a_number_to_the_base_8_is_noticed(tmp_path: Path) -> None:
    loaded = recipe("np: 010\nprocess: [text_length_filter: {min_len: 07, max_len: 100}]", tmp_path)
    assert (loaded.settings["np"], loaded.ops[0].min_len) == (8, 7)
    said = [notice.partition(": ")[2] for notice in loaded.notices]
    assert said == [f"YAML reads {text} as a number to the base 8: it is {value}" for text, value in (("010", 8), ("07", 7))]
    assert recipe("np: '${A:-12}'\nprocess: [text_length_filter: {min_len: 0}]", tmp_path).notices == ()
