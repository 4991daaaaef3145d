"""Filters that keep what a language model scores high, or says to meet a condition."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from djfast.declare import Example, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, col, field, member, text_field
from djfast.ops.language_models.asking import ModelFilter
from djfast.reserved import STATS


class Scoring(ModelFilter):
    """What the filters by scores have in common: `prompt` asks for a score in each of the `dimensions`."""

    prompt: ClassVar[str]
    dimensions: ClassVar[tuple[str, ...]]
    stat: ClassVar[str]  # name of the score; what else is written is named like it
    keeps_unscored: ClassVar[bool] = False

    min_score: float = param("Lowest score that is kept.", default=0.5)
    max_score: float = param("Highest score that is kept.", default=1.0)
    input_keys: list[str] = param(
        "Fields that the model reads; missing and null ones are left out. `text` is the text field.", default=["text"]
    )
    field_names: list[str] = param("Names of these fields in the question.", default=["Text"])
    system_prompt: str | None = param("System prompt; null takes the one that comes with djfast.", default=None)
    input_template: str | None = param("Template of what the model reads, with `{data}`.", default=None)
    field_template: str | None = param("Template of a field, with `{field_name}` and `{field_data}`.", default=None)
    dim_required_keys: list[str] | None = param(
        "Dimensions whose scores are averaged; null or an empty list takes those that come with djfast.", default=None
    )
    preferred_output_lang: str | None = param(
        "Language of the reasons; null leaves it to the model.", default=None, choices=(None, "en", "zh")
    )

    def validate(self) -> None:
        """Check that each field has a name."""
        if len(self.input_keys) != len(self.field_names):
            raise RecipeError(
                f"{self.spec.name}: field_names must have one name for each of input_keys, "
                f"got {len(self.input_keys)} keys and {len(self.field_names)} names"
            )

    def scored(self) -> Expr:
        """Return the model's answer: score, record and tags."""
        return self._asked("scored", task=None, samples=None)

    def _asked(self, function: str, **about_task: Any) -> Expr:
        return call(
            function,
            field(f"{STATS}.{self.stat}"),
            *(text_field() if key == "text" else field(key) for key in self.input_keys),
            prompt=self.prompt,
            dimensions=self.dim_required_keys or list(self.dimensions),
            own_dimensions=bool(self.dim_required_keys),
            field_names=self.field_names,
            templates={"system": self.system_prompt, "input": self.input_template, "field": self.field_template},
            language=self.preferred_output_lang,
            **about_task,
            **self.asking(),
        )

    def stats(self) -> dict[str, Expr]:
        """Return the score, and the model's answer and its tags as texts of JSON."""
        scored, name = self.scored(), self.stat.removesuffix("_score")
        return {
            self.stat: call("score_in", member(scored, "score")),
            f"{name}_record": member(scored, "record"),
            f"{name}_tags": member(scored, "tags"),
        }

    def keep(self) -> Expr:
        """Return the condition on the score."""
        is_inside = self.in_range(self.stat, self.min_score, self.max_score)
        return call("unscored_or", col(self.stat), is_inside) if self.keeps_unscored else is_inside


def _said(scores: str) -> str:
    return f'{{"dimension_scores": {scores}, "tags": {{"topic": "cooking"}}, "flags": [], "recommendation": "keep"}}'


class LlmAnalysisFilter(Scoring, name="llm_analysis_filter"):
    """Keeps rows that a language model scores high in clarity, relevance, usefulness and fluency.

    The score is the mean of the dimensions divided by 5. If no answer of the model can be used, the score is 0, and a row
    with the score 0 is kept. The answer and its tags are written as strings of JSON. An answer in broken JSON is repaired,
    and objects may be nested in it. If the server gives no answer, the row is rejected. An empty text is asked about like any
    other.
    """

    prompt = "analysis_score"
    dimensions = ("clarity", "relevance", "usefulness", "fluency")
    stat = "llm_analysis_score"
    keeps_unscored = True
    examples = (
        Example(
            rows=[{"text": "Boil the eggs for six minutes."}],
            params={"min_score": 0.7},
            expect=[{"text": "Boil the eggs for six minutes.", "llm_analysis_score": 0.75}],
            says=(_said('{"clarity": 5, "relevance": 4, "usefulness": 3, "fluency": 3}'),),
        ),
    )


class LlmQualityScoreFilter(Scoring, name="llm_quality_score_filter"):
    """Keeps rows that a language model scores high in accuracy, grammar, informativeness and coherence.

    The score is the mean of the dimensions divided by 5. If no answer of the model can be used, the score is 0, which is
    outside the default range, so the row is dropped. The answer and its tags are written as strings of JSON. If the server
    gives no answer, the row is rejected. An empty text is asked about like any other.
    """

    prompt = "quality_score"
    dimensions = ("accuracy", "grammar", "informativeness", "coherence")
    stat = "llm_quality_score"
    examples = (
        Example(
            rows=[{"text": "Boil the eggs for six minutes."}, {"text": "eggs eggs"}],
            params={},
            expect=[{"text": "Boil the eggs for six minutes.", "llm_quality_score": 0.8}],
            says=(
                _said('{"accuracy": 4, "grammar": 4, "informativeness": 4, "coherence": 4}'),
                _said('{"accuracy": 2, "grammar": 1, "informativeness": 1, "coherence": 1}'),
            ),
        ),
    )


