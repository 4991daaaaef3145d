"""Judgements of a language model about dialogues and the work of agents."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from djfast.errors import UnusableAnswerError
from djfast.functions.dialog_turns import clipped, turns_in
from djfast.functions.language_models import Asking, conversing, in_language, messages, text_in
from djfast.functions.verdicts import score_in
from djfast.llm.asking import Ask
from djfast.llm.conversations import Conversation, tries
from djfast.llm.prompts import Prompt, load_prompt
from djfast.llm.structured import read_json

_LOWEST, _HIGHEST = 1.0, 5.0
_LONGEST_REASON = 2_000
_LONGEST_RAW = 8_000
_LONGEST_EVIDENCE = 2_000  # of one text in it
_MOST_NAMES = 30
_PHRASE_ENDS = re.compile("[,，、;；]")
_NO_ANSWER = "empty_llm_response"
_NO_JSON = "json_parse_failed"


def bind_judged(
    *,
    judge: str,
    reads: str,
    eval_kind: str,
    overwrite: bool,
    limits: Iterable[tuple[str, int]],
    language: str,
    asking: Iterable[Any],
) -> Callable[..., list[Any]]:
    """Return the function of columns of JSON: the judgement that is there already, and what is judged.

    Parameters
    ----------
    judge : str
        Section of the prompt file that tells what is judged.
    reads : {"dialog", "trace", "tools"}
        What is judged: a history, a query and a response; a text; or a query, a response, tools and the foremost tool.
    eval_kind : str
        Goes into the judgement.
    overwrite : bool
        Whether rows with a judgement are judged again.
    limits : items of a mapping
        Turns, and characters of a query, a response and a text that are shown.

    Returns
    -------
    callable
        Gives JSON objects: ``score``, ``reason`` and ``eval_kind``, or ``skipped`` or ``error`` with what is known.
    """
    ask = Asking.of(asking)
    prompt = load_prompt("judge", "en")
    parts = {"question": prompt.sections[judge], "example": prompt.sections[f"{judge}_example"]}
    system = prompt.template("system", tuple(parts)).fill(**parts)
    system = in_language(system, language)
    material = {"dialog": _dialog, "trace": _trace, "tools": _tools}[reads](prompt, dict(limits))

    def talk(*values: str) -> Conversation[str]:
        said = material(*values)
        if not said:
            return json.dumps({"skipped": True, "reason": "empty_input"})
        judgement: dict[str, Any] = {"error": _NO_ANSWER}

        def parse(answer: str) -> dict[str, Any]:
            nonlocal judgement
            judgement = _judgement(answer, eval_kind)
            if "error" in judgement:
                raise ValueError(judgement["error"])
            return judgement

        with contextlib.suppress(UnusableAnswerError):  # the judgement says what is wrong with the last answer
            yield from tries(Ask(messages(system, said)), parse, try_num=ask.try_num)
        return json.dumps(judgement, ensure_ascii=False)

    return conversing(ask, ask.language_model(prompt_version=prompt.version), talk, known=1, overwrite=overwrite)


def bind_agent_insight(
    names: Sequence[str],
    longest: Iterable[tuple[str, int]],
    run_for_tiers: Sequence[str] | None,
    system: str | None,
    language: str,
    asking: Iterable[Any],
) -> Callable[..., list[Any]]:
    """Return the function of columns of JSON: the insight that is there already, tier, query, response, and the evidence.

    Parameters
    ----------
    names : sequence of str
        How the evidence is called, column by column.
    longest : items of a mapping
        Characters of the query and of the response that are shown.
    run_for_tiers : sequence of str or None
        Tiers of bad cases that are asked about; None asks about all rows.

    Returns
    -------
    callable
        Gives JSON objects with ``insight``, ``raw`` (the answer) and ``language``; nothing for rows that are not asked about.
    """
    ask = Asking.of(asking)
    prompt = load_prompt("agent_insight", "en")
    instruction = in_language(system or prompt.template("system").fill(), language)
    question = prompt.template("input", ["evidence"])
    limits = dict(longest)

    def talk(tier: str, query: str, response: str, *values: str) -> Conversation[str]:
        if run_for_tiers is not None and (json.loads(tier) if tier else None) not in run_for_tiers:
            return ""
        evidence = {name: _shortened(json.loads(value)) if value else None for name, value in zip(names, values)}
        evidence["query_preview"] = clipped(text_in(query), limits["query"])
        evidence["response_preview"] = clipped(text_in(response), limits["response"])
        user = question.fill(evidence=json.dumps(evidence, ensure_ascii=False))
        raw = ""

        def parse(answer: str) -> Any:
            nonlocal raw
            raw = answer[:_LONGEST_RAW]
            return read_json(answer)

        try:
            insight = yield from tries(Ask(messages(instruction, user)), parse, try_num=ask.try_num)
        except UnusableAnswerError:
            insight = _NO_INSIGHT
        return json.dumps({"insight": insight, "raw": raw, "language": language}, ensure_ascii=False)

    return conversing(ask, ask.language_model(prompt_version=prompt.version), talk, known=1)


_NO_INSIGHT = {
    "headline": "The answer could not be read; see agent_insight_llm_raw.",
    "root_causes": [],
    "narrative_alignment": "mixed",
    "human_review_priority": "P2",
    "viz_facets": [],
    "audit_notes": "JSON parse failed",
}


def bind_agent_skill_insights(system: str | None, language: str, asking: Iterable[Any]) -> Callable[..., list[Any]]:
    """Return the function of columns of JSON: the insights that are there already, names of tools, and names of skills.

    Returns
    -------
    callable
        Gives JSON lists of phrases; nothing for rows that have insights.
    """
    ask = Asking.of(asking)
    prompt = load_prompt("agent_skills", "en")
    instruction = in_language(system or prompt.template("system").fill(), language)
    question = prompt.template("input", ["tools", "skills"])

    def parse(answer: str) -> list[str]:
        phrases = list(dict.fromkeys(phrase for part in _PHRASE_ENDS.split(answer) if (phrase := part.strip())))
        if not phrases:
            raise ValueError("it contains no phrase")
        return phrases

    def talk(tools: str, skills: str) -> Conversation[str]:
        named = [_names(value) for value in (tools, skills)]
        if not any(named):
            return "[]"
        user = question.fill(tools=", ".join(named[0]), skills=", ".join(named[1]))
        try:
            phrases = yield from tries(Ask(messages(instruction, user)), parse, try_num=ask.try_num)
        except UnusableAnswerError:
            phrases = []
        return json.dumps(phrases, ensure_ascii=False)

    return conversing(ask, ask.language_model(prompt_version=prompt.version), talk, known=1)


def answered_object(answer: str, *, having: str) -> dict[str, Any] | str:
    """Return the object in an answer, if there is one the one that has a member, or what is wrong with it."""
    if not answer.strip():
        return _NO_ANSWER
    for schema in ({"type": "object", "required": [having]}, None):
        with contextlib.suppress(UnusableAnswerError):
            read: dict[str, Any] = read_json(answer, schema)
            return read
    return _NO_JSON


def shown(value: Any) -> str:
    """Return a value of any type as a text; null is the empty one."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _judgement(answer: str, eval_kind: str) -> dict[str, Any]:
    read = answered_object(answer, having="score")
    if isinstance(read, str):
        return {"error": read} if read == _NO_ANSWER else {"error": read, "raw": answer[:_LONGEST_REASON]}
    reason = shown(read.get("reason"))[:_LONGEST_REASON]
    score = score_in(read.get("score"), best=_HIGHEST)
    if score is None:
        return {"error": "bad_score", "score": None, "reason": reason, "eval_kind": eval_kind}
    return {"score": min(max(score, _LOWEST), _HIGHEST), "reason": reason, "eval_kind": eval_kind}


