"""Cleaning of addresses, links, notices, punctuation and white space against the patterns and tables it follows."""

from __future__ import annotations

import time

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from djfast import _native

LEVELS = ("serial", "avx2", "avx512")

EMAIL = regex.compile(r"[A-Za-z0-9.\-+_]+@[a-z0-9.\-+_]+\.[a-z]+", regex.DOTALL)
LINK = regex.compile(
    r"(?i)\b((?:[a-z][\w-]+:(?:\/{1,3}|[a-z0-9%])|www\d{0,3}[.]|[a-z0-9.\-]+[.][a-z]{2,4}\/)"
    r"(?:[^\s()<>]+|\(([^\s()<>]+|(\([^\s()<>]+\)))*\))+"
    r"(?:\(([^\s()<>]+|(\([^\s()<>]+\)))*\)|[^\s`!()\[\]{};:\'\".,<>?«»“”‘’]))",
    regex.DOTALL,
)
IP = regex.compile(
    r"(?:(?:1[0-9][0-9]\.)|(?:2[0-4][0-9]\.)|(?:25[0-5]\.)|(?:[1-9][0-9]\.)|(?:[0-9]\.)){3}"
    r"(?:(?:1[0-9][0-9])|(?:2[0-4][0-9])|(?:25[0-5])|(?:[1-9][0-9])|(?:[0-9]))|([\da-fA-F]{1,4}:){7}[\da-fA-F]{1,4}",
    regex.DOTALL,
)
BLOCK_COMMENT = regex.compile(r"/\*[^*]*\*+(?:[^/*][^*]*\*+)*/")
COPYRIGHT = regex.compile("copyright", regex.IGNORECASE)
# fmt: off
PUNCTUATION = {
    ord(mark): ascii_form
    for marks, ascii_form in {
        "，、": ",", "。": ".", "„”“«»「」《》１": '"', "´’": "'", "∶：": ":", "？": "?", "！": "!",
        "（": "(", "）": ")", "；": ";", "–━►": "-", "—": " - ", "．": ". ", "～": "~", "…": "...",
        "〈": "<", "〉": ">", "【": "[", "】": "]", "％": "%",
    }.items()
    for mark in marks
}
# fmt: on
SPACES = dict.fromkeys([9, 0x84, 0xA0, *range(0x2000, 0x200E), 0x202F, 0x205F, 0x2060, 0x3000, 0xFFFC], " ")

NEAR_MISSES = "\u0085\u1680\u180e\u200e\u2010\u2028\u2029\u2030\u2061\ufeff\ufffb\ufffd\u2018‘＂／０２ªàßéж中カ𝒜😀\x1c\x0b\n\r "
EVERYTHING = st.characters(exclude_categories=["Cs"])
characters = st.one_of(st.sampled_from([chr(c) for c in [*PUNCTUATION, *SPACES]] + list(NEAR_MISSES)), EVERYTHING)

# Texts longer than a vector and than one block of marks, with few interesting characters.
filler = st.one_of(st.just(""), st.integers(0, 130).map("x".__mul__), st.integers(340, 360).map("lorem ipsum ".__mul__))


def spaced_out(pieces: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    short = st.lists(pieces, max_size=40).map("".join)
    return st.one_of(short, st.tuples(filler, short, filler, short).map("".join))


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest):
    before = _native.active_isa()
    _native.force_isa(request.param)
    yield request.param
    _native.force_isa(before)


def at_all_levels(function: str, text: str, **params: str) -> str:
    before = _native.active_isa()
    try:
        answers = set()
        for name in LEVELS:
            _native.force_isa(name)
            answers.update(_native.evaluate(function, [[text]], params))
    finally:
        _native.force_isa(before)
    assert len(answers) == 1
    return answers.pop()


def test_every_character_of_the_tables_is_mapped(level):
    every = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    rows = ["".join(f"<{c}>" for c in every[i : i + 999]) for i in range(0, len(every), 999)]
    assert _native.evaluate("normalize_punctuation", [rows]) == [row.translate(PUNCTUATION) for row in rows]
    assert _native.evaluate("normalize_whitespace", [rows]) == [row.translate(SPACES) for row in rows]


