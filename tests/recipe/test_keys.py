from pathlib import Path
from typing import Any

import pytest

from djfast.errors import RecipeError
from djfast.recipe.keys import KEYS, NO_EFFECT, REFUSED, USED
from djfast.recipe.load import load_recipe

# Another value than the default for every type.
OTHER = {"int": 7, "float": 0.25, "str": "other", "dict": {"a": 1}, "list": ["other"], "any": {"a": 1}}


OTHER_OF = {
    "generated_dataset_config": {"type": "EmptyFormatter", "length": 1},
    "validators": [{"type": "swift_messages"}],
}


def other_value(key):
    if key.name in OTHER_OF:
        return OTHER_OF[key.name]
    if key.choices:
        return next(choice for choice in key.choices if choice != key.default)
    if key.type.startswith("bool"):
        return not key.default
    member = key.type.split(" | ")[0]
    if member == "list[dict]":
        return [{"a": 1}]
    if member == "list[float]":
        return [0.25]
    return OTHER["list" if member.startswith("list") else member]


def recipe_with(name, value):
    group, dot, inner = name.partition(".")
    return {group: {inner: value}} if dot else {name: value}


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_a_key_is_declared_completely(key):
    assert key.doc.endswith(".")
    assert key.treatment in (USED, NO_EFFECT, REFUSED)
    assert bool(key.reason) == (key.treatment != USED)
    assert not key.reason.endswith(".")
    assert key.check(key.default) == key.default


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_the_default_passes_in_silence(key):

    value = {"process": ["clean_email_mapper"]}.get(key.name, key.default)
    recipe = load_recipe({"process": ["clean_email_mapper"], **recipe_with(key.name, value)})
    assert recipe.notices == ()


@pytest.mark.parametrize("key", [k for k in KEYS.values() if k.treatment == NO_EFFECT], ids=lambda key: key.name)
def test_a_key_without_effect_is_remarked(key):

    recipe = load_recipe({"process": ["clean_email_mapper"], **recipe_with(key.name, other_value(key))})
    assert recipe.notices == (f"recipe: {key.name} has no effect: {key.reason}",)
    assert recipe.settings == load_recipe({"process": ["clean_email_mapper"]}).settings


@pytest.mark.parametrize("key", [k for k in KEYS.values() if k.treatment == REFUSED], ids=lambda key: key.name)
def test_a_refused_key_is_an_error(key):

    with pytest.raises(RecipeError) as raised:
        load_recipe(recipe_with(key.name, other_value(key)))
    assert str(raised.value).startswith(f"recipe: {key.name} cannot be used here: {key.reason}")


@pytest.mark.parametrize(
    "key",
    [k for k in KEYS.values() if k.treatment == USED and k.name not in ("process", "dataset", "custom_operator_paths")],
    ids=lambda key: key.name,
)
def test_a_used_key_reaches_the_settings(key):

    special = {
        "export_path": "x.json",
        "batch_bytes": 8192,
        "memory": 2**30,
        "zst_window": 2**30,
        "export_extra_args": {"compression": "none"},
        "export_aws_credentials": {"anon": True},
    }
    value = special.get(key.name, other_value(key))
    with_format = {"export_type": "parquet"} if key.name == "export_extra_args" else {}
    settings = load_recipe({**with_format, **recipe_with(key.name, value)}).settings
    expected = {"text_keys": ["other"], "suffixes": [".other"]}.get(key.name, value)
    assert settings[key.name] == expected


def test_hyphens_are_underscores():

    assert load_recipe({"text-keys": "body", "process": []}).settings["text_key"] == "body"


@pytest.mark.parametrize(
    "wrong",
    [
        {"work_dir": "a\0b"},
        {"export_path": "a\0.jsonl"},
        {"local_roots": ["ok", "a\0b"]},
        {"process": [{"download_file_mapper": {"download_field": "u", "save_dir": "a\0b"}}]},
        {"process": [{"text_length_filter": {"stats_export_path": "\0"}}]},
        {"process": [{"stopwords_filter": {"stopwords_dir": "a\0"}}]},
    ],
)
def test_no_path_holds_what_no_system_has_in_a_path(wrong: dict[str, Any], tmp_path: Path) -> None:
    recipe = {"dataset_path": str(tmp_path / "in.jsonl"), "export_path": str(tmp_path / "out.jsonl"), "process": [], **wrong}
    keys = "work_dir|export_path|local_roots|save_dir|stats_export_path|stopwords_dir"
    with pytest.raises(RecipeError, match=f"({keys}): a path must not hold"):
        load_recipe(recipe)
