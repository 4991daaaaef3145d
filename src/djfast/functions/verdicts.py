"""Yes, no, and scores, in the spellings of language models."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from djfast.errors import UnusableAnswerError
from djfast.llm.structured import read_json

_WORDS = {
    **dict.fromkeys(("yes", "y", "true", "yeah", "yep"), True),
    **dict.fromkeys(("no", "n", "false", "nope"), False),
}
# What a run of Chinese begins with; the longer ones are looked at first.
_BEGINNINGS: dict[str, bool | None] = {
    **dict.fromkeys(("是否", "是不是", "不确定", "不知道", "不清楚", "不一定"), None),
    **dict.fromkeys(("是的", "对的", "符合", "满足", "成立", "正确"), True),
    **dict.fromkeys(("不是", "不符合", "不满足", "不成立", "不正确", "不对", "否"), False),
}
_WHOLE_RUNS = {"是": True, "对": True, "不": False, "没有": False, "错误": False}
_LONGEST_FIRST = sorted(_BEGINNINGS, key=len, reverse=True)
_MARKUP = re.compile(r"<[^<>\n]{1,30}>|\\(?:boxed|text|textbf)\{|```\w*")
_FIRST = re.compile(r"[\W_]*([a-z]+(?:['’][a-z]+)?|[\u4e00-\u9fff]+)")
_UNDECIDED = re.compile(
    r"[\W_]*(?:(?:yes|no|y|n|true|false)\W*(?:/|\||\bor\b|\band\b)\W*(?:yes|no|y|n|true|false)\b"
    r"|no (?:idea|clue|way to|comment)\b)"
)
_LABEL = re.compile(
    r"\b(?:answer|decision|verdict|conclusion|result|judge?ment)\b(?:[\W_]*(?:is|would be)\b)?"
    r"|(?:答案|回答|结论|判断|结果)(?:是|为)?(?=\W)"
)

_SCORE = re.compile(
    r"[\s*_\"']*([+-]?\d{1,7}(?:\.\d{1,9})?)[\s*_\"']*"
    r"(?:(?:/|out of|of)\s*(\d{1,4}(?:\.0+)?)[\s*_\"']*|分|points?|stars?)?(?:[\s.,;:(（–—-][^0-9]*)?",
    re.ASCII | re.DOTALL | re.IGNORECASE,
)
_MEMBERS = ("score", "rating", "value")
_NAMES = ("dimension", "name")


def decision(answer: str, *, is_last: bool = False) -> bool | None:
    """Return whether an answer says yes, or no; None if it says neither or both.

    The word may stand in quotes, in markup, behind a label such as ``Answer:``, before its reasons, or as the one value of
    an object.

    Parameters
    ----------
    is_last : bool
        Whether thoughts come first, so that the last line decides; else it is the first line that has a decision, of the
        first and the last one.
    """
    if answer.lstrip("`jsonJSON \n").startswith("{"):
        return _of_object(answer)
    lines = [line for line in _MARKUP.sub(" ", answer).lower().splitlines() if re.search(r"\w", line)]
    for line in lines[-1:] if is_last else [*lines[:1], *lines[-1:]]:
        found = _of_line(line)
        if found is not None:
            return found
    return None


def _of_line(line: str) -> bool | None:
    """Return what a line begins with or, if it has labels, what stands behind the last one."""
    labels = list(_LABEL.finditer(line))
    if labels and (found := _first_word(line[labels[-1].end() :])) is not None:
        return found
    return _first_word(line)


def _first_word(text: str) -> bool | None:
    first = _FIRST.match(text)
    if first is None or _UNDECIDED.match(text):
        return None
    word = first[1]
    whole = {**_WORDS, **_WHOLE_RUNS}.get(word)
    if whole is not None:
        return whole
    return next((_BEGINNINGS[each] for each in _LONGEST_FIRST if word.startswith(each)), None)


def _of_object(answer: str) -> bool | None:
    try:
        values = read_json(answer).values()
    except UnusableAnswerError:
        return None
    found = {value if isinstance(value, bool) else _of_line(value.lower()) for value in values if isinstance(value, bool | str)}
    decided = found - {None}
    return decided.pop() if len(decided) == 1 else None


def score_in(value: Any, *, best: float) -> float | None:
    """Return a score: a number, or a text or an object that has one; None if it has none.

    ``"4"``, ``"4/5"``, ``"4 out of 5"``, ``"4分"`` and ``{"score": 4}`` are all 4; a score of another scale is brought to `best`.
    """
    if isinstance(value, Mapping):
        value = next((value[name] for name in _MEMBERS if name in value), None)
    if isinstance(value, str):
        match = _SCORE.fullmatch(value)
        if match is None:
            return None
        scale = float(match[2]) if match[2] else best
        return float(match[1]) * best / scale if scale else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def scores_in(record: Mapping[str, Any], member: str, dimensions: Sequence[str], *, best: float) -> list[float]:
    """Return the scores of the dimensions in a record: in its member of this name, or in the record itself.

    Names may be written with spaces or hyphens and in capitals; a list of objects with names and scores is fine, too.

    Raises
    ------
    ValueError
        If one is missing or no number.
    """
    given = record.get(member, record)
    if isinstance(given, list):
        given = {name: each for each in given if isinstance(each, Mapping) for name in [_name_of(each)] if name}
    if not isinstance(given, Mapping):
        raise ValueError(f"{member} is not an object")
    by_name = {_plain(name): value for name, value in given.items()}
    scores = []
    for name in dimensions:
        score = score_in(given[name] if name in given else by_name.get(_plain(name)), best=best)
        if score is None:
            raise ValueError(f"the score of {name} is not a number")
        scores.append(score)
    return scores


def _name_of(each: Mapping[str, Any]) -> str:
    name = next((each[name] for name in _NAMES if isinstance(each.get(name), str)), "")
    return str(name)


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().lower())
