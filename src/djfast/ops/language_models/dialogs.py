"""Mappers that label each turn of a dialogue: what the user wants, talks about and feels."""

from __future__ import annotations

from typing import Any, ClassVar

from djfast.declare import Example, param
from djfast.expr import Expr, call, field, member
from djfast.ops.language_models.asking import ApiMapper
from djfast.reserved import META

_CANDIDATES = "Labels that the model chooses from; null leaves the choice to it."
_ANALYSIS_KEY = "Tag of the model's reasons: a list of strings, one for each turn; null takes the usual one."
_LABELS_KEY = "Tag of the labels: a list of strings; null takes the usual one."
_CANDIDATE_TEMPLATE = "Template of the candidates, with `{candidate_str}`."
_LABELS_TEMPLATE = "Template of the label of an earlier turn, with `{labels}`."
_LABELS_PATTERN = "Regular expression of the label in an answer; its first group is taken."


class TurnDetection(ApiMapper):
    """What the mappers of turns have in common; `detects` is what the model looks for."""

    detects: ClassVar[str]

    max_round: int = param("Number of earlier turns that the model sees.", default=10, unit="turns", ge=0)
    analysis_key: str | None
    system_prompt: str | None = param("System prompt; null takes the one that comes with djfast.", default=None)
    query_template: str | None = param("Template of the user's message, with `{query}`.", default=None)
    response_template: str | None = param("Template of the assistant's message, with `{response}`.", default=None)
    analysis_template: str | None = param("Template of the reason of an earlier turn, with `{analysis}`.", default=None)
    analysis_pattern: str | None = param("Regular expression of the reason in an answer; its first group is taken.", default=None)
    max_query_chars_for_prompt: int = param(
        "Longest message of the user that the model sees in full; 0 sets no limit.", default=0, unit="characters", ge=0
    )
    max_response_chars_for_prompt: int = param(
        "Longest response that the model sees in full; 0 sets no limit.", default=0, unit="characters", ge=0
    )
    preferred_output_lang: str = param("Language of the model's reasons.", default="zh", choices=("en", "zh"))

    def found_key(self) -> str:
        """Return the tag of what is found."""
        return self.tag_of("labels_key")

    def tag_of(self, parameter: str) -> str:
        """Return the name of a tag; null takes the one that comes with the OP."""
        given: str | None = self.__dict__[parameter]
        return given or next(str(param.default) for param in self.spec.params if param.name == parameter)

    def tags(self) -> dict[str, Expr]:
        """Return what is found in the turns, and the reasons."""
        given: dict[str, Any] = self.__dict__
        found = call(
            "dialog_turns_detected",
            field(f"{META}.{self.found_key()}"),
            field(f"{META}.{self.tag_of('analysis_key')}"),
            field(self.history_key),
            field(self.query_key),
            field(self.response_key),
            detects=self.detects,
            candidates=given.get(f"{self.detects}_candidates") or [],
            max_round=self.max_round,
            templates={
                "system": self.system_prompt,
                "query": self.query_template,
                "response": self.response_template,
                "candidates": given.get("candidate_template"),
                "analysis": self.analysis_template,
                "labels": given.get("labels_template", given.get("intensity_template")),
            },
            patterns={
                "analysis": self.analysis_pattern,
                "labels": given.get("labels_pattern", given.get("intensity_pattern")),
            },
            longest={"query": self.max_query_chars_for_prompt, "response": self.max_response_chars_for_prompt},
            language=self.preferred_output_lang,
            **self.asking(),
        )
        return {self.found_key(): member(found, "labels"), self.tag_of("analysis_key"): member(found, "analysis")}


class LabelDetection(TurnDetection):
    """What the mappers that label turns have in common."""

    candidate_template: str | None = param(_CANDIDATE_TEMPLATE, default=None)
    labels_template: str | None = param(_LABELS_TEMPLATE, default=None)
    labels_pattern: str | None = param(_LABELS_PATTERN, default=None)


class DialogIntentDetectionMapper(LabelDetection, name="dialog_intent_detection_mapper"):
    """Labels the user's intent in each turn of a dialogue.

    The turns are the pairs of the history and, unless the query is empty, the last query with its response; if the last pair of
    the history has the same query, it counts once. The model is asked turn by turn and sees the earlier turns with its own
    answers. The list of labels has no repeats and is in the order of turns; the list of reasons has one entry per turn, which is
    empty if no answer can be used. The fields do not change. Nothing is asked about a row that has both tags. A row is rejected
    if its history is not a list of pairs of strings, or if the server gives no answer. A dialogue without turns gets empty
    lists.
    """

    detects = "intent"
    examples = (
        Example(
            rows=[{"history": [["Hi", "Hello!"]], "query": "Do you ship to Oslo?", "response": "Yes."}],
            params={},
            expect=[
                {
                    "dialog_intent_labels": ["问候", "咨询"],
                    "dialog_intent_labels_analysis": ["用户打招呼。", "用户询问配送。"],
                }
            ],
            says=("意图分析：用户打招呼。\n意图类别：问候", "意图分析：用户询问配送。\n意图类别：咨询"),
        ),
    )

    intent_candidates: list[str] | None = param(_CANDIDATES, default=None)
    labels_key: str | None = param(_LABELS_KEY, default="dialog_intent_labels")
    analysis_key: str | None = param(_ANALYSIS_KEY, default="dialog_intent_labels_analysis")


