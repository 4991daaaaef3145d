"""What a language model makes of the documents of a group: summaries, entities, fewer tags."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from djfast.errors import UnusableAnswerError
from djfast.functions.answers import names_in, unquoted
from djfast.functions.extraction import filled_in
from djfast.functions.language_models import Asking, checked_pattern, conversing, messages, tries_together
from djfast.functions.rows import Row, path_of
from djfast.functions.tokenization import bind_hf_token_count
from djfast.llm.asking import Ask
from djfast.llm.conversations import Conversation, tries
from djfast.llm.prompts import Prompt, Template, load_prompt
from djfast.records import NamedTuple
from djfast.reserved import BATCH_META, META
from djfast.type_names import spoken_type

_OTHER_SCRIPTS = re.compile("[\u2e80-\U0010ffff]")

Count = Callable[[str], int]
Talk = Callable[[Sequence[str]], Conversation[Any]]


class _Aggregation(NamedTuple):
    """One kind of aggregation: what the OP says about it."""

    ask: Asking
    prompt: Prompt
    settings: Mapping[str, Any]
    most_tokens: int | None
    count: Count

    def template(self, section: str, names: Sequence[str] = (), *, given: str | None = None) -> Template:
        """Return a section of the prompt, or the user's in the parameter `given`."""
        text = self.settings[given] if given else None
        return self.prompt.template(section, names, given=text, what=f"{self.ask.op}: {given}")

    def pattern(self, name: str, groups: int, *, flags: int, **values: str) -> re.Pattern[str] | None:
        """Return the user's pattern in the parameter `name`, with values that stand for themselves in its placeholders."""
        given = self.settings[name]
        if given and values:
            given = Template(given, tuple(values), what=f"{self.ask.op}: {name}").fill(
                **{placeholder: re.escape(value) for placeholder, value in values.items()}
            )
        return checked_pattern(self.ask.op, given, groups=groups, flags=flags, name=name) if given else None


def bind_aggregated(**params: Any) -> Callable[[list[Row]], list[Any]]:
    """Return the function of rows of lists that adds what a model makes of a group's documents; see `_aggregated`."""
    return _aggregated(count=estimated_tokens, **params)


