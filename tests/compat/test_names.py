"""Scripts for Data-Juicer run over djfast by its names, and Data-Juicer itself is never shadowed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src"


def _run(folder: Path, code: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(code)
    command = [sys.executable, "-W", "error", "-m", "djfast.compat", str(script), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=check)


def test_ops_of_each_kind_have_the_methods_that_scripts_call(tmp_path: Path) -> None:
    code = r"""
from data_juicer.core.data import NestedDataset as Dataset
from data_juicer.ops.base_op import OPERATORS, Filter, Mapper
from data_juicer.ops.deduplicator.document_deduplicator import DocumentDeduplicator
from data_juicer.ops.deduplicator.document_line_deduplicator import DocumentLineDeduplicator
from data_juicer.ops.deduplicator.document_minhash_deduplicator import DocumentMinhashDeduplicator
from data_juicer.ops.deduplicator.document_simhash_deduplicator import DocumentSimhashDeduplicator
from data_juicer.ops.filter.text_length_filter import TextLengthFilter
from data_juicer.ops.grouper.key_value_grouper import KeyValueGrouper
from data_juicer.ops.mapper.clean_email_mapper import CleanEmailMapper
from data_juicer.ops.mapper.python_lambda_mapper import PythonLambdaMapper
from data_juicer.ops.mapper.text_chunk_mapper import TextChunkMapper
from data_juicer.ops.selector.topk_specified_field_selector import TopkSpecifiedFieldSelector
from data_juicer.utils.constant import Fields, HashKeys

texts = ["A b c d e f g", "a b c d e f g", "x", "A b c d e f g"]
data = Dataset.from_list([{"text": text, "n": n} for n, text in enumerate(texts)])
for op, kept in (
    (DocumentDeduplicator(True), [0, 2]),
    (DocumentDeduplicator(lowercase=False), [0, 1, 2]),
    (DocumentMinhashDeduplicator("space", 2, True), [0, 2]),
    (DocumentSimhashDeduplicator("space", 3, False, None, 6, 1), [0, 1, 2]),
):
    rows, pairs = op.process(data.map(op.compute_hash, num_proc=2, load_from_cache_file=False), show_num=1)
    assert [row["n"] for row in rows] == kept, (op, rows)
    assert [[row["n"] for row in pair] for pair in pairs.values()] == [[0, 1 if len(kept) == 2 else 3]], pairs
    assert op.process(data)[1] == {}
one = DocumentDeduplicator(True)
assert one.compute_hash({"text": "A"})[HashKeys.hash] == one.compute_hash({"text": ["a"]})[HashKeys.hash][0]
assert DocumentLineDeduplicator().process(data)["n"] == [0, 1, 2, 3]
assert TopkSpecifiedFieldSelector("n", None, 1).process(data)["n"] == [3]
assert KeyValueGrouper(["n"]).run(data)["n"] == [[0], [1], [2], [3]]
mail = CleanEmailMapper(None, "<E>")
assert mail({"text": "a@b.co"}) == {"text": "<E>"} and mail.process({"text": ["a@b.co", "x"]}) == {"text": ["<E>", "x"]}
assert data.map(mail.process, batched=True, batch_size=2).to_list() == data.to_list()
assert TextChunkMapper(2).process({"text": ["abcd"]}) == {"text": ["ab", "cd"]}
assert PythonLambdaMapper("lambda row: {**row, 'm': 1}")({"text": "x"}) == {"text": "x", "m": 1}
size = TextLengthFilter(2)
assert (size._name, OPERATORS.modules["text_length_filter"]._name) and size._name == "text_length_filter"
assert size({"text": ["a", "abc"]})[Fields.stats] == [{"text_len": 1}, {"text_len": 3}]
assert size.process(size.compute_stats({"text": "abc"})) is True

