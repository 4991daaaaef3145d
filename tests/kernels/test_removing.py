"""Removal of words, characters, sentences and tables against the patterns and definitions they follow."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

import djfast
from djfast import _native
from djfast.errors import RecipeError
from djfast.ops.text.removing import (
    SUBSTRINGS,
    SYMBOLS,
    RemoveRepeatSentencesMapper,
    RemoveSpecificCharsMapper,
    RemoveTableTextMapper,
    RemoveWordsWithIncorrectSubstringsMapper,
)

LEVELS = ("serial", "avx2", "avx512")
EVERY = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
ANYTHING = st.characters(exclude_categories=["Cs"])
FILLER = st.one_of(st.just(""), st.integers(0, 130).map("x".__mul__), st.integers(340, 360).map("lorem ipsum ".__mul__))


def texts_of(pieces: list[str]) -> st.SearchStrategy[str]:
    """Texts of few different pieces, some of them longer than a vector and than one block of marks."""
    chosen = st.sampled_from(pieces)
    dense = st.lists(chosen, max_size=60).map("".join)
    mixed = st.lists(st.one_of(chosen, chosen, chosen, ANYTHING), max_size=40).map("".join)
    return st.one_of(dense, dense, mixed, st.tuples(FILLER, dense, FILLER, mixed).map("".join))


def at_all_levels(function: str, *row: object, **params: object) -> str:
    before = _native.active_isa()
    try:
        answers = set()
        for name in LEVELS:
            _native.force_isa(name)
            answers.update(_native.evaluate(function, [[value] for value in row], params))
    finally:
        _native.force_isa(before)
    assert len(answers) == 1
    return answers.pop()


@pytest.fixture(scope="module")
def special() -> str:
    """Data-Juicer's special characters."""
    counts = _native.evaluate("count_class", [EVERY], {"cls": "special"})
    return "".join(c for c, count in zip(EVERY, counts) if count == 1)


def with_words_kept(text: str, keeps: Callable[[str], bool]) -> str:
    """Cut into lines, cells and words, and put together what is kept."""
    lines = []
    for line in text.split("\n"):
        cells = [[word for word in cell.split(" ") if word and keeps(word)] for cell in line.split("\t")]
        joined = "\t".join(" ".join(cell) for cell in cells if cell)
        if joined:
            lines.append(joined)
    return "\n".join(lines)


# Words.

WORD_PIECES = [" ", " ", "\t", "\n", "  ", "\n\n", "\r", "\u00a0", "\u3000", "a", "bc", "def", "!", "(", ")", "“", "é", "中"]
WORD_PIECES += ["😀", "http", "www", ".com", "href", "//", "ht", "w", "h", "/", ".", "com", "http://x.y", "\u2581"]


@settings(deadline=None)
@given(text=texts_of(WORD_PIECES), low=st.integers(0, 6), high=st.one_of(st.integers(0, 12), st.just(2**63 - 1)))
def test_words_are_kept_by_their_length(special, text, low, high):
    def keeps(word: str) -> bool:
        return low <= len(word) <= high or low <= len(word.strip(special)) <= high

    assert at_all_levels("keep_words_by_length", text, min_len=low, max_len=high) == with_words_kept(text, keeps)


substrings = st.one_of(
    st.just(list(SUBSTRINGS)),
    st.lists(st.sampled_from(["", "a", "b", "bc", "de", "中", "😀", ")", " ", "a b", "x", "\n", "é", "!a"]), max_size=4),
    st.lists(st.text(ANYTHING, max_size=2), max_size=20),
)


@settings(deadline=None)
@given(text=texts_of(WORD_PIECES), unwanted=substrings)
@example(text="xhttp" * 2000 + " " + "y" * 5000 + " www", unwanted=["www"])
def test_words_with_substrings_go(special, text, unwanted):
    def keeps(word: str) -> bool:
        return not any(substring in word.strip(special) for substring in unwanted)

    assert at_all_levels("remove_words_with_substrings", text, substrings=unwanted) == with_words_kept(text, keeps)


