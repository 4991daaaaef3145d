"""Files that a recipe names: OPs in our words and in Data-Juicer's, which need not be installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import RecipeError, TooManyErrors
from djfast.recipe.load import load_recipe
from djfast.runners.job.folder import code_digest
from djfast.runners.planning import plan_recipe

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
        ("1 / 0", r"cannot be run \(ZeroDivisionError: division by zero, at wrong_\d+.py:1\)"),
        ("raise SystemExit(3)", r"cannot be run \(SystemExit: 3, at wrong_\d+.py:1\)"),
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


def test_a_file_that_cannot_be_run_is_one_error(tmp_path: Path) -> None:
    file = tmp_path / "broken_ops.py"
    file.write_text("def f(:")
    with pytest.raises(RecipeError) as broken:
        load_recipe(_recipe(tmp_path, custom_operator_paths=[str(file)], process=["its_mapper"]))
    assert str(broken.value).count("\n") == 0
    assert "its_mapper" not in str(broken.value)
    with pytest.raises(RecipeError) as other:  # nor is the file run where something else is wrong
        load_recipe(_recipe(tmp_path, custom_operator_paths=[str(file)], process=["its_mapper"], npp=1))
    assert str(other.value) == "recipe: no such key (did you mean 'np'?), got 'npp'"


def test_the_file_of_python_file_mapper_that_raises_is_one_error(tmp_path: Path) -> None:
    file = tmp_path / "raising.py"
    file.write_text("x = 1\nraise ValueError('no')\n")
    with pytest.raises(RecipeError, match=r"file_path: \S+raising.py cannot be run \(ValueError: no, at raising.py:2\)$"):
        djfast.run(_recipe(tmp_path, process=[{"python_file_mapper": {"file_path": str(file)}}]))


def test_an_edited_file_is_run_again(tmp_path: Path) -> None:
    package = tmp_path / "edited_ops_package"
    package.mkdir()
    (package / "__init__.py").write_text("from . import inner\n")
    code = "import djfast\n\n@djfast.mapper\ndef {name}(row):\n    return {{**row, 'v': {v}}}\n"
    single = tmp_path / "edited_ops.py"
    for v in (1, 2):  # of the same size, in the same second
        (package / "inner.py").write_text(code.format(name="edited_inner_mapper", v=v))
        single.write_text(code.format(name="edited_mapper", v=v))
        for path, op in ((package, "edited_inner_mapper"), (single, "edited_mapper")):
            djfast.run(_recipe(tmp_path, custom_operator_paths=[str(path)], process=[op]))
            assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])["v"] == v
    single.write_text("")
    with pytest.raises(RecipeError, match="no such OP"):
        load_recipe(_recipe(tmp_path, custom_operator_paths=[str(single)], process=["edited_mapper"]))


@pytest.mark.parametrize("kind", ["file", "package", "python_file_mapper"])
def test_a_module_that_a_file_imports_is_its_code_too(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit is seen in the same process, and a job that was begun with other code is not gone on with."""
    monkeypatch.syspath_prepend(str(tmp_path))
    helper, inner = f"helper_of_{kind}", f"inner_of_{kind}"
    (tmp_path / f"{helper}.py").write_text(f"from {inner} import V\n")
    code = f"from {helper} import V\n\ndef helped(row):\n    return {{**row, 'v': V}}\n"
    process: list[Any] = ["helped"]
    keys: dict[str, Any] = {}
    if kind == "python_file_mapper":
        (tmp_path / "helped_ops.py").write_text(code)
        process = [{kind: {"file_path": str(tmp_path / "helped_ops.py"), "function_name": "helped"}}]
    else:
        file = tmp_path / ("helped_ops.py" if kind == "file" else "helped_package/__init__.py")
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"import djfast\n{code}\ndjfast.mapper('helped')(helped)\n")
        keys = {"custom_operator_paths": [str(file if kind == "file" else file.parent)]}
    for v in (1, 2):
        (tmp_path / f"{inner}.py").write_text(f"V = {v}\n")
        djfast.run(_recipe(tmp_path, process=process, **keys))
        assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])["v"] == v
    digests = []
    for v in (3, 4):
        (tmp_path / f"{inner}.py").write_text(f"V = {v}\n")
        digests.append(code_digest(plan_recipe(load_recipe(_recipe(tmp_path, process=process, **keys)))))
    assert digests[0] != digests[1]


def test_files_of_one_name_in_two_folders(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "twin_ops.py").write_text(
            f"import djfast\n@djfast.mapper('twin_{number}_mapper')\ndef twin(row):\n    return {{'text': '{number}'}}\n"
        )
        process = [f"twin_{number}_mapper"]
        djfast.run(_recipe(tmp_path, custom_operator_paths=[str(folder / "twin_ops.py")], process=process))
        assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0]) == {"text": str(number)}


