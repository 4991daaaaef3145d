"""What a language model finds in texts: events, entities and their relations, key words, names, fields of a form."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from djfast.errors import IncompleteAnswerError, UnusableAnswerError
from djfast.functions.answers import marker, names_in, parts, records, sections, unquoted
from djfast.functions.language_models import (
    Asking,
    checked_pattern,
    conversing,
    messages,
    metered,
    tries_together,
    usage_with,
)
from djfast.functions.rows import Row, path_of, text_at
from djfast.functions.verdicts import decision
from djfast.llm.asking import Ask, Message, Reply
from djfast.llm.conversations import UNUSABLE, Conversation, tries, unusable_after
from djfast.llm.prompts import Prompt, Template, load_prompt
from djfast.llm.structured import read_json
from djfast.llm.usage import Price
from djfast.records import NamedTuple
from djfast.reserved import META
from djfast.type_names import spoken_type

USAGE = "llm_semantic_usage"

Tags = dict[str, Any]
Talk = Callable[[str, Tags], Conversation["list[Tags] | None"]]
_USER_FLAGS = re.VERBOSE | re.DOTALL  # of patterns in recipes written for Data-Juicer


class _Extraction(NamedTuple):
    """One kind of extraction: what the OP says about it."""

    ask: Asking
    prompt: Prompt
    keys: Sequence[str]
    settings: Mapping[str, Any]

    def template(self, section: str, names: Sequence[str], *, given: str) -> Template:
        """Return a section of the prompt, or the user's in the parameter `given`."""
        return self.prompt.template(section, names, given=self.settings[given], what=f"{self.ask.op}: {given}")

    def pattern(self, name: str, groups: int) -> re.Pattern[str] | None:
        """Return the user's pattern in the parameter `name`, None where none is given."""
        given = self.settings[name]
        return checked_pattern(self.ask.op, given, groups=groups, flags=_USER_FLAGS, name=name) if given else None

    def pattern_with(self, name: str, **values: str) -> re.Pattern[str] | None:
        """Return the user's pattern with values in its placeholders, which stand for themselves."""
        given = self.settings[name]
        if not given:
            return None
        template = Template(given, tuple(values), what=f"{self.ask.op}: {name}")
        filled = template.fill(**{placeholder: re.escape(value) for placeholder, value in values.items()})
        return checked_pattern(self.ask.op, filled, groups=1, flags=_USER_FLAGS, name=name)


def bind_extracted(
    *,
    what: str,
    text_key: str,
    keys: Sequence[str],
    drop_text: bool,
    settings: Iterable[tuple[str, Any]],
    asking: Iterable[Any],
) -> Callable[[list[Row]], list[Any]]:
    """Return the function of rows that writes to their tags what a model finds in their texts.

    Parameters
    ----------
    what : str
        What is looked for: a name of `_KINDS`.
    text_key : str
        Field with the text.
    keys : sequence of str
        Tags that are written. A row that has all of them stays as it is, and nothing is asked.
    drop_text : bool
        Whether rows lose their text when they get their tags.
    settings : items of a mapping
        Templates, patterns and other parameters of this kind.

    Returns
    -------
    callable
        Gives a list of rows for each row.
    """
    ask = Asking.of(asking)
    name, language, kind = _KINDS[what]
    prompt = load_prompt(name, language)
    talk = kind(_Extraction(ask, prompt, keys, dict(settings)))

    def whole(row: Row) -> Conversation[list[Row]]:
        path = path_of(row, text_key)
        text = text_at(row, path)
        tags = tags_of(row)
        if all(key in tags for key in keys):
            return [row]
        found = yield from talk(text, tags)
        if found is None:
            return [row]
        bare = _without(row, path) if drop_text else row
        return [{**bare, META: {**tags, **each}} for each in found]

    return conversing(ask, ask.language_model(prompt_version=prompt.version), whole)


def tags_of(row: Row) -> Tags:
    """Return the tags of a row.

    Raises
    ------
    TypeError
        If they are no mapping, as in rows that a grouper has made.
    """
    tags = row.get(META)
    if tags is not None and not isinstance(tags, dict):
        raise TypeError(f"field '{META}' must be a mapping, got {spoken_type(tags)}")
    return tags or {}


