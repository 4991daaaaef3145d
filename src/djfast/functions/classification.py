"""What a classifier of texts says, of the text itself or of its translation."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from djfast.models.checkpoints import Checkpoint, in_groups, load_checkpoint


def bind_text_class(
    model: str, dtype: str, translator: str | None, translator_dtype: str, device: str | None, texts_at_once: int
) -> Callable[[Sequence[str]], list[Any]]:
    """Return the function from texts to JSON objects of the likeliest ``label`` and its ``score``.

    What is longer than a model can read is cut at its end.

    Parameters
    ----------
    model : str
        Folder of a classifier.
    translator : str or None
        Folder of a model that translates the texts first.
    texts_at_once : int
        With one text at a time the scores are the same in any batch; more at once differ by rounding.
    """
    classifier = load_checkpoint("classifier", model, dtype=dtype, device=device)
    before = translator and load_checkpoint("translator", translator, dtype=translator_dtype, device=device)

    def text_class(texts: Sequence[str]) -> list[Any]:
        translated: Sequence[Any] = texts
        if before:
            translated = _with_tokens(before, texts, lambda group: _translations(before, group), texts_at_once)
        return _with_tokens(classifier, translated, lambda group: _classes(classifier, group), texts_at_once)

    return text_class


def _with_tokens(
    checkpoint: Checkpoint, texts: Sequence[Any], read: Callable[[list[list[int]]], Sequence[str]], texts_at_once: int
) -> list[Any]:
    tokenizer, limit = checkpoint.tokenizer, checkpoint.context
    with checkpoint.lock:
        options = {} if limit is None else {"truncation": True, "max_length": limit}
        rows = [text if isinstance(text, Exception) else list(tokenizer(text, **options)["input_ids"]) for text in texts]
        return in_groups(rows, len, read, size=texts_at_once)


def _translations(checkpoint: Checkpoint, group: list[list[int]]) -> list[str]:
    import torch

    with torch.inference_mode():
        produced = checkpoint.model.generate(**checkpoint.tensors(group))
    return [checkpoint.tokenizer.decode(row, skip_special_tokens=True) for row in produced]


def _classes(checkpoint: Checkpoint, group: list[list[int]]) -> list[str]:
    import torch

    with torch.inference_mode():
        logits = checkpoint.model(**checkpoint.tensors(group)).logits.float()
    configuration = checkpoint.model.config
    # Classes that do not exclude each other, or one class alone, have scores of their own.
    is_single = configuration.problem_type == "multi_label_classification" or logits.shape[1] == 1
    scores = torch.sigmoid(logits) if is_single else torch.softmax(logits, dim=1)
    best = scores.max(dim=1)
    return [
        json.dumps({"label": str(configuration.id2label[int(label)]), "score": float(score)}, ensure_ascii=False)
        for score, label in zip(best.values, best.indices)
    ]
