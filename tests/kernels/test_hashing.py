"""Digests, MinHash and SimHash against hashlib and against their definitions in plain Python."""

import functools
import hashlib
import random
import re
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from djfast import _native
from djfast.errors import UserError

LEVELS = ["serial", "avx2", "avx512"]
BOUNDARIES = [0, 1, 8, 31, 32, 33, 54, 55, 56, 57, 63, 64, 65, 111, 118, 119, 120, 127, 128, 183, 184, 1000]
PRIME = 2**61 - 1

texts = st.lists(st.text(alphabet="ab éλ中.,! \n\t", max_size=90), min_size=1, max_size=20)


@pytest.fixture(params=LEVELS, autouse=True)
def level(request):
    before = _native.active_isa()
    _native.force_isa(request.param)
    yield request.param
    _native.force_isa(before)


@functools.cache
def permutations(count, seed=42):
    """a and b of each permutation: MT19937, two outputs a draw, the first one high."""
    state = [seed]
    for i in range(1, 624):
        state.append((1812433253 * (state[-1] ^ state[-1] >> 30) + i) & 0xFFFFFFFF)
    twister = random.Random()
    twister.setstate((3, (*state, 624), None))

    def draw(largest):
        while (value := (twister.getrandbits(32) << 32 | twister.getrandbits(32)) & PRIME) > largest:
            pass
        return value

    return [(1 + draw(PRIME - 2), draw(PRIME - 1)) for _ in range(count)]


def shingles(text, tokenization, window):
    if tokenization == "space":
        tokens, join = [token for token in text.split(" ") if token], " "
    elif tokenization == "punctuation":
        tokens, join = re.split("[.,!]", text), " "  # the punctuation that these tests use
    else:
        tokens, join = list(text), ""
    return [join.join(tokens[i : i + window]).encode() for i in range(len(tokens) - window + 1)]


def signature(text, tokenization, window, count):
    hashes = {int.from_bytes(hashlib.sha1(s).digest()[:4], "little") for s in shingles(text, tokenization, window)}
    return [min((((h * a + b) % 2**64 % PRIME) & 0xFFFFFFFF for h in hashes), default=0xFFFFFFFF) for a, b in permutations(count)]


def simhash(text, tokenization, window):
    hashes = [int.from_bytes(hashlib.md5(s).digest()[:8], "big") for s in shingles(text, tokenization, window)]
    return sum(1 << bit for bit in range(64) if 2 * sum(h >> bit & 1 for h in hashes) > len(hashes))


def test_permutations_are_those_of_data_juicer():
    drawn = permutations(256)
    assert [a for a, _ in drawn[:2]] == [2297359619001564596, 1973689801170867272]
    assert drawn[255] == (2092141031243851673, 797693216700694537)


def test_md5_matches_hashlib_at_every_block_boundary():
    messages = [bytes((i * 7 + size) % 128 for i in range(size)) for size in BOUNDARIES] * 3
    assert _native.evaluate("digest_md5", [messages], {}) == [hashlib.md5(m).digest() for m in messages]


@given(st.lists(st.text(max_size=300), min_size=1, max_size=40))
@settings(max_examples=60)
def test_md5_matches_hashlib(messages):
    assert _native.evaluate("digest_md5", [messages], {}) == [hashlib.md5(m.encode()).digest() for m in messages]


@pytest.mark.parametrize("size", BOUNDARIES[1:])
def test_shingles_of_boundary_lengths_hash_like_hashlib(size):
    text = "".join(chr(97 + i % 26) for i in range(size + 3))
    params = {"tokenization": "character", "window": size}
    assert _native.evaluate("simhash", [[text]], params) == [[simhash(text, "character", size)]]
    found = _native.evaluate("minhash_signature", [[text]], params | {"permutations": 20})
    assert found == [signature(text, "character", size, 20)]