def _without(row: Row, path: Sequence[str]) -> Row:
    name, *inner = path
    if inner:
        return {**row, name: _without(row[name], inner)}
    return {field: value for field, value in row.items() if field != name}


# Events

_EVENT = re.compile(r"###[ \t]*情节[ \t]*\d+[ \t]*[：:]?")
_EVENT_PARTS = (marker("情节描述"), marker("相关人物"))


def _events(op: _Extraction) -> Talk:
    pattern = op.pattern("output_pattern", 3)
    system, request = op.template("system", (), given="system_prompt"), op.template("input", ("text",), given="input_template")
    description_key, characters_key = op.keys

    def read(answer: str) -> list[Tags]:
        if pattern:
            found = [match.groups("")[1:3] for match in pattern.finditer(answer)]
        else:
            found = [(each[1], each[3]) for part in sections(answer, _EVENT) if (each := parts(part, _EVENT_PARTS))]
        if not found:
            raise ValueError("it contains no event")
        return [{description_key: event.strip(), characters_key: names_in(names)} for event, names in found]

    def talk(text: str, _tags: Tags) -> Conversation[list[Tags] | None]:
        question = Ask(messages(system.fill(), request.fill(text=text)))
        found: list[Tags] = yield from _usable_or(question, read, op, [])
        return found

    return talk


def _usable_or(question: Ask, read: Callable[[str], Any], op: _Extraction, default: Any) -> Conversation[Any]:
    """Return what can be read in an answer, or `default` where none is usable."""
    try:
        return (yield from tries(question, read, try_num=op.ask.try_num))
    except UnusableAnswerError:
        return default


# Key words


def _keywords(op: _Extraction) -> Talk:
    pattern = op.pattern("output_pattern", 1)
    prompt = op.template("prompt", ("completion_delimiter", "input_text"), given="prompt_template")
    [key] = op.keys

    def read(answer: str) -> list[str]:
        found = (match[1] or "" for match in pattern.finditer(answer)) if pattern else records(answer, "content_keywords")
        words = [word for record in found for word in names_in(record)]
        if not words:
            raise ValueError("it contains no keyword")
        return words

    def talk(text: str, _tags: Tags) -> Conversation[list[Tags] | None]:
        filled = prompt.fill(completion_delimiter=op.settings["completion_delimiter"], input_text=text)
        return [{key: (yield from _usable_or(Ask(messages("", filled)), read, op, []))}]

    return talk


# Entities and relations

_NO_ENTITY = {"entity_name": "", "entity_type": "", "entity_entity_description": ""}
_NO_RELATION = {
    "relation_source_entity": "",
    "relation_target_entity": "",
    "relation_description": "",
    "relation_keywords": [],
    "relation_strength": 0.0,
}


