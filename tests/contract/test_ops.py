"""Every declared OP, checked the same way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

import djfast
from djfast import catalog
from djfast.declare import MISSING, Example, OpSpec
from djfast.errors import MissingExtraError
from djfast.reserved import META, STATS

SPECS = catalog.all_specs()
CASES = [(spec, example) for spec in SPECS for example in spec.examples]
# OPs whose examples would need a model file; tests/models and the golden tests run them.
NEED_MODELS = {
    "human_preference_annotation_mapper",
    "language_id_score_filter",
    "perplexity_filter",
    "token_num_filter",
    "stopwords_filter",
    "flagged_words_filter",
    "text_action_filter",
    "text_entity_dependency_filter",
    "in_context_influence_filter",
    "instruction_following_difficulty_filter",
    "llm_perplexity_filter",
    "query_intent_detection_mapper",
    "query_sentiment_detection_mapper",
    "query_topic_detection_mapper",
    "sentence_augmentation_mapper",
    "text_embd_similarity_filter",
    "text_pair_similarity_filter",
    "text_tagging_by_prompt_mapper",
}


@contextlib.contextmanager
def saying(answers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that gives these answers, one after the other."""
    pytest.importorskip("aiohttp", reason="the extra llm is not installed")
    from tests.llm.server import Server, completion

    with Server(lambda asked: completion(answers[asked.number % len(answers)])) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-a-key-for-the-test")
        monkeypatch.setenv("DJFAST_LLM_CACHE", "off")
        yield


@pytest.mark.parametrize(("spec", "example"), CASES, ids=[spec.name for spec, _ in CASES])
def test_example_holds(spec: OpSpec, example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    if example.says:
        with saying(example.says, monkeypatch):
            _check_example(spec, example)
    else:
        _check_example(spec, example)


def _check_example(spec: OpSpec, example: Example) -> None:
    ops = djfast.load_ops([{spec.name: example.params}])
    dataset = djfast.Dataset.from_list(example.rows).process(ops)
    try:
        got = dataset.to_list(stats=True)
    except MissingExtraError as error:
        pytest.skip(str(error))
    assert [_flat(row, wanted) for row, wanted in zip(got, example.expect)] == example.expect
    assert len(got) == len(example.expect)
    assert dataset.rejected == []


def _flat(row: dict, wanted: dict) -> dict:
    """The row with its stats and tags merged in, reduced to what the example names. Rows of groups have lists of tags."""
    tags = row.get(META, {})
    merged = {**row, **row.get(STATS, {}), **(tags if isinstance(tags, dict) else {})}
    return {key: merged.get(key) for key in wanted}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_is_documented(spec: OpSpec) -> None:
    assert spec.summary.endswith("."), "the first line of the docstring is a sentence"
    assert spec.description, "the docstring says what happens to empty text"
    assert spec.examples or spec.name in NEED_MODELS
    for param in spec.params:
        assert param.doc.endswith("."), param.name


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_defaults_pass_their_own_checks(spec: OpSpec) -> None:
    for param in spec.params:
        if param.default is not MISSING:
            assert param.check(param.default) == param.default


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_ops_are_values(spec: OpSpec) -> None:
    has_to_be_given = any(param.default is MISSING for param in spec.params)
    given = spec.examples[0].params if has_to_be_given else {}
    first, second = spec.cls(**given), spec.cls(**given)
    assert first == second
    assert hash(first) == hash(second)
    with pytest.raises(AttributeError, match="immutable"):
        first.text_key = "other"


def test_every_kind_of_bad_text_is_set_aside_alone() -> None:
    rows = [
        {"text": "a good text of some words"},
        {"text": None},
        {"text": 3},
        {},
        {"text": "\ud800"},
        {"text": "and one more"},
    ]
    [op] = djfast.load_ops([{"text_length_filter": {"min_len": 1}}])
    dataset = djfast.Dataset.from_list(rows).process(op)
    assert dataset.to_list() == [rows[0], rows[5]]
    assert [(bad.line, bad.reason) for bad in dataset.rejected] == [
        (2, "field 'text' is null"),
        (3, "field 'text' is not a string but a number"),
        (4, "field 'text' is missing"),
        (5, "field 'text' contains a lone surrogate, which is not a Unicode character"),
    ]
