"""Models inside the process: a tiny one, made here with random weights."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path

import pytest

from djfast.errors import ModelError, RecipeError
from djfast.llm.asking import Ask, Failure
from djfast.llm.cache import AnswerCache
from djfast.llm.conversations import converse
from djfast.llm.interrupts import interrupt

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what these libraries deprecate is their own affair
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.set_num_threads(1)  # tiny matrices gain nothing from more
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")

from djfast.llm.transformers_backend import Sampling, TransformersModel

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
PROMPTS = ["hello", "a longer question about cats", "x", "two words", "hello", "one more question, the longest one of all"]


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def folder(request, tmp_path_factory) -> str:
    """A model of some thousand weights; one has a chat template, the other has none."""
    return str(make_model(tmp_path_factory.mktemp("models") / request.param, request.param))


def make_model(path: Path, kind: str) -> Path:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<end>"], initial_alphabet=sorted(alphabet), show_progress=False
    )
    tokenizer.train_from_iterator(["hello cats and dogs"], trainer)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")
    torch.manual_seed(1)
    size = len(fast)
    if kind == "llama":
        fast.chat_template = (
            "{% for m in messages %}{% if m.role == 'robot' %}{{ raise_exception('no robots') }}{% endif %}"
            "<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
        )
        configuration = transformers.LlamaConfig(
            vocab_size=size, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=128, bos_token_id=None, eos_token_id=0, initializer_range=0.5,
        )  # fmt: skip
        model = transformers.LlamaForCausalLM(configuration)
    else:
        configuration = transformers.GPT2Config(
            vocab_size=size, n_embd=16, n_layer=2, n_head=2, n_positions=128, bos_token_id=0, eos_token_id=0,
            initializer_range=0.5,
        )  # fmt: skip
        model = transformers.GPT2LMHeadModel(configuration)
    fast.save_pretrained(path)
    model.save_pretrained(path)
    return path


def answers(folder: str, prompts=PROMPTS, **options) -> list[str]:
    options = {"sampling": {"max_tokens": 8}, **options}
    model = TransformersModel(folder, op="test", device="cpu", cache=None, **options)
    return [reply.text for reply in model.answers(prompts, usage_of="t")]


def test_an_answer_is_that_of_the_library(folder):
    """One prompt without batch, cache or our choice of tokens, by the library's own greedy search."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    prompt = "<user>hello<assistant>" if "llama" in folder else "user: hello\nassistant:"
    ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
    produced = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False, pad_token_id=0)
    expected = tokenizer.decode(produced[0, ids.shape[1] :], skip_special_tokens=True).strip()
    assert expected
    assert answers(folder, ["hello"]) == [expected]


@pytest.mark.parametrize("sampling", [{}, {"temperature": 1.0}, {"temperature": 0.7, "top_p": 0.9, "top_k": 40}])
def test_answers_do_not_depend_on_the_batch(folder, sampling):
    sampling = {"max_new_tokens": 5, **sampling}
    alone = [answers(folder, [prompt], sampling=sampling)[0] for prompt in PROMPTS]
    for batch_size in (2, 8):
        assert answers(folder, sampling=sampling, batch_size=batch_size) == alone
    assert alone[0] == alone[4]
    assert len(set(alone)) > 1


def test_a_seed_and_a_try_choose_another_answer(folder):
    first = answers(folder, sampling={"temperature": 1, "max_tokens": 8})
    assert first == answers(folder, sampling={"temperature": 1, "max_tokens": 8})
    assert first != answers(folder, sampling={"temperature": 1, "max_tokens": 8, "seed": 2})
    assert first != answers(folder, [Ask(prompt, 2) for prompt in PROMPTS], sampling={"temperature": 1, "max_tokens": 8})


def test_draws_follow_the_probabilities(folder):
    """The first token of many tries, against the model's own probabilities."""
    model = TransformersModel(
        folder, op="t", device="cpu", cache=None, batch_size=512, sampling={"temperature": 1, "max_tokens": 1}
    )
    loaded = model._loaded
    (prompt,) = [loaded.tokens(Ask("hello"))]
    with torch.inference_mode():
        probabilities = loaded.model(torch.tensor([prompt])).logits[0, -1].softmax(0)
    drawn = loaded.generate([prompt] * 4000, list(range(4000)), model.sampling, 1)
    likeliest = int(probabilities.argmax())
    expected = float(probabilities[likeliest])
    # An end token is cut off the answer and shows as an empty one.
    share = sum(tokens == ([] if likeliest == 0 else [likeliest]) for tokens in drawn) / 4000
    assert abs(share - expected) < 4 * (expected * (1 - expected) / 4000) ** 0.5