def _entities_and_relations(op: _Extraction) -> Talk:
    given = op.settings
    patterns = {"entity": op.pattern("entity_pattern", 1), "relationship": op.pattern("relation_pattern", 1)}
    delimiters = {name: given[name] for name in ("tuple_delimiter", "record_delimiter", "completion_delimiter")}
    prompt = op.template("prompt", ("entity_types", *delimiters, "input_text"), given="prompt_template")
    more, is_more = (given[f"{name}_prompt"] or op.prompt.template(name).fill() for name in ("continue", "if_loop"))
    entity_key, relation_key = op.keys

    def items(answer: str, name: str, count: int) -> list[tuple[str, ...]]:
        pattern = patterns[name]
        found = (match[1] or "" for match in pattern.finditer(answer)) if pattern else records(answer, name)
        split = ([unquoted(item, layers=1) for item in record.split(delimiters["tuple_delimiter"])] for record in found)
        return list(dict.fromkeys(tuple(items) for each in split if len(items := [item for item in each if item]) == count))

    def read(answer: str) -> Tags:
        entities = [dict(zip(_NO_ENTITY, each)) for each in items(answer, "entity", 3)]
        relations = [
            {**dict(zip(_NO_RELATION, each)), "relation_keywords": names_in(each[3]), "relation_strength": strength}
            for each in items(answer, "relationship", 5)
            if (strength := _number(each[4])) is not None
        ]
        return {entity_key: entities, relation_key: relations}

    def told(text: str, number: int) -> Conversation[str]:
        """Return all that the model says to one text in one try."""
        filled = prompt.fill(entity_types=", ".join(given["entity_types"]), **delimiters, input_text=text)
        talked: list[Message] = messages("", filled)
        answer = (yield Ask(list(talked), number)).text
        said = [answer]
        for gleaning in range(given["max_gleaning"]):
            talked += [{"role": "assistant", "content": answer}, {"role": "user", "content": more}]
            answer = (yield Ask(list(talked), number)).text
            said.append(answer)
            if gleaning + 1 < given["max_gleaning"]:
                question = [{"role": "assistant", "content": answer}, {"role": "user", "content": is_more}]
                reply: Reply = yield Ask([*talked, *question], number)
                if not decision(reply.beginning):
                    break
        return "\n".join(said)

    def talk(text: str, _tags: Tags) -> Conversation[list[Tags] | None]:
        found: Tags = {entity_key: [], relation_key: []}
        reason: IncompleteAnswerError | None = None
        for number in range(1, op.ask.try_num + 1):
            try:
                found, reason = read((yield from told(text, number))), None
            except IncompleteAnswerError as error:
                reason = error
            if found[entity_key]:
                break
            yield UNUSABLE
        if reason is not None and not found[entity_key]:
            raise unusable_after(op.ask.try_num, reason)
        return [{entity_key: found[entity_key] or [_NO_ENTITY], relation_key: found[relation_key] or [_NO_RELATION]}]

    return talk


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


# Attributes of entities

_EXCERPT = re.compile(r"###[ \t]*代表性示例摘录[ \t]*\d+[ \t]*[：:]?\s*```")


def _attributes(op: _Extraction) -> Talk:
    given = op.settings
    system = op.template("system", ("entity", "attribute"), given="system_prompt_template")
    request = op.template("input", ("text",), given="input_template")
    excerpt_pattern = op.pattern("demo_pattern", 1)
    pairs = [(entity, attribute) for entity in given["query_entities"] for attribute in given["query_attributes"]]
    needs_excerpts = given["require_support_demos"]

    def reader(attribute: str) -> Callable[[str], tuple[str, list[str]]]:
        pattern = op.pattern_with("attr_pattern_template", attribute=attribute)
        heading = re.compile(rf"(?<!\#)\#\#[ \t]*{re.escape(attribute)}[ \t]*[：:]")

        def read(answer: str) -> tuple[str, list[str]]:
            if pattern:
                match = pattern.search(answer)
                description = (match[1] or "").strip() if match else ""
            else:
                description = next(sections(answer, heading), "").strip()
            found = [(match.groups("")[-1]).strip() for match in excerpt_pattern.finditer(answer)] if excerpt_pattern else None
            excerpts = [each for each in (_fenced(answer) if found is None else found) if each]
            if not description or (needs_excerpts and not excerpts):
                raise ValueError("there is no description" + " with an excerpt" * needs_excerpts)
            return description, excerpts

        return read

    readers = [reader(attribute) for _, attribute in pairs]
    instructions = [system.fill(entity=entity, attribute=attribute) for entity, attribute in pairs]

    def talk(text: str, _tags: Tags) -> Conversation[list[Tags] | None]:
        asks = [Ask(messages(instruction, request.fill(text=text))) for instruction in instructions]
        found = yield from tries_together(asks, readers, try_num=op.ask.try_num)
        described: list[tuple[str, list[str]]] = [each or ("", []) for each in found]
        columns = (
            [entity for entity, _ in pairs],
            [attribute for _, attribute in pairs],
            [description for description, _ in described],
            [excerpts for _, excerpts in described],
        )
        return [dict(zip(op.keys, columns))]

    return talk


def _fenced(answer: str) -> list[str]:
    """Return the blocks in code fences under headings of excerpts."""
    found = []
    for head in _EXCERPT.finditer(answer):
        end = answer.find("```", head.end())
        if end < 0:
            break
        found.append(answer[head.end() : end].strip())
    return found


# Nicknames

