"""Mappers that have a language model judge dialogues and the work of agents."""

from __future__ import annotations

from typing import Any, ClassVar

from djfast.declare import Example, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, field, member, text_field
from djfast.ops.language_models.asking import SERVED_NAME, ApiMapper
from djfast.records import NamedTuple
from djfast.reserved import META, STATS

_MODEL_PARAMS = "Settings of the client (`base_url`)."
_SAMPLING_PARAMS = "Settings of the answer, such as `temperature` and `max_tokens`; they are added to those of the OP."
_SYSTEM = "System prompt; null takes the one that comes with djfast."
_LANGUAGE = "Language of what the model writes."
_LANGUAGES = ("en", "zh")


class Judging(ApiMapper):
    """What the mappers of one judgement have in common; short answers with little chance in them are enough."""

    settings: ClassVar[dict[str, Any]] = {"max_tokens": 384, "temperature": 0.2}

    api_model: str | None = param(SERVED_NAME, default="qwen-turbo")
    try_num: int = param("How often the model is asked until an answer can be used.", default=2, unit="tries", ge=1)
    overwrite: bool = param("Whether rows that have the tag are judged again.", default=False)
    model_params: dict | None = param(_MODEL_PARAMS, default=None)  # type: ignore[type-arg,assignment]
    sampling_params: dict | None = param(_SAMPLING_PARAMS, default=None)  # type: ignore[type-arg,assignment]

    def overwrites(self) -> bool:
        """Return whether judgements that are there are replaced."""
        return self.overwrite

    def asking(self) -> dict[str, Any]:
        """Return the parameter that functions make a model of."""
        [(name, asking)] = super().asking().items()
        return {name: {**asking, "sampling_params": {**self.settings, **(self.sampling_params or {})}}}


class Judge(Judging):
    """A judge of one quality: the tag is named as the OP is."""

    reads: ClassVar[str]
    eval_kind: ClassVar[str]

    history_key: str = param("Field of the dialogue's earlier turns: pairs of strings.", default="dialog_history")
    max_round: int = param("Number of turns that the model sees, the last ones.", default=8, unit="turns", ge=1)
    max_query_chars_for_prompt: int = param(
        "Longest message of the user that the model sees in full; 0 sets no limit.", default=6000, unit="characters", ge=0
    )
    max_response_chars_for_prompt: int = param(
        "Longest response that the model sees in full; 0 sets no limit.", default=8000, unit="characters", ge=0
    )
    trajectory_text_max_chars: int = param(
        "Longest trace of an agent that the model sees in full; 0 sets no limit.", default=12000, unit="characters", ge=0
    )
    tool_types_key: str = param("Tag of the tools that an agent called.", default="agent_tool_types")
    primary_tool_key: str = param("Tag of the tool that an agent called most.", default="primary_tool_type")
    preferred_output_lang: str = param(_LANGUAGE, default="en", choices=_LANGUAGES)

    def tags(self) -> dict[str, Expr]:
        """Return the judgement."""
        query_and_response = (field(self.query_key), field(self.response_key))
        material = {
            "dialog": (field(self.history_key), *query_and_response),
            "trace": (text_field(),),
            "tools": (
                *query_and_response,
                field(f"{META}.{self.tool_types_key}"),
                field(f"{META}.{self.primary_tool_key}"),
            ),
        }
        tag = self.spec.name.removesuffix("_mapper")
        judged = call(
            "judged",
            field(f"{META}.{tag}"),
            *material[self.reads],
            judge=tag,
            reads=self.reads,
            eval_kind=self.eval_kind,
            overwrite=self.overwrite,
            limits={
                "turns": self.max_round,
                "query": self.max_query_chars_for_prompt,
                "response": self.max_response_chars_for_prompt,
                "text": self.trajectory_text_max_chars,
            },
            language=self.preferred_output_lang,
            **self.asking(),
        )
        return {tag: judged}


class _Reading(NamedTuple):
    """What judges of a kind read."""

    eval_kind: str
    what: str  # for the documentation
    row: dict[str, Any]


_READINGS = {
    "dialog": _Reading(
        "dialog_turn",
        "The OP reads the last turns of the history, the query and the response. If the history is not a list of pairs of\n"
        "strings, the row is rejected.",
        {"dialog_history": [["I am Ada.", "Hello Ada!"]], "query": "Who am I?", "response": "You are Ada."},
    ),
    "trace": _Reading("agent_trace", "The OP reads the text.", {"text": "1. Search. 2. Read. 3. Answer."}),
    "tools": _Reading(
        "agent_tool",
        "The OP reads the query, the response and the tags of the tools that were called.",
        {"query": "Find it.", "response": "Done.", "__dj__meta__": {"agent_tool_types": ["search"]}},
    ),
}

