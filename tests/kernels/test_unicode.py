"""The character tables and the lower-case kernel against this Python's ``str``."""

from __future__ import annotations

import importlib.util
import sys
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


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest):
    before = _native.active_isa()
    _native.force_isa(request.param)
    yield request.param
    _native.force_isa(before)


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


def test_every_character_is_lowered_as_python_does(level):
    characters = every_character()
    assert lower(characters) == [c.lower() for c in characters]


def test_every_character_decides_a_sigma_as_python_does(level):
    for pattern in ("{}Σ", "a{}Σ", "aΣ{}", "aΣ{}a"):
        sigmas = [pattern.format(c) for c in every_character()]
        assert lower(sigmas) == [text.lower() for text in sigmas]


@given(st.lists(texts, max_size=8))
def test_texts_are_lowered_as_python_does(values):
    for level in LEVELS:
        _native.force_isa(level)
        assert lower(values) == [text.lower() for text in values]


@pytest.mark.parametrize("letter", ["A", "É", "\u0130", "\u023a", "ẞ", "Σ", "\U00010400", "Ａ", "中", "\u212a"])
def test_a_capital_anywhere_around_a_vector_is_lowered(level, letter):
    values = [
        filler * before + letter + filler * after
        for filler in ("x", "ж", "中", "\U0001f600")
        for before in range(131)
        for after in (0, 1, 31, 63, 64)
    ]
    assert lower(values) == [text.lower() for text in values]


def test_capitals_side_by_side_are_lowered(level):
    values = [letter * count for letter in ("A", "É", "\u0130", "\u023a", "Σ", "\U00010400") for count in range(131)]
    assert lower(values) == [text.lower() for text in values]


def test_class_tables_hold_what_python_says():
    module = tables()
    bits = module.classes()
    stage, blocks = module.two_stages(bits)
    for point in range(sys.maxunicode + 1):
        character = chr(point)
        found = blocks[stage[point >> 8] * 256 + (point & 255)]
        assert found == bits[point]
        assert bool(found >> module.ALPHA & 1) == character.isalpha()
        assert bool(found >> module.ALNUM & 1) == character.isalnum()
        assert bool(found >> module.SPACE & 1) == (character.strip() == "")
        assert bool(found >> module.LINE_BREAK & 1) == (character.splitlines() == [""])


def test_letters_and_numbers_are_those_of_seven_categories():
    import unicodedata

    categories = {"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No"}
    module = tables()
    for point, found in enumerate(module.classes()):
        assert bool(found >> module.ALNUM & 1) == (unicodedata.category(chr(point)) in categories)
