"""JSON lines are accepted as Python's json accepts them, and keep every byte that nobody changes."""

import json
import math
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import djfast
from djfast import _native
from djfast.errors import UserError

KINDS = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    list: "array",
    dict: "object",
}


@pytest.fixture(params=["serial", "avx2", "avx512"], autouse=True, scope="module")
def instruction_set(request):
    before = _native.active_isa()
    _native.force_isa(request.param)
    yield request.param
    _native.force_isa(before)


def python_answer(line: bytes):
    """What json.loads says about a line: its object, or None when it is refused or something else."""
    try:
        value = json.loads(line.removeprefix(b"\xef\xbb\xbf").decode("utf-8"))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def has_lone_surrogate(text: str) -> bool:
    return any("\ud800" <= c <= "\udfff" for c in text)


def read_one(line: bytes, *paths: str):
    """The fields of a line by path, or the reason why it is refused."""
    read = _native.read_json_lines(line, list(paths))
    assert len(read["lines"]) == 1
    if read["errors"]:
        assert all(column == [("missing", b"", None, False)] for column in read["fields"])
        return read["errors"][0][1]
    return [column[0] for column in read["fields"]]


def same(left, right) -> bool:
    """Equal values of equal types, NaN being equal to itself."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    return left == right


# -- lines as people write them, and worse -----------------------------------------------------------------------

KEYS = ['"text"', '"te\\u0078t"', '"a"', '"a.b"', '"\\u0061"', '"b"', '"c"', '"b.c"', '""', '"\\ud800"', '"meta"']
PATHS = ["text", "a", "a.b", "a.b.c", "b", "b.c", "meta.text", "", "a."]
ESCAPES = [
    '\\"',
    "\\\\",
    "\\/",
    "\\b",
    "\\f",
    "\\n",
    "\\r",
    "\\t",
    "\\u0000",
    "\\u4e2D",
    "\\u007f",
    "\\ud83d\\ude00",
    "\\uDBFF\\uDFFF",
]
LONE_SURROGATES = ["\\ud800", "\\udc00", "\\ud83dx", "\\ud83d\\u0041"]
NUMBERS = ["0", "-0", "17", "-3", "0.0", "2.5", "1E5", "1e+400", "-1.5E-7", "NaN", "Infinity", "-Infinity", "9" * 300]
SPECIALS = [
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b" ",
    b"\x00",
    b"\x1f",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"-",
    b".",
]
SPECIALS += [b"0", b"1", b"e", b"u", b"\\u", b"\\ud83d", b"NaN", b"nul", b"\xef\xbb\xbf", b"\x7f", b"'", b"/", b"\x0b"]


class LineWriter(random.Random):
    """Writes JSON as odd as the grammar allows. Drawn from one seed: drawing each byte apart would be slow."""

    def space(self) -> str:
        return self.choice(["", "", "", " ", "\t", " \r"])

    def string(self) -> str:
        pieces = []
        for _ in range(self.choice([0, 1, 1, 2, 5, 30])):
            kind = self.random()
            if kind < 0.5:
                pieces.append(
                    self.choice(["a", "{", "]", "ä", "中文", "😀", "\x7f", "word "]) * self.choice([1, 1, 2, 15, 31, 70])
                )
            elif kind < 0.98:
                pieces.append(self.choice(ESCAPES) * self.choice([1, 1, 1, 2, 3, 40]))
            else:
                pieces.append(self.choice(LONE_SURROGATES))
        return '"' + "".join(pieces) + '"'

    def sequence(self, opening: str, items: list[str], closing: str) -> str:
        return opening + ",".join(self.space() + item + self.space() for item in items) + closing

    def value(self, depth: int) -> str:
        kind = self.random() if depth < 4 else self.random() * 0.7
        if kind < 0.1:
            return self.choice(["null", "true", "false"])
        if kind < 0.3:
            return self.choice([*NUMBERS, repr(self.uniform(-1e6, 1e6)), str(self.getrandbits(80))])
        if kind < 0.7:
            return self.string()
        if kind < 0.85:
            return self.sequence("[", [self.value(depth + 1) for _ in range(self.randrange(4))], "]")
        return self.object(depth + 1)

    def object(self, depth: int) -> str:
        members = []
        for _ in range(self.randrange(7)):
            key = self.choice(KEYS) if self.random() < 0.8 else self.string()
            members.append(key + self.space() + ":" + self.space() + self.value(depth))
        return self.sequence("{", members, "}")

    def line(self) -> bytes:
        return (self.space() + self.object(0) + self.space()).encode()

    def broken_line(self) -> bytes:
        line = bytearray(self.line() if self.random() < 0.7 else self.value(0).encode())
        for _ in range(self.randrange(1, 4)):
            at = self.randrange(len(line) + 1)
            match self.randrange(5):
                case 0 if at < len(line):
                    line[at] ^= 1 << self.randrange(8)
                case 1:
                    del line[at:]
                case 2:
                    line[at:at] = self.choice(SPECIALS)
                case 3:
                    del line[at : at + self.randrange(1, 4)]
                case _:
                    line[at:at] = self.randbytes(2)
        return bytes(line).replace(b"\n", b"")


seeds = st.integers(0, 2**64)
lines = seeds.map(lambda seed: LineWriter(seed).line())
broken_lines = seeds.map(lambda seed: LineWriter(seed).broken_line())


def expected_member(value: dict, path: str):
    """What a path names: the whole name first, then its first component; a one-element list, or none."""
    if path in value:
        return [value[path]]
    first, dot, rest = path.partition(".")
    if not dot or not isinstance(value.get(first), dict):
        return []
    return expected_member(value[first], rest)


def check_line(line: bytes) -> None:
    if not line.strip(b" \t\r\n") or line.strip(b" \t\r\n") == b"\xef\xbb\xbf":
        return
    value = python_answer(line)
    touched = read_one(line)
    assert (touched == []) == (value is not None), (line, touched)
    if value is None:
        return
    found = [expected_member(value, path) for path in PATHS]
    fields = read_one(line, *PATHS)
    if any(isinstance(x, str) and has_lone_surrogate(x) for matches in found for x in matches):
        assert "lone surrogate" in fields
        return
    assert not isinstance(fields, str), fields
    for matches, (kind, raw, text, _) in zip(found, fields):
        if not matches:
            assert (kind, raw, text) == ("missing", b"", None)
            continue
        assert kind == KINDS[type(matches[0])]
        assert same(json.loads(raw), matches[0])
        assert text == (matches[0] if kind == "text" else None)


@settings(max_examples=1000, deadline=None)
@given(lines)
@example(b'{"text": "' + b"x" * 200 + b'\\n"}')
@example(b'\xef\xbb\xbf{"text": 1}')
def test_every_object_is_read_as_python_reads_it(line):
    check_line(line)


@settings(max_examples=2000, deadline=None)
@given(broken_lines)
def test_broken_lines_are_refused_as_python_refuses_them(line):
    check_line(line)


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 150),
    st.sampled_from([*SPECIALS, b"\\n", b"\\\\", b"\\x", b"\\u12G4", b"\\\\\\"]),
    st.integers(0, 150),
)
def test_a_special_byte_is_seen_at_every_position(before, special, after):
    check_line(b'{"text":"' + b"a" * before + special + b"b" * after + b'"}')
    check_line(b'{"text":"' + b"\\n" * before + special + b"\\\\" * after + b'"}')


@pytest.mark.parametrize(
    "word",
    [b"01", b"-", b"+1", b"1.", b".5", b"1e", b"1e+", b"-NaN", b"nan", b"Inf", b"tru", b"True", b"0x1",
     b"1_0", b"--1", b"-01",
     b"1.5.2", b"[1,]", b"[,1]", b"[1 2]", b"{\"a\":1,}", b"{,}", b"{\"a\"}", b"{1:2}", b"'a'", b"\"\x7f\"",
     b"\"\t\"", b"1\x0c"],
)  # fmt: skip
def test_values_at_the_edge_of_the_grammar(word):
    check_line(b'{"a":' + word + b"}")
    check_line(b'{"a":' + word)
    check_line(word)


def test_levels_up_to_the_limit_are_read():
    deep = b'{"a":' + b"[" * 511 + b"]" * 511 + b"}"
    assert read_one(deep, "a")[0][0] == "array"
    assert read_one(b'{"a":' * 512 + b"1" + b"}" * 512, "a")[0][0] == "object"
    deeper = b'{"a":' + b"[" * 512 + b"]" * 512 + b"}"
    assert read_one(deeper) == "nested deeper than 512 levels"
    assert read_one(b'{"a":' * 513 + b"1" + b"}" * 513, "a") == "nested deeper than 512 levels"
    assert read_one(b"[" * 1_000_000) == "nested deeper than 512 levels"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": 1 "b"}', "not valid JSON: expected ',' or '}' at byte 8"),
        (b'{"a" 1}', "not valid JSON: expected ':' at byte 5"),
        (b"{a: 1}", "not valid JSON: expected a key in quotes at byte 1"),
        (b'{"a": }', "not valid JSON: expected a value at byte 6"),
        (b'{"a": tru}', "not valid JSON: expected a value at byte 6"),
        (b'{"a": [1 2]}', "not valid JSON: expected ',' or ']' at byte 9"),
        (b'{"a": 1} x', "not valid JSON: expected the end of the line at byte 9"),
        (b'{"a": 1},', "not valid JSON: expected the end of the line, not a comma at byte 8"),
        (b'{"a": "b', "not valid JSON: string without closing quote at byte 6"),
        (b'{"a": "b\tc"}', "not valid JSON: control character in a string at byte 8"),
        (b'{"a": "b\\xc"}', "not valid JSON: unknown escape in a string at byte 8"),
        (b'{"a": 1.}', "not valid JSON: expected a digit at byte 8"),
        (b'{"\xff": 1}', "not valid UTF-8 at byte 2"),
        (b'{"a": "\xe4\xb8"}', "not valid UTF-8 at byte 7"),
        (b"[1]", "not a JSON object: an array"),
        (b'"a"', "not a JSON object: a string"),
        (b"NaN", "not a JSON object: a number"),
        (b"null", "not a JSON object: null"),
        (b"true", "not a JSON object: a boolean"),
    ],
)
def test_reasons_say_what_and_where(line, reason):
    assert read_one(line) == reason
    assert read_one(line + b"\r\n") == reason


def test_a_lone_surrogate_matters_only_where_it_is_touched():
    line = b'{"text": "\\ud800", "other": "fine"}'
    assert read_one(line, "other")[0][2] == "fine"
    assert read_one(line, "other", "text") == "field text has a lone surrogate escape, which is no character"


def test_the_last_of_repeated_keys_counts():
    [field] = read_one(b'{"text": "first", "te\\u0078t": 2}', "text")
    assert field == ("number", b"2", None, True)
    assert read_one(b'{"a": {"b": 1}, "a": {}}', "a.b") == [("missing", b"", None, False)]
    assert read_one(b'{"a": {"b": 1, "b": 2}}', "a.b") == [("number", b"2", None, True)]


def test_a_flat_key_wins_over_a_nested_one():
    assert read_one(b'{"a": {"b": 1}, "a.b": 2}', "a.b", "a")[0] == ("number", b"2", None, False)
    assert read_one(b'{"a.b": 2, "a": {"b": 1}}', "a.b")[0] == ("number", b"2", None, False)
    assert read_one(b'{"a": {"b.c": 3, "b": {"c": 4}}}', "a.b.c", "a.b", "a.b.c") == [
        ("number", b"3", None, False),
        ("object", b'{"c": 4}', None, False),
        ("number", b"3", None, False),
    ]


@given(
    st.lists(st.one_of(lines, broken_lines, st.sampled_from([b"", b" ", b"\t"])), max_size=8),
    st.booleans(),
    st.booleans(),
)
@example([b'{"a": "b\\', b"{}"], False, False)  # fmt: skip
@example([b'{"a": "b\\u12', b'{"b": "\\'], True, True)
@settings(max_examples=200, deadline=None)
def test_lines_of_a_block_do_not_depend_on_their_neighbours(parts, crlf, final_newline):
    ending = b"\r\n" if crlf else b"\n"
    block = ending.join(parts) + (ending if final_newline else b"")
    read = _native.read_json_lines(block, ["text", "a.b"])
    every = block.split(b"\n")
    if not every[-1]:
        every.pop()
    assert read["line_count"] == len(every)
    expected = {"lines": [], "numbers": [], "fields": [[], []], "errors": []}
    for number, line in enumerate(every):
        one = _native.read_json_lines(line, ["text", "a.b"])
        if not one["lines"]:
            continue
        expected["errors"] += [(len(expected["lines"]), reason) for _, reason in one["errors"]]
        expected["lines"] += one["lines"]
        expected["numbers"].append(number)
        for all_rows, rows in zip(expected["fields"], one["fields"]):
            all_rows += rows
    assert {name: read[name] for name in expected} == expected


def test_many_lines_pass_the_segments_they_are_validated_in():
    rows = [{"id": n, "text": "ä\n" * (n % 700)} for n in range(300)]
    encoded = [json.dumps(row, ensure_ascii=n % 2 == 0).encode() for n, row in enumerate(rows)]
    encoded[150] = encoded[150].replace(b'"text"', b'"\xff"')
    read = _native.read_json_lines(b"\n".join(encoded), ["text", "id"])
    assert read["errors"] == [(150, f"not valid UTF-8 at byte {encoded[150].index(255)}")]
    texts = [field[2] for field in read["fields"][0]]
    assert texts == [row["text"] if n != 150 else None for n, row in enumerate(rows)]


# -- writing -----------------------------------------------------------------------------------------------------


@given(st.one_of(st.text(), st.text('\x00\x1f\x7f"\\/\n\t abc', max_size=300)))
@example("x" * 9000 + '"' + "\n" * 9000)
@example("\x00" * 20000)
@settings(deadline=None)
def test_texts_are_written_as_python_writes_them(text):
    assert _native.json_text(text) == json.dumps(text, ensure_ascii=False)


@given(st.one_of(st.floats(), st.integers(-(2**63), 2**63 - 1)))
@example(0.0)
@example(-0.0)
@example(1e16)
@example(9999999999999998.0)
@example(1e-4)
@example(9.999e-5)
@example(5e-324)
@settings(max_examples=1000, deadline=None)
def test_numbers_are_written_as_python_writes_them(value):
    assert _native.json_number(value) == json.dumps(value)


CHANGED = ["text", "a.b", "b", "c", "meta.text", "new", "b.c"]
new_values = st.sampled_from([b"1", b'"\xc3\xa4"', b"[1, 2]", b""])


def overlaps(paths, value) -> bool:
    """True when two paths name the same member or one inside the other."""
    spots = []
    for path in paths:
        spot, inside, rest = [], value, path
        while isinstance(inside, dict):
            if rest in inside:
                spot.append(rest)
                break
            first, dot, rest = rest.partition(".")
            if not dot or first not in inside:
                break
            spot.append(first)
            inside = inside[first]
        if expected_member(value, path):
            spots.append(spot)
    return any(left is not right and left == right[: len(left)] for left in spots for right in spots)


def apply(value: dict, path: str, name: str, new: bytes) -> None:
    def replace(inside: dict, rest: str) -> None:
        if rest in inside:
            if new:
                inside[rest] = json.loads(new)
            else:
                del inside[rest]
            return
        first, _, rest = rest.partition(".")
        replace(inside[first], rest)

    if expected_member(value, path):
        replace(value, path)
    elif new:
        value[name] = json.loads(new)


@settings(max_examples=1000, deadline=None)
@given(lines, st.lists(st.tuples(st.sampled_from(CHANGED), new_values), max_size=5, unique_by=lambda change: change[0]))
def test_an_edited_line_reads_as_the_edited_object(line, pairs):
    value = python_answer(line)
    paths = [path for path, _ in pairs]
    reason = read_one(line, *paths)
    changes = [(path, f"new-{path}", new) for path, new in pairs]
    if isinstance(reason, str):
        with pytest.raises(UserError, match="lone surrogate"):
            _native.edit_json_line(line, changes)
        return
    if overlaps(paths, value):
        return
    edited = _native.edit_json_line(line, changes)
    for path, name, new in sorted(changes, key=lambda change: bool(expected_member(value, change[0])), reverse=True):
        apply(value, path, name, new)
    result = python_answer(edited)
    assert result is not None, edited
    assert same_members(result, value), edited


def same_members(left, right) -> bool:
    """As `same`, but the order of members is not looked at: a repeated key stands where its last occurrence stood."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_members(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same_members, left, right))
    return same(left, right)