@settings(deadline=None)
@given(pieces=st.lists(texts_of(WORD_PIECES), max_size=8), unwanted=substrings)
def test_pieces_with_substrings_go(special, pieces, unwanted):
    plain = [piece.replace("\u2581", "") for piece in pieces]
    kept = [piece for piece in plain if not any(substring in piece.strip(special) for substring in unwanted)]
    expected = "the text" if len(kept) == len(plain) else "".join(kept)
    assert at_all_levels("remove_pieces_with_substrings", "the text", pieces, substrings=unwanted) == expected


def test_substrings_that_are_null_are_the_built_in_ones_and_none_removes_nothing():
    function = RemoveWordsWithIncorrectSubstringsMapper
    assert function().assign()["text"].param("substrings") == SUBSTRINGS
    assert function(substrings=[]).assign()["text"].param("substrings") == ()
    assert at_all_levels("remove_words_with_substrings", "a  http://b", substrings=[]) == "a http://b"


def test_pieces_come_from_the_model_of_the_language():
    pieces = RemoveWordsWithIncorrectSubstringsMapper(tokenization=True, lang="zh").assign()["text"].args[1]
    assert str(pieces) == "sentencepiece_pieces(text, model='zh.sp.model')"


# Characters.

CHARACTER_PIECES = list(SYMBOLS + "aZ9|-]^[\\ \n\t中“？?é😀\u2022")


@settings(deadline=None)
@given(text=texts_of(CHARACTER_PIECES), unwanted=st.one_of(st.just(SYMBOLS), texts_of(CHARACTER_PIECES)))
def test_listed_characters_go(text, unwanted):
    gone = dict.fromkeys(map(ord, unwanted))
    assert at_all_levels("remove_characters", text, characters=unwanted) == text.translate(gone)


def test_every_single_character_can_go():
    text = "".join(EVERY)
    assert _native.evaluate("remove_characters", [[text]], {"characters": text}) == [""]
    ascii_ones = text[:128]  # bytes of more kinds than a vector look-up can tell apart
    assert at_all_levels("remove_characters", text, characters=ascii_ones[1::2] + "é中😀") == "".join(
        c for c in EVERY if c not in ascii_ones[1::2] + "é中😀"
    )


@pytest.mark.parametrize("given_ones", ["", [], None, [""]])
def test_without_characters_nothing_goes(given_ones):
    op = RemoveSpecificCharsMapper(chars_to_remove=given_ones)
    assert op.assign()["text"].param("characters") == ""
    assert at_all_levels("remove_characters", "a◆", characters="") == "a◆"


def chinese_pattern(letters: bool, digits: bool, punctuation: bool) -> regex.Pattern[str]:
    kept = "\u4e00-\u9fa5" + ("A-Za-z" if letters else "") + ("0-9" if digits else "")
    kept += r". ,\-%*/&()+!·—“”•、。《》！＆（），：？" if punctuation else ""
    return regex.compile(f"[^{kept}]")


@pytest.mark.parametrize("punctuation", [True, False])
@pytest.mark.parametrize("digits", [True, False])
@pytest.mark.parametrize("letters", [True, False])
def test_every_character_that_is_not_chinese_goes(letters, digits, punctuation):
    text = "".join(EVERY) + "".join(f"{c} 中" for c in EVERY[:0x3000])
    params = {"keep_alphabet": letters, "keep_number": digits, "keep_punc": punctuation}
    assert at_all_levels("remove_non_chinese", text, **params) == chinese_pattern(letters, digits, punctuation).sub("", text)


