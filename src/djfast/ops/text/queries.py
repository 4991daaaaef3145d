"""Mappers that tag what users ask, by classifiers of transformers."""

from __future__ import annotations

from typing import Any

from djfast.declare import Mapper, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, col, member

_MODEL_PARAMS = ("dtype", "torch_dtype")


class QueryDetection(Mapper):
    """What the mappers share: the text is translated if asked, then classified."""

    zh_to_en_hf_model: str | None = param(
        "A model that translates every query first; null translates none.", default="Helsinki-NLP/opus-mt-zh-en"
    )
    model_params: dict = param("`dtype` is that of the classifier's weights.", default={})  # type: ignore[type-arg]
    zh_to_en_model_params: dict = param("As `model_params`, of the translator.", default={})  # type: ignore[type-arg]
    texts_at_once: int = param(
        "Number of texts that a model reads together. More are faster on a GPU and change the last digits of the scores.",
        default=1,
        ge=1,
        le=4096,
    )
    hf_model: str
    label_key: str
    score_key: str

    def validate(self) -> None:
        """Check the parameters of the models."""
        for parameter in ("model_params", "zh_to_en_model_params"):
            for name in getattr(self, parameter):
                if name not in _MODEL_PARAMS:
                    raise RecipeError(f"{self.spec.name}: {parameter} may have {', '.join(_MODEL_PARAMS)}, got {name!r}")

    def tags(self) -> dict[str, Expr]:
        """Label that is likeliest, and its score."""
        found = call(
            "text_class",
            col(self.query_key),
            model=self.hf_model,
            dtype=_dtype(self.model_params),
            translator=self.zh_to_en_hf_model or None,
            translator_dtype=_dtype(self.zh_to_en_model_params),
            device=self.accelerator,
            texts_at_once=self.texts_at_once,
        )
        return {self.label_key: member(found, "label"), self.score_key: member(found, "score")}


def _dtype(params: dict[str, Any]) -> str:
    return str(params.get("dtype", params.get("torch_dtype", "auto")))


_MODEL = "Classifier: a folder, or a name in the folders of models or the Hugging Face cache."


class QueryIntentDetectionMapper(QueryDetection, name="query_intent_detection_mapper"):
    """Tags the intent of the query.

    The field `query_key` is translated, whatever its language, then classified; the likeliest label and its score become tags.
    The empty query is classified, too. A query that is longer than a model can read is cut.
    """

    hf_model: str = param(_MODEL, default="bespin-global/klue-roberta-small-3i4k-intent-classification")
    label_key: str = param("Name of the tag for the label.", default="query_intent_label")
    score_key: str = param("Name of the tag for the score.", default="query_intent_label_score")


class QuerySentimentDetectionMapper(QueryDetection, name="query_sentiment_detection_mapper"):
    """Tags the sentiment of the query.

    The field `query_key` is translated, whatever its language, then classified; the likeliest label and its score become tags.
    The empty query is classified, too. A query that is longer than a model can read is cut.
    """

    hf_model: str = param(_MODEL, default="mrm8488/distilroberta-finetuned-financial-news-sentiment-analysis")
    label_key: str = param("Name of the tag for the label.", default="query_sentiment_label")
    score_key: str = param("Name of the tag for the score.", default="query_sentiment_label_score")


class QueryTopicDetectionMapper(QueryDetection, name="query_topic_detection_mapper"):
    """Tags the topic of the query.

    The field `query_key` is translated, whatever its language, then classified; the likeliest label and its score become tags.
    The empty query is classified, too. A query that is longer than a model can read is cut.
    """

    hf_model: str = param(_MODEL, default="dstefa/roberta-base_topic_classification_nyt_news")
    label_key: str = param("Name of the tag for the label.", default="query_topic_label")
    score_key: str = param("Name of the tag for the score.", default="query_topic_label_score")
