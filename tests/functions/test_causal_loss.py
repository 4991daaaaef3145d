"""Losses of messages under a tiny causal language model, beside the losses that the library itself computes."""

from __future__ import annotations

import json
import math

import pytest

import djfast
from djfast.errors import ModelError, RecipeError
from djfast.functions.causal_loss import bind_message_loss, bind_quotient
from tests.models.tiny_checkpoints import make_causal, torch, transformers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
TALKS = [
    ["hello cats", "dogs and cats"],
    ["hello there"],
    ["", "a b c d"],
    ["x y", "one", "two, three and four"],
    ["hello cats", "dogs!"],
]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "bos"])
def model(request, tmp_path_factory):
    return make_causal(tmp_path_factory.mktemp("causal"), bos=request.param)


def losses(model, talks, *, only_last=False, max_length=None, texts_at_once=1):
    bound = bind_message_loss(
        model=model, only_last=only_last, max_length=max_length, dtype="auto", device="cpu", texts_at_once=texts_at_once
    )
    return bound([json.dumps(talk) for talk in talks])


def library_loss(model, talk):
    """What the library says of the last message, with the other tokens masked."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    ids = tokenizer(" ".join(talk).strip(), return_tensors="pt")["input_ids"]
    count = len(tokenizer(talk[-1].strip())["input_ids"]) - (tokenizer.bos_token is not None)
    labels = ids.clone()
    labels[:, :-count] = -100
    with torch.inference_mode():
        return transformers.AutoModelForCausalLM.from_pretrained(model)(input_ids=ids, labels=labels).loss.item()


def test_the_last_message_is_scored_as_the_library_scores_it(model):
    talks = [*TALKS, ["hello cats", "dogs"]]  # one token at the end, which the mark of a beginning takes away: all count
    assert losses(model, talks) == pytest.approx([library_loss(model, talk) for talk in talks], rel=1e-6)


def test_only_the_last_message_is_read_when_asked(model):
    assert losses(model, TALKS, only_last=True) == losses(model, [talk[-1:] for talk in TALKS])


def test_a_conversation_has_the_same_loss_in_any_batch(model):
    assert losses(model, TALKS) == [loss for talk in TALKS for loss in losses(model, [talk])]


def test_more_texts_at_once_differ_by_rounding_only(model):
    assert losses(model, TALKS, texts_at_once=4) == pytest.approx(losses(model, TALKS), rel=1e-5)


def test_what_cannot_be_scored_is_an_error_of_its_row(model):
    short, good, long = losses(model, [[""], ["hello cats"], ["cat " * 100]], texts_at_once=3)
    assert "at least two tokens, got 0" in str(short)
    assert "at most 64 tokens for this model" in str(long)
    assert [good] == losses(model, [["hello cats"]])


def test_a_limit_cuts_the_beginning(model):
    [cut] = losses(model, [["hello " * 100, "cats and dogs"]], max_length=20)
    [loss] = losses(model, [["hello " * 100, "cats and dogs"]], max_length=21)
    assert cut != loss
    assert not isinstance(cut, Exception)


def test_quotients_of_zeros():
    quotient = bind_quotient()
    assert quotient(1.0, 2.0) == 0.5
    assert quotient(1.0, 0.0) == math.inf
    assert math.isnan(quotient(0.0, 0.0))


ROWS = [
    {"query": "hello cats", "text": "dogs and cats"},
    {"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "dogs, cats"}], "text": "unused"},
    {"query": "q", "text": ""},
    {"query": "hello", "text": 12345},
]


def stats(name, rows, **params):
    [op] = djfast.load_ops([{name: {"query_template": "{query}", **params}}])
    dataset = djfast.Dataset.from_list(rows).compute_stats(op)
    return [row["__dj__stats__"] for row in dataset.to_list(stats=True)], [bad.reason for bad in dataset.rejected]


def test_perplexity_is_that_of_the_last_message(model):
    found, rejected = stats("llm_perplexity_filter", ROWS, hf_model=model)
    talks = [["hello cats", "dogs and cats"], ["hello", "dogs, cats"], ["q", ""], ["hello", "12345"]]
    expected = [library_loss(model, talk) for talk in (talks[0], talks[1], talks[3])]
    assert [each["llm_perplexity"] for each in found if each][:2] == pytest.approx([math.exp(e) for e in expected[:2]], rel=1e-5)
    assert len(found) + len(rejected) == len(ROWS)


def test_difficulty_is_a_quotient_of_losses(model):
    found, rejected = stats("instruction_following_difficulty_filter", ROWS[:3], hf_model=model)
    talks = [["hello cats", "dogs and cats"], ["hello", "dogs, cats"]]
    expected = [library_loss(model, talk) / library_loss(model, talk[-1:]) for talk in talks]
    assert [each["ifd_score"] for each in found] == pytest.approx(expected, rel=1e-5)
    assert len(rejected) == 1
    assert "at least two tokens" in rejected[0]


@pytest.mark.parametrize("as_demo", [False, True])
def test_influence_is_a_mean_of_quotients(model, as_demo):
    valid = [{"query": "cats", "text": "and dogs"}, {"query": "dogs", "text": "hello hello"}, {"query": "unused", "text": "u"}]
    found, _ = stats(
        "in_context_influence_filter", ROWS[:2], hf_model=model, valid_dataset=valid, valid_as_demo=as_demo, n_shot=2,
        task_desc="say hello",
    )  # fmt: skip
    samples = [["hello cats", "dogs and cats"], ["hello", "dogs, cats"]]
    shown = [["say hello", "cats", "and dogs"], ["say hello", "dogs", "hello hello"]]
    expected = []
    for sample in samples:
        pairs = [(sample, [*each, *sample]) if as_demo else (each, [*sample, *each]) for each in shown]
        expected.append(sum(library_loss(model, alone) / library_loss(model, joined) for alone, joined in pairs) / 2)
    assert [each["in_context_influence"] for each in found] == pytest.approx(expected, rel=1e-5)


def test_the_text_field_is_the_one_of_the_op(model):
    rows = [{"query": "hello", "content": "dogs and cats"}]
    [found], _ = stats("llm_perplexity_filter", rows, hf_model=model, text_key="content")
    assert found == stats("llm_perplexity_filter", [{"query": "hello", "text": "dogs and cats"}], hf_model=model)[0][0]


def test_a_missing_field_and_wrong_messages_reject_their_rows(model):
    rows = [{"text": "cats"}, {"query": "q", "messages": "no", "text": "t"}, {"query": "q", "messages": [{"content": 1}]}]
    found, rejected = stats("llm_perplexity_filter", rows, hf_model=model)
    assert found == []
    assert "field 'query' is missing" in rejected[0]
    assert "messages must be a list of messages" in rejected[1]
    assert "a message must have a content" in rejected[2]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"model_params": {"device_map": "auto"}}, "model_params may have max_length, dtype, torch_dtype, got 'device_map'"),
        ({"model_params": {"max_length": 1}}, "max_length must be an integer >= 2, got 1"),
        ({"query_template": "{text.__class__}"}, "a template may hold names of fields in braces"),
        ({"query_template": "{"}, "a template may hold names of fields in braces"),
        ({"query_template": "{text!r}"}, "query_template may hold"),
    ],
)
def test_wrong_parameters_are_told(model, params, message):
    with pytest.raises(RecipeError, match=message):
        stats("llm_perplexity_filter", ROWS, hf_model=model, **params)


def test_validation_rows_must_be_given(model):
    with pytest.raises(RecipeError, match="valid_dataset must have at least one row"):
        stats("in_context_influence_filter", ROWS, hf_model=model)
    with pytest.raises(RecipeError, match=r"valid_dataset\[1\]: field 'query' is missing"):
        stats("in_context_influence_filter", ROWS, hf_model=model, valid_dataset=[ROWS[0], {"text": "t"}])


def test_a_missing_model_is_one_error(monkeypatch):
    monkeypatch.delenv("DJFAST_ALLOW_DOWNLOAD", raising=False)
    with pytest.raises(ModelError, match=r"^llm_perplexity_filter: language model not found(.|\n)*DJFAST_ALLOW_DOWNLOAD=1"):
        stats("llm_perplexity_filter", ROWS, hf_model="no/such-model")