def bind_aggregated_by_tokens(*, tokenizer: str, **params: Any) -> Callable[[list[Row]], list[Any]]:
    """Return the same function, with tokens counted by the tokenizer of a file."""
    return _aggregated(count=bind_hf_token_count(tokenizer), **params)


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text has: one for each character of Chinese, Japanese or Korean, one for four others."""
    others = len(_OTHER_SCRIPTS.findall(text))
    return others + -(-(len(text) - others) // 4)


def _aggregated(
    *,
    what: str,
    text_key: str,
    input_key: str,
    output_key: str,
    max_token_num: int | None,
    settings: Iterable[tuple[str, Any]],
    asking: Iterable[Any],
    count: Count,
) -> Callable[[list[Row]], list[Any]]:
    """Return the function of rows of lists that adds what a model makes of a group's documents.

    Parameters
    ----------
    what : str
        What is made: a name of `_KINDS`.
    text_key : str
        Field with the texts, which are the documents where `input_key` is empty.
    input_key : str
        Tag with the documents.
    output_key : str
        Where the result goes in ``__dj__batch_meta__``; a row that has it stays as it is, and nothing is asked.
    max_token_num : int or None
        How long the documents of one question may be together.
    settings : items of a mapping
        Templates, patterns and other parameters of this kind.
    """
    ask = Asking.of(asking)
    name, kind = _KINDS[what]
    prompt = load_prompt(name, "zh")
    talk = kind(_Aggregation(ask, prompt, dict(settings), max_token_num, count))

    def whole(row: Row) -> Conversation[Row]:
        found = row.get(BATCH_META) or {}
        if not isinstance(found, dict):
            raise TypeError(f"field '{BATCH_META}' must be a mapping, got {spoken_type(found)}")
        documents = _texts(row, text_key) if not input_key else _values(row, input_key)
        if output_key in found or documents is None or not all(isinstance(each, str) for each in documents):
            return row
        made = yield from talk(documents)
        return {**row, BATCH_META: {**found, output_key: made}}

    return conversing(ask, ask.language_model(prompt_version=prompt.version), whole)


def _texts(row: Row, text_key: str) -> list[Any] | None:
    value: Any = row
    for name in path_of(row, text_key):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, list) else None


def _values(row: Row, key: str) -> list[Any] | None:
    """Return a tag of all members of a group; None where the first has none."""
    tags = row.get(META)
    if not isinstance(tags, list) or not tags or not isinstance(tags[0], dict) or key not in tags[0]:
        return None
    return [each.get(key) if isinstance(each, dict) else None for each in tags]


def split_evenly(documents: Sequence[str], count: Count, most_tokens: int | None) -> list[list[str]]:
    """Cut documents, in their order, into groups of about the same length with at most `most_tokens` tokens.

    A longer document is a group of its own.
    """
    lengths = [count(document) for document in documents] if most_tokens is not None else []
    total = sum(lengths)
    if most_tokens is None or total <= most_tokens:
        return [list(documents)]
    target = total / (total // most_tokens + 1)
    groups: list[list[str]] = []
    group: list[str] = []
    size = 0
    for document, length in zip(documents, lengths):
        if group and size + length > most_tokens:
            groups.append(group)
            group, size = [], 0
        group.append(document)
        size += length
        if size > target:
            groups.append(group)
            group, size = [], 0
    return [*groups, group] if group else groups


# Summaries


def _summaries(op: _Aggregation) -> Talk:
    system, request = op.template("system", given="system_prompt"), op.template("input", ("sub_docs",), given="input_template")
    return _nested(op, system, request, op.template("sub_doc", ("text",), given="sub_doc_template"))


def _nested(op: _Aggregation, system: Template, request: Template, one: Template) -> Talk:
    """Return the conversation that sums up summaries until one is left."""

    def read(answer: str) -> str:
        return filled_in(unquoted(answer))

    def talk(documents: Sequence[str]) -> Conversation[str]:
        left = list(documents)
        while len(left) > 1:
            groups = split_evenly(left, op.count, op.most_tokens)
            if len(groups) == len(left):  # each is alone, and would be for ever
                groups = [left[first : first + 2] for first in range(0, len(left), 2)]
            users = ("\n\n".join([one.fill(text=each) for each in group]) for group in groups)
            asks = [Ask(messages(system.fill(), request.fill(sub_docs=user))) for user in users]
            answers = yield from tries_together(asks, [read] * len(asks), try_num=op.ask.try_num)
            left = [answer for answer in answers if answer]
        return left[0] if left else ""

    return talk


# Attributes of entities


def _attribute(op: _Aggregation) -> Talk:
    given = op.settings
    names = {"entity": given["entity"], "attribute": given["attribute"]}
    example = given["example_prompt"] or op.template("example", tuple(names)).fill(**names)
    system = op.template("system", (*names, "word_limit", "example"), given="system_prompt_template")
    request = op.template("input", (*names, "sub_docs"), given="input_template")
    one = op.template("sub_doc", ("text",))
    pattern = op.pattern("output_pattern_template", 1, flags=re.VERBOSE | re.DOTALL, **names)
    heading = re.compile(
        rf"\#\s*{re.escape(names['entity'])}\s*\#\#\s*{re.escape(names['attribute'])}[ \t]*[：:]?(.*)", re.DOTALL
    )
    instruction = system.fill(**names, word_limit=str(given["word_limit"]), example=example)
    nested = load_prompt("nested_summary", "zh")
    together = _nested(op, *(nested.template(*section) for section in _NESTED_SECTIONS))

    def read(answer: str) -> str:
        match = (pattern or heading).search(answer)
        return filled_in(match[1] or "" if match else "")

    def talk(documents: Sequence[str]) -> Conversation[str]:
        users = (_joined(one, group) for group in split_evenly(documents, op.count, op.most_tokens) if group)
        asks = [Ask(messages(instruction, request.fill(**names, sub_docs=user))) for user in users]
        found = yield from tries_together(asks, [read] * len(asks), try_num=op.ask.try_num)
        summary: str = yield from together([each for each in found if each])
        return summary

    return talk


_NESTED_SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (("system", ()), ("input", ("sub_docs",)), ("sub_doc", ("text",)))


def _joined(one: Template, documents: Iterable[str]) -> str:
    return "\n\n".join([one.fill(text=each) for each in documents])


# Entities

_LIST = re.compile(r"\#\#\s*列表\s*[：:]?(.*)", re.DOTALL)


def _entities(op: _Aggregation) -> Talk:
    names = {"entity": op.settings["entity"], "entity_type": op.settings["query_entity_type"]}
    system = op.template("system", tuple(names), given="system_prompt_template")
    request = op.template("input", (*names, "sub_docs"), given="input_template")
    one = op.template("sub_doc", ("text",))
    pattern = op.pattern("output_pattern", 1, flags=re.VERBOSE | re.DOTALL) or _LIST

    def read(answer: str) -> list[str]:
        match = pattern.search(answer)
        if match is None or not (found := names_in(match[1] or "")):
            raise ValueError("it contains no list")
        return found

    def talk(documents: Sequence[str]) -> Conversation[list[str]]:
        taken = documents
        if op.most_tokens is not None:
            totals = accumulate(map(op.count, documents))
            taken = documents[: sum(total <= op.most_tokens for total in totals)]
        if not taken:
            return []
        question = Ask(messages(system.fill(**names), request.fill(**names, sub_docs=_joined(one, taken))))
        try:
            return (yield from tries(question, read, try_num=op.ask.try_num))
        except UnusableAnswerError:
            return []

    return talk


_KINDS: dict[str, tuple[str, Callable[[_Aggregation], Talk]]] = {
    "summary": ("nested_summary", _summaries),
    "attribute": ("entity_attribute_summary", _attribute),
    "entities": ("relevant_entities", _entities),
}


# Tags

_MAPPED = re.compile(r"\*\*([^*\n]+)\*\*")


def bind_merged_tags(*, key: str, settings: Iterable[tuple[str, Any]], asking: Iterable[Any]) -> Callable[[list[Row]], list[Any]]:
    """Return the function of rows of lists that replaces the tags of a group's members by fewer ones.

    Parameters
    ----------
    key : str
        Name of the tag, which holds a string or a list of strings.
    settings : items of a mapping
        Templates, pattern and target tags.
    """
    ask = Asking.of(asking)
    prompt = load_prompt("merge_tags", "zh")
    op = _Aggregation(ask, prompt, dict(settings), None, estimated_tokens)
    targets = op.settings["target_tags"]
    system = op.template("system", given="system_prompt")
    request = op.template("input", ("target_tag_str", "tag_strs"), given="input_template")
    target = op.template("target", ("target_tags",), given="target_tag_template")
    one = op.template("tag", ("tag", "cnt"), given="tag_template")
    pattern = op.pattern("output_pattern", 2, flags=re.VERBOSE | re.DOTALL)
    shown_targets = target.fill(target_tags="、".join(targets)) if targets else ""

    def pairs(answer: str) -> list[tuple[str, str]]:
        if pattern:
            return [(match[1] or "", match[2] or "") for match in pattern.finditer(answer)]
        split = (match[1].partition("归类为") for match in _MAPPED.finditer(answer))
        return [(tag, merged) for tag, _, merged in split]

    def whole(row: Row) -> Conversation[Row]:
        values = _values(row, key)
        if values is None or not all(_is_tags(value) for value in values):
            return row
        counts = Counter(tag for value in values for tag in _listed(value))

        def read(answer: str) -> dict[str, str]:
            stripped = ((tag.strip(), merged.strip()) for tag, merged in pairs(answer))
            found = {tag: merged for tag, merged in stripped if tag in counts and merged and (not targets or merged in targets)}
            if not found:
                raise ValueError("no known tag is put into a class")
            return found

        if not counts:
            return row
        tags = "\n".join(one.fill(tag=tag, cnt=str(count)) for tag, count in counts.items())
        user = request.fill(target_tag_str=shown_targets, tag_strs=tags).strip()
        try:
            merged = yield from tries(Ask(messages(system.fill(), user)), read, try_num=ask.try_num)
        except UnusableAnswerError:
            return row
        new = [
            merged.get(value, value) if isinstance(value, str) else [merged.get(tag, tag) for tag in value] for value in values
        ]
        return {**row, META: [{**tags, key: value} for tags, value in zip(row[META], new)]}

    return conversing(ask, ask.language_model(prompt_version=prompt.version), whole)


def _is_tags(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value))


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value
