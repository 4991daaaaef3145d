"""Pieces, tokens and perplexity against direct calls of the libraries, with small models made here."""

from __future__ import annotations

import math
import random
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

import djfast
from djfast.errors import ModelError
from djfast.functions import bind

SENTENCES = [
    "The quick brown fox jumps over the lazy dog.",
    "Pack my box with five dozen jugs.",
    "Zwölf Boxkämpfer jagen Viktor.",
    "How vexingly quick daft zebras jump!",
    "我们今天学习语言模型。",
]
TEXTS = ["", " ", "the fox", SENTENCES[0] * 3, "a\nb\u2028c", "unknown ☃ signs", "\x1c", "我们 jump", "a  b", "x" * 300]


@pytest.fixture(scope="module")
def sentencepiece_model(tmp_path_factory):
    sentencepiece = pytest.importorskip("sentencepiece")
    folder = tmp_path_factory.mktemp("sentencepiece")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20),
        model_prefix=str(folder / "t"),
        vocab_size=90,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return str(folder / "t.model")


@pytest.fixture(scope="module")
def arpa_model(tmp_path_factory):
    lines = [
        "\\data\\",
        "ngram 1=7",
        "ngram 2=3",
        "",
        "\\1-grams:",
        "-1.5\t<unk>",
        "0\t<s>\t-0.3",
        "-1.1\t</s>",
        "-0.9\t▁the\t-0.2",
        "-1.2\t▁\t-0.4",
        "-1.4\te\t-0.1",
        "-1.3\tx\t-0.25",
        "",
        "\\2-grams:",
        "-0.4\t<s> ▁the",
        "-0.6\t▁the ▁",
        "-0.2\tx x",
        "",
        "\\end\\",
        "",
    ]
    path = tmp_path_factory.mktemp("kenlm") / "t.arpa.bin"
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def tokenizer_file(tmp_path_factory):
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=120, special_tokens=["[UNK]", "[CLS]"], show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 1)])
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=8)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def test_pieces(sentencepiece_model):
    import sentencepiece

    direct = sentencepiece.SentencePieceProcessor(model_file=sentencepiece_model)
    pieces = bind("sentencepiece_pieces", {"model": sentencepiece_model})
    assert [pieces(text) for text in TEXTS] == [direct.encode_as_pieces(text) for text in TEXTS]


def test_token_count_is_of_the_whole_text_without_special_tokens(tokenizer_file):
    import tokenizers

    direct = tokenizers.Tokenizer.from_file(str(tokenizer_file))
    direct.no_truncation()
    direct.no_padding()
    for given in (tokenizer_file, tokenizer_file.parent):
        count = bind("hf_token_count", {"tokenizer": str(given)})
        # The template adds one special token to each text.
        assert [count(text) for text in TEXTS] == [len(direct.encode(text).ids) - 1 for text in TEXTS]
    assert count(SENTENCES[0] * 3) > 8


def test_perplexity(sentencepiece_model, arpa_model):
    kenlm, sentencepiece = pytest.importorskip("kenlm"), pytest.importorskip("sentencepiece")
    direct, pieces = kenlm.Model(arpa_model), sentencepiece.SentencePieceProcessor(model_file=sentencepiece_model)
    perplexity = bind("perplexity", {"sentencepiece_model": sentencepiece_model, "kenlm_model": arpa_model})
    for text in TEXTS:
        lines = " ".join(pieces.encode_as_pieces(text)).splitlines()
        words = sum(len(line.split()) + 1 for line in lines)
        expected = 10 ** (-math.fsum(direct.score(line) for line in lines) / words) if words else 0.0
        assert perplexity(text) == pytest.approx(expected, abs=0.0501)
        assert perplexity(text) == round(perplexity(text), 1)
    assert perplexity("") == 0.0
    # By hand: every step backs off, from the sentence's start, from the first piece, and to the end.
    assert pieces.encode_as_pieces("x") == ["▁", "x"]
    assert perplexity("x") == round(10 ** ((0.3 + 1.2 + 0.4 + 1.3 + 0.25 + 1.1) / 3), 1)


def test_threads_share_one_model(sentencepiece_model, arpa_model, tokenizer_file):
    pytest.importorskip("kenlm")
    rng = random.Random(0)
    texts = [" ".join(rng.choice(SENTENCES) for _ in range(20)) for _ in range(200)]
    for name, params in {
        "sentencepiece_pieces": {"model": sentencepiece_model},
        "perplexity": {"sentencepiece_model": sentencepiece_model, "kenlm_model": arpa_model},
        "hf_token_count": {"tokenizer": str(tokenizer_file)},
    }.items():
        function = bind(name, params)
        expected = [function(text) for text in texts]
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(bind(name, params), texts)) == expected


@pytest.mark.parametrize("name", ["sentencepiece_pieces", "hf_token_count", "perplexity"])
@pytest.mark.parametrize("content", [None, b"", b"\0\1\2 not a model"])
def test_unreadable_models(name, content, tmp_path, sentencepiece_model):
    if name == "perplexity":
        pytest.importorskip("kenlm")
    path = tmp_path / "bad"
    if content is not None:
        path.write_bytes(content)
    params = {
        "sentencepiece_pieces": {"model": str(path)},
        "hf_token_count": {"tokenizer": str(path)},
        "perplexity": {"sentencepiece_model": sentencepiece_model, "kenlm_model": str(path)},
    }[name]
    with pytest.raises(ModelError, match=str(path)):
        bind(name, params)


def test_pieces_with_unwanted_substrings_are_removed(sentencepiece_model, tmp_path, monkeypatch):
    shutil.copy(sentencepiece_model, tmp_path / "zz.sp.model")
    monkeypatch.setenv("DATA_JUICER_MODELS_CACHE", str(tmp_path))
    found = bind("sentencepiece_pieces", {"model": sentencepiece_model})
    unwanted = ["o", "jumps", "我"]
    op = {"remove_words_with_incorrect_substrings_mapper": {"lang": "zz", "tokenization": True, "substrings": unwanted}}
    expected = []
    for text in TEXTS:
        pieces = [piece.replace("\u2581", "") for piece in found(text)]
        kept = [piece for piece in pieces if not any(substring in piece for substring in unwanted)]
        expected.append(text if kept == pieces else "".join(kept))
    assert expected != TEXTS
    rows = djfast.Dataset.from_list([{"text": text} for text in TEXTS]).process(*djfast.load_ops([op])).to_list()
    assert [row["text"] for row in rows] == expected
