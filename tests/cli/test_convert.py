"""``djfast convert`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from djfast.cli.main import main
from djfast.convert import FORMS

ROOT = Path(__file__).resolve().parents[2]


def test_a_file_is_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"video_id": "v1", "caption": "a girl"}
    (tmp_path / "in.jsonl").write_text(json.dumps(row) + "\nnot JSON\n")
    arguments = ["convert", "--from", "msrvtt", "--to", "dj", str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl")]
    assert main([*arguments, "--set", "video_special_token=<v>", "--set", "add_eoc_at_last=false"]) == 0
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {"videos": ["v1.mp4"], "text": "<v> a girl"}
    printed = capsys.readouterr()
    assert printed.out.startswith("2 rows in, 1 out, 1 rejected in ")
    assert printed.err == f"djfast: note: 1 rows were rejected, see {tmp_path / 'out.rejected.jsonl'}\n"
    assert main([*arguments, "--max-errors", "0", "-q"]) == 1
    assert "more than max_errors=0 rows were rejected" in capsys.readouterr().err


def test_forms_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "--list"]) == 0
    printed = capsys.readouterr().out
    for form in FORMS.values():
        assert f"{form.name}  ({', '.join(form.layouts)})\n    {form.doc}" in printed
        assert all(f"      {param.name}=" in printed for param in form.options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no files given: djfast convert --from FORMAT IN OUT, or djfast convert --list"),
        (["a.jsonl", "b.jsonl", "--from", "x"], "there is no such format: dj, llava,"),
        (["a.jsonl", "b.jsonl", "--from", "llava", "--set", "str_id"], "--set must be NAME=VALUE, got 'str_id'"),
        (["a.jsonl", "b.jsonl", "--from", "llava", "--set", "str_id=[1"], "--set str_id cannot be read as YAML, got '[1'"),
        (["a.jsonl", "b.jsonl", "--from", "llava", "--set", "from_form=mmc4"], "llava has no such option"),
        (["a.jsonl", "b.jsonl", "--from", "llava", "--max-errors", "2.5"], "--max-errors must be an integer, or a share"),
        (["a.jsonl", "b.jsonl", "--from", "llava", "--max-errors", "-1"], "--max-errors must be an integer, or a share"),
    ],
)
def test_mistakes_are_one_message(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"djfast: error: {message}")


def test_every_form_is_documented() -> None:
    text = (ROOT / "docs" / "convert.md").read_text(encoding="utf-8")
    for form in FORMS.values():
        assert f"`{form.name}`" in text
        for param in form.options:
            assert f"`{param.name}`" in text, f"{form.name}: {param.name}"
