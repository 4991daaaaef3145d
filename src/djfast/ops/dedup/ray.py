"""Deduplicators under the names of their Ray variants: there is one engine, so they mean the same and keep the first row."""

from __future__ import annotations

from djfast.declare import DuplicateRule, param
from djfast.expr import Expr
from djfast.ops.dedup.document import (
    DocumentDeduplicator,
    DocumentMinhashDeduplicator,
    DocumentMinhashDeduplicatorWithUid,
    numbered,
)

_ONE_ENGINE = "djfast has one engine and no Ray"
_EXACT = "the groups of duplicates are found at once, when all keys are known"


class RayDocumentDeduplicator(DocumentDeduplicator, name="ray_document_deduplicator"):
    """Removes exact duplicates, as document_deduplicator does.

    All empty texts are equal. A row without a text is rejected, as by every OP; on Ray all such rows count as one text. The
    column `__dj__is_unique` of the Ray variant is not written, since it would be true in every row that stays. The row that
    stays is always the first.
    """

    backend: str = param("Where the hashes are held.", default="ray_actor", choices=("ray_actor", "redis"), no_effect=_ONE_ENGINE)
    redis_address: str = param("Address of a Redis server.", default="redis://localhost:6379", no_effect=_ONE_ENGINE)
    dedup_set_num: int | str = param("Sets of hashes.", default="auto", no_effect=_ONE_ENGINE)


class RayMinhashDeduplicator(DocumentMinhashDeduplicator):
    """What the Ray variants of MinHash have in common: parameters of a distributed search that has no counterpart here."""

    union_find_parallel_num: int | str | None = param("Workers of the search.", default="auto", no_effect=_EXACT)
    union_threshold: int | None = param("Pairs that are merged at once.", default=256, no_effect=_EXACT)
    max_pending_edge_buffer_task: int | None = param("Tasks that wait.", default=20, no_effect=_EXACT)
    num_edge_buffer_task_returns: int | None = param("Tasks to wait for.", default=10, no_effect=_EXACT)
    max_pending_filter_tasks: int | None = param("Tasks that wait.", default=20, no_effect=_EXACT)
    num_filter_task_returns: int | None = param("Tasks to wait for.", default=10, no_effect=_EXACT)
    merge_batch_size: int | None = param("Rows that are merged at once.", default=1000, no_effect=_EXACT)


class RayBtsMinhashDeduplicator(RayMinhashDeduplicator, name="ray_bts_minhash_deduplicator"):
    """Removes near duplicates by MinHash, as document_minhash_deduplicator does.

    The groups are the same as on Ray, where it depends on scheduling which row of a group stays. By default, texts shorter
    than a window, the empty one included, are all duplicates of each other: see `short_texts`.
    """

    minhash_batch_size: int | str | None = param(
        "Rows whose signatures are computed at once.", default="auto", no_effect=_ONE_ENGINE
    )
    memory_per_sample: float | None = param("Memory per row.", default=0.1, unit="megabytes", no_effect=_ONE_ENGINE)
    actor_memory: float | str | None = param("Memory of an actor.", default=None, no_effect=_ONE_ENGINE)
    task_memory: float | str | None = param("Memory of a task.", default=None, no_effect=_ONE_ENGINE)


class RayBtsMinhashDeduplicatorWithUid(RayBtsMinhashDeduplicator, name="ray_bts_minhash_deduplicator_with_uid"):
    """Removes near duplicates by MinHash, as document_minhash_deduplicator_with_uid does.

    The number in the field `__dj__uid` stays; on Ray it is removed from the rows. By default, texts shorter than a window,
    the empty one included, are all duplicates of each other: see `short_texts`.
    """

    examples = DocumentMinhashDeduplicatorWithUid.examples

    def key(self) -> Expr:
        """Keys of the bands, and the row's number."""
        return numbered(super().key())

    def rule(self) -> DuplicateRule:
        """Rows that share a band; the smallest number stays."""
        return super().rule()._replace(by_number=True)


class RayBtsMinhashCppDeduplicator(RayMinhashDeduplicator, name="ray_bts_minhash_cpp_deduplicator"):
    """Removes near duplicates by MinHash, as document_minhash_deduplicator does.

    Data-Juicer's variant in C++ ignores `lowercase` and `ignore_pattern`, leaves out the last window and uses another hash.
    Here the parameters have their usual meaning, so at the margin other rows are duplicates. By default, texts shorter than a
    window, the empty one included, are all duplicates of each other: see `short_texts`.
    """

    notice = "it is the same as ray_bts_minhash_deduplicator here; Data-Juicer's hashes otherwise and ignores some parameters"
