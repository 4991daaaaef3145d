"""OPs that take the place of stats and tags that are there."""

from __future__ import annotations

import pytest

import djfast
from djfast import catalog
from djfast.errors import InternalError
from djfast.plan.build import build_plan
from djfast.plan.steps import Compute


def test_only_json_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog.find("text_length_filter").cls, "overwrites", lambda op: True)
    with pytest.raises(InternalError, match="text_length_filter: only JSON can take the place of a stat or a tag"):
        build_plan(djfast.load_ops(["text_length_filter"]))


def test_an_op_reads_the_stats_that_it_finds_and_asks_once() -> None:
    plan = build_plan(djfast.load_ops(["llm_analysis_filter"]))
    functions = [step.fn for stage in plan.stages for step in stage.steps if isinstance(step, Compute)]
    assert functions.count("scored") == 1


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_replaced_tag_is_not_looked_up_in_the_row(overwrite: bool) -> None:
    plan = build_plan(djfast.load_ops([{"dialog_coreference_mapper": {"overwrite": overwrite}}]))
    functions = [step.fn for stage in plan.stages for step in stage.steps if isinstance(step, Compute)]
    assert ("stat_or" in functions) != overwrite
