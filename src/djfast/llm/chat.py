"""Models behind a server that speaks the OpenAI interface: chat completions and embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from djfast.errors import RecipeError
from djfast.llm.asking import Answer, Ask, Done, Failure, LanguageModel, Question, Tokens, canonical
from djfast.llm.cache import AnswerCache, default_cache
from djfast.llm.client import DEFAULT_LIMITS, Call, Client, Document, Limits, Result, shared_client
from djfast.llm.endpoint import Endpoint, check_response_path, walk
from djfast.llm.retries import DEFAULT_RETRIES, Retries
from djfast.llm.structured import response_format
from djfast.llm.usage import Price

_OWN_PARAMETERS = ("model", "messages", "input", "stream", "n", "response_format")


class _Served(LanguageModel):
    """What chat and embeddings share.

    Parameters
    ----------
    model : str
        Name of the model, as the server knows it.
    endpoint : str, optional
        A whole URL, or a path below ``OPENAI_BASE_URL``.
    response_path : str, optional
        Where the value stands in the server's answer.
    sampling : mapping, optional
        Further parameters of the request, such as ``temperature``, as the server takes them.
    base_url, api_key : str, optional
        Instead of ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY``.
    cache : AnswerCache or None, optional
        By default the one that the environment names; None for none.
    prices : mapping, optional
        Cost of a million tokens by model: ``{"gpt-4o": {"prompt": 2.5, "completion": 10}}``.
    prompt_version : str, optional
        Version of the prompt file that the messages are made of.

    Raises
    ------
    RecipeError
        If a parameter cannot be.
    """

    _endpoint = ""
    _response_path = ""

    def __init__(
        self,
        model: str,
        *,
        endpoint: str | None = None,
        response_path: str | None = None,
        sampling: Mapping[str, Any] | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        cache: AnswerCache | Literal["default"] | None = "default",
        prices: Mapping[str, Any] | None = None,
        prompt_version: str = "",
        client: Client | None = None,
        retries: Retries = DEFAULT_RETRIES,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        super().__init__(
            cache=default_cache() if cache == "default" else cache,
            price=Price.of_model(prices, model),
            prompt_version=prompt_version,
        )
        if not model:
            raise RecipeError("a language model must have a name, got ''")
        taken = sorted(set(sampling or {}) & set(_OWN_PARAMETERS))
        if taken:
            raise RecipeError(f"sampling parameters must not set {', '.join(_OWN_PARAMETERS)}, got {', '.join(taken)}")
        canonical(dict(sampling or {}))
        self.model = model
        self.endpoint = Endpoint(endpoint or self._endpoint, base_url=base_url, api_key=api_key)
        self.response_path = check_response_path(response_path or self._response_path)
        self._sampling = dict(sampling or {})
        self._client = client
        self._retries = retries
        self._limits = limits

    def _origin(self) -> str:
        return f"{self.endpoint.name} {self.response_path}"

    def _value(self, value: Any) -> Any:
        raise NotImplementedError

    def _send(self, questions: Sequence[Question], done: Done) -> Callable[[], None]:
        calls = [Call(self.endpoint, question.content, self._retries, self._limits) for question in questions]
        client = self._client or shared_client()
        return client.begin(calls, lambda index, result: done(index, self._reply(result)))

    def _reply(self, result: Result) -> Answer | Failure:
        if not isinstance(result, Document):
            return Failure(result.reason, result.retries, result.is_interrupted)
        try:
            value = self._value(walk(result.document, self.response_path))
        except (LookupError, ValueError) as error:
            said = self.endpoint.excerpt(str(error.args[0]))
            return Failure(f"{self.endpoint.name}: {said}", result.retries)
        return Answer(value, _tokens(result.document), retries=result.retries)


class Chat(_Served):
    """Chat completions; an answer is a text, unless `response_path` leads elsewhere."""

    _endpoint = "/chat/completions"
    _response_path = "choices.0.message.content"

    def _content(self, ask: Ask) -> Any:
        held = {} if ask.schema is None else {"response_format": response_format(ask.schema)}
        return {"model": self.model, "messages": ask.messages(), **self._sampling, **held}

    def _value(self, value: Any) -> Any:
        # Half of a surrogate pair, which a cut escape leaves, could not be written anywhere.
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value


class Embeddings(_Served):
    """Embeddings; an ask is a text, an answer its list of numbers."""

    _endpoint = "/embeddings"
    _response_path = "data.0.embedding"

    def _content(self, ask: Ask) -> Any:
        if not isinstance(ask.prompt, str):
            raise RecipeError(f"an embedding is asked for a text, got {type(ask.prompt).__name__}")
        return {"model": self.model, "input": ask.prompt, **self._sampling}

    def _value(self, value: Any) -> Any:
        if not isinstance(value, list) or not value or not all(type(each) in (int, float) for each in value):
            raise ValueError(f"response_path {self.response_path} must lead to a list of numbers")
        return value


def _tokens(document: Any) -> Tokens:
    """Return what the server counted; servers that do not count, or count nonsense, are taken as 0."""
    usage = document.get("usage") if isinstance(document, dict) else None
    counts = usage if isinstance(usage, dict) else {}
    prompt, completion = (counts.get(name) for name in ("prompt_tokens", "completion_tokens"))
    return Tokens(*(count if type(count) is int and 0 <= count < 2**53 else 0 for count in (prompt, completion)))
