import random

import pytest

from djfast.catalog import find
from djfast.catalog import names as op_names
from djfast.errors import RecipeError
from djfast.spelling import did_you_mean, nearest


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("text_lenght_filter", "text_length_filter"),
        ("fix_unicode", "fix_unicode_mapper"),
        ("perplexity", "perplexity_filter"),
        ("document_dedup", "document_deduplicator"),
        ("word_num_filter", "words_num_filter"),
    ],
)
def test_the_op_that_was_meant_is_found(given, meant):
    assert nearest(given, op_names()) == meant


def test_the_order_of_the_names_is_no_matter():
    names = ["aab", "aba", "baa", "abb"]
    for _ in range(10):
        random.shuffle(names)
        assert nearest("aa", names) == nearest("aa", sorted(names))


def test_a_part_of_a_name_finds_the_first_with_it():
    assert did_you_mean("minhash", op_names()) == " (did you mean 'document_minhash_deduplicator'?)"


def test_names_too_far_away_are_not_suggested():
    assert did_you_mean("zebra", ["min_len", "max_len"]) == ""
    assert did_you_mean("min_lenght", ["min_len", "max_len"]) == " (did you mean 'min_len'?)"
    assert did_you_mean("x", []) == ""


def test_no_op_is_suggested_that_is_not_there():
    with pytest.raises(RecipeError, match="clean_html_mapper"):  # not mllm_mapper, which only Data-Juicer has
        find("html_mapper")
