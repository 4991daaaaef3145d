"""Pages, messages and texts of the product use one word for one thing, the field's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from djfast import catalog
from djfast.recipe.keys import KEYS
from djfast.type_names import spoken_type

ROOT = Path(__file__).resolve().parents[2]

# What must not be said, and what is said instead.
WORDS = {
    r"\bset(s|ting)?\b( \w+){0,4} aside\b": "reject, rejected",
    r"\ba whole number\b(?! of)|\bwhole numbers\b": "integer",
    r"\blists? of (truths|texts)\b": "list of booleans, list of strings",
    r"\b(must be|is not) a text\b(?! file)": "string, where a type is meant",
    r"\bone's own\b": "your own",
    r"\bpip install djfast\[": "pip install 'djfast[...]', quoted: a shell expands brackets",
    r"\bone of None\b": "null",
    r"\bmissing are\b(?! )": "missing packages: ...",
    r"\bdear (one|OP|filter|step)s?\b": "expensive",
}


def _pages() -> Iterator[tuple[str, str]]:
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    for page in (*pages, *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "recipes").glob("*.yaml"))):
        yield str(page.relative_to(ROOT)), page.read_text(encoding="utf-8")


def _sources() -> Iterator[tuple[str, str]]:
    """Sources with their messages, docstrings and comments; strings that are continued in the next line are joined."""
    for folder, pattern in (("src/djfast", "*.py"), ("cpp", "*.[ch]pp"), ("kernels", "*.[ch]pp")):
        for path in sorted((ROOT / folder).rglob(pattern)):
            text = path.read_text(encoding="utf-8")
            yield str(path.relative_to(ROOT)), re.sub(r'"\n\s*f?"|\n\s*(#|///?)', " ", text)


def _found(texts: Iterator[tuple[str, str]]) -> list[str]:
    return [
        f"{where}: {match.group()!r}; say: {better}"
        for where, text in texts
        for joined in [re.sub(r"\s+", " ", text)]
        for pattern, better in WORDS.items()
        for match in re.finditer(pattern, joined)
    ]


def test_pages_use_the_words_of_the_field() -> None:
    assert _found(_pages()) == []


def test_messages_and_docstrings_use_the_words_of_the_field() -> None:
    assert _found(_sources()) == []


@pytest.mark.parametrize("text", ["It is set\naside.", "sets the row aside", "must be a whole number", "a must be a text, got 1"])
def test_the_words_are_found(text: str) -> None:
    assert len(_found(iter([("here", text)]))) == 1


def test_parameters_and_keys_are_described_in_sentences() -> None:
    told = [(f"{spec.name}.{param.name}", param.doc) for spec in catalog.all_specs() for param in spec.cls._params]
    told += [(key.name, key.doc) for key in KEYS.values()]
    assert [name for name, doc in told if not re.match(r"[A-Z`\"'(0-9]", doc) or doc.rstrip()[-1] not in ".:"] == []


def test_values_are_named_in_the_words_of_the_field() -> None:
    named = {spoken_type(value) for value in (None, True, 1, 1.5, "a", {}, [], b"", (), Path())}
    words = {"null", "boolean", "integer", "number", "string", "mapping", "list", "bytes", "tuple"}
    assert named == words | {f"pathlib.{type(Path()).__name__}"}
    raw = re.compile(r"(got|is) \{type\([^{}]*\)\.__name__\}")
    assert [path.name for path in (ROOT / "src").rglob("*.py") if raw.search(path.read_text())] == []
