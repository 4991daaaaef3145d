"""Random recipes on random input, from a seed: the same seed makes the same case everywhere."""

from __future__ import annotations

import bz2
import gzip
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from tests.ranks import picky_op

Draw = Callable[[random.Random], dict[str, Any]]

WORDS = [
    "data",
    "Model",
    "the",
    "of",
    "training",
    "and",
    "or",
    "not",
    "word",
    "words",
    "x" * 12,
    "Ärger",
    "数据",
    "，",
    "“quoted”",
]
WORDS += [
    "a@b.org",
    "https://x.org/y",
    "‘12’",
    "3,14",
    "😀",
    "ＡＢＣ",
    "\t",
    "\n",
    "\u00a0",
    "\u200b",
    "ﬁ",
    "don't",
    "...",
    "!!!",
    "<p>",
    "\\n",
]
TOKENIZATION = ["space", "punctuation", "character"]

LAMBDAS = [
    "lambda row: {'size': len(row['text'])}",
    "lambda row: {'text': row['text'][1:], 'first': row['text'][0]}",  # an empty text is a bad row
]

# What a recipe is made of: an OP's name and how its parameters are drawn. A new kind of OP takes a line here.
MAPPERS: dict[str, Draw] = {
    "clean_email_mapper": lambda rng: {"repl": rng.choice(["", "<E>"])},
    "clean_links_mapper": lambda rng: {},
    "clean_ip_mapper": lambda rng: {},
    "clean_copyright_mapper": lambda rng: {},
    "clean_html_mapper": lambda rng: {},
    "replace_content_mapper": lambda rng: {"pattern": rng.choice(["the", ["o", r"\d"]]), "repl": rng.choice(["", "r"])},
    "expand_macro_mapper": lambda rng: {},
    "remove_bibliography_mapper": lambda rng: {},
    "remove_comments_mapper": lambda rng: {},
    "remove_header_mapper": lambda rng: {"drop_no_head": False},
    "fix_unicode_mapper": lambda rng: {},
    "punctuation_normalization_mapper": lambda rng: {},
    "remove_long_words_mapper": lambda rng: {"max_len": rng.choice([4, 11])},
    "remove_non_chinese_character_mapper": lambda rng: {"keep_number": rng.random() < 0.5},
    "remove_repeat_sentences_mapper": lambda rng: {"lowercase": rng.random() < 0.5},
    "remove_specific_chars_mapper": lambda rng: {"chars_to_remove": rng.choice(["", "a，", ["!", "<p>"]])},
    "remove_table_text_mapper": lambda rng: {"min_col": rng.choice([2, 4])},
    "remove_words_with_incorrect_substrings_mapper": lambda rng: {"substrings": rng.choice([None, ["o"]])},
    "whitespace_normalization_mapper": lambda rng: {},
    "python_lambda_mapper": lambda rng: {"lambda_str": rng.choice(LAMBDAS)},
    picky_op.NAME: lambda rng: {"one_in": rng.choice([2, 20])},
}
FILTERS: dict[str, Draw] = {
    "alphanumeric_filter": lambda rng: {"min_ratio": rng.choice([0.0, 0.3, 0.5])},
    "average_line_length_filter": lambda rng: {"min_len": rng.choice([1, 5])},
    "character_repetition_filter": lambda rng: {"rep_len": 3, "max_ratio": rng.choice([0.3, 0.9])},
    "maximum_line_length_filter": lambda rng: {"min_len": rng.choice([1, 5])},
    "special_characters_filter": lambda rng: {"max_ratio": rng.choice([0.3, 0.8, 0.8])},
    "text_length_filter": lambda rng: {"min_len": rng.choice([0, 0, 5, 5, 40, 40, 100_000])},
    "word_repetition_filter": lambda rng: {"rep_len": 2, "max_ratio": rng.choice([0.4, 0.9])},
    "words_num_filter": lambda rng: {"min_num": rng.choice([1, 4])},
}
DEDUPLICATORS: dict[str, Draw] = {
    "document_line_deduplicator": lambda rng: {"frequency_threshold": rng.choice([0, 1, 2]), "lowercase": rng.random() < 0.5},
    "document_deduplicator": lambda rng: {"lowercase": rng.random() < 0.5, "ignore_non_character": rng.random() < 0.3},
    "document_minhash_deduplicator": lambda rng: {
        "window_size": rng.choice([1, 2, 5]),
        "num_permutations": rng.choice([16, 64]),
        "jaccard_threshold": rng.choice([0.3, 0.7]),
        "tokenization": rng.choice(TOKENIZATION),
        "hash": rng.choice(["data-juicer", "fast"]),
        "short_texts": rng.choice(["merge", "keep"]),
    },
    "document_simhash_deduplicator": lambda rng: {
        "window_size": rng.choice([1, 2, 6]),
        "hamming_distance": rng.choice([0, 1, 4, 8]),
        "num_blocks": 9,
        "tokenization": rng.choice(TOKENIZATION),
        "short_texts": rng.choice(["merge", "keep"]),
    },
}
_LIMITS: Draw = lambda rng: {  # noqa: E731 - as the other draws
    "top_ratio": rng.choice([None, 0.0, 0.01, 0.5, 0.9]),
    "topk": rng.choice([None, 3, 50, 100]),
    "reverse": rng.random() < 0.6,
}
SELECTORS: dict[str, Draw] = {
    "topk_specified_field_selector": _LIMITS,
    "frequency_specified_field_selector": _LIMITS,
    "range_specified_field_selector": lambda rng: {
        "lower_percentile": rng.choice([None, 0.0, 0.1]),
        "upper_percentile": rng.choice([None, 0.1, 0.7, 1.0]),
        "lower_rank": rng.choice([None, 1, 5]),
        "upper_rank": rng.choice([None, 2, 60]),
    },
    "tags_specified_field_selector": lambda rng: {"target_tags": rng.choice([["web", "", "7"], [0.0, 1.0, 3.0, 7.0]])},
    "random_selector": lambda rng: {
        "select_ratio": rng.choice([None, 0.02, 0.5, 0.9, 1.0]),
        "select_num": rng.choice([None, 1, 20, 150]),
    },
}
KINDS = [MAPPERS, FILTERS, DEDUPLICATORS, SELECTORS]