# tag and OP, what is read, what is scored
_JUDGES = (
    ("dialog_memory_consistency", "dialog", "the assistant remembers what was said"),
    ("dialog_coreference", "dialog", "the assistant resolves words such as `it` (coreference)"),
    ("dialog_topic_shift", "dialog", "the assistant handles changes of topic"),
    ("dialog_error_recovery", "dialog", "the assistant recovers from mistakes"),
    ("dialog_clarification_quality", "dialog", "the assistant asks for clarification"),
    ("dialog_proactivity", "dialog", "the assistant takes the initiative"),
    ("dialog_non_repetition", "dialog", "the assistant avoids repeating itself"),
    ("agent_trace_coherence", "trace", "the steps of an agent follow from each other"),
    ("agent_tool_relevance", "tools", "the tools that an agent calls fit the request"),
)

_DOC = """Scores from 1 to 5 how well {question}.

{what}

The tag, named like the OP, holds `score`, `reason` and `eval_kind`; scores outside the scale are moved to its nearer end.
If everything that is read is empty, nothing is asked and the tag holds `skipped`. If no answer of the model can be used, the tag
holds `error`. A row that has the tag is not judged again unless `overwrite` is true. If the server gives no answer, the row is
rejected.
"""


def _declare(tag: str, reads: str, question: str) -> None:
    """Make the OP of one judge."""
    reading = _READINGS[reads]
    said = {"score": 4.0, "reason": "Mostly.", "eval_kind": reading.eval_kind}
    example = Example(rows=[reading.row], params={}, expect=[{tag: said}], says=('{"score": 4, "reason": "Mostly."}',))
    body = {
        "__doc__": _DOC.format(question=question, what=reading.what),
        "__module__": __name__,
        "reads": reads,
        "eval_kind": reading.eval_kind,
        "examples": (example,),
    }
    name = f"{tag.title().replace('_', '')}Mapper"
    globals()[name] = type(name, (Judge,), body, name=f"{tag}_mapper")


for _judge in _JUDGES:
    _declare(*_judge)


# What other OPs found out about an agent's work, by name.
_EVIDENCE_STATS = (
    *(f"llm_{kind}_{part}" for kind in ("analysis", "quality", "difficulty") for part in ("score", "record")),
    *("text_len", "num_words", "num_token", "perplexity", "lang", "lang_score"),
)
_EVIDENCE_TAGS = (
    *("agent_bad_case_tier", "agent_bad_case_signals", "agent_turn_count", "agent_tool_types", "agent_skill_types"),
    *("agent_skill_insights", "agent_request_model", "agent_total_cost_time_ms", "primary_tool_type", "dominant_tool_types"),
    *("tool_success_count", "tool_fail_count", "tool_unknown_count", "tool_success_ratio"),
    *("prompt_tokens", "completion_tokens", "total_tokens"),
    *("dialog_intent_labels", "dialog_topic_labels", "dialog_sentiment_labels", "dialog_sentiment_intensity"),
    *(tag for tag, _, _ in _JUDGES),
)


