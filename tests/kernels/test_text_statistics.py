"""Lengths, classes, lines, words and repetition against plain Python."""

from __future__ import annotations

import json
import math
import random
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from djfast import Dataset, _native, load_ops

LEVELS = ("serial", "avx2", "avx512")


def read_special() -> frozenset[str]:
    path = Path(__file__).parents[2] / "cpp" / "tables" / "special_characters.txt"
    items = [item for line in path.read_text().splitlines() if not line.startswith("#") for item in line.split()]
    ranges = [item.split("-") for item in items]
    return frozenset(chr(p) for r in ranges for p in range(int(r[0], 16), int(r[-1], 16) + 1))


SPECIAL = read_special()
EVERY = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point < 0xE000]
BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
NEAR_BREAKS = "\u2027\u202a\u0084\u0086\u00a8\u00a9\u2068\u3028中\u5368"  # share bytes with separators
PIECES = ["\r\n", "word", "the", "İ", " ", "  ", "\t", "\u00a0", "...", "1", "一", "上", "é", "Σ", "😀"]
texts = st.lists(
    st.one_of(
        st.sampled_from(PIECES),
        st.sampled_from(BREAKS + NEAR_BREAKS),
        st.sampled_from(sorted(SPECIAL)),
        st.characters(exclude_categories=["Cs"]),
        st.text("ab \n", max_size=80),
    ),
    max_size=40,
).map("".join)


def evaluate(function: str, *columns: list, **params) -> list:
    return _native.evaluate(function, list(columns), params)


def at_every_level(function: str, *columns: list, **params) -> list:
    """The answer, which must not depend on the instruction set."""
    before = _native.active_isa()
    answers = []
    for level in LEVELS:
        _native.force_isa(level)
        answers.append(evaluate(function, *columns, **params))
    _native.force_isa(before)
    assert answers[0] == answers[1] == answers[2]
    return answers[0]


def split(text: str) -> list[str]:
    return [piece for piece in text.replace("\n", " ").replace("\t", " ").split(" ") if piece]


def strip_special(word: str) -> str:
    while word and word[0] in SPECIAL:
        word = word[1:]
    while word and word[-1] in SPECIAL:
        word = word[:-1]
    return word


def words_of(pieces: list[str], groups: list[int] = (), join: str = "") -> list[str]:
    single = [word for word in map(strip_special, pieces) if word]
    grouped = [join.join(single[start : start + size]) for size in groups for start in range(len(single) - size + 1)]
    return single + grouped


def words_in(text: str) -> list[str]:
    return words_of(split(text))


def word_repetition(words: list[str], n: int) -> float:
    counts = Counter(" ".join(words[start : start + n]) for start in range(len(words) - n + 1))
    total = sum(counts.values())
    return sum(count for count in counts.values() if count > 1) / total if total else 0.0


def char_repetition(text: str, n: int) -> float:
    counts = Counter(text[start : start + n] for start in range(len(text) - n + 1))
    if not counts:
        return 0.0
    several = sum(1 for count in counts.values() if count > 1)
    most = min(int(math.sqrt(len(counts))), several)
    return sum(sorted(counts.values(), reverse=True)[:most]) / sum(counts.values())


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize(
    ("cls", "belongs"),
    [("alnum", str.isalnum), ("alpha", str.isalpha), ("special", SPECIAL.__contains__)],
)
def test_every_character_is_of_its_classes(cls, belongs):
    assert evaluate("count_class", EVERY, cls=cls) == [int(belongs(c)) for c in EVERY]


@given(texts)
def test_classes_and_code_points_are_counted(text):
    assert at_every_level("text_length", [text]) == [len(text)]
    assert at_every_level("count_class", [text], cls="alnum") == [sum(map(str.isalnum, text))]
    assert at_every_level("count_class", [text], cls="alpha") == [sum(map(str.isalpha, text))]
    assert at_every_level("count_class", [text], cls="special") == [sum(c in SPECIAL for c in text)]


@given(texts)
def test_lines_are_those_of_splitlines(text):
    assert at_every_level("lines", [text]) == [[len(line) for line in text.splitlines()]]


@given(texts)
def test_words_end_at_spaces_tabs_and_line_feeds(text):
    assert at_every_level("words", [text], groups=[], join="") == [words_in(text)]
    assert at_every_level("words_count", [text]) == [len(words_in(text))]


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize(
    "separator", ["\n", "\r\n", "\r", "\x85", "\u2028", " ", "\t", "\n\r", "-", " - ", "\u3000", "...) ", " «"]
)
@pytest.mark.parametrize("filler", ["x", "é", "中", "😀", ".", "…"])
def test_separators_are_found_anywhere_around_a_vector(filler, separator):
    values = [filler * before + separator + filler * after for before in range(131) for after in (0, 1, 62, 63, 64, 65)]
    assert evaluate("lines", values) == [[len(line) for line in text.splitlines()] for text in values]
    assert evaluate("words", values, groups=[], join="") == [words_in(text) for text in values]
    assert evaluate("words_count", values) == [len(words_in(text)) for text in values]
    assert evaluate("text_length", values) == [len(text) for text in values]
    for cls, belongs in (("alnum", str.isalnum), ("alpha", str.isalpha), ("special", SPECIAL.__contains__)):
        assert evaluate("count_class", values, cls=cls) == [sum(map(belongs, text)) for text in values]