FIELDS = ["id", "text", "meta.source", "meta.source", "meta.n", "meta.score", "meta.score", "meta", "rank", "rank"]
STATS = {
    "alphanumeric_filter": "alnum_ratio",
    "average_line_length_filter": "avg_line_length",
    "character_repetition_filter": "char_rep_ratio",
    "maximum_line_length_filter": "max_line_length",
    "special_characters_filter": "special_char_ratio",
    "text_length_filter": "text_len",
    "word_repetition_filter": "word_rep_ratio",
    "words_num_filter": "num_words",
}

BAD_LINES = [
    b'{"text": "cut off',
    b'{"text": null}',
    b'{"text": 3}',
    b'{"other": "no text"}',
    b"[1, 2]",
    b'"only a text"',
    b"no JSON at all",
    b'{"text": "\xff\xfe is no UTF-8"}',
    b'{"text": "cut off in a character \xe6\x95"}',
    b'{"text": "lone \\ud800 surrogate"}',
    b'{"text": "a", "text": "twice"}',
    b'{"text": "a"} {"text": "b"}',
    b'{"text": "with \x00 byte"}',
    b'\xef\xbb\xbf{"text": "a mark in front"}',
    b'{"text": ""}',
    b"",
    b"   \t",
    b"\x00\x00",
]
ODD_VALUES: list[Any] = [None, True, "7", "seven", [1, 2], {"deep": 1}, 10**400, 2.5]


