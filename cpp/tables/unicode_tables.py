"""Code point classes and lower-case mapping, as this interpreter's ``str`` and the ``regex`` package answer them."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

CODE_POINTS = sys.maxunicode + 1
BLOCK = 256
SPECIAL_SHA256 = "fb8c6d643e56f975b67a521cdc6c0fa2fb61d17c8e01798a098e9c0ea8dd09a0"
DOTTED_CAPITAL_I = 0x130  # the only code point whose lower case is two code points

# Bit numbers of djfast::unicode::Class, in the order of the enumeration.
ALPHA, ALNUM, SPACE, SPECIAL, LINE_BREAK = range(5)
REGEX_WORD, REGEX_SPACE, REGEX_DIGIT, REGEX_PUNCTUATION = range(5, 9)
CASED, CASE_IGNORABLE, LOWER_CHANGES = range(9, 12)


def special_code_points() -> list[int]:
    """Read special_characters.txt; ValueError when it is not the list that Data-Juicer uses."""
    text = (Path(__file__).parent / "special_characters.txt").read_text(encoding="ascii")
    points: list[int] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            for item in line.split():
                first, _, last = item.partition("-")
                points.extend(range(int(first, 16), int(last or first, 16) + 1))
    digest = hashlib.sha256(",".join(f"{point:X}" for point in points).encode()).hexdigest()
    if digest != SPECIAL_SHA256:
        raise ValueError(f"special_characters.txt was changed: SHA-256 must be {SPECIAL_SHA256}, got {digest}")
    return points


def classes() -> list[int]:
    """The class bits of every code point."""
    import regex

    bits = [0] * CODE_POINTS
    every = "".join(map(chr, range(CODE_POINTS)))

    def mark(bit: int, points: Iterable[int]) -> None:
        for point in points:
            bits[point] |= 1 << bit

    mark(ALPHA, (p for p, c in enumerate(every) if c.isalpha()))
    mark(ALNUM, (p for p, c in enumerate(every) if c.isalnum()))
    mark(SPACE, (p for p, c in enumerate(every) if c.isspace()))
    mark(SPECIAL, special_code_points())
    mark(LINE_BREAK, (p for p, c in enumerate(every) if len(f"a{c}b".splitlines()) == 2))
    for bit, pattern in (
        (REGEX_WORD, r"\w"),
        (REGEX_SPACE, r"\s"),
        (REGEX_DIGIT, r"\d"),
        (REGEX_PUNCTUATION, r"\p{P}"),
    ):
        mark(bit, map(ord, regex.findall(pattern, every)))
    # str.lower looks left of a capital sigma, past case-ignorable characters, for a cased one. So a sigma that
    # directly follows c and becomes final says that c is cased (and not ignorable); one that follows "a" and c
    # says that c is either.
    for point, character in enumerate(every):
        if (character + "\u03a3").lower()[-1] == "\u03c2":
            bits[point] |= 1 << CASED
        elif ("a" + character + "\u03a3").lower()[-1] == "\u03c2":
            bits[point] |= 1 << CASE_IGNORABLE
        if character.lower() != character:
            bits[point] |= 1 << LOWER_CHANGES
    return bits


def lower_distances() -> list[int]:
    """What to add to a code point to get its lower case; 0 for U+0130, which code treats by itself."""
    distances = [0] * CODE_POINTS
    for point in range(CODE_POINTS):
        lowered = chr(point).lower()
        if len(lowered) == 1:
            distances[point] = ord(lowered) - point
        elif point != DOTTED_CAPITAL_I or lowered != "i\u0307":
            raise ValueError(f"this Python lowers U+{point:04X} to {lowered!a}, which native code does not know")
    return distances


def two_stages(values: Sequence[int]) -> tuple[list[int], list[int]]:
    """Block number per 256 code points, and the distinct blocks one after another."""
    numbers: dict[tuple[int, ...], int] = {}
    stage = [
        numbers.setdefault(tuple(values[start : start + BLOCK]), len(numbers))
        for start in range(0, CODE_POINTS, BLOCK)
    ]
    return stage, [value for block in numbers for value in block]


def array(declaration: str, values: Sequence[int]) -> str:
    lines = [",".join(map(str, values[start : start + 32])) for start in range(0, len(values), 32)]
    return f"{declaration}[{len(values)}] = {{\n" + ",\n".join(lines) + "};\n"


def render() -> str:
    """The tables as C++ array definitions."""
    distances = lower_distances()
    bits = classes()
    class_stage, class_blocks = two_stages(bits)
    lower_stage, lower_blocks = two_stages(distances)
    leads = {chr(p).encode()[0] for p in range(CODE_POINTS) if bits[p] >> LOWER_CHANGES & 1}
    if leads & set(range(0xE3, 0xEA)):
        raise ValueError("a letter in U+3000 to U+9FFF has a lower case; the lower-case kernel passes over them")
    return "".join(
        (
            "// Written by cpp/tables/unicode_tables.py.\n",
            array("const std::uint8_t class_stage", class_stage),
            array("const std::uint16_t class_blocks", class_blocks),
            array("const std::uint8_t lower_stage", lower_stage),
            array("const std::int32_t lower_blocks", lower_blocks),
            array("const std::uint8_t lower_leads", [int(lead in leads) for lead in range(256)]),
        )
    )