_NICKNAME = re.compile(r"###[ \t]*称呼方式[ \t]*\d+[ \t]*[：:]?")
_NICKNAME_PARTS = (marker("说话人"), marker("被称呼人"), re.compile(r"(?:-[ \t]*)?\*\*[^*\n]*的昵称[ \t]*\*\*[ \t]*[：:]"))
_NO_NICKNAME = {**_NO_RELATION, "relation_strength": None}


def _nicknames(op: _Extraction) -> Talk:
    pattern = op.pattern("output_pattern", 6)
    system, request = op.template("system", (), given="system_prompt"), op.template("input", ("text",), given="input_template")
    [key] = op.keys

    def found(answer: str) -> Iterable[tuple[str, str, str]]:
        if pattern:
            for match in pattern.finditer(answer):
                _, speaker, addressee, checked_speaker, checked_addressee, nickname = (
                    part.strip() for part in match.groups("")[:6]
                )
                if (speaker, addressee) == (checked_speaker, checked_addressee):
                    yield speaker, addressee, nickname
            return
        for section in sections(answer, _NICKNAME):
            if each := parts(section, _NICKNAME_PARTS):
                _, speaker, _, addressee, check, nickname = each
                if check.strip("-* \t：:") == f"{speaker}对{addressee}的昵称":
                    yield speaker, addressee, nickname

    def read(answer: str) -> list[Tags]:
        calls = dict.fromkeys(call for call in found(answer) if call[2] and call[1] != call[2])
        if not calls:
            raise ValueError("it contains no nickname")
        return [{**dict(zip(_NO_NICKNAME, call)), "relation_keywords": ["nickname"], "relation_strength": None} for call in calls]

    def talk(text: str, _tags: Tags) -> Conversation[list[Tags] | None]:
        question = Ask(messages(system.fill(), request.fill(text=text)))
        return [{key: (yield from _usable_or(question, read, op, [_NO_NICKNAME]))}]

    return talk


# Support for a summary


def _support(op: _Extraction) -> Talk:
    system = op.template("system", (), given="system_prompt")
    request = op.template("input", ("text", "summary"), given="input_template")
    [key] = op.keys

    def talk(text: str, tags: Tags) -> Conversation[list[Tags] | None]:
        summary = tags.get(op.settings["summary_key"])
        if not isinstance(summary, str):
            return None
        question = Ask(messages(system.fill(), request.fill(text=text, summary=summary)))
        return [{key: (yield from _usable_or(question, filled_in, op, summary))}]

    return talk


def filled_in(answer: str) -> str:
    """Return an answer without spaces around.

    Raises
    ------
    ValueError
        If nothing is left.
    """
    if not (stripped := answer.strip()):
        raise ValueError("it is empty")
    return stripped


# Relations between two people

_REASONING = re.compile("分析推理[ \t]*[：:]")
_CONCLUSION = re.compile(r"(?:所以|因此|故|可见)[^：:\n]{0,48}[：:](.+)")


def _relation(op: _Extraction) -> Talk:
    given = op.settings
    source, target = given["source_entity"], given["target_entity"]
    names = {"entity1": source or "", "entity2": target or ""}
    system = op.template("system", tuple(names), given="system_prompt_template")
    request = op.template("input", ("text", *names), given="input_template")
    pattern = op.pattern_with("output_pattern_template", **names)
    conclusion = re.compile(rf"所以\s*{re.escape(names['entity2'])}\s*是\s*{re.escape(names['entity1'])}\s*的\s*[：:]")
    [key] = op.keys

    def concluded(answer: str) -> str:
        reasoning = None if pattern else _REASONING.search(answer)
        if reasoning and (match := conclusion.search(answer, reasoning.end())):
            return answer[match.end() :].strip()
        found = [match[1] or "" for match in pattern.finditer(answer)] if pattern else []
        if found:
            return found[-1].strip()
        lines = (_CONCLUSION.search(line) for line in reversed(answer.splitlines()))
        return next((line[1].strip() for line in lines if line), "")

    def talk(text: str, _tags: Tags) -> Conversation[list[Tags] | None]:
        if not source or not target:
            return [{key: ""}]
        question = Ask(messages(system.fill(**names), request.fill(text=text, **names)))
        return [{key: (yield from _usable_or(question, lambda answer: filled_in(concluded(answer)), op, ""))}]

    return talk