class LlmDifficultyScoreFilter(Scoring, name="llm_difficulty_score_filter"):
    """Keeps rows that a language model scores as difficult, in language, ideas, knowledge, steps and ambiguity.

    The score is the mean of the dimensions divided by 5. If no answer of the model can be used, the score is 0, which is
    outside the default range, so the row is dropped. The answer and its tags are written as strings of JSON. If the server
    gives no answer, the row is rejected. An empty text is asked about like any other.
    """

    prompt = "difficulty_score"
    dimensions = ("linguistic_complexity", "conceptual_depth", "prior_knowledge", "step_complexity", "ambiguity")
    stat = "llm_difficulty_score"
    examples = (
        Example(
            rows=[{"text": "Prove that there are infinitely many primes."}],
            params={},
            expect=[{"llm_difficulty_score": 0.6}],
            says=(
                '{"dimension_scores": {"linguistic_complexity": 2, "conceptual_depth": 4, "prior_knowledge": 3, '
                '"step_complexity": 4, "ambiguity": 2}}',
            ),
        ),
    )


class LlmTaskRelevanceFilter(Scoring, name="llm_task_relevance_filter"):
    """Keeps rows that are relevant to a task, as scored by a language model.

    The task is given by samples, by a description, or by both. The score is the mean of the dimensions divided by 5. There is
    no upper bound. If no answer of the model can be used, the score is 0, and a row with the score 0 is kept. The answer and
    its tags are written as strings of JSON. If the server gives no answer, the row is rejected. An empty text is asked about
    like any other.
    """

    prompt = "task_relevance"
    dimensions = (
        "topical_relevance",
        "linguistic_style_match",
        "task_match",
        "knowledge_alignment",
        "potential_utility",
    )
    stat = "llm_task_relevance"
    keeps_unscored = True
    examples = (
        Example(
            rows=[{"text": "Boil the eggs for six minutes."}],
            params={"task_desc": "Answer questions about cooking."},
            expect=[{"llm_task_relevance": 0.8}],
            says=(
                '{"dimension_scores": {"topical_relevance": 5, "linguistic_style_match": 3, "task_match": 3, '
                '"knowledge_alignment": 5, "potential_utility": 4}}',
            ),
        ),
    )

    max_score: float = param("Highest score.", default=1.0, no_effect="what is more relevant is never dropped")
    valid_dataset: list[dict] | None = param(  # type: ignore[type-arg]
        "Samples of the task: rows with the fields of input_keys.", default=None
    )
    task_desc: str | None = param("Description of the task.", default=None)
    n_shot: int | None = param("Number of samples that the model sees, the first ones; null shows all.", default=None, ge=0)

    def scored(self) -> Expr:
        """Return the model's answer: score, record and tags."""
        rows = (self.valid_dataset or [])[: self.n_shot]
        keys = [(self.text_key or key) if key == "text" else key for key in self.input_keys]
        samples = [[row.get(key) for key in keys] for row in rows]
        return self._asked("task_scored", task=self.task_desc, samples=json.dumps(samples, ensure_ascii=False))

    def keep(self) -> Expr:
        """Return the condition on the score."""
        return call("unscored_or", col(self.stat), self.in_range(self.stat, self.min_score, None))


class Condition(ModelFilter):
    """The parameters of a condition. Apart, because one is named as the examples of OPs are."""

    condition: str = param("Condition that the text must meet, in words.", default="")
    knowledge_grounding_key: str | None = param("Field with background knowledge about the row.", default=None)
    knowledge_grounding_fixed: str | None = param("Background knowledge about all rows.", default=None)
    strategy: str | None = param(
        "How the model is asked: directly (null, direct), to reason first (cot), with examples (few_shot), or both (cot_shot).",
        default=None,
        choices=(None, "direct", "cot", "few_shot", "cot_shot"),
    )
    examples: list[dict] | None = param(  # type: ignore[type-arg,misc,assignment]
        "Examples for the strategies few_shot and cot_shot: mappings, for instance of a text and its answer.", default=None
    )
    model_params: dict | None = param(  # type: ignore[type-arg,assignment]
        "Settings of the client (`base_url`, `prices`), or of a model that runs in the process.", default=None
    )
    sampling_params: dict | None = param(  # type: ignore[type-arg,assignment]
        "Settings of the answer, such as `temperature` and `max_tokens`.", default=None
    )


class LlmConditionFilter(Condition, name="llm_condition_filter"):
    """Keeps rows whose text meets a condition in words, as judged by a language model.

    An empty text meets no condition, and every text meets the empty condition; neither is asked about. If an answer says
    neither yes nor no, the model is asked again; if no answer does, it counts as no. With the strategies cot and cot_shot the
    model reasons first and decides in its last line. `llm_semantic_usage` adds up the tokens of all filters of a row; the
    cost is 0 if model_params has no prices. Two such filters in a recipe decide independently; the stat is that of the last
    one. The parameters of intervals have no effect. If the server gives no answer, the row is rejected.
    """

    examples = (  # type: ignore[misc]
        Example(
            rows=[{"text": "Boil the eggs."}, {"text": "Stocks fell."}, {"text": ""}],
            params={"condition": "The text is about cooking."},
            expect=[{"text": "Boil the eggs.", "llm_condition_filter_result": True}],
            says=("yes", "no"),
        ),
    )

    def overwrites(self) -> bool:
        """Return true: another condition is another question."""
        return True

    def stats(self) -> dict[str, Expr]:
        """Return the decision, and what the answers took."""
        met = call(
            "condition_met",
            text_field(),
            field(self.knowledge_grounding_key) if self.knowledge_grounding_key else field(""),
            field(f"{STATS}.llm_semantic_usage"),
            condition=self.condition,
            strategy=self.strategy,
            examples=json.dumps(self.__dict__["examples"] or [], ensure_ascii=False),
            knowledge=self.knowledge_grounding_fixed,
            **self.asking(),
        )
        return {"llm_condition_filter_result": member(met, "is_met"), "llm_semantic_usage": member(met, "usage")}

    def keep(self) -> Expr:
        """Return the decision."""
        return call("is_true", col("llm_condition_filter_result"))
