"""What OPs that ask a language model have in common: which model, how, and how often."""

from __future__ import annotations

from typing import Any

from djfast.declare import Filter, Mapper, Op, param

SERVED_NAME = "Name of the model on the server; null takes the first one that the server lists."
EITHER_NAME = (
    "Name of the model on the server; null takes the first one that the server lists. With is_hf_model, a folder or a name in "
    "the Hugging Face cache."
)
IS_HF_MODEL = "Whether the model runs in this process, by the package transformers."
_ENDPOINT = "URL, or a path below OPENAI_BASE_URL; null is `/chat/completions`. The key is OPENAI_API_KEY of the environment."
_RESPONSE_PATH = "Path of the text in the server's response; null is `choices.0.message.content`."
_TRY_NUM = "How often the model is asked until an answer can be used."
_MODEL_PARAMS = (
    "Settings of the client (`base_url`, `prices`, `timeout` in seconds, `max_retries`), or of a model that runs in the process."
)
SAMPLING_PARAMS = "Settings of the answer, such as `temperature` and `max_tokens`."
_VLLM = "a vLLM server is reached as any other, by api_endpoint"


def asking_of(op: Op, *, model: str | None, is_hf_model: bool = False) -> dict[str, Any]:
    """Return the parameter that functions make a model of: the fields of `djfast.functions.language_models.Asking`."""
    given = op.__dict__
    return {
        "asking": {
            "op": op.spec.name,
            "model": model,
            "is_hf_model": is_hf_model,
            "endpoint": given.get("api_endpoint"),
            "response_path": given.get("response_path"),
            "try_num": given.get("try_num", 1),
            "model_params": given.get("model_params") or {},
            "sampling_params": given.get("sampling_params") or {},
        }
    }


class ApiMapper(Mapper):
    """A mapper that asks a model behind a server that speaks the OpenAI interface."""

    acts_outside = True

    api_model: str | None = param(SERVED_NAME, default="gpt-4o")
    api_endpoint: str | None = param(_ENDPOINT, default=None)
    response_path: str | None = param(_RESPONSE_PATH, default=None)
    try_num: int = param(_TRY_NUM, default=3, unit="tries", ge=1)
    model_params: dict = param(_MODEL_PARAMS, default={})  # type: ignore[type-arg]
    sampling_params: dict = param(SAMPLING_PARAMS, default={})  # type: ignore[type-arg]

    def asking(self) -> dict[str, Any]:
        """Return the parameter that functions make a model of."""
        return asking_of(self, model=self.api_model)


class ModelOwner(Mapper):
    """A mapper that has a model in the process or behind a server; how often it asks is its own affair."""

    acts_outside = True

    is_hf_model: bool = param(IS_HF_MODEL, default=True)
    api_endpoint: str | None = param(_ENDPOINT, default=None)
    response_path: str | None = param(_RESPONSE_PATH, default=None)
    enable_vllm: bool = param("Use vLLM.", default=False, no_effect=_VLLM)
    model_params: dict | None = param(_MODEL_PARAMS, default=None)  # type: ignore[type-arg]
    sampling_params: dict | None = param(SAMPLING_PARAMS, default=None)  # type: ignore[type-arg]


class EitherModelMapper(ModelOwner):
    """A mapper whose model is named as one of either place."""

    api_or_hf_model: str | None = param(EITHER_NAME, default="Qwen/Qwen2.5-7B-Instruct")

    def asking(self) -> dict[str, Any]:
        """Return the parameter that functions make a model of."""
        return asking_of(self, model=self.api_or_hf_model, is_hf_model=self.is_hf_model)


class ModelMapper(EitherModelMapper):
    """A mapper that asks a model in the process or behind a server."""

    try_num: int = param(_TRY_NUM, default=3, unit="tries", ge=1)


class HfModelMapper(ModelOwner):
    """A mapper whose model is named as one of Hugging Face, though a server may have it."""

    hf_model: str = param(EITHER_NAME, default="Qwen/Qwen2.5-7B-Instruct")

    def asking(self) -> dict[str, Any]:
        """Return the parameter that functions make a model of."""
        return asking_of(self, model=self.hf_model, is_hf_model=self.is_hf_model)


class ModelFilter(Filter):
    """A filter that asks a model in the process or behind a server."""

    acts_outside = True

    api_or_hf_model: str | None = param(EITHER_NAME, default="gpt-4o")
    is_hf_model: bool = param(IS_HF_MODEL, default=False)
    api_endpoint: str | None = param(_ENDPOINT, default=None)
    response_path: str | None = param(_RESPONSE_PATH, default=None)
    try_num: int = param(_TRY_NUM, default=3, unit="tries", ge=1)
    enable_vllm: bool = param("Use vLLM.", default=False, no_effect=_VLLM)
    model_params: dict = param(_MODEL_PARAMS, default={})  # type: ignore[type-arg]
    sampling_params: dict = param(SAMPLING_PARAMS, default={})  # type: ignore[type-arg]

    def asking(self) -> dict[str, Any]:
        """Return the parameter that functions make a model of."""
        return asking_of(self, model=self.api_or_hf_model, is_hf_model=self.is_hf_model)
