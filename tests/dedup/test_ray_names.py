"""Names of Ray variants mean what the plain names mean."""

from __future__ import annotations

from typing import Any

import pytest

import djfast
from djfast.errors import RecipeError
from djfast.recipe import load_recipe

ROWS = [
    {"text": text}
    for text in ("one two three four five six", "", "One two three four five six", " ", "short", "é 漢", "é 漢", "a b c d e f")
]


@pytest.mark.parametrize(
    ("name", "plain", "shared", "own"),
    [
        ("ray_document_deduplicator", "document_deduplicator", {"lowercase": True}, {"backend": "redis", "dedup_set_num": 3}),
        ("ray_bts_minhash_deduplicator", "document_minhash_deduplicator", {}, {"union_find_parallel_num": 2, "actor_memory": 1}),
        ("ray_bts_minhash_cpp_deduplicator", "document_minhash_deduplicator", {"lowercase": False}, {"merge_batch_size": 5}),
    ],
)
def test_the_same_rows_stay(name: str, plain: str, shared: dict[str, Any], own: dict[str, Any]) -> None:
    kept = [
        djfast.Dataset.from_list(ROWS).process(djfast.load_ops([op])).to_list()
        for op in ({name: {**shared, **own}}, {plain: shared})
    ]
    assert kept[0] == kept[1]
    assert len(kept[0]) < len(ROWS)


def test_parameters_of_ray_have_no_effect_and_say_so() -> None:
    process = [
        {"ray_document_deduplicator": {"redis_address": "redis://elsewhere"}},
        "ray_bts_minhash_cpp_deduplicator",
        {"ray_repartition_pipeline": {"num_blocks": 8}},
    ]
    notices = load_recipe({"dataset_path": "in.jsonl", "export_path": "out.jsonl", "process": process}).notices
    assert "process.0: ray_document_deduplicator: redis_address has no effect: djfast has one engine and no Ray" in notices
    assert any(each.startswith("process.1: ray_bts_minhash_cpp_deduplicator: it is the same as ray_bts") for each in notices)
    assert "process.2: ray_repartition_pipeline: num_blocks has no effect: batches are sized by bytes" in notices


@pytest.mark.parametrize(
    ("op", "message"),
    [
        ({"ray_document_deduplicator": {"backend": "disk"}}, "backend must be one of ray_actor, redis, got 'disk'"),
        ({"ray_repartition_pipeline": {"shuffle": True}}, "shuffle cannot be used here: rows keep their order"),
        ({"ray_repartition_pipeline": {"num_blocks": 0}}, "num_blocks must be >= 1, got 0"),
    ],
)
def test_what_makes_no_sense_is_refused(op: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        djfast.load_ops([op])