@given(st.lists(texts, min_size=1, max_size=5), st.lists(st.integers(1, 4), max_size=3))
def test_groups_of_words_follow(values, groups):
    expected = [words_of(split(text), groups, "-") for text in values]
    assert at_every_level("words", values, groups=groups, join="-") == expected


@given(st.lists(texts, min_size=1, max_size=5), st.booleans(), st.lists(st.integers(1, 4), max_size=3))
def test_pieces_become_words(values, lower, groups):
    pieces = [split(text) for text in values]
    expected = [words_of([piece.lower() if lower else piece for piece in each], groups, " ") for each in pieces]
    assert at_every_level("words_of_pieces", pieces, lower=lower, groups=groups, join=" ") == expected


def test_words_of_a_lowered_text_are_the_lowered_words():
    text = "ΟΔΟΣ ΣΑΣ. Σ' İΣ\tAΣ\n'Σ ΑΣ"
    assert evaluate("words", evaluate("lower", [text]), groups=[], join="") == [words_of([word.lower() for word in split(text)])]


def test_a_group_size_below_one_is_refused():
    with pytest.raises(ValueError, match="word group size must be >= 1, got 0"):
        evaluate("words", ["a"], groups=[0], join="")


alphabets = st.sampled_from(["ab", "abc d", "é中", "a中", "a😀", "".join(map(chr, range(0x4E00, 0x4E80)))])


@settings(max_examples=200)
@given(alphabets.flatmap(lambda letters: st.text(letters, max_size=300)), st.integers(1, 40))
def test_repeated_characters_are_counted(text, n):
    assert at_every_level("char_ngram_repetition", [text], n=n) == [char_repetition(text, n)]


@given(texts, st.integers(1, 12))
def test_repeated_characters_of_any_text_are_counted(text, n):
    assert at_every_level("char_ngram_repetition", [text * 3], n=n) == [char_repetition(text * 3, n)]


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from(["a", "b", "ab", "a" * 16, "a" * 17, "a" * 16 + "b", "b" * 40, "中" * 6]), max_size=200),
    st.integers(1, 20),
)
def test_repeated_words_are_counted(words, n):
    assert at_every_level("ngram_repetition", [words], n=n) == [word_repetition(words, n)]


@pytest.mark.parametrize("n", [1, 4, 8, 9, 10, 16, 17, 33])
def test_repetition_in_long_texts(n):
    chooser = random.Random(n)
    values = []
    for letters in ("ab", "abcdefgh \n", "aé中", "a😀"):
        values.append("".join(chooser.choices(letters, k=70_000)))  # more n-grams than 16-bit numbers
        phrases = ["".join(chooser.choices(letters, k=30)) for _ in range(50)]
        values.append("".join(chooser.choices(phrases, k=300)))
        values.append(letters * 5_000)
    assert evaluate("char_ngram_repetition", values, n=n) == [char_repetition(text, n) for text in values]
    words = [split(text) for text in values] + [[str(number % 60_000) for number in range(70_000)]]
    assert evaluate("ngram_repetition", words, n=n) == [word_repetition(each, n) for each in words]


@pytest.mark.parametrize("n", [1, 10, 33])
def test_repetition_in_texts_of_many_grams(n):
    chooser = random.Random(n)
    values = []
    for letters in ("ab", "abcdefgh \n", "a😀é中" + "".join(chr(code) for code in range(0x400, 0x500))):
        phrases = ["".join(chooser.choices(letters, k=300)) for _ in range(500)]
        values.append("".join(chooser.choices(phrases, k=500)) + "".join(chooser.choices(letters, k=200_000)))
    values.append("a" * 300_000)
    assert evaluate("char_ngram_repetition", values, n=n) == [char_repetition(text, n) for text in values]
    words = [list("ab" * 140_000), [str(number * number % 90_001) for number in range(300_000)]]
    assert evaluate("ngram_repetition", words, n=n) == [word_repetition(each, n) for each in words]


