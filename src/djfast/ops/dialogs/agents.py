"""Mappers for the messages of agents: turns, tools, and signs that a case went wrong."""

from __future__ import annotations

from djfast.declare import Example, Mapper, param
from djfast.expr import Expr, call, field, member
from djfast.reserved import META, STATS

# Tags that judges of dialogues write.
_AXES = (
    "dialog_memory_consistency",
    "dialog_coreference",
    "dialog_topic_shift",
    "dialog_error_recovery",
    "dialog_clarification_quality",
    "dialog_proactivity",
    "dialog_non_repetition",
    "agent_trace_coherence",
    "agent_tool_relevance",
)
# What signs are read from: short names and tags or stats.
_FACTS = {
    "tool_success_count": f"{META}.tool_success_count",
    "tool_fail_count": f"{META}.tool_fail_count",
    "tool_success_ratio": f"{META}.tool_success_ratio",
    "total_tokens": f"{META}.total_tokens",
    "total_cost_time_ms": f"{META}.agent_total_cost_time_ms",
    "request_model": f"{META}.agent_request_model",
    "sentiment_labels": f"{META}.dialog_sentiment_labels",
    "llm_analysis_score": f"{STATS}.llm_analysis_score",
    "llm_analysis_record": f"{STATS}.llm_analysis_record",
    "llm_quality_score": f"{STATS}.llm_quality_score",
    "llm_quality_record": f"{STATS}.llm_quality_record",
    "llm_difficulty_score": f"{STATS}.llm_difficulty_score",
    "perplexity": f"{STATS}.perplexity",
    **{name: f"{META}.{name}" for name in _AXES},
}