def test_every_kind_of_space_is_stripped(level):
    rows = [f"{chr(c)} {chr(c)}x{chr(c)}{chr(c)}" for c in range(0x3100)]
    assert _native.evaluate("normalize_whitespace", [rows]) == [row.strip().translate(SPACES) for row in rows]


@settings(deadline=None)
@given(text=spaced_out(characters))
def test_punctuation_follows_its_table(text):
    assert at_all_levels("normalize_punctuation", text) == text.translate(PUNCTUATION)


@settings(deadline=None)
@given(text=spaced_out(characters))
def test_white_space_is_stripped_and_made_plain(text):
    assert at_all_levels("normalize_whitespace", text) == text.strip().translate(SPACES)


EMAIL_PIECES = ["@", ".", "a", "Z", "-", "_", "+", "9", " ", "@@", "a@b.c", "x.y@z-9.org", ".com", "a@B.c", "é", "<"]
email_pieces = st.one_of(st.sampled_from(EMAIL_PIECES), EVERYTHING)


@settings(deadline=None)
@given(text=spaced_out(email_pieces), repl=st.sampled_from(["", "<E>", "a rather long replacement @ a.b"]))
def test_addresses_are_found_as_by_the_pattern(text, repl):
    assert at_all_levels("clean_email", text, repl=repl) == EMAIL.sub(lambda _: repl, text)


IP_PIECES = ["1.2.3", ".", ":", "0", "1", "25", "255", "256.", "10.0.0.1", "99", "a", "F0:", "::", "1:2:3:4:5:6:", "12345"]
IP_PIECES += ["::ffff:", "1:2:3:4:5:6:7:8", "g", " ", "٣", "٣:", "𝟗", "é", "\n", "-"]
ip_pieces = st.one_of(st.sampled_from(IP_PIECES), EVERYTHING)


@settings(max_examples=500, deadline=None)
@given(text=spaced_out(ip_pieces), repl=st.sampled_from(["", "<I>", "a rather long replacement: 1.2.3.4"]))
def test_ip_addresses_are_found_as_by_the_pattern(text, repl):
    assert at_all_levels("clean_ip", text, repl=repl) == IP.sub(lambda _: repl, text)


@given(numbers=st.lists(st.integers(0, 999).map(str) | st.integers(0, 99).map("0{}".format), min_size=4, max_size=9))
def test_every_number_of_an_address_is_in_its_range(numbers):
    text = ".".join(numbers)
    assert at_all_levels("clean_ip", text, repl="#") == IP.sub("#", text)


@given(groups=st.lists(st.text("0aF٣𝟗g", min_size=0, max_size=6), min_size=8, max_size=18))
def test_groups_of_an_address_have_up_to_four_digits_of_any_script(groups):
    text = ":".join(groups)
    assert at_all_levels("clean_ip", text, repl="#") == IP.sub("#", text)


def without_copyright(text: str) -> str:
    comment = BLOCK_COMMENT.search(text)
    if comment:
        return text[: comment.start()] + text[comment.end() :] if COPYRIGHT.search(comment[0]) else text
    lines = text.split("\n")
    while lines and (not lines[0] or lines[0].startswith(("//", "#", "--"))):
        del lines[0]
    return "\n".join(lines)


NOTICE_PIECES = ["/*", "*/", "*", "/", "copyright", "CopyRight", "COPYR\u0130GHT", "copyr\u0131ght", "copy", "right"]
NOTICE_PIECES += ["\n", "\n\n", "//", "#", "--", "-", " ", "x", "é", "\r\n", "\x0b"]


@settings(max_examples=500, deadline=None)
@given(text=spaced_out(st.sampled_from(NOTICE_PIECES)))
def test_notices_are_found_as_by_the_pattern(text):
    assert _native.evaluate("clean_copyright", [[text]], {}) == [without_copyright(text)]


@settings(deadline=None)
@given(
    text=spaced_out(st.sampled_from(["a", "ab", "aab", "b", "é", "中", "#", " ", "\n"])),
    literal=st.text("ab#é中\n ", min_size=1, max_size=4),
    repl=st.sampled_from(["", "a", "longer than what it stands for"]),
)
def test_plain_texts_are_replaced_from_left_to_right(text, literal, repl):
    assert _native.evaluate("replace_literal", [[text]], {"literal": literal, "repl": repl}) == [text.replace(literal, repl)]


