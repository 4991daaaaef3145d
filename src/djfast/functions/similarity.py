"""How near texts are to each other in the space of a model's embeddings."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

from djfast.errors import NoAnswerError, RecipeError, UnusableAnswerError
from djfast.functions.language_models import client_params
from djfast.functions.messages import fill, row_values
from djfast.llm.asking import Answer
from djfast.llm.chat import Embeddings
from djfast.llm.prompts import Template
from djfast.models.checkpoints import Checkpoint, in_groups, load_checkpoint

_MOST_TOKENS = 4096
_SERVER_PARAMS = ("base_url", "timeout", "max_retries")

Embedding = list[float]
Embed = Callable[[Sequence[str]], Sequence[Embedding | Exception]]


def bind_clip_similarity(
    model: str, second_key: str | None, device: str | None, texts_at_once: int
) -> Callable[..., list[Any]]:
    """Return the function from two lists of strings, as JSON, to JSON lists of their cosine; empty where one is missing.

    Raises
    ------
    RecipeError
        If no field holds the second text.
    """
    if not second_key:
        raise RecipeError("text_pair_similarity_filter: text_key_second must name the field of the second text, got null")
    checkpoint = load_checkpoint("encoder", model, device=device)

    def clip_similarity(first: Sequence[str], second: Sequence[str]) -> list[Any]:
        pairs = [(_text(one), _text(other)) for one, other in zip(first, second)]
        complete = [number for number, pair in enumerate(pairs) if all(pair) and not _exceptions(pair)]
        embeddings = _clip_embeddings(checkpoint, [text for number in complete for text in pairs[number]], texts_at_once)
        answers: list[Any] = [next(iter(_exceptions(pair)), "[]") for pair in pairs]
        for place, number in enumerate(complete):
            own = embeddings[2 * place : 2 * place + 2]
            answers[number] = next(iter(_exceptions(own)), None) or json.dumps([_cosine(*own)])
        return answers

    return clip_similarity


def _text(value: str) -> str | Exception | None:
    text = json.loads(value) if value else None
    return text if text is None or isinstance(text, str) else TypeError(f"a text is needed, got {value[:40]}")


def _exceptions(values: Sequence[Any]) -> list[Exception]:
    return [value for value in values if isinstance(value, Exception)]


def _clip_embeddings(checkpoint: Checkpoint, texts: Sequence[Any], texts_at_once: int) -> list[Any]:
    import torch

    def read(group: list[list[int]]) -> list[Embedding]:
        with torch.inference_mode():
            features = checkpoint.model.get_text_features(**checkpoint.tensors(group))
        # Newer versions of the library return all of what the model computes.
        return list(getattr(features, "pooler_output", features).double().tolist())

    with checkpoint.lock:
        rows = [_within(list(checkpoint.tokenizer(text, verbose=False)["input_ids"]), checkpoint.context) for text in texts]
        return in_groups(rows, len, read, size=texts_at_once)


def _within(tokens: list[int], limit: int | None) -> list[int] | Exception:
    if limit is not None and len(tokens) > limit:
        return ValueError(f"a text must have at most {limit} tokens for this model, got {len(tokens)}")
    return tokens


def bind_served_similarity(
    model: str,
    api_endpoint: str,
    response_path: str,
    model_params: Sequence[tuple[str, Any]],
    dimensions: int,
    valid_dataset: str | None,
    template: str,
    names: Sequence[str],
) -> Callable[[Sequence[str]], list[Any]]:
    """Return the function from texts to their mean cosine to the validation rows, embedded by a server.

    Raises
    ------
    RecipeError
        If there are no validation rows, or a parameter cannot be.
    """
    given = dict(model_params)
    unknown = sorted(set(given) - set(_SERVER_PARAMS))
    if unknown:
        # A key in a recipe would be seen in plans, reports and journals.
        allowed = ", ".join(_SERVER_PARAMS)
        raise RecipeError(f"{_OP}: model_params may have {allowed}; a key comes from OPENAI_API_KEY; got {', '.join(unknown)}")
    server = Embeddings(
        model,
        endpoint=api_endpoint,
        response_path=response_path,
        sampling={"dimensions": dimensions, "encoding_format": "float"},
        **client_params(_OP, given),
    )

    def embed(texts: Sequence[str]) -> list[Embedding | Exception]:
        replies = server.answers(list(texts), usage_of=_OP)
        return [reply.value if isinstance(reply, Answer) else NoAnswerError(reply.reason) for reply in replies]

    return _similarity(embed, valid_dataset, template, names)


def bind_model_similarity(
    model: str,
    pooling: str | None,
    device: str | None,
    texts_at_once: int,
    valid_dataset: str | None,
    template: str,
    names: Sequence[str],
) -> Callable[[Sequence[str]], list[Any]]:
    """Return the function from texts to their mean cosine to the validation rows, embedded by a model in the process.

    A text has the embedding of its last token, or the mean of its tokens', each weighted by its place if so asked. What is
    beyond 4096 tokens, or beyond what the model can read, does not count.
    """
    checkpoint = load_checkpoint("encoder", model, device=device)

    def embed(texts: Sequence[str]) -> list[Embedding | Exception]:
        limit = min(_MOST_TOKENS, checkpoint.context or _MOST_TOKENS)
        with checkpoint.lock:
            rows: list[Any] = []
            for text in texts:
                tokens = list(checkpoint.tokenizer(text, truncation=True, max_length=limit)["input_ids"])
                rows.append(tokens or ValueError("a text must have a token, got none"))
            return in_groups(rows, len, lambda group: _pooled(checkpoint, group, pooling), size=texts_at_once)

    return _similarity(embed, valid_dataset, template, names)


def _pooled(checkpoint: Checkpoint, group: list[list[int]], pooling: str | None) -> list[Embedding]:
    import torch

    with torch.inference_mode():
        states = checkpoint.model(**checkpoint.tensors(group)).last_hidden_state.double()
    return [_pool(states[number, : len(tokens)], pooling) for number, tokens in enumerate(group)]


def _pool(states: Any, pooling: str | None) -> Embedding:
    import torch

    if pooling is None:
        return list(states[-1].tolist())
    if pooling == "mean":
        return list(states.mean(dim=0).tolist())
    weights = torch.arange(1, len(states) + 1, dtype=states.dtype, device=states.device)
    return list((states * weights[:, None]).mean(dim=0).tolist())


_OP = "text_embd_similarity_filter"


def _similarity(
    embed: Embed, valid_dataset: str | None, template: str, names: Sequence[str]
) -> Callable[[Sequence[str]], list[Any]]:
    rows = json.loads(valid_dataset) if valid_dataset else None
    if not rows:
        raise RecipeError(f"{_OP}: valid_dataset must have at least one row, got none")
    parsed = Template(template, names, what="input_template")
    valid_texts: list[str] = []
    for number, row in enumerate(rows):
        try:
            valid_texts.append(fill(parsed, *row_values(row, names)))
        except (ValueError, TypeError) as error:
            raise RecipeError(f"{_OP}: valid_dataset[{number}]: {error}") from error
    valid: list[Embedding] = []
    lock = threading.Lock()

    def similarity(texts: Sequence[str]) -> list[Any]:
        with lock:  # when rows come, and not before: a plan asks no server
            if not valid and texts:
                valid.extend(_complete(embed(valid_texts)))
        answers: list[Any] = []
        for embedding in embed(texts):
            try:
                answers.append(_mean_cosine(embedding, valid))
            except (ValueError, RuntimeError) as error:
                answers.append(error)
        return answers

    return similarity


def _complete(embeddings: Sequence[Embedding | Exception]) -> list[Embedding]:
    for number, each in enumerate(embeddings):
        if isinstance(each, Exception):
            raise NoAnswerError(f"{_OP}: valid_dataset[{number}] has no embedding: {each}") from each
    return list(embeddings)  # type: ignore[arg-type]


def _mean_cosine(embedding: Embedding | Exception, others: Sequence[Embedding]) -> float:
    if isinstance(embedding, Exception):
        raise embedding
    return math.fsum(_cosine(embedding, other) for other in others) / len(others)


def _cosine(one: Embedding, other: Embedding) -> float:
    if len(one) != len(other):
        raise UnusableAnswerError(f"an embedding must have {len(other)} numbers, got {len(one)}")
    lengths = math.hypot(*one) * math.hypot(*other)
    if not lengths:
        raise UnusableAnswerError("an embedding must not be all zeros")
    return math.fsum(a * b for a, b in zip(one, other)) / lengths
