"""Repair of broken Unicode, native and by line, against ftfy on the whole text."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import ftfy
import pytest
from ftfy import badness
from hypothesis import example, given, settings
from hypothesis import strategies as st

from djfast import _native
from djfast.functions.repair import bind_ftfy_lines, bind_ftfy_text

LEVELS = ("serial", "avx2", "avx512")
FORMS = ("NFC", "NFD", "NFKC", "NFKD")


def native_parts(text: str, form: str) -> tuple[str, list[str]]:
    """The text as fix_lines leaves it, and its hard lines."""
    fixed = _native.evaluate("fix_lines", [[text]], {"normalization": form})
    return fixed[0], _native.evaluate("hard_lines", [fixed])[0]


def repair(text: str, form: str = "NFC") -> str:
    fixed, hard = native_parts(text, form)
    if not hard:
        return fixed
    return _native.evaluate("merge_lines", [[text], [fixed], [bind_ftfy_lines(form)(hard)]])[0]


def is_native(text: str, form: str = "NFC") -> bool:
    return native_parts(text, form)[1] == []


CURLY = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u02bc"
WIDE = "，。：；＆＜＞ＡｂｃｉｓｐｍＬＴ＃１　ｶﾞｱﾝ￠￣ﾠﾡﾾ"
LIGATURES = "ĲĳŉǱǆǈﬀﬁﬂﬃﬅﬆ"
BREAKS = "\r\n\u2028\u2029\u0085\x0b\x0c\x1c"
CONTROLS = "\x00\x01\x08\x0e\x1a\x1b\x1f\x7f\u206a\u206f\ufeff\ufff9\ufffc\x80\x9f\xa0\xad"
MARKS = "\u0301\u0307\u0323\u0327\u0338\u3099\u309a\u0345\u0e38\u0e48\u094d\u093c\u064b\u0651\u1161\u11a8\u05b0"
BASES = "aeoqAN\u00e9\u1ea5\u212b\u2126\u0374\u0958\uac00\ud55c\u1100かハ\u0915กلאç"
# fmt: off
MOJIBAKE = [
    "Ã©", "â€™", "Â ", "Ã ", "â‚¬", "Ð¿Ñ€", "Ø§Ù„", "×©", "à¤", "ï»¿", "ГўВЂВ", "вЂ", "β€™", "ā€",
    "√±", "‚Äî", "╬", "é»",
]
ENTITIES = [
    "&amp;", "&lt;", "&eacute;", "&EACUTE;", "&nTILDE;", "&#x2019;", "&#128;", "&bogus;", "&amp",
    "&", ";", "&#;", "＆amp;", "&amp；",
]
ODD = [
    "<", "＜", "\x1b[31m", "\x1b", "m", "[0;1m", "œ", "Œ", "œuvre", "°", "É°", "\ufffd", "I\u00a0x",
    " Å £", "😀", "中文",
]
# fmt: on

pieces = st.one_of(
    st.sampled_from(list(CURLY + WIDE + LIGATURES + BREAKS + CONTROLS + MARKS + BASES)),
    st.sampled_from(MOJIBAKE + ENTITIES + ODD),
    st.sampled_from(["\n", "\n", "\r\n", " ", "a", "Hello, ", "x1", "."]),
    st.sampled_from(sorted({c for c in badness.BADNESS_RE.pattern if ord(c) > 127})),
    st.characters(exclude_categories=["Cs"]),
)
lines = st.lists(pieces, max_size=8).map("".join)
short = st.lists(pieces, max_size=30).map("".join)
long = st.tuples(short, st.integers(0, 1100).map("a b ".__mul__), lines, st.integers(0, 80).map("文".__mul__), lines)
texts = st.one_of(lines, short, long.map("".join))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("form", FORMS)
def test_repair_is_that_of_ftfy(level, form):
    fix = bind_ftfy_text(form)

    @settings(deadline=None)  # ftfy itself can need long
    @given(text=texts)
    @example(text="")
    @example(text="&amp;\n<\n&amp;\n")
    @example(text="＜&amp;\n&amp;")
    @example(text="&am\x00p; ’")
    @example(text="\x01\x010\n\x01’\n\x1b[0m\x01\n")
    @example(text="\r\r\n\x00\r\n\u2028\r")
    @example(text="Ã ’")
    @example(text="\x00Ã ")
    def check(text):
        assert repair(text, form) == fix(text)

    before = _native.active_isa()
    _native.force_isa(level)
    try:
        check()
    finally:
        _native.force_isa(before)


@pytest.mark.parametrize("form", FORMS)
def test_every_character_is_repaired_in_context(form):
    # U+0301 after, a letter before: what normalization, the tables and the detector make of each character.
    every = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    fix = bind_ftfy_text(form)
    for pattern in ("e{}", "{}\u0301", "é{}1"):
        rows = [pattern.format(c) for c in every if ord(c) < 0x3100 or 0xF900 <= ord(c) < 0x10000]
        fixed = _native.evaluate("fix_lines", [rows], {"normalization": form})
        hard = _native.evaluate("hard_lines", [fixed])
        assert [f for f, h in zip(fixed, hard, strict=True) if not h] == [
            fix(r) for r, h in zip(rows, hard, strict=True) if not h
        ]


@pytest.mark.parametrize(
    "text",
    [
        "plain text\nof two lines\n",
        "“Quotes” aren’t hard\r\n",
        "全角，标点。中文！\n",
        "ﬁne ĳs\u2028next\n",
        "café naïve Ångström\n",
        "สวัสดีชาวโลก ที่นี่\n",
        "नमस्ते दुनिया\n",
        "AT&T’s R&D; see a&b=1;\n",
        "Привет, мир…\n",
        "한국어 문장\n",
    ],
)
def test_ordinary_lines_need_no_ftfy(text):
    assert is_native(text)
    assert repair(text) == ftfy.fix_text(text)


def test_only_hard_lines_leave_native_code():
    text = "first\nschÃ¶n\n“third”\n<b>\nx\x1b[1m&amp;\n"
    fixed, hard = native_parts(text, "NFC")
    assert hard == ["1schÃ¶n\n", "0x\x1b[1m&amp;\n"]
    assert fixed.replace("\x01" + hard[0], "") == 'first\n"third"\n<b>\n\x01' + hard[1]
    assert repair(text) == 'first\nschön\n"third"\n<b>\nx&amp;\n'


def test_lines_of_more_than_a_million_characters_are_cut_as_ftfy_does():
    long_line = "9" * 500_000 + "’" + "x" * 499_994 + "&amp;" + "&amp;<" + "\n&amp;’\n"
    assert not is_native(long_line)
    assert repair(long_line) == ftfy.fix_text(long_line)
    assert is_native("’" * 1_000_000)


def test_many_entities_before_a_tag_take_linear_time():
    text = "&amp;" * 100_000 + "<\n"
    assert repair(text) == text


def test_answers_must_fit_the_hard_lines():
    fixed = "\x011schÃ¶n\n"
    with pytest.raises(Exception, match="more answers"):
        _native.evaluate("merge_lines", [["schÃ¶n\n"], [fixed], [["a", "b"]]])


def test_detector_agrees_with_its_pattern_on_pairs_and_triples():
    named = sorted({c for c in badness.BADNESS_RE.pattern if ord(c) > 127} | set("aZ1 .?_\t"))
    path = Path(__file__).parents[2] / "cpp" / "tables" / "ftfy_tables.py"
    spec = importlib.util.spec_from_file_location("ftfy_tables", path)
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    detector = tables.Detector()
    masks = {c: detector.mask_of(ord(c)) for c in named}
    # One character of each kind that the detector tells apart.
    kinds = list({mask: c for c, mask in masks.items()}.values())
    for first in kinds:
        for second in kinds:
            for text in (first + second, first + second + "a", "a" + first + second, " " + first + second + "Ã"):
                state, bad = detector.first_at_start & detector.mask_of(ord(text[0])), False
                for position, c in enumerate(text):
                    if position:
                        state = (state << 1 | detector.first) & detector.mask_of(ord(c))
                    bad = bad or state & detector.last != 0
                assert bad == badness.is_bad(text), repr(text)
