"""What stands in a server's answer to a chat: the text, how it ended, and what stands there in place of a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from djfast.llm.endpoint import walk
from djfast.llm.refusals import only
from djfast.llm.thoughts import spoken
from djfast.records import NamedTuple

_ENDS = ("finish_reason", "stop_reason", "done_reason", "finishReason", "native_finish_reason")
_CUT = ("length", "max_tokens", "max_output_tokens", "model_length", "max_length")
_FILTERED = ("content_filter", "safety", "sensitive", "recitation", "prohibited_content", "blocklist", "spii", "refusal")
_FAILED = ("error", "abort", "engine_error")
_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "thoughts")
_TEXT_PARTS = ("text", "output_text")
_THOUGHT_PARTS = ("thinking", "reasoning", "redacted_thinking", "reasoning_text")
_EXCERPT = 100

_MORE_TOKENS = "raise max_tokens in sampling_params"

CUT_WITHIN_THOUGHTS = f"the answer ends within the model's thoughts: {_MORE_TOKENS}"


class Completion(NamedTuple):
    """A text without thoughts, or another value; `flaw` tells why it is not whole, and is empty where it is."""

    value: Any
    flaw: str = ""


def completion_of(document: Any, path: str) -> Completion:
    """Return what a response path leads to in an answer.

    A list of parts is one text. What cannot be the whole answer has a flaw: cut off by the limit of tokens, filtered by the
    server, thoughts without an answer, or a refusal in its place.

    Raises
    ------
    LookupError
        If the path leads nowhere; or to null, and nothing tells why.
    """
    if isinstance(document, list) and not path.partition(".")[0].isdecimal():
        document = only(document)
    names = path.split(".")
    chain = _chain(document, names)
    beside = chain[-1] if len(chain) == len(names) else None
    ending = _ending(chain)
    try:
        value = walk(document, path)
    except LookupError:
        if isinstance(beside, Mapping) and beside.get(names[-1]) is not None:
            raise
        flaw = _in_place_of_text(beside, ending) if isinstance(beside, Mapping) else _flaw(ending)
        if not flaw:
            raise
        return Completion("", flaw)
    parts = _parts(value)
    if parts is not None:
        value = parts.value
    if not isinstance(value, str):
        return Completion(value)
    said = spoken(value)
    flaw = _flaw(ending) or (parts.flaw if parts else "")
    if said.is_thinking:
        flaw = flaw or CUT_WITHIN_THOUGHTS
    elif not said.text.strip():
        flaw = flaw or (_in_place_of_text(beside, ending) if isinstance(beside, Mapping) else "")
        if not flaw and value.strip():
            flaw = "the answer has the model's thoughts and nothing else"
    # Half of a surrogate pair, which a cut escape leaves, could not be written anywhere.
    return Completion(said.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), flaw)


def _flaw(ending: str) -> str:
    if ending.lower() in _CUT:
        return f"the answer was cut off by the limit of tokens (finish_reason {ending}): {_MORE_TOKENS}"
    if ending.lower() in _FILTERED:
        return f"the answer was withheld by the server's filter (finish_reason {ending})"
    if ending.lower() in _FAILED:
        return f"the server failed while it answered (finish_reason {ending})"
    return ""


def _chain(document: Any, names: Sequence[str]) -> list[Any]:
    """Return the document and what the names lead to one after the other, as far as they do, without the last one."""
    chain = [document]
    for name in names[:-1]:
        here = chain[-1]
        if isinstance(here, Mapping) and name in here:
            chain.append(here[name])
        elif isinstance(here, list) and name.isdecimal() and int(name) < len(here):
            chain.append(here[int(name)])
        else:
            break
    return chain


def _ending(chain: Sequence[Any]) -> str:
    """Return what the server says about the end of an answer: beside it, or further out."""
    for here in reversed(chain):
        if not isinstance(here, Mapping):
            continue
        for name in _ENDS:
            if isinstance(said := here.get(name), str):
                return said
    if isinstance(chain[0], Mapping) and chain[0].get("status") == "incomplete":
        details = chain[0].get("incomplete_details")
        reason = details.get("reason") if isinstance(details, Mapping) else None
        return reason if isinstance(reason, str) else "length"
    return ""


def _in_place_of_text(message: Mapping[str, Any], ending: str) -> str:
    """Return what a message without a text has in its place; nothing if it has nothing."""
    ends = f" (finish_reason {ending})" if ending else ""
    if isinstance(refusal := message.get("refusal"), str) and refusal.strip():
        return f"the model refused to answer (refusal): {_excerpt(refusal)}"
    for name in _THOUGHTS:
        if message.get(name):
            return f"the answer has thoughts ({name}) and no text{ends}: " + (
                _MORE_TOKENS if ending.lower() in _CUT else "content is empty"
            )
    if message.get("tool_calls") or message.get("function_call"):
        return f"the answer calls a tool and has no text{ends}"
    return _flaw(ending)


def _parts(value: Any) -> Completion | None:
    """Return the text of a message in parts; None for what is no such message."""
    if isinstance(value, Mapping) and isinstance(value.get("type"), str) and "text" in value:
        value = [value]
    if not isinstance(value, list) or not value:
        return None
    texts: list[str] = []
    flaw = ""
    for part in value:
        if isinstance(part, str):
            texts.append(part)
            continue
        kind = part.get("type", "text") if isinstance(part, Mapping) else None
        if kind in _TEXT_PARTS and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "refusal":
            flaw = f"the model refused to answer (refusal): {_excerpt(part.get('refusal'))}"
        elif kind in _THOUGHT_PARTS:
            continue
        else:
            return None
    if not texts and not flaw:
        flaw = "the answer has thoughts and no text"
    return Completion("".join(texts), flaw)


def _excerpt(text: Any) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= _EXCERPT else line[:_EXCERPT] + "..."

