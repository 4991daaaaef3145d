"""Models behind a server that speaks the OpenAI interface: chat completions and embeddings."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from djfast.errors import RecipeError, ServerLostError
from djfast.llm.asking import Answer, Ask, Done, Failure, LanguageModel, Question, Tokens, canonical
from djfast.llm.cache import AnswerCache, default_cache
from djfast.llm.client import DEFAULT_LIMITS, Call, Client, Document, Limits, Result, shared_client
from djfast.llm.completions import Completion, completion_of
from djfast.llm.endpoint import Endpoint, check_response_path, walk
from djfast.llm.refusals import only
from djfast.llm.retries import DEFAULT_RETRIES, Retries
from djfast.llm.structured import response_format
from djfast.llm.usage import Price
from djfast.type_names import spoken_type

_OWN_PARAMETERS = ("model", "messages", "input", "stream", "n", "response_format")


class _Served(LanguageModel):
    """What chat and embeddings share.

    Parameters
    ----------
    model : str or None
        Name of the model, as the server knows it. None takes the first one that the server lists, when it is first asked.
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
        model: str | None,
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
        if model == "":
            raise RecipeError("a language model must have a name, got ''")
        taken = sorted(set(sampling or {}) & set(_OWN_PARAMETERS))
        if taken:
            raise RecipeError(f"sampling parameters must not set {', '.join(_OWN_PARAMETERS)}, got {', '.join(taken)}")
        canonical(dict(sampling or {}))
        self.endpoint = Endpoint(endpoint or self._endpoint, base_url=base_url, api_key=api_key)
        self._list = Endpoint(_beside(endpoint or self._endpoint, "models"), base_url=base_url, api_key=api_key)
        self._model = model
        self._model_lock = threading.Lock()
        self.response_path = check_response_path(response_path or self._response_path)
        self._sampling = dict(sampling or {})
        self._client = client
        self._retries = retries
        self._limits = limits

    @property
    def model(self) -> str:
        """The name of the model.

        Raises
        ------
        ServerLostError
            If the server has to be asked, and names none.
        """
        with self._model_lock:
            if self._model is None:
                self._model = self._first_listed()
            return self._model

    def _first_listed(self) -> str:
        client = self._client or shared_client()
        (result,) = client.ask_all([Call(self._list, b"", self._retries, self._limits)])
        reason = result.reason if not isinstance(result, Document) else f"{self._list.name} lists none"
        if isinstance(result, Document):
            with contextlib.suppress(LookupError):
                if isinstance(name := walk(result.document, "data.0.id"), str) and name:
                    return name
        raise ServerLostError(f"no model is named, and the server did not list one: {reason}")

    def _origin(self) -> str:
        return f"{self.endpoint.name} {self.response_path}"

    def _completion(self, document: Any) -> Completion:
        raise NotImplementedError

    def _send(self, questions: Sequence[Question], done: Done) -> Callable[[], None]:
        calls = [Call(self.endpoint, question.content, self._retries, self._limits) for question in questions]
        client = self._client or shared_client()
        return client.begin(calls, lambda index, result: done(index, self._reply(result)))

    def _reply(self, result: Result) -> Answer | Failure:
        if not isinstance(result, Document):
            return Failure(result.reason, result.retries, result.is_interrupted, result.is_lost)
        try:
            value, flaw = self._completion(result.document)
        except (LookupError, ValueError) as error:
            said = self.endpoint.excerpt(str(error.args[0]))
            return Failure(f"{self.endpoint.name}: {said}", result.retries)
        return Answer(value, _tokens(result.document), retries=result.retries, flaw=self.endpoint.excerpt(flaw))


class Chat(_Served):
    """Chat completions; an answer is a text, unless `response_path` leads elsewhere."""

    _endpoint = "/chat/completions"
    _response_path = "choices.0.message.content"

    def _content(self, ask: Ask) -> Any:
        held = {} if ask.schema is None else {"response_format": response_format(ask.schema)}
        return {"model": self.model, "messages": ask.messages(), **self._sampling, **held}

    def _completion(self, document: Any) -> Completion:
        return completion_of(document, self.response_path)


class Embeddings(_Served):
    """Embeddings; an ask is a text, an answer its list of numbers."""

    _endpoint = "/embeddings"
    _response_path = "data.0.embedding"

    def _content(self, ask: Ask) -> Any:
        if not isinstance(ask.prompt, str):
            raise RecipeError(f"an embedding needs a string, got {spoken_type(ask.prompt)}")
        return {"model": self.model, "input": ask.prompt, **self._sampling}

    def _completion(self, document: Any) -> Completion:
        value = walk(document, self.response_path)
        if not isinstance(value, list) or not value or not all(type(each) in (int, float) for each in value):
            raise ValueError(f"response_path {self.response_path} must lead to a list of numbers")
        return Completion(value)


def _beside(address: str, name: str) -> str:
    """Return the address of what lies beside a path of the interface, such as ``/models`` beside ``/chat/completions``."""
    place, mark, query = address.partition("?")
    return re.sub(r"/*(?:chat/completions|completions|embeddings|responses)?/*$", "", place) + f"/{name}{mark}{query}"


def _tokens(document: Any) -> Tokens:
    """Return what the server counted; servers that do not count, or count nonsense, are taken as 0."""
    body = only(document)
    usage = body.get("usage") if isinstance(body, dict) else None
    counts = usage if isinstance(usage, dict) else {}
    prompt, completion = (counts.get(name) for name in ("prompt_tokens", "completion_tokens"))
    return Tokens(*(count if type(count) is int and 0 <= count < 2**53 else 0 for count in (prompt, completion)))