class AgentDialogNormalizeMapper(Mapper, name="agent_dialog_normalize_mapper"):
    """Converts an agent's messages to turns of user and assistant.

    A user's message begins a turn. The assistant's messages of a turn are joined by blank lines. If a message only calls
    tools, the names of the tools stand in its place; a tool's answer follows under "[Tool result]". The content of a message
    may be a string, a list of blocks or one block; only blocks of text and thoughts are used. A tool's answer before the
    first turn is dropped.

    The OP writes the dialogue to the text and to `history_key`, and the last user's and assistant's part to the query and the
    response. It writes what is known of the request to the tags `agent_turn_count`, `agent_dialog_history_compressed`,
    `agent_tool_types`, `agent_skill_types`, `agent_last_user_msg_idx`, `agent_last_assistant_msg_idx`, `agent_request_id`,
    `agent_request_model`, `agent_pt` and `agent_total_cost_time_ms`. If the response is empty, it is taken from the choices.
    A row without messages, or whose messages are not a list, gets an empty text and no turn; elements of the list that are
    not objects are ignored. An empty list of names is written as a list with one empty string.
    """

    replaces_tags = True
    examples = (
        Example(
            rows=[
                {
                    "text": "",
                    "request_id": "r1",
                    "messages": [
                        {"role": "user", "content": "Find x"},
                        {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "search"}}]},
                        {"role": "tool", "content": "Error: not found"},
                        {"role": "assistant", "content": [{"type": "text", "text": "There is no x."}]},
                    ],
                }
            ],
            params={},
            expect=[
                {
                    "text": "User: Find x\n\nAssistant: [Tool calls: search]\n[Tool result]\nError: not found\n\nThere is no x.",
                    "dialog_history": [
                        ["Find x", "[Tool calls: search]\n[Tool result]\nError: not found\n\nThere is no x."],
                    ],
                    "query": "Find x",
                    "response": "[Tool calls: search]\n[Tool result]\nError: not found\n\nThere is no x.",
                    META: {
                        "agent_dialog_history_compressed": False,
                        "agent_turn_count": 1,
                        "agent_last_user_msg_idx": 0,
                        "agent_last_assistant_msg_idx": 3,
                        "agent_tool_types": ["search"],
                        "agent_skill_types": [""],
                        "agent_request_id": "r1",
                    },
                }
            ],
        ),
        Example(
            rows=[
                {
                    "text": "",
                    "messages": [{"role": "user", "content": "  Hi "}, "odd"],
                    "choices": [{"message": {"content": "Yes?"}}],
                }
            ],
            params={"user_label": "Human", "extract_tool_skill_tags": False},
            expect=[
                {
                    "text": "Human: Hi",
                    "dialog_history": [["Hi", ""]],
                    "response": "Yes?",
                    META: {"agent_dialog_history_compressed": False, "agent_turn_count": 1, "agent_last_user_msg_idx": 0},
                }
            ],
        ),
        Example(
            rows=[{"text": "", "messages": []}],
            params={},
            expect=[{"text": "", "dialog_history": [], "query": "", "response": ""}],
        ),
    )

    messages_key: str = param("Field of the messages.", default="messages")
    choices_key: str = param("Field of the choices that a model answered with.", default="choices")
    history_key: str = param("Field that gets the pairs of user and assistant.", default="dialog_history")
    extract_tool_skill_tags: bool = param(
        "Whether the called tools and the skills are collected: files X/SKILL.md and headings of one word.", default=True
    )
    include_system_in_first_user: bool = param(
        "Whether a system message is put before the next user's message instead of being left out.", default=False
    )
    user_label: str = param("Name of the user in the text.", default="User")
    assistant_label: str = param("Name of the assistant in the text.", default="Assistant")
    copy_lineage_fields: bool = param("Whether request_model, pt and total_cost_time are copied to tags.", default=True)
    copy_request_id: bool = param("Whether the first request id that is not blank is copied to a tag, as a string.", default=True)
    request_id_keys: list[str] = param("Fields that may hold a request id.", default=["request_id", "trace_id", "id"])
    history_tool_result_max_chars: int = param(
        "Longest answer of one tool; 0 or less sets no limit.", default=10000, unit="characters"
    )
    history_max_assistant_trace_chars: int = param(
        "Longest part of the assistant in a turn; 0 or less sets no limit.", default=0, unit="characters"
    )
    history_max_user_chars: int = param(
        "Longest part of the user in a turn; 0 or less sets no limit.", default=0, unit="characters"
    )
    history_compress_head_ratio: float = param(
        "If a part is too long, the share of the limit that its head gets, from 0.35 to 0.85; its tail gets the rest. With a "
        "limit below 528 only the head stays.",
        default=0.62,
    )

    def _dialog(self) -> Expr:
        return call(
            "agent_dialog",
            field(self.messages_key),
            field(self.choices_key),
            user_label=self.user_label,
            assistant_label=self.assistant_label,
            with_system=self.include_system_in_first_user,
            with_names=self.extract_tool_skill_tags,
            limits=[
                self.history_max_user_chars,
                self.history_max_assistant_trace_chars,
                self.history_tool_result_max_chars,
                self.history_compress_head_ratio,
            ],
        )

    def assign(self) -> dict[str, Expr]:
        """Return the dialogue as a text and as pairs, and its last turn."""
        names = {"text": "text", self.history_key: "history", self.query_key: "query", self.response_key: "response"}
        return {name: member(self._dialog(), part) for name, part in names.items()}

    def tags(self) -> dict[str, Expr]:
        """Return counts, names, and where the request comes from."""
        names = {
            "agent_dialog_history_compressed": "is_compressed",
            "agent_turn_count": "turn_count",
            "agent_last_user_msg_idx": "last_user",
            "agent_last_assistant_msg_idx": "last_assistant",
            "agent_tool_types": "tools",
            "agent_skill_types": "skills",
        }
        tags = {name: member(self._dialog(), part) for name, part in names.items()}
        if self.copy_request_id and self.request_id_keys:
            tags["agent_request_id"] = call("first_known", *map(field, self.request_id_keys))
        if self.copy_lineage_fields:
            lineage = {"request_model": "request_model", "pt": "pt", "total_cost_time_ms": "total_cost_time"}
            tags.update({f"agent_{name}": call("known_value", field(path)) for name, path in lineage.items()})
        return tags


class AgentToolTypeMapper(Mapper, name="agent_tool_type_mapper"):
    """Tags the tools that were called most often.

    The OP writes the most frequent tool to the tag `primary_key` and the most frequent tools to the tag `dominant_key`; of
    equally frequent tools the one that appears first comes first. Empty names are ignored. If there is no name, the primary
    tool is null and the list is empty.
    """

    replaces_tags = True
    examples = (
        Example(
            rows=[
                {"text": "t", META: {"agent_tool_types": ["read", "run", " run "]}},
                {"text": "t", META: {"agent_tool_types": [""]}},
            ],
            params={},
            expect=[
                {
                    META: {
                        "agent_tool_types": ["read", "run", " run "],
                        "primary_tool_type": "run",
                        "dominant_tool_types": ["run", "read"],
                    }
                },
                {META: {"agent_tool_types": [""], "primary_tool_type": None, "dominant_tool_types": []}},
            ],
        ),
    )

    tool_types_meta_key: str = param("Tag with the names of the tools.", default="agent_tool_types")
    primary_key: str = param("Tag that gets the most frequent name.", default="primary_tool_type")
    dominant_key: str = param("Tag that gets the most frequent names.", default="dominant_tool_types")
    top_k_dominant: int = param("Largest number of names in `dominant_key`.", default=5, ge=1)

    def tags(self) -> dict[str, Expr]:
        """Return the most frequent name, and the most frequent ones."""
        ranked = call("ranked_names", field(f"{META}.{self.tool_types_meta_key}"), limit=self.top_k_dominant)
        return {self.primary_key: member(ranked, "primary"), self.dominant_key: member(ranked, "dominant")}


