"""Filters by how surprised a causal language model is by a text."""

from __future__ import annotations

import json
from typing import Any

from djfast.declare import Filter, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, field, text_field
from djfast.ops.text.templates import field_names

_MODEL_PARAMS = ("max_length", "dtype", "torch_dtype")


class CausalModelFilter(Filter):
    """What the filters share: the model, and the messages that it reads."""

    hf_model: str = param(
        "A model of transformers: a folder, or a name in the folders of models or the Hugging Face cache.",
        default="Qwen/Qwen2.5-0.5B",
    )
    model_params: dict | None = param(  # type: ignore[type-arg]
        "`max_length` cuts the beginning of longer messages, in tokens; `dtype` is that of the weights.", default=None
    )
    min_score: float | None = param("Smallest value kept; null sets no limit.", default=1.0)
    max_score: float | None = param("Largest value kept; null sets no limit.", default=100.0)
    query_template: str | None = param(
        "Template of the user's message in rows without `messages`; `{name}` is a field. Null is the empty string.", default=None
    )
    response_template: str | None = param(
        "Template of the answer in rows without `messages`; `{name}` is a field. Null is the text field.", default=None
    )
    texts_at_once: int = param(
        "Number of texts that the model reads together. More are faster on a GPU and change the last digits of the values.",
        default=1,
        ge=1,
        le=4096,
    )

    def validate(self) -> None:
        """Check the parameters of the model."""
        for name, value in (self.model_params or {}).items():
            if name not in _MODEL_PARAMS:
                raise RecipeError(f"{self.spec.name}: model_params may have {', '.join(_MODEL_PARAMS)}, got {name!r}")
            if name == "max_length" and (type(value) is not int or value < 2):
                raise RecipeError(f"{self.spec.name}: model_params.max_length must be an integer >= 2, got {value!r}")

    def templates(self) -> dict[str, Any]:
        """Templates, and the names of fields in them."""
        query, response = self.query_template or "", self.response_template or "{text}"
        return {
            "query_template": query,
            "response_template": response,
            "names": field_names([query, response], op=self.spec.name),
        }

    def contents(self) -> Expr:
        """Return the texts of the row's messages."""
        templates = self.templates()
        by_default = {} if self.response_template else {"text": text_field()}
        fields = [by_default.get(name, field(name)) for name in templates["names"]]
        return call("message_contents", field("messages"), *fields, **templates)

    def model(self) -> dict[str, Any]:
        """Parameters of functions that ask the model."""
        params = self.model_params or {}
        return {
            "model": self.hf_model,
            "max_length": params.get("max_length"),
            "dtype": str(params.get("dtype", params.get("torch_dtype", "auto"))),
            "device": self.accelerator,
            "texts_at_once": self.texts_at_once,
        }

    def loss(self, *, only_last: bool = False) -> Expr:
        """Mean loss of the last message, after the others or alone."""
        return call("message_loss", self.contents(), only_last=only_last, **self.model())


class LLMPerplexityFilter(CausalModelFilter, name="llm_perplexity_filter"):
    """Keeps rows whose last message has a perplexity in a range, under a language model.

    The value is the perplexity of the last message's tokens after the messages before it, which are joined by spaces, without
    a chat template. Messages are the field `messages`, or a query and a response that templates make of other fields. Rows
    with fewer than two tokens, such as those of an empty text, and rows with more tokens than the model can read are
    rejected.
    """

    def stats(self) -> dict[str, Expr]:
        """Perplexity of the last message."""
        return {"llm_perplexity": call("exponential", self.loss())}

    def keep(self) -> Expr:
        """Perplexity in range."""
        return self.in_range("llm_perplexity", self.min_score, self.max_score)


class InstructionFollowingDifficultyFilter(CausalModelFilter, name="instruction_following_difficulty_filter"):
    """Keeps rows by instruction-following difficulty: how much the query helps a language model to predict the response.

    The value is the mean loss of the last message after the others, divided by its mean loss alone: small values mean that
    the query helps much, 1 that it does not help. Most values lie below 1, so the default range, which is Data-Juicer's,
    drops almost every row. Rows whose last message has fewer than two tokens, such as an empty one, and rows with more tokens
    than the model can read are rejected.
    """

    source = 'Li et al., "From quantity to quality: boosting LLM performance with self-guided data selection", 2023.'

    def stats(self) -> dict[str, Expr]:
        """Loss with the query divided by the loss without it."""
        return {"ifd_score": call("quotient", self.loss(), self.loss(only_last=True))}

    def keep(self) -> Expr:
        """Score in range."""
        return self.in_range("ifd_score", self.min_score, self.max_score)


class InContextInfluenceFilter(CausalModelFilter, name="in_context_influence_filter"):
    """Keeps rows that, as an in-context example, raise a language model's probability of the answers of validation rows.

    The value is the mean, over the validation rows, of the answer's mean loss alone divided by its mean loss after the row.
    More than 1 means that the row helps. With `valid_as_demo` the validation rows are the examples and the loss is that of
    the row's own answer. Rows with fewer than two tokens, such as those of an empty text, and rows with more tokens than the
    model can read are rejected.
    """

    valid_dataset: list[dict] | None = param(  # type: ignore[type-arg]
        "Validation rows, with `messages` or the fields of the templates; must be given.", default=None
    )
    task_desc: str | None = param("Description of the task, placed before the messages of each validation row.", default=None)
    valid_as_demo: bool = param(
        "Whether the validation rows are the examples for the row, instead of the row for them.", default=False
    )
    n_shot: int | None = param("Number of validation rows that are used, the first ones; null uses all.", default=None, ge=1)

    def stats(self) -> dict[str, Expr]:
        """Mean quotient of losses."""
        influence = call(
            "in_context_influence",
            self.contents(),
            valid_dataset=None if self.valid_dataset is None else json.dumps(self.valid_dataset),
            task_desc=self.task_desc,
            valid_as_demo=self.valid_as_demo,
            n_shot=self.n_shot,
            **self.templates(),
            **self.model(),
        )
        return {"in_context_influence": influence}

    def keep(self) -> Expr:
        """Influence in range."""
        return self.in_range("in_context_influence", self.min_score, self.max_score)
