"""Names of OPs, parameters and keys that earlier releases of Data-Juicer had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast import catalog, former_names
from djfast.errors import RecipeError
from djfast.recipe.load import Recipe, load_recipe

_NEEDED = {"extract_entity_attribute_mapper": {"query_entities": ["a"], "query_attributes": ["b"]}}


def loaded(process: list[Any], **keys: Any) -> Recipe:
    return load_recipe({"process": process, **keys})


@pytest.mark.parametrize("name", [name for name in former_names.OPS if not name.startswith(("video", "face"))])
def test_a_former_name_of_an_op_stands_for_todays(name: str) -> None:
    now = former_names.OPS[name]
    needed = {"entity": "Ann", "query_entity_type": "person", "input_key": "meta.x", "output_key": "meta.y"}
    recipe = loaded([{name: needed}])
    assert recipe.ops == loaded([{now: needed}]).ops == tuple(djfast.load_ops([{name: needed}]))
    assert recipe.notices == (f"process.0: {name} is the former name of {now}",)


def test_an_override_finds_an_op_by_either_name() -> None:
    former, now = "most_relavant_entities_aggregator", "most_relevant_entities_aggregator"
    needed = {"entity": "Ann", "query_entity_type": "person", "input_key": "meta.x", "output_key": "meta.y"}
    for written, given in ((former, now), (now, former), (former, former)):
        recipe = load_recipe({"process": [{written: needed}]}, [f"{given}.entity=Bob"])
        assert recipe.ops[0].entity == "Bob"  # type: ignore[attr-defined]


def test_the_successor_of_a_missing_op_is_named_as_missing() -> None:
    with pytest.raises(RecipeError, match="video_camera_pose_megasam_mapper is an OP of Data-Juicer"):
        loaded(["video_camera_pose_mapper"])


@pytest.mark.parametrize("name", former_names.GONE_OPS)
def test_an_op_without_a_successor_is_an_error_that_names_the_nearest(name: str) -> None:
    with pytest.raises(RecipeError, match=f"{name} is gone since .*; {former_names.GONE_OPS[name]} comes nearest"):
        loaded([name])
    assert former_names.GONE_OPS[name] in catalog.names()


@pytest.mark.parametrize(("op", "name"), former_names._RENAMED)
def test_a_former_parameter_stands_for_todays(op: str, name: str) -> None:
    now = former_names._RENAMED[op, name]
    recipe = loaded([{op: {name: "other"}}])
    assert getattr(recipe.ops[0], now) == "other"
    assert recipe.ops == loaded([{op: {now: "other"}}]).ops == tuple(djfast.load_ops([{op: {name: "other"}}]))
    assert f"process.0: {op}: {name} is the former name of {now}" in recipe.notices
    both = loaded([{op: {name: "other", now: "this"}}])
    assert getattr(both.ops[0], now) == "this"
    assert f"process.0: {op}: {name} has no effect: it is the former name of {now}, which is given too" in both.notices


@pytest.mark.parametrize(("op", "name"), [*former_names._WITHOUT_EFFECT, ("text_length_filter", "image_special_token")])
def test_a_parameter_without_effect_is_remarked(op: str, name: str) -> None:
    recipe = loaded([{op: {**_NEEDED.get(op, {}), name: 5}}])
    assert recipe.ops == loaded([{op: _NEEDED.get(op)}]).ops
    assert any(notice.startswith(f"process.0: {op}: {name} has no effect: ") for notice in recipe.notices)


def test_former_names_are_not_those_of_today() -> None:
    """Else they would hide what a recipe says."""
    assert not former_names.OPS.keys() & set(catalog.names())
    for op, name in [*former_names._RENAMED, *former_names._WITHOUT_EFFECT]:
        assert name not in {param.name for param in catalog.find(op).params}
    for (op, _), now in former_names._RENAMED.items():
        assert now in {param.name for param in catalog.find(op).params}


def test_names_that_never_were_stay_errors() -> None:
    for process in ([{"clean_links_mapper": {"min_link": 0}}], [{"text_length_filter": {"min_links": 0}}]):
        with pytest.raises(RecipeError, match="no such parameter"):
            loaded(process)
        with pytest.raises(RecipeError, match="no such parameter"):
            djfast.load_ops(process)


def test_without_strict_checks_an_unknown_parameter_has_no_effect() -> None:
    recipe = loaded([{"text_length_filter": {"min_lem": 3, "max_len": 99}}], strict_preflight=False)
    assert recipe.ops == loaded([{"text_length_filter": {"max_len": 99}}]).ops
    assert recipe.notices == (
        "process.0: min_lem has no effect: text_length_filter has no such parameter (did you mean 'min_len'?)",
    )
    with pytest.raises(RecipeError, match="min_len must be"):
        loaded([{"text_length_filter": {"min_len": "x"}}], strict_preflight=False)


RECIPE = """
work_dir: "{folder}/work/{{job_id}}"
export_path: '{{work_dir}}/kept.jsonl'
dataset_path: '{folder}/in.jsonl'
executor_type: ray_partitioned
partition: {{auto_configure: false, size: 50, max_size_mb: 64, max_retries: 3}}
checkpoint: {{strategy: every_op}}
intermediate_storage: {{format: parquet, write_partitions: false, cleanup_on_success: false}}
event_logging: {{enabled: true, max_log_size_mb: 100, backup_count: 5}}
resource_optimization.auto_configure: true
process:
  - clean_links_mapper: {{text_key: text, min_links: 0, max_links: 10}}
  - clean_email_mapper: {{text_key: text, min_emails: 0, max_emails: 5}}
  - text_length_filter: {{text_key: text, min_len: 5, max_len: 2e3}}
  - ray_bts_minhash_deduplicator: {{tokenization: character, use_gpu: true, minhash_batch_size: 50_000}}
"""


@pytest.mark.parametrize(
    ("keys", "folder"), [({}, "work"), ({"job_id": "first"}, "work/first"), ({"work_dir": "other/{job_id}/"}, "other")]
)
def test_a_recipe_for_an_earlier_release_runs(
    keys: dict[str, str], folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"text": "see https://a.example/b for more"}, {"text": "short"}, {"text": "mail to a@b.example now"}, {"text": "no"}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "r.yaml").write_text(RECIPE.format(folder=tmp_path))
    djfast.run(str(tmp_path / "r.yaml"), **keys)
    kept = [json.loads(line)["text"] for line in (tmp_path / folder / "kept.jsonl").read_text().splitlines()]
    assert kept == ["see  for more", "short", "mail to  now"]
    assert not list(tmp_path.rglob("*{*"))


def test_a_path_that_names_a_missing_folder_is_an_error() -> None:
    with pytest.raises(RecipeError, match=r"export_path needs a work_dir in place of \{work_dir\}"):
        loaded([], export_path="{work_dir}/x.jsonl")
    assert loaded([], export_path="{other}/x.jsonl").settings["export_path"] == "{other}/x.jsonl"
