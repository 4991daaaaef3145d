"""The same input and recipe give the same bytes, for any number of threads and any batch size."""

from __future__ import annotations

import json
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import djfast
from djfast.errors import SchemaError, TooManyErrors

WORDS = [
    "data",
    "Model",
    "the",
    "of",
    "training",
    "a@b.org",
    "https://x.org/y",
    "“quoted”",
    "数据",
    "，",
    "x" * 12,
    "Ärger",
    "12",
    "10.0.0.1",
    "<b>",
    "\\def\\x{of}\n",
    "\\x",
    "%",
    "\\section{data}",
    "end.",
    "\t",
    "\n",
]
TEXT = st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)
ROW = st.one_of(
    st.fixed_dictionaries({"text": TEXT, "meta": st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)}),
    st.sampled_from([{"text": None}, {"text": 1}, {}]),
)
OPS = st.sampled_from(
    [
        {"clean_email_mapper": {}},
        {"clean_links_mapper": {"repl": "<L>"}},
        {"clean_ip_mapper": {"repl": "<I>"}},
        {"clean_copyright_mapper": {}},
        {"clean_html_mapper": {}},
        {"replace_content_mapper": {"pattern": ["the", r"\d"], "repl": ["", "#"]}},
        {"expand_macro_mapper": {}},
        {"remove_bibliography_mapper": {}},
        {"remove_comments_mapper": {}},
        {"remove_header_mapper": {"drop_no_head": False}},
        {"chinese_convert_mapper": {}} if find_spec("opencc") else {"clean_links_mapper": {}},
        {"sentence_split_mapper": {}},
        {"fix_unicode_mapper": {}},
        {"punctuation_normalization_mapper": {}},
        {"whitespace_normalization_mapper": {}},
        {"remove_long_words_mapper": {"max_len": 11}},
        {"remove_non_chinese_character_mapper": {"keep_number": False}},
        {"remove_repeat_sentences_mapper": {"lowercase": True}},
        {"remove_specific_chars_mapper": {"chars_to_remove": "a，"}},
        {"remove_table_text_mapper": {}},
        {"remove_words_with_incorrect_substrings_mapper": {}},
        {"text_length_filter": {"min_len": 5}},
        {"words_num_filter": {"min_num": 2}},
        {"character_repetition_filter": {"rep_len": 3, "max_ratio": 0.6}},
        {"word_repetition_filter": {"rep_len": 2, "max_ratio": 0.7}},
        {"special_characters_filter": {"max_ratio": 0.5}},
        {"average_line_length_filter": {"min_len": 2}},
        {"document_deduplicator": {"lowercase": True}},
        {"document_line_deduplicator": {"frequency_threshold": 1, "min_line_length": 0, "skip_brackets": False}},
        {"python_lambda_mapper": {"lambda_str": "lambda row: {'text': row['text'][1:], 'first': row['text'][0]}"}},
        {"key_value_grouper": {"group_by_keys": ["meta"]}},
        {"naive_reverse_grouper": {}},
        {"document_minhash_deduplicator": {"window_size": 2, "num_permutations": 32}},
        {"document_minhash_deduplicator": {"window_size": 2, "num_permutations": 32, "hash": "fast"}},
        {"document_simhash_deduplicator": {"window_size": 2}},
        {"topk_specified_field_selector": {"field_key": "text", "top_ratio": 0.8}},
        {"topk_specified_field_selector": {"field_key": "__dj__stats__.text_len", "top_ratio": 0.8, "reverse": False}},
        {"range_specified_field_selector": {"field_key": "meta.0", "lower_rank": 1, "upper_percentile": 0.9}},
        {"frequency_specified_field_selector": {"field_key": "text", "topk": 20}},
        {"tags_specified_field_selector": {"field_key": "text", "target_tags": ["data", ""]}},
        {"general_field_filter": {"filter_condition": "'a' in text or meta.x > 1 or not meta"}},
        {"specified_field_filter": {"field_key": "meta.0", "target_value": [0, None]}},
        {"specified_numeric_field_filter": {"field_key": "meta.0", "min_value": -5}},
        {"text_chunk_mapper": {"max_len": 20, "overlap_len": 3, "split_pattern": " "}},
        {"extract_tables_from_html_mapper": {}},
        {"pii_redaction_mapper": {}},
        {"random_selector": {"select_ratio": 0.7}},
        {"random_selector": {"select_num": 40}},
    ]
)


def _outcome(lines: bytes, process: list[Any], **keys: Any) -> tuple[bytes, bytes, bytes, Any]:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.jsonl", Path(folder) / "out.jsonl"
        source.write_bytes(lines)
        try:
            report = djfast.run({"dataset_path": str(source), "export_path": str(target), "process": process, **keys})
        except SchemaError as error:  # a selector by a field that no row has
            return b"", b"", b"", str(error)
        except TooManyErrors as error:  # no row is left, and some were rejected
            return b"", b"", b"", str(error).replace(folder, "")
        files = [target, target.with_name("out_stats.jsonl"), target.with_name("out.rejected.jsonl")]
        contents = [path.read_bytes().replace(folder.encode(), b"") if path.exists() else b"" for path in files]
        return (*contents, [op[:4] for op in report.ops])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROW, max_size=60), st.lists(OPS, max_size=5), st.booleans())
def test_threads_and_batches_do_not_matter(rows: list[Any], process: list[Any], keeps: bool) -> None:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in [*rows, *rows[:5]]).encode()
    keys = {"keep_stats_in_res_ds": keeps, "keep_hashes_in_res_ds": keeps}
    whole = _outcome(lines, process, np=1, batch_bytes=1 << 20, **keys)
    assert _outcome(lines, process, np=1, batch_bytes=4096, **keys) == whole
    assert _outcome(lines, process, np=2, batch_bytes=4096, **keys) == whole
    assert _outcome(lines, process, np=5, batch_bytes=5000, **keys) == whole
