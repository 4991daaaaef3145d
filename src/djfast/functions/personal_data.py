"""Personal data and secrets that a language model suspects in texts."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from djfast.errors import MissingExtraError, ModelError, UnusableAnswerError
from djfast.functions.judging import answered_object, shown
from djfast.functions.language_models import Asking, conversing, in_language, messages
from djfast.llm.asking import Ask
from djfast.llm.conversations import Conversation, tries
from djfast.llm.prompts import load_prompt
from djfast.models.locate import find_spacy_model

_EXCERPT = "messages_excerpt"
_MOST_SUSPECTS = 32
_LONGEST = {"field": 64, "category": 120, "evidence": 80}
_LONGEST_RAW = 8_000
_SHORTEST_EVIDENCE = 2
# Each of these takes time that is linear in the text: nothing in them repeats without an end.
_SUSPICIOUS = re.compile(
    r"[0-9]{6}|@|[A-Za-z0-9_-]{24}"
    r"|passw|passcode|\bpwd\b|secret|token|api[_ -]?key|credential|authorization|private[_ -]?key"
    r"|密码|口令|密钥|令牌|凭证"
    r"|intranet|\.internal\b|\.local\b|\.corp\b|\bvpn\b|内网|内部系统|局域网",
    re.IGNORECASE,
)
_NAME_CUES = re.compile(
    r"我叫|我是|名叫|姓名|联系人|收件人|负责人|先生|女士|小姐|老师|经理"
    r"|\b(?:Mr|Mrs|Ms|Miss|Dr|Prof)\b\.? ?[A-Z]|\b[Mm]y name is\b|\b[Nn]ame:|\b(?:Dear|dear) [A-Z]"
)
_PERSONS = frozenset({"PERSON", "PER"})
_TEXTS_OF_BLOCKS = ("text", "content")
NameFinder = Callable[[str], bool]


def bind_personal_data_suspected(
    *,
    keys: Sequence[str],
    messages_key: str | None,
    overwrite: bool,
    limits: Iterable[tuple[str, int]],
    is_gated: bool,
    looks_for_names: bool,
    name_models: Sequence[str],
    redaction_mode: str,
    placeholder: str,
    system: str | None,
    language: str,
    asking: Iterable[Any],
) -> Callable[..., list[Any]]:
    """Return the function of columns of JSON: the result that is there already, messages if they have a key, and each of `keys`.

    Parameters
    ----------
    overwrite : bool
        Whether rows with a result are asked about again.
    limits : items of a mapping
        Messages that are read; characters of a field, of the messages and of what spaCy models read.
    is_gated, looks_for_names : bool
        Whether only suspicious rows are asked about, and whether cues of names are suspicious.
    name_models : sequence of str
        SpaCy models.
    redaction_mode : {"none", "evidence", "whole_field"}
        What `placeholder` takes the place of.

    Returns
    -------
    callable
        Gives JSON objects with ``result``, ``raw`` where an answer cannot be used, and ``redacted``: changed fields by name.

    Raises
    ------
    MissingExtraError, ModelError
        If spaCy or one of its models is not there.
    """
    ask = Asking.of(asking)
    longest = dict(limits)
    prompt = load_prompt("personal_data", "zh")
    instruction = in_language(system or prompt.template("system").fill(), language)
    block, whole = prompt.template("field", ["name", "text"]), prompt.template("input", ["fields"])
    finders = [_name_finder(model, ask.op) for model in name_models]

    def is_suspicious(texts: Iterable[str]) -> bool:
        return any(
            _SUSPICIOUS.search(text)
            or (looks_for_names and _NAME_CUES.search(text))
            or any(finds(text[: longest["names"]]) for finds in finders)
            for text in texts
        )

    def talk(*read: str) -> Conversation[str]:
        conversation, *values = read if messages_key else ("", *read)
        fields = dict(zip(keys, (json.loads(value) if value else None for value in values)))
        said = json.loads(conversation) if conversation else None
        texts = {key: text[: longest["field"]] for key, text in fields.items() if isinstance(text, str) and text.strip()}
        excerpt = _excerpt(said, longest["messages"])[: longest["excerpt"]]
        if excerpt:
            texts[_EXCERPT] = excerpt
        result: dict[str, Any] = {"fields_inspected": list(texts)}
        if not texts:
            return json.dumps({"result": {"skipped": True, "reason": "no_inspectable_text", **result}})
        if is_gated and not is_suspicious(texts.values()):
            skipped = {"skipped": True, "reason": "heuristic_gate", **result, "likely_clean": True}
            return json.dumps({"result": skipped}, ensure_ascii=False)
        raw = problem = ""

        def parse(answer: str) -> dict[str, Any]:
            nonlocal raw, problem
            read = answered_object(answer, having="suspected")
            if isinstance(read, str):
                raw, problem = answer[:_LONGEST_RAW], read
                raise ValueError(read)
            return read

        question = whole.fill(fields="\n\n".join(block.fill(name=name, text=text) for name, text in texts.items()))
        try:
            answered = yield from tries(Ask(messages(instruction, question)), parse, try_num=ask.try_num)
        except UnusableAnswerError:
            failed: dict[str, Any] = {"result": {"error": problem, **result}}
            return json.dumps({**failed, "raw": raw} if raw.strip() else failed, ensure_ascii=False)
        suspects = _suspects(answered.get("suspected"))
        said_key = messages_key or _EXCERPT
        redacted = _redacted({**fields, said_key: said}, suspects, said_key, redaction_mode, placeholder)
        is_clean = answered.get("likely_clean")
        result = {
            "suspected": suspects,
            "likely_clean": is_clean if isinstance(is_clean, bool) else not suspects,
            **result,
            "redaction_mode": redaction_mode,
            "redaction_applied": bool(redacted),
        }
        return json.dumps({"result": result, "redacted": redacted}, ensure_ascii=False)

    return conversing(ask, ask.language_model(prompt_version=prompt.version), talk, known=1, overwrite=overwrite)


def _suspects(listed: Any) -> list[dict[str, str]]:
    """Return the suspects of an answer, of which nothing is longer than it may be."""
    found = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return [{name: shown(each.get(name))[:longest] for name, longest in _LONGEST.items()} for each in found[:_MOST_SUSPECTS]]


def _excerpt(said: Any, most: int) -> str:
    """Return the texts of the last messages, each with its role."""
    lines = []
    for message in said[-most:] if isinstance(said, list) and most else []:
        texts = list(_texts_of(message))
        if any(text.strip() for text in texts):
            lines.append(f"{shown(message.get('role'))}: " + "\n".join(texts))
    return "\n".join(lines)


def _texts_of(message: Any) -> Iterator[str]:
    """Yield the texts of a message: its content, or the texts in the blocks of its content."""
    content = message.get("content") if isinstance(message, dict) else None
    for block in content if isinstance(content, list) else [content]:
        if isinstance(block, str):
            yield block
        elif isinstance(block, dict):
            yield from (block[name] for name in _TEXTS_OF_BLOCKS if isinstance(block.get(name), str))


def _with_contents(message: Any, change: Callable[[str], str]) -> Any:
    """Return a message whose texts are changed."""
    if not isinstance(message, dict):
        return message
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": change(content)}
    if not isinstance(content, list):
        return message
    return {**message, "content": [_with_texts(block, change) for block in content]}


def _with_texts(block: Any, change: Callable[[str], str]) -> Any:
    if isinstance(block, str):
        return change(block)
    if not isinstance(block, dict):
        return block
    return {
        name: change(value) if name in _TEXTS_OF_BLOCKS and isinstance(value, str) else value
        for name, value in block.items()
    }


def _redacted(
    fields: dict[str, Any], suspects: list[dict[str, str]], messages_key: str, mode: str, placeholder: str
) -> dict[str, Any]:
    """Return the fields that change, by name."""
    by_field: dict[str, list[str]] = {}
    for suspect in suspects:
        key = messages_key if suspect["field"] == _EXCERPT else suspect["field"]
        by_field.setdefault(key, []).append(suspect["evidence"])
    changed = {}
    for key, evidence in by_field.items():
        replaced = _replacing(evidence, mode, placeholder)
        before = fields.get(key)
        after = before
        if isinstance(before, str):
            after = replaced(before)
        elif key == messages_key and isinstance(before, list):
            after = [_with_contents(message, replaced) for message in before]
        if after != before:
            changed[key] = after
    return changed


def _replacing(evidence: list[str], mode: str, placeholder: str) -> Callable[[str], str]:
    """Return what takes evidence out of a text."""
    if mode == "whole_field":
        return lambda text: placeholder if text else text
    pieces = sorted({piece for piece in evidence if len(piece) >= _SHORTEST_EVIDENCE}, key=lambda piece: (-len(piece), piece))
    if mode == "none" or not pieces:
        return lambda text: text
    pattern = re.compile("|".join(map(re.escape, pieces)))  # at once: no piece is looked for in a placeholder
    return lambda text: pattern.sub(lambda _: placeholder, text)


def _name_finder(model: str, op: str) -> NameFinder:
    """Return what tells whether a spaCy model sees a person in a text.

    Raises
    ------
    MissingExtraError, ModelError
        If spaCy or the model is not there.
    """
    if importlib.util.find_spec("spacy") is None:
        raise MissingExtraError("not installed: spacy; pip install 'djfast[spacy]'")
    return _loaded(find_spacy_model(model, op=op))


@functools.lru_cache(maxsize=4)
def _loaded(folder: str) -> NameFinder:
    import spacy

    try:
        pipeline = spacy.load(folder)
    except ImportError as error:  # tokenizers of some languages are packages of their own
        raise MissingExtraError(f"the spaCy model {folder} needs a package: {error}") from error
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder} is not a spaCy model that can be read here: {error}") from error
    lock = threading.Lock()

    def finds(text: str) -> bool:
        # One thread at a time; the zone frees the words of the text, which would otherwise stay in the vocabulary for ever.
        with lock, pipeline.memory_zone():
            return any(entity.label_ in _PERSONS for entity in pipeline(text).ents)

    return finds
