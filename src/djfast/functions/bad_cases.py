"""Signs that an agent's case went wrong, read from what earlier OPs found out about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from djfast.errors import RecipeError
from djfast.functions.dialogs import number_in
from djfast.records import NamedTuple

_LABELS_SHOWN = 6
_NEGATIVE = ("negative", "angry", "frustrated", "disappointed", "unhappy", "负面", "不满", "沮丧")
_LARGEST_CALIBRATION = 2**24

Facts = Mapping[str, Any]  # values of a row's fields, stats and tags, by short name
Settings = Mapping[str, Any]  # parameters of the OP


class Signal(NamedTuple):
    """One sign, with what it was seen in."""

    code: str
    detail: str
    weight: str  # "high" or "medium"


class Limits(NamedTuple):
    """What is too much for a request; None is no limit."""

    tokens: float | None
    milliseconds: float | None
    perplexity: float | None


def bind_bad_case_signals(
    *, names: Sequence[str], axes: Sequence[str], settings: Any, calibration: str | None = None
) -> Callable[..., str]:
    """Return the function that finds the signs in the JSON of facts, and how sure they make one; its answer is a JSON object.

    Parameters
    ----------
    names : sequence of str
        Short names of the facts, in the order of the function's arguments.
    axes : sequence of str
        Those that are verdicts of a judge.
    settings : pairs
        Parameters of the OP.
    calibration : str, optional
        File with limits that were found on other data.

    Raises
    ------
    RecipeError
        If the file cannot be read.
    """
    given = dict(settings)
    calibrated = {} if calibration is None else _calibration(calibration)

    def bad_case_signals(*values: str) -> str:
        facts = {name: json.loads(value) if value else None for name, value in zip(names, values)}
        limits = _limits(given, calibrated, facts["request_model"])
        signals = [*_of_tools(facts, given), *_of_texts(facts, given), *_of_cost(facts, limits)]
        signals += [*_of_verdicts(facts, given, limits), *_of_axes(facts, given, axes)]
        text = json.dumps({"signals": [s._asdict() for s in signals], "tier": _tier(signals, given)}, ensure_ascii=False)
        text.encode()  # a lone surrogate is this row's error
        return text

    return bad_case_signals


def _calibration(path: str) -> dict[str, Any]:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST_CALIBRATION + 1)
        read = json.loads(content[:_LARGEST_CALIBRATION])
    except OSError as error:
        raise RecipeError(f"calibration_json_path cannot be read: {error.strerror}, got {path!r}") from None
    except (ValueError, RecursionError):
        raise RecipeError(f"calibration_json_path must be a file of JSON, got {path!r}") from None
    if not isinstance(read, dict):
        raise RecipeError(f"calibration_json_path must hold an object, got {path!r}")
    return read


def _limits(settings: Settings, calibrated: Mapping[str, Any], model: Any) -> Limits:
    """Limits of the OP and of the file: those of the request's model go before the default ones."""
    by_model = _object(calibrated.get("by_request_model"))
    own = _object(by_model.get(model.strip())) if isinstance(model, str) else {}
    found = {**_object(calibrated.get("default")), **own}
    perplexity = settings["perplexity_high_threshold"] if settings["signal_on_high_perplexity"] else None
    wanted = perplexity is not None or settings["auto_enable_perplexity_from_calibration"]
    pairs = (
        (settings["max_total_tokens"], number_in(found.get("max_total_tokens"))),
        (settings["max_latency_ms"], number_in(found.get("max_latency_ms"))),
        (perplexity, number_in(found.get("perplexity_high_threshold")) if wanted else None),
    )
    ordered = pairs if settings["calibration_manual_overrides_auto"] else [(auto, manual) for manual, auto in pairs]
    return Limits(*(second if first is None else first for first, second in ordered))


def _of_tools(facts: Facts, settings: Settings) -> Iterator[Signal]:
    success, fail = (int(number_in(facts[name]) or 0) for name in ("tool_success_count", "tool_fail_count"))
    if settings["signal_on_tool_fail"] and fail >= settings["min_tool_fail_count_for_signal"] and fail > 0:
        yield Signal("tool_message_error_pattern", f"tool_fail_count={fail}", "high")
    ratio = number_in(facts["tool_success_ratio"])
    enough = success + fail >= settings["min_tool_rounds_for_ratio_signal"]
    is_low = ratio is not None and ratio <= settings["tool_success_ratio_max_for_signal"]
    if settings["signal_on_low_tool_success_ratio"] and enough and is_low:
        yield Signal("low_tool_success_ratio", f"ratio={ratio}, success={success}, fail={fail}", "medium")