def test_usage_is_counted(folder):
    model = TransformersModel(folder, op="t", device="cpu", cache=None, sampling={"max_tokens": 3})
    (reply,) = model.answers(["hello"], usage_of="t")
    assert reply.tokens.prompt > 0
    assert 0 < reply.tokens.completion <= 3


def test_a_rerun_finds_its_answers_even_in_a_copy_of_the_model(folder, tmp_path):
    def run(path: str) -> list[bool]:
        model = TransformersModel(path, op="t", device="cpu", cache=AnswerCache(tmp_path / "answers"), sampling={"max_tokens": 3})
        return [reply.is_cached for reply in model.answers(["hello", "you"], usage_of="t")]

    assert run(folder) == [False, False]
    assert run(folder) == [True, True]


def test_a_prompt_that_is_too_long_fails_alone(folder):
    model = TransformersModel(folder, op="t", device="cpu", cache=None, sampling={"max_tokens": 8})
    long, short = model.answers(["word " * 500, "hello"], usage_of="t")
    assert isinstance(long, Failure)
    assert long.reason.startswith("the prompt must have 1 to 120 tokens beside the 8 for the answer, got ")
    assert short.text == answers(folder, ["hello"])[0]


def test_messages_that_the_template_refuses_fail_alone(folder):
    model = TransformersModel(folder, op="t", device="cpu", cache=None, sampling={"max_tokens": 8})
    odd, good = model.answers([[{"role": "robot"}], "hello"], usage_of="t")
    assert isinstance(odd, Failure)
    assert odd.reason.startswith("the model's chat template refuses the messages: ")
    assert good.text == answers(folder, ["hello"])[0]


def test_an_answer_ends_where_it_is_told(folder):
    (whole,) = answers(folder, ["hello"])
    stop = whole[2:4]
    assert answers(folder, ["hello"], sampling={"max_tokens": 8, "stop": stop}) == [whole.partition(stop)[0].strip()]


def test_conversations_run_in_the_process(folder):
    def row(text):
        first = yield Ask(text)
        second = yield Ask(first.text + text)
        return second.text

    model = TransformersModel(folder, op="t", device="cpu", cache=None, sampling={"max_tokens": 4})
    together = converse(model, [row(prompt) for prompt in PROMPTS], usage_of="t")
    assert together == [converse(model, [row(prompt)], usage_of="t")[0] for prompt in PROMPTS]
    assert all(isinstance(text, str) for text in together)


def test_a_stopped_thread_generates_no_longer(folder):
    outcome = []

    def work():
        try:
            interrupt([threading.current_thread()])
            answers(folder)
        except BaseException as error:
            outcome.append(type(error).__name__)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert outcome == ["Preempted"]


def test_a_missing_model_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.delenv("DJFAST_ALLOW_DOWNLOAD", raising=False)
    with pytest.raises(ModelError, match=r"judge: language model not found; put its folder with config\.json at ") as caught:
        TransformersModel("some/model", op="judge")
    assert "(nothing is downloaded unless DJFAST_ALLOW_DOWNLOAD=1)" in str(caught.value)


def test_a_folder_that_is_no_model_is_told(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot be read"):
        TransformersModel(str(tmp_path), op="judge")


def test_weights_that_are_a_pickle_are_refused(folder, tmp_path):
    for file in Path(folder).iterdir():
        if file.suffix == ".json" or file.suffix == ".jinja":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save(transformers.AutoModelForCausalLM.from_pretrained(folder).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        TransformersModel(str(tmp_path), op="judge", device="cpu")


def test_a_device_that_is_not_there_is_told(folder):
    with pytest.raises(ModelError, match="cannot be moved to the device"):
        TransformersModel(folder, op="judge", device="cuda:99")


@pytest.mark.parametrize(
    "parameters",
    [{"temperature": -1}, {"top_p": 0}, {"top_k": 1.5}, {"max_tokens": 0}, {"seed": "a"}, {"beams": 3}, {"stop": [""]}],
)
def test_sampling_parameters_are_checked(parameters):
    with pytest.raises(RecipeError, match="sampling parameter"):
        Sampling.of(parameters)


def test_sampling_parameters_have_the_words_of_both_sides():
    assert Sampling.of({"max_new_tokens": 5, "do_sample": False, "temperature": 0.7}) == Sampling(max_tokens=5)
    assert Sampling.of({"max_tokens": 5, "temperature": 0.7, "stop": "x"}) == Sampling(0.7, max_tokens=5, stop=("x",))
