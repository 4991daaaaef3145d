"""OPs are found by a word and a kind; those of the user are shown, too."""

import json
import subprocess
import sys

import pytest

from djfast.cli.main import main


@pytest.mark.parametrize("given", [["dedup"], ["DEDUP"], ["dedup", "--kind", "deduplicator"]])
def test_a_word_chooses(given, capsys):
    assert main(["ops", "list", *given]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("document_minhash_deduplicator ") for line in lines)
    assert all("dedup" in line.lower() for line in lines)


def test_a_kind_chooses(capsys):
    assert main(["ops", "list", "--kind", "selector", "--json"]) == 0
    assert {each["kind"] for each in json.loads(capsys.readouterr().out)} == {"selector"}


def test_nothing_found_fails(capsys):
    assert main(["ops", "list", "no such word"]) == 1
    assert "no OP" in capsys.readouterr().out


@pytest.mark.parametrize("action", [["list", "shouts"], ["show", "shouts_mapper"]])
def test_own_ops_are_shown(tmp_path, action):
    (tmp_path / "mine.py").write_text(
        'import djfast\n\n@djfast.mapper()\ndef shouts_mapper(row):\n    """Shout."""\n    return row\n'
    )
    code = "import sys; from djfast.cli.main import main; sys.exit(main())"
    shown = subprocess.run(
        [sys.executable, "-c", code, "ops", *action, "--custom", str(tmp_path / "mine.py")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "shouts_mapper" in shown.stdout
    assert "Shout" in shown.stdout


def test_what_an_op_writes_and_needs_is_said(capsys):
    assert main(["ops", "show", "perplexity_filter"]) == 0
    out = capsys.readouterr().out
    for line in (
        "  writes  stat perplexity\n",
        "  needs   packages sentencepiece, kenlm (pip install 'djfast[models]')\n",
        "  needs   en.arpa.bin, en.sp.model (djfast fetch RECIPE)\n",
    ):
        assert line in out
    assert main(["ops", "show", "words_num_filter", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["writes"], shown["needs"]) == (["stat num_words"], [])


@pytest.mark.parametrize(
    ("name", "writes", "needs"),
    [
        ("clean_email_mapper", ["text"], []),
        ("stopwords_filter", ["stat stopwords_ratio"], ["stopwords.json (djfast fetch RECIPE)"]),
        ("general_fused_op", [], []),
        ("python_lambda_mapper", ["any field"], []),
        ("document_deduplicator", [], []),
        ("calibrate_query_mapper", ["query"], ["a language model, gpt-4o, at a server (OPENAI_BASE_URL)"]),
    ],
)
def test_effects_come_from_the_declarations(name, writes, needs, capsys):
    assert main(["ops", "list", name, "--json"]) == 0
    [found] = [each for each in json.loads(capsys.readouterr().out) if each["name"] == name]
    assert (found["writes"], found["needs"]) == (writes, needs)


def test_an_op_is_found_by_what_it_writes_and_told_in_full(capsys):
    assert main(["ops", "list", "num_words", "-v"]) == 0
    assert "words_num_filter" in (out := capsys.readouterr().out)
    assert "  writes  stat num_words" in out
