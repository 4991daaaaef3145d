"""Dialogues with agents: their turns, tools and skills, and the tokens they used."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from djfast.functions.patterns import BoundedPattern
from djfast.records import NamedTuple

_PREVIEW = 200  # characters of a tool's answer that are kept
_NAMES_SHOWN = 10

_SKILL_FILE = re.compile(r"[/\\]([a-z]\w*)[/\\]skill\.md", re.ASCII | re.IGNORECASE)
_SKILL_HEADING = re.compile(r"##\s+([A-Za-z]\w*(?:\.\w+)?)\s*$", re.ASCII | re.MULTILINE)

_TOOL_ERRORS = (
    r"(?i)\berror\s*:",
    r"(?i)\b(?:exception|failed|failure)\b",
    r"(?i)not\s+found",
    r"(?i)permission\s+denied",
    "(?:执行|操作|请求|调用|接口)失败",
    "(?:发生|出现)错误",
    "错误码|无法访问|权限不足|无权限|找不到",
)

# How a text that is too long is cut. Room for the note in the middle is reserved, however long the note is in the end.
_ROOM_FOR_NOTE = 128
_LEAST_PART = 200
_ROOM_FOR_END = 48
_CUT_OFF = "\n…[truncated — agent_dialog_normalize_mapper]…"
_LEFT_OUT = "\n\n[··· {} chars omitted from middle; head+tail preserved — agent_dialog_normalize_mapper]\n\n"


class Limits(NamedTuple):
    """Most characters of the parts of a dialogue; 0 or less is no limit."""

    user: int
    assistant: int
    tool: int
    head_share: float


class Turn(NamedTuple):
    """What the user said, and all that came back until the user spoke again."""

    user: str
    assistant: str


class _Counts(NamedTuple):
    """Tokens that one usage names."""

    prompt: float
    completion: float
    total: float | None

    def with_total(self) -> tuple[float, ...]:
        return self.prompt, self.completion, self.prompt + self.completion if self.total is None else self.total


def bind_agent_dialog(
    *, user_label: str, assistant_label: str, with_system: bool, with_names: bool, limits: Sequence[Any]
) -> Callable[[str, str], str]:
    """Return the function that makes turns of the JSON of messages and of choices; its answer is a JSON object."""
    bounds = Limits(*limits)

    def agent_dialog(messages_json: str, choices_json: str) -> str:
        messages = _messages(messages_json)
        full = _turns([message for _, message in messages], bounds, with_system=with_system)
        turns = [Turn(_shortened(t.user, bounds.user, bounds), _shortened(t.assistant, bounds.assistant, bounds)) for t in full]
        last = turns[-1] if turns else Turn("", "")
        labelled = ((label, said) for turn in turns for label, said in zip((user_label, assistant_label), turn) if said)
        answer: dict[str, Any] = {
            "text": "\n\n".join(f"{label}: {said}" for label, said in labelled),
            "history": turns,
            "query": last.user,
            "response": last.assistant or _first_choice(choices_json),
            "is_compressed": turns != full or any(_is_long_result(message, bounds) for _, message in messages),
            "turn_count": len(turns),
        }
        for role in ("user", "assistant"):
            places = [place for place, message in messages if _role(message) == role]
            if places:
                answer[f"last_{role}"] = places[-1]
        if with_names:
            called = (name.strip() for _, message in messages for name in _called_tools(message))
            answer["tools"] = _distinct(called) or [""]
            answer["skills"] = _distinct(skill for _, message in messages for skill in _skills(message)) or [""]
        return _written(answer)

    return agent_dialog


def bind_first_known() -> Callable[..., str]:
    """Return the function that takes the first of some JSON values that is neither null nor blank, as a text."""

    def first_known(*values: str) -> str:
        for value in values:
            read = _read(value)
            text = read if isinstance(read, str) else _scalar_text(read) or value
            if read is not None and text.strip():
                return _written(text.strip())
        return ""

    return first_known


def bind_known_value() -> Callable[[str], str]:
    """Return the function that leaves out nulls."""
    return lambda value: "" if value == "null" else value


def bind_ranked_names(limit: int) -> Callable[[str], str]:
    """Return the function that ranks the names in a JSON list: the most frequent first, of equals the first."""

    def ranked_names(names_json: str) -> str:
        names = _read(names_json)
        texts = (name.strip() if isinstance(name, str) else _scalar_text(name) for name in _list(names))
        ranked = [name for name, _ in Counter(text for text in texts if text).most_common(limit)]
        return _written({"primary": ranked[0] if ranked else None, "dominant": ranked})

    return ranked_names


def bind_tool_results(roles: Sequence[str], error_patterns: Sequence[str]) -> Callable[[str], str]:
    """Return the function that judges what tools answered; its answer is a JSON object.

    Raises
    ------
    RecipeError
        If a pattern is not valid.
    """
    tool_roles = {role.lower() for role in roles}
    is_error = _matcher(error_patterns or _TOOL_ERRORS)

    def tool_results(messages_json: str) -> str:
        texts = [_tool_text(message.get("content")) for _, message in _messages(messages_json) if _role(message) in tool_roles]
        results = ["unknown" if not text else "error" if is_error(text) else "success" for text in texts]
        count = Counter(results)
        judged = count["success"] + count["error"]
        return _written(
            {
                "success": count["success"],
                "error": count["error"],
                "unknown": count["unknown"],
                "ratio": count["success"] / judged if judged else None,
                "results": [{"content_preview": text[:_PREVIEW], "result": result} for text, result in zip(texts, results)],
            }
        )

    return tool_results


def bind_token_usage(*, distinct: bool) -> Callable[[str, str, str], str]:
    """Return the function that adds up token counts of JSON usage, response metadata and choices."""

    def token_usage(usage_json: str, metadata_json: str, choices_json: str) -> str:
        owners = [_read(metadata_json)]
        for choice in _list(_read(choices_json)):
            owners += [choice, _said(choice)]
        found = [counts for value in (_read(usage_json), *map(_usage_of, owners)) if (counts := _counts(value)) is not None]
        if distinct:
            firsts: dict[tuple[float, ...], _Counts] = {}
            for counts in found:
                firsts.setdefault(counts.with_total(), counts)
            found = list(firsts.values())
        prompt = sum(counts.prompt for counts in found)
        completion = sum(counts.completion for counts in found)
        given = [counts.total for counts in found if counts.total is not None]
        total = given[0] if given else prompt + completion or None
        return _written({"prompt": prompt, "completion": completion, "total": total})

    return token_usage


def number_in(value: Any) -> int | float | None:
    """Return the number that a JSON value is or spells, None for anything else."""
    if isinstance(value, str):
        for kind in (int, float):
            try:
                number = kind(value)
            except ValueError:
                continue
            return number if math.isfinite(number) else None
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if is_number else None


# JSON in and out.


def _read(value: str) -> Any:
    return json.loads(value) if value else None


def _written(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    text.encode()  # a lone surrogate is this row's error
    return text


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))


# Messages.


def _messages(messages_json: str) -> list[tuple[int, dict[str, Any]]]:
    """Messages with their places; whatever is not an object is none."""
    return [(place, each) for place, each in enumerate(_list(_read(messages_json))) if isinstance(each, dict)]


def _role(message: dict[str, Any]) -> str:
    role = message.get("role")
    return role.lower() if isinstance(role, str) else ""


def _scalar_text(value: Any) -> str:
    """Return a text as it is, a number or a truth as JSON writes it, the empty text for anything else."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else ""


