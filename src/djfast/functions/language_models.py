"""What functions that ask a language model have in common: the model of an OP's parameters, and conversations as columns."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any

from djfast.errors import IncompleteAnswerError, RecipeError, UnusableAnswerError
from djfast.llm.asking import Ask, LanguageModel, Message, Reply
from djfast.llm.chat import Chat
from djfast.llm.client import DEFAULT_LIMITS
from djfast.llm.conversations import UNUSABLE, Conversation, converse, unusable_after
from djfast.llm.prompts import load_prompt
from djfast.llm.retries import DEFAULT_RETRIES
from djfast.llm.usage import Price
from djfast.records import NamedTuple
from djfast.type_names import spoken_type

_CLIENT_PARAMS = ("base_url", "api_key", "prices", "timeout", "max_retries")
_LONGEST_TIMEOUT = 86_400
_MOST_RETRIES = 100


class Asking(NamedTuple):
    """Which model an OP asks, and how."""

    op: str
    model: str | None
    is_hf_model: bool
    endpoint: str | None
    response_path: str | None
    try_num: int
    model_params: dict[str, Any]
    sampling_params: dict[str, Any]

    @classmethod
    def of(cls, items: Iterable[tuple[str, Any]]) -> Asking:
        """Return what OPs give as the parameter `asking`: nested mappings come as tuples of their items."""
        given = dict(items)
        return cls(**{**given, **{name: _thawed(given[name]) for name in ("model_params", "sampling_params")}})

    def language_model(self, *, prompt_version: str = "") -> LanguageModel:
        """Return the model.

        Raises
        ------
        RecipeError, MissingExtraError, ModelError
            If a parameter cannot be, or a model in the process is not there.
        """
        if self.is_hf_model:
            from djfast.llm.transformers_backend import TransformersModel

            if self.model is None:
                raise RecipeError(f"{self.op}: a model in the process must be named, got null")
            allowed = {name: value for name, value in self.model_params.items() if name in ("device", "batch_size")}
            return TransformersModel(
                self.model, op=self.op, sampling=self.sampling_params, prompt_version=prompt_version, **allowed
            )
        for name in self.model_params:
            if name not in _CLIENT_PARAMS:
                given = name.partition(":")[0]  # {api_key:KEY} without a space is one name
                raise RecipeError(f"{self.op}: model_params may have {', '.join(_CLIENT_PARAMS)} for a server, got {given!r}")
        for name in ("base_url", "api_key"):
            if not isinstance(self.model_params.get(name), str | None):
                raise RecipeError(f"{self.op}: model_params must have a string or null as {name}, got a value that is not shown")
        return Chat(
            self.model,
            endpoint=self.endpoint,
            response_path=self.response_path,
            sampling=self.sampling_params,
            prompt_version=prompt_version,
            **client_params(self.op, self.model_params),
        )


def client_params(op: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters of a model behind a server, with ``timeout`` and ``max_retries`` as the package openai has them.

    Raises
    ------
    RecipeError
        If one of the two cannot be.
    """
    params = dict(given)
    timeout, most = params.pop("timeout", None), params.pop("max_retries", None)
    if timeout is not None:
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= _LONGEST_TIMEOUT:
            raise RecipeError(f"{op}: model_params.timeout must be seconds from 0 to {_LONGEST_TIMEOUT}, got {timeout!r}")
        connect = min(DEFAULT_LIMITS.connect_seconds, timeout)
        params["limits"] = DEFAULT_LIMITS._replace(seconds=float(timeout), connect_seconds=float(connect))
    if most is not None:
        if type(most) is not int or not 0 <= most <= _MOST_RETRIES:
            raise RecipeError(f"{op}: model_params.max_retries must be an integer from 0 to {_MOST_RETRIES}, got {most!r}")
        params["retries"] = DEFAULT_RETRIES._replace(most=most)
    return params


def conversing(
    asking: Asking, model: LanguageModel, talk: Callable[..., Conversation[Any]], *, known: int = 0, overwrite: bool = False
) -> Callable[..., list[Any]]:
    """Return the function of columns that leads one conversation for each row, all of a batch at the same time.

    Parameters
    ----------
    talk : callable
        Takes the row's values and yields asks, see `djfast.llm.conversations`. What it returns is the row's result; an
        exception that it raises rejects the row.
    known : int
        How many columns, the first ones, have results that rows brought along. `talk` does not get them. A row that has all of
        them is not asked about, and its result is the empty text.
    overwrite : bool
        Whether such a row is asked about all the same.
    """

    def one(*values: Any) -> Conversation[Any]:
        is_known = bool(known) and all(values[:known]) and not overwrite
        return _done("") if is_known else talk(*values[known:])

    def talked(*columns: Sequence[Any]) -> list[Any]:
        return converse(model, [one(*values) for values in zip(*columns, strict=True)], usage_of=asking.op)

    return talked


