"""Classes of queries by tiny models, beside what the library itself says."""

from __future__ import annotations

import json

import pytest

import djfast
from djfast.errors import ModelError, RecipeError
from djfast.functions.classification import bind_text_class
from tests.models.tiny_checkpoints import make_classifier, make_translator, torch, transformers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
QUERIES = ["hello cats", "", "dogs and cats and dogs", "狗和猫", "x" * 200]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return make_classifier(tmp_path_factory.mktemp("classifier"))


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    return make_translator(tmp_path_factory.mktemp("translator"))


def classes(model, queries, *, translator=None, texts_at_once=1):
    bound = bind_text_class(
        model=model, dtype="auto", translator=translator, translator_dtype="auto", device="cpu", texts_at_once=texts_at_once
    )
    return [json.loads(answer) for answer in bound(queries)]


def library_class(folder, query):
    classify = transformers.pipeline("text-classification", model=folder, truncation=True, device="cpu")
    return classify(query)


@pytest.mark.parametrize(("labels", "problem"), [(3, None), (1, None), (3, "multi_label_classification")])
def test_classes_are_those_of_the_library(tmp_path, labels, problem):
    folder = make_classifier(tmp_path, labels=labels, problem=problem)
    for found, query in zip(classes(folder, QUERIES), QUERIES):
        [expected] = library_class(folder, query)
        assert found["label"] == expected["label"]
        assert found["score"] == pytest.approx(expected["score"], rel=1e-5)


def test_a_query_has_the_same_score_in_any_batch(classifier, translator):
    whole = classes(classifier, QUERIES, translator=translator)
    assert whole == [found for query in QUERIES for found in classes(classifier, [query], translator=translator)]


def test_more_texts_at_once_differ_by_rounding_only(classifier):
    for one, other in zip(classes(classifier, QUERIES), classes(classifier, QUERIES, texts_at_once=3)):
        assert one["label"] == other["label"]
        assert one["score"] == pytest.approx(other["score"], rel=1e-5)


def test_the_translation_is_classified(classifier, translator):
    tokenizer = transformers.AutoTokenizer.from_pretrained(translator)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(translator).eval()
    with torch.inference_mode():
        produced = model.generate(**tokenizer("hello cats", return_tensors="pt"))
    translated = tokenizer.decode(produced[0], skip_special_tokens=True)
    assert classes(classifier, ["hello cats"], translator=translator) == classes(classifier, [translated])


@pytest.mark.parametrize("topic", ["intent", "sentiment", "topic"])
def test_label_and_score_become_tags(classifier, topic):
    [op] = djfast.load_ops([{f"query_{topic}_detection_mapper": {"hf_model": classifier, "zh_to_en_hf_model": None}}])
    rows = [{"query": "hello cats"}, {"query": None}, {"query": "x", "__dj__meta__": {f"query_{topic}_label": "mine"}}]
    dataset = djfast.Dataset.from_list(rows).process(op)
    first, second = [row["__dj__meta__"] for row in dataset.to_list(stats=True)]
    [expected] = classes(classifier, ["hello cats"])
    assert first == {f"query_{topic}_label": expected["label"], f"query_{topic}_label_score": expected["score"]}
    assert second[f"query_{topic}_label"] == "mine"
    assert [bad.line for bad in dataset.rejected] == [2]


def test_names_of_tags_and_of_the_query_are_free(classifier):
    params = {"hf_model": classifier, "zh_to_en_hf_model": None, "label_key": "l", "score_key": "s", "query_key": "question"}
    [op] = djfast.load_ops([{"query_topic_detection_mapper": params}])
    [row] = djfast.Dataset.from_list([{"question": "hello"}]).process(op).to_list(stats=True)
    assert set(row["__dj__meta__"]) == {"l", "s"}


def test_a_missing_translator_is_one_error(classifier, monkeypatch):
    monkeypatch.delenv("DJFAST_ALLOW_DOWNLOAD", raising=False)
    [op] = djfast.load_ops([{"query_intent_detection_mapper": {"hf_model": classifier}}])
    with pytest.raises(ModelError, match=r"query_intent_detection_mapper: .*(.|\n)*'Helsinki-NLP/opus-mt-zh-en'"):
        djfast.Dataset.from_list([{"query": "a"}]).process(op).to_list()


def test_parameters_of_models_are_checked(classifier):
    with pytest.raises(RecipeError, match="model_params may have dtype, torch_dtype, got 'device_map'"):
        djfast.load_ops([{"query_intent_detection_mapper": {"model_params": {"device_map": "auto"}}}])
    [op] = djfast.load_ops(
        [{"query_intent_detection_mapper": {"hf_model": classifier, "zh_to_en_hf_model": None, "model_params": {"dtype": "x"}}}]
    )
    with pytest.raises(RecipeError, match="dtype of a model must be one of auto, float32, float16, bfloat16, got 'x'"):
        djfast.Dataset.from_list([{"query": "a"}]).process(op).to_list()
