"""Cheap filters run before expensive ones, and only the counts of OPs show it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

import djfast
from djfast import functions
from djfast.declare import REGISTRY, Filter
from djfast.errors import RecipeError, TooManyErrors
from djfast.expr import Expr, call, col
from djfast.functions import PYTHON_FUNCTIONS, PythonFunction
from djfast.plan.build import build_plan
from djfast.plan.explain import explain, plan_record
from djfast.plan.rules.order_filters import order_filters
from djfast.plan.steps import Compute, Keep, Plan
from djfast.recipe.load import load_recipe
from djfast.runners.job.folder import identity_of
from djfast.runners.planning import plan_recipe

PICKY = "picky_filter"
_FUNCTION = PythonFunction("likes", __name__, ("text",), "boolean", (), "Whether a text is liked.", cost=1_000)
IS_WEB = {"specified_field_filter": {"field_key": "source", "target_value": ["web"]}}


def bind_likes() -> Callable[[str], bool]:
    """Return a function that fails on some texts and does not like others."""

    def likes(text: str) -> bool:
        if len(text) % 3 == 0:
            raise ValueError("cannot tell")
        return len(text) % 3 == 1

    return likes


@pytest.fixture(scope="module", autouse=True)
def _a_picky_filter() -> Iterator[None]:
    class PickyFilter(Filter, name=PICKY):
        """Fails on some texts."""

        def keep(self) -> Expr:
            return call("likes", col("text"))

    PYTHON_FUNCTIONS[_FUNCTION.name] = _FUNCTION
    yield
    del PYTHON_FUNCTIONS[_FUNCTION.name]
    del REGISTRY[PICKY]


def _ordered(*process: Any) -> Plan:
    return order_filters(build_plan(djfast.load_ops(process)))


def _order(plan: Plan) -> list[int]:
    return list(plan.op_names)


def _steps(plan: Plan) -> list[Compute | Keep]:
    return [step for stage in plan.stages for step in stage.steps]


def test_cheap_filters_come_first() -> None:
    plan = _ordered("language_id_score_filter", "character_repetition_filter", "words_num_filter", "text_length_filter")
    assert _order(plan) == [3, 2, 1, 0]
    assert [step.op for step in _steps(plan) if isinstance(step, Keep)] == [3, 2, 1, 0]


def test_equal_filters_stay_in_the_order_of_the_recipe() -> None:
    lengths = [{"text_length_filter": {"min_len": least}} for least in (1, 2, 3)]
    assert _order(_ordered(*lengths)) == [0, 1, 2]


def test_work_that_was_done_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = {"words": 2000, "share_in_list": 200, "ngram_repetition": 500, "char_ngram_repetition": 2300}
    monkeypatch.setattr(functions, "cost", lambda name: costs.get(name, 0))
    plan = _ordered("word_repetition_filter", "character_repetition_filter", "stopwords_filter")
    assert _order(plan) == [2, 0, 1]


def test_who_does_shared_work_answers_for_it() -> None:
    plan = _ordered("word_repetition_filter", "stopwords_filter")
    assert _order(plan) == [1, 0]
    assert {step.fn: step.op for step in _steps(plan) if isinstance(step, Compute)} == {
        "lower": 1,
        "words": 1,
        "share_in_list": 1,
        "stat_or": 0,
        "ngram_repetition": 0,
        "in_range": 0,
    }


def test_a_stat_that_no_condition_reads_is_computed_for_the_rows_that_stay() -> None:
    steps = _steps(_ordered("language_id_score_filter", "text_length_filter"))
    place = {step.fn: place for place, step in enumerate(steps) if isinstance(step, Compute)}
    assert place["language_score"] < len(steps) - 3
    assert isinstance(steps[-3], Keep)
    assert [step.fn for step in steps[-2:]] == ["language_label", "stat_or"]


@pytest.mark.parametrize("between", ["clean_email_mapper", "document_deduplicator", {"random_selector": {"select_num": 3}}])
def test_filters_pass_no_other_op(between: Any) -> None:
    plan = _ordered("character_repetition_filter", "text_length_filter", between, "language_id_score_filter", "words_num_filter")
    assert _order(plan) == [1, 0, 2, 4, 3]


def test_a_function_that_may_reject_rows_passes_no_filter() -> None:
    plan = _ordered("character_repetition_filter", IS_WEB, "text_length_filter")
    assert functions.cost("is_one_of") < functions.cost("char_ngram_repetition")
    assert _order(plan) == [2, 0, 1]
    assert _order(_ordered("perplexity_filter", "language_id_score_filter", "text_length_filter")) == [2, 0, 1]


def test_a_dear_filter_lets_cheap_ones_pass_but_a_quick_function_in_python_stays_ahead_of_dear_ones() -> None:
    plan = _ordered(IS_WEB, "character_repetition_filter", "text_length_filter", "perplexity_filter", "words_num_filter")
    assert _order(plan) == [2, 4, 0, 1, 3]


def test_a_filter_without_a_condition_waits() -> None:
    plan = _ordered("specified_field_filter", "character_repetition_filter")
    assert _order(plan) == [1, 0]


def test_an_analysis_keeps_the_order() -> None:
    plan = build_plan(djfast.load_ops(["language_id_score_filter", "text_length_filter"]), drops_rows=False)
    assert order_filters(plan) == plan


def test_the_plan_says_who_waits() -> None:
    plan = _ordered("character_repetition_filter", "words_num_filter", "text_length_filter")
    note = (
        "  rule    behind filters that cost less: character_repetition_filter, words_num_filter "
        "(rules: {order_filters: false} switches it off)"
    )
    assert note in explain(plan)
    assert [entry["index"] for entry in plan_record(plan)["stages"][0]["order"]] == [2, 1, 0]
    assert not any("order_filters" in line for line in explain(_ordered("text_length_filter", "words_num_filter")))


def _recipe(folder: Path, process: list[Any], **keys: Any) -> dict[str, Any]:
    return {"dataset_path": str(folder / "in.jsonl"), "export_path": str(folder / "out.jsonl"), "process": process, **keys}


def test_the_funnel_falls_from_line_to_line(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in ("aaaa aaaa", "a", "one two")))
    process = [{"character_repetition_filter": {"rep_len": 2, "max_ratio": 0.3}}, {"text_length_filter": {"min_len": 2}}]
    report = djfast.run(_recipe(tmp_path, process))
    counts = [("text_length_filter", 3, 2), ("character_repetition_filter", 2, 1)]
    assert [op[:3] for op in report.ops] == counts
    assert [tuple(op.values())[:3] for op in json.loads((tmp_path / "out.run.json").read_text())["ops"]] == counts
    dataset = djfast.Dataset.from_jsonl(str(tmp_path / "in.jsonl")).process(djfast.load_ops(process))
    assert [row["text"] for row in dataset.to_list()] == ["one two"]
    assert dataset.report is not None
    assert [op[:3] for op in dataset.report.ops] == counts


@pytest.mark.parametrize("keys", [{"rules": {"order_filters": False}}, {"rules.order_filters": False}, {"order_filters": False}])
def test_recipes_can_keep_their_order(tmp_path: Path, keys: dict[str, Any]) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "a b"}\n')
    process = ["character_repetition_filter", "text_length_filter"]
    report = djfast.run(_recipe(tmp_path, process, **keys))
    assert [op.name for op in report.ops] == process
    with pytest.raises(RecipeError, match=r"no such key.*rules\.order_filters"):
        load_recipe(_recipe(tmp_path, process, rules={"order_filter": False}))
    with pytest.raises(RecipeError, match="order_filters"):
        load_recipe(_recipe(tmp_path, process, order_filters="cheapest"))


def test_a_job_goes_on_only_in_the_order_in_which_it_was_begun(tmp_path: Path) -> None:
    identities = []
    for order in (True, False):
        recipe = load_recipe(_recipe(tmp_path, ["text_length_filter"], order_filters=order))
        identities.append(identity_of(recipe, plan_recipe(recipe), []))
    assert identities[0] != identities[1]


WORDS = ["data", "the", "of", "of of of", "x" * 12, "数据", "，", "Ärger", "12", "!!!", "\n", "\t", "end."]
TEXT = st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)
GOOD_STATS = st.sampled_from([{}, {}, {"__dj__stats__": {"text_len": 7}}, {"__dj__stats__": {"num_words": 0, "mine": "kept"}}])
BAD_STATS = st.sampled_from([{"__dj__stats__": {"text_len": "long"}}, {"__dj__stats__": {"char_rep_ratio": [0.1]}}])
FIELDS = st.fixed_dictionaries({"source": st.sampled_from(["web", "book", None]), "n": st.sampled_from([1, 5, "5", "many", [2]])})
ROW = st.builds(lambda text, fields, stats: {"text": text, **fields, **stats}, TEXT, FIELDS, GOOD_STATS)
ODD_ROW = st.one_of(ROW, st.builds(lambda row, stats: {**row, **stats}, ROW, BAD_STATS), st.just({"text": None}))
FILTERS = [
    {"alphanumeric_filter": {"min_ratio": 0.3}},
    {"average_line_length_filter": {"min_len": 4}},
    {"character_repetition_filter": {"rep_len": 3, "max_ratio": 0.3}},
    {"general_field_filter": {"filter_condition": "n > 2 or source == 'web'"}},
    {"maximum_line_length_filter": {"min_len": 9}},
    {"special_characters_filter": {"max_ratio": 0.4}},
    {"specified_field_filter": {}},
    {"specified_numeric_field_filter": {"field_key": "n", "min_value": 2}},
    {"text_length_filter": {"min_len": 20}},
    {"text_length_filter": {"max_len": 60}},
    {"word_repetition_filter": {"rep_len": 2, "max_ratio": 0.4}},
    {"word_repetition_filter": {"rep_len": 5, "max_ratio": 0.9}},
    {"words_num_filter": {"min_num": 4}},
    IS_WEB,
    {PICKY: {}},
]
SOME_FILTERS = [{PICKY: {}}, *FILTERS[2:5]]
OTHERS = [
    {"remove_long_words_mapper": {"max_len": 11}},
    {"whitespace_normalization_mapper": {}},
    {"document_deduplicator": {}},
    {"topk_specified_field_selector": {"field_key": "text", "top_ratio": 0.8}},
]
# Three filters for one other OP, so that there are runs of them.
PROCESS = st.lists(st.one_of(*[st.sampled_from(FILTERS)] * 3, st.sampled_from(OTHERS)), max_size=10)


def _outcome(rows: list[Any], process: list[Any], **keys: Any) -> dict[str, Any]:
    """Run a recipe and return its files and the counts of its OPs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        try:
            report = djfast.run(_recipe(folder, process, **keys))
        except TooManyErrors:  # no row is left, and some were rejected
            reject()
        paths = {"result": "out.jsonl", "stats": "out_stats.jsonl", "rejected": "out.rejected.jsonl"}
        files = {kind: (folder / path).read_bytes() if (folder / path).exists() else b"" for kind, path in paths.items()}
        return {**files, "ops": report.ops}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ODD_ROW, max_size=40), PROCESS, st.booleans())
