"""Similarity of texts by tiny models and by a server, beside sums made here."""

from __future__ import annotations

import json

import pytest

import djfast
from djfast.errors import RecipeError
from tests.llm.conftest import server as server
from tests.llm.server import Said, embedding
from tests.models.tiny_checkpoints import make_clip, make_encoder, torch, transformers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
STATS = "__dj__stats__"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("encoder"))


def run(name, rows, **params):
    [op] = djfast.load_ops([{name: params}])
    dataset = djfast.Dataset.from_list(rows).compute_stats(op)
    return [next(iter(row[STATS].values())) for row in dataset.to_list(stats=True)], [bad.reason for bad in dataset.rejected]


def clip_cosine(folder, one, other):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        features = []
        for text in (one, other):
            inputs = tokenizer(text, return_tensors="pt")
            states = model.text_model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
            features.append(model.text_projection(states.pooler_output))
        return torch.nn.functional.cosine_similarity(*features).item()


PAIRS = [("hello cats", "dogs and cats"), ("hello", "hello"), ("狗", "cats")]


@pytest.mark.parametrize("texts_at_once", [1, 4])
def test_pairs_have_the_cosine_of_their_features(clip, texts_at_once):
    rows = [{"text": one, "other": other} for one, other in PAIRS]
    found, _ = run("text_pair_similarity_filter", rows, hf_clip=clip, text_key_second="other", texts_at_once=texts_at_once)
    assert found == [[pytest.approx(clip_cosine(clip, *pair), abs=1e-5)] for pair in PAIRS]


def test_rows_without_a_pair_have_no_similarity_and_stay(clip):
    rows = [{"text": "hello", "other": ""}, {"text": "hello"}, {"text": "", "other": "x"}, {"other": None, "text": "x"}]
    [op] = djfast.load_ops([{"text_pair_similarity_filter": {"hf_clip": clip, "text_key_second": "other", "min_score": 1.0}}])
    kept = djfast.Dataset.from_list(rows).process(op).to_list(stats=True)
    assert [row[STATS] for row in kept] == [{"text_pair_similarity": []}] * 4


def test_pairs_that_cannot_be_read_are_rejected_alone(clip):
    rows = [{"text": "a", "other": 3}, {"text": "hello", "other": "x" * 100}, {"text": "hello", "other": "hello"}]
    found, rejected = run("text_pair_similarity_filter", rows, hf_clip=clip, text_key_second="other")
    assert found == [[pytest.approx(1.0)]]
    assert "a text is needed" in rejected[0]
    assert "at most 32 tokens for this model" in rejected[1]


def test_a_pair_needs_a_second_field(clip):
    with pytest.raises(RecipeError, match="text_key_second must name the field of the second text"):
        run("text_pair_similarity_filter", [{"text": "a"}], hf_clip=clip)


VALID = [{"text": "hello cats"}, {"text": "dogs"}]


def encoder_cosine(folder, text, pooling):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()

    def embed(each):
        with torch.inference_mode():
            states = model(**tokenizer(each, return_tensors="pt")).last_hidden_state[0]
        if pooling is None:
            return states[-1]
        weights = torch.arange(1, len(states) + 1)[:, None] if pooling == "weighted_mean" else 1
        return (states * weights).sum(dim=0)

    cosines = [torch.nn.functional.cosine_similarity(embed(text), embed(row["text"]), dim=0).item() for row in VALID]
    return sum(cosines) / len(cosines)


@pytest.mark.parametrize("pooling", [None, "mean", "weighted_mean"])
@pytest.mark.parametrize("texts_at_once", [1, 3])
def test_a_model_in_the_process_embeds(encoder, pooling, texts_at_once):
    texts = ["hello cats", "cats and dogs", "猫", "a longer text about cats and dogs"]
    params = {"api_or_hf_model": encoder, "is_hf_model": True, "pooling": pooling, "texts_at_once": texts_at_once}
    found, _ = run("text_embd_similarity_filter", [{"text": text} for text in texts], valid_dataset=VALID, **params)
    assert found == pytest.approx([encoder_cosine(encoder, text, pooling) for text in texts], abs=1e-5)


def test_templates_and_messages_make_the_text(encoder):
    rows = [
        {"q": "hello", "a": "cats"},
        {"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "cats"}]},
        {"q": "hello"},
        {"q": "hello", "messages": [{"content": "hello"}]},
    ]
    params = {"api_or_hf_model": encoder, "is_hf_model": True, "input_template": "{q} {a}"}
    found, rejected = run("text_embd_similarity_filter", rows, valid_dataset=[{"q": "hello", "a": "cats"}], **params)
    assert found == pytest.approx([1.0, 1.0])
    assert "field 'a' is missing" in rejected[0]
    assert "there must be a message for each of q, a, got 1" in rejected[1]


def test_the_text_field_is_the_one_of_the_op(encoder):
    params = {"api_or_hf_model": encoder, "is_hf_model": True, "text_key": "content"}
    found, _ = run("text_embd_similarity_filter", [{"content": "hello"}], valid_dataset=[{"content": "hello"}], **params)
    assert found == pytest.approx([1.0])


VECTORS = {"hello cats": [1.0, 0.0], "dogs": [0.0, 1.0], "a": [1.0, 0.0], "b": [3.0, 4.0], "zero": [0.0, 0.0], "long": [1.0] * 3}


def answer(asked):
    return embedding(VECTORS[asked.prompt]) if asked.prompt in VECTORS else Said(b'{"error": "no such text"}', 400)


def test_a_server_embeds_and_is_asked_as_it_wants(server):
    server.respond = answer
    rows = [{"text": text} for text in ("a", "b", "c", "zero", "long")]
    found, rejected = run("text_embd_similarity_filter", rows, valid_dataset=VALID)
    assert found == pytest.approx([0.5, (0.6 + 0.8) / 2])
    assert "answered 400" in rejected[0]
    assert "must not be all zeros" in rejected[1]
    assert "must have 2 numbers, got 3" in rejected[2]
    asked = {each.prompt: each for each in server.requests}
    body = {"model": "text-embedding-v4", "input": "a", "dimensions": 4096, "encoding_format": "float"}
    assert asked["a"].body == body
    assert asked["a"].path.endswith("/embeddings")


def test_without_embeddings_of_the_validation_rows_the_run_says_so(server):
    server.respond = lambda asked: Said(b"{}", 400)
    with pytest.raises(djfast.errors.NoAnswerError, match=r"valid_dataset\[0\] has no embedding"):
        run("text_embd_similarity_filter", [{"text": "a"}], valid_dataset=VALID)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "valid_dataset must have at least one row, got none"),
        ({"valid_dataset": VALID, "model_params": {"api_key": "sk-x"}}, r"model_params may have base_url; .* got api_key"),
        ({"valid_dataset": VALID, "model_params": {"base_url": "u"}, "is_hf_model": True}, "model_params are for a server"),
        ({"valid_dataset": [{"no": 1}]}, r"valid_dataset\[0\]: field 'text' is missing"),
        ({"valid_dataset": VALID, "input_template": "{a.b}"}, "a template may hold names"),
    ],
)
def test_wrong_parameters_are_told(server, params, message):
    with pytest.raises(RecipeError, match=message):
        run("text_embd_similarity_filter", [{"text": "a"}], **params)
    assert "sk-x" not in json.dumps([asked.headers for asked in server.requests])
