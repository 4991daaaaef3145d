"""Models of the package transformers that read texts: what they score, classify, translate or embed is up to functions.

A model comes from a folder or from an installed cache. It is downloaded only where ``DJFAST_ALLOW_DOWNLOAD=1`` says so, its own
code is never run, and weights are read from safetensors files only: the older form is a pickle, which is code.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from djfast.errors import ModelError, RecipeError
from djfast.models.locate import find_checkpoint

Value = TypeVar("Value")

_DOWNLOAD = "DJFAST_ALLOW_DOWNLOAD"
_CLASSES = {
    "causal": "AutoModelForCausalLM",
    "classifier": "AutoModelForSequenceClassification",
    "encoder": "AutoModel",
    "translator": "AutoModelForSeq2SeqLM",
}
_DTYPES = ("auto", "float32", "float16", "bfloat16")


def may_download() -> bool:
    """Whether models that are not on this machine may be fetched."""
    return os.environ.get(_DOWNLOAD) == "1"


def checkpoint_source(model: str, *, op: str) -> str:
    """Return the folder of a model, or its name where it may be downloaded.

    Raises
    ------
    ModelError
        If it is not on this machine and may not be downloaded.
    """
    try:
        return find_checkpoint(model, op=op)
    except ModelError as error:
        if may_download() and model:
            return model
        raise ModelError(f"{error}\n(nothing is downloaded unless {_DOWNLOAD}=1)") from error


class Checkpoint:
    """A model and its tokenizer in memory, for one thread at a time (`lock`).

    Attributes
    ----------
    context : int or None
        Tokens that the model can read at once; None if nothing says so.
    """

    def __init__(self, kind: str, source: str, dtype: str, device: str) -> None:
        import torch
        import transformers

        options = {"local_files_only": not may_download(), "trust_remote_code": False}
        try:
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(source, **options)
            loader = getattr(transformers, _CLASSES[kind])
            self.model = loader.from_pretrained(source, use_safetensors=True, dtype=dtype, **options)
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise ModelError(f"the model {source} cannot be read as a {kind} model: {error}") from error
        is_gpu = device != "cpu" and torch.cuda.is_available()
        self.model.to("cuda" if is_gpu else "cpu").eval()
        self.lock = threading.Lock()
        configuration = getattr(self.model.config, "text_config", self.model.config)
        places = getattr(configuration, "max_position_embeddings", None)
        # Tokenizers that know no limit say a number beyond any text. RoBERTa leaves some of its places free.
        limits = [limit for limit in (places, self.tokenizer.model_max_length) if limit and limit < 1 << 30]
        self.context: int | None = min(limits, default=None)

    def tensors(self, rows: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Return token ids and their mask, with padding on the right."""
        import torch

        longest = max(map(len, rows))
        padding = self.tokenizer.pad_token_id or 0
        ids = [[*row, *[padding] * (longest - len(row))] for row in rows]
        mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        device = self.model.device
        return {"input_ids": torch.tensor(ids, device=device), "attention_mask": torch.tensor(mask, device=device)}


def load_checkpoint(kind: str, source: str, *, dtype: str = "auto", device: str | None = None) -> Checkpoint:
    """Return a model that all OPs and threads of the process share.

    Parameters
    ----------
    kind : {"causal", "classifier", "encoder", "translator"}
        What it is loaded as.
    source : str
        As `checkpoint_source` gave it.
    dtype : str
        Of the weights; ``auto`` leaves it to the model.
    device : str, optional
        ``cpu`` keeps off a GPU that is there.

    Raises
    ------
    RecipeError, ModelError
    """
    if dtype not in _DTYPES:
        raise RecipeError(f"the dtype of a model must be one of {', '.join(_DTYPES)}, got {dtype!r}")
    with _load_lock:
        return _load_once(kind, source, dtype, device or "auto")


_load_lock = threading.Lock()


@functools.lru_cache(maxsize=4)
def _load_once(kind: str, source: str, dtype: str, device: str) -> Checkpoint:
    return Checkpoint(kind, source, dtype, device)


def in_groups(
    rows: Sequence[Any], length: Callable[[Any], int], read: Callable[[list[Any]], Sequence[Value]], *, size: int
) -> list[Value | Exception]:
    """Give rows of about the same length to a model together and return what it says of each, in order.

    A row that is an exception stays one. If a group fails, its rows are read one by one, so that the others live.
    """
    answers: list[Any] = list(rows)
    order = sorted((i for i, row in enumerate(rows) if not isinstance(row, Exception)), key=lambda i: length(rows[i]))
    for first in range(0, len(order), size):
        group = order[first : first + size]
        for index, answer in zip(group, _read(read, [rows[index] for index in group])):
            answers[index] = answer
    return answers


def _read(read: Callable[[list[Any]], Sequence[Value]], group: list[Any]) -> Iterator[Value | Exception]:
    try:
        yield from list(read(group))
    except (RuntimeError, ValueError, IndexError) as error:
        if len(group) == 1:
            yield error
        else:
            for row in group:
                yield from _read(read, [row])
