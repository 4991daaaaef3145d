"""Better questions, answers and prompts, by a language model."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from djfast.errors import RecipeError, UnusableAnswerError
from djfast.functions.calibration import pair_after, parts_json, parts_reader
from djfast.functions.language_models import Asking, checked_pattern, conversing, messages, text_in
from djfast.functions.rows import Row, path_of, with_text
from djfast.llm.asking import Ask
from djfast.llm.conversations import MOST_TURNS, Conversation, tries
from djfast.llm.prompts import load_prompt
from djfast.type_names import spoken_type

_QUESTION, _ANSWER, _REASON = "【问题】", "【回答】", "【原因】"
_PROMPT = r"【提示词】(.*?)(?=【|$)"


def bind_optimized(
    asks_for: str, templates: Iterable[tuple[str, str | None]], output_pattern: str | None, asking: Iterable[Any]
) -> Callable[..., list[Any]]:
    """Return the function of columns of the JSON of questions and answers that gives the better parts.

    Parameters
    ----------
    asks_for : {"qa", "query", "response"}
        Which parts the model gives back.
    templates : items of a mapping
        The user's system, input and qa_pair templates; None takes that of the prompt file.
    output_pattern : str or None
        Regular expression of the answer.

    Returns
    -------
    callable
        Gives JSON objects with the parts that changed, ``{"query": ..., "response": ...}``.
    """
    ask = Asking.of(asking)
    prompt = load_prompt(f"optimize_{asks_for}", "zh")
    names = {"system": (), "input": ("qa_pair",), "qa_pair": ("query", "response")}
    made = prompt.templates(names, given=dict(templates), op=ask.op)
    pair_in = partial(pair_after, first=_QUESTION, second=_ANSWER)
    parts = parts_reader(ask.op, asks_for, output_pattern, pair_in=pair_in, flags=re.DOTALL)

    def talk(query: str, response: str) -> Conversation[str]:
        user = made["input"].fill(qa_pair=made["qa_pair"].fill(query=text_in(query), response=text_in(response)))
        return (yield from parts_json(Ask(messages(made["system"].fill(), user)), parts, try_num=ask.try_num))

    return conversing(ask, ask.language_model(prompt_version=prompt.version), talk)


def bind_worse_answer(
    templates: Iterable[tuple[str, str | None]], output_pattern: str | None, asking: Iterable[Any]
) -> Callable[..., list[Any]]:
    """Return the function of columns of the JSON of references, questions and answers that gives worse answers with reasons.

    Returns
    -------
    callable
        Gives JSON objects, ``{"rejected": ..., "reason": ...}``, with empty texts for what the last answer did not have.
    """
    ask = Asking.of(asking)
    prompt = load_prompt("pair_preference", "zh")
    names = {"system": (), "input": ("reference", "query", "response")}
    made = prompt.templates(names, given=dict(templates), op=ask.op)
    pattern = checked_pattern(ask.op, output_pattern, groups=2, flags=re.DOTALL) if output_pattern else None

    def pair_in(answer: str) -> tuple[str, ...]:
        if pattern is None:
            return pair_after(answer, _ANSWER, _REASON) or ("", "")
        found = pattern.match(answer)
        return tuple(part.strip() for part in found.groups(default="")[:2]) if found else ("", "")

    def talk(reference: str, query: str, response: str) -> Conversation[str]:
        last: tuple[str, ...] = ("", "")

        def both(answer: str) -> tuple[str, ...]:
            nonlocal last
            last = pair_in(answer)
            if not all(last):
                raise ValueError("it must have an answer and a reason")
            return last

        user = made["input"].fill(reference=text_in(reference), query=text_in(query), response=text_in(response))
        with contextlib.suppress(UnusableAnswerError):  # `both` has kept what there was
            yield from tries(Ask(messages(made["system"].fill(), user)), both, try_num=ask.try_num)
        return json.dumps(dict(zip(("rejected", "reason"), last)), ensure_ascii=False)

    return conversing(ask, ask.language_model(prompt_version=prompt.version), talk)


def bind_rows_with_new_prompts(
    prompt_key: str,
    gen_num: int,
    max_example_num: int,
    keeps_row: bool,  # noqa: FBT001 - a parameter of the OP
    templates: Iterable[tuple[str, str | None]],
    output_pattern: str | None,
    asking: Iterable[Any],
) -> Callable[[list[Row]], list[Any]]:
    """Return the function of rows that adds to each the rows with new prompts.

    Raises
    ------
    RecipeError
        If one row could ask without an end in sight.
    """
    ask = Asking.of(asking)
    if gen_num * ask.try_num > MOST_TURNS:
        raise RecipeError(f"{ask.op}: gen_num times retry_num must be at most {MOST_TURNS}, got {gen_num * ask.try_num}")
    prompt = load_prompt("optimize_prompt", "zh")
    names = {"system": (), "input": ("examples",), "example": ("example",), "prompt": ("prompt",)}
    made = prompt.templates(names, given=dict(templates), op=ask.op)
    pattern = checked_pattern(ask.op, output_pattern or _PROMPT, groups=1, flags=re.DOTALL)

    def new_prompt(answer: str) -> str:
        found = pattern.search(answer)
        text = (found.group(1) or "").strip() if found else ""
        if not text:
            raise ValueError("it must have a prompt")
        return text

    def talk(row: Row) -> Conversation[list[Row]]:
        path = path_of(row, prompt_key)
        examples = [text] if (text := _prompt_at(row, path)) else []
        if not examples:
            return [row]
        rows = [row] if keeps_row else []
        for number in range(gen_num):
            shown = (made["example"].fill(example=made["prompt"].fill(prompt=example)) for example in examples)
            asked = messages(made["system"].fill(), made["input"].fill(examples="\n".join(shown)))
            try:
                # Each attempt asks anew, also where the examples are still those of the one before.
                first = Ask(asked, try_number=1 + number * ask.try_num)
                text = yield from tries(first, new_prompt, try_num=ask.try_num)
            except UnusableAnswerError:
                continue
            rows.append(with_text(row, path, text))
            examples = [*examples, text][-max_example_num:]
        return rows

    return conversing(ask, ask.language_model(prompt_version=prompt.version), talk)


def _prompt_at(row: Row, path: list[str]) -> str:
    """Return the prompt of a row; the empty text where there is none, or null.

    Raises
    ------
    TypeError
        If it is something else.
    """
    value: Any = row
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if value is not None and not isinstance(value, str):
        raise TypeError(f"field '{'.'.join(path)}' must be a string, got {spoken_type(value)}")
    return value or ""