def _content_text(content: Any) -> str:
    """Return what a message says: a text, the texts of a list of blocks, or the text of one block."""
    if isinstance(content, list):
        return _joined(_block_text(each) if isinstance(each, dict) else each for each in content)
    if isinstance(content, dict):
        return _said_in(content.get("text")) or _content_text(content.get("content")) or _said_in(content.get("value"))
    return _spoken(content).strip()


def _spoken(value: Any) -> str:
    """Return a text as it is, a number or a truth as Python writes it, the empty text for anything else."""
    return str(value) if isinstance(value, str | bool | int | float) else ""


def _joined(texts: Iterable[Any]) -> str:
    return "\n".join(text.strip() for text in texts if isinstance(text, str) and text.strip())


def _said_in(value: Any) -> str:
    """Return the text of a member of a block, however deep it lies: a text, texts, or an object that holds one."""
    if isinstance(value, list):
        return _joined(_said_in(each) for each in value)
    if isinstance(value, dict):
        return next((text for name in ("text", "content", "value") if (text := _said_in(value.get(name)))), "")
    return _spoken(value).strip()


_REASONS = ("thinking", "reasoning", "reasoning_content")


def _block_text(block: dict[str, Any]) -> str:
    kind = block.get("type")
    names = _REASONS if kind in ("thinking", "reasoning") else ("text",) if kind else ("text", *_REASONS)
    return next((text for name in names if (text := _said_in(block.get(name)))), "")


