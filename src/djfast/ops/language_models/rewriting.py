"""Mappers that make better questions, answers and prompts of those that there are."""

from __future__ import annotations

from typing import Any, ClassVar

from djfast.declare import Example, param
from djfast.expr import Expr, call, field, member, row, text_field
from djfast.ops.language_models.asking import ApiMapper, EitherModelMapper, ModelMapper

_SYSTEM = "System prompt; null takes the one that comes with djfast."


class Optimization(ModelMapper):
    """What the three mappers of questions and answers have in common; `asks_for` is what the model gives back."""

    asks_for: ClassVar[str]

    system_prompt: str | None = param(_SYSTEM, default=None)
    input_template: str | None = param("Template of what the model reads, with `{qa_pair}`.", default=None)
    qa_pair_template: str | None = param("Template of a pair, with `{query}` and `{response}`.", default=None)
    output_pattern: str | None = param(
        "Regular expression of the answer, in which a dot also matches line feeds: its last group is taken, or its first two "
        "for a pair. Data-Juicer uses it for pairs only.",
        default=None,
    )

    def assign(self) -> dict[str, Expr]:
        """Return the better question, the better answer, or both."""
        optimized = call(
            "optimized",
            field(self.query_key),
            field(self.response_key),
            asks_for=self.asks_for,
            templates={"system": self.system_prompt, "input": self.input_template, "qa_pair": self.qa_pair_template},
            output_pattern=self.output_pattern,
            **self.asking(),
        )
        fields = {"query": self.query_key, "response": self.response_key}
        return {fields[part]: member(optimized, part) for part in fields if self.asks_for in ("qa", part)}


class OptimizeQaMapper(Optimization, name="optimize_qa_mapper"):
    """Rewrites a question and its answer with a language model to be more detailed and accurate.

    If no answer of the model can be used, or a part of it cannot, the fields do not change. If the server gives no answer,
    the row is rejected. Missing and empty fields are shown to the model as empty strings.
    """

    asks_for = "qa"
    examples = (
        Example(
            rows=[{"query": "boil when?", "response": "100"}],
            params={"is_hf_model": False},
            expect=[{"query": "When does water boil?", "response": "At 100 °C.\nOn mountains earlier."}],
            says=("【问题】\nWhen does water boil?\n【回答】\nAt 100 °C.\nOn mountains earlier.",),
        ),
    )


class OptimizeQueryMapper(Optimization, name="optimize_query_mapper"):
    """Rewrites a question with a language model to be more detailed and clearer.

    The model sees the question and its answer. If no answer of the model can be used, the field does not change. If the
    server gives no answer, the row is rejected. Missing and empty fields are shown to the model as empty strings.
    """

    asks_for = "query"
    examples = (
        Example(
            rows=[{"query": "boil when?", "response": "100"}],
            params={"is_hf_model": False},
            expect=[{"query": "When does water boil?", "response": "100"}],
            says=("When does water boil?",),
        ),
    )


class OptimizeResponseMapper(Optimization, name="optimize_response_mapper"):
    """Rewrites the answer to a question with a language model to be more detailed and accurate.

    If no answer of the model can be used, the field does not change. If the server gives no answer, the row is rejected.
    Missing and empty fields are shown to the model as empty strings.
    """

    asks_for = "response"
    examples = (
        Example(
            rows=[{"query": "boil when?", "response": "100"}],
            params={"is_hf_model": False},
            expect=[{"query": "boil when?", "response": "At 100 °C."}],
            says=("At 100 °C.",),
        ),
    )