def test_the_result_and_its_stats_do_not_depend_on_the_order(rows: list[Any], process: list[Any], keeps: bool) -> None:
    keys = {"keep_stats_in_res_ds": keeps, "batch_bytes": 4096}
    plain, ordered = (_outcome(rows, process, order_filters=order, **keys) for order in (False, True))
    assert (ordered["result"], ordered["stats"]) == (plain["result"], plain["stats"])
    assert sorted(op.name for op in ordered["ops"]) == sorted(op.name for op in plain["ops"])
    for before, after in zip(ordered["ops"], ordered["ops"][1:]):
        assert before.rows_out - after.rejected <= after.rows_in <= before.rows_out


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROW, max_size=40), st.lists(st.sampled_from(SOME_FILTERS), max_size=5))
def test_no_other_rows_are_set_aside(rows: list[Any], process: list[Any]) -> None:
    rejected = [_outcome(rows, process, order_filters=order)["rejected"] for order in (False, True)]
    plain, ordered = ({json.loads(line)["line"] for line in lines.splitlines()} for lines in rejected)
    assert ordered <= plain


@settings(max_examples=200, deadline=None)
@given(PROCESS)
def test_every_step_finds_what_it_needs(process: list[Any]) -> None:
    plan = build_plan(djfast.load_ops(process))
    ordered = order_filters(plan)
    for before, after in zip(plan.stages, ordered.stages, strict=True):
        known = set(range(len(after.texts) + len(after.reserved)))
        for step in after.steps:
            needed = step.args if isinstance(step, Compute) else (step.slot,)
            assert known.issuperset(needed)
            known.update({step.slot} if isinstance(step, Compute) else ())
        assert sorted(step.slot for step in after.steps) == sorted(step.slot for step in before.steps)
        assert sorted(after.local_ops) == list(before.local_ops)
        assert after._replace(steps=before.steps, local_ops=before.local_ops) == before
        blocks = [op for op, _ in groupby(after.steps, lambda step: step.op)]
        assert len(blocks) == len(set(blocks)), "the steps of an OP stand together"
    assert order_filters(ordered) == ordered
