"""Which expressions the OPs return: what is shared, and what the parameters choose."""

import pytest

from djfast.catalog import find
from djfast.errors import RecipeError
from djfast.ops.text.cleaning import EMAIL


def stat(name, **params):
    return next(iter(find(name).cls(**params).stats().values()))


def text(name, **params):
    return str(find(name).cls(**params).assign()["text"])


def test_word_filters_share_their_words():
    words = stat("word_repetition_filter").args[0]
    assert stat("stopwords_filter").args[0] == words
    assert stat("flagged_words_filter").args[0] == words
    assert str(words) == "words(lower(text), groups=(), join='')"


def test_pieces_are_lowercased_after_splitting():
    assert str(stat("word_repetition_filter", tokenization=True, lang="zh").args[0]) == (
        "words_of_pieces(sentencepiece_pieces(text, model='zh.sp.model'), groups=(), join='', lower=True)"
    )


def test_groups_are_made_only_when_asked_for():
    assert stat("stopwords_filter", words_aug_group_sizes=[3]) == stat("stopwords_filter")
    refined = stat("stopwords_filter", use_words_aug=True, words_aug_group_sizes=[2, 3], words_aug_join_char=" ").args[0]
    assert refined.param("groups") == (2, 3)
    assert refined.param("join") == " "


def test_word_lists_are_named_and_not_held():
    assert stat("flagged_words_filter", lang="fr", flagged_words_dir="lists").param("word_list") == (
        "flagged_words", "lists", "fr",
    )  # fmt: skip


def test_alphanumeric_filter_names_its_stat_by_its_mode():
    op = find("alphanumeric_filter").cls(tokenization=True)
    assert list(op.stats()) == ["alpha_token_ratio"]
    assert "alpha_token_ratio" in str(op.keep())


@pytest.mark.parametrize("lang", ["", [], None])
def test_no_language_keeps_all(lang):
    op = find("language_id_score_filter").cls(lang=lang)
    assert op.keep().fn == "in_range"


@pytest.mark.parametrize(("lang", "values"), [("en", ("en",)), (["zh", "en"], ("en", "zh"))])
def test_given_languages_are_tested(lang, values):
    keep = find("language_id_score_filter").cls(lang=lang, reversed_range=True).keep()
    assert keep.fn == "and"
    assert keep.args[0].param("reverse") is True
    assert keep.args[1].param("values") == values


def test_reversed_ranges_turn_the_flags_round():
    keep = find("text_length_filter").cls(reversed_range=True, min_closed_interval=False).keep()
    assert keep.param("low_closed") is True
    assert keep.param("high_closed") is False


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, "clean_email(text, repl='')"),
        ({"repl": "<M>"}, "clean_email(text, repl='<M>')"),
        ({"pattern": EMAIL}, "clean_email(text, repl='')"),
        ({"pattern": "x", "repl": "y"}, "regex_replace(text, pattern='x', repl='y')"),
    ],
)
def test_native_cleaning_is_for_the_built_in_pattern(params, expected):
    assert text("clean_email_mapper", **params) == expected


def test_templates_go_to_the_engine_that_knows_them():
    expression = find("clean_links_mapper").cls(repl=r"[\g<0>]").assign()["text"]
    assert expression.fn == "regex_replace"
    assert expression.param("pattern").startswith(r"(?i)\b(")


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, "text"),
        ({"pattern": []}, "text"),
        ({"pattern": "a b#"}, "replace_literal(text, literal='a b#', repl='')"),
        ({"pattern": ""}, "regex_replace(text, pattern='', repl='')"),
        ({"pattern": "r'x'"}, "regex_replace(text, pattern=\"r'x'\", repl='')"),
        ({"pattern": "x", "repl": "\\n"}, "regex_replace(text, pattern='x', repl='\\\\n')"),
        (
            {"pattern": ["a.", "b"], "repl": ["1", "2", "3"]},
            "replace_literal(regex_replace(text, pattern='a.', repl='1'), literal='b', repl='2')",
        ),
    ],
)
def test_contents_are_replaced_natively_where_the_pattern_is_a_plain_text(params, expected):
    assert text("replace_content_mapper", **params) == expected


@pytest.mark.parametrize("metacharacter", r"\.^$*+?{}[]|()")
def test_patterns_with_a_metacharacter_go_to_the_engine(metacharacter):
    assert text("replace_content_mapper", pattern=f"a{metacharacter}").startswith("regex_replace(")


def test_every_pattern_needs_a_replacement():
    with pytest.raises(RecipeError, match=r"repl must have one entry for each of the 2 patterns, got 1"):
        find("replace_content_mapper").cls(pattern=["a", "b"], repl=["x"])


def test_comments_are_removed_in_two_steps():
    assert text("remove_comments_mapper") == "remove_comment_lines(remove_inline_comments(text))"
    assert text("remove_comments_mapper", inline=False) == "remove_comment_lines(text)"
    assert text("remove_comments_mapper", inline=False, multiline=False) == "text"


def test_unicode_is_repaired_line_by_line_in_the_form_asked_for():
    assert text("fix_unicode_mapper", normalization="nfkd") == (
        "merge_lines(text, fix_lines(text, normalization='NFKD'), "
        "ftfy_lines(hard_lines(fix_lines(text, normalization='NFKD')), normalization='NFKD'))"
    )
    assert text("fix_unicode_mapper", normalization="nfc") == text("fix_unicode_mapper", normalization="")


def test_minhash_takes_the_best_banding_unless_both_numbers_are_given():
    cls = find("document_minhash_deduplicator").cls
    assert cls().banding == (25, 10)
    assert cls(num_bands=3).banding == (25, 10)
    assert cls(num_bands=3, num_rows_per_band=4).banding == (3, 4)
    assert cls(jaccard_threshold=0.5).key().param("bands") == 42


def test_deduplicators_compare_what_their_parameters_say():
    minhash = find("document_minhash_deduplicator").cls
    assert str(minhash(ignore_pattern=r"\d").key().args[0]) == r"regex_remove(lower(text), pattern='\\d')"
    assert str(minhash(lowercase=False).key().args[0]) == "text"
    pieces = minhash(tokenization="sentencepiece", tokenizer_model="m").key()
    assert pieces.fn == "minhash_bands_of_tokens"
    assert str(pieces.args[0]) == "sentencepiece_pieces(lower(text), model='m')"


def test_short_texts_are_kept_only_on_request():
    simhash = find("document_simhash_deduplicator").cls
    assert simhash().key().param("short_texts") == "merge"
    assert simhash(short_texts="keep").key().param("short_texts") == "keep"
    assert simhash(short_texts="exact").key().param("short_texts") == "exact"
    assert find("document_minhash_deduplicator").cls().key().param("short_texts") == "merge"
