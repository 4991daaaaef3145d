"""How surprised a causal language model is by the last of some messages."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

from djfast.errors import RecipeError
from djfast.functions.messages import contents_of, row_values
from djfast.llm.prompts import Template
from djfast.models.checkpoints import in_groups, load_checkpoint
from djfast.records import NamedTuple


class _Scored(NamedTuple):
    """Tokens of a conversation; the last `scored` ones are foreseen, or all but the first."""

    tokens: list[int]
    scored: int


class _LossModel:
    """Mean cross-entropy of messages.

    One conversation at a time gives the same numbers in any batch; more at once differ by rounding.
    """

    def __init__(self, model: str, max_length: int | None, dtype: str, device: str | None, texts_at_once: int) -> None:
        self._checkpoint = load_checkpoint("causal", model, dtype=dtype, device=device)
        self._max_length = max_length
        self._texts_at_once = texts_at_once

    def losses(self, conversations: Sequence[Sequence[str]]) -> list[float | Exception]:
        """Return for each conversation, a list of strings, the mean loss of its last one, or why there is none."""
        with self._checkpoint.lock:
            rows = [self._scored(contents) for contents in conversations]
            return in_groups(rows, lambda row: len(row.tokens), self._read, size=self._texts_at_once)

    def _scored(self, contents: Sequence[str]) -> _Scored | Exception:
        tokenizer = self._checkpoint.tokenizer
        tokens = self._tokens(" ".join(contents).strip())
        # What the tokenizer puts before a text is not part of it.
        count = len(self._tokens(contents[-1].strip())) - (tokenizer.bos_token is not None)
        limit = self._checkpoint.context
        if len(tokens) < 2:
            return ValueError(f"messages must have at least two tokens, got {len(tokens)}")
        if limit is not None and len(tokens) > limit:
            return ValueError(
                f"messages must have at most {limit} tokens for this model, or model_params.max_length cuts their beginning, "
                f"got {len(tokens)}"
            )
        return _Scored(tokens, count if 0 < count < len(tokens) else len(tokens) - 1)

    def _tokens(self, text: str) -> list[int]:
        if self._max_length is None:
            return list(self._checkpoint.tokenizer(text, verbose=False)["input_ids"])
        tokenizer = self._checkpoint.tokenizer
        tokenizer.truncation_side = "left"
        return list(tokenizer(text, truncation=True, max_length=self._max_length)["input_ids"])

    def _read(self, group: list[_Scored]) -> list[float]:
        import torch

        tensors = self._checkpoint.tensors([row.tokens for row in group])
        with torch.inference_mode():
            logits = self._checkpoint.model(**tensors).logits
            answers = []
            for number, (tokens, count) in enumerate(group):
                scores = logits[number, len(tokens) - 1 - count : len(tokens) - 1].float()
                wanted = tensors["input_ids"][number, len(tokens) - count : len(tokens)]
                answers.append(float(torch.nn.functional.cross_entropy(scores, wanted)))
        return answers


def bind_message_loss(
    *, model: str, only_last: bool, max_length: int | None, dtype: str, device: str | None, texts_at_once: int
) -> Callable[[Sequence[str]], list[Any]]:
    """Return the function from JSON lists of strings to the mean loss of the last one, with the others before it or alone."""
    scorer = _LossModel(model, max_length, dtype, device, texts_at_once)

    def message_loss(rows: Sequence[str]) -> list[Any]:
        conversations = [json.loads(row) for row in rows]
        return scorer.losses([each[-1:] for each in conversations] if only_last else conversations)

    return message_loss


def bind_exponential() -> Callable[[float], float]:
    """Return the exponential function; what is too large is infinite."""
    return lambda value: math.exp(value) if value < 709 else math.inf


def bind_quotient() -> Callable[[float, float], float]:
    """Return the quotient of two numbers; NaN for two zeros."""
    return _quotient


def _quotient(value: float, by: float) -> float:
    if by:
        return value / by
    return math.nan if math.isnan(by) or not value else math.copysign(math.inf, value)


def bind_in_context_influence(
    *,
    model: str,
    valid_dataset: str | None,
    task_desc: str | None,
    valid_as_demo: bool,
    n_shot: int | None,
    query_template: str,
    response_template: str,
    names: Sequence[str],
    max_length: int | None,
    dtype: str,
    device: str | None,
    texts_at_once: int,
) -> Callable[[Sequence[str]], list[Any]]:
    """Return the function from JSON lists of strings to how much they help, or are helped by, the validation rows.

    Raises
    ------
    RecipeError
        If there are no validation rows, or one of them has no messages.
    """
    rows = json.loads(valid_dataset) if valid_dataset else None
    rows = rows[:n_shot] if rows else None
    if not rows:
        raise RecipeError("in_context_influence_filter: valid_dataset must have at least one row, got none")
    query = Template(query_template, names, what="query_template")
    response = Template(response_template, names, what="response_template")
    valid = []
    for number, row in enumerate(rows):
        try:
            valid.append([*([task_desc] if task_desc else []), *contents_of(*row_values(row, names), query, response)])
        except (ValueError, TypeError) as error:
            raise RecipeError(f"in_context_influence_filter: valid_dataset[{number}]: {error}") from error
    scorer = _LossModel(model, max_length, dtype, device, texts_at_once)
    valid_losses: list[float] = []
    lock = threading.Lock()

    def in_context_influence(rows: Sequence[str]) -> list[Any]:
        samples = [json.loads(row) for row in rows]
        if valid_as_demo:
            alone = scorer.losses(samples)
            joined = [[*each, *sample] for sample in samples for each in valid]
        else:
            with lock:
                if not valid_losses:
                    valid_losses.extend(_all_of(scorer.losses(valid)))
            joined = [[*sample, *each] for sample in samples for each in valid]
        together = scorer.losses(joined)
        answers: list[Any] = []
        for number in range(len(samples)):
            own = together[number * len(valid) : (number + 1) * len(valid)]
            before = [alone[number]] * len(valid) if valid_as_demo else valid_losses
            answers.append(_mean_quotient(before, own))
        return answers

    return in_context_influence


def _all_of(losses: Sequence[float | Exception]) -> list[float]:
    for number, loss in enumerate(losses):
        if isinstance(loss, Exception):
            raise RecipeError(f"in_context_influence_filter: valid_dataset[{number}]: {loss}") from loss
    return losses  # type: ignore[return-value]


def _mean_quotient(above: Sequence[float | Exception], below: Sequence[float | Exception]) -> float | Exception:
    for each in (*above, *below):
        if isinstance(each, Exception):
            return each
    return math.fsum(map(_quotient, above, below)) / len(below)  # type: ignore[arg-type]
