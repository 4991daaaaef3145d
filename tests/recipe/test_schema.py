import json

import jsonschema
import pytest
import yaml

from djfast import catalog
from djfast.errors import RecipeError
from djfast.recipe import load_recipe
from djfast.recipe.keys import KEYS
from djfast.recipe.schema import recipe_schema

SCHEMA = recipe_schema()
NAMES = catalog.names()  # before other tests add OPs of their own
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

GOOD = [
    "process: []",
    "{project_name: x, np: 8, text_keys: [a, b], export_shard_size: 4MiB, max_errors: 0.5, export_path: x.parquet}",
    "process: [text_length_filter, {clean_email_mapper: null}, {words_num_filter: {min_num: 3, num_proc: 2}}]",
    "process: [{general_fused_op: {fused_op_list: [text_length_filter, {words_num_filter: {min_num: 3}}]}}]",
    "process: [{language_id_score_filter: {lang: [en, de]}}, {document_minhash_deduplicator: {hash: fast}}]",
    "{checkpoint: {n_ops: 3}, executor_type: ray, open_tracer: true}",
    "{dataset: {configs: [{type: local, path: a.jsonl}]}, export_type: json}",
    "np: ${THREADS:-3}",
    "{export_path: x.tar, export_extra_args: {field_mapping: {txt: text}}, export_shard_rows: 5}",
    "{export_path: 's3://bucket/x.csv.gz', export_aws_credentials: {anon: true}}",
]
BAD = [
    "np: 0",
    "np: four",
    "nq: 4",
    "export_type: docx",
    "encrypt_before_export: true",
    "batch_bytes: 4 miles",
    "checkpoint: {n_op: 3}",
    "process: {}",
    "process: [no_such_op]",
    "process: [{general_fused_op: {fused_op_list: [no_such_op]}}]",
    "process: [{no_such_op: null}]",
    "process: [{text_length_filter: {min_len: -1}}]",
    "process: [{text_length_filter: {min_lne: 1}}]",
    "process: [{text_length_filter: 5}]",
    "process: [{text_length_filter: null, words_num_filter: null}]",
    "process: [{document_minhash_deduplicator: {tokenization: words}}]",
    "process: [{stopwords_filter: {words_aug_group_sizes: [x]}}]",
]


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_it_is_json():
    assert json.loads(json.dumps(SCHEMA, allow_nan=False)) == SCHEMA


@pytest.mark.parametrize("text", GOOD)
def test_what_loads_fits_the_schema(text):
    recipe = yaml.safe_load(text)
    VALIDATOR.validate(recipe)
    if "${" not in text:  # Python values are not scalars of a file, only those are numbers after interpolation
        load_recipe(recipe)


@pytest.mark.parametrize("text", BAD)
def test_what_does_not_load_does_not_fit(text):
    recipe = yaml.safe_load(text)
    assert not VALIDATOR.is_valid(recipe)
    with pytest.raises(RecipeError):
        load_recipe(recipe)


def test_resolved_recipes_fit_the_schema():
    recipe = load_recipe({**yaml.safe_load(GOOD[2]), "rules": {"order_filters": False}})
    VALIDATOR.validate(recipe.text)
    assert load_recipe(dict(recipe.text)).settings["without_rules"] == ["order_filters"]


def test_every_key_and_op_is_described():
    names = {name.partition(".")[0] for name in KEYS}
    assert set(SCHEMA["properties"]) == names
    for name in NAMES:
        op = SCHEMA["$defs"][name]
        assert op["description"]
        for parameter in op["properties"][name]["properties"].values():
            place = parameter.get("$ref", "").removeprefix("#/$defs/")
            described = SCHEMA["$defs"][place] if place else parameter
            assert described["description"].endswith(".")


def test_what_many_ops_have_stands_there_once():
    """Editors load the schema with each file, and find the text to show behind the reference."""
    assert len(json.dumps(SCHEMA, indent=1)) < 800_000
    parameters = [each for name in NAMES for each in SCHEMA["$defs"][name]["properties"][name]["properties"].values()]
    used = {each["$ref"] for each in parameters if "$ref" in each}
    assert used == {f"#/$defs/{name}" for name in SCHEMA["$defs"] if name.startswith("parameter.")}
