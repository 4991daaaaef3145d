"""Which module declares which OP: names are listed without importing any of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from djfast.declare import MAX_FUSED_DEPTH, REGISTRY, Fused, Op, OpSpec
from djfast.errors import RecipeError

_LONGEST_SHOWN = 200  # characters of a value in a message

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


def names() -> tuple[str, ...]:
    """Names of all OPs, in alphabetical order."""
    return tuple(sorted({*OPS, *REGISTRY, *_entry_points()}))


def find(name: str) -> OpSpec:
    """Return what is known about an OP; imports its module if need be.

    Raises
    ------
    RecipeError
        If there is no such OP; the message tells a misspelt name from an OP of Data-Juicer that is missing here.
    """
    if name not in REGISTRY:
        if name in OPS:
            import_module(OPS[name])
        elif name in (others := _entry_points()):
            others[name].load()
    if name in REGISTRY:
        return REGISTRY[name]
    raise RecipeError(_no_such_op(name))


def all_specs() -> tuple[OpSpec, ...]:
    """Return what is known about every OP, in alphabetical order; imports all modules."""
    return tuple(find(name) for name in names())


def load_ops(*process: Any) -> list[Op]:
    """Make the OPs of a list as recipes have it: `[{"text_length_filter": {"min_len": 5}}, "clean_email_mapper"]`.

    Parameters
    ----------
    *process
        Each a name, a mapping of names to parameters (several are OPs in their order), a function that was decorated with
        `djfast.mapper` or `djfast.filter`, an OP, or a list of these.

    Raises
    ------
    RecipeError
        For the first unknown OP or parameter or wrong value, those that fused OPs list included.
    """
    ops = [op for item in process for op in _listed(item)]
    flattened(ops)
    return ops


def _listed(item: Any) -> list[Op]:
    """Return the OPs that a user named in one of several ways."""
    if isinstance(item, Op):
        return [item]
    if isinstance(item, str):
        return [_made(item)]
    if isinstance(item, Mapping):
        if not item:
            raise RecipeError(_not_an_op(item))
        return [_made({name: given}) for name, given in item.items()]
    if isinstance(item, type) and issubclass(item, Op) and hasattr(item, "spec"):
        return [item()]
    if callable(item):
        return [_made(_name_of(item))]
    if isinstance(item, Iterable) and not isinstance(item, bytes):
        return [op for each in item for op in _listed(each)]
    raise RecipeError(_not_an_op(item))


def _not_an_op(item: Any) -> str:
    """Message for what is no OP."""
    shown = repr(item)
    return (
        "an OP is given as its name, as a mapping of its name to its parameters, as a decorated function or as an object of its "
        f"class, got {shown if len(shown) <= _LONGEST_SHOWN else shown[:_LONGEST_SHOWN] + '...'}"
    )


def _name_of(function: Any) -> str:
    """Return the OP that a decorated function is."""
    from djfast.functions.custom import CUSTOM

    for name, known in CUSTOM.items():
        if known is function:
            return name
    shown = getattr(function, "__name__", repr(function))
    raise RecipeError(
        "a function is an OP if it is decorated with @djfast.mapper or @djfast.filter; Dataset.map and Dataset.filter take plain "
        f"functions, got {shown}"
    )


def flattened(ops: Iterable[Op], depth: int = 0) -> list[Op]:
    """Return OPs with those that fused ones list in their place.

    Raises
    ------
    RecipeError
        As `load_ops` does, and for fused OPs that are nested too deep.
    """
    flat: list[Op] = []
    for op in ops:
        if not isinstance(op, Fused):
            flat.append(op)
        elif depth == MAX_FUSED_DEPTH:
            raise RecipeError(fused_too_deep(op.spec))
        else:
            members = [_made(item) for name in op.member_lists for item in getattr(op, name) or ()]
            flat += flattened(members, depth + 1)
    return flat


def no_such_parameter(spec: OpSpec, given: str) -> str:
    """Message for a parameter that the OP does not have."""
    from djfast.spelling import did_you_mean

    known = [param.name for param in spec.params]
    return f"{spec.name}: no such parameter{did_you_mean(given, known)}, got {given!r}"


def fused_too_deep(spec: OpSpec) -> str:
    """Message for fused OPs that are nested without end."""
    return f"{spec.name}: fused OPs must not be nested deeper than {MAX_FUSED_DEPTH} levels"


def _made(item: str | Mapping[str, Mapping[str, Any] | None]) -> Op:
    if isinstance(item, str):
        return find(item).cls()
    if not isinstance(item, Mapping) or len(item) != 1:
        raise RecipeError(_not_an_op(item))
    [(name, given)] = item.items()
    if not isinstance(name, str) or not isinstance(given, Mapping | None):
        raise RecipeError(f"{name}: parameters must be a mapping or null, got {given!r}")
    spec = find(name)
    for parameter in given or {}:
        if not isinstance(parameter, str):
            raise RecipeError(f"{name}: parameters must have names, got {parameter!r}")
        if parameter not in {param.name for param in spec.params} and not spec.cls.takes_others:
            raise RecipeError(no_such_parameter(spec, str(parameter)))
    return spec.cls(**(given or {}))


@cache
def _entry_points() -> dict[str, Any]:
    """OPs of other packages, by name: what each calls `djfast.ops` in its metadata. Those of djfast itself come first."""
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group="djfast.ops") if entry.name not in OPS}


def _no_such_op(name: str) -> str:
    from djfast.peer_names import NEVER_HERE, PEER_NAMES
    from djfast.spelling import did_you_mean

    if name in NEVER_HERE:
        return f"{name} is an OP of Data-Juicer that djfast will not have: {NEVER_HERE[name]}"
    if name in PEER_NAMES:
        twin = name.removeprefix("ray_")
        hint = f"; {twin} does the same here" if twin != name and twin in OPS else ""
        return f"{name} is an OP of Data-Juicer that djfast does not have yet{hint}"
    return f"no such OP{did_you_mean(name, {*names(), *PEER_NAMES})}, got {name!r}"