def messages(system: str, user: str) -> list[Message]:
    """Return a system and a user message; an empty one is left out."""
    given = (("system", system), ("user", user))
    return [{"role": role, "content": content} for role, content in given if content]


def metered(conversation: Conversation[Any], default: Any) -> Conversation[tuple[Any, tuple[int, int]]]:
    """Lead a conversation and count the tokens of its answers; `default` where none is usable. To be called by ``yield from``."""
    prompt = completion = 0
    reply: Reply | None = None
    while True:
        try:
            question = conversation.send(reply)
        except StopIteration as stop:
            return stop.value, (prompt, completion)
        except UnusableAnswerError:
            return default, (prompt, completion)
        reply = yield question
        tokens = getattr(reply, "tokens", None)
        if tokens is not None:
            prompt, completion = prompt + tokens.prompt, completion + tokens.completion


def usage_with(before: Any, prompt: int, completion: int, price: Price | None) -> dict[str, Any]:
    """Return the usage of a row, `before` if it is one, with further tokens; their cost is 0 where the price is not known."""
    known = before if isinstance(before, dict) else {}
    added = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "cost_estimate": price.of(prompt, completion) if price else 0,
    }
    return {name: count + (known[name] if isinstance(known.get(name), int | float) else 0) for name, count in added.items()}


def in_language(system: str, language: str | None) -> str:
    """Return an instruction with a note in which language to answer; None leaves that to the model."""
    if language is None:
        return system
    note = load_prompt("output_language", language).template("note").fill()
    return f"{system}\n\n{note}" if system else note


def text_in(value: str) -> str:
    """Return the text that a field's JSON is; the empty text where the field is missing or null.

    Raises
    ------
    TypeError
        If it is something else.
    """
    read = json.loads(value) if value else None
    if read is None:
        return ""
    if not isinstance(read, str):
        raise TypeError(f"the field must be a string, got {spoken_type(read)}")
    return read


def _done(result: Any) -> Generator[Any, Any, Any]:
    """Return a conversation that is over before anything is asked."""
    return result
    yield


def _thawed(value: Any) -> Any:
    """Return the mapping that a tuple of items was made of, and lists for other tuples."""
    if isinstance(value, tuple):
        if all(isinstance(each, tuple) and len(each) == 2 and isinstance(each[0], str) for each in value):
            return {name: _thawed(each) for name, each in value}
        return [_thawed(each) for each in value]
    return value


def tries_together(
    asks: Sequence[Ask], parses: Sequence[Callable[[str], Any]], *, try_num: int
) -> Generator[Any, Any, list[Any]]:
    """Ask many questions at the same time, those with unusable answers up to `try_num` times; to be called by ``yield from``.

    Returns
    -------
    list
        What `parses`, one for each question, make of the answers; None where they raised ValueError to the end.

    Raises
    ------
    NoAnswerError
        If there was no answer to one of them, or the last one was incomplete.
    """
    results: list[Any] = [None] * len(asks)
    waiting = list(range(len(asks)))
    incomplete: IncompleteAnswerError | None = None
    for number in range(1, try_num + 1):
        replies = yield [asks[index]._replace(try_number=number) for index in waiting]
        unusable = []
        incomplete = None
        for index, reply in zip(waiting, replies):
            try:
                results[index] = parses[index](reply.text)
                continue
            except IncompleteAnswerError as error:
                incomplete = error
            except ValueError:
                pass
            unusable.append(index)
            yield UNUSABLE
        waiting = unusable
        if not waiting:
            break
    if incomplete is not None:
        raise unusable_after(try_num, incomplete)
    return results


def checked_pattern(
    op: str, pattern: str, *, groups: int, flags: int = 0, name: str = "output_pattern"
) -> re.Pattern[str]:
    """Return a pattern that the user gave for answers, in the parameter `name`.

    Raises
    ------
    RecipeError
        If it is not valid or has fewer than `groups` groups.
    """
    try:
        compiled = re.compile(pattern, flags)
    except (re.error, OverflowError) as error:
        raise RecipeError(f"{op}: {name} must be a valid regular expression ({error}), got {pattern!r}") from None
    except RecursionError:
        raise RecipeError(f"{op}: {name} must not nest groups so deep, got {pattern[:200]!r}") from None
    if compiled.groups < groups:
        raise RecipeError(f"{op}: {name} must have {groups} groups, got {pattern!r}")
    return compiled
