"""Sentences and tags that a tiny chat model writes; its words mean nothing, but are the same every time."""

from __future__ import annotations

import pytest

import djfast
from djfast.errors import ModelError, RecipeError
from tests.models.tiny_checkpoints import make_causal, transformers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
TASK = {"task_sentence": "Say it again.", "text_key_second": "again", "system_prompt": "", "max_new_tokens": 8}
ROWS = [{"text": "hello cats"}, {"text": "dogs and cats"}, {"text": ""}, {"text": "狗"}]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_causal(tmp_path_factory.mktemp("chat"), context=512)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DJFAST_LLM_CACHE", "off")


def run(name, rows, **params):
    [op] = djfast.load_ops([{name: params}])
    dataset = djfast.Dataset.from_list(rows).process(op)
    return dataset.to_list(), [bad.reason for bad in dataset.rejected]


def library_answer(folder, prompt):
    """The likeliest eight tokens after a prompt, role by role, since the model has no chat template."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    language_model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    inputs = tokenizer(f"user: {prompt}\nassistant:", return_tensors="pt")
    produced = language_model.generate(**inputs, max_new_tokens=8, do_sample=False, pad_token_id=2)
    return tokenizer.decode(produced[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip()


def test_the_answer_goes_to_the_second_field(model):
    got, rejected = run("sentence_augmentation_mapper", ROWS, hf_model=model, temperature=0, **TASK)
    assert rejected == []
    assert [row["text"] for row in got] == [row["text"] for row in ROWS]
    expected = library_answer(model, 'Here is a sentence: "hello cats"\n\nSay it again.')
    assert got[0]["again"] == expected.strip('"')
    assert len({row["again"] for row in got}) > 1


def test_draws_are_the_same_in_every_run_and_batch(model):
    params = {**TASK, "hf_model": model, "temperature": 5.0, "top_p": 0.9}
    drawn, _ = run("sentence_augmentation_mapper", ROWS, **params)
    assert drawn == [row for each in ROWS for row in run("sentence_augmentation_mapper", [each], **params)[0]]


def test_a_sentence_that_is_too_long_is_rejected_alone(model):
    got, rejected = run("sentence_augmentation_mapper", [{"text": "x" * 2000}, ROWS[0]], hf_model=model, **TASK)
    assert len(got) == 1
    assert "the prompt must have 1 to 504 tokens" in rejected[0]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"task_sentence": None}, "task_sentence must say what to do with the sentence, got None"),
        ({"text_key_second": None}, "text_key_second must name the field of the answer, got None"),
        ({"num_beams": 4}, "num_beams cannot be used here: answers are drawn"),
    ],
)
def test_wrong_parameters_are_told(model, params, message):
    with pytest.raises(RecipeError, match=message):
        run("sentence_augmentation_mapper", ROWS, **{"hf_model": model, **TASK, **params})


def test_the_answer_is_the_tag(model):
    params = {"prompt": "{tag_list}? {text}", "tag_list": ["cats", "dogs"], "sampling_params": {"max_tokens": 8}}
    got, rejected = run("text_tagging_by_prompt_mapper", ROWS, hf_model=model, **params)
    assert rejected == []
    assert got[0]["__dj__text_tags__"] == [library_answer(model, "cats, dogs? hello cats")]
    assert all(len(row["__dj__text_tags__"]) == 1 for row in got)


def test_our_prompt_names_text_and_tags(model):
    got, rejected = run("text_tagging_by_prompt_mapper", ROWS[:1], hf_model=model, sampling_params={"max_tokens": 2})
    assert len(got) + len(rejected) == 1


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"prompt": "{text} {other}"}, "prompt may hold {text}, {tag_list}"),
        ({"sampling_params": {"beams": 3}}, "sampling parameters of a model inside the process may be"),
        ({"trust_remote_code": True}, "trust_remote_code cannot be used here"),
    ],
)
def test_wrong_parameters_of_tagging_are_told(model, params, message):
    with pytest.raises(RecipeError, match=message):
        run("text_tagging_by_prompt_mapper", ROWS, hf_model=model, **params)


def test_a_missing_model_is_one_error(monkeypatch):
    monkeypatch.delenv("DJFAST_ALLOW_DOWNLOAD", raising=False)
    with pytest.raises(ModelError, match=r"^text_tagging_by_prompt_mapper: language model not found"):
        run("text_tagging_by_prompt_mapper", ROWS)
