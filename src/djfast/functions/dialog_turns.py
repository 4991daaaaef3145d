"""Turns of a dialogue, and what a language model finds in each of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from djfast.errors import UnusableAnswerError
from djfast.functions.language_models import Asking, checked_pattern, conversing, in_language, messages, text_in
from djfast.llm.asking import Ask
from djfast.llm.conversations import Conversation, tries
from djfast.llm.prompts import load_prompt
from djfast.records import NamedTuple
from djfast.type_names import spoken_type

# What stands before the reason and before the label in an answer.
_MARKERS = {
    "intent": ("意图分析：", "意图类别："),
    "topic": ("话题分析：", "话题类别："),
    "sentiment": ("情感分析：", "情感类别："),
    "intensity": ("情绪分析：", "情绪值："),
}
_LINES_OF_A_TURN = 4
_CUT = "……"
_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,9}\s*")


class Turn(NamedTuple):
    """What the user said, and the response; empty where there is none."""

    query: str
    response: str


def turns_in(history: str, query: str, response: str) -> list[Turn]:
    """Return the turns of a row: the pairs of its history and, unless the query is empty, its query with its response.

    A last pair of the history with the same query is the row's own turn, and not counted twice.

    Parameters
    ----------
    history, query, response : str
        JSON of the fields; the empty text where a row has none.

    Raises
    ------
    TypeError
        If the history is not a list of pairs of strings, or a field is not a string.
    """
    pairs = json.loads(history) if history else None
    if not isinstance(pairs, list | None):
        raise TypeError(f"the history must be a list of pairs of strings, got {spoken_type(pairs)}")
    turns = [_turn(pair) for pair in pairs or []]
    last = Turn(text_in(query), text_in(response))
    if last.query:
        if turns and turns[-1].query == last.query:
            turns.pop()
        turns.append(last)
    return turns


def clipped(text: str, longest: int) -> str:
    """Return the beginning of a text, with a mark where the rest is left out; 0 leaves out nothing."""
    return text if not longest or len(text) <= longest else text[:longest] + _CUT


class Found(NamedTuple):
    """What the model says of one turn."""

    analysis: str
    label: str

    def intensity(self) -> int:
        """Return the label as an integer, 0 where it is none."""
        return int(self.label) if _WHOLE.fullmatch(self.label) else 0


def bind_dialog_turns_detected(
    detects: str,
    candidates: Iterable[str],
    max_round: int,
    templates: Iterable[tuple[str, str | None]],
    patterns: Iterable[tuple[str, str | None]],
    longest: Iterable[tuple[str, int]],
    language: str,
    asking: Iterable[Any],
) -> Callable[..., list[Any]]:
    """Return the function of columns of JSON: both tags as they are, the history, the query and the response.

    Parameters
    ----------
    detects : {"intent", "topic", "sentiment", "intensity"}
        What the model looks for.
    candidates : iterable of str
        Labels to choose from; none leaves the choice to the model.
    max_round : int
        Earlier turns that the model sees.
    templates, patterns : items of a mapping
        Those of the user; None takes ours.
    longest : items of a mapping
        Characters of a query and of a response that are shown; 0 shows all.

    Returns
    -------
    callable
        Gives JSON objects with the lists ``labels``, numbers for an intensity, and ``analysis``; nothing for rows that have
        both tags.
    """
    ask = Asking.of(asking)
    prompt = load_prompt(f"dialog_{detects}", "zh")
    given, shown = dict(templates), dict(longest)
    is_intensity = detects == "intensity"
    found_name = "intensity" if is_intensity else "labels"
    names = {"query": "query", "response": "response", "analysis": "analysis", "labels": found_name}
    line = {
        section: prompt.template(section, [name], given=given[section], what=f"{ask.op}: {name}_template")
        for section, name in names.items()
    }
    system = in_language(given["system"] or prompt.template("system").fill(), language)
    choice = ""
    if candidates := list(candidates):
        template = prompt.template(
            "candidates", ["candidate_str"], given=given["candidates"], what=f"{ask.op}: candidate_template"
        )
        choice = template.fill(candidate_str=",".join(candidates))
    own = dict(patterns)
    before_analysis, before_label = _MARKERS[detects]

    def pattern(part: str, name: str, ours: str) -> re.Pattern[str]:
        users = own[part]
        return checked_pattern(ask.op, users, groups=1, name=f"{name}_pattern") if users else re.compile(ours)

    analysis_pattern = pattern("analysis", "analysis", before_analysis + r"(.*?)\n")
    label_pattern = pattern("labels", found_name, before_label + r"(.*?)(?:\n|$)")

    def read(answer: str) -> Found:
        analysis, label = analysis_pattern.search(answer), label_pattern.search(answer)
        return Found((analysis[1] or "") if analysis else "", (label[1] or "") if label else "")

    def talk(history: str, query: str, response: str) -> Conversation[str]:
        remembered: list[str] = []
        results: list[Found] = []
        for turn in turns_in(history, query, response):
            user = line["query"].fill(query=clipped(turn.query, shown["query"]))
            known = remembered[max(0, len(remembered) - _LINES_OF_A_TURN * max_round) :]
            question = "\n".join(each.rstrip("\n") for each in (choice, *known, user) if each)
            found = yield from _one_turn(Ask(messages(system, question)), read, is_intensity=is_intensity, try_num=ask.try_num)
            results.append(found)
            remembered += [
                user,
                line["analysis"].fill(analysis=found.analysis),
                line["labels"].fill(**{found_name: str(found.intensity()) if is_intensity else found.label}),
                line["response"].fill(response=clipped(turn.response, shown["response"])),
            ]
        found_labels: list[Any] = [found.intensity() for found in results]
        if not is_intensity:
            found_labels = list(dict.fromkeys(found.label for found in results))
        answer = {"labels": found_labels, "analysis": [found.analysis for found in results]}
        return json.dumps(answer, ensure_ascii=False)

    return conversing(ask, ask.language_model(prompt_version=prompt.version), talk, known=2)


def _one_turn(ask: Ask, read: Callable[[str], Found], *, is_intensity: bool, try_num: int) -> Conversation[Found]:
    """Ask about a turn until there is a reason, and a number where one is asked for; else what the last answer says."""
    found = Found("", "")

    def parse(answer: str) -> Found:
        nonlocal found
        found = read(answer)
        if not found.analysis:
            raise ValueError("it contains no reason")
        if is_intensity and found.label and not _WHOLE.fullmatch(found.label):
            raise ValueError("it holds no integer")
        return found

    try:
        return (yield from tries(ask, parse, try_num=try_num))
    except UnusableAnswerError:
        return found


def _turn(pair: Any) -> Turn:
    if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(text, str | None) for text in pair):
        raise TypeError(f"the history must be a list of pairs of strings, got {json.dumps(pair, ensure_ascii=False)[:60]}")
    return Turn(*(text or "" for text in pair))
