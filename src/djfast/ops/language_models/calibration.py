"""Mappers that check questions and answers against a reference text."""

from __future__ import annotations

from typing import ClassVar

from djfast.declare import Example, param
from djfast.expr import Expr, call, col, field, member
from djfast.ops.language_models.asking import ApiMapper


class Calibration(ApiMapper):
    """What the three mappers have in common; `asks_for` is what the model gives back."""

    asks_for: ClassVar[str]

    system_prompt: str | None = param("System prompt; null takes the one that comes with djfast.", default=None)
    input_template: str | None = param("Template of what the model reads, with `{reference}` and `{qa_pair}`.", default=None)
    reference_template: str | None = param("Template of the reference, with `{text}`.", default=None)
    qa_pair_template: str | None = param("Template of a pair, with `{query}` and `{response}`.", default=None)
    output_pattern: str | None = param(
        "Regular expression of the answer: its last group is taken, or its first two for a pair.", default=None
    )

    def assign(self) -> dict[str, Expr]:
        """Return the checked question, the checked answer, or both."""
        checked = call(
            "calibrated",
            col("text"),
            field(self.query_key),
            field(self.response_key),
            asks_for=self.asks_for,
            templates={
                "system": self.system_prompt,
                "input": self.input_template,
                "reference": self.reference_template,
                "qa_pair": self.qa_pair_template,
            },
            output_pattern=self.output_pattern,
            **self.asking(),
        )
        fields = {"query": self.query_key, "response": self.response_key}
        return {fields[part]: member(checked, part) for part in fields if self.asks_for in ("qa", part)}


class CalibrateQaMapper(Calibration, name="calibrate_qa_mapper"):
    """Corrects a question and its answer with a language model and a reference text.

    If no answer of the model can be used, or a part of it cannot, the fields do not change. If the server gives no answer,
    the row is rejected. An empty text is asked about like any other.
    """

    asks_for = "qa"
    examples = (
        Example(
            rows=[{"text": "Water boils at 100 °C.", "query": "When does it boil?", "response": "At 90."}],
            params={},
            expect=[{"query": "When does water boil?", "response": "At 100 °C."}],
            says=("【问题】 When does water boil?\n【回答】 At 100 °C.",),
        ),
    )


class CalibrateQueryMapper(Calibration, name="calibrate_query_mapper"):
    """Corrects a question with a language model and a reference text.

    If no answer of the model can be used, the field does not change. If the server gives no answer, the row is rejected. An
    empty text is asked about like any other.
    """

    asks_for = "query"
    examples = (
        Example(
            rows=[{"text": "Water boils at 100 °C.", "query": "When does it boil?", "response": "At 90."}],
            params={},
            expect=[{"query": "When does water boil?"}],
            says=("When does water boil?",),
        ),
    )


class CalibrateResponseMapper(Calibration, name="calibrate_response_mapper"):
    """Corrects the answer to a question with a language model and a reference text.

    If no answer of the model can be used, the field does not change. If the server gives no answer, the row is rejected. An
    empty text is asked about like any other.
    """

    asks_for = "response"
    examples = (
        Example(
            rows=[{"text": "Water boils at 100 °C.", "query": "When does it boil?", "response": "At 90."}],
            params={},
            expect=[{"response": "At 100 °C."}],
            says=("At 100 °C.",),
        ),
    )
