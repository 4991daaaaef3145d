"""What a server says instead of an answer: in the body of a refusal, and in the body of an answer that is none.

Gateways before several providers answer 200 as soon as they have a connection, and put a provider's error into the body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from djfast.llm.retries import is_passing
from djfast.records import NamedTuple

# Names of errors that no other try can mend, in the words of servers; parts of names are enough.
_LASTING = re.compile(
    r"invalid|auth|permission|forbidden|not_?found|unsupported|context_length|too_?long|content_?(?:policy|filter)|moderation"
    r"|safety",
    re.IGNORECASE,
)
_USED_UP = re.compile(
    r"insufficient[ _.-]*(?:\w+[ _.-]+)?(?:quota|balance|credits?|funds)|billing_(?:hard_limit|not_active)"
    r"|credit balance is too low|arrearage|余额不足|欠费",
    re.IGNORECASE,
)
_BESIDE = ("index", "logprobs")  # what stands in a choice beside an answer
_ANSWERS = ("choices", "data", "output", "content")
_LONGEST = 1 << 16


class Refusal(NamedTuple):
    """An error in a server's words. `status` is 0 where it names none; `is_passing` if another try may go well."""

    message: str
    status: int
    is_passing: bool
    is_used_up: bool


def refusal_in(document: Any) -> Refusal | None:
    """Return the error in the body of an answer with status 200; None if it has none."""
    body = only(document)
    if not body:
        return _hollow(f"the answer is {json.dumps(body)}")
    if not isinstance(body, Mapping):
        return None
    if error := body.get("error") or (_first_choice(body) or {}).get("error"):
        return _refusal(error)
    says_why = any(name in body for name in ("code", "detail", "errors"))
    if body.get("object") == "error" or (says_why and not any(body.get(name) for name in _ANSWERS)):
        return _refusal(body)
    if "choices" in body and not body["choices"]:
        return _hollow(f"the answer's choices are {'null' if body['choices'] is None else 'empty'}")
    choice = _first_choice(body)
    if choice is not None and not any(value for name, value in choice.items() if name not in _BESIDE) and "text" not in choice:
        return _hollow("the answer's choice is empty")
    return None


def _hollow(reason: str) -> Refusal:
    """Return the error that an answer with nothing in it stands for: its server lost something on the way."""
    return Refusal(reason, 0, is_passing=True, is_used_up=False)


def refusal_of(body: bytes, status: int) -> Refusal:
    """Return the error in the body of a refusal with this status."""
    try:
        document = only(json.loads(body))
        found = _refusal(document.get("error") or document if isinstance(document, Mapping) else document)
    except (ValueError, RecursionError):
        found = _refusal(text_of(body))
    is_used_up = found.is_used_up or status == 402
    return found._replace(status=status, is_passing=is_passing(status) and not is_used_up, is_used_up=is_used_up)


def only(document: Any) -> Any:
    """Return the one member of a list that has one, as some servers wrap their answers; else the document itself."""
    return document[0] if isinstance(document, list) and len(document) == 1 else document


def text_of(body: bytes) -> str:
    """Return the beginning of a body."""
    return body[:_LONGEST].decode("utf-8", "replace")


def _first_choice(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return (choice or {}) if isinstance(choice, Mapping | None) and choices else None


def _refusal(error: Any) -> Refusal:
    """Return what an error says: an object with a message, code and type, or a text."""
    if not isinstance(error, Mapping):
        said = error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)
        return Refusal(said, 0, is_passing=not _LASTING.search(said), is_used_up=bool(_USED_UP.search(said)))
    why: Any = error.get("message") or error.get("detail") or error.get("msg") or error.get("errors") or error
    message = why if isinstance(why, str) else json.dumps(why, ensure_ascii=False, default=str)
    named = [error.get(name) for name in ("code", "type", "status")]
    status = next((number for each in named if (number := _status(each))), 0)
    names = " ".join(each for each in named if isinstance(each, str))
    is_used_up = bool(_USED_UP.search(f"{names} {message}")) or status == 402
    lasts = not is_passing(status) if status else bool(_LASTING.search(names))
    return Refusal(message, status, is_passing=not lasts and not is_used_up, is_used_up=is_used_up)


def _status(value: Any) -> int:
    """Return an HTTP status that is given as a number or in digits; 0 if it is none."""
    if isinstance(value, str) and value.isdecimal() and len(value) == 3:
        value = int(value)
    return value if type(value) is int and 400 <= value < 600 else 0