class Case(NamedTuple):
    """A recipe without its export_path and without what must not change the result."""

    seed: int
    recipe: dict[str, Any]
    export_name: str

    def variant(self, folder: Path, number: int, *, ranks: int = 1) -> dict[str, Any]:
        """Return the recipe with an export_path in a folder and, by number, with threads, splits and batches of some size.

        Of several `ranks`, some may own devices.
        """
        rng = random.Random(f"{self.seed}-{number}")
        return {
            **self.recipe,
            "export_path": str(folder / self.export_name),
            "np": rng.choice([1, 2]),
            "split_bytes": int(2 ** rng.uniform(6, 16)) if rng.random() < 0.3 else int(2 ** rng.uniform(11, 15)),
            "batch_bytes": rng.choice([4096, 4096, 5000, 1 << 20]),
            "device_ranks": rng.randrange(ranks),
        }


def make_case(seed: int, folder: Path) -> Case:
    """Write the input of a case into a folder and return the case."""
    rng = random.Random(seed)
    source = folder / f"input-{seed}"
    source.mkdir()
    is_parquet = rng.random() < 0.3
    rows = _rows(rng)
    if is_parquet:
        _write_parquet(source, rows, rng)
    else:
        _write_json(source, rows, rng)
    recipe: dict[str, Any] = {
        "dataset_path": str(source),
        "process": _process(rng),
        "keep_stats_in_res_ds": rng.random() < 0.4,
        "keep_hashes_in_res_ds": rng.random() < 0.4,
        "export_shard_size": rng.choice([0, 0, 0, 300, 3000]),
    }
    formats = ["parquet"] * 3 + ["jsonl"] if is_parquet else ["jsonl", "jsonl", "jsonl.gz", "jsonl.zst", "json", "parquet"]
    name = f"out.{rng.choice(formats)}"
    if name.endswith(".gz"):
        recipe["export_type"] = "jsonl"
    recipe["order_filters"] = rng.random() < 0.8
    return Case(seed, recipe, name)


def _process(rng: random.Random) -> list[dict[str, Any]]:
    process = []
    fields = list(FIELDS)
    share_on_devices = rng.choice([0.0, 0.0, 0.3, 0.7])
    for _ in range(rng.choice([0, 1, 2, 3, 4, 5, 6, 7])):
        kind = rng.choice(KINDS)
        name = rng.choice(list(kind))
        parameters = kind[name](rng)
        if kind is SELECTORS and name != "random_selector":
            parameters["field_key"] = rng.choice(fields)
        if rng.random() < share_on_devices:
            parameters["accelerator"] = "cuda"
        if name in STATS:
            fields += [f"__dj__stats__.{STATS[name]}"] * 3
        process.append({name: parameters})
    if rng.random() < 0.25:
        at = rng.randint(0, len(process))
        grouper = {"key_value_grouper": {"group_by_keys": rng.choice([["text"], ["meta.source"], ["meta"]])}}
        process[at:at] = [grouper if rng.random() < 0.8 else {"naive_grouper": {}}, {"naive_reverse_grouper": {}}]
    return process


def _rows(rng: random.Random) -> list[dict[str, Any]]:
    """Texts, some of them copies of others, or nearly."""
    rows: list[dict[str, Any]] = []
    longest = rng.choice([5, 40, 40, 300])
    sources = ["web", "book", "7", "", *rng.choice([[], [], ["nan", "inf", "-1e3", "7.0", "12"]])]
    for number in range(rng.choice([0, 1, 5, 50, 50, 200, 200, 200])):
        if rows and rng.random() < 0.4:
            words = rng.choice(rows)["text"].split(" ")
            for _ in range(rng.choice([0, 0, 1, 3])):
                words[rng.randrange(len(words))] = rng.choice(WORDS)
            text = " ".join(words)
            text = text.upper() if rng.random() < 0.1 else text
        else:
            text = " ".join(rng.choice(WORDS) for _ in range(rng.randint(0, longest)))
        meta = {
            "source": rng.choice(sources),
            "n": [number] * rng.randint(0, 3),
            "score": rng.choice([0.5, 1.0, 7.0, -0.0, None, float(number)]),
        }
        rows.append({"id": number, "text": text, "meta": meta, "rank": rng.choice([None, 1, 1 << 60, (1 << 60) + 1, -number])})
    return rows