def _tool_text(content: Any) -> str:
    """Return what a tool answered; objects that are no blocks of text count as their JSON."""
    if isinstance(content, list):
        return _joined(_tool_part(each) for each in content)
    return (json.dumps(content, ensure_ascii=False) if isinstance(content, dict) else _spoken(content)).strip()


def _tool_part(part: Any) -> str:
    if isinstance(part, dict):
        return _tool_text(part.get("text")) if part.get("type") == "text" else json.dumps(part, ensure_ascii=False)
    return part if isinstance(part, str) else ""


def _called_tools(message: dict[str, Any]) -> list[str]:
    names = []
    for called in _list(message.get("tool_calls")) or _list(message.get("tool_use")):
        if isinstance(called, dict):
            holders = (called.get("function"), called.get("function_call"), called)
            found = (holder.get("name") for holder in holders if isinstance(holder, dict))
            names.append(next((name for name in found if name), None))
    return [name for name in names if isinstance(name, str) and name.strip()]


def _skills(message: dict[str, Any]) -> list[str]:
    text = _content_text(message.get("content"))
    return _SKILL_FILE.findall(text) + _SKILL_HEADING.findall(text)


def _said(choice: Any) -> Any:
    """Return the message of a choice, or the part of one that a stream brought."""
    return (choice.get("message") or choice.get("delta")) if isinstance(choice, dict) else None


def _first_choice(choices_json: str) -> str:
    said = (_said(choice) for choice in _list(_read(choices_json)))
    texts = (_content_text(message.get("content")) for message in said if isinstance(message, dict))
    return next((text for text in texts if text), "")


# Turns.


def _turns(messages: Iterable[dict[str, Any]], limits: Limits, *, with_system: bool) -> list[Turn]:
    turns: list[tuple[str, list[str]]] = []  # what the user said, and the parts of what came back
    waiting: list[str] = []  # what the system said, until the user speaks
    for message in messages:
        role = _role(message)
        text = _content_text(message.get("content"))
        if role == "system" and with_system:
            waiting.append(text)
        elif role == "user":
            turns.append(("\n\n".join(said for said in (*waiting, text) if said), []))
            waiting = []
        elif role == "assistant" and (said := text or _calls_shown(message)):
            turns = turns or [("", [])]
            parts = turns[-1][1]
            parts += ["\n\n", said] if parts else [said]
        elif role == "tool" and turns:
            parts = turns[-1][1]
            parts += ["\n"] if parts else []
            parts += ["[Tool result]\n", _shortened(text, limits.tool, limits)]
    return [Turn(user, "".join(parts)) for user, parts in turns]


def _calls_shown(message: dict[str, Any]) -> str:
    names = list(dict.fromkeys(_called_tools(message)))
    more = [f"...+{len(names) - _NAMES_SHOWN}"] if len(names) > _NAMES_SHOWN else []
    return f"[Tool calls: {', '.join(names[:_NAMES_SHOWN] + more)}]" if names else ""


def _is_long_result(message: dict[str, Any], limits: Limits) -> bool:
    return _role(message) == "tool" and 0 < limits.tool < len(_content_text(message.get("content")))


def _shortened(text: str, limit: int, limits: Limits) -> str:
    """Leave out the middle of a text that is too long, or its end where the limit leaves no room for two parts."""
    if limit <= 0 or len(text) <= limit:
        return text
    kept = limit - _ROOM_FOR_NOTE
    if kept < 2 * _LEAST_PART:
        return text[: max(0, limit - _ROOM_FOR_END)] + _CUT_OFF
    head = int(kept * min(max(limits.head_share, 0.35), 0.85))
    head = min(max(head, _LEAST_PART), kept - _LEAST_PART)
    return text[:head] + _LEFT_OUT.format(len(text) - kept) + text[len(text) - (kept - head) :]


# Patterns and counts.


def _matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    compiled = [BoundedPattern(pattern, "error_patterns") for pattern in patterns]
    return lambda text: any(each.is_in(text) for each in compiled)


def _usage_of(owner: Any) -> Any:
    """Return the usage in an object, or the object, which may be one itself."""
    return (owner.get("usage") or owner) if isinstance(owner, dict) else None


def _counts(usage: Any) -> _Counts | None:
    """Return the counts of a usage; None where it has none."""
    if not isinstance(usage, dict):
        return None
    names = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))
    known = [[number for name in pair if (number := number_in(usage.get(name))) is not None] for pair in names]
    if not any(known):
        return None
    prompt, completion = (next((number for number in numbers if number), 0) for numbers in known)
    return _Counts(prompt, completion, number_in(usage.get("total_tokens")))