class AgentInsightLlmMapper(ApiMapper, name="agent_insight_llm_mapper"):
    """Explains with a language model what earlier OPs found out about an agent's work.

    The model reads the stats and tags of OPs that judge, count and detect bad cases, and the beginnings of the query and the
    response; very long strings are cut. The OP writes the tags `agent_insight_llm` (an object; a fixed one if no answer can
    be used), `agent_insight_llm_raw` (the answer, at most 8000 characters) and `agent_pipeline_output_lang`. Nothing is asked
    about a row that has the tag or whose tier is not among `run_for_tiers`. Null and missing fields and empty texts count as
    no evidence. If the server gives no answer, the row is rejected.
    """

    examples = (
        Example(
            rows=[{"query": "Find it.", "response": "No.", "__dj__meta__": {"agent_bad_case_tier": "watchlist"}}],
            params={},
            expect=[{"agent_insight_llm": {"headline": "It gave up.", "root_causes": []}, "agent_pipeline_output_lang": "en"}],
            says=('{"headline": "It gave up.", "root_causes": []}',),
        ),
    )

    system_prompt: str | None = param(_SYSTEM, default=None)
    query_preview_max_chars: int = param(
        "Number of characters of the query that the model sees; 0 shows all.", default=500, unit="characters", ge=0
    )
    response_preview_max_chars: int = param(
        "Number of characters of the response that the model sees; 0 shows all.", default=500, unit="characters", ge=0
    )
    run_for_tiers: list[str] | None = param(
        "Values of the tag `agent_bad_case_tier` whose rows are asked about; null asks about all.", default=None
    )
    try_num: int = param("How often the model is asked until an answer can be used.", default=2, unit="tries", ge=1)
    preferred_output_lang: str = param(_LANGUAGE, default="en", choices=_LANGUAGES)

    def tags(self) -> dict[str, Expr]:
        """Return the insight, the answer and its language."""
        stats = [field(f"{STATS}.{name}") for name in _EVIDENCE_STATS]
        tags = [field(f"{META}.{name}") for name in _EVIDENCE_TAGS]
        found = call(
            "agent_insight",
            field(f"{META}.agent_insight_llm"),
            field(f"{META}.agent_bad_case_tier"),
            field(self.query_key),
            field(self.response_key),
            *stats,
            *tags,
            names=[*_EVIDENCE_STATS, *_EVIDENCE_TAGS],
            longest={"query": self.query_preview_max_chars, "response": self.response_preview_max_chars},
            run_for_tiers=self.run_for_tiers,
            system=self.system_prompt,
            language=self.preferred_output_lang,
            **self.asking(),
        )
        return {
            "agent_insight_llm": member(found, "insight"),
            "agent_insight_llm_raw": member(found, "raw"),
            "agent_pipeline_output_lang": member(found, "language"),
        }


class AgentSkillInsightMapper(ApiMapper, name="agent_skill_insight_mapper"):
    """Describes with a language model what an agent can do, from the names of its tools and skills.

    The model reads the names in two tags, at most 30 of each. The OP writes a list of phrases without repeats. The list is
    empty if there are no names, in which case nothing is asked, or if no answer of the model can be used. Nothing is asked
    about a row that has the tag. If the server gives no answer, the row is rejected.
    """

    examples = (
        Example(
            rows=[{"text": "", "__dj__meta__": {"agent_tool_types": ["grep", "edit"]}}],
            params={},
            expect=[{"agent_skill_insights": ["code search", "file editing"]}],
            says=("code search, file editing",),
        ),
    )

    tool_types_key: str = param("Tag of the tools.", default="agent_tool_types")
    skill_types_key: str = param("Tag of the skills.", default="agent_skill_types")
    insights_key: str = param("Tag that is written.", default="agent_skill_insights")
    system_prompt: str | None = param(_SYSTEM, default=None)
    try_num: int = param("How often the model is asked until an answer can be used.", default=2, unit="tries", ge=1)
    preferred_output_lang: str = param(_LANGUAGE, default="en", choices=_LANGUAGES)

    def tags(self) -> dict[str, Expr]:
        """Return the phrases."""
        keys = (self.insights_key, self.tool_types_key, self.skill_types_key)
        found = call(
            "agent_skill_insights",
            *(field(f"{META}.{key}") for key in keys),
            system=self.system_prompt,
            language=self.preferred_output_lang,
            **self.asking(),
        )
        return {self.insights_key: found}


