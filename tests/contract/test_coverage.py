"""How much of Data-Juicer there is: OP names, their parameters with defaults, and its recipes. The number only grows."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from djfast import catalog
from djfast.declare import MISSING
from djfast.errors import MissingExtraError, ModelError, RecipeError
from djfast.peer_names import PEER_NAMES
from djfast.plan.bind import bind_plan
from djfast.recipe.load import load_recipe
from djfast.runners.local import run_recipe
from djfast.runners.planning import plan_recipe
from tests.contract.test_ops import saying
from tests.functions.label_studio import LabelStudioServer

OPS_THAT_EXIST = 132
SPEC = os.environ.get("DJFAST_SPEC", "")
TEXT = ("text", "code")  # beginnings of the modalities whose recipes must work


def _table(name: str) -> list[dict[str, str]]:
    if not SPEC or not (Path(SPEC) / name).exists():
        return []
    first, *lines = (Path(SPEC) / name).read_text(encoding="utf-8").splitlines()
    keys = first.split("\t")
    return [dict(zip(keys, line.split("\t"))) for line in lines if line.strip()]


OPS = {row["name"]: row for row in _table("ops.tsv")}
RECIPES = {row["recipe"]: row for row in _table("recipes.tsv")}
WITHOUT = pytest.param(None, marks=pytest.mark.skip(reason="DJFAST_SPEC names no folder with ops.tsv and recipes.tsv"))


def test_no_op_is_lost() -> None:
    assert len(PEER_NAMES & set(catalog.OPS)) >= OPS_THAT_EXIST


@pytest.mark.parametrize("name", [name for name in catalog.OPS if name in OPS] or [WITHOUT])
def test_every_parameter_of_the_peer_is_taken_with_its_default(name: str) -> None:
    known = {param.name: param for param in catalog.find(name).params}
    for parameter, default in _parameters(OPS[name]["params"]):
        assert parameter in known, f"{name} has no {parameter}"
        ours = known[parameter].default
        if default is not ... and ours is not MISSING and not known[parameter].common:
            assert ours == default or not (ours or default) or _is_no_limit(ours, default), f"{name}: {parameter}"


def _is_no_limit(ours: Any, default: Any) -> bool:
    return ours is None and isinstance(default, int | float) and abs(default) >= 2**62


def _parameters(text: str) -> Iterator[tuple[str, Any]]:
    """Yield names and defaults; the default is an ellipsis where it is not plain data."""
    for item in re.split(r";(?=[A-Za-z_]\w*(?:=|;|$))", text):
        name, has_default, value = item.partition("=")
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            continue
        value = value.replace("sys.maxsize", str(2**63 - 1))
        try:
            yield name, json.loads(value) if has_default else ...
        except ValueError:
            yield name, ...


def _recipes() -> list[Any]:
    texts = {name: row["modality"] for name, row in RECIPES.items() if row["modality"].startswith(TEXT)}
    return [name for name, modality in texts.items() if "sandbox pipeline" not in modality]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The models that there are, and servers that answer, so that as many recipes as possible run."""
    if data := os.environ.get("DJFAST_DATA"):
        for name in ("DATA_JUICER_MODELS_CACHE", "DATA_JUICER_EXTERNAL_MODELS_HOME"):
            monkeypatch.setenv(name, f"{data}/models")
        monkeypatch.setenv("DATA_JUICER_ASSETS_CACHE", f"{data}/words")
    with saying(("an answer",), monkeypatch), LabelStudioServer() as studio:
        monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", "a-token")
        yield


@pytest.mark.parametrize("name", _recipes() or [WITHOUT])
def test_recipes_of_texts_load_plan_and_run(name: str, tmp_path: Path, machine: None) -> None:
    """Only a model or a package that is not on this machine may be missing; recipes that lack nothing run."""
    process = [{op: _example_parameters(op)} for op in RECIPES[name]["ops_in_order"].split(",")]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({**ROW, "id": number}) + "\n" for number in range(5)))
    recipe = load_recipe({"dataset_path": str(source), "export_path": str(tmp_path / "out.jsonl"), "process": process})
    remedy = ""
    try:
        bind_plan(plan_recipe(recipe))
    except (ModelError, MissingExtraError) as error:
        remedy = str(error)
    assert not remedy or re.search(r"pip install|set |put |download|give ", remedy), remedy
    if not remedy:
        report = run_recipe(recipe)
        assert report.rows_read == 5
        assert report.rows_rejected == 0, (tmp_path / "out.rejected.jsonl").read_text()


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in _recipes()] or [WITHOUT])
def test_other_recipes_name_what_is_missing(name: str) -> None:
    ops = [op for op in RECIPES[name]["ops_in_order"].split(",") if re.fullmatch(r"\w+", op)]
    absent = {op for op in ops if op not in catalog.OPS}
    process = [{op: _example_parameters(op)} for op in ops]
    try:
        load_recipe({"dataset_path": "in.jsonl", "export_path": "out.jsonl", "process": process})
        problems = ""
    except RecipeError as error:
        problems = str(error)
    named = set(re.findall(r"(\w+) is an OP of Data-Juicer that djfast does not have", problems))
    assert named <= absent
    assert bool(named) == bool(absent)
    assert not [line for line in problems.splitlines() if "does not have" not in line and "more" not in line], problems


def _example_parameters(name: str) -> dict[str, Any] | None:
    """Values for what must be given."""
    if name not in catalog.OPS:
        return None
    given = [param for param in catalog.find(name).params if param.default is MISSING or (name, param.name) in REQUIRED]
    return {param.name: REQUIRED[name, param.name] for param in given} or None


ROW = {
    "text": "A good text of some words, which is long enough for most recipes. It has two sentences.",
    "query": "What is it?",
    "response": "A text.",
    "prompt": "Describe the text.",
    "answer1": "a",
    "answer2": "b",
    "__dj__suffix__": ".txt",
}
# What recipes must say, though some of it has a default.
REQUIRED: dict[tuple[str, str], Any] = {
    ("entity_attribute_aggregator", "entity"): "an entity",
    ("entity_attribute_aggregator", "attribute"): "an attribute",
    ("llm_extract_mapper", "input_keys"): ["text"],
    ("llm_extract_mapper", "output_schema"): {"name": "a name"},
    ("most_relevant_entities_aggregator", "entity"): "an entity",
    ("most_relevant_entities_aggregator", "query_entity_type"): "a type",
    ("generate_qa_from_examples_mapper", "seed_file"): str(Path(__file__).parents[2] / "recipes" / "data" / "dialogues.jsonl"),
}
