"""Files that a recipe names: OPs in our words and in Data-Juicer's, which need not be installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import RecipeError
from djfast.recipe.load import load_recipe

ADAPTED = '''
from data_juicer.ops.base_op import OPERATORS, TAGGING_OPS, Filter, Mapper
from data_juicer.utils.constant import Fields, StatsKeys


@TAGGING_OPS.register_module("adapted_{tag}_mapper")
@OPERATORS.register_module("adapted_{tag}_mapper")
class AdaptedMapper(Mapper):
    """Adds an ending."""

    def __init__(self, ending: str = ".", *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.ending = ending

    def process_single(self, sample):
        sample[self.text_key] += self.ending
        return sample


@OPERATORS.register_module("adapted_{tag}_filter")
class AdaptedFilter(Filter):
    _batched_op = True

    def __init__(self, max_len: int = 4, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.max_len = max_len

    def compute_stats_batched(self, samples, context=False):
        for at, text in enumerate(samples[self.text_key]):
            samples[Fields.stats][at][StatsKeys.text_len] = len(text)
        return samples

    def process_batched(self, samples):
        return map(lambda stat: self.get_keep_boolean(stat[StatsKeys.text_len], None, self.max_len), samples[Fields.stats])
'''


def _recipe(folder: Path, **keys: Any) -> dict[str, Any]:
    source = folder / "in.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in ("abc", "abcdef")))
    return {"dataset_path": str(source), "export_path": str(folder / "out.jsonl"), "np": 1, **keys}


def test_classes_for_data_juicer_run_without_it(tmp_path: Path) -> None:
    file = tmp_path / "adapted_ops.py"
    file.write_text(ADAPTED.replace("{tag}", "file"))
    process = [{"adapted_file_mapper": {"ending": "!"}}, {"adapted_file_filter": {}}]
    recipe = _recipe(tmp_path, custom_operator_paths=[str(file)], process=process, keep_stats_in_res_ds=True)
    djfast.run(recipe)
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()] == [
        {"text": "abc!", "__dj__stats__": {"text_len": 4}}
    ]
    assert "data_juicer" not in sys.modules
    djfast.run(recipe)  # the file is run once in a process


def test_a_package_with_decorated_functions(tmp_path: Path) -> None:
    folder = tmp_path / "own_ops_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("from . import loud\n")
    (folder / "loud.py").write_text(
        "import djfast\n\n@djfast.mapper('loud_mapper')\ndef loud(row):\n    row['text'] = row['text'].upper()\n    return row\n"
    )
    djfast.run(_recipe(tmp_path, custom_operator_paths=str(folder), process=["loud_mapper"]))
    assert (tmp_path / "out.jsonl").read_text() == '{"text": "ABC"}\n{"text": "ABCDEF"}\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "must name Python files, or folders with an __init__.py"),
        ("1 / 0", r"cannot be run \(ZeroDivisionError: division by zero\)"),
        ("import data_juicer.core", "cannot be run .ModuleNotFoundError: No module named 'data_juicer.core'"),
        (
            "from data_juicer.ops.base_op import OPERATORS, OP\n@OPERATORS.register_module('x_op')\nclass X(OP):\n    pass",
            "x_op: only mappers and filters written for Data-Juicer can run here, got X",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_one_message(tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / f"wrong_{abs(hash(content))}.py"
    if content is not None:
        file.write_text(content)
    with pytest.raises(RecipeError, match=message):
        load_recipe(_recipe(tmp_path, custom_operator_paths=[str(file)], process=[]))


def test_code_of_the_user_can_be_forbidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "forbidden_ops.py"
    file.write_text("raise SystemExit")
    monkeypatch.setenv("DJFAST_USER_CODE", "0")
    with pytest.raises(RecipeError, match="DJFAST_USER_CODE=0 forbids"):
        load_recipe(_recipe(tmp_path, custom_operator_paths=[str(file)], process=[]))
    with pytest.raises(RecipeError, match="DJFAST_USER_CODE=0 forbids"):
        djfast.run(_recipe(tmp_path, process=[{"python_lambda_mapper": {"lambda_str": "lambda row: row"}}]))
