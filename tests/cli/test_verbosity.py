"""What a run says of itself: nothing but errors with -q, what it does with -v, and the same to who listens from Python."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

import djfast
from djfast.cli.main import main


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    (tmp_path / "in.jsonl").write_text('{"text": "a b c"}\n{"text": "a b c"}\n')
    (tmp_path / "ops.py").write_text("import djfast\n\n@djfast.mapper()\ndef fails(row):\n    raise KeyError('x')\n")
    process = [{"words_num_filter": {"min_num": 1}}, "document_deduplicator", {"text_length_filter": {"min_len": 1}}]
    keys = {"dataset_path": str(tmp_path / "in.jsonl"), "export_path": str(tmp_path / "out.jsonl"), "process": process}
    (tmp_path / "r.json").write_text(json.dumps(keys))
    return str(tmp_path / "r.json")


def test_a_run_says_what_it_does_when_asked(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", recipe]) == 0
    assert "pass 1 of 2" not in capsys.readouterr().err
    assert main(["run", recipe, "-v", "--np", "2"]) == 0
    said = capsys.readouterr().err
    for line in (
        "in.jsonl (0.0 MB), 2 threads\n",
        "djfast: words_num_filter       native  text   stat num_words\n",
        "djfast: document_deduplicator  native  text                   all rows wait for it\n",
        "djfast: pass 1 of 2: words_num_filter, document_deduplicator\n",
        "djfast: pass 2 of 2: text_length_filter\n",
    ):
        assert line in said
    assert said.rstrip().splitlines()[-1].startswith("text_length_filter")  # the summary comes last, with the times of the OPs


def test_more_of_it_comes_with_times_and_names(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", recipe, "-vv"]) == 0
    said = capsys.readouterr().err
    assert " djfast.run: rows of " in said
    assert all(line.startswith("20") for line in said.splitlines() if " djfast.run: " in line)


@pytest.mark.parametrize("flags", [[], ["-v"], ["-q"]])
def test_a_job_does_the_same(recipe: str, flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", recipe, "--use_checkpoint", "true", *flags]) == 0
    said = capsys.readouterr().err
    assert ("1 splits on 1 ranks" in said) == (flags == ["-v"])
    assert bool(said) == (flags != ["-q"])


def test_the_first_failure_of_code_of_the_user_is_shown_but_for_quiet_runs(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ["--custom_operator_paths", str(tmp_path / "ops.py"), "--process", "[fails]"]
    assert main(["run", recipe, *own]) == 1
    assert "fails: the first row is rejected: KeyError: 'x' (ops.py:5 in fails)" in capsys.readouterr().err
    assert main(["run", recipe, *own, "-q"]) == 1
    said = capsys.readouterr().err
    assert "the first row is rejected" not in said
    assert "every one of the 2 rows was rejected" in said


def test_who_listens_from_python_hears_it_and_others_nothing(
    recipe: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    djfast.run(recipe)
    assert caplog.messages == []
    with caplog.at_level(logging.INFO, logger="djfast"):
        djfast.run(recipe)
    assert "pass 2 of 2: text_length_filter" in caplog.messages
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("djfast").handlers)
    assert capsys.readouterr().err == ""


def test_a_run_that_nobody_listens_to_loads_no_logging(recipe: str) -> None:
    code = "import sys; from djfast.cli.main import main; main(sys.argv[1:]); sys.exit('logging' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code, "run", recipe], capture_output=True, check=False).returncode == 0
    assert subprocess.run([sys.executable, "-c", code, "run", recipe, "-v"], capture_output=True, check=False).returncode == 1


def test_plan_is_short_unless_asked(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", recipe]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["OP", "words_num_filter", "document_deduplicator", "text_length_filter"]
    assert lines[4].startswith("probe: ")
    assert main(["plan", recipe, "-v"]) == 0
    assert "words_count(text)" in capsys.readouterr().out