class PiiLlmSuspectMapper(Judging, name="pii_llm_suspect_mapper"):
    """Finds personal data and secrets that are left in texts with a language model, and redacts them if asked.

    Rules, and the spaCy models that are named, decide which rows are worth a question: rows with several digits in a row, an
    `@`, words that hint at secrets or internal networks, long tokens, or words that come with names. The tag lists up to 32
    suspects with `field`, `category` and `evidence`, and says whether the row is `likely_clean`. If everything that is read
    is empty, or the rules find nothing, the tag holds `skipped`. If no answer of the model can be used, it holds `error`, and
    a second tag holds the answer. The redaction `evidence` replaces each piece of evidence of two characters or more in its
    field, the longest first; `whole_field` replaces the fields that have suspects. `redaction_applied` says whether anything
    was replaced. Fields that are not strings are not read. A row that has the tag does not change, unless `overwrite` is
    true. If the server gives no answer, the row is rejected.
    """

    settings: ClassVar[dict[str, Any]] = {"max_tokens": 512, "temperature": 0.1}
    examples = (
        Example(
            rows=[{"text": "Call Ada: 555 123456."}],
            params={"redaction_mode": "evidence", "redaction_placeholder": "[...]"},
            expect=[
                {
                    "text": "Call Ada: [...].",
                    "pii_llm_suspect": {
                        "suspected": [{"field": "text", "category": "phone", "evidence": "555 123456"}],
                        "likely_clean": False,
                        "fields_inspected": ["text"],
                        "redaction_mode": "evidence",
                        "redaction_applied": True,
                    },
                }
            ],
            says=('{"suspected": [{"field": "text", "category": "phone", "evidence": "555 123456"}]}',),
        ),
    )

    inspect_keys: list[str] | None = param(
        "Fields that are read; `text` is the text field. Null takes text, query and response.", default=None
    )
    messages_key: str | None = param("Field of messages, whose contents are read, too; null reads none.", default="messages")
    max_messages_for_prompt: int = param("Number of messages that are read, the last ones.", default=4, unit="messages", ge=0)
    max_chars_per_field: int = param("Number of characters of a field that are read.", default=6000, unit="characters", ge=1)
    max_chars_messages_excerpt: int = param(
        "Number of characters of the messages that are read.", default=8000, unit="characters", ge=1
    )
    gate_mode: str = param(
        "Which rows are asked about: those that the rules suspect (heuristic), or all.",
        default="heuristic",
        choices=("heuristic", "always"),
    )
    result_key: str = param("Tag of the result.", default="pii_llm_suspect")
    raw_key: str = param("Tag of an answer that cannot be used.", default="pii_llm_suspect_raw")
    system_prompt: str | None = param(_SYSTEM, default=None)
    preferred_output_lang: str = param(_LANGUAGE, default="zh", choices=_LANGUAGES)
    heuristic_name_rules: bool = param("Whether the rules look for words that come with names.", default=True)
    spacy_ner_model: str | None = param("SpaCy model that looks for names: its package or folder.", default=None)
    spacy_ner_models: list[str] | None = param("More spaCy models that look for names.", default=None)
    spacy_ner_max_chars: int = param("Characters that spaCy models read.", default=4000, unit="characters", ge=1)
    spacy_auto_download: bool = param(
        "Download models.", default=True, no_effect="nothing is ever downloaded: install the package of the model"
    )
    redaction_mode: str = param("What is replaced.", default="none", choices=("none", "evidence", "whole_field"))
    redaction_placeholder: str = param("Placeholder that replaces it.", default="[LLM_PII_SUSPECT_REDACTED]")

    def validate(self) -> None:
        """Check that no field is read twice."""
        keys = self._keys()
        if len({*keys, self.messages_key}) <= len(keys):
            raise RecipeError(f"{self.spec.name}: inspect_keys and messages_key must be different fields, got {keys!r}")

    def tags(self) -> dict[str, Expr]:
        """Return the suspects, and an answer that cannot be used."""
        found = self._suspected()
        return {self.result_key: member(found, "result"), self.raw_key: member(found, "raw")}

    def assign(self) -> dict[str, Expr]:
        """Return the fields without what is suspected."""
        if self.redaction_mode == "none":
            return {}
        redacted = member(self._suspected(), "redacted")
        return {key: member(redacted, key) for key in (*self._keys(), *self._messages())}

    def _keys(self) -> list[str]:
        return ["text", self.query_key, self.response_key] if self.inspect_keys is None else self.inspect_keys

    def _messages(self) -> list[str]:
        return [self.messages_key] if self.messages_key else []

    def _suspected(self) -> Expr:
        models = [*([self.spacy_ner_model] if self.spacy_ner_model else []), *(self.spacy_ner_models or [])]
        return call(
            "personal_data_suspected",
            field(f"{META}.{self.result_key}"),
            *map(field, self._messages()),
            *(text_field() if key == "text" else field(key) for key in self._keys()),
            keys=self._keys(),
            messages_key=self.messages_key,
            overwrite=self.overwrite,
            limits={
                "messages": self.max_messages_for_prompt,
                "field": self.max_chars_per_field,
                "excerpt": self.max_chars_messages_excerpt,
                "names": self.spacy_ner_max_chars,
            },
            is_gated=self.gate_mode == "heuristic",
            looks_for_names=self.heuristic_name_rules,
            name_models=models,
            redaction_mode=self.redaction_mode,
            placeholder=self.redaction_placeholder,
            system=self.system_prompt,
            language=self.preferred_output_lang,
            **self.asking(),
        )