@pytest.mark.parametrize("count", [2_000, 2_048, 2_049, 5_000])
def test_repetition_in_texts_of_many_far_code_points(count):
    chooser = random.Random(count)
    letters = ["a", "中", "\ud7ff", "\ue000", *map(chr, range(0x3FFFF - count // 2, 0x3FFFF - count // 2 + count))]
    texts = ["".join(chooser.choices(letters, k=20_000)) for _ in range(2)]
    values = [*texts, "".join(letters) * 2, "a😀中" * 50]  # what one text has is nothing to the next one
    assert evaluate("char_ngram_repetition", values, n=2) == [char_repetition(text, 2) for text in values]


def test_what_occurs_often_and_seldom_is_counted_in_a_long_text():
    chooser = random.Random(1)
    words = ["".join(chooser.choices("abcdefgh", k=7)) for _ in range(2_000)]
    text = "".join(chooser.choices(words, [1 / (1 + place) for place in range(2_000)], k=60_000))
    counts = Counter(text[place : place + 5] for place in range(len(text) - 4))
    assert min(map(sum, zip(*((count < 64, count >= 64) for count in counts.values()), strict=True))) > 100
    assert evaluate("char_ngram_repetition", [text], n=5) == [char_repetition(text, 5)]


@pytest.mark.parametrize("pieces", [["a"], ["", "é", "“b”", "\n\t", "..."], [f"w{number}" for number in range(50_000)]])
def test_words_of_long_texts(pieces):
    chooser = random.Random(len(pieces))
    text = " ".join(chooser.choices(pieces, k=400_000)) + " " + "x" * 200_000 + "\tend"
    assert evaluate("words", [text, "a b a"], groups=[], join="") == [words_in(text), ["a", "b", "a"]]


def test_long_texts_find_listed_words(tmp_path):
    (tmp_path / "stopwords.json").write_text(json.dumps({"en": ["the", "antidisestablishmentarianism"]}))
    text = "the house of antidisestablishmentarianism or other words " * 20_000
    for least, kept in ((2 / 7, 1), (2 / 7 + 1e-9, 0)):
        ops = load_ops([{"stopwords_filter": {"stopwords_dir": str(tmp_path), "min_ratio": least}}])
        assert len(Dataset.from_list([{"text": text}]).process(*ops).to_list()) == kept


def test_counting_numbers_and_zeros_are_not_slow_or_wrong():
    values = ["".join(f"{number:08d}\n" for number in range(8_000)), "\0" * 50_000, "\0\1" * 20_000]
    assert evaluate("char_ngram_repetition", values, n=10) == [char_repetition(text, 10) for text in values]


def test_a_gram_size_below_one_is_refused():
    with pytest.raises(ValueError, match="n-gram size must be >= 1, got 0"):
        evaluate("char_ngram_repetition", ["a"], n=0)


listed = st.sampled_from(["a", "the", "", "b" * 15, "b" * 16, "b" * 17, "b" * 17 + "c", "é", "中文" * 9, "a\0", "\0"])


@given(st.lists(st.lists(listed), min_size=1), st.lists(listed))
def test_shares_in_a_list(rows, words):
    wanted = set(words)
    expected = [sum(item in wanted for item in row) / len(row) if row else 0.0 for row in rows]
    assert at_every_level("share_in_list", rows, words=words) == expected


@pytest.mark.usefixtures("level")
def test_shares_in_a_long_list():
    words = [f"{number:x}" * (1 + number % 4) for number in range(20_000)]
    rows = [[*words[start : start + 700], "absent", "x" * 30] for start in range(0, 20_000, 700)]
    assert evaluate("share_in_list", rows, words=words) == [(len(row) - 2) / len(row) for row in rows]


def test_lengths_and_largest_numbers_of_lists():
    assert evaluate("list_length", [["a", "b"], [], ["c"]]) == [2, 0, 1]
    assert evaluate("list_length", [[5, 7], [], [9]]) == [2, 0, 1]
    assert evaluate("list_max", [[5, 7, 6], [], [9]]) == [7, 0, 9]


def test_a_ratio_to_nothing_is_zero():
    assert evaluate("ratio", [1, 0, 5, 2], [3, 0, 0, 2]) == [1 / 3, 0.0, 0.0, 1.0]


def test_choices_and_conditions():
    assert evaluate("one_of", ["en", "de", ""], values=["en", "zh"]) == [True, False, False]
    assert evaluate("one_of", ["en"], values=[]) == [False]
    assert evaluate("and", [True, True, False, False], [True, False, True, False]) == [True, False, False, False]


@pytest.mark.parametrize("length", [60_000, 65_520, 130_000, 262_130, 262_150])
def test_memory_that_is_given_back_between_batches_is_there_again(length):
    text = "".join(random.Random(length).choices("abc", k=length))
    ops = load_ops([{f"{kind}_repetition_filter": {"rep_len": 3, "max_ratio": 1}} for kind in ("character", "word")])
    for each in (text, text[:-1], text[:1000], text, " ".join(text)):
        assert len(Dataset.from_list([{"text": each}] * 2).process(*ops).to_list()) == 2
