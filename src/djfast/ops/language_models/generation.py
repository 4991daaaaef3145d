"""Mappers that have a model write questions and answers."""

from __future__ import annotations

from typing import Any

from djfast.declare import Example, Mapper, param
from djfast.expr import Expr, call, field, row
from djfast.ops.language_models.asking import EITHER_NAME, IS_HF_MODEL, SAMPLING_PARAMS, HfModelMapper, asking_of


class GenerateQaFromTextMapper(HfModelMapper, name="generate_qa_from_text_mapper"):
    """Generates questions and answers about a text with a language model.

    Each pair becomes a row with the other fields of the row; its question and answer replace those of the row. If the model
    writes no pair, the row is dropped. A row with an empty text is dropped without a question. If the server gives no answer,
    the row is rejected. The model reads the text and nothing else, so it must be trained for this.
    """

    hf_model: str = param(EITHER_NAME, default="alibaba-pai/pai-qwen1_5-7b-doc2qa")
    max_num: int | None = param(
        "Largest number of pairs of a text, the first ones; null takes all.", default=None, unit="pairs", ge=1
    )
    output_pattern: str | None = param(
        "Regular expression of a pair, in which a dot also matches line feeds: its first two groups are the question and the "
        "answer.",
        default=None,
    )

    examples = (
        Example(
            rows=[{"text": "Water boils at 100 °C.", "id": 7}, {"text": "..."}],
            params={"is_hf_model": False},
            expect=[
                {"text": "Water boils at 100 °C.", "id": 7, "query": "When does water boil?", "response": "At 100 °C."},
                {"text": "...", "id": None, "query": "When does water boil?", "response": "At 100 °C."},
            ],
            says=("Human: When does water boil?\nAssistant: At 100 °C.\n",),
        ),
    )

    def rewrite(self) -> Expr:
        """Return the rows with pairs."""
        return call(
            "rows_of_generated_pairs",
            row(),
            text_key=self.text_key,
            query_key=self.query_key,
            response_key=self.response_key,
            max_num=self.max_num,
            output_pattern=self.output_pattern,
            **self.asking(),
        )


class GenerateQaFromExamplesMapper(HfModelMapper, name="generate_qa_from_examples_mapper"):
    """Generates a dialogue after examples with a language model.

    The last question and answer go to their fields, earlier ones to the history. All three are empty if the model writes no
    pair, or if the dialogue is too similar to one of the examples, measured by ROUGE-L of their words; each Chinese, Japanese
    or Korean character is a word. If the server gives no answer, the row is rejected. The model does not see the row, so an
    empty text changes nothing.

    Examples are chosen by the content of the row, whereas Data-Juicer draws new ones in each run. So equal rows get the same
    dialogue: give each row a field of its own, such as the `number_key` of a `generated_dataset_config`.
    """

    seed_file: str = param(
        "File with examples, at most 64 MiB: JSON lines with `messages` of the roles user and assistant.", default=""
    )
    example_num: int = param("Examples to show for each row.", default=3, unit="dialogues", ge=1)
    similarity_threshold: float = param("ROUGE-L above which a dialogue is too similar to an example.", default=0.7)
    system_prompt: str | None = param("System prompt; null takes the one that comes with djfast.", default=None)
    input_template: str | None = param("Template of what the model reads, with `{examples}`.", default=None)
    example_template: str | None = param("Template of one example, with `{example}`.", default=None)
    qa_pair_template: str | None = param("Template of a pair of an example, with `{query}` and `{response}`.", default=None)
    output_pattern: str | None = param(
        "Regular expression of a pair, in which a dot also matches line feeds: its first two groups are the question and the "
        "answer.",
        default=None,
    )

    examples = (
        Example(
            rows=[{"id": 1}],
            params={"is_hf_model": False, "seed_file": "recipes/data/dialogues.jsonl", "example_num": 1},
            expect=[
                {
                    "id": 1,
                    "query": "And on Mount Everest?",
                    "response": "At about 70 °C.",
                    "history": [["When does water boil?", "At 100 °C."]],
                }
            ],
            says=("【问题】When does water boil?\n【回答】At 100 °C.\n【问题】And on Mount Everest?\n【回答】At about 70 °C.",),
        ),
    )

    def rewrite(self) -> Expr:
        """Return the row with a dialogue."""
        return call(
            "row_of_generated_dialog",
            row(),
            query_key=self.query_key,
            response_key=self.response_key,
            history_key=self.history_key,
            seed_file=self.seed_file,
            example_num=self.example_num,
            similarity_threshold=self.similarity_threshold,
            templates={
                "system": self.system_prompt,
                "input": self.input_template,
                "example": self.example_template,
                "qa_pair": self.qa_pair_template,
            },
            output_pattern=self.output_pattern,
            **self.asking(),
        )


class LlmRayVllmEnginePipeline(Mapper, name="llm_ray_vllm_engine_pipeline"):
    """Generates the response to the query of each row with a language model.

    The answer is written to the response field unchanged. If the query is missing or empty, the row does not change. If the
    server gives no answer, the row is rejected. For speed with large models, start vLLM as a server and give its address.
    """

    api_or_hf_model: str | None = param(EITHER_NAME, default="Qwen/Qwen2.5-7B-Instruct")
    is_hf_model: bool = param(IS_HF_MODEL, default=True)
    system_prompt: str | None = param("System prompt; null sends none.", default=None)
    accelerator_type: str | None = param(
        "Kind of GPU.", default=None, no_effect="djfast has no Ray, and a model in the process takes the GPU that there is"
    )
    sampling_params: dict | None = param(SAMPLING_PARAMS, default=None)  # type: ignore[type-arg]
    engine_kwargs: dict | None = param(  # type: ignore[type-arg]
        "Options of the vLLM engine.", default=None, no_effect="a vLLM server is started with them, and given by api_url"
    )
    api_url: str | None = param(
        "Full URL of the server, such as http://host:8000/v1/chat/completions; null takes that of OPENAI_BASE_URL.", default=None
    )
    api_key: str | None = param(
        "Key of the server; null is OPENAI_API_KEY, which goes to the host of OPENAI_BASE_URL only.", default=None, is_secret=True
    )

    examples = (
        Example(
            rows=[{"query": "When does water boil?"}, {"query": ""}],
            params={"is_hf_model": False},
            expect=[{"query": "When does water boil?", "response": "At 100 °C."}, {"query": "", "response": None}],
            says=("At 100 °C.",),
        ),
    )

    def assign(self) -> dict[str, Expr]:
        """Return the model's answer."""
        asking: dict[str, Any] = asking_of(self, model=self.api_or_hf_model, is_hf_model=self.is_hf_model)["asking"]
        key = {"api_key": self.api_key} if self.api_key and not self.is_hf_model else {}
        asking = {**asking, "endpoint": self.api_url, "model_params": key}
        answer = call("generated_response", field(self.query_key), system_prompt=self.system_prompt, asking=asking)
        return {self.response_key: answer}