def _of_texts(facts: Facts, settings: Settings) -> Iterator[Signal]:
    query, response = (len(text.strip()) if isinstance(text := facts[name], str) else 0 for name in ("query", "response"))
    is_short = response <= settings["max_response_len_for_empty_check"]
    if settings["signal_on_suspect_empty_response"] and query >= settings["min_query_len_for_empty_check"] and is_short:
        detail = f"query_len={query}, response_len={response}"
        yield Signal("suspect_empty_or_trivial_final_response", detail, "medium")


def _of_cost(facts: Facts, limits: Limits) -> Iterator[Signal]:
    tokens, milliseconds = number_in(facts["total_tokens"]), number_in(facts["total_cost_time_ms"])
    if limits.tokens is not None and tokens is not None and tokens > limits.tokens:
        yield Signal("high_token_usage", f"total_tokens={tokens}", "medium")
    if limits.milliseconds is not None and milliseconds is not None and milliseconds > limits.milliseconds:
        yield Signal("high_latency_ms", f"total_cost_time_ms={milliseconds}", "medium")


def _of_verdicts(facts: Facts, settings: Settings, limits: Limits) -> Iterator[Signal]:
    """Signs in the stats of filters, and in the labels of moods."""
    for code, verdict, name in (
        ("llm_agent_analysis_eval_low", "llm_analysis", "llm_analysis"),
        ("llm_reply_quality_eval_low", "llm_quality", "llm_text_quality"),
    ):
        score = number_in(facts[f"{verdict}_score"])
        if not settings[f"signal_on_{name}_low"] or score is None or score > settings[f"{name}_score_max_for_bad"]:
            continue
        advice = _advice(facts[f"{verdict}_record"])
        if advice == "discard" or not settings[f"{name}_discard_must_be_strict"]:
            is_sure = advice == "discard" and score <= settings[f"high_precision_{name}_discard_threshold"]
            yield Signal(code, f"score={score}, recommendation={advice or 'n/a'}", "high" if is_sure else "medium")
    labels = facts["sentiment_labels"] if isinstance(facts["sentiment_labels"], list) else []
    moods = [mood.lower() for mood in settings["negative_sentiment_substrings"] or _NEGATIVE]
    if settings["signal_on_negative_sentiment_hint"] and any(mood in str(label).lower() for label in labels for mood in moods):
        yield Signal("negative_sentiment_label_hint", f"labels={labels[:_LABELS_SHOWN]}", "medium")
    perplexity = number_in(facts["perplexity"])
    if limits.perplexity is not None and perplexity is not None and perplexity >= limits.perplexity:
        yield Signal("high_perplexity", f"perplexity={perplexity}", "medium")
    difficulty, quality = number_in(facts["llm_difficulty_score"]), number_in(facts["llm_quality_score"])
    is_hard = difficulty is not None and difficulty >= settings["hard_query_difficulty_min"]
    is_poor = quality is not None and quality <= settings["poor_reply_quality_max"]
    if settings["signal_hard_query_poor_reply"] and is_hard and is_poor:
        detail = f"difficulty={difficulty}, llm_quality_score={quality}"
        yield Signal("hard_query_low_reply_quality_conjunction", detail, "medium")


def _of_axes(facts: Facts, settings: Settings, axes: Sequence[str]) -> Iterator[Signal]:
    threshold = settings["dialog_quality_low_score_threshold"]
    low = [name for name in axes if (score := _score(facts[name])) is not None and score <= threshold]
    if settings["signal_on_low_dialog_quality_meta"] and low and len(low) >= settings["min_dialog_quality_low_axes_for_signal"]:
        yield Signal("dialog_turn_quality_meta_low", f"axes={low}, threshold={float(threshold)}", "medium")


def _tier(signals: Sequence[Signal], settings: Settings) -> str:
    tools_failed = any(signal.code == "tool_message_error_pattern" for signal in signals)
    judged_bad = any(signal.code.startswith("llm_") and signal.weight == "high" for signal in signals)
    if judged_bad or (tools_failed and settings["high_precision_on_tool_fail_alone"]):
        return "high_precision"
    mediums = sum(signal.weight == "medium" for signal in signals)
    is_alone = len(signals) == 1 == mediums
    return "watchlist" if tools_failed or is_alone or mediums >= settings["min_medium_signals_for_watchlist"] else "none"


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _advice(record: Any) -> str:
    """Return what a judge's record recommends; it may be JSON in a text."""
    if isinstance(record, str):
        try:
            record = json.loads(record)
        except ValueError:
            return ""
    advice = _object(record).get("recommendation")
    return advice.strip().lower() if isinstance(advice, str) else ""


def _score(verdict: Any) -> float | None:
    """Return the score of a judge that came to a verdict."""
    given = _object(verdict)
    return None if given.get("error") or given.get("skipped") else number_in(given.get("score"))