@OPERATORS.register_module("loud_mapper")
class Loud(Mapper):
    def __init__(self, mark="!", *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.mark = mark
    def process_batched(self, samples):
        samples[self.text_key] = [text.upper() + self.mark for text in samples[self.text_key]]
        return samples

@OPERATORS.register_module("few_filter")
class Few(Filter):
    def compute_stats_single(self, sample, context=False):
        sample.setdefault(Fields.stats, {})["few"] = len(sample[self.text_key])
        return sample
    def process_single(self, sample):
        return sample[Fields.stats]["few"] < 3

loud, few = Loud("?"), Few()
assert loud({"text": ["a"]}) == {"text": ["A?"]}
assert loud.run(data.select([2]))["text"] == data.select([2]).map(loud.process)["text"] == ["X?"]
assert data.map(few.compute_stats)[2][Fields.stats] == {"few": 1} and few.process(few.compute_stats({"text": "x"}))
assert data.filter(few.process)["text"] == few.run(data)["text"] == ["x"]
"""
    assert _run(tmp_path, code).stderr == ""


def test_unit_tests_of_ops_run_on_data_sets_of_another_library(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    code = """
import unittest
from datasets import Dataset, disable_progress_bars
from data_juicer.core.executor import ExecutorFactory
from data_juicer.ops.deduplicator.document_deduplicator import DocumentDeduplicator
from data_juicer.ops.filter.words_num_filter import WordsNumFilter
from data_juicer.ops.mapper.text_chunk_mapper import TextChunkMapper
from data_juicer.ops.selector.topk_specified_field_selector import TopkSpecifiedFieldSelector
from data_juicer.utils.constant import Fields
from data_juicer.utils.unittest_utils import SKIPPED_TESTS, TEST_TAG, DataJuicerTestCaseBase

disable_progress_bars()

@SKIPPED_TESTS.register_module()
class OpsTest(DataJuicerTestCaseBase):
    rows = [{"text": "One two", "n": 1}, {"text": "three", "n": 3}, {"text": "one TWO", "n": 2}]

    @TEST_TAG("standalone", "ray")
    def test_filter(self):
        data = Dataset.from_list(self.rows)
        data = data.add_column(name=Fields.stats, column=[{}] * data.num_rows)
        op = WordsNumFilter(min_num=2)
        data = data.map(op.compute_stats).filter(op.process)
        self.assertEqual(data["n"][:], [1, 2])

    def test_deduplicator(self):
        op = DocumentDeduplicator(lowercase=True)
        data, _ = op.process(Dataset.from_list(self.rows).map(op.compute_hash))
        self.assertEqual(data.select_columns(column_names=["n"]).to_list(), [{"n": 1}, {"n": 3}])

    def test_others(self):
        data = Dataset.from_list(self.rows)
        self.assertEqual(TopkSpecifiedFieldSelector("n", None, 1).process(data)["n"], [3])
        self.assertEqual(TextChunkMapper(4).run(self.generate_dataset(self.rows[1:2]))["text"], ["thre", "e"])
        self.assertEqual(data.map(TextChunkMapper(4).process, batched=True, remove_columns=["n"]).num_rows, 6)
        self.assertEqual(ExecutorFactory.create_executor("default").__name__, "DefaultExecutor")

unittest.main(argv=["x"])
"""
    ran = subprocess.run([sys.executable, "-m", "djfast.compat", _written(tmp_path, code)], capture_output=True, text=True)
    assert "Ran 3 tests" in ran.stderr
    assert ran.stderr.rstrip().endswith("OK"), ran.stderr


def _written(folder: Path, code: str) -> str:
    (folder / "tests.py").write_text(code)
    return str(folder / "tests.py")


def test_an_op_on_rows_as_unit_tests_use_it(tmp_path: Path) -> None:
    code = """
from data_juicer.core.data import NestedDataset as Dataset
from data_juicer.ops.filter.words_num_filter import WordsNumFilter
from data_juicer.ops.filter import TextLengthFilter
from data_juicer.ops.mapper.clean_email_mapper import CleanEmailMapper
from data_juicer.ops.mapper.generate_qa_from_text_mapper import GenerateQAFromTextMapper
from data_juicer.ops.filter.flagged_words_filter import FlaggedWordFilter
from data_juicer.ops.deduplicator.document_deduplicator import DocumentDeduplicator
from data_juicer.utils.constant import Fields, MetaKeys, StatsKeys

op = WordsNumFilter("en", False, 2)
assert (op.min_num, op.max_num) == (2, None)
data = Dataset.from_list([{"text": "a"}, {"text": "a b c"}])
if Fields.stats not in data.features:
    data = data.add_column(name=Fields.stats, column=[{}] * data.num_rows)
data = data.map(op.compute_stats)
assert [row[Fields.stats][StatsKeys.num_words] for row in data.to_list()] == [1, 3]
data = data.filter(op.process)
data = data.select_columns(column_names=["text"])
assert data.to_list() == [{"text": "a b c"}], data.to_list()
assert data.column_names == ["text"]
assert op.process_single(op.compute_stats_single({"text": "a b"})) is True
assert op.process_batched(op.compute_stats_batched({"text": ["a", "a b"]})) == [False, True]
emails = Dataset.from_dict({"text": ["x a@b.co", "y"], "n": [1, 2]})
assert emails.map(CleanEmailMapper().process).remove_columns("n").to_list() == [{"text": "x "}, {"text": "y"}]
assert CleanEmailMapper().process_batched({"text": ["a@b.co"]}) == {"text": [""]}
assert [row["n"] for row in DocumentDeduplicator().run(emails.select([0, 0, 1]))] == [1, 2]
assert emails.map(lambda rows: {"n": [n + 1 for n in rows["n"]]}, batched=True).head(1) == [{"text": "x a@b.co", "n": 2}]
assert emails.filter(lambda row: row["n"] > 1)["text"] == ["y"]
try:
    GenerateQAFromTextMapper("x")
except ValueError as error:
    assert "must be given by name" in str(error)
"""
    assert _run(tmp_path, code).stderr == ""


def test_recipes_as_scripts_run_them(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "a b"}\n{"text": "a b"}\n{"text": "c"}\n')
    recipe = {"dataset_path": "in.jsonl", "export_path": "out/x.jsonl", "process": [{"words_num_filter": {"min_num": 1}}]}
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    code = """
from data_juicer.config import init_configs
from pathlib import Path
from data_juicer.core import Analyzer, DatasetBuilder, DefaultExecutor, Exporter, Tracer
from data_juicer.ops import OPERATORS, load_ops

cfg = init_configs()
assert (cfg.np, cfg["np"], cfg.get("nope", 5), "process" in cfg) == (2, 2, 5, True)
assert isinstance(init_configs([]).np, int) and init_configs([]).np >= 1
assert cfg.process == [{"words_num_filter": {"min_num": 2}}]
cfg.process.append("document_deduplicator")
cfg.export_path = "out/y.jsonl"
executor = DefaultExecutor(cfg)
assert executor.run().to_list() == [{"text": "a b"}]
assert executor.report.rows_written == 1
data = DatasetBuilder(cfg).load_dataset()
assert len(data) == 3
kept = data.process(load_ops(cfg.process))
Exporter("out/z.jsonl").export(kept)
assert Path("out/y.jsonl").read_text() == Path("out/z.jsonl").read_text() == '{"text": "a b"}\\n'
assert executor.run(data, skip_export=True).column_names == ["text", "__dj__stats__"]
assert OPERATORS.get("nope") is None and OPERATORS.modules["text_length_filter"].spec.name == "text_length_filter"
for absent in (Analyzer, Tracer):
    try:
        absent(cfg)
    except NotImplementedError as error:
        assert "djfast has no " + absent.__name__ in str(error)
    else:
        raise AssertionError
"""
    arguments = ["--config", "recipe.yaml", "--np", "2", "--words_num_filter.min_num=2"]
    assert _run(tmp_path, code, *arguments).stderr == ""


def test_own_classes_are_ops(tmp_path: Path) -> None:
    code = """
from data_juicer.core import NestedDataset
from data_juicer.ops import OPERATORS, Filter, Mapper, load_ops
from data_juicer.utils.constant import Fields

@OPERATORS.register_module("ending_mapper")
class EndingMapper(Mapper):
    def __init__(self, end="!", *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.end = end

    def process_single(self, sample):
        sample[self.text_key] += self.end
        return sample

@OPERATORS.register_module("letters_filter")
class LettersFilter(Filter):
    def compute_stats_single(self, sample, context=False):
        sample[Fields.stats]["letters"] = len(sample["text"])
        return sample

    def process_single(self, sample):
        return sample[Fields.stats]["letters"] > 2

data = NestedDataset.from_list([{"text": "a"}, {"text": "abc"}])
made = data.process([EndingMapper("?"), {"ending_mapper": {"end": "."}}, LettersFilter()])
assert made.to_list() == [
    {"text": "a?.", "__dj__stats__": {"letters": 3}}, {"text": "abc?.", "__dj__stats__": {"letters": 5}}
], made.to_list()
assert data.map(EndingMapper().process_single).to_list()[0] == {"text": "a!"}
assert load_ops(["ending_mapper"])[0].process({"text": "x"}) == {"text": "x!"}
assert OPERATORS.modules["ending_mapper"] is EndingMapper
"""
    assert _run(tmp_path, code).stderr == ""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("import data_juicer.ops.filter.nope_filter", "No module named 'data_juicer.ops.filter.nope_filter'"),
        ("from data_juicer.ops.filter import NopeFilter", "cannot import name 'NopeFilter'"),
        ("from data_juicer.utils import s3_utils", "cannot import name 's3_utils'"),
    ],
)
def test_what_is_not_here_is_an_import_error(tmp_path: Path, line: str, message: str) -> None:
    run = _run(tmp_path, line, check=False)
    assert run.returncode == 1
    assert message in run.stderr


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    code = "import djfast, sys; djfast.Dataset; assert not any('compat' in name for name in sys.modules)\nimport data_juicer"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "No module named 'data_juicer'" in run.stderr


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """A folder with another package called data_juicer."""
    (tmp_path / "real" / "data_juicer").mkdir(parents=True)
    (tmp_path / "real" / "data_juicer" / "__init__.py").write_text("name = 'real'\n")
    return tmp_path / "real"


def test_the_real_one_is_never_shadowed(real: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(real)}
    script = tmp_path / "script.py"
    script.write_text("import data_juicer")
    command = [sys.executable, "-m", "djfast.compat", str(script)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (run.returncode, run.stdout) == (2, "")
    assert "Data-Juicer is installed, and djfast does not replace it; found" in run.stderr
    code = "import data_juicer, djfast.compat\ntry: djfast.compat.enable()\nexcept ImportError: print(data_juicer.name)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout == "real\n"


def test_the_line_on_the_search_path_stands_behind_everything(real: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "djfast").symlink_to(SOURCES / "djfast")
    line = (ROOT / "compat" / "djfast_compat.pth").read_text()
    (site / "djfast_compat.pth").write_text(line)
    code = "import site, sys; site.addsitedir(sys.argv[1]); import data_juicer; print(getattr(data_juicer, 'name', 'ours'))"
    for folder, expected in ((None, "ours"), (real, "real")):
        environment = {**os.environ, **({"PYTHONPATH": str(folder)} if folder else {})}
        run = subprocess.run([sys.executable, "-c", code, str(site)], capture_output=True, text=True, check=True, env=environment)
        assert run.stdout == f"{expected}\n"
    (site / "data_juicer").symlink_to(real / "data_juicer")  # installed beside
    run = subprocess.run([sys.executable, "-c", code, str(site)], capture_output=True, text=True, check=True)
    assert run.stdout == "real\n"


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from djfast.compat import commands

    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    recipe = {"dataset_path": str(tmp_path / "in.jsonl"), "export_path": str(tmp_path / "out.jsonl"), "process": []}
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    assert commands.process(["--config", str(tmp_path / "recipe.yaml"), "-q"]) == 0
    assert (tmp_path / "out.jsonl").read_text() == '{"text": "a"}\n'
    assert commands.analyze([]) == 2
    assert "djfast has no analysis yet" in capsys.readouterr().err
    monkeypatch.setattr(commands, "version", lambda name: "1.6.1")
    assert (commands.process([]), commands.analyze([])) == (2, 2)
    assert capsys.readouterr().err.count("Data-Juicer 1.6.1 is installed, and djfast does not take its place") == 2


def test_what_is_not_there_yet_says_so_when_it_is_called(tmp_path: Path) -> None:
    code = r"""
from data_juicer.utils.logger_utils import setup_logger
from data_juicer.utils.mm_utils import SpecialTokens, load_image, remove_special_tokens
from data_juicer.utils.model_utils import get_model, prepare_model
import data_juicer.utils.mm_utils as media

setup_logger("logs", level="WARNING")
assert (SpecialTokens.image, SpecialTokens.eoc) == ("<__dj__image>", "<|__dj__eoc|>")
assert remove_special_tokens(" <__dj__image> a <|__dj__eoc|>") == "a"
assert not hasattr(media, "__wrapped__")
models = ((get_model, "model_utils.get_model"), (prepare_model, "model_utils.prepare_model"))
for function, name in ((load_image, "mm_utils.load_image"), *models):
    try:
        function("a.png")
    except NotImplementedError as error:
        assert str(error).endswith(f"got data_juicer.utils.{name}"), error
    else:
        raise AssertionError(name)
"""
    _run(tmp_path, code)
