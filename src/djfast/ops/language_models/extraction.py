"""Mappers that have a language model find things in a text: events, people, relations, key words, fields of a form."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from djfast.declare import Example, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, row
from djfast.ops.language_models.asking import EITHER_NAME, ApiMapper, ModelMapper

_SYSTEM = "System prompt; null takes the one that comes with djfast."
_INPUT = "Template of what the model reads, with `{text}`."
_PATTERN = "Regular expression of the answer, in which spaces mean nothing: "


class Extraction(ApiMapper):
    """What the mappers for texts have in common; `what` is looked for."""

    what: ClassVar[str]
    rewrites_tags = True

    drop_text: bool = param("Whether the text is removed from rows that get the tags.", default=False)

    def keys(self) -> tuple[str, ...]:
        """Names of the tags."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """Parameters of this OP alone, as the function wants them."""
        names = {p.name for p in self.spec.own_params} - {p.name for p in Extraction._params}
        return {name: self.__dict__[name] for name in sorted(names)}

    def rewrite(self) -> Expr:
        """Return the rows with what is found in their texts."""
        return call(
            "extracted",
            row(),
            what=self.what,
            text_key="text",
            keys=self.keys(),
            drop_text=self.drop_text,
            settings=self.settings(),
            **self.asking(),
        )


class ExtractEventMapper(Extraction, name="extract_event_mapper"):
    """Extracts the events of a text and the people in them with a language model: one row for each event.

    Each new row is a copy of the row with two tags: the event, and the list of its people, which may be empty. If no answer
    of the model has an event, the row is dropped; each row is decided on its own, not with its batch. If the server gives no
    answer, the row is rejected. A row that has both tags does not change. With `drop_text` the new rows have no text. An
    empty text is asked about like any other.
    """

    what = "events"

    event_desc_key: str = param("Tag for the event.", default="event_description")
    relevant_char_key: str = param("Tag for the list of people.", default="relevant_characters")
    system_prompt: str | None = param(_SYSTEM, default=None)
    input_template: str | None = param(_INPUT, default=None)
    output_pattern: str | None = param(_PATTERN + "three groups, the number, the event and the people.", default=None)

    examples = (
        Example(
            rows=[{"text": "小满划船到对岸，把信交给了河叔。河叔读完信，连夜进城。"}],
            params={},
            expect=[
                {"event_description": "小满过河送信。", "relevant_characters": ["小满", "河叔"]},
                {"event_description": "河叔连夜进城。", "relevant_characters": ["河叔"]},
            ],
            says=(
                "### 情节1：\n- **情节描述**：小满过河送信。\n- **相关人物**：小满、河叔\n\n"
                "### 情节2：\n- **情节描述**：河叔连夜进城。\n- **相关人物**：河叔",
            ),
        ),
    )

    def keys(self) -> tuple[str, ...]:
        """Names of the tags."""
        return self.event_desc_key, self.relevant_char_key


class ExtractKeywordMapper(Extraction, name="extract_keyword_mapper"):
    """Extracts keywords from a text with a language model.

    The tag is the list of words between punctuation of any script; the list is empty if no answer of the model can be used.
    Unlike in Data-Juicer, parentheses in a keyword do not end the list. Nothing is asked about a row that has the tag. If the
    server gives no answer, the row is rejected. With `drop_text` the text is removed. An empty text is asked about like any
    other.
    """

    what = "keywords"

    keyword_key: str = param("Tag for the list of keywords.", default="keyword")
    prompt_template: str | None = param(
        "Template of what the model reads, with `{completion_delimiter}` and `{input_text}`.", default=None
    )
    completion_delimiter: str | None = param("End mark that the model writes; null is `<|COMPLETE|>`.", default=None)
    output_pattern: str | None = param(_PATTERN + "its group holds keywords; all its matches are taken.", default=None)

    examples = (
        Example(
            rows=[{"text": "Bees find their way by polarised light."}],
            params={},
            expect=[{"keyword": ["bees", "navigation", "polarised light"]}],
            says=('("content_keywords"<|>"bees, navigation, polarised light")<|COMPLETE|>',),
        ),
    )

    def keys(self) -> tuple[str, ...]:
        """Names of the tags."""
        return (self.keyword_key,)

    def settings(self) -> dict[str, Any]:
        """Parameters of this OP alone, as the function wants them."""
        return {**super().settings(), "completion_delimiter": self.completion_delimiter or "<|COMPLETE|>"}


class ExtractEntityRelationMapper(Extraction, name="extract_entity_relation_mapper"):
    """Extracts entities and their relations from a text with a language model.

    The model is asked once, then up to `max_gleaning` times for what is missing; between these turns it may say that nothing
    is missing. The tags are lists without repeats, in the order in which the model names their entries: entities
    (`entity_name`, `entity_type`, `entity_entity_description`) and relations (`relation_source_entity`,
    `relation_target_entity`, `relation_description`, `relation_keywords`, `relation_strength`). If there are none, the list
    has one entry of empty strings and strength 0. If no entity was found, the conversation starts again, up to `try_num`
    times. Unlike in Data-Juicer, balanced parentheses in a description do not end it. Nothing is asked about a row that has
    both tags. If the server gives no answer, the row is rejected. With `drop_text` the text is removed. An empty text is
    asked about like any other.
    """

    what = "entities and relations"

    entity_types: list[str] | None = param("Types of entities; null is organization, person, geo and event.", default=None)
    entity_key: str = param("Tag for the entities.", default="entity")
    relation_key: str = param("Tag for the relations.", default="relation")
    prompt_template: str | None = param(
        "Template of what the model reads, with `{entity_types}`, `{tuple_delimiter}`, `{record_delimiter}`, "
        "`{completion_delimiter}` and `{input_text}`.",
        default=None,
    )
    tuple_delimiter: str | None = param("Separator of the parts of a record; null is `<|>`.", default=None)
    record_delimiter: str | None = param("Separator of records; null is `##`.", default=None)
    completion_delimiter: str | None = param("End mark that the model writes; null is `<|COMPLETE|>`.", default=None)
    max_gleaning: int = param("How often the model is asked for what is missing.", default=1, unit="turns", ge=0, le=100)
    continue_prompt: str | None = param("Prompt that asks for what is missing.", default=None)
    if_loop_prompt: str | None = param("Prompt that asks whether something is missing, yes or no.", default=None)
    entity_pattern: str | None = param(_PATTERN + "its group holds the parts of an entity.", default=None)
    relation_pattern: str | None = param(_PATTERN + "its group holds the parts of a relation.", default=None)

    examples = (
        Example(
            rows=[{"text": "Tomas paid Mara."}],
            params={"max_gleaning": 0},
            expect=[
                {
                    "entity": [{"entity_name": "Mara", "entity_type": "person", "entity_entity_description": "She is paid."}],
                    "relation": [
                        {
                            "relation_source_entity": "Tomas",
                            "relation_target_entity": "Mara",
                            "relation_description": "He pays her.",
                            "relation_keywords": ["payment", "work"],
                            "relation_strength": 6.0,
                        }
                    ],
                }
            ],
            says=(
                '("entity"<|>"Mara"<|>"person"<|>"She is paid.")##'
                '("relationship"<|>"Tomas"<|>"Mara"<|>"He pays her."<|>"payment, work"<|>6)<|COMPLETE|>',
            ),
        ),
    )

    def keys(self) -> tuple[str, ...]:
        """Names of the tags."""
        return self.entity_key, self.relation_key

    def settings(self) -> dict[str, Any]:
        """Parameters of this OP alone, as the function wants them."""
        return {
            **super().settings(),
            "entity_types": self.entity_types or ["organization", "person", "geo", "event"],
            "tuple_delimiter": self.tuple_delimiter or "<|>",
            "record_delimiter": self.record_delimiter or "##",
            "completion_delimiter": self.completion_delimiter or "<|COMPLETE|>",
        }


class ExtractEntityAttributeMapper(Extraction, name="extract_entity_attribute_mapper"):
    """Extracts attributes of entities from a text with a language model, with excerpts that support them.

    The OP asks one question for each entity and attribute, all at the same time. It writes four tags, lists of the same
    length with one entry for each pair: all attributes of the first entity, then those of the next. If no answer can be used,
    the description is empty and has no excerpts. Unlike in Data-Juicer, special characters of names have no meaning in
    patterns. Nothing is asked about a row that has all four tags. If the server does not answer one of the questions, the row
    is rejected. With `drop_text` the text is removed. An empty text is asked about like any other.
    """

    what = "attributes"

    query_entities: list[str] = param("The entities.", default=[])
    query_attributes: list[str] = param("The attributes.", default=[])
    entity_key: str = param("Tag for the entities.", default="main_entities")
    attribute_key: str = param("Tag for the attributes.", default="attributes")
    attribute_desc_key: str = param("Tag for the descriptions.", default="attribute_descriptions")
    support_text_key: str = param("Tag for the lists of excerpts.", default="attribute_support_texts")
    system_prompt_template: str | None = param(
        "Instruction of the model, made of `{entity}` and `{attribute}`; null takes the one that comes with djfast.", default=None
    )
    input_template: str | None = param(_INPUT, default=None)
    attr_pattern_template: str | None = param(
        _PATTERN + "its group holds the description. It may name the `{attribute}`.", default=None
    )
    demo_pattern: str | None = param(_PATTERN + "its last group holds an excerpt.", default=None)
    require_support_demos: bool = param("Whether a description without an excerpt is unusable.", default=True)

    examples = (
        Example(
            rows=[{"text": "小满笑着说：“这点风浪怕什么！”说完就把船撑了出去。"}],
            params={"query_entities": ["小满"], "query_attributes": ["性格"]},
            expect=[
                {
                    "main_entities": ["小满"],
                    "attributes": ["性格"],
                    "attribute_descriptions": ["勇敢、开朗"],
                    "attribute_support_texts": [["这点风浪怕什么！"]],
                }
            ],
            says=("# 小满\n## 性格：\n勇敢、开朗\n### 代表性示例摘录1：\n```\n这点风浪怕什么！\n```",),
        ),
    )

    def keys(self) -> tuple[str, ...]:
        """Names of the tags."""
        return self.entity_key, self.attribute_key, self.attribute_desc_key, self.support_text_key


class ExtractNicknameMapper(Extraction, name="extract_nickname_mapper"):
    """Extracts the nicknames that the people of a text use for each other, with a language model.

    The tag is a list of relations like those of extract_entity_relation_mapper, without repeats, in the order of the answer:
    the speaker, the person who is meant, and the nickname as the description. A nickname that equals the name is left out. If
    no answer can be used, the list has one entry of empty strings. Nothing is asked about a row that has the tag. If the
    server gives no answer, the row is rejected. With `drop_text` the text is removed. An empty text is asked about like any
    other.
    """

    what = "nicknames"

    nickname_key: str = param("Tag for the nicknames.", default="nickname")
    system_prompt: str | None = param(_SYSTEM, default=None)
    input_template: str | None = param(_INPUT, default=None)
    output_pattern: str | None = param(
        _PATTERN + "six groups, the number, the speaker, the person meant, these two again, and the nickname.", default=None
    )

    examples = (
        Example(
            rows=[{"text": "“河叔，开船吧！”小满喊道。"}],
            params={},
            expect=[
                {
                    "nickname": [
                        {
                            "relation_source_entity": "小满",
                            "relation_target_entity": "李长河",
                            "relation_description": "河叔",
                            "relation_keywords": ["nickname"],
                            "relation_strength": None,
                        }
                    ]
                }
            ],
            says=("### 称呼方式1\n- **说话人**：小满\n- **被称呼人**：李长河\n- **小满对李长河的昵称**：河叔",),
        ),
    )

    def keys(self) -> tuple[str, ...]:
        """Names of the tags."""
        return (self.nickname_key,)


class ExtractSupportTextMapper(Extraction, name="extract_support_text_mapper"):
    """Extracts the passage of a text that supports a summary, such as an event of extract_event_mapper.

    The tag is the whole answer, or the summary itself if all answers are empty. If the summary is not a string, or the row
    has the tag, the row does not change. If the server gives no answer, the row is rejected. With `drop_text` the text is
    removed. An empty text is asked about like any other.
    """

    what = "support"

    summary_key: str = param("Tag with the summary.", default="event_description")
    support_text_key: str = param("Tag for the passage.", default="support_text")
    system_prompt: str | None = param(_SYSTEM, default=None)
    input_template: str | None = param("Template of what the model reads, with `{text}` and `{summary}`.", default=None)

    examples = (
        Example(
            rows=[{"text": "天黑了。小满把船撑过了河。", "__dj__meta__": {"event_description": "小满过河。"}}],
            params={},
            expect=[{"support_text": "小满把船撑过了河。"}],
            says=("小满把船撑过了河。",),
        ),
    )

    def keys(self) -> tuple[str, ...]:
        """Names of the tags."""
        return (self.support_text_key,)


class RelationIdentityMapper(Extraction, name="relation_identity_mapper"):
    """Extracts the relation between two persons of a text with a language model.

    The tag is a word or phrase that completes "the target is the source's ...". If the answer does not have the form asked
    for, its last conclusion (所以, 因此, 故, 可见 and a colon) counts. The tag is empty if no answer can be used, or if one of
    the two has no name; in the second case nothing is asked. Special characters of names have no meaning in patterns. Nothing is
    asked about a row that has the tag. If the server gives no answer, the row is rejected. With `drop_text` the text is
    removed. An empty text is asked about like any other.
    """

    what = "relation"

    source_entity: str | None = param("First person of the relation.", default=None)
    target_entity: str | None = param("Second person of the relation.", default=None)
    output_key: str = param("Tag for the relation.", default="role_relation")
    system_prompt_template: str | None = param(
        "Instruction of the model, made of `{entity1}`, the source, and `{entity2}`; null takes the one that comes with djfast.",
        default=None,
    )
    input_template: str | None = param(
        "Template of what the model reads, with `{text}`, `{entity1}` and `{entity2}`.", default=None
    )
    output_pattern_template: str | None = param(
        _PATTERN + "the first group of its last match counts. It may name `{entity1}` and `{entity2}`.", default=None
    )

    examples = (
        Example(
            rows=[{"text": "小满从小跟着河叔学撑船。"}],
            params={"source_entity": "小满", "target_entity": "河叔"},
            expect=[{"role_relation": "师父"}],
            says=("分析推理：小满跟河叔学撑船。\n所以河叔是小满的：师父",),
        ),
    )

    def keys(self) -> tuple[str, ...]:
        """Names of the tags."""
        return (self.output_key,)


class Form(ModelMapper):
    """Parameters of `llm_extract_mapper`.

    They are in a base class because one is called `examples`, a name that OPs use for documentation.
    """

    input_keys: list[str] = param("Fields that the model reads; dots reach into nested fields.")
    output_schema: dict = param("Keys of the result, each with a description of its value.")  # type: ignore[type-arg]
    api_or_hf_model: str | None = param(EITHER_NAME, default="gpt-4o")
    is_hf_model: bool = param("Whether the model runs in this process, by the package transformers.", default=False)
    meta_output_key: str | None = param("Tag for the result; null makes a tag of each of its keys.", default="llm_extract")
    knowledge_grounding_key: str | None = param("Field with background knowledge that the model may use.", default=None)
    knowledge_grounding_fixed: str | None = param(
        "Background knowledge that the model may use, instead of the field's.", default=None
    )
    system_prompt: str | None = param(_SYSTEM, default=None)
    strategy: str | None = param(
        "How the model is asked: directly (direct), to reason first (cot), with examples (few_shot), or both (cot_shot).",
        default=None,
        choices=(None, "direct", "cot", "few_shot", "cot_shot"),
    )
    examples: str | list[str] | list[dict] | None = param(  # type: ignore[type-arg,misc,assignment]
        "Examples for few_shot and cot_shot: a string, or a list of strings or mappings.", default=None
    )


class LlmExtractMapper(Form, name="llm_extract_mapper"):
    """Extracts structured data from fields of the row with a language model.

    The tag is a mapping with exactly the keys of `output_schema`; what the model does not say is null. All values are null if
    no answer can be used, or if the row has none of the fields; in the second case nothing is asked. If the schema has one
    key, an answer that is a list is its value. Unlike in Data-Juicer, the model is asked again if its answer is not JSON, and
    `strategy` may be a plain string. Nothing is asked about a row that has the tag. If the server gives no answer, the row is
    rejected. The tag `llm_semantic_usage` adds up the tokens; the cost is 0 if `model_params` has no `prices`. An empty text
    is a value like others.
    """

    rewrites_tags = True
    examples = (  # type: ignore[misc]
        Example(
            rows=[{"text": "Mara was born in Port Elin."}, {"text": None}],
            params={"input_keys": ["text"], "output_schema": {"name": "the person", "age": "in years"}},
            expect=[{"llm_extract": {"name": "Mara", "age": None}}, {"llm_extract": {"name": None, "age": None}}],
            says=('{"name": "Mara", "age": null}',),
        ),
    )

    def validate(self) -> None:
        """Check that the form has keys with texts."""
        for key, instruction in self.output_schema.items():
            if not isinstance(key, str) or not isinstance(instruction, str):
                raise RecipeError(
                    f"{self.spec.name}: output_schema must have a text for each key, got {{{key!r}: {instruction!r}}}"
                )
        for name in ("input_keys", "output_schema"):
            if not self.__dict__[name]:
                raise RecipeError(f"{self.spec.name}: {name} must not be empty, got {self.__dict__[name]!r}")

    def rewrite(self) -> Expr:
        """Return the rows with their forms."""
        given = self.__dict__["examples"] or ()
        shown = [given] if isinstance(given, str) else given
        return call(
            "extracted_fields",
            row(),
            input_keys=self.input_keys,
            output_schema=self.output_schema,
            output_key=self.meta_output_key,
            background=(self.knowledge_grounding_fixed, self.knowledge_grounding_key),
            system_prompt=self.system_prompt,
            strategy=self.strategy,
            examples="\n".join(each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in shown),
            **self.asking(),
        )
