"""Public names: classes of OPs, recipes, and what `djfast.run` replaces in them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import djfast
from djfast import catalog
from djfast.errors import RecipeError
from djfast.runners.report import Report


def test_every_op_has_a_class_of_its_own_name() -> None:
    names = djfast.ops.class_names()
    assert len(names) == len(set(names)) == len(catalog.OPS)
    for name, (op, module) in zip(names, catalog.OPS.items()):
        cls = getattr(djfast.ops, name)
        assert (cls.__name__, cls.__module__, cls.spec.name) == (name, module, op)
    assert set(names) <= set(dir(djfast.ops))
    assert {"ops", "Dataset", "DROP"} <= set(dir(djfast))


def test_a_class_that_is_not_there_is_named_rightly() -> None:
    with pytest.raises(AttributeError, match="did you mean 'TextLengthFilter'"):
        djfast.ops.TextLenghtFilter  # noqa: B018
    with pytest.raises(ImportError):
        exec("from djfast.ops import nothing", {})


def test_classes_are_imported_when_they_are_used() -> None:
    code = "import djfast, sys; djfast.ops.TextLengthFilter; print(*(m for m in sys.modules if m.startswith('djfast.ops')))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "djfast.ops.text.lengths" in run.stdout
    assert "djfast.ops.text.cleaning" not in run.stdout


@pytest.fixture
def recipe(tmp_path: Path) -> dict[str, Any]:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"text": "word " * number}) + "\n" for number in range(20)))
    return {
        "dataset_path": source,
        "export_path": tmp_path / "out.jsonl",
        "process": [djfast.ops.WordsNumFilter(min_num=1), {"text_length_filter": {"min_len": 0}}],
    }


def test_run_replaces_parameters_as_documented(recipe: dict[str, Any], tmp_path: Path) -> None:
    assert djfast.run(recipe).rows_written == 19
    assert djfast.run(recipe, **{"words_num_filter.min_num": 12}).rows_written == 8
    assert djfast.run(recipe, **{"process.0.min_num": np.int64(15), "np": 2}).rows_written == 5
    assert djfast.run(recipe, **{"process.words_num_filter.min_num": 18}).rows_written == 2
    assert djfast.run(recipe, export_path=tmp_path / "other.jsonl").export_paths == (str(tmp_path / "other.jsonl"),)
    with pytest.raises(RecipeError, match=r"process has no such OP .did you mean 'words_num_filter'"):
        djfast.run(recipe, **{"words_num_filtr.min_num": 12})
    loaded = djfast.load_recipe(recipe, ["words_num_filter.min_num=3", "np=3"])
    assert (loaded.ops[0].given(), loaded.settings["np"]) == ({"min_num": 3}, 3)


def test_a_report_is_a_table_for_people(recipe: dict[str, Any]) -> None:
    report = djfast.run(recipe)
    lines = str(report).splitlines()
    assert lines[0].split() == ["OP", "rows", "in", "rows", "out", "kept", "rejected", "seconds"]
    assert lines[1].split()[:4] == ["read", "20", "20", "100.0%"]
    assert lines[3].split()[:4] == ["words_num_filter", "20", "19", "95.0%"]
    assert lines[4].startswith("20 rows in, 19 out, 0 rejected in ")
    assert repr(report) == str(report)
    assert Report.of(report.to_dict()) == report
