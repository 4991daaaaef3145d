"""Chinese in other scripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djfast.catalog import find
from djfast.functions.chinese import bind_convert_chinese

opencc = pytest.importorskip("opencc")

MODES = next(param.choices for param in find("chinese_convert_mapper").params if param.name == "mode")


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_has_its_dictionaries(mode):
    text = "头发 頭髮 滑鼠 内存 学生 乾燥 ascii 😀\n"
    assert bind_convert_chinese(mode)(text) == opencc.OpenCC(mode).convert(text)


@given(st.text(st.characters(max_codepoint=127)), st.sampled_from(MODES))
def test_ascii_stays_as_the_library_has_it(text, mode):
    assert bind_convert_chinese(mode)(text) == opencc.OpenCC(mode).convert(text)


@pytest.mark.parametrize(
    ("text", "converted"),
    [("简体\0发展之后", "簡體\0發展之後"), ("a\0字\0b", "a\0字\0b"), ("\0汉\0\0字\0", "\0漢\0\0字\0")],
)
def test_a_text_goes_on_behind_a_nul(text, converted):
    assert bind_convert_chinese("s2t")(text) == converted
