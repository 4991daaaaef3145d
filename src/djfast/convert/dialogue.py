"""Dialogues for tuning: Alpaca, ShareGPT, role and content messages, and those of ModelScope-Swift.

A common row has the last question and answer in `query` and `response`, the pairs before them in `history`, and what was said
before all of them in `system` and `instruction`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from djfast.convert.form import BadRow, Form, Options, Row, list_of, text_of, without
from djfast.declare import Param

_MEDIA = Param("multimodal_keys", "list[str]", "Fields with media, which become lists.", [])
_FIELDS = ("system", "instruction", "query", "response", "history")
_ASKING = ("human", "user", "observation", "tool")
_ANSWERING = ("gpt", "assistant", "function_call", "tool_call", "bot", "model", "chatgpt")


def _key(name: str, default: str, meaning: str) -> Param:
    return Param(name, "str", meaning, default)


def _listed(row: Row, options: Options) -> Row:
    """Wrap single media into lists."""
    return {
        name: [value] if name in options["multimodal_keys"] and value is not None and not isinstance(value, list) else value
        for name, value in row.items()
    }


def _optional(row: Row, field: str) -> str:
    return "" if row.get(field) is None else text_of(row, field)


def _history(row: Row) -> list[list[str]]:
    pairs = [] if row.get("history") is None else list_of(row, "history")
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise BadRow("history must be a list of pairs of strings")
    return pairs


def _common(pairs: Sequence[Sequence[str]]) -> Row:
    """Return the last pair as query and response, and the others as history."""
    *before, (query, response) = pairs
    return {"query": query, "response": response, "history": [list(pair) for pair in before]}


def _pairs(row: Row) -> list[tuple[str, str]]:
    """Return history, query and response as pairs."""
    return [*((query, response) for query, response in _history(row)), (text_of(row, "query"), _optional(row, "response"))]


# Alpaca.


def _from_alpaca(options: Options) -> Callable[[Row], Row]:
    query, response = options["input_key"], options["output_key"]

    def convert(row: Row) -> Row:
        rest = _listed(without(row, query, response), options)
        _history(row)
        return {**rest, "query": _optional(row, query), "response": _optional(row, response)}

    return convert


def _to_alpaca(options: Options) -> Callable[[Row], Row]:
    query, response = options["input_key"], options["output_key"]

    def convert(row: Row) -> Row:
        _history(row)
        rest = without(row, "query", "response")
        return {**rest, query: text_of(row, "query"), response: _optional(row, "response")}

    return convert


ALPACA = Form(
    "alpaca",
    "Alpaca: rows {instruction, input, output, system, history}.",
    ("json", "jsonl"),
    _from_alpaca,
    _to_alpaca,
    (_key("input_key", "input", "Field of the query."), _key("output_key", "output", "Field of the response."), _MEDIA),
    "an input or output that is null or not there becomes an empty text",
)


# Turns with roles.


def _from_turns(options: Options, turns_key: str, role_key: str, text_key: str) -> Callable[[Row], Row]:
    special = {options["system_role"]: "system", options["instruction_role"]: "instruction"}
    asking = {*_ASKING, options["human_role"]}
    answering = {*_ANSWERING, options["assistant_role"]} - {options["human_role"]}

    def convert(row: Row) -> Row:
        before = {"system": _optional(row, "system"), "instruction": _optional(row, "instruction")}
        said: set[str] = set()
        texts: list[str] = []
        for number, turn in enumerate(list_of(row, turns_key), 1):
            role, text = _turn(turn, number, role_key, text_key)
            if role in special:
                name = special[role]
                if texts or name in said:
                    raise BadRow(f"turn {number} must not be a second {role}, or one behind other turns")
                said.add(name)
                before[name] = text
            elif role in (answering if len(texts) % 2 else asking):
                texts.append(text)
            else:
                does = "answers" if len(texts) % 2 else "asks"
                raise BadRow(f"turn {number} must have a role that {does}, got {role[:50]!r}")
        if not texts:
            raise BadRow("there must be a turn that asks")
        pairs = list(zip(texts[::2], [*texts[1::2], ""], strict=False))
        return {**_listed(without(row, turns_key, *_FIELDS), options), **before, **_common(pairs)}

    return convert


def _turn(turn: Any, number: int, role_key: str, text_key: str) -> tuple[str, str]:
    role, text = (turn.get(role_key), turn.get(text_key)) if isinstance(turn, dict) else (None, None)
    if not isinstance(role, str) or not isinstance(text, str):
        raise BadRow(f"turn {number} must have texts in {role_key} and {text_key}")
    return role, text


def _to_turns(options: Options, turns_key: str, role_key: str, text_key: str) -> Callable[[Row], Row]:
    def convert(row: Row) -> Row:
        said = [(options[f"{name}_role"], _optional(row, name)) for name in ("system", "instruction")]
        turns = [(role, text) for role, text in said if text]
        for query, response in _pairs(row):
            turns += [(options["human_role"], query), (options["assistant_role"], response)]
        if not turns[-1][1]:  # a question that waits for its answer
            turns.pop()
        told = [{role_key: role, text_key: text} for role, text in turns]
        return {**without(row, *_FIELDS), turns_key: told}

    return convert


def _roles(human: str, assistant: str) -> tuple[Param, ...]:
    return (
        _key("human_role", human, "Role that asks."),
        _key("assistant_role", assistant, "Role that answers."),
        _key("system_role", "system", "Role of the system's text."),
        _key("instruction_role", "instruction", "Role of the instruction."),
        _MEDIA,
    )


_TURN_LOSSES = (
    "other names of roles, such as observation and function_call, become those of the options; a last answer that is empty; "
    "a field system or instruction becomes a turn"
)

SHAREGPT = Form(
    "sharegpt",
    "ShareGPT, as LLaMA-Factory has it: rows {conversations: [{from: human | gpt, value}], system, tools}.",
    ("json", "jsonl"),
    lambda options: _from_turns(options, options["conversations_key"], options["from_key"], options["value_key"]),
    lambda options: _to_turns(options, options["conversations_key"], options["from_key"], options["value_key"]),
    (
        _key("conversations_key", "conversations", "Field of the turns."),
        _key("from_key", "from", "Field of a turn's role."),
        _key("value_key", "value", "Field of a turn's text."),
        *_roles("human", "gpt"),
    ),
    _TURN_LOSSES,
)

MESSAGES = Form(
    "messages",
    "Messages of LLaMA-Factory, ModelScope-Swift and OpenAI: rows {messages: [{role: user | assistant, content}]}.",
    ("json", "jsonl"),
    lambda options: _from_turns(options, options["messages_key"], options["role_key"], options["content_key"]),
    lambda options: _to_turns(options, options["messages_key"], options["role_key"], options["content_key"]),
    (
        _key("messages_key", "messages", "Field of the turns."),
        _key("role_key", "role", "Field of a turn's role."),
        _key("content_key", "content", "Field of a turn's text."),
        *_roles("user", "assistant"),
    ),
    _TURN_LOSSES,
)


# ModelScope-Swift.


def _from_swift(options: Options) -> Callable[[Row], Row]:
    turns_key, asking, answering = options["conversation_key"], options["human_key"], options["assistant_key"]

    def convert(row: Row) -> Row:
        pairs = []
        for number, turn in enumerate(list_of(row, turns_key), 1):
            if not isinstance(turn, dict) or not isinstance(turn.get(asking), str):
                raise BadRow(f"round {number} must have a text in {asking}")
            pairs.append((turn[asking], _optional(turn, answering)))
        if not pairs:
            raise BadRow("there must be a round")
        keys = {name: options[f"{name}_key"] for name in ("system", "instruction")}
        own = {name: _optional(row, key) for name, key in keys.items() if row.get(key) is not None}
        rest = without(row, turns_key, *keys.values(), *_FIELDS)
        return {**_listed(rest, options), **own, **_common(pairs)}

    return convert


def _to_swift(options: Options) -> Callable[[Row], Row]:
    def convert(row: Row) -> Row:
        own = {options[f"{name}_key"]: _optional(row, name) for name in ("system", "instruction")}
        rounds = [{options["human_key"]: query, options["assistant_key"]: response} for query, response in _pairs(row)]
        said = {name: text for name, text in own.items() if text}
        return {**without(row, *_FIELDS), **said, options["conversation_key"]: rounds}

    return convert


SWIFT = Form(
    "swift",
    "ShareGPT, as ModelScope-Swift has it: rows {system, conversation: [{human, assistant}]}.",
    ("json", "jsonl"),
    _from_swift,
    _to_swift,
    (
        _key("conversation_key", "conversation", "Field of the rounds."),
        _key("human_key", "human", "Field of a question."),
        _key("assistant_key", "assistant", "Field of an answer."),
        _key("system_key", "system", "Field of the system's text."),
        _key("instruction_key", "instruction", "Field of the instruction."),
        _MEDIA,
    ),
    "a system or instruction that is empty; an answer that is not there becomes an empty text",
)
