"""The rules of ftfy that native code follows, read from the installed package: ``render()`` gives the C++ tables.

Each code point has a *record*: what the mojibake detector makes of it, what ftfy's tables of single code points turn it
into, and how it takes part in Unicode normalization. Equal records are stored once; pages of 256 code points share
their record numbers.
"""

from __future__ import annotations

import re
import sys
import unicodedata

import ftfy
from ftfy import badness, chardata, fixes

try:
    from re import _constants as codes
    from re import _parser as parser
except ImportError:  # Python 3.10
    import sre_constants as codes
    import sre_parse as parser

CODE_POINTS = range(0x110000)
PAGE = 256
FORMS = ("NFC", "NFD", "NFKC", "NFKD")

# Flags of a record; the first four say that the quick check of a form is not a plain yes.
CHANGES = 16
UNSETTLED = 32
PLAIN = 64


class Element:
    """One element of a detector pattern: the code points it accepts, and which of them it names one by one."""

    def __init__(self, *, negated: bool = False) -> None:
        self.ranges: list[tuple[int, int]] = []
        self.word = False
        self.space = False
        self.negated = negated

    def accepts(self, code_point: int) -> bool:
        found = any(low <= code_point <= high for low, high in self.ranges)
        found = found or (self.word and is_word(code_point)) or (self.space and chr(code_point).isspace())
        return found != self.negated

    def named(self) -> set[int]:
        return {c for low, high in self.ranges for c in range(low, high + 1)}


def is_word(code_point: int) -> bool:
    return chr(code_point).isalnum() or code_point == ord("_")


def element(op: object, argument: object) -> Element:
    """Translate one node of a parsed pattern."""
    if op is codes.LITERAL:
        made = Element()
        made.ranges.append((argument, argument))
    elif op is codes.NOT_LITERAL:
        made = Element(negated=True)
        made.ranges.append((argument, argument))
    elif op is codes.ANY:
        made = Element(negated=True)
        made.ranges.append((10, 10))
    elif op is codes.IN:
        made = Element()
        for kind, value in argument:
            if kind is codes.NEGATE:
                made.negated = True
            elif kind is codes.LITERAL:
                made.ranges.append((value, value))
            elif kind is codes.RANGE:
                made.ranges.append(tuple(value))
            elif kind is codes.CATEGORY and value is codes.CATEGORY_WORD:
                made.word = True
            elif kind is codes.CATEGORY and value is codes.CATEGORY_SPACE:
                made.space = True
            else:
                raise ValueError(f"the mojibake detector has a set member that is not supported: {kind} {value}")
    else:
        raise ValueError(f"the mojibake detector has a construct that is not supported: {op}")
    return made


def alternatives() -> list[tuple[bool, list[Element]]]:
    """Read the detector's alternatives: whether one only matches at the start, and its elements."""
    pattern = badness.BADNESS_RE
    tree = list(parser.parse(pattern.pattern, pattern.flags & re.VERBOSE))
    if len(tree) != 1 or tree[0][0] is not codes.BRANCH:
        raise ValueError("the mojibake detector is not a list of alternatives")
    found = []
    for branch in tree[0][1][1]:
        variants: list[tuple[bool, list[Element]]] = [(False, [])]
        for op, argument in branch:
            if op is codes.AT and argument is codes.AT_BEGINNING:
                variants = [(True, elements) for _, elements in variants]
            elif op is codes.MAX_REPEAT and tuple(argument[:2]) == (0, 1) and len(argument[2]) == 1:
                optional = element(*argument[2][0])
                variants += [(start, [*elements, optional]) for start, elements in variants]
            else:
                one = element(op, argument)
                variants = [(start, [*elements, one]) for start, elements in variants]
        found += variants
    return found


class Detector:
    """A Shift-And automaton: bit i stands for element i of the alternatives laid end to end."""

    def __init__(self) -> None:
        self.elements: list[Element] = []
        self.first = self.first_at_start = self.last = self.ascii_prefix = 0
        self.prefix_length = 0
        for at_start, alternative in alternatives():
            begin = 1 << len(self.elements)
            self.first_at_start |= begin
            if not at_start:
                self.first |= begin
            bit, length = begin, 0
            for one in alternative:
                if not any(one.accepts(c) for c in range(128)):
                    break
                self.ascii_prefix |= bit
                bit, length = bit << 1, length + 1
            else:
                raise ValueError("the mojibake detector matches ASCII text")
            self.prefix_length = max(self.prefix_length, length)
            self.elements += alternative
            self.last |= 1 << (len(self.elements) - 1)
        if len(self.elements) > 128:
            raise ValueError(f"the mojibake detector has {len(self.elements)} elements, more than 128")
        named = set().union(*(one.named() for one in self.elements))
        self.masks = {c: self.mask(c) for c in named}
        # Code points that no element names differ only by being a word character or white space.
        samples = {(is_word(c), chr(c).isspace()): c for c in CODE_POINTS if c not in named}
        self.other_masks = {kind: self.mask(c) for kind, c in samples.items()}

    def mask(self, code_point: int) -> int:
        return sum(1 << bit for bit, one in enumerate(self.elements) if one.accepts(code_point))

    def mask_of(self, code_point: int) -> int:
        known = self.masks.get(code_point)
        if known is not None:
            return known
        return self.other_masks[is_word(code_point), chr(code_point).isspace()]


