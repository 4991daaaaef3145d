"""Aggregators that have a language model sum up the rows of a group."""

from __future__ import annotations

from typing import Any, ClassVar

from djfast.declare import Aggregator, Example, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, row
from djfast.ops.language_models.asking import ApiMapper

_SYSTEM = "System prompt; null takes the one that comes with djfast."
_INPUT_KEY = "Tag with the documents; an empty name takes the texts."
_MODEL_PARAMS = "Settings of the client (`base_url`); `processor_config` names a tokenizer."
_PATTERN = "Regular expression of the answer, in which spaces mean nothing: "
_MAX_TOKENS = "Largest number of tokens of the documents in one question; null sets no limit."
_TOKENIZER = ("processor_config", "pretrained_model_name_or_path")


class Grouped(ApiMapper, Aggregator):
    """What the aggregators have in common."""

    model_params: dict = param(_MODEL_PARAMS, default={})  # type: ignore[type-arg]

    def asking(self) -> dict[str, Any]:
        """Return the parameter that functions make a model of; the tokenizer is none of the model's."""
        model_params = {name: value for name, value in self.model_params.items() if name != _TOKENIZER[0]}
        return {"asking": {**super().asking()["asking"], "model_params": model_params}}


class Aggregation(Grouped):
    """What the aggregators for documents have in common; `what` is made of them."""

    what: ClassVar[str]

    input_key: str = param(_INPUT_KEY, default="event_description")
    output_key: str | None = param("Name of the result in `__dj__batch_meta__`.", default=None)
    max_token_num: int | None = param(_MAX_TOKENS, default=None, unit="tokens", ge=1)

    def rewrite(self) -> Expr:
        """Return the rows of lists with what is made of their documents."""
        own = {p.name for p in self.spec.own_params} - {p.name for p in Aggregation._params}
        tokenizer = _tokenizer_of(self)
        counts = tokenizer is not None and self.max_token_num is not None
        return call(
            "aggregated_by_tokens" if counts else "aggregated",
            row(),
            what=self.what,
            text_key="text",
            input_key=self.input_key,
            output_key=self.output_key or self.input_key or "text",
            max_token_num=self.max_token_num,
            settings={name: self.__dict__[name] for name in sorted(own)},
            **({"tokenizer": tokenizer} if counts else {}),
            **self.asking(),
        )


def _tokenizer_of(op: Aggregation) -> str | None:
    """Return the tokenizer that the parameters name."""
    name, inner = _TOKENIZER
    config = op.model_params.get(name)
    if config is None:
        return None
    tokenizer = config.get(inner) if isinstance(config, dict) else None
    if not isinstance(tokenizer, str) or not tokenizer:
        raise RecipeError(f"{op.spec.name}: {name} must have {inner}, the name or path of a tokenizer, got {config!r}")
    return tokenizer


class NestedAggregator(Aggregation, name="nested_aggregator"):
    """Summarises the documents of a group with a language model, and the summaries again until one is left.

    Documents are put into one question as long as they fit into `max_token_num` together; otherwise they are cut into groups
    of about the same length. Tokens are counted by the tokenizer that `processor_config` in `model_params` names; without
    one, a token is one Chinese, Japanese or Korean character, or four other characters. A single document is its own summary;
    nothing is asked about it. If one document is not a string, or the result is already there, the row does not change. If
    the server gives no answer, the row is rejected. Parts without a usable answer are left out. An empty text is a document
    like others.
    """

    what = "summary"

    system_prompt: str | None = param(_SYSTEM, default=None)
    sub_doc_template: str | None = param("Template of one document, with `{text}`.", default=None)
    input_template: str | None = param("What the model reads; the documents are `{sub_docs}`.", default=None)

    examples = (
        Example(
            rows=[
                {
                    "text": ["a", "b"],
                    "__dj__meta__": [{"event_description": "小满过河送信。"}, {"event_description": "河叔连夜进城。"}],
                }
            ],
            params={},
            expect=[{"__dj__batch_meta__": {"event_description": "小满过河送信，河叔连夜进城。"}}],
            says=("小满过河送信，河叔连夜进城。",),
        ),
    )


