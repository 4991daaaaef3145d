"""Record cases.jsonl: what Data-Juicer answers to inputs of our own making.

    PEER/bin/python tests/golden/record.py > tests/golden/cases.jsonl

PEER is an environment with py-data-juicer==1.6.1 and aiohttp. Needs no network and no model. One line a case: ``op``,
``params``, ``inputs`` (name of a list in inputs.json), and ``stats`` and ``kept`` ids, or ``outputs`` (texts), as Data-Juicer
gives them.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

INPUTS = json.loads((Path(__file__).parent / "inputs.json").read_text(encoding="utf-8"))

FILTERS: list[tuple[str, dict[str, Any]]] = [
    ("alphanumeric_filter", {}),
    ("alphanumeric_filter", {"min_ratio": 0.6, "max_ratio": 0.9, "reversed_range": True}),
    ("average_line_length_filter", {"min_len": 12, "max_len": 60}),
    ("maximum_line_length_filter", {"min_len": 12, "max_len": 80, "max_closed_interval": False}),
    ("text_length_filter", {"min_len": 20, "max_len": 200}),
    ("words_num_filter", {"min_num": 4, "max_num": 60}),
    ("special_characters_filter", {"min_ratio": 0.1, "max_ratio": 0.4}),
    ("character_repetition_filter", {"rep_len": 4, "max_ratio": 0.3}),
    ("character_repetition_filter", {}),
    ("word_repetition_filter", {"rep_len": 2, "max_ratio": 0.2}),
    ("stopwords_filter", {"min_ratio": 0.1}),
    ("stopwords_filter", {"lang": "all", "min_ratio": 0.1, "use_words_aug": True, "words_aug_join_char": " "}),
    ("flagged_words_filter", {"max_ratio": 0.05}),
]
MAPPERS: list[tuple[str, dict[str, Any]]] = [
    ("clean_email_mapper", {}),
    ("clean_email_mapper", {"repl": "<E>"}),
    ("clean_links_mapper", {}),
    ("clean_links_mapper", {"pattern": "[a-z]+\\.example", "repl": "[\\g<0>]"}),
    ("fix_unicode_mapper", {}),
    ("fix_unicode_mapper", {"normalization": "NFKC"}),
    ("punctuation_normalization_mapper", {}),
    ("whitespace_normalization_mapper", {}),
    ("remove_long_words_mapper", {}),
    ("remove_long_words_mapper", {"min_len": 2, "max_len": 6}),
    ("remove_non_chinese_character_mapper", {}),
    ("remove_non_chinese_character_mapper", {"keep_alphabet": False, "keep_punc": False}),
    ("remove_repeat_sentences_mapper", {}),
    ("remove_repeat_sentences_mapper", {"lowercase": True, "ignore_special_character": False}),
    ("remove_repeat_sentences_mapper", {"min_repeat_sentence_length": 0}),
    ("remove_specific_chars_mapper", {}),
    ("remove_specific_chars_mapper", {"chars_to_remove": ["a-c", "]", "^", "文"]}),
    ("remove_table_text_mapper", {}),
    ("remove_table_text_mapper", {"min_col": 3, "max_col": 4}),
    ("remove_words_with_incorrect_substrings_mapper", {}),
    ("remove_words_with_incorrect_substrings_mapper", {"substrings": ["or", "。", "!"]}),
]
SOURCE_MAPPERS: list[tuple[str, dict[str, Any]]] = [
    ("clean_copyright_mapper", {}),
    ("clean_ip_mapper", {}),
    ("clean_ip_mapper", {"repl": "[\\g<0>]"}),
    ("expand_macro_mapper", {}),
    ("remove_bibliography_mapper", {}),
    ("remove_comments_mapper", {}),
    ("remove_comments_mapper", {"inline": False}),
    ("remove_comments_mapper", {"multiline": False}),
    ("remove_header_mapper", {}),
    ("remove_header_mapper", {"drop_no_head": False}),
    ("replace_content_mapper", {"pattern": "the", "repl": "THE"}),
    ("replace_content_mapper", {"pattern": ["\\\\[a-z]+", "r'#'", "x"], "repl": ["<\\g<0>>", "", "y", "z"]}),
    ("replace_content_mapper", {"pattern": "", "repl": "|"}),
]
DEDUPLICATORS: list[tuple[str, dict[str, Any]]] = [
    ("document_deduplicator", {}),
    ("document_deduplicator", {"lowercase": True, "ignore_non_character": True}),
    ("document_minhash_deduplicator", {"window_size": 3}),
    ("document_minhash_deduplicator", {"tokenization": "character", "jaccard_threshold": 0.5}),
    ("document_minhash_deduplicator", {"tokenization": "punctuation", "window_size": 1, "num_permutations": 64}),
    ("document_simhash_deduplicator", {"window_size": 3}),
    ("document_simhash_deduplicator", {"tokenization": "character", "hamming_distance": 5, "num_blocks": 8}),
]
SELECTORS: list[tuple[str, dict[str, Any]]] = [
    ("topk_specified_field_selector", {"field_key": "word", "topk": 7}),
    ("topk_specified_field_selector", {"field_key": "word", "top_ratio": 0.4, "reverse": False}),
    ("topk_specified_field_selector", {"field_key": "number", "top_ratio": 0.7, "topk": 9}),
    ("topk_specified_field_selector", {"field_key": "meta.number", "top_ratio": 1.0}),
    ("topk_specified_field_selector", {"field_key": "meta.number", "top_ratio": 1.0, "reverse": False}),
    ("topk_specified_field_selector", {"field_key": "meta.spelled", "topk": 5}),
    ("topk_specified_field_selector", {"field_key": "meta.spelled", "topk": 8, "reverse": False}),
    ("topk_specified_field_selector", {"field_key": "meta.list", "topk": 8, "reverse": False}),
    ("topk_specified_field_selector", {"field_key": "number"}),
    ("range_specified_field_selector", {"field_key": "number", "lower_percentile": 0.2, "upper_percentile": 0.7}),
    ("range_specified_field_selector", {"field_key": "meta.number", "lower_rank": 1, "upper_rank": 100}),
    ("range_specified_field_selector", {"field_key": "meta.spelled", "lower_percentile": 0.0, "upper_rank": 6}),
    ("range_specified_field_selector", {"field_key": "word", "lower_rank": 9, "upper_rank": 3}),
    ("range_specified_field_selector", {"field_key": "number", "upper_rank": 3}),
    ("frequency_specified_field_selector", {"field_key": "word", "topk": 3}),
    ("frequency_specified_field_selector", {"field_key": "meta.number", "top_ratio": 0.5, "reverse": False}),
    ("frequency_specified_field_selector", {"field_key": "meta.word", "top_ratio": 0.9, "topk": 2}),
    ("frequency_specified_field_selector", {"field_key": "word", "top_ratio": 0.01}),
    ("random_selector", {"select_ratio": 0.5}),
    ("random_selector", {"select_num": 5, "select_ratio": 0.9}),
    ("random_selector", {"select_num": 40}),
    ("random_selector", {"select_ratio": 0.01}),
    ("tags_specified_field_selector", {"field_key": "word", "target_tags": ["pear", ""]}),
    ("tags_specified_field_selector", {"field_key": "meta.number", "target_tags": [7, 2.5]}),
]
WORDS = {
    "stopwords.json": {"en": ["the", "a", "of", "and", "is"], "de": ["der", "und"]},
    "flagged_words.json": {"en": ["gadzooks", "fiddlesticks"], "zh": ["坏词"]},
}


def main() -> None:
    """Run every case and print it."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATA_JUICER_ASSETS_CACHE"] = folder
        for name, words in WORDS.items():
            (Path(folder) / name).write_text(json.dumps(words), encoding="utf-8")
        logging.disable(logging.CRITICAL)
        from data_juicer.core.data import NestedDataset
        from data_juicer.ops import load_ops
        from loguru import logger

        logger.remove()
        kinds = {"filter": FILTERS, "mapper": MAPPERS, "deduplicator": DEDUPLICATORS, "selector": SELECTORS}
        kinds["source mapper"] = SOURCE_MAPPERS
        for kind, cases in kinds.items():
            for number, (name, params) in enumerate(cases):
                lists = {"deduplicator": "duplicates", "selector": "records", "source mapper": "sources"}
                inputs = lists.get(kind, "texts")
                rows = rows_of(INPUTS[inputs])
                [op] = load_ops([{name: dict(params)}])
                done = NestedDataset.from_list(rows).process(op).to_list()
                case: dict[str, Any] = {"id": f"{name}-{number}", "op": name, "params": params, "inputs": inputs}
                if kind in ("mapper", "source mapper"):
                    case["outputs"] = [row["text"] for row in done]
                else:
                    case["kept"] = [row["id"] for row in done]
                if kind == "filter":
                    case["stats"] = [stats_of(op, row) for row in rows]
                print(json.dumps(case, ensure_ascii=False))


def rows_of(inputs: list[Any]) -> list[dict[str, Any]]:
    """Return the rows of a list of strings or records."""
    return [{"id": i, **(entry if isinstance(entry, dict) else {"text": entry})} for i, entry in enumerate(inputs)]


def stats_of(op: Any, row: dict[str, Any]) -> dict[str, Any]:
    """Stats of one row, from the OP's own method: the pipeline rounds them."""
    key = "__dj__stats__"
    if op.is_batched_op():
        batch = {**{k: [v] for k, v in row.items()}, key: [{}]}
        return dict(op.compute_stats_batched(batch)[key][0])
    return dict(op.compute_stats_single({**row, key: {}})[key])


if __name__ == "__main__":
    sys.exit(main())
