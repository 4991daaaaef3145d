"""Record cases.jsonl: what Data-Juicer answers to inputs of our own making.

    PEER/bin/python tests/golden/record.py > tests/golden/cases.jsonl

PEER is an environment with py-data-juicer==1.6.1 and aiohttp. Needs no network and no model. One line a case: ``op``,
``params``, ``inputs`` (name of a list below), and ``stats`` and ``kept`` ids, or ``outputs`` (texts), as Data-Juicer gives them.
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
        for kind, cases in (("filter", FILTERS), ("mapper", MAPPERS), ("deduplicator", DEDUPLICATORS)):
            for number, (name, params) in enumerate(cases):
                inputs = "duplicates" if kind == "deduplicator" else "texts"
                rows = [{"id": i, "text": text} for i, text in enumerate(INPUTS[inputs])]
                [op] = load_ops([{name: dict(params)}])
                done = NestedDataset.from_list(rows).process(op).to_list()
                case: dict[str, Any] = {"id": f"{name}-{number}", "op": name, "params": params, "inputs": inputs}
                if kind == "mapper":
                    case["outputs"] = [row["text"] for row in done]
                else:
                    case["kept"] = [row["id"] for row in done]
                if kind == "filter":
                    case["stats"] = [stats_of(op, row) for row in rows]
                print(json.dumps(case, ensure_ascii=False))


def stats_of(op: Any, row: dict[str, Any]) -> dict[str, Any]:
    """Stats of one row, from the OP's own method: the pipeline rounds them."""
    key = "__dj__stats__"
    if op.is_batched_op():
        batch = {**{k: [v] for k, v in row.items()}, key: [{}]}
        return dict(op.compute_stats_batched(batch)[key][0])
    return dict(op.compute_stats_single({**row, key: {}})[key])


if __name__ == "__main__":
    sys.exit(main())
