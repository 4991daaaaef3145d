"""The character tables and the lower-case kernel against this Python's ``str``."""

from __future__ import annotations

import importlib.util
import sys
import unicodedata
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djfast import _native

LEVELS = ("serial", "avx2", "avx512")
CASED = "aZ\u0130\u0131ßẞ\u03a3σςΑἈᾼÄéЖж\u1c80\u10a0ꙀＡａ\U00010400\U00010428\u023a\u2126\u212a\u212bǅ"
IGNORABLE = "'.:^`\u00ad\u0301\u0307\u200d\u2019\u02b0\ufe0f\U000e0001"
OTHERS = " \n\t-09中文カナ한\u2028\U0001f600\u2003"
texts = st.text(st.one_of(st.sampled_from(CASED + IGNORABLE + OTHERS), st.characters(exclude_categories=["Cs"])))


def every_character() -> list[str]:
    return [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point < 0xE000]


def lower(values: list[str]) -> list[str]:
    return _native.evaluate("lower", [values])


def tables() -> ModuleType:
    path = Path(__file__).parents[2] / "cpp" / "tables" / "unicode_tables.py"
    spec = importlib.util.spec_from_file_location("unicode_tables", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.usefixtures("level")
def test_every_character_is_lowered_as_python_does():
    characters = every_character()
    assert lower(characters) == [c.lower() for c in characters]


@pytest.mark.usefixtures("level")
def test_every_character_decides_a_sigma_as_python_does():
    for pattern in ("{}Σ", "a{}Σ", "aΣ{}", "aΣ{}a"):
        sigmas = [pattern.format(c) for c in every_character()]
        assert lower(sigmas) == [text.lower() for text in sigmas]


@given(st.lists(texts, max_size=8))
def test_texts_are_lowered_as_python_does(values):
    before = _native.active_isa()
    for level in LEVELS:
        _native.force_isa(level)
        assert lower(values) == [text.lower() for text in values]
    _native.force_isa(before)


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("letter", ["A", "É", "\u0130", "\u023a", "ẞ", "Σ", "\U00010400", "Ａ", "中", "\u212a"])
def test_a_capital_anywhere_around_a_vector_is_lowered(letter):
    values = [
        filler * before + letter + filler * after
        for filler in ("x", "ж", "中", "\U0001f600")
        for before in range(131)
        for after in (0, 1, 31, 63, 64)
    ]
    assert lower(values) == [text.lower() for text in values]


@pytest.mark.usefixtures("level")
def test_capitals_side_by_side_are_lowered():
    values = [letter * count for letter in ("A", "É", "\u0130", "\u023a", "Σ", "\U00010400") for count in range(131)]
    assert lower(values) == [text.lower() for text in values]


def test_class_tables_hold_what_python_says():
    module = tables()
    stage, blocks = module.two_stages(module.classes())
    found = [blocks[stage[point >> 8] * 256 + (point & 255)] for point in range(sys.maxunicode + 1)]
    letters_and_numbers = {"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No"}
    for bit, belongs in (
        (module.ALPHA, str.isalpha),
        (module.ALNUM, lambda c: unicodedata.category(c) in letters_and_numbers),
        (module.SPACE, lambda c: c.strip() == ""),
        (module.LINE_BREAK, lambda c: c.splitlines() == [""]),
    ):
        assert [bool(bits >> bit & 1) for bits in found] == [belongs(chr(point)) for point in range(len(found))]


def test_a_changed_list_of_special_characters_is_refused(monkeypatch):
    module = tables()
    assert len(module.special_code_points()) == 1618
    monkeypatch.setattr(module, "SPECIAL_SHA256", "0" * 64)
    with pytest.raises(ValueError, match=r"special_characters\.txt was changed"):
        module.special_code_points()
