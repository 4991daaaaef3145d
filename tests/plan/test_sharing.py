"""Equal work is done once, and only equal work."""

from __future__ import annotations

import djfast
from djfast.plan.build import build_plan
from djfast.plan.steps import Compute, Keep


def _plan(*process: object):
    return build_plan(djfast.load_ops(process))


def _functions(plan) -> list[str]:
    return [step.fn for stage in plan.stages for step in stage.steps if isinstance(step, Compute)]


def test_words_are_split_once() -> None:
    plan = _plan(
        {"word_repetition_filter": {"rep_len": 5}},
        {"word_repetition_filter": {"rep_len": 5}},
        "stopwords_filter",
        "flagged_words_filter",
    )
    assert _functions(plan).count("words") == 1


def test_lines_are_measured_once() -> None:
    assert _functions(_plan("average_line_length_filter", "maximum_line_length_filter")).count("lines") == 1


def test_lower_case_is_shared_between_filters_and_deduplicators() -> None:
    plan = _plan("stopwords_filter", "language_id_score_filter", "document_minhash_deduplicator", "document_simhash_deduplicator")
    assert _functions(plan).count("lower") == 1


def test_words_of_the_old_and_the_new_text_are_different() -> None:
    plan = _plan("words_num_filter", "clean_email_mapper", {"text_length_filter": {}}, "words_num_filter")
    computed = [step for stage in plan.stages for step in stage.steps if isinstance(step, Compute)]
    lengths = [step for step in computed if step.fn == "text_length"]
    cleaned = next(step.slot for step in computed if step.fn == "clean_email")
    assert [step.args for step in lengths] == [(cleaned,)]


def test_a_stat_is_computed_by_its_first_op_and_the_user_is_told() -> None:
    plan = _plan({"character_repetition_filter": {"rep_len": 3}}, {"character_repetition_filter": {"rep_len": 5}})
    assert _functions(plan).count("char_ngram_repetition") == 1
    assert any("char_rep_ratio" in notice for notice in plan.notices)


def test_deduplicators_end_a_stage_and_mappers_after_them_start_the_next() -> None:
    plan = _plan("document_deduplicator", "document_simhash_deduplicator", "clean_email_mapper", "document_deduplicator")
    assert [[d.op for d in stage.dedups] for stage in plan.stages] == [[0, 1], [3]]


def test_analysis_keeps_every_row() -> None:
    plan = build_plan(djfast.load_ops(["text_length_filter"]), drops_rows=False)
    assert not any(isinstance(step, Keep) for stage in plan.stages for step in stage.steps)