_KINDS: dict[str, tuple[str, str, Callable[[_Extraction], Talk]]] = {
    "events": ("extract_event", "zh", _events),
    "keywords": ("extract_keyword", "en", _keywords),
    "entities and relations": ("extract_entity_relation", "en", _entities_and_relations),
    "attributes": ("extract_entity_attribute", "zh", _attributes),
    "nicknames": ("extract_nickname", "zh", _nicknames),
    "support": ("extract_support_text", "zh", _support),
    "relation": ("relation_identity", "zh", _relation),
}


# Fields of a form


def bind_extracted_fields(
    *,
    input_keys: Sequence[str],
    output_schema: Iterable[tuple[str, str]],
    output_key: str | None,
    background: tuple[str | None, str | None],
    system_prompt: str | None,
    strategy: str | None,
    examples: str,
    asking: Iterable[Any],
) -> Callable[[list[Row]], list[Any]]:
    """Return the function of rows that has a model fill in a form.

    Parameters
    ----------
    input_keys : sequence of str
        Fields that the model reads.
    output_schema : items of a mapping
        Keys of the form, and what belongs there.
    output_key : str or None
        Tag for the form; None writes a tag for each of its keys.
    background : tuple
        A text that the model may use, and the field of one; the first goes before.
    examples : str
        Examples for the strategies that show some.
    """
    ask = Asking.of(asking)
    form = dict(output_schema)
    empty = dict.fromkeys(form)
    prompt = load_prompt("llm_extract", "en")
    system = prompt.template("system", given=system_prompt, what=f"{ask.op}: system_prompt")
    request = prompt.template("input", ("background", "examples", "data", "form", "request"))
    shown = {name: prompt.template(name, ("text",)) for name in ("background", "examples")}
    thinks = prompt.template("cot" if strategy in ("cot", "cot_shot") else "direct").fill()
    examples = examples if strategy in ("few_shot", "cot_shot") else ""
    price = Price.of_model(ask.model_params.get("prices"), ask.model)

    def is_filled_in(value: Tags) -> bool:
        # Models like to repeat the form before they fill it in. An object with nothing in it says that nothing is known.
        return not value or (value != form and not form.keys().isdisjoint(value))

    def read(answer: str) -> Tags:
        brace, bracket = answer.find("{"), answer.find("[")
        is_array = bracket >= 0 and (brace < 0 or bracket < brace)
        if is_array and len(form) == 1:
            found = read_json(answer, {"type": "array"})
            is_form = len(found) == 1 and isinstance(found[0], dict) and found[0].keys() == form.keys()
            return found[0] if is_form else dict.fromkeys(form, found)
        found = read_json(answer, {"type": "object", "properties": {key: {} for key in form}}, is_meant=is_filled_in)
        return {name: found.get(name) for name in form}

    def block(name: str, text: str) -> str:
        return shown[name].fill(text=text) + "\n\n" if text else ""

    def whole(row: Row) -> Conversation[Row]:
        tags = tags_of(row)
        if all(key in tags for key in ([output_key] if output_key is not None else form)):
            return row
        known = background[0] or (_as_text(_at(row, background[1])) if background[1] else "")
        data = "\n".join(f"{key}: {_as_text(value)}" for key in input_keys if (value := _at(row, key)) is not None)
        filled, tokens = empty, (0, 0)
        if data:
            user = request.fill(
                background=block("background", known),
                examples=block("examples", examples),
                data=data,
                form="\n".join(f"- {name}: {instruction}" for name, instruction in form.items()),
                request=thinks,
            )
            filled, tokens = yield from metered(tries(Ask(messages(system.fill(), user)), read, try_num=ask.try_num), empty)
        written = filled if output_key is None else {output_key: filled}
        return {**row, META: {**tags, **written, USAGE: usage_with(tags.get(USAGE), *tokens, price)}}

    return conversing(ask, ask.language_model(prompt_version=prompt.version), whole)


def _at(row: Row, key: str) -> Any:
    value: Any = row
    for name in path_of(row, key):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
