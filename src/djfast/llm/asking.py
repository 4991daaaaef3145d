"""What a language model is to an OP: asks go in, answers or failures come out, with a cache and usage for every kind."""

from __future__ import annotations

import hashlib
import json
import queue
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from djfast.errors import (
    IncompleteAnswerError,
    NoAnswerError,
    Preempted,
    RecipeError,
    ServerLostError,
    UnusableAnswerError,
)
from djfast.llm.cache import AnswerCache
from djfast.llm.interrupts import interruptible
from djfast.llm.usage import METER, OpUsage, Price, UsageMeter
from djfast.records import NamedTuple
from djfast.type_names import spoken_type

Message = Mapping[str, Any]


class Ask(NamedTuple):
    """One question. A text alone is one user message, or the input of an embedding.

    Parameters
    ----------
    prompt : str or sequence of messages
        Messages are ``{"role": ..., "content": ...}``.
    try_number : int
        Tries of one prompt are different questions: to the cache, and to the seed of a sampled answer.
    schema : mapping, optional
        JSON schema of the answer, for servers and models that can be held to one.
    """

    prompt: str | Sequence[Message]
    try_number: int = 1
    schema: Mapping[str, Any] | None = None

    def messages(self) -> list[dict[str, Any]]:
        """Return the prompt as messages."""
        if isinstance(self.prompt, str):
            return [{"role": "user", "content": self.prompt}]
        return [dict(message) for message in self.prompt]


class Tokens(NamedTuple):
    """What one answer took; 0 where the server does not say."""

    prompt: int = 0
    completion: int = 0


class Answer(NamedTuple):
    """What the model said: a text without the model's thoughts, or the numbers of an embedding.

    Parameters
    ----------
    flaw : str
        Why the answer is not whole, such as a limit of tokens that cut it off; empty where nothing is known against it.
    """

    value: Any
    tokens: Tokens = Tokens()
    is_cached: bool = False
    retries: int = 0
    flaw: str = ""

    @property
    def text(self) -> str:
        """The whole answer as a text.

        Raises
        ------
        IncompleteAnswerError
            If it is not whole.
        UnusableAnswerError
            If it is not a string.
        """
        if self.flaw:
            raise IncompleteAnswerError(self.flaw)
        return self.beginning

    @property
    def beginning(self) -> str:
        """The answer as a text, also where only a part of it came: for what is decided by its first words.

        Raises
        ------
        UnusableAnswerError
            If it is not a string.
        """
        if not isinstance(self.value, str):
            raise UnusableAnswerError(f"the answer must be a string, got {spoken_type(self.value)}")
        return self.value


class Failure(NamedTuple):
    """Why there is no answer; without keys and passwords.

    `is_lost` where no other question will be answered either.
    """

    reason: str
    retries: int = 0
    is_interrupted: bool = False
    is_lost: bool = False

    @property
    def text(self) -> str:
        """Raise, so that a row that needs the answer is rejected with the reason.

        Raises
        ------
        NoAnswerError
        Preempted
            If the run was stopped.
        """
        if self.is_interrupted:
            raise Preempted()
        raise NoAnswerError(self.reason)

    @property
    def beginning(self) -> str:
        """Raise, as `text` does."""
        return self.text


Reply = Answer | Failure
Done = Callable[[int, Reply], None]


class Question(NamedTuple):
    """An ask made ready, once, for everything that follows."""

    ask: Ask
    content: bytes  # canonical JSON of what the model is given
    key: bytes  # SHA-256 of everything that the answer depends on