@settings(max_examples=300, deadline=None)
@given(lines, st.sampled_from(CHANGED))
def test_bytes_around_a_replaced_value_stay(line, path):
    fields = read_one(line, path)
    if isinstance(fields, str):
        return
    kind, raw, _, is_repeated = fields[0]
    if kind == "missing" or is_repeated:
        return
    edited = _native.edit_json_line(line, [(path, "", b"<new>")])
    before, found, after = edited.partition(b"<new>")
    assert found
    assert before + raw + after == line.removesuffix(b"\r")


def test_a_line_without_changes_stays_as_it_is():
    line = b' { "big": 123456789012345678901234567890, "x": 1.0e0,"x":NaN , "\\u0061": "\\/" }'
    assert _native.edit_json_line(line, []) == line


@pytest.mark.parametrize(
    ("line", "removed", "expected"),
    [
        (b'{"a": 1, "b": 2, "c": 3}', "a", b'{"b": 2, "c": 3}'),
        (b'{"a": 1, "b": 2, "c": 3}', "b", b'{"a": 1, "c": 3}'),
        (b'{"a": 1, "b": 2, "c": 3}', "c", b'{"a": 1, "b": 2}'),
        (b'{"a": 1, "b": 2, "c": 3}', "b c", b'{"a": 1}'),
        (b'{"a": 1, "b": 2, "c": 3}', "a b c", b"{}"),
        (b'{ "a" : 1 , "b" : 2 }', "b", b'{ "a" : 1  }'),
        (b'{ "a" : 1 , "b" : 2 }', "a", b'{ "b" : 2 }'),
        (b'{"a": {"b": 1}, "c": 2}', "a.b", b'{"a": {}, "c": 2}'),
        (b'{"a": {"b": 1}, "c": 2}', "a.b c", b'{"a": {}}'),
        (b'{"a": 1, "b": 2, "\\u0061": 3}', "a", b'{"b": 2}'),
        (b'{"b": 0, "a": 1, "a": 3}', "a", b'{"b": 0}'),
        (
            b'{"x": [{"a": 1}], "m": {"a": 1, "k": 0, "a": 2}, "a": 5}',
            "m.a",
            b'{"x": [{"a": 1}], "m": {"k": 0}, "a": 5}',
        ),
        (b'{"a": 1}', "missing", b'{"a": 1}'),
    ],
)
def test_removing_members_leaves_the_commas_right(line, removed, expected):
    assert _native.edit_json_line(line, [(path, path, b"") for path in removed.split()]) == expected