class PairPreferenceMapper(ApiMapper, name="pair_preference_mapper"):
    """Generates a worse answer to a question and the reason why it is worse, for preference training.

    Both fields are always written. If the model's last answer cannot be used, they are empty; if it has only one of the two,
    the other is empty. The model sees the text as a reference; it may be missing, null or empty. If the server gives no
    answer, the row is rejected.
    """

    system_prompt: str | None = param(_SYSTEM, default=None)
    input_template: str | None = param(
        "Template of what the model reads, with `{reference}`, `{query}` and `{response}`.", default=None
    )
    output_pattern: str | None = param(
        "Regular expression of the answer, in which a dot also matches line feeds: its first two groups are the worse answer "
        "and the reason.",
        default=None,
    )
    rejected_key: str = param("Field that the worse answer is written to.", default="rejected_response")
    reason_key: str = param("Field that the reason is written to.", default="reason")

    examples = (
        Example(
            rows=[{"query": "When does water boil?", "response": "At 100 °C."}],
            params={},
            expect=[{"response": "At 100 °C.", "rejected_response": "When it is hot.", "reason": "It names no temperature."}],
            says=("【回答】\nWhen it is hot.\n【原因】\nIt names no temperature.",),
        ),
    )

    def assign(self) -> dict[str, Expr]:
        """Return the worse answer and the reason."""
        worse = call(
            "worse_answer",
            text_field(),
            field(self.query_key),
            field(self.response_key),
            templates={"system": self.system_prompt, "input": self.input_template},
            output_pattern=self.output_pattern,
            **self.asking(),
        )
        return {self.rejected_key: member(worse, "rejected"), self.reason_key: member(worse, "reason")}


class OptimizePromptMapper(EitherModelMapper, name="optimize_prompt_mapper"):
    """Generates new prompts after the one of each row with a language model.

    The OP adds `gen_num` rows to each row. They have a new prompt and otherwise equal the row. Each new prompt is an example
    for the next one. An attempt without a usable prompt in all its tries is left out, so if the row itself is not kept,
    nothing may be left of it. A row whose prompt is missing or empty does not change. If the server gives no answer, the row
    is rejected.

    Data-Juicer draws its first examples at random from the rows that happen to be in the same batch, and makes `gen_num`
    prompts for each batch. Here examples are the row's own prompt and those made from it, so results depend on the row alone.
    """

    is_hf_model: bool = param("Whether the model runs in this process, by the package transformers.", default=False)
    gen_num: int = param("Prompts to write for each row.", default=3, unit="prompts", ge=1)
    max_example_num: int = param(
        "Largest number of examples that the model sees; the oldest are dropped first.", default=3, unit="prompts", ge=1
    )
    keep_original_sample: bool = param("Whether the row itself stays; if false, a new prompt replaces it.", default=True)
    retry_num: int = param("How often the model is asked until an answer can be used.", default=3, unit="tries", ge=1)
    system_prompt: str | None = param(_SYSTEM, default=None)
    input_template: str | None = param("Template of what the model reads, with `{examples}`.", default=None)
    example_template: str | None = param("Template of one example, with `{example}`.", default=None)
    prompt_template: str | None = param("Template of the prompt of an example, with `{prompt}`.", default=None)
    output_pattern: str | None = param(
        "Regular expression of a prompt in the answer, in which a dot also matches line feeds: its first group is taken.",
        default=None,
    )

    examples = (
        Example(
            rows=[{"prompt": "Name a tree.", "id": 7}],
            params={"gen_num": 2},
            expect=[
                {"prompt": "Name a tree.", "id": 7},
                {"prompt": "Name a flower.", "id": 7},
                {"prompt": "Name a herb.", "id": 7},
            ],
            says=("【提示词】\nName a flower.", "【提示词】Name a herb."),
        ),
    )

    def rewrite(self) -> Expr:
        """Return the row and those with new prompts."""
        return call(
            "rows_with_new_prompts",
            row(),
            prompt_key=self.prompt_key,
            gen_num=self.gen_num,
            max_example_num=self.max_example_num,
            keeps_row=self.keep_original_sample,
            templates={
                "system": self.system_prompt,
                "input": self.input_template,
                "example": self.example_template,
                "prompt": self.prompt_template,
            },
            output_pattern=self.output_pattern,
            **self.asking(),
        )

    def asking(self) -> dict[str, Any]:
        """Return the parameter that functions make a model of."""
        return {"asking": {**super().asking()["asking"], "try_num": self.retry_num}}
