"""Questions and answers, checked by a language model against a reference text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from djfast.errors import UnusableAnswerError
from djfast.functions.language_models import Asking, checked_pattern, conversing, messages, text_in
from djfast.llm.asking import Ask
from djfast.llm.conversations import Conversation, tries
from djfast.llm.prompts import load_prompt

# The answer's first line is taken: what follows a line feed there is left out, as in published data sets.
_QA = r"【问题】\s*(.*?)\s*【回答】\s*(.*)"


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
    given = dict(templates)
    names = {"system": (), "input": ("reference", "qa_pair"), "reference": ("text",), "qa_pair": ("query", "response")}
    made = {
        section: prompt.template(section, allowed, given=given[section], what=f"{ask.op}: {section}")
        for section, allowed in names.items()
    }
    pattern = checked_pattern(ask.op, output_pattern, groups=2 if asks_for == "qa" else 1) if output_pattern else None

    def parts(answer: str) -> dict[str, str]:
        if asks_for == "qa":
            found = (pattern or re.compile(_QA)).match(answer)
            read = dict(zip(("query", "response"), (part.strip() for part in found.groups()[:2]))) if found else {}
        else:
            found = pattern.match(answer) if pattern else None
            read = {asks_for: (found.groups()[-1] if found else answer).strip()}
        read = {name: part for name, part in read.items() if part}
        if not read:
            raise ValueError("neither a question nor an answer stands in it")
        return read

    def talk(text: str, query: str, response: str) -> Conversation[str]:
        pair = made["qa_pair"].fill(query=text_in(query), response=text_in(response))
        user = made["input"].fill(reference=made["reference"].fill(text=text), qa_pair=pair)
        try:
            read = yield from tries(Ask(messages(made["system"].fill(), user)), parts, try_num=ask.try_num)
        except UnusableAnswerError:
            read = {}
        return json.dumps(read, ensure_ascii=False)

    return conversing(ask, ask.language_model(prompt_version=prompt.version), talk)
