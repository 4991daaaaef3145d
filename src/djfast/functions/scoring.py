"""Scores that a language model gives texts in several dimensions, and conditions that it decides on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from djfast.errors import RecipeError, UnusableAnswerError
from djfast.functions.language_models import Asking, conversing, in_language, messages, metered, text_in, usage_with
from djfast.functions.verdicts import decision, scores_in
from djfast.llm.asking import Ask
from djfast.llm.conversations import Conversation, tries
from djfast.llm.prompts import Prompt, load_prompt
from djfast.llm.structured import read_json
from djfast.llm.usage import Price

_BEST = 5
_LARGEST = 1e6  # a score beyond is a slip of the model, not a judgement
_RECORD = {"type": "object", "required": ["dimension_scores"]}
_UNSCORED = {"score": 0.0, "record": "", "tags": ""}


def bind_scored(
    *,
    prompt: str,
    dimensions: Sequence[str],
    own_dimensions: bool,
    field_names: Sequence[str],
    templates: Iterable[tuple[str, str | None]],
    language: str | None,
    task: str | None,
    samples: str | None,
    asking: Iterable[Any],
) -> Callable[..., list[Any]]:
    """Return a batched function ``(existing_scores, *fields) -> scores``; a row that has a score is not asked about.

    Parameters
    ----------
    prompt : str
        Name of the prompt file.
    dimensions : sequence of str
        What must be scored; `own_dimensions` says that they are not those of the prompt file.
    field_names : sequence of str
        How each field is called in the question.
    templates : items of a mapping
        The user's system text and input and field templates; None takes that of the prompt file.
    language : str or None
        Language of the free text in answers.
    task : str or None
        Description of the task that data shall help with; None where there is no task.
    samples : str or None
        JSON of a list, for each sample of the task the list of its fields' values.

    Returns
    -------
    callable
        Gives JSON objects with ``score`` (mean of the dimensions / 5), ``record`` and ``tags`` (texts of JSON); nothing for
        rows that have a score.
    """
    ask = Asking.of(asking)
    ours, parts, given = load_prompt(prompt), load_prompt("scoring"), dict(templates)
    system = given["system"] or ours.template("system").fill()
    if own_dimensions and not given["system"]:
        system += "\n\n" + parts.template("dimensions", ["names"]).fill(names=", ".join(dimensions))
    system = in_language(system, language)
    one_field = parts.template(
        "field", ["field_name", "field_data"], given=given["field"], what=f"{ask.op}: field_template"
    )
    whole = ours.template("input", ["data"], given=given["input"], what=f"{ask.op}: input_template")

    def rendered(values: Iterable[Any]) -> str:
        named = [(name, value) for name, value in zip(field_names, values) if value is not None]
        return "\n\n".join(one_field.fill(field_name=name, field_data=_shown(value)) for name, value in named)

    about_task = _about_task(ours, task, [rendered(sample) for sample in json.loads(samples or "[]")])

    def is_scored(record: dict[str, Any]) -> bool:
        try:
            _mean(scores_in(record, "dimension_scores", dimensions, best=_BEST))
        except ValueError:
            return False
        return True

    def parse(answer: str) -> dict[str, Any]:
        try:
            record = read_json(answer, _RECORD, is_meant=is_scored)
        except UnusableAnswerError:
            record = read_json(answer, is_meant=is_scored)
        advice = record.get("recommendation")
        record["recommendation"] = advice if isinstance(advice, list) else [] if advice is None else [advice]
        tags = record.get("tags") or ""
        return {
            "score": _mean(scores_in(record, "dimension_scores", dimensions, best=_BEST)),
            "record": json.dumps(record, ensure_ascii=False),
            "tags": tags if isinstance(tags, str) else json.dumps(tags, ensure_ascii=False),
        }

    def talk(*values: str) -> Conversation[str]:
        data = rendered(json.loads(value) if value else None for value in values)
        question = "\n\n".join([*about_task, whole.fill(data=data)])
        try:
            found = yield from tries(Ask(messages(system, question)), parse, try_num=ask.try_num)
        except UnusableAnswerError:
            found = _UNSCORED
        return json.dumps(found, ensure_ascii=False)

    return conversing(ask, ask.language_model(prompt_version=ours.version), talk, known=1)


def bind_task_scored(**params: Any) -> Callable[..., list[Any]]:
    """Return `bind_scored` for a task, which must be told.

    Raises
    ------
    RecipeError
        If there is neither a description nor a sample.
    """
    if not params["task"] and not json.loads(params["samples"]):
        op = Asking.of(params["asking"]).op
        raise RecipeError(f"{op}: valid_dataset or task_desc must be given, got neither")
    return bind_scored(**params)


def bind_score_in() -> Callable[[str], float]:
    """Return the function of the JSON of a score that gives the number, 0 where there is none."""
    return lambda value: float(json.loads(value)) if value else 0.0


def bind_unscored_or() -> Callable[[float, bool], bool]:
    """Return the function of a score and a condition that holds where the condition does or the score is 0."""
    return lambda score, is_met: not score or is_met


def bind_condition_met(
    condition: str,
    strategy: str | None,
    examples: str,
    knowledge: str | None,
    asking: Iterable[Any],
) -> Callable[..., list[Any]]:
    """Return the function of columns of JSON: the text, background knowledge of the row, and usage so far.

    Parameters
    ----------
    strategy : {None, "direct", "cot", "few_shot", "cot_shot"}
        How the model is asked: with ``cot`` it thinks first and decides in the last line, with ``shot`` it sees examples.
    examples : str
        JSON of a list of examples.
    knowledge : str or None
        Background knowledge for all rows.

    Returns
    -------
    callable
        Gives JSON objects with ``is_met`` and, where the model was asked, ``usage``.
    """
    ask = Asking.of(asking)
    prompt = load_prompt("condition")
    thinks, sees_examples = strategy in ("cot", "cot_shot"), strategy in ("few_shot", "cot_shot")
    system = prompt.template("cot" if thinks else "direct").fill()
    shown = [_shown_example(example) for example in json.loads(examples)] if sees_examples else []
    before = [prompt.template("examples", ["examples"]).fill(examples="\n\n".join(shown))] if shown else []
    background = prompt.template("knowledge", ["knowledge"])
    question = prompt.template("input", ["condition", "text"])
    price = Price.of_model(ask.model_params.get("prices"), ask.model)

    def parse(answer: str) -> bool:
        found = decision(answer, is_last=thinks)
        if found is None:
            raise ValueError(f"it says neither yes nor no: {answer[:80]!r}")
        return found

    def talk(value: str, of_row: str, usage: str) -> Conversation[str]:
        text = text_in(value)
        before_usage = json.loads(usage) if usage else None
        if not condition.strip() or not text.strip():
            known = {} if before_usage is None else {"usage": before_usage}
            return json.dumps({"is_met": bool(text.strip()) and not condition.strip(), **known})
        facts = [fact for fact in (knowledge, _shown(json.loads(of_row)) if of_row else "") if fact]
        parts = [background.fill(knowledge="\n\n".join(facts))] if facts else []
        parts += [*before, question.fill(condition=condition, text=text)]
        # A limit of one token leaves a decision that is whole, but not where thoughts come first.
        question_asked = Ask(messages(system, "\n\n".join(parts)))
        asked = tries(question_asked, parse, try_num=ask.try_num, takes_beginning=not thinks)
        is_met, tokens = yield from metered(asked, default=False)
        return json.dumps({"is_met": is_met, "usage": usage_with(before_usage, *tokens, price)})

    return conversing(ask, ask.language_model(prompt_version=prompt.version), talk)


def bind_is_true() -> Callable[[str], bool]:
    """Return the function of JSON that tells whether it is true."""
    return lambda value: value == "true"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown_example(example: dict[str, Any]) -> str:
    return "\n".join(f"{name}: {_shown(value)}" for name, value in example.items())


def _about_task(prompt: Prompt, task: str | None, samples: list[str]) -> list[str]:
    told = [prompt.template("task", ["task"]).fill(task=task)] if task else []
    shown = [prompt.template("samples", ["samples"]).fill(samples="\n\n".join(samples))] if samples else []
    return told + shown


def _mean(scores: Sequence[float]) -> float:
    """Return the mean of scores as a share of the best one.

    Raises
    ------
    ValueError
        If one is a slip of the model.
    """
    if any(abs(score) > _LARGEST for score in scores):
        raise ValueError(f"a score is larger than {_LARGEST:g}")
    return float(sum(scores) / len(scores) / _BEST)
