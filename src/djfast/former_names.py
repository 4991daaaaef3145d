"""Names that OPs and their parameters had in earlier releases and demos of Data-Juicer, and what stands for them today.

A name that means the same as one of today stands for it. One that no release of Data-Juicer ever read, or that only its own
engine did, has no effect.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

T = TypeVar("T")

# Former name of an OP -> its name today; here also those that djfast does not have yet.
OPS = {
    "face_area_filter": "image_face_ratio_filter",
    "most_relavant_entities_aggregator": "most_relevant_entities_aggregator",
    "video_camera_calibration_static_deepcalib_mapper": "video_camera_calibration_deepcalib_mapper",
    "video_camera_calibration_static_moge_mapper": "video_camera_calibration_moge_mapper",
    "video_camera_pose_mapper": "video_camera_pose_megasam_mapper",
}

# OPs that have no successor of the same meaning, with what comes nearest.
GONE_OPS = {
    "generate_instruction_mapper": "generate_qa_from_examples_mapper",
    "extract_qa_mapper": "generate_qa_from_text_mapper",
    "optimize_instruction_mapper": "optimize_query_mapper",
}

_RENAMED = {
    ("human_preference_annotation_mapper", "project_name"): "project_name_prefix",
    ("optimize_qa_mapper", "hf_model"): "api_or_hf_model",
    ("optimize_query_mapper", "hf_model"): "api_or_hf_model",
    ("optimize_response_mapper", "hf_model"): "api_or_hf_model",
    ("relation_identity_mapper", "input_key"): "text_key",
}

_NEVER_READ = "no release of Data-Juicer reads it"
_NO_STORE = "keys are kept by the run itself"
_WITHOUT_EFFECT = {
    ("character_repetition_filter", "repetition_ratio"): _NEVER_READ,
    ("clean_email_mapper", "max_emails"): _NEVER_READ,
    ("clean_email_mapper", "min_emails"): _NEVER_READ,
    ("clean_links_mapper", "max_links"): _NEVER_READ,
    ("clean_links_mapper", "min_links"): _NEVER_READ,
    ("extract_entity_attribute_mapper", "entity_attribute_key"): _NEVER_READ,
    ("human_preference_annotation_mapper", "result_key"): _NEVER_READ,
    ("language_id_score_filter", "max_score"): _NEVER_READ,
    ("perplexity_filter", "min_score"): _NEVER_READ,
    ("ray_bts_minhash_deduplicator", "tmp_file_name"): _NEVER_READ,
    ("ray_bts_minhash_deduplicator", "use_gpu"): "hashes are computed on the CPU",
    ("ray_document_deduplicator", "redis_host"): _NO_STORE,
    ("ray_document_deduplicator", "redis_port"): _NO_STORE,
    ("text_action_filter", "action_types"): _NEVER_READ,
    ("text_chunk_mapper", "chunk_size"): _NEVER_READ,
    ("text_entity_dependency_filter", "min_score"): _NEVER_READ,
}

# Parameters that every OP had for a while.
_NO_MEDIA = "no OP of djfast reads media yet"
_COMMON = ("audio_special_token", "eoc_special_token", "image_special_token", "video_special_token")


def todays_parameters(op: str, given: Mapping[str, T], known: Collection[str]) -> tuple[dict[str, T], dict[str, str]]:
    """Return the parameters of an OP by the names of today, and what is to be said of each former name among them.

    A name that is neither in `known` nor a former one stays as it is.
    """
    values: dict[str, T] = {}
    remarks: dict[str, str] = {}
    for name, value in given.items():
        now = _RENAMED.get((op, name))
        reason = _NO_MEDIA if name in _COMMON else _WITHOUT_EFFECT.get((op, name))
        if name in known or (now is None and reason is None):
            values[name] = value
        elif now is None or now in given:
            reason = reason or f"it is the former name of {now}, which is given too"
            remarks[name] = f"{name} has no effect: {reason}"
        else:
            values[now] = value
            remarks[name] = f"{name} is the former name of {now}"
    return values, remarks
