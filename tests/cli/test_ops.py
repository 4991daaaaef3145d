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