def _write_json(folder: Path, rows: Sequence[dict[str, Any]], rng: random.Random) -> None:
    badness = rng.choice([0.0, 0.0, 0.1, 0.5])
    oddness = rng.choice([0.0, 0.0, 0.02, 0.3])
    lines = []
    for row in rows:
        while rng.random() < badness:
            lines.append(rng.choice(BAD_LINES))
        if rng.random() < oddness:
            row = {**row, rng.choice(["id", "rank", "meta"]): rng.choice(ODD_VALUES)}
        if rng.random() < 0.1:
            row = {name: value for name, value in row.items() if name != "rank"}
        if rng.random() < 0.05:
            row = {**row, "__dj__stats__": {"text_len": 1, "mine": "kept"}, "__dj__hash": "of another run"}
        lines.append(json.dumps(row, ensure_ascii=rng.random() < 0.3, separators=rng.choice([None, (",", ":")])).encode())
    for number, share in enumerate(_shares(lines, rng)):
        feed = rng.choice([b"\n", b"\n", b"\r\n"])
        data = feed.join(share) + (feed if share and rng.random() < 0.7 else b"")
        data = rng.choice([b"", b"", b"\xef\xbb\xbf"]) + data
        suffix = rng.choice(["jsonl", "jsonl", "jsonl", "json", "jsonl.zst", "jsonl.zst", "jsonl.gz", "jsonl.bz2", "array.json"])
        if suffix == "json" and data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
            suffix = "jsonl"  # it would be read as an array
        if suffix == "array.json":
            good = [row for row in rows if rng.random() < 0.3]
            data = json.dumps(good, ensure_ascii=False, indent=rng.choice([None, 1])).encode()
        (folder / f"{number:02d}.{suffix}").write_bytes(_compressed(data, suffix, rng))


def _compressed(data: bytes, suffix: str, rng: random.Random) -> bytes:
    compress = {"zst": zstandard.ZstdCompressor(level=1).compress, "gz": gzip.compress, "bz2": bz2.compress}.get(
        suffix.rpartition(".")[2]
    )
    if compress is None:
        return data
    cuts = sorted(rng.randint(0, len(data)) for _ in range(rng.choice([0, 1, 5, 20])))
    return b"".join(compress(data[begin:end]) for begin, end in zip([0, *cuts], [*cuts, len(data)]))


def _write_parquet(folder: Path, rows: Sequence[dict[str, Any]], rng: random.Random) -> None:
    nullness = rng.choice([0.0, 0.0, 0.2])
    texts = rng.choice([pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
    meta = pa.struct([("source", pa.string()), ("n", pa.list_(pa.int64())), ("score", pa.float64())])
    fields = [("id", pa.int64()), ("text", texts), ("meta", meta), ("rank", pa.int64())]
    has_stats = rng.random() < 0.2
    if has_stats:
        fields.append(("__dj__stats__", pa.struct([("text_len", pa.int64()), ("mine", pa.string())])))
    schema = pa.schema(fields)
    for number, share in enumerate(_shares(rows, rng)):
        given = [{**row, "text": None if rng.random() < nullness else row["text"]} for row in share]
        if has_stats:
            given = [{**row, "__dj__stats__": rng.choice([None, {"mine": "kept"}, {"text_len": 1}])} for row in given]
        with pq.ParquetWriter(folder / f"{number:02d}.parquet", schema) as writer:
            at = 0
            while at < len(given):
                size = rng.choice([1, 7, 40, 1000])
                writer.write_table(pa.Table.from_pylist(given[at : at + size], schema))
                at += size


def _shares(items: Sequence[Any], rng: random.Random) -> list[Sequence[Any]]:
    """Cut into the contents of files, some of them empty."""
    cuts = sorted(rng.randint(0, len(items)) for _ in range(rng.choice([0, 0, 1, 4])))
    shares = [items[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(items)])]
    if rng.random() < 0.2:
        shares.insert(rng.randint(0, len(shares)), [])
    return shares