def _dialog(prompt: Prompt, limits: dict[str, int]) -> Callable[..., str]:
    whole, one = prompt.template("dialog", ["turns"]), prompt.template("turn", ["query", "response"])

    def material(history: str, query: str, response: str) -> str:
        turns = turns_in(history, query, response)
        turns = [turn for turn in turns if turn.query.strip() or turn.response.strip()]
        if not turns:
            return ""
        told = [
            one.fill(query=clipped(turn.query, limits["query"]), response=clipped(turn.response, limits["response"]))
            for turn in turns[max(0, len(turns) - limits["turns"]) :]
        ]
        return whole.fill(turns="\n\n".join(told))

    return material


def _trace(prompt: Prompt, limits: dict[str, int]) -> Callable[..., str]:
    whole = prompt.template("trace", ["text"])

    def material(value: str) -> str:
        text = text_in(value)
        return whole.fill(text=clipped(text, limits["text"])) if text.strip() else ""

    return material


def _tools(prompt: Prompt, limits: dict[str, int]) -> Callable[..., str]:
    whole = prompt.template("tools", ["query", "response", "tools", "primary"])

    def material(query: str, response: str, tools: str, primary: str) -> str:
        asked, answered, names, foremost = text_in(query), text_in(response), _names(tools), _names(primary)
        if not (asked.strip() or answered.strip() or names):
            return ""
        return whole.fill(
            query=clipped(asked, limits["query"]),
            response=clipped(answered, limits["response"]),
            tools=", ".join(names),
            primary=", ".join(foremost),
        )

    return material


def _names(value: str) -> list[str]:
    """Return the distinct names in the JSON of a list, or of one name; only the first ones of many."""
    read = json.loads(value) if value else None
    items = read if isinstance(read, list) else [read]
    names = dict.fromkeys(item.strip() for item in items if isinstance(item, str))
    return [name for name in names if name][:_MOST_NAMES]


def _shortened(value: Any) -> Any:
    """Return evidence in which no value is longer than what is worth to be shown."""
    text = shown(value)
    return value if len(text) <= _LONGEST_EVIDENCE else clipped(text, _LONGEST_EVIDENCE)