@settings(deadline=None)
@given(text=texts_of(CHARACTER_PIECES), keeps=st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_what_is_not_chinese_goes(text, keeps):
    params = dict(zip(("keep_alphabet", "keep_number", "keep_punc"), keeps))
    assert at_all_levels("remove_non_chinese", text, **params) == chinese_pattern(*keeps).sub("", text)


# Sentences.

SENTENCE_ENDS = [
    regex.compile(r"([.。！!？\?])([^’”])"),
    regex.compile(r"(\.{6})([^’”])"),
    regex.compile(r"(…{2})([^’”])"),
    regex.compile(r"([.。！!？\?\.{6}\…{2}][’”])([^’”])"),
]
NOT_COMPARED = regex.compile("[^a-zA-Z0-9\u4e00-\u9fa5\n\t ]")


def without_repeats(text: str, *, lowercase: bool, ignore_special_character: bool, min_length: int) -> str:
    seen = set()
    lines = []
    for line in text.split("\n"):
        kept = ""
        cut = line
        for pattern in SENTENCE_ENDS:
            cut = pattern.sub(r"\1\n\2", cut)
        for sentence in cut.split("\n") if cut else ():
            key = sentence.strip()
            key = key.lower() if lowercase else key
            key = NOT_COMPARED.sub("", key) if ignore_special_character else key
            if len(key) < min_length or key not in seen:
                kept += sentence
            if len(key) >= min_length:
                seen.add(key)
        lines.append(kept)
    return "\n".join(lines)


SENTENCE_PIECES = list(".。！!？?…’”{}62\n ab中ΣςİkéÀ‘、＊😀\r\t\u3000\u00a0\x1c\u212a")
SENTENCE_PIECES += ["..", "……", "......", ".”", "…”", "6’", "\n\n", "a.", "A.", " a.", "ab", "中。", "σ."]
sentence_params = st.fixed_dictionaries(
    {"lowercase": st.booleans(), "ignore_special_character": st.booleans(), "min_length": st.integers(0, 4)}
)


@settings(deadline=None, max_examples=1000)
@given(text=texts_of(SENTENCE_PIECES), params=sentence_params)
def test_repeated_sentences_go(text, params):
    assert at_all_levels("remove_repeated_sentences", text, **params) == without_repeats(text, **params)


@settings(deadline=None, max_examples=1000)
@given(text=st.text(st.sampled_from(".!?…’”6a\n"), max_size=24), params=sentence_params)
def test_sentences_end_as_by_the_four_patterns(text, params):
    assert at_all_levels("remove_repeated_sentences", text, **params) == without_repeats(text, **params)


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("ignored", [True, False])
def test_every_character_is_compared_as_defined(lowercase, ignored):
    params = {"lowercase": lowercase, "ignore_special_character": ignored, "min_length": 1}
    edges = [chr(c) for c in (*range(0x4DF0, 0x4E10), *range(0x9F90, 0x9FB0), *range(0xFE00, 0x10100))]
    characters = [*EVERY[:0x3400], *edges, *(c for c in EVERY[0x3400:] if c.lower() != c)]
    text = "".join(f"x{c}y\n" for c in characters if c != "\n")
    assert at_all_levels("remove_repeated_sentences", text, **params) == without_repeats(text, **params)


def test_many_different_sentences_are_told_apart():
    text = " ".join(f"sentence number {i % 5000}." for i in range(20_000))
    params = {"lowercase": False, "ignore_special_character": True, "min_length": 2}
    assert at_all_levels("remove_repeated_sentences", text, **params) == without_repeats(text, **params)


def test_lines_are_cut_by_a_lambda_of_the_user_unless_it_is_forbidden(monkeypatch):
    op = RemoveRepeatSentencesMapper(tokenizer="lambda line: line.split(', ')", ignore_special_character=False)
    rows = djfast.Dataset.from_list([{"text": "A b, c d, A b\n\nc d, e"}, {"text": ""}])
    assert rows.process(op).to_list() == [{"text": "A b c d\n\n e"}, {"text": ""}]
    monkeypatch.setenv("DJFAST_USER_CODE", "0")
    with pytest.raises(RecipeError, match="tokenizer runs code of the recipe, which DJFAST_USER_CODE=0 forbids here"):
        rows.process(op).to_list()


# Tables.

TABLE_PIECES = list("\n\n\n  ||\taa中éカâ\r\u00a0\u2028\u0085\u1680\u3000\x1c\u200b\u180e")
TABLE_PIECES += ["b c", "a|b", "||", "\n\n", "x y\n", "x|y|z\n", " |", "| ", "a b c d\n", "|||||\n"]


def without_tables(text: str, min_col: int, max_col: int) -> str | None:
    """Return None where the pattern's own engine needs too long."""
    for separators in range(min_col - 1, max_col):
        pattern = regex.compile(rf"(?<=\n)((\S+?)([ |\t](\S+?)){{{separators}}}\n+){{2,}}")
        try:
            text = pattern.sub("", text, timeout=1)
        except TimeoutError:
            return None
    return text


def check_tables(text: str, min_col: int, max_col: int) -> None:
    expected = without_tables(text, min_col, max_col)
    if expected is not None:
        assert at_all_levels("remove_table_text", text, min_col=min_col, max_col=max_col) == expected


@settings(deadline=None, max_examples=1500)
@given(text=texts_of(TABLE_PIECES), min_col=st.integers(2, 5), more=st.sampled_from([0, 1, 2, 3, 15]))
@example(text="\na b\nc d e\nf g h\ni j\n", min_col=2, more=3)
@example(text="\na b\nc d\ne f\n1 2 3\n4 5", min_col=2, more=3)
def test_tables_go(text, min_col, more):
    check_tables(text, min_col, min_col + more)


row = st.text(st.sampled_from("a|| "), max_size=7).map(lambda cells: cells + "\n")


@settings(deadline=None, max_examples=1500)
@given(rows=st.lists(st.one_of(row, st.just("\n"), st.just("a b\n")), max_size=8), max_col=st.integers(2, 8))
def test_rows_are_those_of_the_pattern(rows, max_col):
    check_tables("".join(["\n", *rows]), 2, max_col)


@settings(deadline=None)
@given(bars=st.integers(1, 30), cells=st.integers(2, 20), tail=st.sampled_from(["", "a", "|a", " b", " |", "||"]))
def test_bars_separate_or_belong_to_cells(bars, cells, tail):
    line = "a" + "|" * bars + tail + "\n"
    check_tables("title\n" + line + line + "end", cells, cells)


def test_columns_have_bounds():
    for params in ({"min_col": 1}, {"max_col": 21}):
        with pytest.raises(RecipeError, match="must be"):
            RemoveTableTextMapper(**params)
    # More columns than 20 are not looked for, and nothing is where the bounds cross.
    wide = "\n" + "\n".join(["x " * 21 + "x"] * 2) + "\n"
    assert at_all_levels("remove_table_text", wide, min_col=2, max_col=20) == wide
    assert at_all_levels("remove_table_text", "\na b\nc d\n", min_col=3, max_col=2) == "\na b\nc d\n"


# Hostile texts.

HOSTILE = [
    ("remove_table_text", {"min_col": 2, "max_col": 20}, ["a|", "|", "a ", "a b\n", "a\n", "\n", "a b\na b c\n", "a|b\n|||a\n"]),
    ("remove_words_with_substrings", {"substrings": ["hhhhhhhhhhhhhhhhhhhhhhhhhhhx", "zz"]}, ["h", "h ", "zz!", "!zz", " "]),
    ("keep_words_by_length", {"min_len": 2, "max_len": 3}, ["!", "!a", "a ", " ", "é"]),
    (
        "remove_repeated_sentences",
        {"lowercase": True, "ignore_special_character": False, "min_length": 0},
        [".", "…", "a.”", " .", "\n", "É.", "”"],
    ),
]
HOSTILE_CASES = [(function, params, unit) for function, params, units in HOSTILE for unit in units]


@pytest.mark.parametrize(("function", "params", "unit"), HOSTILE_CASES)
def test_hostile_texts_take_linear_time(function, params, unit):
    start = time.perf_counter()
    _native.evaluate(function, [["\n" + unit * 500_000]], params)
    assert time.perf_counter() - start < 2.0  # quadratic work takes minutes
