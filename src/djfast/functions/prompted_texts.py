"""Texts that a language model in the process writes for a prompt."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from djfast.errors import RecipeError
from djfast.llm.asking import Ask
from djfast.llm.prompts import Template, load_prompt
from djfast.llm.transformers_backend import TransformersModel


def bind_augmented_sentence(
    model: str,
    system_prompt: str | None,
    task_sentence: str | None,
    second_key: str | None,
    sampling: Sequence[tuple[str, Any]],
    device: str | None,
) -> Callable[[Sequence[str]], list[Any]]:
    """Return the function from sentences to what the model makes of them.

    Raises
    ------
    RecipeError
        If there is no task, or no field for the answer.
    """
    op = "sentence_augmentation_mapper"
    if not second_key:
        raise RecipeError(f"{op}: text_key_second must name the field of the answer, got {second_key!r}")
    if not task_sentence:
        raise RecipeError(f"{op}: task_sentence must say what to do with the sentence, got {task_sentence!r}")
    prompt = load_prompt("sentence_augmentation")
    writer = TransformersModel(
        model, op=op, device=device, sampling=dict(sampling), batch_size=1, prompt_version=prompt.version
    )
    question = prompt.template("input", ["sentence", "task"])
    system = prompt.template("system").fill() if system_prompt is None else system_prompt

    def augmented_sentence(sentences: Sequence[str]) -> list[Any]:
        asks = []
        for sentence in sentences:
            user = {"role": "user", "content": question.fill(sentence=sentence, task=task_sentence)}
            asks.append(Ask([*([{"role": "system", "content": system}] if system else []), user]))
        return [_or_error(reply, lambda text: text.strip().strip('"')) for reply in writer.answers(asks, usage_of=op)]

    return augmented_sentence


def bind_prompted_tags(
    model: str, prompt: str | None, tag_list: Sequence[str], sampling: Sequence[tuple[str, Any]], device: str | None
) -> Callable[[Sequence[str]], list[Any]]:
    """Return the function from texts to JSON lists of the model's one answer, stripped."""
    op = "text_tagging_by_prompt_mapper"
    own = load_prompt("text_tagging", "zh")
    template = Template(prompt, ["text", "tag_list"], what="prompt") if prompt else own.template("input", ["text", "tag_list"])
    writer = TransformersModel(
        model, op=op, device=device, sampling=dict(sampling), batch_size=1, prompt_version="" if prompt else own.version
    )
    tags = ", ".join(tag_list)

    def prompted_tags(texts: Sequence[str]) -> list[Any]:
        replies = writer.answers([template.fill(text=text, tag_list=tags) for text in texts], usage_of=op)
        return [_or_error(reply, lambda text: json.dumps([text.strip()], ensure_ascii=False)) for reply in replies]

    return prompted_tags


def _or_error(reply: Any, made: Callable[[str], str]) -> str | Exception:
    try:
        return made(reply.text)
    except (RuntimeError, ValueError) as error:
        return error
