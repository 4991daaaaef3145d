"""Mappers whose texts a language model in the process writes."""

from __future__ import annotations

from djfast.declare import Mapper, param
from djfast.expr import Expr, call, col

TEXT_TAGS = "__dj__text_tags__"
_MODEL = "A chat model of transformers: a folder, or a name in the folders of models or the Hugging Face cache."
_IN_PROCESS = "the model runs in the process, by transformers"


class SentenceAugmentationMapper(Mapper, name="sentence_augmentation_mapper"):
    """Writes a variant of a sentence, such as a paraphrase, into a second field, with a chat model.

    The model reads the sentence in quotation marks, followed by the task, in its chat template. White space and quotation
    marks are stripped from its answer. Sampling is seeded by the prompt: the same sentence has the same answer in every run.
    The model is also asked about the empty text. A sentence that is longer than the model can read is rejected. Without
    `task_sentence` the recipe is an error; Data-Juicer would empty both fields.
    """

    hf_model: str = param(_MODEL, default="Qwen/Qwen2-7B-Instruct")
    system_prompt: str | None = param(
        "System prompt; null takes the one that comes with djfast, the empty string sends none.", default=None
    )
    task_sentence: str | None = param("What to do with the sentence; must be given.", default=None)
    max_new_tokens: int = param("Largest number of tokens of an answer.", default=256, unit="tokens", ge=1)
    temperature: float = param("Temperature: 0 takes the likeliest token, more samples.", default=0.2, ge=0, le=100)
    top_p: float | None = param(
        "Sample from the likeliest tokens that have this share together; null samples from all.", default=None, ge=0, le=1
    )
    num_beams: int = param("Number of beams of a beam search.", default=1, refused="answers are drawn, not searched for")
    text_key_second: str | None = param("Field of the answer; must be given.", default=None)

    def assign(self) -> dict[str, Expr]:
        """Answer of the model."""
        top_p = {} if self.top_p is None else {"top_p": self.top_p}
        answer = call(
            "augmented_sentence",
            col("text"),
            model=self.hf_model,
            system_prompt=self.system_prompt,
            task_sentence=self.task_sentence,
            second_key=self.text_key_second,
            sampling={"temperature": self.temperature, "max_new_tokens": self.max_new_tokens, **top_p},
            device=self.accelerator,
        )
        return {self.text_key_second or "text": answer}  # without a second field the plan fails when it is bound


class TextTaggingByPromptMapper(Mapper, name="text_tagging_by_prompt_mapper"):
    """Tags a text with a chat model, in the field `__dj__text_tags__`.

    The answer is stripped of white space but not compared with the tags. By default the likeliest answer is taken; sampling
    is seeded by the prompt. The model is also asked about the empty text. A text that is longer than the model can read is
    rejected.
    """

    hf_model: str = param(_MODEL, default="Qwen/Qwen2.5-7B-Instruct")
    trust_remote_code: bool = param(
        "Whether code of the model may run.", default=False, refused="code that comes with a model is never run"
    )
    prompt: str | None = param(
        "Prompt with `{text}` and `{tag_list}`. Null takes the Chinese one that comes with djfast.", default=None
    )
    tag_list: list[str] = param(
        "The tags.",
        default=["数学", "代码", "翻译", "角色扮演", "开放领域问答", "特定领域问答", "提取", "生成", "头脑风暴", "分类", "总结",
                 "改写", "其他"],
    )  # fmt: skip
    enable_vllm: bool = param("Run the model with vLLM.", default=True, no_effect=_IN_PROCESS)
    tensor_parallel_size: int | None = param("GPUs of vLLM.", default=None, no_effect=_IN_PROCESS)
    max_model_len: int | None = param("Context of vLLM.", default=None, no_effect=_IN_PROCESS)
    max_num_seqs: int = param("Texts that vLLM answers together.", default=256, no_effect=_IN_PROCESS)
    model_params: dict | None = param("Parameters of vLLM.", default=None, no_effect=_IN_PROCESS)  # type: ignore[type-arg]
    sampling_params: dict | None = param(  # type: ignore[type-arg]
        "How answers are chosen: `temperature`, `top_p`, `top_k`, `seed`, `max_tokens`, `stop`.", default=None
    )

    def assign(self) -> dict[str, Expr]:
        """List of the one answer."""
        answer = call(
            "prompted_tags",
            col("text"),
            model=self.hf_model,
            prompt=self.prompt,
            tag_list=self.tag_list,
            sampling=self.sampling_params or {},
            device=self.accelerator,
        )
        return {TEXT_TAGS: answer}