MORE_ADAPTED = '''
import numpy as np
from data_juicer.ops.base_op import OPERATORS, TAGGING_OPS, Filter, Mapper, UNFORKABLE
from data_juicer.ops.op_fusion import INTER_WORDS
from data_juicer.utils.constant import BatchMetaKeys, Fields, InterVars, MetaKeys
from data_juicer.utils.lazy_loader import LazyLoader
from jsonargparse.typing import ClosedUnitInterval, PositiveInt

textwrap = LazyLoader("textwrap", "textwrap")


@UNFORKABLE.register_module("partial_mapper")
@OPERATORS.register_module("partial_mapper")
class Partial(Mapper):
    _batched_op = True

    def process_batched(self, samples):
        return {self.text_key: [text.upper() for text in samples[self.text_key]]}


@INTER_WORDS.register_module("open_mapper")
@OPERATORS.register_module("open_mapper")
class Open(Mapper):
    def __init__(self, width: PositiveInt = 4, source="", **kwargs):
        if source not in ("", "web"):
            raise ValueError(f"no such source: {source}")
        self.suffix = kwargs.pop("suffix", "")
        super().__init__(**kwargs)
        self.width = width

    def process_single(self, sample):
        assert Fields.video_frame_tags == "__dj__video_frame_tags__" and InterVars.lines and MetaKeys.x and BatchMetaKeys.y
        sample[self.text_key] = textwrap.shorten(sample[self.text_key], self.width, placeholder="") + self.suffix
        return sample


@OPERATORS.register_module("partial_filter")
class PartialFilter(Filter):
    def compute_stats_batched(self, samples):
        return {Fields.stats: [{"n": np.int64(len(text))} for text in samples[self.text_key]]}

    def process_batched(self, samples):
        return [np.bool_(self.get_keep_boolean(stat["n"], 2, 3)) for stat in samples[Fields.stats]]


@TAGGING_OPS.register_module("tagging_mapper")
@OPERATORS.register_module("tagging_mapper")
class Tagging(Mapper):
    def process_single(self, sample):
        sample[Fields.meta][MetaKeys.size] = np.int64(len(sample["text"]))
        return sample


@OPERATORS.register_module("forgetful_mapper")
class Forgetful(Mapper):
    def process_single(self, sample):
        sample["text"] = ""
'''


@pytest.fixture
def more_adapted(tmp_path: Path) -> str:
    file = tmp_path / "more_adapted_ops.py"
    file.write_text(MORE_ADAPTED)
    return str(file)


def _rows(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


def test_batched_classes_may_return_only_what_they_changed(tmp_path: Path, more_adapted: str) -> None:
    recipe = _recipe(tmp_path, custom_operator_paths=[more_adapted], process=["partial_mapper", "partial_filter"])
    source = Path(recipe["dataset_path"])
    rows = [{"id": 1, "text": "abc", "meta": {"a": [1]}}, {"id": 2, "text": "abcd"}]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    djfast.run(recipe)
    assert _rows(tmp_path) == [{"id": 1, "text": "ABC", "meta": {"a": [1]}}]


def test_parameters_and_keys_reach_classes(tmp_path: Path, more_adapted: str) -> None:
    process = [
        {"open_mapper": {"suffix": "!", "source": "web", "text_key": "body"}},
        {"partial_filter": {"text_key": "body", "max_closed_interval": False}},
    ]
    recipe = _recipe(tmp_path, custom_operator_paths=[more_adapted], text_keys=["text"], process=process)
    rows = [{"body": "aa bb", "text": ""}, {"body": "a bb", "text": ""}]
    Path(recipe["dataset_path"]).write_text("".join(json.dumps(row) + "\n" for row in rows))
    loaded = load_recipe(recipe)
    assert [notice for notice in loaded.notices if "kwargs" in notice] == [
        f"process.0: open_mapper: {name} is handed over as one of its **kwargs" for name in ("suffix", "source")
    ]
    assert loaded.text["process"][0] == {"open_mapper": {"text_key": "body", "suffix": "!", "source": "web"}}
    djfast.run(recipe)
    assert _rows(tmp_path) == []
    del process[1]["partial_filter"]["max_closed_interval"]
    djfast.run(recipe)
    assert _rows(tmp_path) == [{"body": "aa!", "text": ""}]


def test_rows_of_tagging_classes_have_a_place_for_tags(tmp_path: Path, more_adapted: str) -> None:
    djfast.run(_recipe(tmp_path, custom_operator_paths=[more_adapted], process=["tagging_mapper"]))
    assert _rows(tmp_path) == [{"text": "abc"}, {"text": "abcdef"}]
    tags = [json.loads(line) for line in (tmp_path / "out_stats.jsonl").read_text().splitlines()]
    assert [each["__dj__meta__"] for each in tags] == [{"size": 3}, {"size": 6}]


def test_a_class_that_refuses_its_parameters_is_one_error(tmp_path: Path, more_adapted: str) -> None:
    for given, message in (
        ({"source": "air"}, r"open_mapper: ValueError: no such source: air \(more_adapted_ops.py:\d+ in __init__\)$"),
        ({"end": 1}, "partial_mapper: no such parameter, got 'end'"),
    ):
        op = "open_mapper" if "source" in given else "partial_mapper"
        with pytest.raises(RecipeError, match=message):
            djfast.run(_recipe(tmp_path, custom_operator_paths=[more_adapted], process=[{op: given}]))


def test_a_class_that_forgets_its_return_rejects_rows(tmp_path: Path, more_adapted: str) -> None:
    with pytest.raises(TooManyErrors, match="is the `return` missing"):
        djfast.run(_recipe(tmp_path, custom_operator_paths=[more_adapted], process=["forgetful_mapper"]))
    rejected = [json.loads(line) for line in (tmp_path / "out.failed.rejected.jsonl").read_text().splitlines()]
    assert [(row["reason"], row["row"]["text"]) for row in rejected] == [
        ("TypeError: process_single returned None; is the `return` missing? (more_adapted_ops.py:56 in process_single)", text)
        for text in ("abc", "abcdef")
    ]