class LanguageModel(ABC):
    """Asks of OPs, answered from the cache or by the model.

    Parameters
    ----------
    cache : AnswerCache or None
        None asks again every time.
    price : Price or None
        What tokens cost; None where nobody knows.
    prompt_version : str
        Part of the cache's key, so that a changed prompt file is asked anew even where the text is the same.
    """

    def __init__(self, *, cache: AnswerCache | None, price: Price | None, prompt_version: str, meter: UsageMeter = METER) -> None:
        self._cache = cache
        self._price = price
        self._prompt_version = prompt_version
        self._meter = meter

    @abstractmethod
    def _origin(self) -> str:
        """Return what makes the answers of this model those of no other, without secrets."""

    @abstractmethod
    def _content(self, ask: Ask) -> Any:
        """Return what the model is given, as JSON data without secrets."""

    @abstractmethod
    def _send(self, questions: Sequence[Question], done: Done) -> Callable[[], None]:
        """Have the model answer; `done` is called once for each question, from any thread. Return what gives up the rest."""

    def answers(self, asks: Sequence[Ask | str | Sequence[Message]], *, usage_of: str) -> list[Reply]:
        """Answer all asks at once, in their order, for the OP of this name.

        Raises
        ------
        Preempted
            If the run was stopped meanwhile.
        ServerLostError
            If the model cannot be asked any more.
        RecipeError
            If one cannot be asked.
        """
        questions = [self.prepare(ask if isinstance(ask, Ask) else Ask(ask)) for ask in asks]
        replies: list[Reply] = [Failure("")] * len(questions)
        waiting: queue.SimpleQueue[tuple[int, Reply]] = queue.SimpleQueue()
        cancel = self.begin(questions, lambda index, reply: waiting.put((index, reply)))
        try:
            with interruptible(cancel):
                for _ in questions:
                    index, reply = waiting.get()
                    if isinstance(reply, Failure) and reply.is_interrupted:
                        raise Preempted()
                    self.settle(questions[index], reply, usage_of=usage_of)
                    replies[index] = reply
        finally:
            cancel()
        return replies

    def prepare(self, ask: Ask) -> Question:
        """Make an ask ready.

        Raises
        ------
        RecipeError
            If it cannot be asked.
        """
        content = canonical(self._content(ask))
        digest = hashlib.sha256(canonical([_FORM, self._origin(), self._prompt_version, ask.try_number]))
        digest.update(content)
        return Question(ask, content, digest.digest())

    def begin(self, questions: Sequence[Question], done: Done) -> Callable[[], None]:
        """Begin to answer; `done` gets each question's index and reply, from any thread, and must not wait.

        Equal questions of one call are asked once, so that the first run gives what a rerun finds in the cache. The caller
        hands every reply to `settle`. Returns what gives up the questions that are still open.
        """
        if self._cache is None:
            return self._send(questions, done)
        equal: dict[bytes, list[int]] = {}
        for index, question in enumerate(questions):
            equal.setdefault(question.key, []).append(index)
        missing: list[list[int]] = []
        for key, indices in equal.items():
            found = self._cache.get(key)
            reply = None if found is None else _of_record(found)
            if reply is None:
                missing.append(indices)
                continue
            for index in indices:
                done(index, reply)

        def spread(position: int, reply: Reply) -> None:
            first, *others = missing[position]
            done(first, reply)
            for index in others:
                shared = reply._replace(is_cached=True) if isinstance(reply, Answer) else reply
                done(index, shared._replace(retries=0))

        if not missing:
            return lambda: None
        return self._send([questions[indices[0]] for indices in missing], spread)

    def settle(self, question: Question, reply: Reply, *, usage_of: str) -> None:
        """Count a reply and keep it for reruns; in the thread that waits for it, so that a slow disk holds up no other.

        Raises
        ------
        ServerLostError
            If the reply says that nobody will be answered.
        """
        if isinstance(reply, Failure):
            usage = OpUsage(1 + reply.retries, reply.retries, failures=1)
        elif reply.is_cached:
            usage = OpUsage(cache_hits=1, incomplete=bool(reply.flaw))
        else:
            if self._cache is not None:
                self._cache.put(question.key, _to_record(reply))
            cost = None if self._price is None else self._price.of(*reply.tokens)
            usage = OpUsage(1 + reply.retries, reply.retries, 0, 0, *reply.tokens, cost, incomplete=bool(reply.flaw))
        self._meter.add(usage_of, usage)
        if isinstance(reply, Failure) and reply.is_lost:
            raise ServerLostError(f"{usage_of}: {reply.reason}")

    def count_unusable(self, *, usage_of: str) -> None:
        """Count an answer that the OP could not use."""
        self._meter.add(usage_of, OpUsage(unusable=1))


_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def canonical(value: Any) -> bytes:
    """Return JSON in which equal values have equal bytes.

    Raises
    ------
    RecipeError
        If the value is not JSON data.
    """
    try:
        return _encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise RecipeError(f"what a language model is asked must be JSON data: {error}") from error


_FORM = 2  # of what is kept: answers of another form are asked for again


def _to_record(answer: Answer) -> bytes:
    return json.dumps([answer.value, *answer.tokens, answer.flaw], ensure_ascii=True).encode()


def _of_record(record: bytes) -> Answer | None:
    try:
        value, prompt, completion, flaw = json.loads(record)
    except (ValueError, TypeError, RecursionError):
        return None
    return Answer(value, Tokens(prompt, completion), is_cached=True, flaw=flaw)