class ToolSuccessTaggerMapper(Mapper, name="tool_success_tagger_mapper"):
    """Counts tool calls that succeeded and failed.

    An empty answer of a tool is unknown, an answer that matches an error pattern is an error, any other is a success. The OP
    writes the tags `tool_success_count`, `tool_fail_count`, `tool_unknown_count`, `tool_success_ratio` (the share of
    successes among successes and errors, null if there are none), and `tool_results`, the first 200 characters of each answer
    with its result. Content that is not a string counts as its JSON.
    """

    replaces_tags = True
    examples = (
        Example(
            rows=[
                {
                    "text": "t",
                    "messages": [{"role": "tool", "content": "Error: no such file"}, {"role": "tool", "content": "ok"}],
                },
                {"text": "t", "messages": []},
            ],
            params={"store_per_tool_results": False},
            expect=[
                {META: {"tool_success_count": 1, "tool_fail_count": 1, "tool_unknown_count": 0, "tool_success_ratio": 0.5}},
                {META: {"tool_success_count": 0, "tool_fail_count": 0, "tool_unknown_count": 0, "tool_success_ratio": None}},
            ],
        ),
        Example(
            rows=[{"text": "t", "messages": [{"role": "tool", "content": "操作失败"}, {"role": "tool", "content": " "}]}],
            params={},
            expect=[
                {
                    META: {
                        "tool_success_count": 0,
                        "tool_fail_count": 1,
                        "tool_unknown_count": 1,
                        "tool_success_ratio": 0.0,
                        "tool_results": [
                            {"content_preview": "操作失败", "result": "error"},
                            {"content_preview": "", "result": "unknown"},
                        ],
                    }
                }
            ],
        ),
    )

    messages_key: str = param("Field of the messages.", default="messages")
    tool_role_names: list[str] | None = param("Roles of tools; case does not matter. Null takes tool and tool_use.", default=None)
    success_patterns: list[str] | None = param(
        "Patterns of success.", default=None, no_effect="every answer that is neither empty nor an error is a success"
    )
    error_patterns: list[str] | None = param(
        "Patterns of errors, for the package regex; null or an empty list takes the built-in ones for English and Chinese.",
        default=None,
    )
    store_per_tool_results: bool = param("Whether tool_results is written.", default=True)

    def tags(self) -> dict[str, Expr]:
        """Return the counts, their ratio, and the results."""
        results = call(
            "tool_results",
            field(self.messages_key),
            roles=self.tool_role_names or ["tool", "tool_use"],
            error_patterns=self.error_patterns or [],
        )
        names = {
            "tool_success_count": "success",
            "tool_fail_count": "error",
            "tool_unknown_count": "unknown",
            "tool_success_ratio": "ratio",
            **({"tool_results": "results"} if self.store_per_tool_results else {}),
        }
        return {name: member(results, part) for name, part in names.items()}


