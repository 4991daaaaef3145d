"""Declarations of all OPs, by modality and topic, and which module declares which OP.

The classes are public: ``djfast.ops.TextLengthFilter(min_len=5)``. A module is imported when one of its classes is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_AGENTS = "djfast.ops.dialogs.agents"
_AGGREGATION = "djfast.ops.language_models.aggregation"
_AUGMENTATION = "djfast.ops.text.augmentation"
_CALIBRATION = "djfast.ops.language_models.calibration"
_CAUSAL_MODELS = "djfast.ops.text.causal_models"
_CLEANING = "djfast.ops.text.cleaning"
_DIALOG_TURNS = "djfast.ops.language_models.dialogs"
_DOCUMENT = "djfast.ops.dedup.document"
_EXTRACTION = "djfast.ops.language_models.extraction"
_FIELDS = "djfast.ops.selectors.fields"
_FIELD_FILTERS = "djfast.ops.fields"
_FILES = "djfast.ops.files"
_FUSED = "djfast.ops.fused"
_GENERATION = "djfast.ops.language_models.generation"
_GROUPERS = "djfast.ops.groupers"
_JUDGING = "djfast.ops.language_models.judging"
_LATEX = "djfast.ops.text.latex"
_LENGTHS = "djfast.ops.text.lengths"
_PAPERS = "djfast.ops.text.papers"
_PROMPTED_TEXTS = "djfast.ops.text.prompted_texts"
_QUERIES = "djfast.ops.text.queries"
_RAY = "djfast.ops.dedup.ray"
_REMOVING = "djfast.ops.text.removing"
_REWRITING = "djfast.ops.language_models.rewriting"
_SCORING = "djfast.ops.language_models.scoring"
_SIMILARITY = "djfast.ops.text.similarity"
_SYNTAX = "djfast.ops.text.syntax"
_USER_CODE = "djfast.ops.user_code"

OPS: dict[str, str] = {
    "agent_bad_case_signal_mapper": _AGENTS,
    "agent_dialog_normalize_mapper": _AGENTS,
    "agent_insight_llm_mapper": _JUDGING,
    "agent_skill_insight_mapper": _JUDGING,
    "agent_tool_relevance_mapper": _JUDGING,
    "agent_tool_type_mapper": _AGENTS,
    "agent_trace_coherence_mapper": _JUDGING,
    "alphanumeric_filter": "djfast.ops.text.characters",
    "average_line_length_filter": _LENGTHS,
    "calibrate_qa_mapper": _CALIBRATION,
    "calibrate_query_mapper": _CALIBRATION,
    "calibrate_response_mapper": _CALIBRATION,
    "character_repetition_filter": "djfast.ops.text.repetition",
    "chinese_convert_mapper": "djfast.ops.text.chinese",
    "clean_copyright_mapper": _CLEANING,
    "clean_email_mapper": _CLEANING,
    "clean_html_mapper": _CLEANING,
    "clean_ip_mapper": _CLEANING,
    "clean_links_mapper": _CLEANING,
    "dialog_clarification_quality_mapper": _JUDGING,
    "dialog_coreference_mapper": _JUDGING,
    "dialog_error_recovery_mapper": _JUDGING,
    "dialog_intent_detection_mapper": _DIALOG_TURNS,
    "dialog_memory_consistency_mapper": _JUDGING,
    "dialog_non_repetition_mapper": _JUDGING,
    "dialog_proactivity_mapper": _JUDGING,
    "dialog_sentiment_detection_mapper": _DIALOG_TURNS,
    "dialog_sentiment_intensity_mapper": _DIALOG_TURNS,
    "dialog_topic_detection_mapper": _DIALOG_TURNS,
    "dialog_topic_shift_mapper": _JUDGING,
    "document_deduplicator": _DOCUMENT,
    "document_line_deduplicator": "djfast.ops.dedup.lines",
    "document_minhash_deduplicator": _DOCUMENT,
    "document_minhash_deduplicator_with_uid": _DOCUMENT,
    "document_simhash_deduplicator": _DOCUMENT,
    "download_file_mapper": _FILES,
    "entity_attribute_aggregator": _AGGREGATION,
    "expand_macro_mapper": _LATEX,
    "extract_entity_attribute_mapper": _EXTRACTION,
    "extract_entity_relation_mapper": _EXTRACTION,
    "extract_event_mapper": _EXTRACTION,
    "extract_keyword_mapper": _EXTRACTION,
    "extract_nickname_mapper": _EXTRACTION,
    "extract_support_text_mapper": _EXTRACTION,
    "extract_tables_from_html_mapper": "djfast.ops.text.html",
    "fix_unicode_mapper": _CLEANING,
    "flagged_words_filter": "djfast.ops.text.word_lists",
    "frequency_specified_field_selector": _FIELDS,
    "fused_sequential_batch_op": _FUSED,
    "general_field_filter": _FIELD_FILTERS,
    "general_fused_op": _FUSED,
    "generate_qa_from_examples_mapper": _GENERATION,
    "generate_qa_from_text_mapper": _GENERATION,
    "human_preference_annotation_mapper": "djfast.ops.annotation",
    "in_context_influence_filter": _CAUSAL_MODELS,
    "instruction_following_difficulty_filter": _CAUSAL_MODELS,
    "key_value_grouper": _GROUPERS,
    "language_id_score_filter": "djfast.ops.text.language",
    "latex_figure_context_extractor_mapper": _PAPERS,
    "latex_merge_tex_mapper": _PAPERS,
    "llm_analysis_filter": _SCORING,
    "llm_condition_filter": _SCORING,
    "llm_difficulty_score_filter": _SCORING,
    "llm_extract_mapper": _EXTRACTION,
    "llm_perplexity_filter": _CAUSAL_MODELS,
    "llm_quality_score_filter": _SCORING,
    "llm_ray_vllm_engine_pipeline": _GENERATION,
    "llm_task_relevance_filter": _SCORING,
    "maximum_line_length_filter": _LENGTHS,
    "meta_tags_aggregator": _AGGREGATION,
    "most_relevant_entities_aggregator": _AGGREGATION,
    "naive_grouper": _GROUPERS,
    "naive_reverse_grouper": _GROUPERS,
    "nested_aggregator": _AGGREGATION,
    "nlpaug_en_mapper": _AUGMENTATION,
    "nlpcda_zh_mapper": _AUGMENTATION,
    "optimize_prompt_mapper": _REWRITING,
    "optimize_qa_mapper": _REWRITING,
    "optimize_query_mapper": _REWRITING,
    "optimize_response_mapper": _REWRITING,
    "pair_preference_mapper": _REWRITING,
    "perplexity_filter": "djfast.ops.text.language",
    "pii_llm_suspect_mapper": _JUDGING,
    "pii_redaction_mapper": "djfast.ops.text.privacy",
    "punctuation_normalization_mapper": _CLEANING,
    "python_file_mapper": _USER_CODE,
    "python_lambda_mapper": _USER_CODE,
    "query_intent_detection_mapper": _QUERIES,
    "query_sentiment_detection_mapper": _QUERIES,
    "query_topic_detection_mapper": _QUERIES,
    "random_selector": "djfast.ops.selectors.random",
    "range_specified_field_selector": _FIELDS,
    "ray_bts_minhash_cpp_deduplicator": _RAY,
    "ray_bts_minhash_deduplicator": _RAY,
    "ray_bts_minhash_deduplicator_with_uid": _RAY,
    "ray_document_deduplicator": _RAY,
    "ray_repartition_pipeline": "djfast.ops.repartition",
    "relation_identity_mapper": _EXTRACTION,
    "remove_bibliography_mapper": _LATEX,
    "remove_comments_mapper": _LATEX,
    "remove_header_mapper": _LATEX,
    "remove_long_words_mapper": _REMOVING,
    "remove_non_chinese_character_mapper": _REMOVING,
    "remove_repeat_sentences_mapper": _REMOVING,
    "remove_specific_chars_mapper": _REMOVING,
    "remove_table_text_mapper": _REMOVING,
    "remove_words_with_incorrect_substrings_mapper": _REMOVING,
    "replace_content_mapper": _CLEANING,
    "s3_download_file_mapper": _FILES,
    "s3_upload_file_mapper": _FILES,
    "sentence_augmentation_mapper": _PROMPTED_TEXTS,
    "sentence_split_mapper": "djfast.ops.text.sentences",
    "special_characters_filter": "djfast.ops.text.characters",
    "specified_field_filter": _FIELD_FILTERS,
    "specified_numeric_field_filter": _FIELD_FILTERS,
    "stopwords_filter": "djfast.ops.text.word_lists",
    "suffix_filter": _FIELD_FILTERS,
    "tags_specified_field_selector": _FIELDS,
    "text_action_filter": _SYNTAX,
    "text_chunk_mapper": "djfast.ops.text.chunking",
    "text_embd_similarity_filter": _SIMILARITY,
    "text_entity_dependency_filter": _SYNTAX,
    "text_length_filter": _LENGTHS,
    "text_pair_similarity_filter": _SIMILARITY,
    "text_tagging_by_prompt_mapper": _PROMPTED_TEXTS,
    "token_num_filter": _LENGTHS,
    "tool_success_tagger_mapper": _AGENTS,
    "topk_specified_field_selector": _FIELDS,
    "usage_counter_mapper": "djfast.ops.dialogs.usage",
    "whitespace_normalization_mapper": _CLEANING,
    "word_repetition_filter": "djfast.ops.text.repetition",
    "words_num_filter": _LENGTHS,
}

_HOMES = {name.replace("_", ""): module for name, module in OPS.items()}  # class in lower case -> module


def __getattr__(name: str) -> Any:
    """Import the module of an OP's class at its first use."""
    if name.lower() in _HOMES and hasattr(module := import_module(_HOMES[name.lower()]), name):
        return getattr(module, name)
    if name.startswith("_") or not name[:1].isupper():
        raise AttributeError(f"module 'djfast.ops' has no attribute {name!r}")
    from djfast.spelling import did_you_mean

    raise AttributeError(f"no OP has a class of this name{did_you_mean(name, class_names())}, got {name!r}")


def __dir__() -> list[str]:
    """List the classes of OPs; imports all modules."""
    return sorted([*globals(), *class_names()])


def class_names() -> list[str]:
    """Names of the classes of all OPs, in the order of the OPs; imports all modules."""
    return [
        next(attribute for attribute in vars(import_module(module)) if attribute.lower() == name.replace("_", ""))
        for name, module in OPS.items()
    ]