@given(texts, st.sampled_from(["space", "punctuation", "character"]), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_signatures_follow_their_definition(rows, tokenization, window):
    params = {"tokenization": tokenization, "window": window}
    found = _native.evaluate("minhash_signature", [rows], params | {"permutations": 37})
    assert found == [signature(text, tokenization, window, 37) for text in rows]
    assert _native.evaluate("simhash", [rows], params) == [[simhash(text, tokenization, window)] for text in rows]


def test_long_texts_pass_through_several_parts():
    text = " ".join(str(i * i % 4999) + "x" * (i % 150) for i in range(9001)) + "  "
    params = {"tokenization": "space", "window": 2}
    found = _native.evaluate("minhash_signature", [[text]], params | {"permutations": 17})
    assert found == [signature(text, "space", 2, 17)]
    assert _native.evaluate("simhash", [[text]], params) == [[simhash(text, "space", 2)]]


@pytest.mark.parametrize("seed", range(12))
def test_repeated_spaces_do_not_count(seed):
    rng = random.Random(seed)
    gaps = [1, 1, 1, 2, 3, 7, 61, 62, 63, 64, 65, 130]
    rows = [
        " " * rng.choice([0, 1, 2, 64, 65])
        + "".join(rng.choice(["a", "bc", "é", "x" * 63, "y" * 64]) + " " * rng.choice(gaps) for _ in range(rng.randrange(40)))
        + rng.choice(["", "end", "z" * 40])
        for _ in range(20)
    ]
    params = {"tokenization": "space", "window": rng.choice([1, 2, 5])}
    found = _native.evaluate("minhash_signature", [rows], params | {"permutations": 16})
    assert found == [signature(text, "space", params["window"], 16) for text in rows]
    fast = params | {"permutations": 16, "hash": "fast"}
    tidy = [" ".join(filter(None, text.split(" "))) for text in rows]
    assert _native.evaluate("minhash_signature", [rows], fast) == _native.evaluate("minhash_signature", [tidy], fast)


def test_values_that_wrap_are_exact():
    # Single characters give few hashes; among very many permutations some have values next to both ends of 32 bits.
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))
    params = {"tokenization": "character", "window": 1, "permutations": 64}
    assert _native.evaluate("minhash_signature", [[text]], params) == [signature(text, "character", 1, 64)]


def test_tokens_from_elsewhere_are_joined_without_space():
    tokens = ["▁the", "▁cat", "s", "▁sat", "▁", "on"]
    joined = ["".join(tokens[i : i + 3]).encode() for i in range(4)]
    expected = {int.from_bytes(hashlib.sha1(shingle).digest()[:4], "little") for shingle in joined}
    found = _native.evaluate("minhash_signature_of_tokens", [[tokens]], {"window": 3, "permutations": 8})
    assert found == [[min((h * a + b) % 2**64 % PRIME & 0xFFFFFFFF for h in expected) for a, b in permutations(8)]]


def test_bands_agree_exactly_where_their_values_do():
    rows = ["a b c d e f g h", "a  b c d e f g h", "a b c d e f g x", "q r s t u v w x"]
    params = {"tokenization": "space", "window": 2, "permutations": 32}
    signatures = _native.evaluate("minhash_signature", [rows], params)
    keys = _native.evaluate("minhash_bands", [rows], params | {"bands": 16, "rows": 2})
    for i in range(len(rows)):
        for j in range(len(rows)):
            for band in range(16):
                same = signatures[i][2 * band : 2 * band + 2] == signatures[j][2 * band : 2 * band + 2]
                assert (keys[i][band] == keys[j][band]) == same
    assert len(set(keys[3])) == 16


@pytest.mark.parametrize("hash_name", ["data-juicer", "fast"])
def test_short_texts_share_a_key_or_have_one_of_their_own_or_none(hash_name):
    params = {"tokenization": "space", "window": 3, "permutations": 8, "bands": 4, "rows": 2, "hash": hash_name}
    rows = ["", "a b", "a b c", "   "]
    merged = _native.evaluate("minhash_bands", [rows], params)
    assert merged[0] == merged[1] == merged[3] != merged[2]
    kept = _native.evaluate("minhash_bands", [rows], params | {"short_texts": "keep"})
    assert [len(keys) for keys in kept] == [0, 0, 4, 0]
    exact = _native.evaluate("minhash_bands", [[*rows, "a  b", "b a", "ab"]], params | {"short_texts": "exact"})
    assert exact[1] == exact[4]
    assert exact[0] == exact[3]
    assert len({tuple(keys) for keys in exact}) == 5
    assert exact[2] == merged[2]
    assert all(len(set(keys)) == 4 for keys in exact)
    params = {"tokenization": "space", "window": 3, "short_texts": "exact"}
    assert len({keys[0] for keys in _native.evaluate("simhash", [rows], params)}) == 3
    params = {"tokenization": "space", "window": 3, "short_texts": "keep"}
    assert [len(keys) for keys in _native.evaluate("simhash", [rows], params)] == [0, 0, 1, 0]


@pytest.mark.parametrize(
    "params",
    [{"bands": 5}, {"rows": 0}, {"window": 0}, {"tokenization": "word"}, {"hash": "md4"}, {"short_texts": "drop"}],
)
def test_impossible_parameters_are_refused(params):
    usual = {"tokenization": "space", "window": 3, "permutations": 8, "bands": 4, "rows": 2}
    with pytest.raises(UserError):
        _native.evaluate("minhash_bands", [["a b c"]], usual | params)


