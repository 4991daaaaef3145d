"""Questions and answers, checked by a language model against a reference text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from djfast.errors import UnusableAnswerError
from djfast.functions.language_models import Asking, checked_pattern, conversing, messages, text_in
from djfast.llm.asking import Ask
from djfast.llm.conversations import Conversation, tries
from djfast.llm.prompts import load_prompt

Pair = tuple[str, str]
_QUESTION, _ANSWER = "【问题】", "【回答】"


def bind_calibrated(
    asks_for: str, templates: Iterable[tuple[str, str | None]], output_pattern: str | None, asking: Iterable[Any]
) -> Callable[..., list[Any]]:
    """Return the function of columns of texts, and of the JSON of questions and answers, that gives the corrected parts.

    Parameters
    ----------
    asks_for : {"qa", "query", "response"}
        Which parts the model gives back.
    templates : items of a mapping
        The user's system, input, reference and qa_pair templates; None takes that of the prompt file.
    output_pattern : str or None
        Regular expression of the answer.

    Returns
    -------
    callable
        Gives JSON objects with the parts that changed, ``{"query": ..., "response": ...}``.
    """
    ask = Asking.of(asking)
    prompt = load_prompt(f"calibrate_{asks_for}", "zh")
    names = {"system": (), "input": ("reference", "qa_pair"), "reference": ("text",), "qa_pair": ("query", "response")}
    made = prompt.templates(names, given=dict(templates), op=ask.op)
    parts = parts_reader(ask.op, asks_for, output_pattern, pair_in=_pair_of_lines)

    def talk(text: str, query: str, response: str) -> Conversation[str]:
        pair = made["qa_pair"].fill(query=text_in(query), response=text_in(response))
        user = made["input"].fill(reference=made["reference"].fill(text=text), qa_pair=pair)
        return (yield from parts_json(Ask(messages(made["system"].fill(), user)), parts, try_num=ask.try_num))

    return conversing(ask, ask.language_model(prompt_version=prompt.version), talk)


def _pair_of_lines(answer: str) -> Pair | None:
    """Return a question of one line that all begins with, and the first line of its answer, as in published data sets."""
    if not answer.startswith(_QUESTION):
        return None
    question, found, rest = answer.removeprefix(_QUESTION).partition(_ANSWER)
    question = question.strip()
    return (question, rest.lstrip().partition("\n")[0]) if found and "\n" not in question else None


def pair_after(answer: str, first: str, second: str) -> Pair | None:
    """Return what stands between two markers and what stands behind the second; None if they are not there, in this order.

    Markers are looked for, since a pattern that is tried everywhere takes for ever on a long answer that has none.
    """
    between, found, behind = answer.partition(first)[2].partition(second)
    return (between.strip(), behind.strip()) if found else None


def parts_reader(
    op: str, asks_for: str, output_pattern: str | None, *, pair_in: Callable[[str], Pair | None], flags: int = 0
) -> Callable[[str], dict[str, str]]:
    """Return what takes the question, the answer or both out of what a model said, and raises ValueError where it has none.

    `pair_in` finds the two where the user gave no pattern; one of them alone is all that was said then.

    Raises
    ------
    RecipeError
        If the user's pattern is not valid or has too few groups.
    """
    given = checked_pattern(op, output_pattern, groups=2 if asks_for == "qa" else 1, flags=flags) if output_pattern else None

    def parts(answer: str) -> dict[str, str]:
        groups = found.groups(default="") if given and (found := given.match(answer)) else ()
        if asks_for == "qa":
            pair = groups[:2] if given else pair_in(answer) or ()
            read = dict(zip(("query", "response"), pair))
        else:
            read = {asks_for: groups[-1] if groups else answer}
        read = {name: part.strip() for name, part in read.items() if part.strip()}
        if not read:
            raise ValueError("it contains neither a question nor an answer")
        return read

    return parts


def parts_json(ask: Ask, parts: Callable[[str], dict[str, str]], *, try_num: int) -> Conversation[str]:
    """Ask for the parts of a pair; a JSON object of them, an empty one if no answer could be used."""
    try:
        read = yield from tries(ask, parts, try_num=try_num)
    except UnusableAnswerError:
        read = {}
    return json.dumps(read, ensure_ascii=False)