class DialogTopicDetectionMapper(LabelDetection, name="dialog_topic_detection_mapper"):
    """Labels the topic of each turn of a dialogue.

    The turns are the pairs of the history and, unless the query is empty, the last query with its response; if the last pair of
    the history has the same query, it counts once. The model is asked turn by turn and sees the earlier turns with its own
    answers. The list of labels has no repeats and is in the order of turns; the list of reasons has one entry per turn, which is
    empty if no answer can be used. The fields do not change. Nothing is asked about a row that has both tags. A row is rejected
    if its history is not a list of pairs of strings, or if the server gives no answer. A dialogue without turns gets empty
    lists.
    """

    detects = "topic"
    examples = (
        Example(
            rows=[{"query": "Will it rain tomorrow?", "response": "No."}],
            params={"topic_candidates": ["天气", "体育"]},
            expect=[{"dialog_topic_labels": ["天气"], "dialog_topic_labels_analysis": ["用户询问明天的天气。"]}],
            says=("话题分析：用户询问明天的天气。\n话题类别：天气",),
        ),
    )

    topic_candidates: list[str] | None = param(_CANDIDATES, default=None)
    labels_key: str | None = param(_LABELS_KEY, default="dialog_topic_labels")
    analysis_key: str | None = param(_ANALYSIS_KEY, default="dialog_topic_labels_analysis")


class DialogSentimentDetectionMapper(LabelDetection, name="dialog_sentiment_detection_mapper"):
    """Labels the user's sentiment in each turn of a dialogue.

    The turns are the pairs of the history and, unless the query is empty, the last query with its response; if the last pair of
    the history has the same query, it counts once. The model is asked turn by turn and sees the earlier turns with its own
    answers. The list of labels has no repeats and is in the order of turns; the list of reasons has one entry per turn, which is
    empty if no answer can be used. The fields do not change. Nothing is asked about a row that has both tags. A row is rejected
    if its history is not a list of pairs of strings, or if the server gives no answer. A dialogue without turns gets empty
    lists.
    """

    detects = "sentiment"
    examples = (
        Example(
            rows=[{"query": "At last! Thank you!", "response": "You are welcome."}],
            params={},
            expect=[{"dialog_sentiment_labels": ["高兴、感激"], "dialog_sentiment_labels_analysis": ["用户很满意。"]}],
            says=("情感分析：用户很满意。\n情感类别：高兴、感激",),
        ),
    )

    sentiment_candidates: list[str] | None = param(_CANDIDATES, default=None)
    labels_key: str | None = param(_LABELS_KEY, default="dialog_sentiment_labels")
    analysis_key: str | None = param(_ANALYSIS_KEY, default="dialog_sentiment_labels_analysis")


class DialogSentimentIntensityMapper(TurnDetection, name="dialog_sentiment_intensity_mapper"):
    """Rates the user's sentiment in each turn of a dialogue from -5 to 5.

    The turns are the pairs of the history and, unless the query is empty, the last query with its response; if the last pair of
    the history has the same query, it counts once. The model is asked turn by turn and sees the earlier turns with its own
    answers. The list of numbers has one entry per turn, as the model gives them, even outside the scale. If an answer has no
    integer, the model is asked again; if no answer has one, the number is 0. The fields do not change. Nothing is asked about a
    row that has both tags. A row is rejected if its history is not a list of pairs of strings, or if the server gives no answer.
    A dialogue without turns gets empty lists.
    """

    detects = "intensity"
    examples = (
        Example(
            rows=[{"query": "At last! Thank you!", "response": "You are welcome."}],
            params={},
            expect=[{"dialog_sentiment_intensity": [3], "dialog_sentiment_intensity_analysis": ["用户很满意。"]}],
            says=("情绪分析：用户很满意。\n情绪值：3",),
        ),
    )

    intensities_key: str | None = param(
        "Tag of the numbers: a list, one for each turn; null takes the usual one.", default="dialog_sentiment_intensity"
    )
    analysis_key: str | None = param(_ANALYSIS_KEY, default="dialog_sentiment_intensity_analysis")
    intensity_template: str | None = param("Template of the number of an earlier turn, with `{intensity}`.", default=None)
    intensity_pattern: str | None = param(
        "Regular expression of the number in an answer; its first group is taken.", default=None
    )

    def found_key(self) -> str:
        """Return the tag of what is found."""
        return self.tag_of("intensities_key")