@pytest.mark.parametrize(
    ("line", "paths", "expected"),
    [
        (b'{"a": 1, "b": 2, "a": 3}', "a", b'{"b": 2, "a": 0}'),
        (b'{"a": 1, "\\u0061": 2, "a": 3 }', "a", b'{"a": 0 }'),
        (b'{"m": {"a": 1}, "m": {"x": 1, "a": 2}, "b": 3}', "m.a", b'{"m": {"x": 1, "a": 0}, "b": 3}'),
        (b'{"m": 1, "m": {"a": 1, "a": 2, "x": {"m": 1}}}', "m.a", b'{"m": {"a": 0, "x": {"m": 1}}}'),
        (b'{"m": 1, "m": {"a": 1, "b": 1, "a": 2, "b": 2}, "b": 9}', "m.a m.b", b'{"m": {"a": 0, "b": 0}, "b": 9}'),
        (b'{"m": {"a": {"m": 1}, "a": {"m": {"a": 2}}}}', "m.a", b'{"m": {"a": 0}}'),
    ],
)
def test_a_repeated_field_is_written_once(line, paths, expected):
    assert _native.edit_json_line(line, [(path, path, b"0") for path in paths.split()]) == expected


@pytest.mark.parametrize("text", ["no mail", "a@b.co"])
def test_a_mapper_leaves_no_earlier_value_of_its_field(text, tmp_path):
    line = '{"text": "a@b.co", "id": 1, "text": ' + json.dumps(text) + "}\n"
    (tmp_path / "in.jsonl").write_text(line)
    data = djfast.Dataset.from_jsonl(tmp_path / "in.jsonl")
    for processed in (data.process("clean_email_mapper"), data.process("clean_email_mapper", "document_deduplicator")):
        processed.export(tmp_path / "out.jsonl")
        assert "a@b.co" not in (tmp_path / "out.jsonl").read_text()
    data.process({"text_length_filter": {"min_len": 1}}).export(tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text() == line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"{}", b'{"n": 1}'),
        (b"{ }", b'{"n": 1 }'),
        (b'{"a": 2}', b'{"a": 2, "n": 1}'),
        (b'{"a": 2 } ', b'{"a": 2, "n": 1 } '),
        (b'{"a": {}}', b'{"a": {}, "n": 1}'),
    ],
)
def test_new_fields_come_last(line, expected):
    assert _native.edit_json_line(line, [("n", "n", b"1")]) == expected


def test_fields_can_be_removed_replaced_and_added_at_once():
    changes = [("a", "a", b""), ("n", "n \u00e4\n".encode(), b"1"), ("b", "b", b'"new"'), ("m", "m", b"[]")]
    assert _native.edit_json_line(b'{"b": 1, "a": 2}', changes) == '{"b": "new", "n ä\\n": 1, "m": []}'.encode()
    assert _native.edit_json_line(b'{"a": 2}', changes) == '{"n ä\\n": 1, "b": "new", "m": []}'.encode()