# fmt: off
LINK_PIECES = [
    "(", ")", "((", "))", "()", "<", ">", ":", "/", "//", "www", "www.", "www1", "wWw12.", "www1234.", ".", "..", "-",
    "%", "http", "https://", "ftp:///", "mailto:", "a:", "ab:", "a-b:", "x_:", "a.io/", "foo.bar/", "b.museum/",
    "1.2.co/", "x", "yz", "_", "9", "!", "`", "'", '"', "«", "”", "‘", ",", "?", "[", "}", ";", " ", "\n", "\u00a0",
    "\u2003", "\x1c", "\u0130", "\u017f", "\u212a", "中文", "é", "\u0301", "\u0345", "٣", "\u200b", "²", "😀",
]
# fmt: on
link_pieces = st.one_of(st.sampled_from(LINK_PIECES), EVERYTHING)


@settings(deadline=None)
@given(text=spaced_out(link_pieces), repl=st.sampled_from(["", "<L>", "a replacement that is longer than short links"]))
def test_links_are_found_as_by_the_pattern(text, repl):
    try:
        expected = LINK.sub(lambda _: repl, text, timeout=2)
    except TimeoutError:
        return  # the pattern's own engine can need exponential time
    assert at_all_levels("clean_links", text, repl=repl) == expected


@pytest.mark.parametrize("letter", ["\u0130", "\u017f", "\u212a"])
@pytest.mark.parametrize("form", ["{}b:/cd", "a{}:/cd", "xa:{}cd", "{}.co/cd", "x.{}o/cd", "a.b{}c{}/cd"])
def test_letters_that_fold_to_ascii_count_as_letters(letter, form):
    text = f"see {form.format(letter, letter)} there"
    assert LINK.search(text)
    assert at_all_levels("clean_links", text, repl="") == LINK.sub("", text)


@pytest.mark.parametrize(
    ("unit", "count", "expected"),
    [
        ("a.", 20_000, None),
        ("a-", 20_000, None),
        ("www.", 20_000, "."),
        ("www.!", 20_000, None),
        ("http:(", 20_000, None),
        ("aa:b(aa", 20_000, None),
        ("aa:b((x)", 20_000, None),
        ("a@", 20_000, None),
        ("ab:'(", 20_000, None),
        ("&a.bc/.", 20_000, None),
        ("(x)", 20_000, None),
    ],
)
def test_long_hostile_texts_take_linear_time(unit, count, expected):
    def seconds(text: str) -> float:
        start = time.perf_counter()
        _native.evaluate("clean_links", [[text]], {"repl": ""})
        return time.perf_counter() - start

    # A quadratic search needs many seconds for the longer text; a linear one some milliseconds.
    assert seconds("http://x.y/" + unit * count * 10) < 1.0
    if expected is not None:
        assert at_all_levels("clean_links", unit * count, repl="") == expected


@pytest.mark.parametrize("unit", ["1.", "1:", "a:", "1.2.3.", "1:2:3:4:5:6:7:", "255.", "٣:", ":", "."])
def test_long_texts_of_near_addresses_take_linear_time(unit):
    start = time.perf_counter()
    _native.evaluate("clean_ip", [[unit * (2_000_000 // len(unit))]], {"repl": "x"})
    assert time.perf_counter() - start < 1.0


@pytest.mark.parametrize("unit", ["/*", "/**", "copyr", "#\n", "c"])
def test_long_texts_of_near_notices_take_linear_time(unit):
    start = time.perf_counter()
    _native.evaluate("clean_copyright", [["/*" + unit * (2_000_000 // len(unit)) + tail for tail in ("", "*/")]], {})
    assert time.perf_counter() - start < 1.0


def test_a_text_the_pattern_engine_needs_seconds_for_is_answered_at_once():
    text = "a." * 20_000
    with pytest.raises(TimeoutError):
        LINK.sub("", text, timeout=0.5)
    assert at_all_levels("clean_links", text, repl="") == text
    assert at_all_levels("clean_links", text + "co/xy", repl="") == ""