def apply_tables(text: str) -> str:
    """Apply the fixes of ftfy that look at single code points, in its order."""
    for fixer in (
        fixes.fix_latin_ligatures,
        fixes.fix_character_width,
        fixes.uncurl_quotes,
        fixes.fix_line_breaks,
        fixes.fix_surrogates,
        fixes.remove_control_chars,
    ):
        text = fixer(text)
    return text


def changes() -> dict[int, str]:
    found = {}
    for begin in range(0, 0x110000, PAGE):
        if 0xD800 <= begin < 0xE000:
            continue
        page = "".join(map(chr, range(begin, begin + PAGE)))
        if apply_tables(page) != page:
            found.update({ord(c): apply_tables(c) for c in page if apply_tables(c) != c})
    return found


def quick_check() -> dict[int, int]:
    """Code points whose quick check is not a plain yes, with a bit for each form."""
    flags: dict[int, int] = {}
    composing = {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}
    for c in CODE_POINTS:
        parts = unicodedata.decomposition(chr(c)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            composing.add(int(parts[1], 16))
    for bit, form in enumerate(FORMS):
        for begin in range(0, 0x110000, PAGE):
            page = [chr(c) for c in range(begin, begin + PAGE)]
            odd = [ord(c) for c in page if unicodedata.normalize(form, c) != c]
            if form in ("NFC", "NFKC"):
                odd += [c for c in composing if begin <= c < begin + PAGE]
            for c in odd:
                flags[c] = flags.get(c, 0) | 1 << bit
    return flags


def two_words(mask: int) -> str:
    return f"{mask & (1 << 64) - 1:#x}, {mask >> 64:#x}"


def lines_of(values: list[int]) -> str:
    return "\n".join(",".join(map(str, values[i : i + 32])) + "," for i in range(0, len(values), 32))


def render() -> str:
    """Return the tables as C++ definitions; the types stand in the file that includes them."""
    detector = Detector()
    changed = changes()
    not_yes = quick_check()
    records: dict[tuple[int, int, int, str], int] = {}
    pages: dict[tuple[int, ...], int] = {}
    page_of = []
    ids = []
    for c in CODE_POINTS:
        mask = detector.mask_of(c)
        combining = unicodedata.combining(chr(c))
        flags = not_yes.get(c, 0)
        output = changed.get(c, "")
        if c in changed:
            # ftfy repeats its fixes until nothing changes; native code relies on one round being enough.
            flags |= CHANGES if apply_tables(output) == output else CHANGES | UNSETTLED
        if not flags and not combining and not mask & detector.first_at_start:
            flags = PLAIN
        ids.append(records.setdefault((mask, flags, combining, output), len(records)))
        if len(ids) == PAGE:
            page_of.append(pages.setdefault(tuple(ids), len(pages)))
            ids = []
    ordered = list(records)
    ideographs = {ordered[list(pages)[page_of[c // PAGE]][c % PAGE]][1] for c in range(0x4000, 0xA000)}
    if ideographs != {PLAIN}:
        raise ValueError("the three-byte sequences from 0xE4 to 0xE9 are no longer plain code points")

    outputs = b""
    rows = []
    for mask, flags, combining, output in ordered:
        encoded = output.encode("utf-8")
        rows.append(f"{{{{{two_words(mask)}}}, {len(outputs)}, {len(encoded)}, {flags}, {combining}}},")
        outputs += encoded
    entities = sorted(entity[1:-1] for entity in chardata.HTML_ENTITIES)
    newline = "\n"
    return f"""\
// Written by cpp/tables/ftfy_tables.py from ftfy {ftfy.__version__} and Python {sys.version.split()[0]}; do not edit.
constexpr States first_states = {{{two_words(detector.first)}}};
constexpr States first_states_at_start = {{{two_words(detector.first_at_start)}}};
constexpr States last_states = {{{two_words(detector.last)}}};
constexpr States ascii_prefix_states = {{{two_words(detector.ascii_prefix)}}};
constexpr std::size_t ascii_prefix_length = {detector.prefix_length};
constexpr std::string_view entities[] = {{
{newline.join(f'"{name}",' for name in entities)}
}};
constexpr unsigned char outputs[] = {{{",".join(map(str, outputs))}}};
constexpr Record records[] = {{
{newline.join(rows)}
}};
constexpr std::uint8_t page_of[] = {{
{lines_of(page_of)}
}};
constexpr std::uint16_t record_of[][{PAGE}] = {{
{newline.join("{" + ",".join(map(str, page)) + "}," for page in pages)}
}};
static_assert({len(pages)} <= 256);
"""
