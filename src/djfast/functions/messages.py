"""Texts and messages made of a row's fields by templates of the recipe."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from djfast.llm.prompts import Template


def bind_message_contents(
    query_template: str, response_template: str, names: Sequence[str]
) -> Callable[..., str]:
    """Return the function from the JSON of ``messages`` and of the fields `names` to the JSON list of messages' texts.

    A row with messages gives these; one without gives the two templates, filled.
    """
    query = Template(query_template, names, what="query_template")
    response = Template(response_template, names, what="response_template")

    def message_contents(messages: str, *fields: str) -> str:
        return json.dumps(contents_of(_value(messages), dict(zip(names, map(_value, fields))), query, response))

    return message_contents


def contents_of(messages: Any, fields: dict[str, Any], query: Template, response: Template) -> list[str]:
    """Return the texts of messages, or of the two filled templates if there are none; `_ABSENT` stands for a missing field.

    Raises
    ------
    ValueError
        If messages are none, or a field that a template names is missing.
    """
    if messages is not _ABSENT and messages is not None:
        return _contents(messages)
    return [template.fill(**_texts(fields, template)) for template in (query, response)]


def bind_filled_template(template: str, names: Sequence[str]) -> Callable[..., str]:
    """Return the function from the JSON of ``messages`` and of the fields `names` to the filled template.

    A row that lacks one of the fields must have messages: their texts take the fields' places in order.
    """
    parsed = Template(template, names, what="input_template")

    def filled_template(messages: str, *fields: str) -> str:
        return fill(parsed, _value(messages), dict(zip(names, map(_value, fields))))

    return filled_template


def fill(template: Template, messages: Any, fields: dict[str, Any]) -> str:
    """Fill a template with fields, or with the texts of messages in order if a field is missing.

    Raises
    ------
    ValueError
        If there are neither.
    """
    if _ABSENT in fields.values() and messages is not _ABSENT:
        contents = _contents(messages)
        if len(contents) < len(template.names):
            raise ValueError(f"there must be a message for each of {', '.join(template.names)}, got {len(contents)}")
        return template.fill(**dict(zip(template.names, contents)))
    return template.fill(**_texts(fields, template))


class _Absent:
    pass


_ABSENT = _Absent()


def _value(value: str) -> Any:
    return json.loads(value) if value else _ABSENT


def row_values(row: dict[str, Any], names: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """Return the messages of a row and its fields of these names, as `contents_of` and `fill` take them."""
    return row.get("messages", _ABSENT), {name: row.get(name, _ABSENT) for name in names}


def _texts(fields: dict[str, Any], template: Template) -> dict[str, str]:
    for name, value in fields.items():
        if value is _ABSENT and name in template.names:
            raise ValueError(f"field '{name}' is missing")
    return {name: value if isinstance(value, str) else str(value) for name, value in fields.items()}


def _contents(messages: Any) -> list[str]:
    if not isinstance(messages, list) or not messages:
        raise ValueError(f"messages must be a list of messages, got {json.dumps(messages)[:40]}")
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            raise ValueError(f"a message must have a content that is a string, got {json.dumps(message)[:40]}")
    return [message["content"] for message in messages]