@pytest.mark.parametrize(("window", "count"), [(1, 100), (5, 256), (8, 512), (9, 600)])
def test_fast_signatures_are_the_same_on_every_level(level, window, count):
    rows = [" ".join(f"{i * j % 97}t" for i in range(n)) for j, n in enumerate([9, 10, 40, 500, 3000], 3)]
    params = {"tokenization": "space", "window": window, "permutations": count, "hash": "fast"}
    found = _native.evaluate("minhash_signature", [rows], params)
    _native.force_isa("serial")
    assert found == _native.evaluate("minhash_signature", [rows], params)
    assert found != _native.evaluate("minhash_signature", [rows], params | {"seed": 43})


@pytest.mark.parametrize("size", [3, 30, 250, 1500])
@pytest.mark.parametrize("similarity", [0.5, 0.8])
def test_fast_signatures_estimate_jaccard_similarity(size, similarity):
    # Two sets of n elements that share s of them have similarity s / (2n - s).
    shared = round(2 * size * similarity / (1 + similarity))
    true = shared / (2 * size - shared)
    count, trials = 256, 25
    params = {"tokenization": "space", "window": 1, "permutations": count, "hash": "fast"}
    errors = []
    for seed in range(trials):
        first = " ".join(f"s{seed}-{i}" for i in range(size))
        second = " ".join([f"s{seed}-{i}" for i in range(shared)] + [f"o{seed}-{i}" for i in range(size - shared)])
        a, b = _native.evaluate("minhash_signature", [[first, second]], params | {"seed": seed})
        errors.append(sum(x == y for x, y in zip(a, b, strict=True)) / count - true)
    bias = sum(errors) / trials
    deviation = (sum(error**2 for error in errors) / trials) ** 0.5
    assert abs(bias) < 3.5 * count**-0.5 * trials**-0.5
    assert deviation < count**-0.5


def test_fast_bands_find_the_near_duplicates_that_permutations_find():
    words = [f"w{i * 7919 % 1009}" for i in range(400)]
    originals = [words[i : i + 120] for i in range(0, 280, 4)]
    edited = [[*tokens[:60], "new", *tokens[62:]] for tokens in originals]
    rows = [" ".join(tokens) for tokens in [*originals, *edited]]
    params = {"tokenization": "space", "window": 5, "permutations": 256, "bands": 25, "rows": 10}

    def found(hash_name):
        keys = _native.evaluate("minhash_bands", [rows], params | {"hash": hash_name})
        half = len(originals)
        return sum(any(x == y for x, y in zip(keys[i], keys[half + i], strict=True)) for i in range(half)) / half

    assert found("data-juicer") > 0.9
    assert found("fast") > 0.9


@given(st.lists(st.text(alphabet="aB\u00e9\u0130 \u3000\t1\u0665_.,!\u3002\u4e2d\x1c", max_size=20), min_size=1))
@settings(max_examples=60)
def test_exact_deduplication_ignores_what_it_is_told_to(rows):
    ignored = re.compile("[ \u3000\t1\u0665_.,!]+")

    def normal(text, lowercase, ignore):
        text = text.lower() if lowercase else text
        return (ignored.sub("", text) if ignore else text).strip()

    for lowercase in (False, True):
        for ignore in (False, True):
            params = {"lowercase": lowercase, "ignore_non_character": ignore}
            expected = [normal(text, lowercase, ignore) for text in rows]
            assert _native.evaluate("normalize_for_exact", [rows], params) == expected


def test_exact_deduplication_keeps_characters_across_blocks_of_bytes():
    generator = random.Random(5)
    ascii_alphabet = "".join(map(chr, range(128)))
    ignored = re.compile("[\\s0-9\u0665\u3000!-/:-@\\[-`{-~]", re.ASCII)
    rows = []
    for size in [*range(56, 72), *range(120, 136), 1000]:
        for alphabet in (ascii_alphabet, ascii_alphabet + "\u0665\u3000\u3002\u4e2d\u00e9\U0001f600\U00010400" * 20):
            rows.append("a" + "".join(generator.choices(alphabet, k=size)) + "\u00e9")
    params = {"lowercase": False, "ignore_non_character": True}
    assert _native.evaluate("normalize_for_exact", [rows], params) == [ignored.sub("", row) for row in rows]


def test_golden_prefixes():
    # SHA-1 of "abc" begins a9 99 3e 36: the first hash of a one-shingle text under the permutation of that hash.
    assert struct.unpack("<I", hashlib.sha1(b"abc").digest()[:4]) == (910072233,)
    a, b = permutations(1)[0]
    found = _native.evaluate("minhash_signature", [["abc"]], {"tokenization": "space", "window": 1, "permutations": 1})
    assert found == [[(910072233 * a + b) % 2**64 % PRIME & 0xFFFFFFFF]]
