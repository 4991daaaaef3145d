"""Names that stand for other OPs. Here all OPs of a recipe share their work, listed together or not."""

from __future__ import annotations

from djfast.declare import Example, Fused, param


class GeneralFusedOp(Fused, name="general_fused_op"):
    """Runs the OPs of a list, one after the other.

    The result is the same as with these OPs in its place: all OPs of a recipe share words, lines and models, and a bad row is
    rejected alone. An empty list changes nothing; empty texts are handled as these OPs handle them.
    """

    member_lists = ("fused_op_list",)
    examples = (
        Example(
            rows=[{"text": "write to a@b.org  now"}, {"text": "a@b.org"}, {"text": ""}],
            params={"fused_op_list": [{"clean_email_mapper": {"repl": "<mail>"}}, {"text_length_filter": {"min_len": 10}}]},
            expect=[{"text": "write to <mail>  now", "text_len": 20}],
        ),
        Example(rows=[{"text": "as it was"}], params={}, expect=[{"text": "as it was"}]),
    )

    fused_op_list: list | None = param(  # type: ignore[type-arg]
        "OPs as in process: names, or mappings of a name to its parameters.", default=None
    )


class FusedSequentialBatchOp(Fused, name="fused_sequential_batch_op"):
    """Runs the OPs of two lists, one after the other.

    The result is the same as with these OPs in its place. Empty lists change nothing; empty texts are handled as these OPs
    handle them.
    """

    member_lists = ("op_specs", "fused_ops")
    examples = (
        Example(
            rows=[{"text": "a@b.org and more"}, {"text": ""}],
            params={"op_specs": ["clean_email_mapper", {"text_length_filter": {"min_len": 1}}]},
            expect=[{"text": " and more", "text_len": 9}],
        ),
    )

    op_specs: list | None = param(  # type: ignore[type-arg]
        "OPs as in process: names, or mappings of a name to its parameters.", default=None
    )
    fused_ops: list | None = param("More OPs, which follow the others.", default=None)  # type: ignore[type-arg]
    group_name: str = param("Name of the group.", default="", no_effect="its OPs are reported by their own names")
    cleanup_columns: list[str] | None = param(
        "Fields to drop afterwards.", default=None, refused="OPs leave no helper fields behind that would have to be dropped"
    )