class EntityAttributeAggregator(Aggregation, name="entity_attribute_aggregator"):
    """Summarises with a language model what the documents of a group say about an attribute of an entity.

    If the documents do not fit into `max_token_num` together, they are cut into groups, and the results of the groups are
    summarised as by nested_aggregator, which also says how tokens are counted. Special characters of names have no meaning in
    patterns. If one document is not a string, or the result is already there, the row does not change. If the server gives no
    answer, the row is rejected. If no answer can be used, the result is empty. An empty text is a document like others.
    """

    what = "attribute"

    entity: str = param("The entity.")
    attribute: str = param("The attribute.")
    output_key: str = param("Name of the result in `__dj__batch_meta__`.", default="entity_attribute")
    word_limit: int = param("Length of the summary.", default=100, unit="words", ge=1)
    system_prompt_template: str | None = param(
        "Instruction of the model, made of `{entity}`, `{attribute}`, `{word_limit}` and `{example}`.", default=None
    )
    example_prompt: str | None = param("Example of an answer, in full.", default=None)
    input_template: str | None = param(
        "Template of what the model reads, with `{entity}`, `{attribute}` and `{sub_docs}`.", default=None
    )
    output_pattern_template: str | None = param(
        _PATTERN + "its group holds the summary. It may name `{entity}` and `{attribute}`.", default=None
    )

    examples = (
        Example(
            rows=[{"text": ["a"], "__dj__meta__": [{"event_description": "小满冒着风浪过河送信。"}]}],
            params={"entity": "小满", "attribute": "性格"},
            expect=[{"__dj__batch_meta__": {"entity_attribute": "勇敢"}}],
            says=("# 小满\n## 性格\n勇敢",),
        ),
    )


class MostRelevantEntitiesAggregator(Aggregation, name="most_relevant_entities_aggregator"):
    """Ranks the entities in the documents of a group by their relevance to a given entity, with a language model.

    The result is a list of names, the most relevant first. Documents are used from the first one on as long as they fit into
    `max_token_num` together; nested_aggregator says how tokens are counted. The list is empty if no answer can be used or the
    first document does not fit. If one document is not a string, or the result is already there, the row does not change. If
    the server gives no answer, the row is rejected. An empty text is a document like others.
    """

    what = "entities"

    entity: str = param("The entity.")
    query_entity_type: str = param("Type of the entities that are looked for.")
    output_key: str = param("Name of the result in `__dj__batch_meta__`.", default="most_relevant_entities")
    system_prompt_template: str | None = param("Instruction of the model, made of `{entity}` and `{entity_type}`.", default=None)
    input_template: str | None = param(
        "Template of what the model reads, with `{entity}`, `{entity_type}` and `{sub_docs}`.", default=None
    )
    output_pattern: str | None = param(_PATTERN + "its group holds the list.", default=None)

    examples = (
        Example(
            rows=[{"text": ["a"], "__dj__meta__": [{"event_description": "小满把信交给河叔，阿宁在岸上等。"}]}],
            params={"entity": "小满", "query_entity_type": "人物"},
            expect=[{"__dj__batch_meta__": {"most_relevant_entities": ["河叔", "阿宁"]}}],
            says=("## 分析\n小满把信交给河叔。\n\n## 列表\n河叔、阿宁",),
        ),
    )


class MetaTagsAggregator(Grouped, name="meta_tags_aggregator"):
    """Merges the tags of a group's rows into fewer ones with a language model.

    The model reads how often each tag occurs and assigns it to a class, one of `target_tags` if these are given. Other tags
    and classes in its answer are ignored. A tag that it does not name stays. Unlike in Data-Juicer, tags may contain spaces
    and punctuation. A row does not change if one tag is neither a string nor a list of strings, or if no answer can be used.
    If the server gives no answer, the row is rejected. The OP does not read texts, so they may be empty.
    """

    rewrites_tags = True

    meta_tag_key: str = param("Name of the tag.", default="dialog_sentiment_labels")
    target_tags: list[str] | None = param("Classes that the model chooses from; null leaves the choice to it.", default=None)
    system_prompt: str | None = param(_SYSTEM, default=None)
    input_template: str | None = param(
        "Template of what the model reads, with `{target_tag_str}` and `{tag_strs}`.", default=None
    )
    target_tag_template: str | None = param("Template of the classes, with `{target_tags}`.", default=None)
    tag_template: str | None = param("Template of a `{tag}` that occurs `{cnt}` times.", default=None)
    output_pattern: str | None = param(_PATTERN + "two groups, a tag and its class; all matches are taken.", default=None)

    examples = (
        Example(
            rows=[{"text": ["a", "b"], "__dj__meta__": [{"mood": ["happy", "very glad"]}, {"mood": "happy"}]}],
            params={"meta_tag_key": "mood", "target_tags": ["joy"]},
            expect=[{"__dj__meta__": [{"mood": ["joy", "joy"]}, {"mood": "joy"}]}],
            says=("**happy归类为joy**\n**very glad归类为joy**",),
        ),
    )

    def rewrite(self) -> Expr:
        """Return the rows of lists with fewer tags."""
        names = ("target_tags", "system_prompt", "input_template", "target_tag_template", "tag_template", "output_pattern")
        settings = {name: self.__dict__[name] for name in names}
        return call("merged_tags", row(), key=self.meta_tag_key, settings=settings, **self.asking())