class AgentBadCaseSignalMapper(Mapper, name="agent_bad_case_signal_mapper"):
    """Collects signs that an agent failed at a task, from the tags of earlier OPs.

    The OP calls no model. It reads the tags of tool_success_tagger_mapper, usage_counter_mapper,
    agent_dialog_normalize_mapper and the judges of dialogues, the stats of perplexity_filter and of the filters that ask a
    model, and the lengths of query and response. A value that is missing, empty or of a wrong type gives no signal.

    It writes two tags: `agent_bad_case_signals`, a list of code, detail and weight, and `agent_bad_case_tier`. The tier is
    high_precision if a tool failed or a model confidently advised to discard the row; watchlist if there are enough signals
    of medium weight, or exactly one signal in all; none otherwise.
    """

    replaces_tags = True
    examples = (
        Example(
            rows=[
                {"text": "t", "query": "short", "response": "fine", META: {"tool_fail_count": 1}},
                {"text": "t", "query": "Please explain this at some length. " * 3, "response": "No."},
                {"text": "t", "query": "", "response": ""},
            ],
            params={},
            expect=[
                {
                    META: {
                        "tool_fail_count": 1,
                        "agent_bad_case_signals": [
                            {"code": "tool_message_error_pattern", "detail": "tool_fail_count=1", "weight": "high"}
                        ],
                        "agent_bad_case_tier": "high_precision",
                    }
                },
                {
                    META: {
                        "agent_bad_case_signals": [
                            {
                                "code": "suspect_empty_or_trivial_final_response",
                                "detail": "query_len=107, response_len=3",
                                "weight": "medium",
                            }
                        ],
                        "agent_bad_case_tier": "watchlist",
                    }
                },
                {META: {"agent_bad_case_signals": [], "agent_bad_case_tier": "none"}},
            ],
        ),
    )

    signal_on_tool_fail: bool = param("Whether failed tools are a signal, of high weight.", default=True)
    min_tool_fail_count_for_signal: int = param("Smallest number of failed tool calls that is a signal.", default=1)
    signal_on_low_tool_success_ratio: bool = param("Whether a low share of successful tool calls is a signal.", default=True)
    tool_success_ratio_max_for_signal: float = param("Largest share of successful tool calls that counts as low.", default=0.499)
    min_tool_rounds_for_ratio_signal: int = param("Smallest number of tool calls for that signal.", default=2)
    signal_on_suspect_empty_response: bool = param("Whether a short response to a long query is a signal.", default=True)
    min_query_len_for_empty_check: int = param(
        "Smallest length of a long query, without white space at its ends.", default=80, unit="characters"
    )
    max_response_len_for_empty_check: int = param("Largest length of a short response.", default=20, unit="characters")
    max_total_tokens: int | None = param(
        "Number of tokens above which a request gives a signal; null sets no limit.", default=None
    )
    max_latency_ms: int | None = param(
        "Time above which a request gives a signal; null sets no limit.", default=None, unit="milliseconds"
    )
    calibration_json_path: str | None = param(
        "File with other limits: {default: {max_total_tokens, max_latency_ms, perplexity_high_threshold}, by_request_model: "
        "{MODEL: the same}}. It is read if auto_calibrate_thresholds is true.",
        default=None,
    )
    auto_calibrate_thresholds: bool = param("Whether limits are read from calibration_json_path.", default=False)
    calibration_manual_overrides_auto: bool = param(
        "Whether limits given here have priority over those of the file.", default=True
    )
    auto_enable_perplexity_from_calibration: bool = param(
        "Whether a high perplexity is a signal if the file has a limit for it.", default=True
    )
    signal_on_llm_analysis_low: bool = param("Whether a low llm_analysis_score is a signal.", default=True)
    llm_analysis_score_max_for_bad: float = param("Largest score that counts as low.", default=0.28)
    llm_analysis_discard_must_be_strict: bool = param(
        "Whether that score counts only if the record recommends to discard the row.", default=True
    )
    high_precision_llm_analysis_discard_threshold: float = param(
        "Largest score at which that recommendation has high weight.", default=0.24
    )
    signal_on_llm_text_quality_low: bool = param("Whether a low llm_quality_score is a signal.", default=True)
    llm_text_quality_score_max_for_bad: float = param("Largest score that counts as low.", default=0.28)
    llm_text_quality_discard_must_be_strict: bool = param(
        "Whether that score counts only if the record recommends to discard the row.", default=True
    )
    high_precision_llm_text_quality_discard_threshold: float = param(
        "Largest score at which that recommendation has high weight.", default=0.24
    )
    signal_on_negative_sentiment_hint: bool = param(
        "Whether a negative sentiment in dialog_sentiment_labels is a signal.", default=False
    )
    negative_sentiment_substrings: list[str] | None = param(
        "Strings that labels of a negative sentiment contain; case does not matter. Null or an empty list takes some English "
        "and Chinese words.",
        default=None,
    )
    signal_on_high_perplexity: bool = param("Whether a high perplexity is a signal.", default=False)
    perplexity_high_threshold: float = param("Smallest perplexity that counts as high.", default=800.0)
    signal_hard_query_poor_reply: bool = param("Whether a poor reply to a hard query is a signal.", default=False)
    hard_query_difficulty_min: float = param("Smallest llm_difficulty_score of a hard query.", default=0.72)
    poor_reply_quality_max: float = param("Largest llm_quality_score of a poor reply.", default=0.36)
    high_precision_on_tool_fail_alone: bool = param(
        "Whether failed tools alone give the tier high_precision, instead of watchlist.", default=True
    )
    min_medium_signals_for_watchlist: int = param("Number of signals of medium weight that gives the tier watchlist.", default=2)
    signal_on_low_dialog_quality_meta: bool = param("Whether low scores of judges are a signal.", default=True)
    dialog_quality_low_score_threshold: float = param("Largest score that counts as low.", default=2.0)
    min_dialog_quality_low_axes_for_signal: int = param("Smallest number of low scores that is a signal.", default=1)

    def tags(self) -> dict[str, Expr]:
        """Return the signs, and how sure they make one."""
        facts = {**_FACTS, "query": self.query_key, "response": self.response_key}
        path = self.calibration_json_path if self.auto_calibrate_thresholds else None
        found = call(
            "bad_case_signals",
            *map(field, facts.values()),
            names=list(facts),
            axes=_AXES,
            settings={each.name: getattr(self, each.name) for each in self.spec.own_params},
            **({"calibration": path} if path else {}),
        )
        return {"agent_bad_case_signals": member(found, "signals"), "agent_bad_case_tier": member(found, "tier")}
